/* SPDX-License-Identifier: MIT */
/* Interrupts between CPUs: a nudge, a function call, the end. */
#ifndef CORE_IPI_H
#define CORE_IPI_H

#include <lib/cpumask.h>
#include <lib/types.h>

enum ipi {
    IPI_RESCHED, /* look at the work bits and the run queue on the way out of the interrupt */
    IPI_CALL,
    IPI_STOP, /* halt for good */
    IPI_COUNT,
};

/* Any context. The CPUs of the mask must be online; this CPU may be among them. */
void ipi_send(const struct cpumask *mask, enum ipi ipi);
void ipi_send_cpu(unsigned cpu, enum ipi ipi);

/*
 * Runs fn(arg) on the CPUs of the mask that are online, on each in interrupt context; on this CPU,
 * if it is one of them, directly with interrupts masked. Returns when all have begun and ended it
 * (`wait`), or at once: then `arg` must live on. Thread context with interrupts enabled, no
 * spinlock held.
 */
void ipi_call(const struct cpumask *mask, void (*fn)(void *), void *arg, bool wait);

/* Halts all other CPUs: for panic and power-off. Any context; waits for them up to 100 ms. */
void ipi_stop_others(void);

/* Called by the root irqchip. */
void ipi_dispatch(unsigned ipi);

#endif
