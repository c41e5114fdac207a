/* SPDX-License-Identifier: MIT
 *
 * Reading and setting clocks, sleeping, and what time was used (clock_gettime(2), nanosleep(2),
 * times(2), getrusage(2), adjtimex(2)). Programs read clocks through the vDSO; these calls serve
 * those that do not, and the clocks of CPU time.
 */
#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/thread.h>
#include <core/wait.h>
#include <file/timerfd.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/vmspace.h>

#include "abi64/time.h"
#include "time_internal.h"

static uint64_t process_cpu_ns(struct process *process)
{
    uint64_t user, kernel;

    process_times(process, &user, &kernel);
    return user + kernel;
}

static uint64_t task_cpu_ns(const struct task *task)
{
    uint64_t user, kernel;

    thread_cpu_time(&task->thread, &user, &kernel);
    return user + kernel;
}

/* Clocks of other processes and threads: ~pid << 3 | kind, bit 2 for a thread. */
static int read_cpu_clock(int clock, uint64_t *ns)
{
    int pid = ~(clock >> 3), error = -EINVAL;
    struct process *process;
    struct task *task;

    if ((clock & 3) > 2)
        return -EINVAL;
    if (clock & 4) {
        defer_read_begin();
        task = pid ? task_find(pid) : current_task();
        if (task && task->process == current_process()) {
            *ns = task_cpu_ns(task);
            error = 0;
        }
        defer_read_end();
        return error;
    }
    process = process_find(pid ? pid : current_process()->pid);
    if (!process)
        return -EINVAL;
    *ns = process_cpu_ns(process);
    process_unref(process);
    return 0;
}

int time_read(int clock, uint64_t *ns)
{
    switch (clock) {
    case CLOCK_MONOTONIC:
    case CLOCK_MONOTONIC_RAW:
    case CLOCK_MONOTONIC_COARSE:
    case CLOCK_BOOTTIME:
    case CLOCK_BOOTTIME_ALARM:
        *ns = clock_monotonic_ns();
        return 0;
    case CLOCK_REALTIME:
    case CLOCK_REALTIME_COARSE:
    case CLOCK_REALTIME_ALARM:
    case CLOCK_TAI:
        *ns = clock_realtime_ns();
        return 0;
    case CLOCK_PROCESS_CPUTIME_ID:
        *ns = process_cpu_ns(current_process());
        return 0;
    case CLOCK_THREAD_CPUTIME_ID:
        *ns = task_cpu_ns(current_task());
        return 0;
    default:
        return clock < 0 ? read_cpu_clock(clock, ns) : -EINVAL;
    }
}

bool time_is_real(int clock)
{
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_ALARM || clock == CLOCK_TAI;
}

bool time_is_steady(int clock)
{
    return clock == CLOCK_MONOTONIC || clock == CLOCK_BOOTTIME || clock == CLOCK_BOOTTIME_ALARM ||
           time_is_real(clock);
}

uint64_t time_from_realtime(uint64_t realtime_ns)
{
    uint64_t real = clock_realtime_ns(), now = clock_monotonic_ns();

    if (realtime_ns >= INT64_MAX)
        return WAIT_FOREVER;
    return realtime_ns <= real ? now : abi64_deadline(now, realtime_ns - real);
}

long sys_clock_gettime(const reg_t arg[6])
{
    uint64_t ns;
    int error = time_read((int)arg[0], &ns);

    return error ? error : abi64_put_timespec(arg[1], ns);
}

long sys_clock_getres(const reg_t arg[6])
{
    int clock = (int)arg[0];
    bool coarse = clock == CLOCK_REALTIME_COARSE || clock == CLOCK_MONOTONIC_COARSE;
    uint64_t ns;
    int error = time_read(clock, &ns);

    if (error)
        return error;
    return arg[1] ? abi64_put_timespec(arg[1], coarse ? 4000000 : 1) : 0;
}

static long set_clock(uint64_t ns)
{
    if (!cred_capable(cred_current(), CAP_SYS_TIME))
        return -EPERM;
    clock_set_realtime_ns(ns);
    timerfd_clock_was_set();
    return 0;
}

long sys_clock_settime(const reg_t arg[6])
{
    uint64_t ns;
    int error;

    if ((int)arg[0] != CLOCK_REALTIME)
        return -EINVAL;
    error = abi64_get_timespec(arg[1], &ns);
    return error ? error : set_clock(ns);
}

long sys_gettimeofday(const reg_t arg[6])
{
    const uint64_t no_zone = 0; /* struct timezone of two ints */

    if (arg[0] && abi64_put_timeval(arg[0], clock_realtime_ns()))
        return -EFAULT;
    return arg[1] ? put_user64(arg[1], no_zone) : 0;
}

long sys_settimeofday(const reg_t arg[6])
{
    uint64_t ns;
    int error;

    if (!arg[0])
        return cred_capable(cred_current(), CAP_SYS_TIME) ? 0 : -EPERM;
    error = abi64_get_timeval(arg[0], &ns);
    return error ? error : set_clock(ns);
}

/* --- sleeping --- */

static long put_remaining(const struct restart *restart)
{
    uint64_t now = clock_monotonic_ns();
    uint64_t left = restart->deadline_ns > now ? restart->deadline_ns - now : 0;

    return abi64_put_timespec(restart->user, left);
}

static long restart_sleep(struct restart *restart)
{
    int error = thread_sleep_until(restart->deadline_ns, WAIT_INTERRUPTIBLE);

    if (!error)
        return 0;
    if (restart->user && put_remaining(restart))
        return -EFAULT;
    restart->fn = restart_sleep;
    return -ERESTART_RESTARTBLOCK;
}

static long sleep_relative(uint64_t duration, vaddr_t remaining)
{
    struct restart *restart = &current_task()->restart;

    *restart = (struct restart){.deadline_ns = abi64_deadline(clock_monotonic_ns(), duration),
                                .user = remaining};
    return restart_sleep(restart);
}

static long sleep_absolute(int clock, uint64_t time)
{
    uint64_t deadline = time_is_real(clock) ? time_from_realtime(time) : time;
    int error = thread_sleep_until(deadline, WAIT_INTERRUPTIBLE);

    return error ? -ERESTARTNOHAND : 0;
}

long sys_nanosleep(const reg_t arg[6])
{
    uint64_t duration;
    int error = abi64_get_timespec(arg[0], &duration);

    return error ? error : sleep_relative(duration, arg[1]);
}

/* CPU-time clocks: sleep as long as it could take at least, look again. */
static long sleep_on_cpu_clock(int clock, uint64_t until)
{
    for (;;) {
        uint64_t now;
        int error = time_read(clock, &now);

        if (error)
            return error;
        if (now >= until)
            return 0;
        error = thread_sleep_until(abi64_deadline(clock_monotonic_ns(), until - now),
                                   WAIT_INTERRUPTIBLE);
        if (error)
            return -ERESTARTNOHAND;
    }
}

long sys_clock_nanosleep(const reg_t arg[6])
{
    int clock = (int)arg[0], flags = (int)arg[1];
    uint64_t time, now;
    int error;

    if (!time_is_steady(clock) && clock != CLOCK_PROCESS_CPUTIME_ID && clock >= 0)
        return clock == CLOCK_MONOTONIC_RAW || clock == CLOCK_MONOTONIC_COARSE ||
                       clock == CLOCK_REALTIME_COARSE
                   ? -EOPNOTSUPP
                   : -EINVAL;
    error = abi64_get_timespec(arg[2], &time);
    if (error)
        return error;
    if (!time_is_steady(clock)) {
        error = time_read(clock, &now);
        if (error)
            return error;
        return sleep_on_cpu_clock(clock, flags & TIMER_ABSTIME ? time : abi64_deadline(now, time));
    }
    if (flags & TIMER_ABSTIME)
        return sleep_absolute(clock, time);
    return sleep_relative(time, arg[3]);
}

/* --- time used --- */

struct abi64_tms {
    int64_t utime, stime, cutime, cstime;
};

long sys_times(const reg_t arg[6])
{
    struct abi64_tms tms = {0};
    uint64_t user, kernel;

    process_times(current_process(), &user, &kernel);
    tms.utime = (int64_t)time_to_ticks(user);
    tms.stime = (int64_t)time_to_ticks(kernel);
    if (arg[0] && copy_to_user(arg[0], &tms, sizeof(tms)))
        return -EFAULT;
    return (long)time_to_ticks(clock_monotonic_ns());
}

struct abi64_rusage {
    struct abi64_timeval utime, stime;
    int64_t maxrss_kib, ixrss, idrss, isrss, minflt, majflt, nswap, inblock, oublock;
    int64_t msgsnd, msgrcv, nsignals, nvcsw, nivcsw;
};

static struct abi64_timeval timeval_of(uint64_t ns)
{
    return (struct abi64_timeval){(int64_t)(ns / NS_PER_SECOND),
                                  (int64_t)(ns % NS_PER_SECOND / NS_PER_US)};
}

#define RUSAGE_SELF     0
#define RUSAGE_CHILDREN (-1)
#define RUSAGE_THREAD   1

static void add_switches(struct abi64_rusage *usage, const struct task *task)
{
    usage->nvcsw += (int64_t)task->thread.voluntary_switches;
    usage->nivcsw += (int64_t)task->thread.involuntary_switches;
}

static void fill_usage(struct abi64_rusage *usage, int who)
{
    struct process *process = current_process();
    uint64_t user = 0, kernel = 0;
    struct task *task;
    reg_t flags;

    if (who == RUSAGE_CHILDREN)
        return;
    if (who == RUSAGE_THREAD) {
        thread_cpu_time(current(), &user, &kernel);
        add_switches(usage, current_task());
    } else {
        process_times(process, &user, &kernel);
        flags = spin_lock_irq(&process->lock);
        list_for_each_entry (task, &process->tasks, sibling)
            add_switches(usage, task);
        spin_unlock_irq(&process->lock, flags);
    }
    usage->utime = timeval_of(user);
    usage->stime = timeval_of(kernel);
    usage->maxrss_kib = (int64_t)process->vmspace->pages_resident_peak * 4;
}

__cold long sys_getrusage(const reg_t arg[6])
{
    int who = (int)arg[0];
    struct abi64_rusage usage;

    if (who != RUSAGE_SELF && who != RUSAGE_CHILDREN && who != RUSAGE_THREAD)
        return -EINVAL;
    memset(&usage, 0, sizeof(usage));
    fill_usage(&usage, who);
    return copy_to_user(arg[1], &usage, sizeof(usage));
}

/* --- adjtimex: the clock is not disciplined; reading tells so, changes are refused --- */

struct abi64_timex {
    uint32_t modes, pad0;
    int64_t offset, freq, maxerror, esterror;
    int32_t status, pad1;
    int64_t constant, precision, tolerance;
    struct abi64_timeval time;
    int64_t tick, ppsfreq, jitter;
    int32_t shift, pad2;
    int64_t stabil, jitcnt, calcnt, errcnt, stbcnt;
    int32_t tai, pad3[11];
};
_Static_assert(sizeof(struct abi64_timex) == 208, "struct timex");

#define STA_UNSYNC         0x40
#define TIME_ERROR         5
#define ADJ_OFFSET_SS_READ 0xa001

static __cold long adjust(vaddr_t at)
{
    struct abi64_timex timex;
    uint32_t modes;

    if (get_user32(&modes, at))
        return -EFAULT;
    if (modes != 0 && modes != ADJ_OFFSET_SS_READ)
        return cred_capable(cred_current(), CAP_SYS_TIME) ? -EOPNOTSUPP : -EPERM;
    memset(&timex, 0, sizeof(timex));
    timex.modes = modes;
    timex.maxerror = timex.esterror = 16000000;
    timex.status = STA_UNSYNC;
    timex.constant = 2;
    timex.precision = 1;
    timex.tolerance = 32768000;
    timex.tick = 10000;
    timex.time = timeval_of(clock_realtime_ns());
    return copy_to_user(at, &timex, sizeof(timex)) ? -EFAULT : TIME_ERROR;
}

long sys_adjtimex(const reg_t arg[6])
{
    return adjust(arg[0]);
}

long sys_clock_adjtime(const reg_t arg[6])
{
    if ((int)arg[0] != CLOCK_REALTIME)
        return (int)arg[0] == CLOCK_MONOTONIC ? -EOPNOTSUPP : -EINVAL;
    return adjust(arg[1]);
}
