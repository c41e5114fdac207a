/* SPDX-License-Identifier: MIT */
/*
 * Pointer authentication (FEAT_PAuth, Arm ARM D8.10), only with CAP_PAUTH. A program has five keys
 * a thread, loaded when it comes to a CPU, and chooses which of them are in use. The kernel signs
 * its return addresses (-mbranch-protection) with IA, by a key of each thread's own that is no
 * program's; it is in use from pac_cpu_start() on.
 */
#ifndef ARCH_POINTER_AUTH_H
#define ARCH_POINTER_AUTH_H

#include <arch/alternative.h>
#include <arch/context.h>
#include <arch/features.h>
#include <lib/compiler.h>
#include <lib/types.h>

struct thread;

/* Sets of keys: 1 << enum pac_key. */
#define PAC_ADDRESSES 0xfU
#define PAC_GENERIC   (1U << PAC_GA)
#define PAC_ALL       (PAC_ADDRESSES | PAC_GENERIC)

void pac_start(const struct context *context);

/* Of the current thread: the keys of `which` become those of `fresh`; the others stay. */
void pac_set_keys(unsigned which, const struct pac_keys *fresh);

/* Instructions with a key that is not enabled do nothing. Sets of PAC_ADDRESSES. */
void pac_set_enabled(unsigned which);
unsigned pac_enabled(void);

/* A new thread has what the current one has. */
void pac_inherit(struct thread *child);

/* A context that has not run gets a random key for the kernel. */
void pac_new_kernel_key(struct context *context);

/*
 * The running thread's return addresses are authenticated from here on: those on its stack now are
 * not signed, so the caller is a function that does not return, and no other thread has run on this
 * CPU. Once all CPUs have reported.
 */
static __always_inline void pac_cpu_start(struct context *context)
{
    if (cpu_has(CAP_PAUTH))
        pac_start(context);
}

/* A program's or the kernel's code address without the signature in its upper bits. */
static inline vaddr_t pac_strip(vaddr_t address)
{
    const vaddr_t signature = 0xffff000000000000UL;

    return address >> 55 & 1 ? address | signature : address & ~signature;
}

#endif
