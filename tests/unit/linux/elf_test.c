/* SPDX-License-Identifier: MIT */
/* kernel/linux/elf.c: each field that is refused, one at a time, from a good file. */
#include <unit.h>

#include <string.h>

#include <lib/errno.h>
#include <linux/elf.h>

#define FILE_BYTES 0x3000u

struct phdr {
    uint32_t type, flags;
    uint64_t offset, vaddr, paddr, filesz, memsz, align;
};

/* Header and program headers of a position-independent file with an interpreter. */
struct file {
    uint8_t ident[16];
    uint16_t type, machine;
    uint32_t version;
    uint64_t entry, phoff, shoff;
    uint32_t flags;
    uint16_t ehsize, phentsize, phnum, shentsize, shnum, shstrndx;
    struct phdr phdr[4];
};

static struct file good(void)
{
    return (struct file){
        .ident = {0x7f, 'E', 'L', 'F', 2, 1, 1},
        .type = 3,
        .machine = 183,
        .version = 1,
        .entry = 0x200,
        .phoff = 64,
        .ehsize = 64,
        .phentsize = 56,
        .phnum = 4,
        .phdr = {{3, 4, 0x180, 0x180, 0, 27, 27, 1},
                 {1, 5, 0, 0, 0, 0x1000, 0x1000, 0x10000},
                 {1, 6, 0x1800, 0x11800, 0, 0x100, 0x900, 0x10000},
                 {0x6474e551, 6, 0, 0, 0, 0, 0, 16}},
    };
}

static int parse(const struct file *file, struct elf_image *image)
{
    const char *reason = NULL;
    uint64_t offset;
    size_t bytes;
    int error = elf_parse_header(file, sizeof(*file), FILE_BYTES, &offset, &bytes, &reason);

    if (!error)
        error = elf_parse(image, file, file->phdr, bytes, FILE_BYTES, &reason);
    assert_true((error != 0) == (reason != NULL));
    return error;
}

static void good_file(void **state)
{
    struct file file = good();
    struct elf_image image;

    assert_int_equal(parse(&file, &image), 0);
    assert_true(image.is_pie);
    assert_int_equal(image.segment_count, 2);
    assert_int_equal(image.entry, 0x200);
    assert_int_equal(image.phdr_addr, 64);
    assert_int_equal(image.phdr_count, 4);
    assert_int_equal(image.first, 0);
    assert_int_equal(image.end, 0x13000);
    assert_int_equal(image.align, 0x10000);
    assert_int_equal(image.interp_offset, 0x180);
    assert_int_equal(image.interp_bytes, 26);
    assert_int_equal(image.segments[0].prot, 5);
    assert_int_equal(image.segments[1].prot, 3);
    assert_false(image.stack_is_executable);
}

/* One change to the good file must be refused. */
#define REFUSED(change)                                   \
    do {                                                  \
        struct file file = good();                        \
        struct elf_image image;                           \
        change;                                           \
        assert_int_equal(parse(&file, &image), -ENOEXEC); \
    } while (0)

static void headers_refused(void **state)
{
    REFUSED(file.ident[0] = 'x');
    REFUSED(file.ident[4] = 1);
    REFUSED(file.ident[5] = 2);
    REFUSED(file.ident[6] = 0);
    REFUSED(file.machine = 62);
    REFUSED(file.machine = 40);
    REFUSED(file.type = 1);
    REFUSED(file.type = 4);
    REFUSED(file.version = 2);
    REFUSED(file.phentsize = 32);
    REFUSED(file.phnum = 0);
    REFUSED(file.phnum = ELF_MAX_PHDRS + 1);
    REFUSED(file.phoff = FILE_BYTES);
    REFUSED(file.phoff = UINT64_MAX);
}

static void segments_refused(void **state)
{
    REFUSED(file.phdr[1].filesz = 0x2000);                      /* more than in memory */
    REFUSED(file.phdr[1].offset = FILE_BYTES + 0x1000);         /* behind the end */
    REFUSED(file.phdr[2].filesz = file.phdr[2].memsz = 0x1801); /* ends behind the end */
    REFUSED(file.phdr[2].vaddr = 0x11810);                      /* not congruent */
    REFUSED(file.phdr[2].vaddr = 0x800);                        /* overlaps */
    REFUSED(file.phdr[2].vaddr = UINT64_MAX - 0x7ff);           /* no address */
    REFUSED(file.phdr[2].memsz = UINT64_MAX);                   /* wraps */
    REFUSED(file.phdr[1].type = file.phdr[2].type = 4);         /* nothing to load */
    REFUSED(file.entry = 0x202);                                /* not aligned */
    REFUSED(file.entry = 0x11800);                              /* in data */
    REFUSED(file.type = 2);                                     /* fixed at address 0 */
    REFUSED(file.phdr[0].filesz = 1);                           /* empty name */
    REFUSED(file.phdr[0].filesz = 5000);                        /* too long */
    REFUSED(file.phdr[0].offset = FILE_BYTES);                  /* name behind the end */
}

static void truncated_headers(void **state)
{
    struct file file = good();
    const char *reason = NULL;
    uint64_t offset;
    size_t bytes;

    for (size_t size = 0; size < ELF_HEADER_SIZE; size++) {
        assert_int_equal(elf_parse_header(&file, size, size, &offset, &bytes, &reason), -ENOEXEC);
        assert_non_null(reason);
    }
}

static void odd_but_fine(void **state)
{
    struct elf_image image;
    struct file file = good();

    file.phdr[2].align = 3; /* ignored, as Linux does */
    file.phdr[3].flags = 7;
    assert_int_equal(parse(&file, &image), 0);
    assert_true(image.stack_is_executable);
    file = good();
    file.phdr[2].filesz = 0; /* only .bss */
    assert_int_equal(parse(&file, &image), 0);
    file = good();
    file.phdr[0].type = 0; /* no interpreter */
    assert_int_equal(parse(&file, &image), 0);
    assert_int_equal(image.interp_bytes, 0);
}

static void properties(void **state)
{
    uint32_t note[] = {4, 16, 5, 0x00554e47, 0xc0000000, 4, 1, 0};

    assert_true(elf_property_has_bti(note, sizeof(note)));
    assert_false(elf_property_has_bti(note, sizeof(note) - 4));
    assert_false(elf_property_has_bti(note, 15));
    note[6] = 2; /* PAC only */
    assert_false(elf_property_has_bti(note, sizeof(note)));
    note[6] = 1;
    note[5] = 400; /* longer than the note */
    assert_false(elf_property_has_bti(note, sizeof(note)));
    note[5] = 4;
    note[2] = 1;
    assert_false(elf_property_has_bti(note, sizeof(note)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file),        cmocka_unit_test(headers_refused),
        cmocka_unit_test(segments_refused), cmocka_unit_test(truncated_headers),
        cmocka_unit_test(odd_but_fine),     cmocka_unit_test(properties),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
