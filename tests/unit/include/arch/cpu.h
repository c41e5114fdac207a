/* SPDX-License-Identifier: MIT */
/* <arch/cpu.h> for the host: caches need no care, but a test may look whether they would get it. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <lib/types.h>

static inline void icache_sync(const void *start, size_t length)
{
    (void)start, (void)length;
}

/* Defined by the test. */
void dcache_clean_invalidate_poc(const void *start, size_t length);

#endif
