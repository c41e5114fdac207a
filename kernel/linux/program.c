/* SPDX-License-Identifier: MIT
 *
 * Finds what lies at an address of the running program: the mapped file, and in its symbol table
 * (.symtab, else .dynsym) the function. Used for crash reports and the ledger, so it is slow and
 * takes nothing for granted.
 */
#include <linux/program.h>

#include <file/file.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <linux/elf.h>
#include <linux/process.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "map_owner.h"

struct place {
    vaddr_t address;
    struct file *file; /* a reference, or NULL */
    uint64_t offset;   /* of the address in the file */
    const char *name;  /* of an area without a file */
};

static int find_area(const struct vm_area *area, void *arg)
{
    struct place *place = arg;

    if (place->address < area->start || place->address >= area->end)
        return 0;
    place->name = area->name;
    if (area->owner_ops == &map_owner_ops) {
        place->file = area->owner;
        file_ref(place->file);
        place->offset = area->offset * PAGE_SIZE + (place->address - area->start);
    }
    return 1;
}

struct section {
    uint32_t name, type;
    uint64_t flags, addr, offset, size;
    uint32_t link, info;
    uint64_t align, entry_size;
};
_Static_assert(sizeof(struct section) == 64, "Elf64_Shdr");

struct symbol {
    uint32_t name;
    uint8_t info, other;
    uint16_t section;
    uint64_t value, size;
};
_Static_assert(sizeof(struct symbol) == 24, "Elf64_Sym");

enum { SHT_SYMTAB = 2, SHT_DYNSYM = 11, STT_FUNC = 2 };
#define SECTIONS_MAX 256
#define BATCH        64

static bool read_all(struct file *file, void *to, size_t size, uint64_t offset)
{
    return file_read_kernel(file, to, size, offset) == (ssize_t)size;
}

/* Of the section headers: the table to use and its strings. */
static bool find_tables(struct file *file, const uint8_t header[ELF_HEADER_SIZE],
                        struct section *symbols, struct section *strings)
{
    uint64_t offset;
    uint16_t count;
    bool found = false;

    memcpy(&offset, header + 40, sizeof(offset));
    memcpy(&count, header + 60, sizeof(count));
    for (int i = 0; i < min(count, (uint16_t)SECTIONS_MAX); i++) {
        struct section s;

        if (!read_all(file, &s, sizeof(s), offset + i * sizeof(s)))
            return found;
        if ((s.type == SHT_DYNSYM && !found) || s.type == SHT_SYMTAB) {
            *symbols = s;
            found = read_all(file, strings, sizeof(*strings), offset + s.link * sizeof(s));
            if (s.type == SHT_SYMTAB)
                return found;
        }
    }
    return found;
}

/* The function whose range holds `value`. */
static bool find_symbol(struct file *file, const struct section *table, uint64_t value,
                        struct symbol *out)
{
    struct symbol *batch = kmalloc(BATCH * sizeof(*batch));
    uint64_t count = table->size / sizeof(*batch);
    bool found = false;

    for (uint64_t i = 0; batch && !found && i < count; i += BATCH) {
        size_t n = (size_t)min(count - i, (uint64_t)BATCH);

        if (!read_all(file, batch, n * sizeof(*batch), table->offset + i * sizeof(*batch)))
            break;
        for (size_t j = 0; j < n && !found; j++) {
            const struct symbol *s = &batch[j];

            if ((s->info & 15) == STT_FUNC && s->section && value >= s->value &&
                value - s->value < max(s->size, (uint64_t)4)) {
                *out = *s;
                found = true;
            }
        }
    }
    kfree(batch);
    return found;
}

/* A file offset as an address of the file's own numbering. */
static bool offset_to_value(struct file *file, const uint8_t header[ELF_HEADER_SIZE],
                            uint64_t offset, uint64_t *value)
{
    struct elf_image *image = kmalloc(sizeof(*image));
    const char *reason;
    uint64_t phdr_offset;
    size_t bytes;
    uint8_t *phdrs = NULL;
    bool found = false;

    if (image &&
        !elf_parse_header(header, ELF_HEADER_SIZE, UINT64_MAX, &phdr_offset, &bytes, &reason))
        phdrs = kmalloc(bytes);
    if (phdrs && read_all(file, phdrs, bytes, phdr_offset) &&
        !elf_parse(image, header, phdrs, bytes, INT64_MAX, &reason)) {
        for (unsigned i = 0; i < image->segment_count; i++) {
            const struct elf_segment *s = &image->segments[i];

            if (offset >= s->offset && offset - s->offset < s->file_bytes) {
                *value = s->addr + (offset - s->offset);
                found = true;
            }
        }
    }
    kfree(phdrs);
    kfree(image);
    return found;
}

static bool describe_symbol(const struct place *place, char *to, size_t size)
{
    uint8_t header[ELF_HEADER_SIZE];
    struct section symbols, strings;
    struct symbol symbol;
    uint64_t value = 0;
    char name[64] = {0};

    if (!read_all(place->file, header, sizeof(header), 0) ||
        !offset_to_value(place->file, header, place->offset, &value) ||
        !find_tables(place->file, header, &symbols, &strings) ||
        !find_symbol(place->file, &symbols, value, &symbol))
        return false;
    if (file_read_kernel(place->file, name, sizeof(name) - 1, strings.offset + symbol.name) <= 0)
        return false;
    snprintf(to, size, "%s+0x%llx", name, (unsigned long long)(value - symbol.value));
    return true;
}

static void file_name(struct file *file, char *to, size_t size)
{
    struct path path;
    char *full = kmalloc(PAGE_SIZE);

    strscpy(to, "?", size);
    if (full && path_of_file(file, &path) == 0 && path_name(&path, NULL, full, PAGE_SIZE) >= 0) {
        const char *slash = strrchr(full, '/');

        strscpy(to, slash && slash[1] ? slash + 1 : full, size);
    }
    kfree(full);
}

void program_describe_address(vaddr_t address, char *to, size_t size)
{
    struct place place = {.address = address};
    char file[32], symbol[80];

    vm_for_each_area(current()->vmspace, find_area, &place);
    if (!place.file) {
        snprintf(to, size, "0x%llx%s%s", (unsigned long long)address, place.name ? " in " : "",
                 place.name ? place.name : "");
        return;
    }
    file_name(place.file, file, sizeof(file));
    if (describe_symbol(&place, symbol, sizeof(symbol)))
        snprintf(to, size, "%s in %s", symbol, file);
    else
        snprintf(to, size, "%s+0x%llx", file, (unsigned long long)place.offset);
    file_unref(place.file);
}
