/* SPDX-License-Identifier: MIT */
/*
 * Interrupt controllers. One struct per chip; chips form a tree (a Raspberry Pi's bcm2835 under its
 * bcm2836, Xen's event channels under the GIC): a child requests a line of its parent and calls
 * irq_dispatch() from that handler.
 */
#ifndef CORE_IRQCHIP_H
#define CORE_IRQCHIP_H

#include <core/irq.h>
#include <lib/list.h>

struct irqchip;
struct irq_line;

struct irqchip_ops {
    /* On every CPU, interrupts masked; NULL: nothing to do. */
    void (*cpu_init)(struct irqchip *chip);
    /* Root only: claim, irq_dispatch() or ipi_dispatch(), complete, until none is pending. */
    void (*handle)(struct irqchip *chip);
    /* Any context, interrupts masked; a per-CPU line's on this CPU. Complete when they return. */
    void (*mask)(struct irqchip *chip, unsigned hw);
    void (*unmask)(struct irqchip *chip, unsigned hw);
    int (*set_trigger)(struct irqchip *chip, unsigned hw, enum irq_trigger trigger);
    int (*set_affinity)(struct irqchip *chip, unsigned hw, unsigned cpu);
    /* From the cells of an interrupt specifier. -EINVAL: malformed (the caller logs). */
    int (*translate)(struct irqchip *chip, const uint32_t *cell, unsigned count, unsigned *hw,
                     enum irq_trigger *trigger);
    /* Root only. What this CPU wrote before is seen by the targets' handlers. */
    void (*send_ipi)(struct irqchip *chip, const struct cpumask *mask, unsigned ipi);
};

struct irqchip {
    const char *name;
    const struct irqchip_ops *ops;
    unsigned line_count;
    unsigned per_cpu_count; /* the first so many lines are per-CPU */
    void *data;
    /* set by irqchip_register */
    unsigned first_irq;
    struct irq_line **line; /* [line_count], NULL: never requested */
    struct list_node list;
};

/* Gives the chip its numbers. The first to register is the root, and its cpu_init runs. -ENOMEM. */
int irqchip_register(struct irqchip *chip);
struct irqchip *irqchip_root(void); /* NULL before the first */

/* Calls the handlers of a line. Interrupt context. Bounds are checked. */
void irq_dispatch(struct irqchip *chip, unsigned hw);
void irq_count_spurious(void);

#endif
