/* SPDX-License-Identifier: MIT */
/*
 * The class of network devices: their list, the threads that poll them, what the stack is told.
 * One poller at a time has a queue: `busy` says so. Whoever gives it up looks at `pending` and
 * wakes the thread, which sleeps only while there is nothing to do or somebody else does it.
 */
#include <arch/barrier.h>
#include <core/percpu.h>
#include <core/sched.h>
#include <core/thread.h>
#include <device/netdev.h>
#include <lib/errno.h>
#include <lib/printf.h>

#define SERVE_BATCHES 2 /* that a thread polls before it goes on with its own business */

static struct list_node devices = LIST_INIT(devices);
static unsigned device_count;
static const struct netdev_stack *stack;

struct netdev *netdev_next(struct netdev *device)
{
    struct list_node *node = device != NULL ? device->list.next : devices.next;

    return node != &devices ? container_of(node, struct netdev, list) : NULL;
}

void netdev_set_stack(const struct netdev_stack *new_stack)
{
    stack = new_stack;
    for (struct netdev *device = netdev_next(NULL); device != NULL; device = netdev_next(device))
        stack->added(device);
}

__cold int netdev_register(struct netdev *device)
{
    device->index = device_count++;
    snprintf(device->name, sizeof(device->name), "eth%u", device->index);
    for (unsigned i = 0; i < device->queue_count; i++) {
        struct netdev_queue *q = &device->queue[i];

        q->device = device;
        q->index = i;
        q->last = &q->first;
    }
    list_add_tail(&devices, &device->list);
    if (stack != NULL)
        stack->added(device);
    return 0;
}

/* --- polling -----------------------------------------------------------------------------------
 */

static bool take_queue(struct netdev_queue *q)
{
    return atomic_xchg(&q->busy, 1) == 0;
}

static void give_queue(struct netdev_queue *q)
{
    smp_store_release(&q->busy.v, 0);
    smp_mb(); /* pairs with thread_prepare_sleep() in sleep_until_signal() */
    if (READ_ONCE(q->pending) && q->thread != current())
        thread_wake(q->thread);
}

/* One batch, to the stack. The caller has the queue. */
static unsigned poll_once(struct netdev_queue *q)
{
    struct netdev *device = q->device;
    unsigned count = device->ops->poll(device, q->index, NETDEV_BUDGET);
    struct netbuf *first = q->first;

    if (first != NULL) {
        *q->last = NULL;
        q->first = NULL;
        q->last = &q->first;
        stack->input(device, q->index, first);
    }
    if (q->writable) {
        q->writable = false;
        stack->writable(device, q->index);
    }
    return count;
}

static void sleep_until_signal(struct netdev_queue *q)
{
    for (;;) {
        thread_prepare_sleep(WAIT_UNINTERRUPTIBLE);
        if (READ_ONCE(q->pending) && take_queue(q)) {
            thread_cancel_sleep();
            return;
        }
        thread_sleep(WAIT_FOREVER);
    }
}

static void tell_stack(struct netdev *device)
{
    if (READ_ONCE(device->link_changed)) {
        device->link_changed = false;
        smp_mb(); /* a change that comes now is told again */
        stack->link(device);
    }
}

/* Does what was signalled, at most `batches` of it. The caller has the queue. */
static void run_queue(struct netdev_queue *q, unsigned batches)
{
    struct netdev *device = q->device;

    WRITE_ONCE(q->pending, false);
    smp_mb(); /* what is signalled from here on is seen below or comes again */
    while (device->is_open &&
           (poll_once(q) == NETDEV_BUDGET || device->ops->rx_irq(device, q->index, true))) {
        if (--batches == 0) {
            WRITE_ONCE(q->pending, true);
            break;
        }
    }
    if (q->index == 0)
        tell_stack(device);
}

static void queue_thread(void *argument)
{
    struct netdev_queue *q = argument;

    for (;;) {
        sleep_until_signal(q);
        run_queue(q, UINT32_MAX);
        give_queue(q);
    }
}

/* The same in a thread that waits for something, most likely for what comes now: it need not wait
 * for the queue's thread. A busy queue is left to that one. */
static void serve_queue(void *argument)
{
    struct netdev_queue *q = argument;

    if (!take_queue(q))
        return;
    run_queue(q, SERVE_BATCHES);
    give_queue(q);
}

void netdev_signal(struct netdev *device, unsigned queue)
{
    struct netdev_queue *q = &device->queue[queue];

    WRITE_ONCE(q->pending, true);
    if (q->thread != NULL && !sched_serve(serve_queue, q, q->thread))
        thread_wake(q->thread);
}

void netdev_set_link(struct netdev *device, bool up)
{
    if (device->link_up == up)
        return;
    device->link_up = up;
    WRITE_ONCE(device->link_changed, true);
    netdev_signal(device, 0);
}

/* --- for the stack ------------------------------------------------------------------------------
 */

static int start_threads(struct netdev *device)
{
    for (unsigned i = 0; i < device->queue_count; i++) {
        struct netdev_queue *q = &device->queue[i];
        char name[NETDEV_NAME_SIZE + 12];
        int error;

        if (q->thread != NULL)
            continue;
        snprintf(name, sizeof(name), "%s/%u", device->name, i);
        error = thread_spawn(name, queue_thread, q, &q->thread);
        if (error != 0)
            return error;
    }
    return 0;
}

__cold int netdev_open(struct netdev *device)
{
    int error;

    if (device->is_open)
        return 0;
    error = start_threads(device);
    if (error == 0)
        error = device->ops->open(device);
    if (error != 0)
        return error;
    device->is_open = true;
    for (unsigned i = 0; i < device->queue_count; i++)
        netdev_signal(device, i); /* the thread turns the interrupt on */
    return 0;
}

__cold void netdev_close(struct netdev *device)
{
    if (!device->is_open)
        return;
    device->is_open = false;
    for (unsigned i = 0; i < device->queue_count; i++) {
        while (!take_queue(&device->queue[i]))
            sched_yield();
    }
    device->ops->close(device);
    for (unsigned i = 0; i < device->queue_count; i++)
        give_queue(&device->queue[i]);
}

__cold void netdev_get_stats(const struct netdev *device, struct netdev_stats *sum)
{
    *sum = (struct netdev_stats){0};
    for (unsigned i = 0; i < device->queue_count; i++) {
        const struct netdev_stats *s = &device->queue[i].stats;

        sum->rx_packets += s->rx_packets;
        sum->rx_bytes += s->rx_bytes;
        sum->tx_packets += s->tx_packets;
        sum->tx_bytes += s->tx_bytes;
        sum->rx_dropped += s->rx_dropped;
        sum->rx_errors += s->rx_errors;
        sum->tx_dropped += s->tx_dropped;
        sum->tx_errors += s->tx_errors;
        sum->multicast += s->multicast;
        sum->copied += s->copied;
    }
}
