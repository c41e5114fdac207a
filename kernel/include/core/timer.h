/* SPDX-License-Identifier: MIT */
/* High-resolution timers: one-shot, per CPU, ordered by deadline. No tick: a CPU's clock event is
 * programmed to its first deadline. */
#ifndef CORE_TIMER_H
#define CORE_TIMER_H

#include <arch/atomic.h>
#include <lib/rbtree.h>
#include <lib/types.h>

struct cpu;

struct timer {
    struct rb_node node;
    uint64_t deadline_ns; /* absolute, monotonic */
    void (*fire)(struct timer *timer);
    atomic64_t
        cpu; /* struct cpu * whose tree it is in, 0 when idle; changed under that tree's lock */
};

/* `fire` runs in interrupt context on the CPU that started the timer, which it may start again. */
void timer_init(struct timer *timer, void (*fire)(struct timer *timer));

/* (Re)starts it on this CPU. A deadline in the past fires at once. Any context; of several that
 * start it at once, one deadline holds. */
void timer_start(struct timer *timer, uint64_t deadline_ns);

/*
 * Stops it. Afterwards `fire` is neither running nor going to run, unless called from `fire`
 * itself. Returns whether it had been pending. The caller holds no lock that `fire` takes.
 */
bool timer_cancel(struct timer *timer);

/* The clock event of this CPU has come (device/clock driver, interrupt context). */
void timer_interrupt(void);

/* Sets up a CPU's tree. */
void timer_init_cpu(struct cpu *cpu);

/* Scheduler: interrupt this CPU also at `end_ns` (UINT64_MAX: not); interrupts masked. */
void timer_set_slice_end(uint64_t end_ns);

#endif
