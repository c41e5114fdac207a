/* SPDX-License-Identifier: MIT */
/* eventfd(2). */
#include <arch/barrier.h>
#include <core/lock.h>
#include <core/wait.h>
#include <file/eventfd.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
    struct spinlock lock; /* interrupts off: signalled from any context */
    uint64_t count;
    bool is_semaphore;
    struct waitq readable, writable;
};

static const struct file_ops eventfd_ops;

/* Take the counter, or one from it. False when it is 0. */
static bool take(struct eventfd *event, uint64_t *value)
{
    reg_t flags = spin_lock_irq(&event->lock);

    *value = event->is_semaphore && event->count != 0 ? 1 : event->count;
    event->count -= *value;
    spin_unlock_irq(&event->lock, flags);
    return *value != 0;
}

/* Add unless that would overflow; 0 always fits. */
static bool give(struct eventfd *event, uint64_t value)
{
    reg_t flags = spin_lock_irq(&event->lock);
    bool fits = value <= COUNT_MAX - event->count;

    if (fits)
        event->count += value;
    spin_unlock_irq(&event->lock, flags);
    return fits;
}

static void wake(struct waitq *queue, unsigned events)
{
    smp_mb(); /* pairs with a waiter's between queueing and testing */
    if (waitq_active(queue))
        waitq_wake(queue, 1, events);
}

static ssize_t eventfd_read(struct file *file, struct io *io)
{
    struct eventfd *event = file->data;
    uint64_t value;
    int error;

    if (io_left(io) < sizeof(value))
        return -EINVAL;
    if (!take(event, &value)) {
        if (io->flags & IO_NOWAIT)
            return -EAGAIN;
        error = wait_event_exclusive(&event->readable, take(event, &value), WAIT_FOREVER,
                                     WAIT_INTERRUPTIBLE);
        if (error != 0) {
            if (READ_ONCE(event->count) !=
                0) /* a wake that came too late for us is the next one's */
                wake(&event->readable, POLL_READABLE);
            return error;
        }
    }
    wake(&event->writable, POLL_WRITABLE);
    if (READ_ONCE(event->count) != 0)
        wake(&event->readable, POLL_READABLE);
    return io_put(io, &value, sizeof(value)) != 0 ? -EFAULT : (ssize_t)sizeof(value);
}

static ssize_t eventfd_write(struct file *file, struct io *io)
{
    struct eventfd *event = file->data;
    uint64_t value;
    int error;

    if (io_left(io) < sizeof(value))
        return -EINVAL;
    if (io_get(io, &value, sizeof(value)) != 0)
        return -EFAULT;
    if (value == UINT64_MAX)
        return -EINVAL;
    if (!give(event, value)) {
        if (io->flags & IO_NOWAIT)
            return -EAGAIN;
        error = wait_event_exclusive(&event->writable, give(event, value), WAIT_FOREVER,
                                     WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
    wake(&event->readable, POLL_READABLE);
    return sizeof(value);
}

static unsigned eventfd_poll(struct file *file, struct poll_waiter *pw)
{
    struct eventfd *event = file->data;
    uint64_t count;

    poll_add(pw, &event->readable);
    poll_add(pw, &event->writable);
    count = READ_ONCE(event->count);
    return (count != 0 ? POLL_READABLE : 0) | (count < COUNT_MAX ? POLL_WRITABLE : 0) |
           (count == UINT64_MAX ? POLLERR : 0);
}

static void eventfd_show(struct file *file, struct text_sink *sink)
{
    struct eventfd *event = file->data;

    sink->print(sink, "eventfd-count: %16llx\n", (unsigned long long)READ_ONCE(event->count));
}

static void eventfd_release(struct file *file)
{
    kfree(file->data);
}

static const struct file_ops eventfd_ops = {
    .name = "anon_inode:[eventfd]",
    .mode = 0600,
    .flags = FILE_OPS_STREAM,
    .read = eventfd_read,
    .write = eventfd_write,
    .poll = eventfd_poll,
    .show = eventfd_show,
    .release = eventfd_release,
};

struct file *eventfd_create(uint64_t initial, bool semaphore, unsigned flags)
{
    struct eventfd *event = kzalloc(sizeof(*event));
    struct file *file;

    if (event == NULL)
        return NULL;
    spin_init(&event->lock, RANK_EVENT);
    waitq_init(&event->readable);
    waitq_init(&event->writable);
    event->count = initial;
    event->is_semaphore = semaphore;
    file = file_create(&eventfd_ops, event, O_RDWR | (flags & O_NONBLOCK));
    if (file == NULL)
        kfree(event);
    return file;
}

bool eventfd_is(const struct file *file)
{
    return file->ops == &eventfd_ops;
}

void eventfd_signal(struct file *file, uint64_t add)
{
    struct eventfd *event = file->data;
    reg_t flags = spin_lock_irq(&event->lock);

    event->count = add > COUNT_MAX - event->count ? COUNT_MAX : event->count + add;
    spin_unlock_irq(&event->lock, flags);
    wake(&event->readable, POLL_READABLE);
}
