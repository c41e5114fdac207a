/* SPDX-License-Identifier: MIT
 *
 * ELF64 files for the kernel's own use: executables and interpreters to load (System V gABI ch.
 * 4-5, ELF for the Arm 64-bit Architecture). Parsing is separate from mapping so that it can be
 * tested and fuzzed on the host: elf_parse() gets bytes and gives a checked plan, it maps nothing.
 */
#ifndef LINUX_ELF_H
#define LINUX_ELF_H

#include <lib/types.h>

#define ELF_MAX_SEGMENTS 32
#define ELF_HEADER_SIZE  64
#define ELF_PHDR_SIZE    56
#define ELF_MAX_PHDRS    128

/* One PT_LOAD, checked: addresses ordered, no overlap, offset congruent to address, ends in range.
 */
struct elf_segment {
    vaddr_t addr;        /* p_vaddr; relative for a position-independent file */
    uint64_t offset;     /* in the file; anything if file_bytes is 0 */
    uint64_t file_bytes; /* from the file */
    uint64_t mem_bytes;  /* >= file_bytes, the rest is zero */
    unsigned prot;       /* PROT_READ 1, PROT_WRITE 2, PROT_EXEC 4 */
};

struct elf_image {
    bool is_pie;       /* ET_DYN */
    vaddr_t entry;     /* relative if is_pie */
    vaddr_t phdr_addr; /* where the program headers are in memory; 0 if in no segment */
    unsigned phdr_count;
    vaddr_t first, end; /* page-aligned hull of the segments */
    uint64_t align;     /* the largest p_align, a power of two, at least a page */
    unsigned segment_count;
    struct elf_segment segments[ELF_MAX_SEGMENTS];
    uint64_t interp_offset, interp_bytes; /* PT_INTERP without its NUL; 0 bytes: none */
    bool stack_is_executable;             /* PT_GNU_STACK with PF_X */
    uint64_t property_offset, property_bytes;
};

/*
 * Checks the ELF header (`header`, at least ELF_HEADER_SIZE of `header_bytes`) of a file of
 * `file_bytes`, and says where its program headers are. 0; -ENOEXEC: not an ELF64 little-endian
 * arm64 executable; *reason (never NULL after an error) says in words what was wrong.
 */
int elf_parse_header(const void *header, size_t header_bytes, uint64_t file_bytes,
                     uint64_t *phdr_offset, size_t *phdr_bytes, const char **reason);

/* Checks the program headers and fills *image. Same errors. `header` as above. */
int elf_parse(struct elf_image *image, const void *header, const void *phdrs, size_t phdr_bytes,
              uint64_t file_bytes, const char **reason);

/* Whether a .note.gnu.property of `bytes` asks for BTI. Malformed notes: false. */
bool elf_property_has_bti(const void *note, size_t bytes);

#endif
