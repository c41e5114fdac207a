/* SPDX-License-Identifier: MIT */
/*
 * Wait queues. Exclusive waiters stand behind the others, so that one pass tells all of those and
 * then as many exclusive ones as were asked for. A queue of queues (epoll) nests two of these
 * locks; that the order has no circle is the nesting owner's business.
 */
#include <arch/barrier.h>
#include <core/lock.h>
#include <core/thread.h>
#include <core/wait.h>

bool waiter_wake_thread(struct waiter *waiter, unsigned events)
{
    struct thread *thread = waiter->thread;

    (void)events;
    waiter->woken = true;
    if (waiter->exclusive) {
        list_del(&waiter->node);
        smp_store_release(&waiter->queue,
                          NULL); /* pairs with waitq_remove(): `waiter` may be gone */
    }
    thread_wake(thread); /* still there: threads are freed by defer_free() */
    return true;
}

void waiter_init(struct waiter *waiter)
{
    *waiter = (struct waiter){.thread = current(), .notify = waiter_wake_thread};
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
    reg_t flags = spin_lock_irq(&queue->lock);

    if (queue->waiters.next == NULL)
        list_init(&queue->waiters);
    waiter->queue = queue;
    if (waiter->exclusive)
        list_add_tail(&queue->waiters, &waiter->node);
    else
        list_add(&queue->waiters, &waiter->node);
    spin_unlock_irq(&queue->lock, flags);
}

void waitq_remove(struct waiter *waiter)
{
    struct waitq *queue = smp_load_acquire(&waiter->queue);

    if (queue == NULL)
        return;
    reg_t flags = spin_lock_irq(&queue->lock);

    if (waiter->queue != NULL) {
        list_del(&waiter->node);
        waiter->queue = NULL;
    }
    spin_unlock_irq(&queue->lock, flags);
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    unsigned count = 0;

    /* Pairs with the barriers in thread_prepare_sleep() and waiter_enqueue(): the waiter sees our
     * change, or we see it. */
    smp_mb();
    if (!waitq_active(queue))
        return 0;
    reg_t flags = spin_lock_irq(&queue->lock);
    struct waiter *waiter, *next;

    list_for_each_entry_safe (waiter, next, &queue->waiters, node) {
        bool exclusive = waiter->exclusive;

        if (exclusive && count >= max)
            break;
        if (waiter->notify(waiter, events) && exclusive)
            count++;
    }
    spin_unlock_irq(&queue->lock, flags);
    return count;
}
