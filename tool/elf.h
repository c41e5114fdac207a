/* SPDX-License-Identifier: MIT
 *
 * What the command reads from ELF files (System V gABI; ELF for the Arm 64-bit architecture). Every
 * offset is checked; the bytes come from memory.
 */
#ifndef TOOL_ELF_H
#define TOOL_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buffer.h"

enum elf_verdict {
    ELF_OK,       /* an arm64 Linux program or shared library */
    ELF_NONE,     /* not an ELF file */
    ELF_FOREIGN,  /* of another machine, class or byte order */
    ELF_DAMAGED,  /* truncated or inconsistent */
    ELF_UNUSABLE, /* relocatable object, core file, no loadable segment */
};

struct elf {
    bool is_dynamic;   /* has PT_DYNAMIC */
    bool is_pie;       /* ET_DYN */
    bool is_library;   /* ET_DYN without interpreter and with a soname */
    char *interpreter; /* NULL: none */
    char *soname;
    struct words needed;
    struct words search; /* DT_RUNPATH, or DT_RPATH where that is absent; $ORIGIN unexpanded */
    uint64_t entry;
    uint64_t memory_size; /* from the lowest to the highest loaded byte */
    uint64_t align_max;   /* largest p_align of a loaded segment */
    uint32_t features_1;  /* GNU_PROPERTY_AARCH64_FEATURE_1_AND: bit 0 BTI, bit 1 PAC */
    char *message;        /* what is wrong, when the verdict is not ELF_OK */
};

#define ELF_FEATURE_BTI 1u
#define ELF_FEATURE_PAC 2u

/* Fills elf; free with elf_free in any case. */
enum elf_verdict elf_parse(struct elf *elf, const void *data, size_t size);
void elf_free(struct elf *elf);

/* Calls visit with the file range of each executable segment. */
typedef void elf_text_fn(const uint8_t *text, size_t size, void *context);
void elf_text(const void *data, size_t size, elf_text_fn *visit, void *context);

#endif
