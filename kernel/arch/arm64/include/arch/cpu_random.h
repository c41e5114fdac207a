/* SPDX-License-Identifier: MIT */
/* The CPU's random number instruction (Arm ARM FEAT_RNG), where it has one. */
#ifndef ARCH_CPU_RANDOM_H
#define ARCH_CPU_RANDOM_H

#include <arch/sysreg.h>
#include <lib/types.h>

/* False: no such instruction, or it has nothing to give in time. */
static inline bool cpu_random_u64(uint64_t *value)
{
    bool ok;

    if ((sysreg_read(id_aa64isar0_el1) >> 60 & 0xf) == 0)
        return false;
    /* RNDR; NZCV is 0b0100 when it failed */
    __asm__ volatile("mrs %0, s3_3_c2_c4_0\n cset %w1, ne" : "=r"(*value), "=r"(ok)::"cc");
    return ok;
}

#endif
