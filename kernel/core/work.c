/* SPDX-License-Identifier: MIT */
/* One worker thread for short jobs. */
#include <core/lock.h>
#include <core/thread.h>
#include <core/wait.h>
#include <core/work.h>

static struct spinlock lock = SPINLOCK_INIT(RANK_TIMER);
static struct list_node queue = LIST_INIT(queue);
static struct waitq waitq = WAITQ_INIT;

void work_init(struct work *work, void (*run)(struct work *work))
{
    list_init(&work->node);
    work->run = run;
    work->queued = false;
}

bool work_queue(struct work *work)
{
    reg_t flags = spin_lock_irq(&lock);
    bool added = !work->queued;

    if (added) {
        work->queued = true;
        list_add_tail(&queue, &work->node);
    }
    spin_unlock_irq(&lock, flags);
    if (added)
        waitq_wake_all(&waitq);
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
        struct work *work;

        wait_event(&waitq, (work = take()) != NULL, WAIT_FOREVER, WAIT_UNINTERRUPTIBLE);
        work->run(work);
    }
}

int work_init_worker(void)
{
    return thread_spawn("worker", work_loop, NULL, NULL);
}
