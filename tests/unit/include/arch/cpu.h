/* SPDX-License-Identifier: MIT */
/* <arch/cpu.h> for the host: caches need no care. */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <lib/types.h>

static inline void icache_sync(const void *start, size_t length)
{
    (void)start, (void)length;
}

#endif
