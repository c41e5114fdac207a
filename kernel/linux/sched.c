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

long sys_sched_setparam(const reg_t arg[6])
{
    uint32_t priority;
    struct task *task;
    int policy;

    if (get_user32(&priority, arg[1]))
        return arg[1] ? -EFAULT : -EINVAL;
    if ((int)arg[0] < 0)
        return -EINVAL;
    task = begin((int)arg[0]);
    policy = task ? (int)task->thread.sched.policy : -ESRCH;
    end();
    return policy < 0 ? policy : set_policy((int)arg[0], policy, (int)priority);
}

long sys_sched_getscheduler(const reg_t arg[6])
{
    struct task *task;
    long policy = -ESRCH;

    if ((int)arg[0] < 0)
        return -EINVAL;
    task = begin((int)arg[0]);
    if (task)
        policy = (long)task->thread.sched.policy |
                 (task->thread.sched.reset_on_fork ? SCHED_RESET_ON_FORK : 0);
    end();
    return policy;
}

long sys_sched_getparam(const reg_t arg[6])
{
    uint32_t priority = 0;
    struct task *task;

    if ((int)arg[0] < 0 || !arg[1])
        return -EINVAL;
    task = begin((int)arg[0]);
    if (task)
        priority = task->thread.sched.own_priority;
    end();
    return task ? put_user32(arg[1], priority) : -ESRCH;
}

long sys_sched_rr_get_interval(const reg_t arg[6])
{
    uint64_t interval = 0;
    struct task *task;

    if ((int)arg[0] < 0)
        return -EINVAL;
    task = begin((int)arg[0]);
    if (task)
        interval = sched_rr_interval_ns(&task->thread);
    end();
    return task ? abi64_put_timespec(arg[1], interval) : -ESRCH;
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

#define SCHED_ATTR_SIZE_VER0 48

long sys_sched_setattr(const reg_t arg[6])
{
    struct abi64_sched_attr attr;
    struct task *task;
    uint32_t size;
    long error;

    if (!arg[1] || (int)arg[0] < 0 || arg[2])
        return -EINVAL;
    memset(&attr, 0, sizeof(attr));
    if (get_user32(&size, arg[1]))
        return -EFAULT;
    size = size ? size : SCHED_ATTR_SIZE_VER0;
    if (size < SCHED_ATTR_SIZE_VER0 || size > 4096)
        return -E2BIG;
    if (copy_from_user(&attr, arg[1], min(size, (uint32_t)sizeof(attr))))
        return -EFAULT;
    if (attr.flags & ~1ull)
        return -EINVAL;
    error = set_policy((int)arg[0], (int)attr.policy | (attr.flags & 1 ? SCHED_RESET_ON_FORK : 0),
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
    struct abi64_sched_attr attr;
    struct task *task;

    if (!arg[1] || (int)arg[0] < 0 || arg[3] || arg[2] < SCHED_ATTR_SIZE_VER0 || arg[2] > 4096)
        return -EINVAL;
    memset(&attr, 0, sizeof(attr));
    attr.size = min((uint32_t)arg[2], (uint32_t)sizeof(attr));
    task = begin((int)arg[0]);
    if (task) {
        attr.policy = (uint32_t)task->thread.sched.policy;
        attr.flags = task->thread.sched.reset_on_fork;
        attr.nice = task->thread.sched.nice;
        attr.priority = task->thread.sched.own_priority;
    }
    end();
    return task ? copy_to_user(arg[1], &attr, attr.size) : -ESRCH;
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
