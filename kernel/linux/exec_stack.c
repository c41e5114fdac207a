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

static const char platform[] = "aarch64";

struct placement {
    vaddr_t execfn, strings, platform, random, pointers;
    size_t pointer_bytes;
};

static void aux(struct exec_layout *layout, uint64_t type, uint64_t value)
{
    layout->auxv[2 * layout->auxv_count] = type;
    layout->auxv[2 * layout->auxv_count + 1] = value;
    layout->auxv_count++;
}

static void fill_auxv(struct exec_layout *layout, const struct exec_file *program,
                      vaddr_t interp_base, const struct placement *p)
{
    const struct elf_image *image = &program->image;
    const struct cred *cred = cred_current();

    layout->auxv_count = 0;
    if (layout->vdso)
        aux(layout, AT_SYSINFO_EHDR, layout->vdso);
    aux(layout, AT_MINSIGSTKSZ, abi64_minsigstksz());
    aux(layout, AT_HWCAP, features_hwcap());
    aux(layout, AT_PAGESZ, PAGE_SIZE);
    aux(layout, AT_CLKTCK, USER_CLOCK_TICKS);
    aux(layout, AT_PHDR, image->phdr_addr ? image->phdr_addr + program->bias : 0);
    aux(layout, AT_PHENT, ELF_PHDR_SIZE);
    aux(layout, AT_PHNUM, image->phdr_count);
    aux(layout, AT_BASE, interp_base);
    aux(layout, AT_FLAGS, 0);
    aux(layout, AT_ENTRY, image->entry + program->bias);
    aux(layout, AT_UID, cred->uid);
    aux(layout, AT_EUID, cred->euid);
    aux(layout, AT_GID, cred->gid);
    aux(layout, AT_EGID, cred->egid);
    aux(layout, AT_SECURE, 0);
    aux(layout, AT_RANDOM, p->random);
    aux(layout, AT_HWCAP2, features_hwcap2());
    aux(layout, AT_EXECFN, p->execfn);
    aux(layout, AT_PLATFORM, p->platform);
    aux(layout, AT_NULL, 0);
}

#define AUXV_ENTRIES 21

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

static int write_all(struct vmspace *vs, vaddr_t to, const void *from, size_t bytes)
{
    ssize_t done = vm_write(vs, to, from, bytes);

    return done == (ssize_t)bytes ? 0 : -ENOMEM;
}

static int write_strings(struct vmspace *vs, const struct exec_args *args, const char *execfn,
                         const struct placement *p)
{
    struct {
        uint8_t random[16];
        char platform[sizeof(platform)];
    } low;
    int error = write_all(vs, p->execfn, execfn, strlen(execfn) + 1);

    if (!error && args->used)
        error = write_all(vs, p->strings, args->data, args->used);
    rng_bytes(low.random, sizeof(low.random));
    if (!error)
        error = write_all(vs, p->platform, platform, sizeof(platform));
    return error ? error : write_all(vs, p->random, low.random, sizeof(low.random));
}

/* The addresses of `count` strings that begin at data + *offset. */
static uint64_t *point(uint64_t *out, const struct exec_args *args, unsigned count, size_t *offset,
                       vaddr_t base)
{
    while (count--) {
        *out++ = base + *offset;
        *offset += strlen(args->data + *offset) + 1;
    }
    *out++ = 0;
    return out;
}

static int write_pointers(struct vmspace *vs, const struct exec_args *args,
                          const struct placement *p, struct exec_layout *layout)
{
    uint64_t *vector = kmalloc(p->pointer_bytes), *out = vector;
    size_t offset = 0;
    int error;

    if (!vector)
        return -ENOMEM;
    *out++ = args->argc;
    out = point(out, args, args->argc, &offset, p->strings);
    layout->arg_start = p->strings;
    layout->arg_end = layout->env_start = p->strings + offset;
    out = point(out, args, args->envc, &offset, p->strings);
    layout->env_end = p->strings + offset;
    memcpy(out, layout->auxv, layout->auxv_count * 2 * sizeof(uint64_t));
    error = write_all(vs, p->pointers, vector, p->pointer_bytes);
    kfree(vector);
    return error;
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
        error = write_strings(vs, args, execfn, &p);
    if (!error)
        error = write_pointers(vs, args, &p, &start->layout);
    start->sp = p.pointers;
    start->layout.stack_start = p.pointers;
    return error;
}
