/* SPDX-License-Identifier: MIT */
/* What a timer driver supplies: an interrupt on this CPU at a value of the counter. */
#ifndef CORE_CLOCKEVENT_H
#define CORE_CLOCKEVENT_H

#include <lib/types.h>

struct clockevent_ops {
    /* Interrupt this CPU when the counter reaches `count`, at once if it already has. Replaces. */
    void (*set)(uint64_t count);
    /* No interrupt until the next set(). */
    void (*stop)(void);
    /* On each CPU but the first, before its first set(). */
    void (*cpu_init)(void);
};

/*
 * Registers the one driver; its interrupt handler calls timer_interrupt(). `frequency_hz` is that
 * of the counter which clock_counter() reads, and is known from then on to clock.h. The driver has
 * readied this CPU itself.
 */
void clockevent_register(const struct clockevent_ops *ops, uint64_t frequency_hz);

/* Runs the driver's cpu_init on a secondary CPU. */
void clockevent_cpu_init(void);

#endif
