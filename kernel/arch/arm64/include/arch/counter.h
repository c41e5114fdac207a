/* SPDX-License-Identifier: MIT */
/* The virtual counter: one for all CPUs, monotonic (Arm ARM D11.2). */
#ifndef ARCH_COUNTER_H
#define ARCH_COUNTER_H

#include <arch/sysreg.h>

/* In program order with what stands before: the read may not be speculated ahead (D11.2.1). */
static inline uint64_t counter_read(void)
{
    isb();
    return sysreg_read(cntvct_el0);
}

#endif
