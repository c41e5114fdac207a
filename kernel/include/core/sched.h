/* SPDX-License-Identifier: MIT */
/*
 * The scheduler: a run queue per CPU; real-time threads by priority, the others fair by virtual
 * deadline. docs/scheduling.md tells how.
 */
#ifndef CORE_SCHED_H
#define CORE_SCHED_H

#include <lib/cpumask.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <lib/types.h>

struct thread;
struct cpu;

/* Values as Linux numbers them. */
enum sched_policy {
    SCHED_NORMAL = 0,
    SCHED_FIFO = 1,
    SCHED_RR = 2,
    SCHED_BATCH = 3,
    SCHED_IDLE = 5
};

#define SCHED_RT_PRIORITY_MAX 99

/* Fields are guarded by the lock of the run queue of thread->cpu. */
struct sched_entity {
    enum sched_policy policy;
    int8_t nice;                /* -20..19 */
    uint8_t priority;           /* in effect: the higher of the next two; 0: not real-time */
    uint8_t own_priority;       /* 1..99 for FIFO and RR, else 0 */
    uint8_t inherited_priority; /* of those who wait for what the thread holds; 0: none */
    bool reset_on_fork;
    uint64_t deadline;       /* virtual, key of the fair tree */
    uint64_t slice_left_ns;  /* of the current request */
    uint64_t slice_start_ns; /* clock when it was last put on the CPU */
    struct rb_node node;     /* fair */
    struct list_node rt_node;
    struct cpumask affinity;
};

/* Gives the CPU away. Thread context, preemption enabled or once disabled by the caller itself. */
void schedule(void);
void sched_yield(void);

/*
 * For an interrupt handler with work for the thread `other`, which it spares if it can: true when
 * the interrupted thread will call `serve` instead, very soon. That is one which rests (this CPU is
 * idle) and sleeps with WAIT_SERVING, before it looks again at what it waits for; or one between
 * sched_begin_serving() and sched_end_serving(), at the latter, or in a sleep with WAIT_SERVING.
 * Should it leave its CPU before, `other` is woken. False: nobody is there to do it.
 */
bool sched_serve(void (*serve)(void *argument), void *argument, struct thread *other);

/* Around short work in the course of which, and after which, this thread holds no lock. */
void sched_begin_serving(void);
void sched_end_serving(void);

/* Policy, nice level and affinity of a new thread as those of its parent, SCHED_RESET_ON_FORK
 * observed. */
void sched_inherit(struct thread *child, const struct thread *parent);

/* 0, -EINVAL for a combination that Linux refuses. */
int sched_set_policy(struct thread *thread, enum sched_policy policy, int priority);
void sched_set_nice(struct thread *thread, int nice);

/* The real-time priority that it has at least, whatever its policy; 0 for none. */
void sched_set_inherited(struct thread *thread, unsigned priority);

/* Moves the thread off its CPU if need be. -EINVAL when no CPU of the mask is online. */
int sched_set_affinity(struct thread *thread, const struct cpumask *mask);

/* Round-robin interval, nanoseconds; 0 for FIFO. */
uint64_t sched_rr_interval_ns(const struct thread *thread);

/* Runnable threads of all CPUs, the running ones included; load averages as fixed point 1 << 16. */
unsigned sched_runnable_count(void);
void sched_load_average(uint64_t load[3]);
uint64_t sched_switch_count(void);

#endif
