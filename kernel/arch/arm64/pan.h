/* SPDX-License-Identifier: MIT */
/* PSTATE.PAN, for the few accesses to a program's memory that have no unprivileged form. */
#ifndef ARCH_PAN_H
#define ARCH_PAN_H

#include <arch/alternative.h>

/* PSTATE.PAN off and on, where there is one (MSR PAN, #imm). */
static inline void pan_lift(void)
{
    __asm__ volatile(ALTERNATIVE("nop\n", ".inst 0xd500409f\n", CAP_PAN)::: "memory");
}

static inline void pan_set(void)
{
    __asm__ volatile(ALTERNATIVE("nop\n", ".inst 0xd500419f\n", CAP_PAN)::: "memory");
}

#endif
