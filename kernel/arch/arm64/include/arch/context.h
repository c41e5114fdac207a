/* SPDX-License-Identifier: MIT */
/* What is saved of a thread that does not run: the callee-saved registers of AAPCS64. */
#ifndef ARCH_CONTEXT_H
#define ARCH_CONTEXT_H

#include <lib/types.h>

/* The program's keys of pointer authentication, 128 bits each (Arm ARM D8.10). */
enum pac_key { PAC_IA, PAC_IB, PAC_DA, PAC_DB, PAC_GA, PAC_KEYS };
struct pac_keys {
    uint64_t key[PAC_KEYS][2];
};

struct context {
    reg_t x19_x28[10];
    reg_t fp, sp, pc;
    reg_t tpidr_el0, tpidrro_el0; /* the program's thread pointer */
    struct pac_keys keys;
    reg_t pac_enabled;      /* SCTLR_EL1 bits for the program, and PAC_PROGRAM; 0: kernel thread */
    uint64_t kernel_key[2]; /* IA while the thread is in the kernel */
};

#endif
