/* SPDX-License-Identifier: MIT
 *
 * Scheduling calls: policy, priority, affinity, nice values (sched(7), sched_setaffinity(2)).
 */
#include <core/sched.h>

#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <fs/cred.h>
#include <lib/align.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/page.h>

#include "abi64/time.h"
#include "process_internal.h"

#define SCHED_DEADLINE      6
#define SCHED_RESET_ON_FORK 0x40000000

/* Finds the task (0: the caller) for the time of a reading section. */
static struct task *begin(int tid)
{
    defer_read_begin();
    return tid == 0 ? current_task() : task_find(tid);
}

static void end(void)
{
    defer_read_end();
}

long sys_sched_yield(const reg_t arg[6])
{
    (void)arg;
    sched_yield();
    return 0;
}

long sys_sched_get_priority_max(const reg_t arg[6])
{
    switch ((int)arg[0]) {
    case SCHED_FIFO:
    case SCHED_RR:
        return SCHED_RT_PRIORITY_MAX;
    case SCHED_NORMAL:
    case SCHED_BATCH:
    case SCHED_IDLE:
    case SCHED_DEADLINE:
        return 0;
    default:
        return -EINVAL;
    }
}

long sys_sched_get_priority_min(const reg_t arg[6])
{
    int policy = (int)arg[0];

    return policy == SCHED_FIFO || policy == SCHED_RR ? 1 : sys_sched_get_priority_max(arg);
}

/* sched(7): a real-time policy needs CAP_SYS_NICE or RLIMIT_RTPRIO. */
static bool may_set(const struct task *task, int policy, int priority)
{
    uint64_t limit = task->process->limits[RLIMIT_RTPRIO].soft;

    if (cred_capable(cred_current(), CAP_SYS_NICE) || (policy != SCHED_FIFO && policy != SCHED_RR))
        return true;
    return (uint64_t)priority <= limit || (policy == (int)task->thread.sched.policy &&
                                           priority <= task->thread.sched.own_priority);
}

static long set_policy(int tid, int policy, int priority)
{
    bool reset = (policy & SCHED_RESET_ON_FORK) != 0;
    struct task *task;
    long error;

    policy &= ~SCHED_RESET_ON_FORK;
    if (tid < 0 || policy < 0)
        return -EINVAL;
    task = begin(tid);
    if (!task) {
        error = -ESRCH;
    } else if (!may_set(task, policy, priority)) {
        error = -EPERM;
    } else {
        error = sched_set_policy(&task->thread, (enum sched_policy)policy, priority);
        if (!error)
            task->thread.sched.reset_on_fork = reset;
        futex_priority_changed(task);
    }
    end();
    return error;
}

long sys_sched_setscheduler(const reg_t arg[6])
{
    uint32_t priority;

    if (get_user32(&priority, arg[2]))
        return arg[2] ? -EFAULT : -EINVAL;
    return set_policy((int)arg[0], (int)arg[1], (int)priority);
}

/* What a task has been set to. */
struct settings {
    int policy, nice;
    uint32_t priority;
    bool reset_on_fork;
    uint64_t interval_ns; /* sched_rr_get_interval(2) */
};

static int get_settings(int tid, struct settings *settings)
{
    const struct task *task;

    if (tid < 0)
        return -EINVAL;
    task = begin(tid);
    if (task)
        *settings = (struct settings){
            .policy = (int)task->thread.sched.policy,
            .nice = task->thread.sched.nice,
            .priority = task->thread.sched.own_priority,
            .reset_on_fork = task->thread.sched.reset_on_fork,
            .interval_ns = sched_rr_interval_ns(&task->thread),
        };
    end();
    return task ? 0 : -ESRCH;
}

long sys_sched_setparam(const reg_t arg[6])
{
    struct settings settings;
    uint32_t priority;
    int error;

    if (get_user32(&priority, arg[1]))
        return arg[1] ? -EFAULT : -EINVAL;
    error = get_settings((int)arg[0], &settings);
    return error ? error : set_policy((int)arg[0], settings.policy, (int)priority);
}

long sys_sched_getscheduler(const reg_t arg[6])
{
    struct settings settings;
    int error = get_settings((int)arg[0], &settings);

    if (error)
        return error;
    return settings.policy | (settings.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
}

long sys_sched_getparam(const reg_t arg[6])
{
    struct settings settings;
    int error = arg[1] ? get_settings((int)arg[0], &settings) : -EINVAL;

    return error ? error : put_user32(arg[1], settings.priority);
}

long sys_sched_rr_get_interval(const reg_t arg[6])
{
    struct settings settings;
    int error = get_settings((int)arg[0], &settings);

    return error ? error : abi64_put_timespec(arg[1], settings.interval_ns);
}

/* --- sched_setattr --- */

struct abi64_sched_attr {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
    uint32_t util_min, util_max;
};

#define SCHED_ATTR_SIZE_VER0 48u

#define SCHED_FLAG_RESET_ON_FORK 0x01u
#define SCHED_FLAG_RECLAIM       0x02u /* of SCHED_DEADLINE, as is the next */
#define SCHED_FLAG_DL_OVERRUN    0x04u
#define SCHED_FLAG_KEEP_POLICY   0x08u
#define SCHED_FLAG_KEEP_PARAMS   0x10u
#define SCHED_FLAG_ALL           0x1fu /* without bounds of utilisation, as Debian's kernel */

/* A newer program's longer struct is fine if what we do not know is zero. */
static int get_attr(struct abi64_sched_attr *attr, vaddr_t from)
{
    uint32_t size;
    uint8_t byte;

    memset(attr, 0, sizeof(*attr));
    if (get_user32(&size, from))
        return -EFAULT;
    size = size ? size : SCHED_ATTR_SIZE_VER0;
    if (size >= SCHED_ATTR_SIZE_VER0 && size <= PAGE_SIZE) {
        if (copy_from_user(attr, from, min(size, (uint32_t)sizeof(*attr))))
            return -EFAULT;
        for (uint32_t at = sizeof(*attr); at < size; at++) {
            if (get_user8(&byte, from + at))
                return -EFAULT;
            if (byte)
                goto too_big;
        }
        return 0;
    }
too_big:
    return put_user32(from, sizeof(*attr)) ? -EFAULT : -E2BIG;
}

long sys_sched_setattr(const reg_t arg[6])
{
    struct abi64_sched_attr attr;
    struct settings now;
    struct task *task;
    long error;

    if (!arg[1] || (int)arg[0] < 0 || arg[2])
        return -EINVAL;
    error = get_attr(&attr, arg[1]);
    if (!error && (int)attr.policy < 0)
        error = -EINVAL;
    if (!error)
        error = get_settings((int)arg[0], &now);
    if (error)
        return error;
    if (attr.flags & ~(uint64_t)SCHED_FLAG_ALL)
        return -EINVAL;
    if (attr.flags & (SCHED_FLAG_KEEP_POLICY | SCHED_FLAG_KEEP_PARAMS))
        attr.policy = (uint32_t)now.policy; /* to keep parameters keeps it, too */
    if (attr.flags & SCHED_FLAG_KEEP_PARAMS) {
        attr.nice = now.nice;
        attr.priority = now.priority;
    }
    error = set_policy((int)arg[0],
                       (int)attr.policy |
                           (attr.flags & SCHED_FLAG_RESET_ON_FORK ? SCHED_RESET_ON_FORK : 0),
                       (int)attr.priority);
    if (error || (attr.policy != SCHED_NORMAL && attr.policy != SCHED_BATCH))
        return error;
    task = begin((int)arg[0]);
    if (task)
        sched_set_nice(&task->thread, clamp(attr.nice, -20, 19));
    end();
    return 0;
}

long sys_sched_getattr(const reg_t arg[6])
{
    struct settings now;
    uint32_t size = (uint32_t)arg[2];
    int error;

    if (!arg[1] || arg[3] || size < SCHED_ATTR_SIZE_VER0 || size > PAGE_SIZE)
        return -EINVAL;
    error = get_settings((int)arg[0], &now);
    if (error)
        return error;
    struct abi64_sched_attr attr = {
        .size = min(size, (uint32_t)sizeof(attr)),
        .policy = (uint32_t)now.policy,
        .flags = now.reset_on_fork,
        .nice = now.priority ? 0 : now.nice,
        .priority = now.priority,
    };

    return copy_to_user(arg[1], &attr, attr.size);
}

/* --- affinity --- */

long sys_sched_setaffinity(const reg_t arg[6])
{
    size_t size = min(arg[1], (reg_t)sizeof(struct cpumask));
    struct cpumask mask = CPUMASK_NONE;
    struct task *task;
    long error;

    if (copy_from_user(&mask, arg[2], size))
        return -EFAULT;
    task = begin((int)arg[0]);
    if (!task)
        error = -ESRCH;
    else if (task->process != current_process() && !cred_capable(cred_current(), CAP_SYS_NICE))
        error = -EPERM;
    else
        error = sched_set_affinity(&task->thread, &mask);
    end();
    /* If this CPU is no longer ours, leave it before the program goes on. */
    if (!error && (int)arg[0] == 0)
        sched_yield();
    return error;
}

/* Returns the bytes that the kernel's mask has, as the C library expects of the raw call. */
long sys_sched_getaffinity(const reg_t arg[6])
{
    size_t bytes = align_up(cpu_count(), 64) / 8;
    struct cpumask mask = CPUMASK_NONE;
    struct task *task;

    if (arg[1] * 8 < cpu_count() || arg[1] % sizeof(unsigned long))
        return -EINVAL;
    task = begin((int)arg[0]);
    if (task)
        mask = cpumask_and(&task->thread.sched.affinity, &cpu_online_mask);
    end();
    if (!task)
        return -ESRCH;
    bytes = min(bytes, (size_t)arg[1]);
    return copy_to_user(arg[2], &mask, bytes) ? -EFAULT : (long)bytes;
}

long sys_getcpu(const reg_t arg[6])
{
    uint32_t cpu;

    preempt_disable();
    cpu = this_cpu()->id;
    preempt_enable();
    if (arg[0] && put_user32(arg[0], cpu))
        return -EFAULT;
    return arg[1] ? put_user32(arg[1], 0) : 0;
}

/* --- nice --- */

enum { PRIO_PROCESS, PRIO_PGRP, PRIO_USER };

struct priority_walk {
    int which, id;
    bool set;
    int nice;
    long result; /* -ESRCH until somebody matches */
};

static bool matches(const struct priority_walk *walk, const struct task *task)
{
    switch (walk->which) {
    case PRIO_PGRP:
        return task->process->pgid == (walk->id ? walk->id : current_process()->pgid);
    case PRIO_USER:
        return task->cred->uid == (walk->id ? (uint32_t)walk->id : cred_current()->uid);
    default:
        return false;
    }
}

/* RLIMIT_NICE: 20 - limit is the lowest nice value without the capability. */
static long apply(struct priority_walk *walk, struct task *task)
{
    uint64_t limit = task->process->limits[RLIMIT_NICE].soft;

    if (!walk->set)
        return max(walk->result, (long)(20 - task->thread.sched.nice));
    if (walk->nice < task->thread.sched.nice && !cred_capable(cred_current(), CAP_SYS_NICE) &&
        20 - walk->nice > (int64_t)limit)
        return -EACCES;
    sched_set_nice(&task->thread, walk->nice);
    return walk->result == -ESRCH ? 0 : walk->result;
}

static int walk_process(struct process *process, void *arg)
{
    struct priority_walk *walk = arg;
    struct task *task;
    reg_t flags = spin_lock_irq(&process->lock);

    list_for_each_entry (task, &process->tasks, sibling) {
        if (matches(walk, task))
            walk->result = apply(walk, task);
    }
    spin_unlock_irq(&process->lock, flags);
    return 0;
}

static long walk_priorities(struct priority_walk *walk)
{
    struct task *task;

    if (walk->which < PRIO_PROCESS || walk->which > PRIO_USER)
        return -EINVAL;
    if (walk->which != PRIO_PROCESS) {
        process_for_each(walk_process, walk);
        return walk->result;
    }
    task = begin(walk->id);
    if (task)
        walk->result = apply(walk, task);
    end();
    return walk->result;
}

long sys_getpriority(const reg_t arg[6])
{
    struct priority_walk walk = {.which = (int)arg[0], .id = (int)arg[1], .result = -ESRCH};

    return walk_priorities(&walk);
}

long sys_setpriority(const reg_t arg[6])
{
    struct priority_walk walk = {.which = (int)arg[0],
                                 .id = (int)arg[1],
                                 .set = true,
                                 .nice = clamp((int)arg[2], -20, 19),
                                 .result = -ESRCH};

    return walk_priorities(&walk);
}
