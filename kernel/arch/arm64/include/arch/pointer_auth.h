/* SPDX-License-Identifier: MIT */
/*
 * Pointer authentication of programs (FEAT_PAuth, Arm ARM D8.10): five keys a thread, loaded when
 * it comes to a CPU, and which of them are in use. Only with CAP_PAUTH.
 */
#ifndef ARCH_POINTER_AUTH_H
#define ARCH_POINTER_AUTH_H

#include <arch/context.h>
#include <lib/types.h>

struct thread;

/* Sets of keys: 1 << enum pac_key. */
#define PAC_ADDRESSES 0xfU
#define PAC_GENERIC   (1U << PAC_GA)
#define PAC_ALL       (PAC_ADDRESSES | PAC_GENERIC)

/* Of the current thread: the keys of `which` become those of `fresh`; the others stay. */
void pac_set_keys(unsigned which, const struct pac_keys *fresh);

/* Instructions with a key that is not enabled do nothing. Sets of PAC_ADDRESSES. */
void pac_set_enabled(unsigned which);
unsigned pac_enabled(void);

/* A new thread has what the current one has. */
void pac_inherit(struct thread *child);

/* A program's or the kernel's code address without the signature in its upper bits. */
static inline vaddr_t pac_strip(vaddr_t address)
{
    const vaddr_t signature = 0xffff000000000000UL;

    return address >> 55 & 1 ? address | signature : address & ~signature;
}

#endif
