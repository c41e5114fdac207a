/* SPDX-License-Identifier: MIT */
/*
 * Timers: one tree a CPU, and the CPU's clock event programmed to whatever comes first, a timer or
 * the end of the running thread's slice. The hardware may be set too early, never too late: an
 * early interrupt finds nothing to do and sets it anew.
 */
#include "sched_internal.h"

#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <core/clock.h>
#include <core/clockevent.h>
#include <core/lock.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/timer.h>
#include <lib/compiler.h>
#include <lib/minmax.h>

static const struct clockevent_ops *clockevent;

void clock_set_frequency(uint64_t frequency_hz);

void clockevent_register(const struct clockevent_ops *ops, uint64_t frequency_hz)
{
    clock_set_frequency(frequency_hz);
    clockevent = ops;
}

void clockevent_cpu_init(void)
{
    if (clockevent != NULL && clockevent->cpu_init != NULL)
        clockevent->cpu_init();
}

void timer_init_cpu(struct cpu *cpu)
{
    spin_init(&cpu->timers.lock, RANK_TIMER);
    cpu->timers.tree = RB_ROOT;
    cpu->timers.programmed_ns = UINT64_MAX;
    cpu->timers.slice_end_ns = UINT64_MAX;
}

void timer_init(struct timer *timer, void (*fire)(struct timer *timer))
{
    *timer = (struct timer){.fire = fire};
}

/* Makes sure that this CPU is interrupted by `deadline_ns`; interrupts masked. */
static void program(struct cpu *cpu, uint64_t deadline_ns)
{
    if (deadline_ns >= cpu->timers.programmed_ns || clockevent == NULL)
        return;
    cpu->timers.programmed_ns = deadline_ns;
    clockevent->set(clock_ns_to_count(deadline_ns));
}

static void insert(struct cpu *cpu, struct timer *timer)
{
    struct rb_node **link = &cpu->timers.tree.node, *parent = NULL;

    while (*link != NULL) {
        parent = *link;
        link = timer->deadline_ns < rb_entry(parent, struct timer, node)->deadline_ns
                   ? &parent->left
                   : &parent->right;
    }
    rb_insert(&cpu->timers.tree, &timer->node, parent, link);
}

/* Whose tree it is in; stays so only under that tree's lock. Who finds it in none sees who took it
 * out to run it: pairs with leave_tree(). */
static struct cpu *home_of(const struct timer *timer)
{
    return (struct cpu *)(uintptr_t)smp_load_acquire(&timer->cpu.v);
}

/*
 * Makes an idle timer this CPU's, whose lock the caller holds; false if another thread or CPU has
 * started it meanwhile. Pairs with the release when it leaves a tree.
 */
static bool claim(struct timer *timer, struct cpu *cpu)
{
    return atomic64_cmpxchg(&timer->cpu, 0, (int64_t)(uintptr_t)cpu) == 0;
}

/* The lock of `cpu` held. */
static void leave_tree(struct cpu *cpu, struct timer *timer)
{
    rb_erase(&cpu->timers.tree, &timer->node);
    smp_store_release(&timer->cpu.v, 0);
}

/* Takes it out of the tree that it is in, whichever CPU's. Returns whether it was in one. */
static bool take_out(struct timer *timer)
{
    for (;;) {
        struct cpu *cpu = home_of(timer);

        if (cpu == NULL)
            return false;
        reg_t flags = spin_lock_irq(&cpu->timers.lock);
        bool found = home_of(timer) == cpu;

        if (found)
            leave_tree(cpu, timer);
        spin_unlock_irq(&cpu->timers.lock, flags);
        if (found)
            return true;
    }
}

void timer_start(struct timer *timer, uint64_t deadline_ns)
{
    for (;;) {
        reg_t flags = irq_save();
        struct cpu *cpu = this_cpu();

        spin_lock(&cpu->timers.lock);
        bool claimed = claim(timer, cpu);

        if (claimed) {
            timer->deadline_ns = deadline_ns;
            insert(cpu, timer);
            program(cpu, deadline_ns);
        }
        spin_unlock(&cpu->timers.lock);
        irq_restore(flags);
        if (claimed)
            return;
        take_out(timer); /* it was set already */
    }
}

/* Is `fire` of this timer running on another CPU? */
static bool running_elsewhere(const struct timer *timer)
{
    struct cpu *cpu;

    for_each_cpu (cpu) {
        if (cpu != this_cpu() && (smp_load_acquire(&cpu->timers.running) == timer))
            return true;
    }
    return false;
}

bool timer_cancel(struct timer *timer)
{
    bool pending = take_out(timer);

    while (running_elsewhere(timer)) {
        cpu_relax();
        pending |= take_out(timer);
    }
    return pending;
}

void timer_set_slice_end(uint64_t end_ns)
{
    struct cpu *cpu = this_cpu();

    cpu->timers.slice_end_ns = end_ns;
    program(cpu, end_ns);
}

static struct timer *first_due(struct cpu *cpu, uint64_t now)
{
    struct timer *timer = rb_entry_or_null(rb_first(&cpu->timers.tree), struct timer, node);

    return timer != NULL && timer->deadline_ns <= now ? timer : NULL;
}

static void fire_due(struct cpu *cpu)
{
    struct timer *timer;

    spin_lock(&cpu->timers.lock);
    while ((timer = first_due(cpu, clock_monotonic_ns())) != NULL) {
        smp_store_release(&cpu->timers.running, timer);
        leave_tree(cpu, timer);
        spin_unlock(&cpu->timers.lock);
        timer->fire(timer);
        spin_lock(&cpu->timers.lock);
        smp_store_release(&cpu->timers.running, NULL);
    }
    spin_unlock(&cpu->timers.lock);
}

void timer_interrupt(void)
{
    struct cpu *cpu = this_cpu();

    cpu->timer_interrupt_count++;
    cpu->timers.programmed_ns = UINT64_MAX;
    fire_due(cpu);
    if (clock_monotonic_ns() >= cpu->timers.slice_end_ns) {
        cpu->timers.slice_end_ns = UINT64_MAX;
        sched_slice_ended();
    }
    spin_lock(&cpu->timers.lock);
    struct timer *first = rb_entry_or_null(rb_first(&cpu->timers.tree), struct timer, node);
    uint64_t next = min(first != NULL ? first->deadline_ns : UINT64_MAX, cpu->timers.slice_end_ns);

    if (next == UINT64_MAX && cpu->timers.programmed_ns == UINT64_MAX)
        clockevent->stop();
    else
        program(cpu, next);
    spin_unlock(&cpu->timers.lock);
}
