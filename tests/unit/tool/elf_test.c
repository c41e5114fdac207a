/* SPDX-License-Identifier: MIT
 *
 * ELF files of a hand: right ones, foreign ones, cut ones, and random damage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include <tool/elf.h>

/* A dynamic program in one loadable segment: headers, interpreter, dynamic section, strings. */
struct file {
    Elf64_Ehdr header;
    Elf64_Phdr segments[3];
    char interpreter[16];
    Elf64_Dyn dynamic[5];
    char strings[64];
};

#define BASE 0x400000

static void make_file(struct file *file)
{
    *file = (struct file){
        .header = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
                   .e_type = ET_DYN,
                   .e_machine = EM_AARCH64,
                   .e_phoff = offsetof(struct file, segments),
                   .e_phentsize = sizeof(Elf64_Phdr),
                   .e_phnum = 3,
                   .e_entry = BASE},
        .segments = {{.p_type = PT_LOAD,
                      .p_flags = PF_R | PF_X,
                      .p_vaddr = BASE,
                      .p_filesz = sizeof(*file),
                      .p_memsz = sizeof(*file) + 100,
                      .p_align = 65536},
                     {.p_type = PT_INTERP,
                      .p_offset = offsetof(struct file, interpreter),
                      .p_filesz = 16},
                     {.p_type = PT_DYNAMIC,
                      .p_offset = offsetof(struct file, dynamic),
                      .p_filesz = sizeof(file->dynamic)}},
        .interpreter = "/lib/ld.so",
        .dynamic = {{DT_NEEDED, {1}},
                    {DT_NEEDED, {9}},
                    {DT_RUNPATH, {17}},
                    {DT_STRTAB, {BASE + offsetof(struct file, strings)}},
                    {DT_NULL, {0}}},
        .strings = "\0liba.so\0libb.so\0$ORIGIN/x:/y",
    };
}

static void expect(const struct file *file, size_t size, enum elf_verdict verdict, const char *text)
{
    struct elf elf;

    assert_int_equal(elf_parse(&elf, file, size), verdict);
    if (text)
        assert_non_null(strstr(elf.message, text));
    elf_free(&elf);
}

static void test_program(void **state)
{
    struct file file;
    struct elf elf;

    (void)state;
    make_file(&file);
    assert_int_equal(elf_parse(&elf, &file, sizeof(file)), ELF_OK);
    assert_true(elf.is_dynamic && elf.is_pie && !elf.is_library);
    assert_string_equal(elf.interpreter, "/lib/ld.so");
    assert_int_equal(elf.needed.count, 2);
    assert_string_equal(elf.needed.item[1], "libb.so");
    assert_int_equal(elf.search.count, 2);
    assert_string_equal(elf.search.item[0], "$ORIGIN/x");
    assert_int_equal(elf.memory_size, sizeof(file) + 100);
    assert_int_equal(elf.align_max, 65536);
    elf_free(&elf);
}

static void test_wrong_files(void **state)
{
    struct file file;

    (void)state;
    make_file(&file);
    expect(&file, 3, ELF_NONE, NULL);
    expect(&file, 30, ELF_DAMAGED, "cut off");
    expect(&file, 100, ELF_DAMAGED, "cut off");
    expect(&file, sizeof(file) - 1, ELF_DAMAGED, "cut off");
    file.header.e_machine = EM_X86_64;
    expect(&file, sizeof(file), ELF_FOREIGN, "x86-64");
    file.header.e_machine = EM_ARM;
    file.header.e_ident[EI_CLASS] = ELFCLASS32;
    expect(&file, sizeof(file), ELF_FOREIGN, "32-bit Arm");
    make_file(&file);
    file.header.e_type = ET_REL;
    expect(&file, sizeof(file), ELF_UNUSABLE, "object file");
    make_file(&file);
    file.segments[0].p_type = PT_NULL;
    expect(&file, sizeof(file), ELF_UNUSABLE, "nothing to load");
}

static void test_damage(void **state)
{
    struct file file;
    struct elf elf;

    (void)state;
    srand(3);
    for (int i = 0; i < 100000; i++) {
        make_file(&file);
        for (int n = rand() % 4; n >= 0; n--)
            ((unsigned char *)&file)[(size_t)rand() % sizeof(file)] = (unsigned char)rand();
        elf_parse(&elf, &file, (size_t)rand() % (sizeof(file) + 1));
        elf_free(&elf);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_program),
        cmocka_unit_test(test_wrong_files),
        cmocka_unit_test(test_damage),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
