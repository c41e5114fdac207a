/* SPDX-License-Identifier: MIT
 *
 * Checks ELF64 files before exec maps them (gABI chapters 4 and 5, the arm64 supplement). Every
 * field that is used later is checked here; everything is arithmetic on bytes already in memory, so
 * that the same code runs in the host's unit tests and fuzzer.
 */
#include <lib/align.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <lib/types.h>
#include <linux/elf.h>

#define ELF_PAGE   4096u
#define ADDR_LIMIT ((uint64_t)1 << 48)

enum { ET_EXEC = 2, ET_DYN = 3, EM_X86_64 = 62, EM_AARCH64 = 183 };
enum { PT_LOAD = 1, PT_INTERP = 3, PT_PHDR = 6 };
#define PT_GNU_STACK    0x6474e551u
#define PT_GNU_PROPERTY 0x6474e553u
enum { PF_X = 1, PF_W = 2, PF_R = 4 };

#define INTERP_MAX   4096u
#define PROPERTY_MAX 4096u

struct elf_header {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
} __packed; /* as it lies in the file, at any address */

struct elf_phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
} __packed;

_Static_assert(sizeof(struct elf_header) == ELF_HEADER_SIZE, "Elf64_Ehdr");
_Static_assert(sizeof(struct elf_phdr) == ELF_PHDR_SIZE, "Elf64_Phdr");

static int refuse(const char **reason, const char *why)
{
    *reason = why;
    return -ENOEXEC;
}

/* Rules are looked at together: bit n of `broken` stands for faults[n], of which the first is told.
 */
static int tell(unsigned broken, const char *const *faults, const char **reason)
{
    return broken ? refuse(reason, faults[__builtin_ctz(broken)]) : 0;
}

static int check_header(const struct elf_header *h, const char **reason)
{
    static const char *const faults[] = {
        "it is not an ELF file",
        "it is a 32-bit ELF file",
        "it is big-endian",
        "its ELF version is unknown",
        "it is for x86-64, not arm64",
        "it is for another CPU than arm64",
        "it is neither an executable nor a shared object",
        "its program headers have an unknown size",
        "it has no program headers or too many",
    };
    unsigned broken = (memcmp(h->ident, "\177ELF", 4) != 0) << 0 | (h->ident[4] != 2) << 1 |
                      (h->ident[5] != 1) << 2 | ((h->ident[6] != 1) | (h->version != 1)) << 3 |
                      (h->machine == EM_X86_64) << 4 | (h->machine != EM_AARCH64) << 5 |
                      ((h->type != ET_EXEC) & (h->type != ET_DYN)) << 6 |
                      (h->phentsize != ELF_PHDR_SIZE) << 7 | (h->phnum - 1u >= ELF_MAX_PHDRS) << 8;

    return tell(broken, faults, reason);
}

int elf_parse_header(const void *header, size_t header_bytes, uint64_t file_bytes,
                     uint64_t *phdr_offset, size_t *phdr_bytes, const char **reason)
{
    const struct elf_header *h = header;
    int error;

    if (header_bytes < sizeof(*h)) {
        if (header_bytes >= 4 && memcmp(header, "\177ELF", 4) == 0)
            return refuse(reason, "it is truncated in the ELF header");
        return refuse(reason, "it is not an ELF file");
    }
    error = check_header(h, reason);
    if (error)
        return error;
    *phdr_bytes = (size_t)h->phnum * ELF_PHDR_SIZE;
    if ((h->phoff > file_bytes) | (*phdr_bytes > file_bytes - h->phoff))
        return refuse(reason, "it is truncated in the program headers");
    *phdr_offset = h->phoff;
    return 0;
}

static unsigned prot_of(uint32_t flags)
{
    return (flags & PF_R) >> 2 | (flags & PF_W) | (flags & PF_X) << 2;
}

static int check_load(const struct elf_image *image, const struct elf_phdr *p, uint64_t file_bytes,
                      const char **reason)
{
    static const char *const faults[] = {
        "it has too many segments",
        "a segment is larger in the file than in memory",
        "it is truncated: a segment ends behind the end of the file",
        "a segment is outside of the address space",
        "a segment's address and offset do not agree",
        "its segments overlap or are not in order",
    };
    unsigned count = image->segment_count;
    const struct elf_segment *last = &image->segments[count ? count - 1 : 0]; /* zero: no bytes */
    unsigned broken =
        (count == ELF_MAX_SEGMENTS) << 0 | (p->filesz > p->memsz) << 1 |
        ((p->filesz != 0) & ((p->offset > file_bytes) | (p->filesz > file_bytes - p->offset)))
            << 2 |
        ((p->vaddr >= ADDR_LIMIT) | (p->memsz > ADDR_LIMIT - p->vaddr)) << 3 |
        ((p->vaddr - p->offset) % ELF_PAGE != 0) << 4 |
        (p->vaddr < last->addr + last->mem_bytes) << 5;

    return tell(broken, faults, reason);
}

static int add_load(struct elf_image *image, const struct elf_phdr *p, uint64_t file_bytes,
                    const char **reason)
{
    int error;

    if (p->memsz == 0)
        return 0;
    error = check_load(image, p, file_bytes, reason);
    if (error)
        return error;
    image->segments[image->segment_count++] = (struct elf_segment){
        .addr = p->vaddr,
        .offset = p->offset,
        .file_bytes = p->filesz,
        .mem_bytes = p->memsz,
        .prot = prot_of(p->flags),
    };
    /* A wrong p_align is ignored, as Linux does. */
    if ((p->align > image->align) & ((p->align & (p->align - 1)) == 0))
        image->align = p->align;
    return 0;
}

static int add_interp(struct elf_image *image, const struct elf_phdr *p, uint64_t file_bytes,
                      const char **reason)
{
    if (image->interp_bytes)
        return 0;
    if (p->filesz < 2 || p->filesz > INTERP_MAX)
        return refuse(reason, "the name of its interpreter is empty or too long");
    if (p->offset > file_bytes || p->filesz > file_bytes - p->offset)
        return refuse(reason,
                      "it is truncated: its interpreter's name is behind the end of the file");
    image->interp_offset = p->offset;
    image->interp_bytes = p->filesz - 1;
    return 0;
}

static int add_phdr(struct elf_image *image, const struct elf_phdr *p, uint64_t file_bytes,
                    const char **reason)
{
    switch (p->type) {
    case PT_LOAD:
        return add_load(image, p, file_bytes, reason);
    case PT_INTERP:
        return add_interp(image, p, file_bytes, reason);
    case PT_GNU_STACK:
        image->stack_is_executable = (p->flags & PF_X) != 0;
        return 0;
    case PT_GNU_PROPERTY:
        if (p->offset <= file_bytes && p->filesz <= file_bytes - p->offset &&
            p->filesz <= PROPERTY_MAX) {
            image->property_offset = p->offset;
            image->property_bytes = p->filesz;
        }
        return 0;
    default:
        return 0;
    }
}

/* AT_PHDR: where the segment that holds the headers' file range has them in memory. */
static void find_phdrs(struct elf_image *image, uint64_t phoff, size_t phdr_bytes)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        if ((phoff >= s->offset) & (phoff - s->offset <= s->file_bytes) &
            (phdr_bytes <= s->file_bytes - (phoff - s->offset))) {
            image->phdr_addr = s->addr + (phoff - s->offset);
            return;
        }
    }
}

/* The entry must be in an executable segment (an interpreter's as well). */
static bool entry_is_code(const struct elf_image *image)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const struct elf_segment *s = &image->segments[i];

        if (((s->prot & 4) != 0) & (image->entry >= s->addr) &
            (image->entry - s->addr < s->mem_bytes))
            return image->entry % 4 == 0;
    }
    return false;
}

static int finish(struct elf_image *image, const struct elf_header *h, size_t phdr_bytes,
                  const char **reason)
{
    const struct elf_segment *last;

    if (image->segment_count == 0)
        return refuse(reason, "it has nothing to load");
    last = &image->segments[image->segment_count - 1];
    image->first = align_down(image->segments[0].addr, ELF_PAGE);
    image->end = align_up(last->addr + last->mem_bytes, ELF_PAGE);
    if (image->end > ADDR_LIMIT)
        return refuse(reason, "a segment is outside of the address space");
    if (!image->is_pie & (image->first < ELF_PAGE))
        return refuse(reason, "it wants to be at address 0");
    image->entry = h->entry;
    if (!entry_is_code(image))
        return refuse(reason, "its entry point is not in an executable segment");
    find_phdrs(image, h->phoff, phdr_bytes);
    return 0;
}

int elf_parse(struct elf_image *image, const void *header, const void *phdrs, size_t phdr_bytes,
              uint64_t file_bytes, const char **reason)
{
    const struct elf_header *h = header;
    const struct elf_phdr *p = phdrs;
    int error;

    memset(image, 0, sizeof(*image));
    image->is_pie = h->type == ET_DYN;
    image->align = ELF_PAGE;
    image->phdr_count = (unsigned)(phdr_bytes / ELF_PHDR_SIZE);
    /* Without PT_GNU_STACK arm64 Linux maps the stack without execute permission as well. */
    for (unsigned i = 0; i < image->phdr_count; i++) {
        error = add_phdr(image, &p[i], file_bytes, reason);
        if (error)
            return error;
    }
    return finish(image, h, phdr_bytes, reason);
}

#define NT_GNU_PROPERTY_TYPE_0 5u
#define PROPERTY_AARCH64_AND   0xc0000000u
#define PROPERTY_BTI           1u

static uint32_t load32(const uint8_t *bytes)
{
    uint32_t value;

    memcpy(&value, bytes, sizeof(value));
    return value;
}

/* The properties of one note: type, size, data padded to 8 bytes. */
static bool properties_have_bti(const uint8_t *data, size_t bytes)
{
    while (bytes >= 8) {
        uint32_t type = load32(data), size = load32(data + 4);
        size_t step;

        if (size > bytes - 8)
            return false;
        if (type == PROPERTY_AARCH64_AND && size >= 4)
            return (load32(data + 8) & PROPERTY_BTI) != 0;
        step = 8 + align_up((size_t)size, 8);
        if (step > bytes)
            return false;
        data += step;
        bytes -= step;
    }
    return false;
}

bool elf_property_has_bti(const void *note, size_t bytes)
{
    const uint8_t *data = note;

    if (bytes < 16 || load32(data) != 4 || load32(data + 8) != NT_GNU_PROPERTY_TYPE_0 ||
        memcmp(data + 12, "GNU", 4) != 0 || load32(data + 4) > bytes - 16)
        return false;
    return properties_have_bti(data + 16, load32(data + 4));
}
