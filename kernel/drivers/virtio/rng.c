/* SPDX-License-Identifier: MIT */
/*
 * Virtio entropy device (OASIS Virtual I/O Device 1.2 section 5.4): one buffer at start goes into
 * the pool. Where nothing else has given a seed, the first program waits a moment for it.
 */
#include "virtio.h"

#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/rng.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define SEED_SIZE 64U
#define WAIT_NS   (100 * NS_PER_MS)

struct virtio_rng {
    struct virtio_device *device;
    struct spinlock lock; /* the queue, seed */
    struct virtqueue queue;
    struct waitq answered;
    bool has_answered;
    uint8_t seed[SEED_SIZE];
};

static void rng_interrupt(struct virtio_device *device)
{
    struct virtio_rng *r = device->device.data;
    reg_t flags = spin_lock_irq(&r->lock);
    uint32_t written;

    if (virtqueue_get(&r->queue, &written) != NULL) {
        written = min(written, SEED_SIZE);
        rng_mix(r->seed, written, written * 8);
        memset(r->seed, 0, SEED_SIZE);
        WRITE_ONCE(r->has_answered, true);
        log_info("%s: %u random bytes", device->device.name, written);
    }
    spin_unlock_irq(&r->lock, flags);
    waitq_wake_all(&r->answered);
}

static int start(struct virtio_rng *r)
{
    struct virtio_segment segment = {r->seed, SEED_SIZE};
    int error = virtio_accept(r->device, 0);

    if (error == 0)
        error = virtqueue_init_size(&r->queue, r->device, 0, 2);
    if (error != 0)
        return error;
    r->device->ops->ready(r->device);
    (void)virtqueue_add(&r->queue, &segment, 0, 1, r);
    virtqueue_kick(&r->queue);
    if (!rng_is_seeded() && wait_event(&r->answered, READ_ONCE(r->has_answered),
                                       clock_monotonic_ns() + WAIT_NS, WAIT_UNINTERRUPTIBLE) != 0)
        log_warn("%s: no random numbers after %lu ms; they are mixed in when they come",
                 r->device->device.name, (unsigned long)(WAIT_NS / NS_PER_MS));
    return 0;
}

static int vrng_probe(struct device *base)
{
    struct virtio_rng *r = kzalloc(sizeof(*r));
    int error;

    if (r == NULL)
        return -ENOMEM;
    r->device = virtio_device_of(base);
    spin_init(&r->lock, RANK_DEVICE);
    waitq_init(&r->answered);
    base->data = r;
    r->device->interrupt = rng_interrupt;
    error = start(r);
    if (error != 0)
        kfree(r);
    return error;
}

static const struct match vrng_match[] = {
    {.id = VIRTIO_ID_RNG},
    {0},
};

static const struct driver virtio_rng = {
    .name = "virtio_rng",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = vrng_match,
    .probe = vrng_probe,
};
DRIVER(virtio_rng);
