/* SPDX-License-Identifier: MIT */
/* <arch/irqflags.h> for the host: there are no interrupts; the state is kept so that it nests. */
#ifndef ARCH_IRQFLAGS_H
#define ARCH_IRQFLAGS_H

#include <lib/types.h>

extern _Thread_local bool unit_irqs_masked;

static inline reg_t irq_save(void)
{
    reg_t flags = unit_irqs_masked;
    unit_irqs_masked = true;
    return flags;
}

static inline void irq_restore(reg_t flags)
{
    unit_irqs_masked = flags != 0;
}

static inline bool irqs_enabled(void)
{
    return !unit_irqs_masked;
}

static inline void irq_enable(void)
{
    unit_irqs_masked = false;
}

static inline void irq_disable(void)
{
    unit_irqs_masked = true;
}

#endif
