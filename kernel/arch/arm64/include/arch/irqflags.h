/* SPDX-License-Identifier: MIT */
/*
 * Masking of interrupts on this CPU: PSTATE.I and .F (Arm ARM C5.2.2). SErrors (.A) are masked from
 * an exception's entry until interrupts are first enabled, and on the way out.
 */
#ifndef ARCH_IRQFLAGS_H
#define ARCH_IRQFLAGS_H

#include <lib/types.h>

#define DAIF_IRQ_MASKED 0x80UL

static inline reg_t irq_flags(void)
{
    reg_t flags;

    __asm__ volatile("mrs %0, daif" : "=r"(flags)::"memory");
    return flags;
}

static inline void irq_disable(void)
{
    __asm__ volatile("msr daifset, #3" ::: "memory");
}

static inline void irq_enable(void)
{
    __asm__ volatile("msr daifclr, #7" ::: "memory");
}

/* Masks interrupts and returns what irq_restore() needs to undo just that. Nests. */
static inline reg_t irq_save(void)
{
    reg_t flags = irq_flags();

    irq_disable();
    return flags;
}

static inline void irq_restore(reg_t flags)
{
    __asm__ volatile("msr daif, %0" ::"r"(flags) : "memory");
}

static inline bool irqs_enabled(void)
{
    return !(irq_flags() & DAIF_IRQ_MASKED);
}

#endif
