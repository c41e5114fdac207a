/* SPDX-License-Identifier: MIT
 *
 * `remora check`: what a SOURCE would miss, found without booting it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "commands.h"
#include "elf.h"
#include "library.h"
#include "root.h"
#include "system_calls.h"

struct check {
    struct root *root;
    unsigned programs;
    unsigned libraries;
    unsigned problems;
    unsigned lse; /* files that hold LSE atomics */
};

/* Instructions that a CPU of Armv8.0 lacks, by their fixed bits (Arm ARM, C4.1). A hit in glibc or
 * libgcc is harmless: they ask HWCAP first. So this is told as a fact, not as a problem. */
struct text_use {
    bool lse;
    bool calls[SYSTEM_CALL_MAX];
};

static void scan_text(const uint8_t *text, size_t size, void *context)
{
    struct text_use *use = context;

    system_calls_find(text, size, use->calls);
    for (size_t at = 0; at + 4 <= size; at += 4) {
        uint32_t word;

        memcpy(&word, text + at, sizeof(word));
        if ((word & 0x3f200c00) == 0x38200000 || (word & 0x3fa07c00) == 0x08a07c00)
            use->lse = true; /* LDADD and so on, CAS */
    }
}

static void print_absent_calls(const char *path, const bool calls[SYSTEM_CALL_MAX])
{
    struct buffer text = {0};

    for (unsigned i = 0; i < SYSTEM_CALL_MAX; i++)
        if (calls[i] && !system_call_implemented(i) && system_call_name(i))
            buffer_format(&text, "%s%s", text.length ? ", " : "", system_call_name(i));
    if (text.length)
        printf("note: %s holds system calls that this kernel lacks (they give ENOSYS): %s\n", path,
               text.data);
    buffer_free(&text);
}

static void check_elf(struct check *check, const char *path, const void *data, size_t size)
{
    struct words missing = {0};
    struct text_use use = {0};
    struct elf elf;

    switch (elf_parse(&elf, data, size)) {
    case ELF_OK:
        if (elf.is_library)
            check->libraries++;
        else
            check->programs++;
        library_missing(&check->root->tree, path, data, size, &check->root->manifest.env, &missing);
        elf_text(data, size, scan_text, &use);
        check->lse += use.lse;
        /* The C library has a wrapper for every call; what is asked for shows in the programs. */
        if (elf.soname == NULL || !text_starts(elf.soname, "libc."))
            print_absent_calls(path, use.calls);
        break;
    case ELF_FOREIGN:
    case ELF_DAMAGED:
        printf("%s: %s\n", path, elf.message);
        check->problems++;
        break;
    default:
        break;
    }
    for (size_t i = 0; i < missing.count; i++) {
        char *name = memory_copy(missing.item[i], strcspn(missing.item[i], " "));
        char *package = library_package(name);

        printf("missing: %s; package %s should hold it\n", missing.item[i], package);
        check->problems++;
        free(name);
        free(package);
    }
    words_clear(&missing);
    elf_free(&elf);
}

static int check_file(const char *path, struct node *node, void *context)
{
    size_t size;
    char *data;

    if (!S_ISREG(node->mode) || node->size < 64)
        return 0;
    data = node_read(node, &size);
    if (data && memcmp(data, "\177ELF", 4) == 0)
        check_elf(context, path, data, size);
    free(data);
    return 0;
}

int command_check(char *const argv[])
{
    struct options options;
    struct root root;
    struct check check = {.root = &root};
    bool help;
    int status = options_parse(&options, COMMAND_CHECK, argv, &help);

    if (status || help)
        return status;
    status = root_load(&root, &options);
    if (status == 0) {
        tree_walk(&root.tree, "/", check_file, &check);
        for (size_t i = 0; i < root.manifest.notes.count; i++)
            printf("note: %s\n", root.manifest.notes.item[i]);
        printf("%u program%s, %u librar%s; %u with LSE atomics, which libraries use where the CPU "
               "has them\n",
               check.programs, check.programs == 1 ? "" : "s", check.libraries,
               check.libraries == 1 ? "y" : "ies", check.lse);
        printf("%u problem%s\n", check.problems, check.problems == 1 ? "" : "s");
        status = check.problems ? 1 : 0;
    }
    message_progress_end();
    root_free(&root);
    options_free(&options);
    return status;
}
