/* SPDX-License-Identifier: MIT */
/* eventfd(2). */
#include <arch/barrier.h>
#include <core/wait.h>
#include <file/eventfd.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define COUNT_MAX (UINT64_MAX - 1)

struct eventfd {
    atomic64_t count; /* as unsigned; the only state, changed by exchange */
    bool is_semaphore;
    atomic_t blocked_writers;
    struct waitq readable, writable;
};

static const struct file_ops eventfd_ops;

/* Take the counter, or one from it. False when it is 0. */
static bool take(struct eventfd *event, uint64_t *value)
{
    uint64_t old = (uint64_t)atomic64_read(&event->count);

    if (!event->is_semaphore) {
        *value = old != 0 ? (uint64_t)atomic64_xchg(&event->count, 0) : 0;
        return *value != 0;
    }
    while (old != 0) {
        uint64_t seen = (uint64_t)atomic64_cmpxchg(&event->count, (int64_t)old, (int64_t)(old - 1));

        *value = 1;
        if (seen == old)
            return true;
        old = seen;
    }
    return false;
}

/* Add unless that would overflow (0 always fits), or as much as fits. */
static bool give(struct eventfd *event, uint64_t value)
{
    uint64_t old = (uint64_t)atomic64_read(&event->count);

    while (value <= COUNT_MAX - old) {
        uint64_t seen =
            (uint64_t)atomic64_cmpxchg(&event->count, (int64_t)old, (int64_t)(old + value));

        if (seen == old)
            return true;
        old = seen;
    }
    return false;
}

static inline void wake(struct waitq *queue, unsigned events)
{
    smp_mb(); /* pairs with a waiter's between queueing and testing */
    if (waitq_active(queue))
        waitq_wake(queue, 1, events);
}

/* Room was made. Who polls for it cares only when there was none at all; writers wait for any. */
static inline void wake_writers(struct eventfd *event, uint64_t taken)
{
    uint64_t left = event->is_semaphore ? (uint64_t)atomic64_read(&event->count) : 0;

    smp_mb(); /* pairs with the one in give_or_wait() */
    if (unlikely(taken + left >= COUNT_MAX || atomic_read(&event->blocked_writers) != 0))
        waitq_wake(&event->writable, UINT32_MAX, POLL_WRITABLE);
}

static int give_or_wait(struct eventfd *event, uint64_t value)
{
    int error;

    atomic_inc(&event->blocked_writers);
    smp_mb();
    error = wait_event(&event->writable, give(event, value), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
    atomic_dec(&event->blocked_writers);
    return error;
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
            if (atomic64_read(&event->count) !=
                0) /* a wake that came too late for us is the next one's */
                wake(&event->readable, POLL_READABLE);
            return error;
        }
    }
    wake_writers(event, value);
    if (event->is_semaphore && atomic64_read(&event->count) != 0)
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
    if (unlikely(!give(event, value))) {
        if (io->flags & IO_NOWAIT)
            return -EAGAIN;
        error = give_or_wait(event, value);
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
    count = (uint64_t)atomic64_read(&event->count);
    return (count != 0 ? POLL_READABLE : 0) | (count < COUNT_MAX ? POLL_WRITABLE : 0) |
           (count == UINT64_MAX ? POLLERR : 0);
}

static void eventfd_show(struct file *file, struct text_sink *sink)
{
    struct eventfd *event = file->data;

    sink->print(sink, "eventfd-count: %16llx\n", (unsigned long long)atomic64_read(&event->count));
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
    waitq_init(&event->readable);
    waitq_init(&event->writable);
    atomic64_set(&event->count, (int64_t)initial);
    event->is_semaphore = semaphore;
    file = file_create(&eventfd_ops, event, O_RDWR | (flags & O_NONBLOCK));
    if (file == NULL)
        kfree(event);
    return file;
}
