/* SPDX-License-Identifier: MIT
 *
 * Reading ELF files.
 */
#include "elf.h"

#include <elf.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct view {
    const uint8_t *data;
    size_t size;
    Elf64_Ehdr header;
};

static bool view_read(const struct view *view, uint64_t at, void *to, size_t size)
{
    if (at > view->size || size > view->size - at)
        return false;
    memcpy(to, view->data + at, size);
    return true;
}

static char *view_text(const struct view *view, uint64_t at)
{
    size_t room, length;

    if (at >= view->size)
        return NULL;
    room = view->size - at;
    length = strnlen((const char *)view->data + at, room);
    return length < room ? memory_copy(view->data + at, length) : NULL;
}

static const char *machine_name(unsigned machine)
{
    static const struct {
        unsigned machine;
        const char *name;
    } names[] = {
        {EM_386, "32-bit x86 (i386)"},
        {EM_X86_64, "x86-64 (amd64)"},
        {EM_ARM, "32-bit Arm (armhf)"},
        {EM_RISCV, "RISC-V"},
        {EM_PPC64, "64-bit PowerPC"},
        {EM_S390, "s390x"},
        {EM_MIPS, "MIPS"},
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].machine == machine)
            return names[i].name;
    return "another machine";
}

static enum elf_verdict verdict(struct elf *elf, enum elf_verdict kind, char *message)
{
    free(elf->message);
    elf->message = message;
    return kind;
}

static char *not_elf(const struct view *view)
{
    if (view->size == 0)
        return text_copy("it is empty, and Remora runs arm64 ELF programs");
    if (view->size > 2 && memcmp(view->data, "#!", 2) == 0)
        return text_copy("it is a script, not an ELF file; run what interprets it, with the script "
                         "in a shared folder (-v) or in a folder with remora.conf, as in "
                         "remora run -v .:/srv deb:python3 python3 /srv/FILE");
    return text_copy("it is not an ELF file, and Remora runs arm64 ELF programs");
}

static enum elf_verdict check_header(struct elf *elf, struct view *view)
{
    const Elf64_Ehdr *header = &view->header;

    if (view->size < SELFMAG || memcmp(view->data, ELFMAG, SELFMAG) != 0)
        return verdict(elf, ELF_NONE, not_elf(view));
    if (view->size < 20)
        return verdict(elf, ELF_DAMAGED, text_copy("it is cut off within its ELF header"));
    memcpy(&view->header, view->data,
           view->size < sizeof(view->header) ? view->size : sizeof(view->header));
    if (header->e_ident[EI_DATA] == ELFDATA2LSB && header->e_machine != EM_AARCH64)
        return verdict(elf, ELF_FOREIGN,
                       text_format("it is built for %s, and Remora runs arm64 (aarch64) programs",
                                   machine_name(header->e_machine)));
    if (header->e_ident[EI_CLASS] != ELFCLASS64 || header->e_ident[EI_DATA] != ELFDATA2LSB)
        return verdict(elf, ELF_FOREIGN,
                       text_copy("it is not a 64-bit little-endian ELF file, and Remora runs "
                                 "arm64 (aarch64) programs"));
    if (view->size < sizeof(view->header))
        return verdict(elf, ELF_DAMAGED, text_copy("it is cut off within its ELF header"));
    if (header->e_type != ET_EXEC && header->e_type != ET_DYN)
        return verdict(elf, ELF_UNUSABLE,
                       text_copy(header->e_type == ET_REL
                                     ? "it is an object file, not a linked program"
                                     : "it is not a program"));
    if (header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phnum == 0)
        return verdict(elf, ELF_DAMAGED, text_copy("it has no usable program headers"));
    return ELF_OK;
}

static bool read_segment(const struct view *view, unsigned index, Elf64_Phdr *segment)
{
    uint64_t at = view->header.e_phoff + (uint64_t)index * sizeof(*segment);

    return at >= view->header.e_phoff && view_read(view, at, segment, sizeof(*segment));
}

/* File offset of a loaded address; UINT64_MAX when no segment holds it. */
static uint64_t file_offset(const struct view *view, uint64_t address)
{
    Elf64_Phdr segment;

    for (unsigned i = 0; i < view->header.e_phnum; i++)
        if (read_segment(view, i, &segment) && segment.p_type == PT_LOAD &&
            address >= segment.p_vaddr && address - segment.p_vaddr < segment.p_filesz)
            return segment.p_offset + (address - segment.p_vaddr);
    return UINT64_MAX;
}

static void read_dynamic_texts(struct elf *elf, const struct view *view, const Elf64_Phdr *dynamic,
                               uint64_t strings)
{
    bool has_runpath = false;
    Elf64_Dyn item;

    for (uint64_t at = 0; at + sizeof(item) <= dynamic->p_filesz; at += sizeof(item)) {
        char *text;

        if (!view_read(view, dynamic->p_offset + at, &item, sizeof(item)) || item.d_tag == DT_NULL)
            break;
        if (item.d_tag != DT_NEEDED && item.d_tag != DT_SONAME && item.d_tag != DT_RPATH &&
            item.d_tag != DT_RUNPATH)
            continue;
        text = view_text(view, strings + item.d_un.d_val);
        if (text == NULL)
            continue;
        if (item.d_tag == DT_NEEDED) {
            words_add(&elf->needed, text);
        } else if (item.d_tag == DT_SONAME) {
            free(elf->soname);
            elf->soname = text_copy(text);
        } else if (item.d_tag == DT_RUNPATH || !has_runpath) {
            has_runpath = item.d_tag == DT_RUNPATH;
            words_clear(&elf->search);
            words_split(&elf->search, text, ":");
        }
        free(text);
    }
}

static void read_dynamic(struct elf *elf, const struct view *view, const Elf64_Phdr *dynamic)
{
    uint64_t strings = UINT64_MAX;
    Elf64_Dyn item;

    elf->is_dynamic = true;
    for (uint64_t at = 0; at + sizeof(item) <= dynamic->p_filesz; at += sizeof(item)) {
        if (!view_read(view, dynamic->p_offset + at, &item, sizeof(item)) || item.d_tag == DT_NULL)
            break;
        if (item.d_tag == DT_STRTAB)
            strings = file_offset(view, item.d_un.d_ptr);
    }
    if (strings != UINT64_MAX)
        read_dynamic_texts(elf, view, dynamic, strings);
}

/* PT_GNU_PROPERTY: one note "GNU" of type 5 with 8-byte aligned properties. */
static void read_properties(struct elf *elf, const struct view *view, const Elf64_Phdr *segment)
{
    uint64_t at = segment->p_offset + sizeof(Elf64_Nhdr) + 4;
    Elf64_Nhdr note;
    uint32_t property[3];

    if (!view_read(view, segment->p_offset, &note, sizeof(note)) || note.n_type != 5 ||
        note.n_namesz != 4)
        return;
    for (uint64_t done = 0; done + sizeof(property) <= note.n_descsz;) {
        if (!view_read(view, at + done, property, sizeof(property)))
            return;
        if (property[0] == 0xc0000000u)
            elf->features_1 = property[2];
        done += 8 + ((uint64_t)property[1] + 7) / 8 * 8;
    }
}

static enum elf_verdict read_segments(struct elf *elf, const struct view *view)
{
    uint64_t low = UINT64_MAX, high = 0;
    Elf64_Phdr segment;

    for (unsigned i = 0; i < view->header.e_phnum; i++) {
        if (!read_segment(view, i, &segment))
            return verdict(elf, ELF_DAMAGED,
                           text_copy("it is cut off: its program headers lie behind its end"));
        if (segment.p_type == PT_LOAD && segment.p_filesz &&
            (segment.p_offset > view->size || segment.p_filesz > view->size - segment.p_offset))
            return verdict(elf, ELF_DAMAGED,
                           text_format("it is cut off: a segment needs bytes up to %" PRIu64
                                       ", the file has %zu; get the whole file",
                                       segment.p_offset + segment.p_filesz, view->size));
        if (segment.p_type == PT_LOAD) {
            low = segment.p_vaddr < low ? segment.p_vaddr : low;
            if (segment.p_vaddr + segment.p_memsz > high)
                high = segment.p_vaddr + segment.p_memsz;
            if (segment.p_align > elf->align_max)
                elf->align_max = segment.p_align;
        } else if (segment.p_type == PT_INTERP) {
            free(elf->interpreter);
            elf->interpreter = view_text(view, segment.p_offset);
        } else if (segment.p_type == PT_DYNAMIC) {
            read_dynamic(elf, view, &segment);
        } else if (segment.p_type == PT_GNU_PROPERTY) {
            read_properties(elf, view, &segment);
        }
    }
    if (high == 0)
        return verdict(elf, ELF_UNUSABLE, text_copy("it has nothing to load"));
    elf->memory_size = high - low;
    return ELF_OK;
}

enum elf_verdict elf_parse(struct elf *elf, const void *data, size_t size)
{
    struct view view = {.data = data, .size = size};
    enum elf_verdict result;

    *elf = (struct elf){0};
    result = check_header(elf, &view);
    if (result == ELF_OK)
        result = read_segments(elf, &view);
    if (result != ELF_OK)
        return result;
    elf->entry = view.header.e_entry;
    elf->is_pie = view.header.e_type == ET_DYN;
    elf->is_library = elf->is_pie && elf->interpreter == NULL && elf->soname != NULL;
    return ELF_OK;
}

void elf_free(struct elf *elf)
{
    free(elf->interpreter);
    free(elf->soname);
    free(elf->message);
    words_clear(&elf->needed);
    words_clear(&elf->search);
    *elf = (struct elf){0};
}

void elf_text(const void *data, size_t size, elf_text_fn *visit, void *context)
{
    struct view view = {.data = data, .size = size};
    Elf64_Phdr segment;

    if (!view_read(&view, 0, &view.header, sizeof(view.header)))
        return;
    for (unsigned i = 0; i < view.header.e_phnum; i++)
        if (read_segment(&view, i, &segment) && segment.p_type == PT_LOAD &&
            (segment.p_flags & PF_X) && segment.p_offset <= size &&
            segment.p_filesz <= size - segment.p_offset)
            visit(view.data + segment.p_offset, segment.p_filesz, context);
}
