/* SPDX-License-Identifier: MIT */
/* One worker thread for short jobs. */
#include <core/lock.h>
#include <core/thread.h>
#include <core/work.h>

static struct spinlock lock = SPINLOCK_INIT(RANK_TIMER);
static struct list_node queue = LIST_INIT(queue);
static bool started;         /* lock: there is the worker */
static struct thread worker; /* asleep from the start, until there is work */

void work_init(struct work *work, void (*run)(struct work *work))
{
    list_init(&work->node);
    work->run = run;
    work->queued = false;
}

bool work_queue(struct work *work)
{
    reg_t flags = spin_lock_irq(&lock);
    bool added = !work->queued, wakes = added && started;

    if (added) {
        work->queued = true;
        list_add_tail(&queue, &work->node);
    }
    spin_unlock_irq(&lock, flags);
    if (wakes)
        thread_wake(&worker);
    return added;
}

static struct work *take(void)
{
    reg_t flags = spin_lock_irq(&lock);
    struct work *work = NULL;

    if (!list_empty(&queue)) {
        work = container_of(queue.next, struct work, node);
        list_del(&work->node);
        work->queued = false;
    }
    spin_unlock_irq(&lock, flags);
    return work;
}

static void work_loop(void *argument)
{
    (void)argument;
    for (;;) {
        thread_prepare_sleep(WAIT_UNINTERRUPTIBLE);
        struct work *work = take();

        if (work == NULL) {
            thread_sleep(WAIT_FOREVER);
            continue;
        }
        thread_cancel_sleep();
        work->run(work);
    }
}

int work_init_worker(void)
{
    int error = thread_create(&worker, "worker", work_loop, NULL);

    if (error != 0)
        return error;
    thread_start_asleep(&worker);
    reg_t flags = spin_lock_irq(&lock); /* who sees `started` sees the thread, too */
    bool waits = !list_empty(&queue);   /* who queued before found no thread */

    started = true;
    spin_unlock_irq(&lock, flags);
    if (waits)
        thread_wake(&worker);
    return 0;
}
