/* SPDX-License-Identifier: MIT */
/*
 * Which CPU a thread runs on: where it ran last if that is idle, else any idle one, else it stays.
 * An idle CPU fetches a thread from the longest queue; a busy one does at the end of a slice, when
 * another queue is longer by two, and wakes an idle CPU that has missed what waits here.
 */
#include "run_queue.h"
#include "sched_internal.h"

#include <arch/irqflags.h>
#include <core/ipi.h>

static bool cpu_is_idle(const struct cpu *cpu)
{
    return READ_ONCE(cpu->queue->count) == 0;
}

struct cpu *sched_choose_cpu(const struct thread *thread)
{
    struct cpu *last = READ_ONCE(thread->cpu), *cpu, *shortest = NULL;
    const struct cpumask *allowed = &thread->sched.affinity;

    if (cpu_count() == 1)
        return cpu_table[0];
    bool last_allowed = last != NULL && last->online && cpumask_test(allowed, last->id);

    if (last_allowed && cpu_is_idle(last))
        return last;
    for_each_cpu (cpu) {
        if (!cpu->online || !cpumask_test(allowed, cpu->id))
            continue;
        if (cpu_is_idle(cpu))
            return cpu;
        if (shortest == NULL || cpu->queue->count < shortest->queue->count)
            shortest = cpu;
    }
    if (last_allowed && shortest != NULL && last->queue->count <= shortest->queue->count + 1)
        return last;
    return shortest != NULL ? shortest : cpu_table[0];
}

static struct thread *stealable_realtime(struct run_queue *queue, const struct cpu *cpu)
{
    struct thread *thread;

    for (unsigned priority = SCHED_RT_PRIORITY_MAX; priority > 0; priority--) {
        list_for_each_entry (thread, &queue->rt[priority], sched.rt_node) {
            if (cpumask_test(&thread->sched.affinity, cpu->id))
                return thread;
        }
    }
    return NULL;
}

/* The most urgent waiting thread of `queue` that may run on `cpu`; the lock is held. */
static struct thread *stealable(struct run_queue *queue, const struct cpu *cpu)
{
    if ((queue->rt_map[0] | queue->rt_map[1]) != 0) {
        struct thread *thread = stealable_realtime(queue, cpu);

        if (thread != NULL)
            return thread;
    }
    for (struct rb_node *node = queue->first; node != NULL; node = rb_next(node)) {
        struct thread *thread = rb_entry(node, struct thread, sched.node);

        if (cpumask_test(&thread->sched.affinity, cpu->id))
            return thread;
    }
    return NULL;
}

static void lock_both(struct run_queue *a, struct run_queue *b)
{
    spin_lock(a->cpu->id < b->cpu->id ? &a->lock : &b->lock);
    spin_lock(a->cpu->id < b->cpu->id ? &b->lock : &a->lock);
}

bool sched_pull(unsigned least_count)
{
    struct cpu *here = this_cpu(), *cpu, *longest = NULL;

    for_each_cpu (cpu) {
        if (cpu != here && cpu->online && READ_ONCE(cpu->queue->count) >= least_count &&
            (longest == NULL || cpu->queue->count > longest->queue->count))
            longest = cpu;
    }
    if (longest == NULL)
        return false;
    struct run_queue *from = longest->queue, *to = here->queue;

    lock_both(from, to);
    struct thread *thread = from->count >= least_count ? stealable(from, here) : NULL;

    if (thread != NULL) {
        queue_remove(from, thread);
        from->count--;
        thread->sched.deadline += to->virtual_ns - from->virtual_ns;
        if ((int64_t)thread->sched.deadline < 0)
            thread->sched.deadline = 0;
        WRITE_ONCE(thread->cpu, here);
        queue_place(to, thread);
        to->count++;
        queue_insert(to, thread, false);
    }
    spin_unlock(&from->lock);
    spin_unlock(&to->lock);
    return thread != NULL;
}

/* A CPU that went idle while a thread was on its way to this queue has not seen it. */
static void call_idle_cpu(struct run_queue *queue)
{
    struct cpu *cpu;

    for_each_cpu (cpu) {
        if (!cpu->online || !cpu_is_idle(cpu))
            continue;
        spin_lock(&queue->lock);
        bool helps = stealable(queue, cpu) != NULL;

        spin_unlock(&queue->lock);
        if (helps) {
            ipi_send_cpu(cpu->id, IPI_RESCHED); /* idle_loop() then looks for threads */
            return;
        }
    }
}

void sched_balance(void)
{
    struct run_queue *queue = this_cpu()->queue;

    if (cpu_count() > 1 && !sched_pull(queue->count + 2) && queue->count > 1)
        call_idle_cpu(queue);
}
