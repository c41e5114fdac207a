/* SPDX-License-Identifier: MIT
 *
 * The parts of execve: strings (exec_args.c), mapping an ELF file (exec_map.c), the first stack
 * (exec_stack.c), and exec.c that puts them together. A new address space is made beside the old
 * one, which stays in use until nothing can fail any more.
 */
#ifndef LINUX_EXEC_INTERNAL_H
#define LINUX_EXEC_INTERNAL_H

#include <linux/elf.h>
#include <linux/process.h>

struct path;
struct vm_object;
struct vmspace;

/* The strings of argv and then of envp, one after the other, each with its NUL. */
struct exec_args {
    char *data;
    size_t used, capacity;
    size_t limit; /* bytes of strings and pointers that may be used: E2BIG */
    unsigned argc, envc;
};

#define EXEC_STRING_MAX 131072u /* one string, as Linux's MAX_ARG_STRLEN */

void exec_args_init(struct exec_args *args, uint64_t stack_limit);
void exec_args_free(struct exec_args *args);
/* Appends a string and counts it, in argc or envc; all arguments come before the first of the
 * environment. -E2BIG, -ENOMEM. */
int exec_args_add(struct exec_args *args, unsigned *count, const char *string);
/* Copies both from user arrays of pointers. */
int exec_args_copy(struct exec_args *args, vaddr_t argv, vaddr_t envp);
/* For #!: argv[0] goes, `first`, `second` (may be NULL) and `third` come in its place. */
int exec_args_script(struct exec_args *args, const char *first, const char *second,
                     const char *third);

/* A file that is about to be executed. */
struct exec_file {
    struct file *file; /* by fs_open_exec */
    struct vm_object *object;
    uint64_t size;
    struct elf_image image;
    bool guarded; /* its code is to be mapped with VM_BTI */
    vaddr_t bias; /* added to the image's addresses */
    size_t head_bytes;
};

#define EXEC_HEAD 512u

/* Opens it into a zeroed or closed `f` and reads its first bytes, head_bytes of at most EXEC_HEAD,
 * which parse is to see. */
int exec_file_open(struct exec_file *f, uint8_t *head, const struct path *at, const char *name,
                   unsigned lookup, const char **reason);
int exec_file_parse(struct exec_file *f, const uint8_t *head, const char **reason);
void exec_file_close(struct exec_file *f);
/* From its pages; short at the end of the file. */
ssize_t exec_file_read(struct exec_file *f, void *to, size_t bytes, uint64_t offset);
/* Looks whether its GNU property note asks for BTI, before it is mapped. -ENOMEM, -EIO. */
int exec_file_guard(struct exec_file *f);

/* Maps the segments; `base_hint`: where a position-independent file goes, 0: anywhere. */
int exec_file_map(struct exec_file *f, struct vmspace *vs, vaddr_t base_hint, const char **reason);

struct exec_start {
    vaddr_t pc, sp;
    struct exec_layout layout;
};

/* Makes the stack with its strings and vectors. `interp_base` 0: no interpreter. */
int exec_stack_build(struct vmspace *vs, const struct exec_args *args, const char *execfn,
                     const struct exec_file *program, vaddr_t interp_base, vaddr_t stack_top,
                     struct exec_start *start);

/* A page-aligned random number of bytes below `limit` (a power of two). */
uint64_t exec_random(uint64_t limit);

#endif
