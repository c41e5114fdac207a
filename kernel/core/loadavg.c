/* SPDX-License-Identifier: MIT */
/*
 * Load averages over 1, 5 and 15 minutes: exponential decay in steps of five seconds, as Linux has
 * it. There is no tick: the first switch of threads after a step brings them up to date; for steps
 * that passed without any switch the load was what it is now, or nothing if all CPUs slept.
 */
#include "sched_internal.h"

#include <arch/irqflags.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/sched.h>
#include <lib/minmax.h>

#define STEP_NS  (5 * NS_PER_SECOND)
#define ONE      UINT64_C(65536)
#define STEP_MAX 1000 /* after that only the latest load is left */

/* exp(-5 s / period) */
static const uint64_t decay[3] = {60295, 64454, 65173};

static uint64_t average[3];
uint64_t loadavg_due_ns = STEP_NS;
static struct spinlock lock = SPINLOCK_INIT(RANK_UNRANKED);

static void step(uint64_t load)
{
    for (unsigned i = 0; i < 3; i++)
        average[i] = (average[i] * decay[i] + load * (ONE - decay[i])) / ONE;
}

void loadavg_update(uint64_t now_ns, bool was_idle)
{
    if (now_ns < READ_ONCE(loadavg_due_ns) || !spin_trylock(&lock))
        return;
    uint64_t passed = (now_ns - loadavg_due_ns) / STEP_NS + 1;
    uint64_t steps = min(passed, (uint64_t)STEP_MAX);
    uint64_t load = sched_runnable_count() * ONE;

    while (--steps > 0)
        step(was_idle ? 0 : load);
    step(load);
    WRITE_ONCE(loadavg_due_ns, now_ns + STEP_NS);
    spin_unlock(&lock);
}

void sched_load_average(uint64_t load[3])
{
    preempt_disable();
    reg_t flags = irq_save();

    loadavg_update(clock_monotonic_ns(), false);
    for (unsigned i = 0; i < 3; i++)
        load[i] = READ_ONCE(average[i]);
    irq_restore(flags);
    preempt_enable();
}
