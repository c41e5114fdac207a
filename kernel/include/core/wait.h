/* SPDX-License-Identifier: MIT */
/*
 * Waiting for events. A waiter sits on one queue and is told by a function: the usual one wakes a
 * thread; epoll and poll bring their own. Wakes may come from any context.
 *
 *     int error = wait_event(&pipe->readable, pipe_has_data(pipe), WAIT_FOREVER,
 * WAIT_INTERRUPTIBLE);
 *
 * A condition is evaluated with the thread already on the queue, so that no wake between the test
 * and the sleep is lost; it may not itself sleep on a queue (it may take spinlocks).
 */
#ifndef CORE_WAIT_H
#define CORE_WAIT_H

#include <arch/barrier.h>
#include <core/lock.h>
#include <core/waitq.h>
#include <lib/compiler.h>
#include <lib/errno.h>

#define WAIT_FOREVER UINT64_MAX /* as a deadline: absolute, monotonic nanoseconds */

enum wait_how {
    WAIT_UNINTERRUPTIBLE, /* ends by a wake or the deadline only: short, certain waits */
    WAIT_KILLABLE,        /* also when the thread is to die */
    WAIT_INTERRUPTIBLE,   /* also when a signal is to be delivered */
    WAIT_SERVING,         /* the same, of a thread that holds no lock: see sched_serve() */
};

struct thread;

struct waiter {
    struct list_node node;
    struct waitq *queue; /* NULL while on none */
    struct thread *thread;
    /*
     * Called with the queue's lock held and interrupts masked; may not sleep, nor touch the same
     * queue. Returns whether this counts as one wake (for exclusive waiters).
     */
    bool (*notify)(struct waiter *waiter, unsigned events);
    bool exclusive; /* waitq_wake() stops after `max` of these */
    bool woken;     /* set by waiter_wake_thread(), which also takes an exclusive one off */
};

static inline void waitq_init(struct waitq *queue)
{
    spin_init(&queue->lock, RANK_WAITQ);
    list_init(&queue->waiters);
}

/* A waiter that wakes the current thread. */
void waiter_init(struct waiter *waiter);
bool waiter_wake_thread(struct waiter *waiter, unsigned events);

/* Exclusive waiters queue behind the others. */
void waitq_add(struct waitq *queue, struct waiter *waiter);

/* Afterwards `notify` is not running and will not run. Fine for a waiter on no queue. */
void waitq_remove(struct waiter *waiter);

/*
 * Tells all waiters that are not exclusive and the first `max` exclusive ones. `events`: POLL* bits
 * that became true, 0 for 'something'. Returns the exclusive waiters told. Any context.
 */
unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events);

static inline void waitq_wake_all(struct waitq *queue)
{
    waitq_wake(queue, UINT32_MAX, 0);
}

/* The steps of wait_event() around the sleep: on the queue (again), with no wake noted; off it, a
 * wake that came too late passed on. The sleep is prepared before: a wake that takes an exclusive
 * waiter off the queue also ends that sleep, whatever becomes of the condition meanwhile. */
static inline void waiter_enqueue(struct waitq *queue, struct waiter *waiter)
{
    if (smp_load_acquire(&waiter->queue) == NULL) {
        waiter->woken = false;
        waitq_add(queue, waiter);
    }
    smp_mb(); /* on the queue, then the condition: pairs with waitq_wake() */
}

static inline void waiter_finish(struct waitq *queue, struct waiter *waiter)
{
    waitq_remove(waiter);
    if (waiter->exclusive && waiter->woken)
        waitq_wake(queue, 1, 0);
}

/* Unlocked test; pair it with smp_mb() between the change of the condition and the test. */
static inline bool waitq_active(const struct waitq *queue)
{
    return queue->waiters.next != NULL && queue->waiters.next != &queue->waiters;
}

/*
 * The parts of wait_event(): thread_prepare_sleep() before the test of the condition,
 * then thread_sleep() (0 after a wake, also a spurious one; -ETIMEDOUT; -ERESTARTSYS) or
 * thread_cancel_sleep().
 */
void thread_prepare_sleep(enum wait_how how);
int thread_sleep(uint64_t deadline_ns);
void thread_cancel_sleep(void);

/* Makes a sleeping thread runnable; else ends the sleep that it is preparing. Any context. */
void thread_wake(struct thread *thread);

/* Sleeps to the deadline: 0 when it has come, -ERESTARTSYS when interrupted. */
int thread_sleep_until(uint64_t deadline_ns, enum wait_how how);

/*
 * Sleeps on `queue` until `condition`. 0, -ETIMEDOUT, or -ERESTARTSYS (a signal or the thread's
 * end, as `how` says). A condition that holds wins over both. Thread context, no spinlock held.
 */
#define wait_event(queue, condition, deadline_ns, how) \
    wait_event_on(queue, condition, deadline_ns, how, false)

/* The same as an exclusive waiter: one wake, one thread. */
#define wait_event_exclusive(queue, condition, deadline_ns, how) \
    wait_event_on(queue, condition, deadline_ns, how, true)

/*
 * A wake takes an exclusive waiter off its queue, so that the next one goes to another. One that
 * arrives when the wait has already ended is passed on.
 */
#define wait_event_on(queue_, condition, deadline_ns, how, exclusive_) \
    ({                                                                 \
        int error_ = 0;                                                \
        if (!(condition)) {                                            \
            struct waiter waiter_;                                     \
            waiter_init(&waiter_);                                     \
            waiter_.exclusive = (exclusive_);                          \
            for (;;) {                                                 \
                thread_prepare_sleep(how);                             \
                waiter_enqueue((queue_), &waiter_);                    \
                if (condition) {                                       \
                    thread_cancel_sleep();                             \
                    error_ = 0;                                        \
                    break;                                             \
                }                                                      \
                if (error_ != 0) {                                     \
                    thread_cancel_sleep();                             \
                    break;                                             \
                }                                                      \
                error_ = thread_sleep(deadline_ns);                    \
            }                                                          \
            waiter_finish((queue_), &waiter_);                         \
        }                                                              \
        error_;                                                        \
    })

#endif
