/* SPDX-License-Identifier: MIT */
/*
 * Virtio entropy device (OASIS Virtual I/O Device 1.2 section 5.4): one buffer at start goes into
 * the pool; where nothing else has given a seed, the first program waits a moment for it. What
 * programs read of /dev/hwrng comes straight from the first such device.
 */
#include "virtio.h"

#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/rng.h>
#include <file/file.h>
#include <file/io.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define BUFFER_SIZE 64U
#define WAIT_NS     (100 * NS_PER_MS)
#define MISC_MAJOR  10U
#define HWRNG_MINOR 183U /* as on Linux */

struct virtio_rng {
    struct virtio_device *device;
    struct mutex read_lock; /* one reader asks at a time; before `lock` */
    struct waitq answered;
    struct spinlock lock; /* the rest */
    struct virtqueue queue;
    bool is_seed;  /* what was asked for goes into the pool */
    bool is_asked; /* the buffer is with the device, or was not taken yet */
    bool has_answered;
    uint32_t size; /* of the answer */
    uint8_t bytes[BUFFER_SIZE];
};

static void rng_interrupt(struct virtio_device *device)
{
    struct virtio_rng *r = device->device.data;
    reg_t flags = spin_lock_irq(&r->lock);
    uint32_t written;

    if (virtqueue_get(&r->queue, &written) != NULL) {
        r->size = min(written, BUFFER_SIZE);
        if (r->is_seed) {
            rng_mix(r->bytes, r->size, r->size * 8);
            memset(r->bytes, 0, BUFFER_SIZE);
            r->is_seed = r->is_asked = false;
            log_info("%s: %u random bytes", device->device.name, r->size);
        }
        WRITE_ONCE(r->has_answered, true);
    }
    if (r->queue.is_broken)
        WRITE_ONCE(r->has_answered, true);
    spin_unlock_irq(&r->lock, flags);
    waitq_wake_all(&r->answered);
}

/* Unless a buffer is under way already. */
static void ask(struct virtio_rng *r)
{
    struct virtio_segment segment = {r->bytes, BUFFER_SIZE};
    reg_t flags = spin_lock_irq(&r->lock);

    if (!r->is_asked && virtqueue_add(&r->queue, &segment, 0, 1, r) == 0) {
        r->is_asked = true;
        r->has_answered = false;
        virtqueue_kick(&r->queue);
    }
    spin_unlock_irq(&r->lock, flags);
}

/* --- /dev/hwrng ---------------------------------------------------------------------------------
 */

/* Takes the answer, if it is one for a reader. 0: ask again. */
static int take(struct virtio_rng *r, uint8_t *to)
{
    reg_t flags = spin_lock_irq(&r->lock);
    int size = r->queue.is_broken ? -EIO : 0;

    if (size == 0 && r->is_asked && r->has_answered) {
        size = r->size != 0 ? (int)r->size : -EIO;
        memcpy(to, r->bytes, r->size);
        memset(r->bytes, 0, BUFFER_SIZE);
        r->is_asked = false;
    }
    spin_unlock_irq(&r->lock, flags);
    return size;
}

static int fetch(struct virtio_rng *r, uint8_t *to, bool may_wait)
{
    int result;

    mutex_lock(&r->read_lock);
    do {
        ask(r);
        result = wait_event(&r->answered, READ_ONCE(r->has_answered), may_wait ? WAIT_FOREVER : 0,
                            WAIT_INTERRUPTIBLE);
        if (result == 0)
            result = take(r, to);
        else if (!may_wait)
            result = -EAGAIN;
    } while (result == 0);
    mutex_unlock(&r->read_lock);
    return result;
}

static ssize_t hwrng_read(struct file *file, struct io *io)
{
    size_t start = io->done;
    ssize_t moved = 0;

    while (io->left > 0) {
        uint8_t bytes[BUFFER_SIZE];
        size_t piece = io->left;

        moved = fetch(file->data, bytes, !(io->flags & IO_NOWAIT));
        if (moved < 0)
            break;
        piece = min(piece, (size_t)moved);
        moved = io_copy_to(io, bytes, piece);
        memzero_explicit(bytes, sizeof(bytes));
        if (moved < (ssize_t)piece)
            break;
    }
    return io->done > start ? (ssize_t)(io->done - start) : moved;
}

static int64_t hwrng_seek(struct file *file, int64_t offset, int whence)
{
    (void)file, (void)offset, (void)whence;
    return 0;
}

static const struct file_ops hwrng_ops = {
    .flags = FILE_OPS_NOPOS, .read = hwrng_read, .seek = hwrng_seek};

static int hwrng_open(struct file *file, void *data)
{
    file->data = data;
    return file->access & FILE_WRITE ? -EINVAL : 0;
}

static void register_device(struct virtio_rng *r)
{
    static bool is_there;
    struct char_device device = {.ops = &hwrng_ops,
                                 .open = hwrng_open,
                                 .data = r,
                                 .major = MISC_MAJOR,
                                 .minor = HWRNG_MINOR};

    if (is_there || dev_register("hwrng", 0600, &device) != 0)
        return;
    is_there = true;
    (void)pseudo_register_text(PSEUDO_SYS, "class/misc/hw_random/rng_available", "virtio_rng.0\n");
    (void)pseudo_register_text(PSEUDO_SYS, "class/misc/hw_random/rng_current", "virtio_rng.0\n");
}

/* --- start --------------------------------------------------------------------------------------
 */

static int start(struct virtio_rng *r)
{
    int error = virtio_accept(r->device, 0);

    if (error == 0)
        error = virtqueue_init_size(&r->queue, r->device, 0, 2);
    if (error != 0)
        return error;
    r->device->interrupt = rng_interrupt;
    r->device->ops->ready(r->device);
    r->is_seed = true;
    ask(r);
    register_device(r);
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
    mutex_init(&r->read_lock, RANK_DEVICE_COMMAND);
    spin_init(&r->lock, RANK_DEVICE);
    waitq_init(&r->answered);
    base->data = r;
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
