/* SPDX-License-Identifier: MIT */
/*
 * Switching threads, sleeping and waking. The lock of a CPU's run queue is held across the switch:
 * the thread that goes takes it, the one that comes releases it, so whoever gets the lock finds no
 * thread half switched. `thread->cpu` names the queue that a thread belongs to, asleep or not.
 */
#include "run_queue.h"

#include <arch/barrier.h>
#include <arch/fpu.h>
#include <arch/irqflags.h>
#include <arch/port.h>
#include <core/clock.h>
#include <core/ipi.h>
#include <core/panic.h>
#include <core/sched.h>
#include <core/timer.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/vmspace.h>

#include "sched_internal.h"

static inline struct run_queue *lock_queue_of(struct thread *thread, reg_t *flags)
{
    for (;;) {
        struct cpu *cpu = READ_ONCE(thread->cpu);

        *flags = spin_lock_irq(&cpu->queue->lock);
        if (READ_ONCE(thread->cpu) == cpu)
            return cpu->queue;
        spin_unlock_irq(&cpu->queue->lock, *flags);
    }
}

/*
 * The running thread of `queue` should look whether it is still the best. Returns the CPU to
 * interrupt, NULL for none: by kick(), once the queue's lock is released. The CPU's first step is
 * to take that lock; if the holder is a virtual CPU that loses its core just then, it spins for
 * long.
 */
static struct cpu *poke(struct run_queue *queue)
{
    struct thread *running = queue->running;

    if (thread_has_work(running, WORK_RESCHEDULE))
        return NULL;
    atomic_fetch_or(WORK_RESCHEDULE, &running->work);
    return queue->cpu != this_cpu() ? queue->cpu : NULL;
}

static void kick(const struct cpu *cpu)
{
    if (cpu != NULL)
        ipi_send_cpu(cpu->id, IPI_RESCHED);
}

/* Times the running thread's slice, if somebody waits for its end. */
static void arm_slice(struct run_queue *queue)
{
    struct thread *running = queue->running;
    bool timed =
        queue->count > 1 && running != queue->cpu->idle && running->sched.policy != SCHED_FIFO;

    timer_set_slice_end(timed ? running->sched.slice_start_ns + running->sched.slice_left_ns
                              : UINT64_MAX);
}

/* Makes a thread that is in no queue runnable on `queue`; lock held. Returns whom to kick(). */
static struct cpu *activate(struct run_queue *queue, struct thread *thread, bool at_head)
{
    thread->on_queue = true;
    queue->count++;
    queue_insert(queue, thread, at_head);
    if (queue_before(queue, thread, queue->running))
        return poke(queue);
    if (queue->count != 2)
        return NULL;
    if (queue->cpu != this_cpu())
        return poke(queue); /* it times no slice yet: its next look at the queue does */
    arm_slice(queue);
    return NULL;
}

/* Puts a runnable thread that belongs nowhere on a CPU that it may use. No queue lock held. */
static void find_home(struct thread *thread)
{
    struct run_queue *queue = sched_choose_cpu(thread)->queue;
    reg_t flags = spin_lock_irq(&queue->lock);

    thread->cpu = queue->cpu;
    thread->sched.deadline += queue->virtual_ns;
    queue_place(queue, thread);
    struct cpu *notified = activate(queue, thread, false);

    spin_unlock_irq(&queue->lock, flags);
    kick(notified);
}

/* Takes a thread's deadline out of the virtual time of `queue`; find_home() puts it into another.
 */
static void leave_home(struct run_queue *queue, struct thread *thread)
{
    thread->sched.deadline =
        thread->sched.deadline > queue->virtual_ns ? thread->sched.deadline - queue->virtual_ns : 0;
}

/* The second half of a switch, on the new thread's stack: the old one is off its CPU. */
static void finish_switch(void)
{
    struct run_queue *queue = this_cpu()->queue;
    struct thread *dead = queue->dead, *homeless = queue->homeless;

    queue->dead = NULL;
    queue->homeless = NULL;
    spin_unlock(&queue->lock);
    if (dead != NULL)
        thread_retire(dead);
    if (homeless != NULL)
        find_home(homeless);
}

/* First code of a new thread, interrupts masked. */
void sched_thread_entered(void)
{
    finish_switch();
    irq_enable();
}

static void put_back(struct run_queue *queue, struct thread *thread, bool preempted)
{
    if (thread == queue->cpu->idle)
        return;
    if (thread->state == THREAD_RUNNABLE || (thread->state == THREAD_SLEEPING && preempted)) {
        if (cpumask_test(&thread->sched.affinity, queue->cpu->id)) {
            queue_insert(queue, thread, preempted);
            return;
        }
        queue->homeless = thread;
        leave_home(queue, thread);
    } else if (thread->state == THREAD_DEAD) {
        queue->dead = thread;
    }
    thread->on_queue = false;
    queue->count--;
}

/* The queue's virtual time is that of the request which is served now. */
static inline void note_virtual_time(struct run_queue *queue, const struct thread *thread)
{
    uint64_t request = queue_request_ns(thread);

    if (!sched_is_realtime(thread) && thread->sched.deadline > request)
        queue->virtual_ns = max(queue->virtual_ns, thread->sched.deadline - request);
}

/* The first of the queue, out of it; NULL: nobody waits. */
static inline struct thread *take_first(struct run_queue *queue)
{
    struct thread *first = queue_first(queue);

    if (first != NULL) {
        queue_remove(queue, first);
        note_virtual_time(queue, first);
    }
    return first;
}

static inline void set_running(struct run_queue *queue, struct thread *thread, uint64_t now_ns)
{
    queue->running = thread;
    WRITE_ONCE(queue->cpu->queue_running, thread);
    thread->sched.slice_start_ns = now_ns;
}

/* Interrupts masked, the queue's lock held: released, on the way, by whoever comes. */
static inline void switch_to(struct run_queue *queue, struct thread *from, struct thread *to,
                             uint64_t now_ns)
{
    struct cpu *cpu = queue->cpu;

    set_running(queue, to, now_ns);
    arm_slice(queue);
    smp_mb(); /* pairs with thread_set_work(): it sees who runs here, or the way out sees the work
               */
    fpu_switch(from, to);
    if (to->vmspace != NULL && to->vmspace != cpu->vmspace)
        vmspace_activate(to->vmspace);
    context_switch(from, to);
    finish_switch();
}

/* --- resting: a thread sleeps where it stands while its CPU has nothing else to do --- */

/* Somebody else came to this CPU, on which `thread` rests: true when `thread` runs again, after a
 * switch. */
static bool yield_rest(struct run_queue *queue, struct thread *thread)
{
    struct thread *idle = queue->cpu->idle, *to = NULL;

    spin_lock(&queue->lock);
    atomic_fetch_and(~(int32_t)WORK_RESCHEDULE, &idle->work);
    if (queue->resting == thread)
        to = take_first(queue);
    if (to == NULL) {
        spin_unlock(&queue->lock);
        return false;
    }
    queue->resting = NULL;
    preempt_enable_no_check(); /* rest()'s; the lock's is left */
    switch_to(queue, thread, to, clock_monotonic_ns());
    return true;
}

static void switch_away(bool preempted);

/*
 * The thread has gone to sleep and nobody waits for its CPU, which counts as idle from here on: it
 * waits for interrupts on this stack, and so spares the switches to the idle thread and back if
 * what wakes it comes first. Interrupts masked; releases the queue's lock.
 */
static void rest(struct run_queue *queue, struct thread *thread, uint64_t now_ns)
{
    struct cpu *cpu = queue->cpu;

    set_running(queue, cpu->idle, now_ns);
    timer_set_slice_end(UINT64_MAX);
    queue->resting = thread;
    smp_mb(); /* pairs with thread_set_work(), as a switch does */
    preempt_disable();
    spin_unlock(&queue->lock);
    while (smp_load_acquire(&queue->resting) == thread) { /* pairs with end_rest() */
        if (!thread_has_work(cpu->idle, WORK_RESCHEDULE) && !sched_pull(2))
            cpu_rest(cpu);
        else if (yield_rest(queue, thread))
            return;
    }
    preempt_enable_no_check();
    now_ns = thread->sched.slice_start_ns;
    if (unlikely(now_ns >= READ_ONCE(loadavg_due_ns)))
        loadavg_update(now_ns, true);
    if (unlikely(thread_has_work(thread, WORK_RESCHEDULE)))
        switch_away(true);
}

/* Wakes the thread that rests on the queue's CPU, which goes on with it; the lock is held. Who else
 * has come there meanwhile is looked at next. Returns whom to kick(). */
static struct cpu *end_rest(struct run_queue *queue, struct thread *thread)
{
    struct cpu *cpu = queue->cpu;

    thread->on_queue = true;
    queue->count++;
    queue_place(queue, thread);
    note_virtual_time(queue, thread);
    set_running(queue, thread, clock_monotonic_ns());
    if (unlikely(queue->count != 1 || !cpumask_test(&thread->sched.affinity, cpu->id)))
        atomic_fetch_or(WORK_RESCHEDULE, &thread->work);
    smp_store_release(&queue->resting, NULL); /* pairs with the load in rest() */
    return cpu != this_cpu() ? cpu : NULL;
}

bool sched_serve(void (*serve)(void *argument), void *argument, struct thread *other)
{
    struct thread *thread = current();
    bool rests = this_cpu()->queue->resting == thread;

    if (!(rests ? thread->sleep_how == WAIT_SERVING : thread->may_serve) || thread->serve != NULL ||
        thread->sched.policy != SCHED_NORMAL || thread->sched.nice != 0)
        return false;
    thread->serve_argument = argument;
    thread->serve_other = other;
    thread->serve = serve;
    if (rests)
        thread_wake(thread);
    return true;
}

/* What sched_serve() asked for; the wait that it interrupted begins anew. */
static void serve(struct thread *thread)
{
    void (*run)(void *argument) = thread->serve;

    thread->serve = NULL;
    run(thread->serve_argument);
}

void sched_begin_serving(void)
{
    current()->may_serve = true;
}

void sched_end_serving(void)
{
    struct thread *thread = current();

    thread->may_serve = false;
    __asm__ volatile("" ::: "memory"); /* no interrupt handler asks from here on */
    if (unlikely(thread->serve != NULL))
        serve(thread);
}

/* The thread was asked to serve and is leaving its CPU: it need not sleep, or another does it. */
static void leave_serving(struct thread *thread)
{
    if (thread->state == THREAD_SLEEPING && thread->sleep_how == WAIT_SERVING) {
        thread->state = THREAD_RUNNABLE;
        return;
    }
    thread->serve = NULL;
    thread_wake(thread->serve_other);
}

/* --- switching --- */

/* Interrupts masked. `preempted`: the thread did not ask, and keeps running even if about to sleep.
 */
static void switch_away(bool preempted)
{
    struct thread *from = current();
    struct cpu *cpu = from->cpu;
    struct run_queue *queue = cpu->queue;

    if (unlikely(from->serve != NULL))
        leave_serving(from);
    spin_lock(&queue->lock);
    uint64_t now = clock_monotonic_ns();

    queue_charge(queue, now);
    if (unlikely(now >= READ_ONCE(loadavg_due_ns)))
        loadavg_update(now, from == cpu->idle);
    atomic_fetch_and(~(int32_t)WORK_RESCHEDULE, &from->work);
    put_back(queue, from, preempted);
    defer_quiescent();

    struct thread *to = take_first(queue);

    if (to == from || (to == NULL && from == cpu->idle)) {
        set_running(queue, from, now);
        arm_slice(queue);
        finish_switch();
        return;
    }
    queue->switches++;
    if (preempted)
        from->involuntary_switches++;
    else
        from->voluntary_switches++;
    if (to == NULL && from->state == THREAD_SLEEPING && queue->may_rest)
        rest(queue, from, now);
    else
        switch_to(queue, from, to != NULL ? to : cpu->idle, now);
}

void schedule(void)
{
    reg_t flags = irq_save();

    switch_away(false);
    irq_restore(flags);
}

/* Preemption was enabled again, or an interrupt ends, with a better thread waiting. */
void preempt_check(void)
{
    if (!irqs_enabled())
        return;
    irq_disable();
    switch_away(true);
    irq_enable();
}

void sched_yield(void)
{
    struct thread *thread = current();
    reg_t flags = irq_save();

    spin_lock(&thread->cpu->queue->lock);
    thread->sched.slice_left_ns = 0; /* the request is over: the deadline moves behind the others */
    spin_unlock(&thread->cpu->queue->lock);
    switch_away(false);
    irq_restore(flags);
}

/* From the timer interrupt, when the slice set by timer_set_slice_end() is up. */
void sched_slice_ended(void)
{
    atomic_fetch_or(WORK_RESCHEDULE, &current()->work);
    sched_balance();
}

/* --- sleep and wake --- */

static inline bool sleep_broken(const struct thread *thread)
{
    switch (thread->sleep_how) {
    case WAIT_INTERRUPTIBLE:
    case WAIT_SERVING:
        return thread_has_work(thread, WORK_SIGNAL | WORK_KILL);
    case WAIT_KILLABLE:
        return thread_has_work(thread, WORK_KILL);
    default:
        return false;
    }
}

void thread_prepare_sleep(enum wait_how how)
{
    struct thread *thread = current();

    thread->sleep_how = how;
#ifdef CONFIG_DEBUG_CHECKS
    ASSERT(how != WAIT_SERVING || thread->sleeping_count == 0);
#endif
    WRITE_ONCE(thread->state, THREAD_SLEEPING);
    smp_mb(); /* pairs with waitq_wake() and thread_set_work() */
}

void thread_cancel_sleep(void)
{
    WRITE_ONCE(current()->state, THREAD_RUNNABLE);
}

int thread_sleep(uint64_t deadline_ns)
{
    struct thread *thread = current();

    if (sleep_broken(thread)) {
        thread_cancel_sleep();
        return -ERESTARTSYS;
    }
    if (deadline_ns != WAIT_FOREVER) {
        if (clock_monotonic_ns() >= deadline_ns) {
            thread_cancel_sleep();
            return -ETIMEDOUT;
        }
        timer_start(&thread->sleep_timer, deadline_ns);
    }
    schedule();
    if (deadline_ns != WAIT_FOREVER)
        timer_cancel(&thread->sleep_timer);
    if (thread->serve != NULL)
        serve(thread);
    if (deadline_ns != WAIT_FOREVER) {
        if (clock_monotonic_ns() >= deadline_ns)
            return sleep_broken(thread) ? -ERESTARTSYS : -ETIMEDOUT;
    }
    return sleep_broken(thread) ? -ERESTARTSYS : 0;
}

int thread_sleep_until(uint64_t deadline_ns, enum wait_how how)
{
    for (;;) {
        thread_prepare_sleep(how);
        int error = thread_sleep(deadline_ns);

        if (error != 0)
            return error == -ETIMEDOUT ? 0 : error;
    }
}

void thread_wake(struct thread *thread)
{
    reg_t flags;

    smp_mb(); /* what the sleeper waits for was written before its state is read */
    if (READ_ONCE(thread->state) != THREAD_SLEEPING)
        return;
    struct run_queue *queue = lock_queue_of(thread, &flags);

    if (thread->state != THREAD_SLEEPING) {
        spin_unlock_irq(&queue->lock, flags);
        return;
    }
    thread->state = THREAD_RUNNABLE;
    if (thread->on_queue) { /* still on its CPU: the sleep is called off */
        spin_unlock_irq(&queue->lock, flags);
        return;
    }
    if (queue->resting == thread) {
        struct cpu *sleeps = end_rest(queue, thread);

        spin_unlock_irq(&queue->lock, flags);
        kick(sleeps);
        return;
    }
    if (sched_choose_cpu(thread) == queue->cpu) {
        queue_place(queue, thread);
        struct cpu *notified = activate(queue, thread, false);

        spin_unlock_irq(&queue->lock, flags);
        kick(notified);
        return;
    }
    leave_home(queue, thread);
    spin_unlock_irq(&queue->lock, flags);
    find_home(thread);
}

/*
 * A new thread queues where its creator stands: not before it, since it would soon wait for what
 * the creator still holds, and not so far behind that the creator preempts it when it comes back.
 */
void thread_start(struct thread *thread)
{
    reg_t flags = irq_save();
    const struct thread *creator = current();
    uint64_t now = creator->cpu->queue->virtual_ns;

    if (creator->sched.deadline > now)
        thread->sched.deadline = creator->sched.deadline - now;
    irq_restore(flags);
    thread->sched.slice_left_ns = thread->sched.policy == SCHED_RR ? RR_SLICE_NS : SLICE_NS;
    thread->state = THREAD_RUNNABLE;
    find_home(thread);
}

/* From the idle thread: nobody is in the queue before it, and it need not wait in it. */
void thread_start_first(struct thread *thread)
{
    reg_t flags = irq_save();
    struct thread *idle = current();
    struct run_queue *queue = idle->cpu->queue;

    spin_lock(&queue->lock);
    thread->cpu = queue->cpu;
    thread->state = THREAD_RUNNABLE;
    thread->on_queue = true;
    thread->sched.slice_left_ns = SLICE_NS;
    thread->sched.deadline = queue->virtual_ns + queue_request_ns(thread);
    queue->count++;
    switch_to(queue, idle, thread, clock_monotonic_ns());
    irq_restore(flags);
}

void thread_start_asleep(struct thread *thread)
{
    thread->sched.slice_left_ns = SLICE_NS;
    WRITE_ONCE(thread->state, THREAD_SLEEPING);
    smp_mb(); /* pairs with thread_wake() */
}

void thread_set_work(struct thread *thread, uint32_t bits)
{
    atomic_fetch_or((int32_t)bits, &thread->work);
    smp_mb();                                          /* pairs with thread_prepare_sleep() */
    if (READ_ONCE(thread->state) == THREAD_SLEEPING) { /* the current one, too, while it rests */
        if (sleep_broken(thread))
            thread_wake(thread);
        return;
    }
    if (thread == current())
        return;
    struct cpu *cpu = READ_ONCE(thread->cpu);

    if (READ_ONCE(cpu->queue->running) == thread && cpu != this_cpu())
        ipi_send_cpu(cpu->id, IPI_RESCHED); /* the way back to the program looks at the work */
}

void thread_clear_work(struct thread *thread, uint32_t bits)
{
    atomic_fetch_and(~(int32_t)bits, &thread->work);
}

__cold void sched_change(struct thread *thread, void (*change)(struct thread *, const void *),
                         const void *with)
{
    reg_t flags;
    struct run_queue *queue = lock_queue_of(thread, &flags);
    bool waiting = thread->on_queue && queue->running != thread;
    bool evicted = false;

    if (waiting)
        queue_remove(queue, thread);
    change(thread, with);
    if (waiting && !cpumask_test(&thread->sched.affinity, queue->cpu->id)) {
        thread->on_queue = false;
        queue->count--;
        leave_home(queue, thread);
        evicted = true;
    } else if (waiting) {
        queue_insert(queue, thread, false);
    }
    struct cpu *notified = thread->on_queue ? poke(queue) : NULL;

    spin_unlock_irq(&queue->lock, flags);
    kick(notified);
    if (evicted)
        find_home(thread);
}
