/* SPDX-License-Identifier: MIT */
/*
 * Interrupts by number. Controllers register their lines (core/irqchip.h) and get a range of
 * numbers; those of the root controller start at 0, so that they equal its own. A line is per-CPU
 * (a GIC's SGIs and PPIs: each CPU masks its own) or shared.
 */
#ifndef CORE_IRQ_H
#define CORE_IRQ_H

#include <lib/cpumask.h>
#include <lib/types.h>

enum irq_trigger {
    IRQ_TRIGGER_NONE, /* as the controller has it */
    IRQ_EDGE_RISING,
    IRQ_EDGE_FALLING,
    IRQ_LEVEL_HIGH,
    IRQ_LEVEL_LOW,
};

/* Interrupt context, interrupts masked. Quiets its device. */
typedef void irq_handler_fn(void *arg);

/*
 * Adds a handler and unmasks the line (a per-CPU one on this CPU only: others call
 * irq_enable_line). Several handlers may share a line; all are called. Thread context or boot.
 * -EINVAL: no such line; -ENOMEM.
 */
int irq_request(unsigned irq, irq_handler_fn *handler, void *arg, const char *name);
/* Takes the handler with this arg away. It does not run afterwards. May sleep. */
void irq_free(unsigned irq, void *arg);

/* A per-CPU line, on this CPU. Any context. */
void irq_enable_line(unsigned irq);

int irq_set_trigger(unsigned irq, enum irq_trigger trigger);
/* To one CPU of the mask; -EINVAL if none is online or the line is per-CPU. */
int irq_set_affinity(unsigned irq, const struct cpumask *mask);
/* A CPU for the next line of somebody who does not care: all online ones in turn. */
unsigned irq_next_cpu(void);

/* What this CPU has to do once, before it unmasks interrupts; the boot CPU's is done when the
 * controller is registered. */
void irq_cpu_init(void);

/* For /proc/interrupts: calls fn for every line with a handler. */
struct irq_info {
    unsigned irq, hw;
    const char *chip, *name;
    bool per_cpu;
    const uint64_t *count; /* [MAX_CPUS] */
};
void irq_for_each(void (*fn)(const struct irq_info *info, void *arg), void *arg);
/* Interrupts of lines without a handler, and spurious ones. */
uint64_t irq_unexpected_count(void);

#endif
