/* SPDX-License-Identifier: MIT */
/* What is saved of a thread that does not run: the callee-saved registers of AAPCS64. */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include <lib/types.h>

struct context {
    reg_t x19_x28[10];
    reg_t fp, sp, pc;
    reg_t tpidr_el0, tpidrro_el0; /* the program's thread pointer */
};

#endif
