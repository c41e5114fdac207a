/* SPDX-License-Identifier: MIT */
/*
 * A CPU's run queue. Fair threads are ordered by virtual deadline: virtual time advances for a
 * thread in inverse proportion to its weight, each request of a slice ends at the deadline, and the
 * earliest deadline runs. Real-time threads stand in one list per priority and come first.
 */
#ifndef CORE_RUN_QUEUE_H
#define CORE_RUN_QUEUE_H

#include <core/clock.h>
#include <core/lock.h>
#include <core/percpu.h>
#include <core/thread.h>

#define SLICE_NS       (3 * NS_PER_MS)
#define WAKE_MARGIN_NS NS_PER_MS /* by which a deadline must be earlier to preempt */
#define RR_SLICE_NS    (100 * NS_PER_MS)

struct run_queue {
    struct spinlock lock;
    struct cpu *cpu;
    struct thread *running;
    unsigned count;        /* runnable threads, the running one included, idle excluded */
    uint64_t virtual_ns;   /* start of the request served last; never goes back */
    struct rb_root fair;   /* waiting fair threads by deadline */
    struct rb_node *first; /* leftmost of `fair` */
    uint64_t rt_map[2];    /* priorities with a waiting thread */
    struct list_node rt[SCHED_RT_PRIORITY_MAX + 1];
    struct thread *dead;     /* just switched away from for good */
    struct thread *homeless; /* just switched away from, may not run here any more */
    bool may_rest;           /* the idle thread idles: at first it boots */
    struct thread *resting;  /* sleeps on the CPU, which is idle and has not switched; else NULL */
    uint64_t switches;
};

static inline bool sched_is_realtime(const struct thread *thread)
{
    return thread->sched.priority != 0;
}

void queue_init(struct run_queue *queue, struct cpu *cpu);

/* All with the queue's lock held and interrupts masked. */
void queue_insert(struct run_queue *queue, struct thread *thread, bool at_head);
void queue_remove(struct run_queue *queue, struct thread *thread);
struct thread *queue_first(const struct run_queue *queue); /* NULL: none waits */

/* Charges the running thread for its time; at the end of a request gives it the next one. */
void queue_charge(struct run_queue *queue, uint64_t now_ns);

/* A thread comes back from sleep, or from another queue: no credit for the time away. */
void queue_place(struct run_queue *queue, struct thread *thread);

/* Should `thread` preempt `than`? `than` may be the idle thread. */
bool queue_before(const struct run_queue *queue, const struct thread *thread,
                  const struct thread *than);

/* The slice of virtual time that a request of this thread takes. */
uint64_t queue_request_weighted(const struct thread *thread);

static inline uint64_t queue_request_ns(const struct thread *thread)
{
    if (thread->sched.policy == SCHED_NORMAL && thread->sched.nice == 0)
        return SLICE_NS;
    return queue_request_weighted(thread);
}

#endif
