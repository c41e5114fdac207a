/* SPDX-License-Identifier: MIT */
/* What a thread is scheduled by: policy, priority, nice value, CPUs; what the queues count. */
#include "run_queue.h"

#include <core/sched.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#include "sched_internal.h"

struct policy {
    enum sched_policy policy;
    int priority;
};

static void set_priority_in_effect(struct sched_entity *entity)
{
    entity->priority = max(entity->own_priority, entity->inherited_priority);
}

static void change_policy(struct thread *thread, const void *with)
{
    const struct policy *wanted = with;

    thread->sched.policy = wanted->policy;
    thread->sched.own_priority = (uint8_t)wanted->priority;
    set_priority_in_effect(&thread->sched);
    thread->sched.slice_left_ns = wanted->policy == SCHED_RR ? RR_SLICE_NS : SLICE_NS;
}

int sched_set_policy(struct thread *thread, enum sched_policy policy, int priority)
{
    bool realtime = policy == SCHED_FIFO || policy == SCHED_RR;

    if (policy != SCHED_NORMAL && policy != SCHED_BATCH && policy != SCHED_IDLE && !realtime)
        return -EINVAL;
    if (realtime ? priority < 1 || priority > SCHED_RT_PRIORITY_MAX : priority != 0)
        return -EINVAL;
    sched_change(thread, change_policy, &(struct policy){policy, priority});
    return 0;
}

static void change_inherited(struct thread *thread, const void *with)
{
    thread->sched.inherited_priority = (uint8_t) * (const unsigned *)with;
    set_priority_in_effect(&thread->sched);
}

void sched_set_inherited(struct thread *thread, unsigned priority)
{
    sched_change(thread, change_inherited, &priority);
}

static void change_nice(struct thread *thread, const void *with)
{
    thread->sched.nice = (int8_t)clamp(*(const int *)with, -20, 19);
}

void sched_set_nice(struct thread *thread, int nice)
{
    sched_change(thread, change_nice, &nice);
}

static void change_affinity(struct thread *thread, const void *with)
{
    thread->sched.affinity = *(const struct cpumask *)with;
}

int sched_set_affinity(struct thread *thread, const struct cpumask *mask)
{
    struct cpumask usable = cpumask_and(mask, &cpu_online_mask);

    if (cpumask_empty(&usable))
        return -EINVAL;
    sched_change(thread, change_affinity, mask);
    if (thread == current() && !cpumask_test(mask, this_cpu()->id))
        schedule();
    return 0;
}

void sched_inherit(struct thread *child, const struct thread *parent)
{
    child->sched.affinity = parent->sched.affinity;
    if (parent->sched.reset_on_fork) {
        if (parent->sched.own_priority != 0)
            return; /* SCHED_NORMAL, nice 0 */
        child->sched.policy = parent->sched.policy;
        child->sched.nice = parent->sched.nice < 0 ? 0 : parent->sched.nice;
        return;
    }
    child->sched.policy = parent->sched.policy;
    child->sched.priority = child->sched.own_priority = parent->sched.own_priority;
    child->sched.nice = parent->sched.nice;
}

uint64_t sched_rr_interval_ns(const struct thread *thread)
{
    switch (thread->sched.policy) {
    case SCHED_FIFO:
        return 0;
    case SCHED_RR:
        return RR_SLICE_NS;
    default:
        return SLICE_NS;
    }
}

unsigned sched_runnable_count(void)
{
    struct cpu *cpu;
    unsigned count = 0;

    for_each_cpu (cpu)
        count += READ_ONCE(cpu->queue->count);
    return count;
}

uint64_t sched_switch_count(void)
{
    struct cpu *cpu;
    uint64_t count = 0;

    for_each_cpu (cpu)
        count += READ_ONCE(cpu->queue->switches);
    return count;
}
