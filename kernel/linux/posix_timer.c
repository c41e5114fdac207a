/* SPDX-License-Identifier: MIT
 *
 * POSIX timers (timer_create(2), timer_settime(2)) on the real, monotonic and CPU-time clocks.
 */
#include "posix_timer.h"

#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/percpu.h>
#include <core/timer.h>
#include <core/wait.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/time.h"
#include "time_internal.h"

#define TIMERS_MAX 1024

enum { SIGEV_SIGNAL = 0, SIGEV_NONE = 1, SIGEV_THREAD_ID = 4 };

struct abi64_sigevent {
    uint64_t value;
    int32_t signo, notify, tid;
    int32_t pad[11];
};
_Static_assert(sizeof(struct abi64_sigevent) == 64, "struct sigevent");

/* On process->posix_timers, which process->lock guards; the rest belongs to its own tasks' calls
 * (under process->lock too) and to the timer's interrupt. */
struct posix_timer {
    struct list_node node;
    struct process *process;
    struct timer timer;
    int id, clock, notify, tid, signo;
    uint64_t value;
    uint64_t interval_ns, expires_ns; /* on `clock`; 0: not armed */
    int overrun;                      /* expirations missed at the last one */
    int overrun_at_take;              /* of the signal taken last */
};

static uint64_t cpu_clock_ns(const struct posix_timer *timer)
{
    uint64_t user, kernel;

    process_times(timer->process, &user, &kernel);
    return user + kernel;
}

static uint64_t now_of(const struct posix_timer *timer)
{
    if (time_is_real(timer->clock))
        return clock_realtime_ns();
    return time_is_steady(timer->clock) ? clock_monotonic_ns() : cpu_clock_ns(timer);
}

/* A period too short to fire for is told as overruns: interrupts must leave time to the program. */
static uint64_t not_too_soon(const struct posix_timer *timer, uint64_t deadline_ns)
{
    if (!timer->interval_ns || timer->interval_ns >= TIMER_PERIOD_MIN_NS)
        return deadline_ns;
    return max(deadline_ns, clock_monotonic_ns() + TIMER_PERIOD_MIN_NS);
}

static void aim(struct posix_timer *timer)
{
    uint64_t now;

    if (time_is_real(timer->clock)) {
        timer_start(&timer->timer, not_too_soon(timer, time_from_realtime(timer->expires_ns)));
    } else if (time_is_steady(timer->clock)) {
        timer_start(&timer->timer, not_too_soon(timer, timer->expires_ns));
    } else {
        now = cpu_clock_ns(timer);
        now = timer->expires_ns > now ? (timer->expires_ns - now) / cpu_count() : 0;
        timer_start(&timer->timer, clock_monotonic_ns() + (now < 1000000 ? 1000000 : now));
    }
}

static void notify(struct posix_timer *timer)
{
    struct signal_info info = {.signo = timer->signo,
                               .code = SI_TIMER,
                               .timer_id = timer->id,
                               .overrun = timer->overrun,
                               .value = timer->value};
    struct task *task;

    switch (timer->notify) {
    case SIGEV_SIGNAL:
        signal_send_process(timer->process, &info);
        break;
    case SIGEV_THREAD_ID:
        defer_read_begin();
        task = task_find(timer->tid);
        if (task && task->process == timer->process)
            signal_send_task(task, &info);
        defer_read_end();
        break;
    }
}

/* Expirations that could not be told one by one are the overrun. */
static void advance(struct posix_timer *timer, uint64_t now)
{
    uint64_t missed;

    if (!timer->interval_ns) {
        timer->expires_ns = timer->overrun = 0;
        return;
    }
    missed = (now - timer->expires_ns) / timer->interval_ns;
    timer->expires_ns += (missed + 1) * timer->interval_ns;
    timer->overrun = missed > INT32_MAX ? INT32_MAX : (int)missed;
}

static void posix_timer_fires(struct timer *t)
{
    struct posix_timer *timer = container_of(t, struct posix_timer, timer);
    uint64_t now = now_of(timer);

    if (!timer->expires_ns)
        return;
    if (now >= timer->expires_ns) {
        advance(timer, now);
        notify(timer);
    }
    if (timer->expires_ns)
        aim(timer);
}

static struct posix_timer *find_locked(struct process *process, int id)
{
    struct posix_timer *timer;

    list_for_each_entry (timer, &process->posix_timers, node) {
        if (timer->id == id)
            return timer;
    }
    return NULL;
}

/* A number that is free, counting on as Linux does. */
static int add_timer(struct process *process, struct posix_timer *timer)
{
    reg_t flags = spin_lock_irq(&process->lock);
    int id = -EAGAIN;

    for (unsigned tries = 0; tries < TIMERS_MAX; tries++) {
        int candidate = process->next_timer_id++ & INT32_MAX;

        if (!find_locked(process, candidate)) {
            timer->id = id = candidate;
            list_add_tail(&process->posix_timers, &timer->node);
            break;
        }
    }
    spin_unlock_irq(&process->lock, flags);
    return id;
}

/* Takes it off the list, so that no other call finds it meanwhile. */
static struct posix_timer *remove_timer(struct process *process, int id)
{
    reg_t flags = spin_lock_irq(&process->lock);
    struct posix_timer *timer = find_locked(process, id);

    if (timer)
        list_del(&timer->node);
    spin_unlock_irq(&process->lock, flags);
    return timer;
}

static void put_back(struct process *process, struct posix_timer *timer)
{
    reg_t flags = spin_lock_irq(&process->lock);

    list_add_tail(&process->posix_timers, &timer->node);
    spin_unlock_irq(&process->lock, flags);
}

static void destroy(struct posix_timer *timer)
{
    timer->expires_ns = 0;
    timer->interval_ns = 0;
    timer_cancel(&timer->timer);
    kfree(timer);
}

void posix_timers_delete(struct process *process)
{
    while (!list_empty(&process->posix_timers)) {
        struct posix_timer *first =
            container_of(process->posix_timers.next, struct posix_timer, node);
        struct posix_timer *timer = remove_timer(process, first->id);

        if (timer)
            destroy(timer);
    }
}

static int take_event(struct posix_timer *timer, vaddr_t at)
{
    struct abi64_sigevent event;
    struct task *task;
    bool is_ours;

    if (!at)
        return 0;
    if (copy_from_user(&event, at, sizeof(event)))
        return -EFAULT;
    timer->notify = event.notify;
    timer->value = event.value;
    timer->signo = event.signo;
    if (event.notify == SIGEV_NONE)
        return 0;
    if ((event.notify != SIGEV_SIGNAL && event.notify != SIGEV_THREAD_ID) || event.signo < 1 ||
        event.signo > SIGNALS)
        return -EINVAL;
    if (event.notify == SIGEV_THREAD_ID) {
        defer_read_begin();
        task = task_find(event.tid);
        is_ours = task && task->process == timer->process;
        defer_read_end();
        if (!is_ours)
            return -EINVAL;
        timer->tid = event.tid;
    }
    return 0;
}

static bool clock_is_good(int clock)
{
    return time_is_steady(clock) || clock == CLOCK_PROCESS_CPUTIME_ID ||
           clock == CLOCK_THREAD_CPUTIME_ID;
}

long sys_timer_create(const reg_t arg[6])
{
    struct process *process = current_process();
    struct posix_timer *timer;
    int error;

    if (!clock_is_good((int)arg[0]))
        return -EINVAL;
    timer = kzalloc(sizeof(*timer));
    if (!timer)
        return -EAGAIN;
    timer->process = process;
    timer->clock = (int)arg[0];
    timer->signo = SIGALRM;
    timer_init(&timer->timer, posix_timer_fires);
    error = take_event(timer, arg[1]);
    if (!error)
        error = add_timer(process, timer);
    if (error < 0) {
        kfree(timer);
        return error;
    }
    if (!arg[1])
        timer->value = (uint64_t)timer->id;
    return put_user32(arg[2], (uint32_t)timer->id);
}

static struct abi64_timespec timespec_of(uint64_t ns)
{
    return (struct abi64_timespec){(int64_t)(ns / NS_PER_SECOND), (int64_t)(ns % NS_PER_SECOND)};
}

static void tell(const struct posix_timer *timer, struct abi64_itimerspec *spec)
{
    uint64_t now = now_of(timer), expires = timer->expires_ns;

    spec->interval = timespec_of(timer->interval_ns);
    spec->value = timespec_of(!expires ? 0 : expires > now ? expires - now : 1);
}

long sys_timer_gettime(const reg_t arg[6])
{
    struct process *process = current_process();
    struct abi64_itimerspec spec;
    struct posix_timer *timer = remove_timer(process, (int)arg[0]);

    if (!timer)
        return -EINVAL;
    tell(timer, &spec);
    put_back(process, timer);
    return copy_to_user(arg[1], &spec, sizeof(spec));
}

long sys_timer_settime(const reg_t arg[6])
{
    struct process *process = current_process();
    struct abi64_itimerspec next, old;
    uint64_t value, interval;
    struct posix_timer *timer;

    if (!arg[2])
        return -EINVAL;
    if (copy_from_user(&next, arg[2], sizeof(next)))
        return -EFAULT;
    if (abi64_timespec_ns(&next.value, &value) || abi64_timespec_ns(&next.interval, &interval))
        return -EINVAL;
    timer = remove_timer(process, (int)arg[0]);
    if (!timer)
        return -EINVAL;
    tell(timer, &old);
    timer->interval_ns = 0;
    timer->expires_ns = 0;
    timer_cancel(&timer->timer);
    timer->interval_ns = interval;
    timer->overrun = 0;
    if (value) {
        timer->expires_ns =
            (int)arg[1] & TIMER_ABSTIME ? value : abi64_deadline(now_of(timer), value);
        aim(timer);
    }
    put_back(process, timer);
    return arg[3] ? copy_to_user(arg[3], &old, sizeof(old)) : 0;
}

void posix_timer_delivered(struct process *process, const struct signal_info *info)
{
    struct posix_timer *timer;
    reg_t flags;

    if (info->code != SI_TIMER)
        return;
    flags = spin_lock_irq(&process->lock);
    timer = find_locked(process, info->timer_id);
    if (timer)
        timer->overrun_at_take = info->overrun;
    spin_unlock_irq(&process->lock, flags);
}

long sys_timer_getoverrun(const reg_t arg[6])
{
    struct process *process = current_process();
    reg_t flags = spin_lock_irq(&process->lock);
    struct posix_timer *timer = find_locked(process, (int)arg[0]);
    long overrun = timer ? timer->overrun_at_take : -EINVAL;

    spin_unlock_irq(&process->lock, flags);
    return overrun;
}

long sys_timer_delete(const reg_t arg[6])
{
    struct posix_timer *timer = remove_timer(current_process(), (int)arg[0]);

    if (!timer)
        return -EINVAL;
    destroy(timer);
    return 0;
}
