/* SPDX-License-Identifier: MIT
 *
 * Interval timers (setitimer(2)): real time by a timer, the two of CPU time by looking at what the
 * process has used when a timer fires that cannot be too late.
 */
#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/percpu.h>
#include <core/timer.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>
#include <linux/syscalls.h>

#include "abi64/time.h"
#include "posix_timer.h"
#include "process_internal.h"

enum { ITIMER_REAL, ITIMER_VIRTUAL, ITIMER_PROF, ITIMERS };

static const int itimer_signal[ITIMERS] = {SIGALRM, SIGVTALRM, SIGPROF};

/* CPU time that a timer counts. Any context. */
static uint64_t used_ns(struct process *process, int which)
{
    uint64_t user, kernel;

    process_times(process, &user, &kernel);
    return which == ITIMER_VIRTUAL ? user : user + kernel;
}

static void real_timer_fires(struct timer *timer)
{
    struct process *process = container_of(timer, struct process, itimer[ITIMER_REAL].timer);
    struct interval_timer *it = &process->itimer[ITIMER_REAL];
    struct signal_info info = {.signo = SIGALRM, .code = SI_KERNEL};

    signal_send_process(process, &info);
    if (it->interval_ns) {
        uint64_t late = clock_monotonic_ns() - it->expires_ns;

        it->expires_ns += (late / it->interval_ns + 1) * it->interval_ns;
        if (it->interval_ns < TIMER_PERIOD_MIN_NS) /* interrupts must leave time to the program */
            timer_start(timer, max(it->expires_ns, clock_monotonic_ns() + TIMER_PERIOD_MIN_NS));
        else
            timer_start(timer, it->expires_ns);
    } else {
        it->expires_ns = 0;
    }
}

/* With n CPUs the time used can grow n times as fast as the clock: aim at a part, then look again.
 */
static void cpu_timer_aim(struct interval_timer *it, uint64_t left)
{
    uint64_t step = left / cpu_count();

    timer_start(&it->timer, clock_monotonic_ns() + (step < 1000000 ? 1000000 : step));
}

static void cpu_timer_check(struct process *process, int which)
{
    struct interval_timer *it = &process->itimer[which];
    struct signal_info info = {.signo = itimer_signal[which], .code = SI_KERNEL};
    uint64_t used = used_ns(process, which);

    if (!it->expires_ns)
        return;
    if (used >= it->expires_ns) {
        signal_send_process(process, &info);
        it->expires_ns = it->interval_ns ? used + it->interval_ns : 0;
    }
    if (it->expires_ns)
        cpu_timer_aim(it, it->expires_ns - used);
}

static void virtual_timer_fires(struct timer *timer)
{
    cpu_timer_check(container_of(timer, struct process, itimer[ITIMER_VIRTUAL].timer),
                    ITIMER_VIRTUAL);
}

static void profile_timer_fires(struct timer *timer)
{
    cpu_timer_check(container_of(timer, struct process, itimer[ITIMER_PROF].timer), ITIMER_PROF);
}

void timers_init(struct process *process)
{
    timer_init(&process->itimer[ITIMER_REAL].timer, real_timer_fires);
    timer_init(&process->itimer[ITIMER_VIRTUAL].timer, virtual_timer_fires);
    timer_init(&process->itimer[ITIMER_PROF].timer, profile_timer_fires);
}

void timers_exit(struct process *process)
{
    for (int which = 0; which < ITIMERS; which++) {
        process->itimer[which].interval_ns = process->itimer[which].expires_ns = 0;
        timer_cancel(&process->itimer[which].timer);
    }
    posix_timers_delete(process);
}

void timers_exec(struct process *process)
{
    posix_timers_delete(process);
}

static uint64_t clock_of(struct process *process, int which)
{
    return which == ITIMER_REAL ? clock_monotonic_ns() : used_ns(process, which);
}

static void read_timer(struct process *process, int which, struct abi64_itimerval *value)
{
    struct interval_timer *it = &process->itimer[which];
    uint64_t expires = it->expires_ns, now = clock_of(process, which);
    uint64_t left = expires > now ? expires - now : 0, interval = it->interval_ns;

    if (expires && left < NS_PER_US)
        left = NS_PER_US; /* it is armed, so not zero */
    value->value = (struct abi64_timeval){(int64_t)(left / NS_PER_SECOND),
                                          (int64_t)(left % NS_PER_SECOND / NS_PER_US)};
    value->interval = (struct abi64_timeval){(int64_t)(interval / NS_PER_SECOND),
                                             (int64_t)(interval % NS_PER_SECOND / NS_PER_US)};
}

static void arm_timer(struct process *process, int which, uint64_t value, uint64_t interval)
{
    struct interval_timer *it = &process->itimer[which];

    it->interval_ns = 0;
    timer_cancel(&it->timer);
    it->interval_ns = interval;
    it->expires_ns = value ? abi64_deadline(clock_of(process, which), value) : 0;
    if (!value)
        return;
    if (which == ITIMER_REAL)
        timer_start(&it->timer, it->expires_ns);
    else
        cpu_timer_aim(it, value);
}

long sys_getitimer(const reg_t arg[6])
{
    struct abi64_itimerval value;

    if ((int)arg[0] < 0 || (int)arg[0] >= ITIMERS)
        return -EINVAL;
    read_timer(current_process(), (int)arg[0], &value);
    return copy_to_user(arg[1], &value, sizeof(value));
}

long sys_setitimer(const reg_t arg[6])
{
    struct abi64_itimerval next = {0}, old;
    uint64_t value, interval;
    int which = (int)arg[0];

    if (which < 0 || which >= ITIMERS)
        return -EINVAL;
    if (arg[1] && copy_from_user(&next, arg[1], sizeof(next)))
        return -EFAULT;
    if (abi64_timeval_ns(&next.value, &value) || abi64_timeval_ns(&next.interval, &interval))
        return -EINVAL;
    read_timer(current_process(), which, &old);
    arm_timer(current_process(), which, value, interval);
    return arg[2] ? copy_to_user(arg[2], &old, sizeof(old)) : 0;
}
