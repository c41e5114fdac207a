/* SPDX-License-Identifier: MIT
 *
 * The first stack of a program, as arm64 Linux lays it out (System V ABI 3.4.1 and binfmt_elf),
 * from the top down:
 *
 *     8 zero bytes | name of the file | environment strings | argument strings | gap of up to 15 |
 *     "aarch64" | 16 random bytes | auxiliary vector | envp | argv | argc   <- sp, 16-byte aligned
 */
#include <arch/features.h>
#include <core/thread.h>
#include <device/rng.h>
#include <fs/cred.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <linux/vdso.h>
#include <mm/page.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "exec_internal.h"
#include "signal_internal.h"

enum {
    AT_NULL = 0,
    AT_PHDR = 3,
    AT_PHENT = 4,
    AT_PHNUM = 5,
    AT_PAGESZ = 6,
    AT_BASE = 7,
    AT_FLAGS = 8,
    AT_ENTRY = 9,
    AT_UID = 11,
    AT_EUID = 12,
    AT_GID = 13,
    AT_EGID = 14,
    AT_PLATFORM = 15,
    AT_HWCAP = 16,
    AT_CLKTCK = 17,
    AT_SECURE = 23,
    AT_RANDOM = 25,
    AT_HWCAP2 = 26,
    AT_EXECFN = 31,
    AT_SYSINFO_EHDR = 33,
    AT_MINSIGSTKSZ = 51,
};

#define USER_CLOCK_TICKS 100
#define STACK_AT_START   (128u << 10)
#define AUXV_ENTRIES     21

static const char platform[] = "aarch64";

struct placement {
    vaddr_t execfn, strings, platform, random, pointers;
    size_t pointer_bytes;
};

/* In Linux's order. */
static void fill_auxv(struct exec_layout *layout, const struct exec_file *program,
                      vaddr_t interp_base, const struct placement *p)
{
    const struct elf_image *image = &program->image;
    const struct cred *cred = cred_current();
    const uint64_t auxv[AUXV_ENTRIES][2] = {
        {AT_SYSINFO_EHDR, layout->vdso},
        {AT_MINSIGSTKSZ, abi64_minsigstksz()},
        {AT_HWCAP, features_hwcap()},
        {AT_PAGESZ, PAGE_SIZE},
        {AT_CLKTCK, USER_CLOCK_TICKS},
        {AT_PHDR, image->phdr_addr ? image->phdr_addr + program->bias : 0},
        {AT_PHENT, ELF_PHDR_SIZE},
        {AT_PHNUM, image->phdr_count},
        {AT_BASE, interp_base},
        {AT_FLAGS, 0},
        {AT_ENTRY, image->entry + program->bias},
        {AT_UID, cred->uid},
        {AT_EUID, cred->euid},
        {AT_GID, cred->gid},
        {AT_EGID, cred->egid},
        {AT_SECURE, 0},
        {AT_RANDOM, p->random},
        {AT_HWCAP2, features_hwcap2()},
        {AT_EXECFN, p->execfn},
        {AT_PLATFORM, p->platform},
        {AT_NULL, 0},
    };

    _Static_assert(sizeof(auxv) <= sizeof(layout->auxv), "room for the vector");
    memcpy(layout->auxv, auxv, sizeof(auxv));
    layout->auxv_count = AUXV_ENTRIES;
}

static void place(struct placement *p, const struct exec_args *args, const char *execfn,
                  vaddr_t top)
{
    vaddr_t at = top - sizeof(uint64_t);

    at -= strlen(execfn) + 1;
    p->execfn = at;
    at -= args->used;
    p->strings = at;
    at = align_down(at, 16) - exec_random(PAGE_SIZE * 512) / PAGE_SIZE * 16; /* up to 8 KiB */
    at -= sizeof(platform);
    p->platform = at;
    p->random = align_down(at - 16, 16);
    p->pointer_bytes = (1 + args->argc + 1 + args->envc + 1 + 2 * AUXV_ENTRIES) * sizeof(uint64_t);
    p->pointers = align_down(p->random - p->pointer_bytes, 16);
}

/* The stack is written from its lowest address up, a page after the other. */
struct writer {
    struct vmspace *vs;
    char *page; /* that `at` was in when it was written last */
    vaddr_t page_addr, at;
    int error;
};

static void put(struct writer *w, const void *from, size_t bytes)
{
    while (bytes && !w->error) {
        size_t offset = w->at % PAGE_SIZE, part = min(bytes, PAGE_SIZE - offset);

        if (w->page_addr != w->at - offset) {
            w->page_addr = w->at - offset;
            w->page = vm_new_page(w->vs, w->page_addr);
            if (!w->page) {
                w->error = -ENOMEM;
                return;
            }
        }
        memcpy(w->page + offset, from, part);
        from = (const char *)from + part;
        bytes -= part;
        w->at += part;
    }
}

/* The addresses of `count` strings of which the first is at data + *offset, and a NULL. */
static void put_pointers(struct writer *w, const struct exec_args *args, unsigned count,
                         size_t *offset, vaddr_t base)
{
    for (;;) {
        uint64_t address = count ? base + *offset : 0;

        put(w, &address, sizeof(address));
        if (!count--)
            return;
        *offset += strlen(args->data + *offset) + 1;
    }
}

static int write_stack(struct vmspace *vs, const struct exec_args *args, const char *execfn,
                       const struct placement *p, struct exec_layout *layout)
{
    struct writer w = {.vs = vs, .at = p->pointers};
    uint64_t argc = args->argc;
    uint8_t random[16];
    size_t offset = 0;

    put(&w, &argc, sizeof(argc));
    put_pointers(&w, args, args->argc, &offset, p->strings);
    layout->arg_start = p->strings;
    layout->arg_end = layout->env_start = p->strings + offset;
    put_pointers(&w, args, args->envc, &offset, p->strings);
    layout->env_end = p->strings + offset;
    put(&w, layout->auxv, layout->auxv_count * 2 * sizeof(uint64_t));
    rng_bytes(random, sizeof(random));
    w.at = p->random;
    put(&w, random, sizeof(random));
    w.at = p->platform;
    put(&w, platform, sizeof(platform));
    w.at = p->strings;
    put(&w, args->data, args->used);
    put(&w, execfn, strlen(execfn) + 1);
    return w.error;
}

static int map_stack(struct vmspace *vs, vaddr_t lowest, vaddr_t top, bool executable)
{
    vaddr_t start = align_down(lowest, PAGE_SIZE) - STACK_AT_START;
    struct vm_request request = {
        .hint = start,
        .len = align_up(top, PAGE_SIZE) - start,
        .prot = VM_READ | VM_WRITE | (executable ? VM_EXEC : 0),
        .flags = VM_FIXED | VM_GROWSDOWN | VM_STACK,
        .name = "[stack]",
    };
    vaddr_t at;

    return vm_map_request(vs, &request, &at);
}

int exec_stack_build(struct vmspace *vs, const struct exec_args *args, const char *execfn,
                     const struct exec_file *program, vaddr_t interp_base, vaddr_t stack_top,
                     struct exec_start *start)
{
    struct placement p;
    int error;

    place(&p, args, execfn, stack_top);
    fill_auxv(&start->layout, program, interp_base, &p);
    error = map_stack(vs, p.pointers, stack_top, program->image.stack_is_executable);
    if (!error)
        error = write_stack(vs, args, execfn, &p, &start->layout);
    start->sp = p.pointers;
    start->layout.stack_start = p.pointers;
    return error;
}
