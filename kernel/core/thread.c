/* SPDX-License-Identifier: MIT */
/* The life of threads, from memory of their owner's to the release of that memory. */
#include "sched_internal.h"

#include <arch/fpu.h>
#include <arch/irqflags.h>
#include <arch/offsets.h>
#include <arch/port.h>
#include <core/clock.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <core/thread_list.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/kwindow.h>
#include <mm/slab.h>

struct list_node thread_list = LIST_INIT(boot_thread.all_node);
struct spinlock thread_list_lock = SPINLOCK_INIT(RANK_RUNQUEUE);

static void sleep_timer_fired(struct timer *timer)
{
    thread_wake(container_of(timer, struct thread, sleep_timer));
}

/* What thread_init() makes of others, but for the canary: there are no random numbers yet. */
struct thread boot_thread = {
    .name = "idle/0",
    .sched = {.policy = SCHED_NORMAL, .affinity = CPUMASK_ALL},
    .sleep_timer = {.fire = sleep_timer_fired},
    .all_node = LIST_INIT(thread_list),
};

void thread_set_name(struct thread *thread, const char *name)
{
    strscpy(thread->name, name, sizeof(thread->name));
}

/* The fields that every thread needs. */
void thread_init(struct thread *thread, const char *name)
{
    thread_set_name(thread, name);
    thread_new_canary(thread);
    thread->preempt_count = 1; /* given back by sched_thread_entered() */
    thread->sched.policy = SCHED_NORMAL;
    memset(&thread->sched.affinity, 0xff, sizeof(thread->sched.affinity));
    timer_init(&thread->sleep_timer, sleep_timer_fired);
    reg_t flags = spin_lock_irq(&thread_list_lock);

    list_add_tail(&thread_list, &thread->all_node);
    spin_unlock_irq(&thread_list_lock, flags);
}

int thread_create(struct thread *thread, const char *name, void (*entry)(void *), void *argument)
{
    thread->stack = kstack_alloc();
    if (thread->stack == NULL)
        return -ENOMEM;
    thread_init(thread, name);
    thread->cpu = this_cpu();
    thread->state = THREAD_NEW;
    context_prepare(thread, entry, argument);
    return 0;
}

void thread_destroy(struct thread *thread)
{
    reg_t flags = spin_lock_irq(&thread_list_lock);

    list_del(&thread->all_node);
    spin_unlock_irq(&thread_list_lock, flags);
    fpu_free(thread);
    kstack_free(thread->stack);
}

_Noreturn void thread_exit(void)
{
    struct thread *thread = current();

    irq_disable();
    WRITE_ONCE(thread->state, THREAD_DEAD);
    schedule();
    panic("a dead thread runs");
}

static void reap(struct deferred *deferred)
{
    struct thread *thread = container_of(deferred, struct thread, deferred);
    void (*release)(struct thread *) = thread->release;

    thread_destroy(thread);
    if (release != NULL)
        release(thread);
}

void thread_retire(struct thread *thread)
{
    defer_free(&thread->deferred, reap);
}

static void free_thread(struct thread *thread)
{
    kfree(thread);
}

int thread_spawn(const char *name, void (*entry)(void *), void *argument, struct thread **out)
{
    struct thread *thread = kzalloc(sizeof(*thread));

    if (thread == NULL)
        return -ENOMEM;
    int error = thread_create(thread, name, entry, argument);

    if (error != 0) {
        kfree(thread);
        return error;
    }
    thread->release = free_thread;
    if (out != NULL)
        *out = thread;
    thread_start(thread);
    return 0;
}

void thread_cpu_time(const struct thread *thread, uint64_t *user_ns, uint64_t *kernel_ns)
{
    *user_ns = READ_ONCE(thread->user_ns);
    *kernel_ns = READ_ONCE(thread->kernel_ns);
    if (thread != current())
        return;
    uint64_t running = clock_monotonic_ns() - thread->sched.slice_start_ns;

    if (thread->vmspace != NULL && !thread->found_in_kernel)
        *user_ns += running;
    else
        *kernel_ns += running;
}
