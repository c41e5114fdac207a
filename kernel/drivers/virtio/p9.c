/* SPDX-License-Identifier: MIT */
/*
 * Virtio 9P transport (OASIS Virtual I/O Device 1.2 has its number only; Linux's virtio_9p.h the
 * rest): one queue, a buffer is a message and the room for its answer. A server that does not
 * answer for half a minute is given up.
 */
#include "virtio.h"

#include <arch/barrier.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/p9dev.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define F_MOUNT_TAG       0
#define CONFIG_TAG_LENGTH 0
#define CONFIG_TAG        2
#define ANSWER_NS         (30 * NS_PER_SECOND)

/* On the asker's stack, which may go once is_done is seen. */
struct request {
    uint32_t written;
    int error;
    bool is_done;
};

struct virtio_p9 {
    struct p9dev dev;
    struct virtio_device *device;
    struct spinlock lock; /* queue, is_dead */
    struct virtqueue queue;
    bool is_dead;
    struct waitq room, finished;
};

static void finish(struct request *request, uint32_t written, int error)
{
    request->written = written;
    request->error = error;
    smp_store_release(&request->is_done, true); /* pairs with the acquire in vp9_request() */
}

static void vp9_interrupt(struct virtio_device *device)
{
    struct virtio_p9 *p = device->device.data;
    reg_t flags = spin_lock_irq(&p->lock);
    struct request *request;
    uint32_t written;

    do {
        while (!p->is_dead && (request = virtqueue_get(&p->queue, &written)) != NULL)
            finish(request, written, 0);
        virtqueue_interrupts(&p->queue, true);
    } while (!p->is_dead && !p->queue.is_broken && virtqueue_has_news(&p->queue));
    spin_unlock_irq(&p->lock, flags);
    waitq_wake_all(&p->finished);
    waitq_wake_all(&p->room);
}

static int submit(struct virtio_p9 *p, const struct virtio_segment *segment,
                  struct request *request)
{
    reg_t flags = spin_lock_irq(&p->lock);
    int error = p->is_dead || p->queue.is_broken ? -EIO : 0;

    if (error == 0)
        error = virtqueue_add(&p->queue, segment, 1, 1, request);
    if (error == 0)
        virtqueue_kick(&p->queue);
    spin_unlock_irq(&p->lock, flags);
    return error;
}

/* Memory of requests is theirs again when this returns. */
static void give_up(struct virtio_p9 *p)
{
    struct request *request;
    bool was_dead;
    reg_t flags = spin_lock_irq(&p->lock);

    was_dead = p->is_dead;
    p->is_dead = true;
    spin_unlock_irq(&p->lock, flags);
    if (was_dead)
        return;
    log_error("9p: share '%s' did not answer for %lu s; it is not used any more", p->dev.tag,
              (unsigned long)(ANSWER_NS / NS_PER_SECOND));
    p->device->ops->reset(p->device);
    flags = spin_lock_irq(&p->lock);
    while ((request = virtqueue_take_unused(&p->queue)) != NULL)
        finish(request, 0, -EIO);
    spin_unlock_irq(&p->lock, flags);
    waitq_wake_all(&p->finished);
    waitq_wake_all(&p->room);
}

static int vp9_request(struct p9dev *dev, void *out, uint32_t out_size, void *in, uint32_t in_size,
                       uint32_t *got)
{
    struct virtio_p9 *p = container_of(dev, struct virtio_p9, dev);
    struct virtio_segment segment[] = {{out, out_size}, {in, in_size}};
    uint64_t deadline = clock_monotonic_ns() + ANSWER_NS;
    struct request request = {0};
    int error = -EAGAIN;

    (void)wait_event(&p->room, (error = submit(p, segment, &request)) != -EAGAIN, deadline,
                     WAIT_UNINTERRUPTIBLE);
    if (error == -EIO)
        return error;
    if (error != 0 || wait_event(&p->finished, smp_load_acquire(&request.is_done), deadline,
                                 WAIT_UNINTERRUPTIBLE) != 0) {
        give_up(p);
        if (error != 0)
            return -EIO;
        (void)wait_event(&p->finished, smp_load_acquire(&request.is_done), WAIT_FOREVER,
                         WAIT_UNINTERRUPTIBLE);
    }
    *got = min(request.written, in_size);
    return request.error;
}

static const struct p9dev_ops vp9_ops = {.request = vp9_request};

static int start(struct virtio_p9 *p)
{
    struct virtio_device *device = p->device;
    uint16_t length = 0;
    int error = virtio_accept(device, BIT64(F_MOUNT_TAG) | BIT64(VIRTIO_RING_F_EVENT_IDX));

    if (error == 0 && virtio_has(device, F_MOUNT_TAG))
        device->ops->config_read(device, CONFIG_TAG_LENGTH, &length, sizeof(length));
    if (error == 0 && (length == 0 || length >= P9_TAG_MAX)) {
        log_error("%s: a share whose name has %u bytes, expected 1 to %u; not used",
                  device->device.name, length, P9_TAG_MAX - 1);
        error = -EINVAL;
    }
    if (error == 0)
        error = virtqueue_init(&p->queue, device, 0);
    if (error != 0)
        return error;
    for (unsigned i = 0; i < length; i++)
        device->ops->config_read(device, CONFIG_TAG + i, &p->dev.tag[i], 1);
    virtqueue_interrupts(&p->queue, true);
    device->ops->ready(device);
    p9dev_register(&p->dev);
    return 0;
}

static int vp9_probe(struct device *base)
{
    struct virtio_p9 *p = kzalloc(sizeof(*p));
    int error;

    if (p == NULL)
        return -ENOMEM;
    p->device = virtio_device_of(base);
    p->dev.ops = &vp9_ops;
    spin_init(&p->lock, RANK_DEVICE);
    waitq_init(&p->room);
    waitq_init(&p->finished);
    base->data = p;
    p->device->interrupt = vp9_interrupt;
    error = start(p);
    if (error != 0)
        kfree(p);
    return error;
}

static const struct match vp9_match[] = {
    {.id = VIRTIO_ID_9P},
    {0},
};

static const struct driver virtio_p9 = {
    .name = "virtio_9p",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = vp9_match,
    .probe = vp9_probe,
};
DRIVER(virtio_p9);
