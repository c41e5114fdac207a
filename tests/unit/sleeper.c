/* SPDX-License-Identifier: MIT */
#include <sleeper.h>

#include <core/clock.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/errno.h>

#define SLEEPS_MAX 10000U

struct sleeper sleeper;

void sleeper_reset(void)
{
    static struct thread thread;

    sleeper = (struct sleeper){0};
    unit_current = &thread;
}

void thread_prepare_sleep(enum wait_how how)
{
    (void)how;
    sleeper.is_asleep = true;
}

void thread_cancel_sleep(void)
{
    sleeper.is_asleep = false;
}

int thread_sleep(uint64_t deadline_ns)
{
    if (!sleeper.is_asleep)
        return 0; /* woken before it slept */
    if (++sleeper.sleeps > SLEEPS_MAX)
        panic("a wait that nothing ends");
    if (sleeper.meanwhile != NULL)
        sleeper.meanwhile();
    if (!sleeper.is_asleep)
        return 0;
    sleeper.is_asleep = false;
    if (sleeper.ends_with != 0)
        return sleeper.ends_with;
    if (deadline_ns == WAIT_FOREVER)
        return -ERESTARTSYS;
    if (deadline_ns > sleeper.now_ns)
        sleeper.now_ns = deadline_ns;
    return -ETIMEDOUT;
}

void thread_wake(struct thread *thread)
{
    ASSERT(thread == unit_current);
    sleeper.is_asleep = false;
}

void sched_yield(void) /* takes the place of the host's, which ASan calls */
{
}

uint64_t clock_monotonic_ns(void)
{
    return sleeper.now_ns += sleeper.step_ns;
}
