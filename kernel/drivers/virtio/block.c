/* SPDX-License-Identifier: MIT */
/*
 * Virtio block device (OASIS Virtual I/O Device 1.2 section 5.2): read, write, flush, discard and
 * write zeroes over its first queue.
 */
#include "virtio.h"

#include <core/lock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/blkdev.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/page.h>
#include <mm/slab.h>

#define F_SIZE_MAX     1
#define F_SEG_MAX      2
#define F_RO           5
#define F_BLK_SIZE     6
#define F_FLUSH        9
#define F_DISCARD      13
#define F_WRITE_ZEROES 14

#define CONFIG_CAPACITY    0
#define CONFIG_SIZE_MAX    8
#define CONFIG_SEG_MAX     12
#define CONFIG_BLK_SIZE    20
#define CONFIG_DISCARD_MAX 36
#define CONFIG_ZEROES_MAX  48

/* Section 5.2.6: by enum blk_op. */
static const uint32_t types[] = {0, 1, 4, 11, 13, 8};

#define STATUS_OK          0
#define STATUS_UNSUPPORTED 2

#define QUEUE_SIZE   128U
#define SEGMENTS_MAX 32U /* pages of a request: 128 KiB */
#define SLOTS        16U /* requests with the device at a time */
#define TABLE_LEAST  4U  /* pieces that are worth a table: a page is three */

struct range {
    uint64_t sector;
    uint32_t sector_count, flags;
};

/* What the device reads and writes besides the pages. */
struct slot {
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    struct range range;
    uint8_t status;
    struct blk_request *request;
    uint32_t data_room; /* bytes that the device may write before the status */
    struct slot *next;
};

struct virtio_block {
    struct blkdev disk;
    struct virtio_device *device;
    struct spinlock lock; /* the rest */
    struct virtqueue queue;
    struct slot slot[SLOTS];
    struct slot *idle;
    bool is_dead;
};

static struct virtio_block *block_of(struct blkdev *dev)
{
    return container_of(dev, struct virtio_block, disk);
}

static unsigned fill_segments(struct slot *slot, struct virtio_segment *segment)
{
    const struct blk_request *request = slot->request;
    unsigned n = 0;

    segment[n++] = (struct virtio_segment){&slot->header, sizeof(slot->header)};
    for (unsigned i = 0; i < request->page_count; i++) {
        const struct page_vec *vec = &request->pages[i];

        segment[n++] = (struct virtio_segment){page_virt(vec->page) + vec->offset, vec->length};
    }
    if (request->op == BLK_DISCARD || request->op == BLK_WRITE_ZEROES) {
        slot->range = (struct range){request->sector, (uint32_t)request->sector_count, 0};
        segment[n++] = (struct virtio_segment){&slot->range, sizeof(slot->range)};
    }
    segment[n++] = (struct virtio_segment){&slot->status, 1};
    return n;
}

static bool has_data_in(const struct blk_request *request)
{
    return request->op == BLK_READ || request->op == BLK_IDENTIFY;
}

static int vblk_submit(struct blkdev *dev, struct blk_request *request)
{
    struct virtio_block *b = block_of(dev);
    struct virtio_segment segment[SEGMENTS_MAX + 2];
    reg_t flags = spin_lock_irq(&b->lock);
    struct slot *slot = b->idle;
    int error = b->is_dead || b->disk.has_failed ? -EIO : slot == NULL ? -EAGAIN : 0;

    if (error == 0) {
        unsigned count, writes;

        slot->request = request;
        slot->header.type = types[request->op];
        slot->header.sector =
            request->op == BLK_READ || request->op == BLK_WRITE ? request->sector : 0;
        slot->status = 0xff; /* none of the device's */
        count = fill_segments(slot, segment);
        writes = has_data_in(request) ? count - 1 : 1;
        slot->data_room = 0;
        for (unsigned i = count - writes; i + 1 < count; i++)
            slot->data_room += segment[i].size;
        error = virtqueue_add(&b->queue, segment, count - writes, writes, slot);
    }
    if (error == 0) {
        b->idle = slot->next;
        virtqueue_kick(&b->queue);
    }
    spin_unlock_irq(&b->lock, flags);
    return error;
}

/* Old devices count as they like (section 2.7.8.2); whether the status counts differs, too. */
static int result_of(const struct virtio_block *b, const struct slot *slot, uint32_t written)
{
    uint8_t status = READ_ONCE(slot->status);

    if (status != STATUS_OK)
        return status == STATUS_UNSUPPORTED ? -EOPNOTSUPP : -EIO;
    if (!virtio_has(b->device, VIRTIO_F_VERSION_1) ||
        (written >= slot->data_room && written <= slot->data_room + 1))
        return 0;
    log_error("%s: the device wrote %u bytes, expected %u", b->disk.name, written,
              slot->data_room + 1);
    return -EIO;
}

static void finish(struct virtio_block *b, struct slot *slot, int error)
{
    struct blk_request *request = slot->request;

    slot->next = b->idle;
    b->idle = slot;
    request->done(request, error);
}

static void wake(struct virtio_block *b)
{
    waitq_wake_all(&b->disk.finished);
    waitq_wake_all(&b->disk.room);
}

static void vblk_interrupt(struct virtio_device *device)
{
    struct virtio_block *b = device->device.data;
    reg_t flags = spin_lock_irq(&b->lock);
    struct slot *slot;
    uint32_t written;

    do {
        while (!b->is_dead && (slot = virtqueue_get(&b->queue, &written)) != NULL)
            finish(b, slot, result_of(b, slot, written));
        virtqueue_interrupts(&b->queue, true);
    } while (!b->is_dead && !b->queue.is_broken && virtqueue_has_news(&b->queue));
    if (b->queue.is_broken)
        WRITE_ONCE(b->disk.has_failed, true);
    spin_unlock_irq(&b->lock, flags);
    wake(b);
}

static void vblk_config_changed(struct virtio_device *device)
{
    struct virtio_block *b = device->device.data;
    uint64_t sector_count;

    if (device->ops->needs_reset(device)) {
        WRITE_ONCE(b->disk.has_failed, true); /* who waits resets it */
        wake(b);
        return;
    }
    device->ops->config_read(device, CONFIG_CAPACITY, &sector_count, sizeof(sector_count));
    blkdev_resize(&b->disk, sector_count);
}

/* Memory that requests name is theirs again when `finished` is woken: the device was reset, which
 * takes its time and so is done without the lock. */
static void vblk_give_up(struct blkdev *dev)
{
    struct virtio_block *b = block_of(dev);
    reg_t flags = spin_lock_irq(&b->lock);
    bool was_dead = b->is_dead;
    struct slot *slot;

    b->is_dead = true; /* nothing is given to the device or taken from it any more */
    spin_unlock_irq(&b->lock, flags);
    if (was_dead)
        return;
    b->device->ops->reset(b->device);
    flags = spin_lock_irq(&b->lock);
    while ((slot = virtqueue_take_unused(&b->queue)) != NULL)
        finish(b, slot, -EIO);
    spin_unlock_irq(&b->lock, flags);
    wake(b);
}

static const struct blkdev_ops vblk_ops = {.submit = vblk_submit, .give_up = vblk_give_up};

static uint32_t config_u32(struct virtio_device *device, unsigned offset)
{
    uint32_t value = 0;

    device->ops->config_read(device, offset, &value, sizeof(value));
    return value;
}

static int read_config(struct virtio_block *b)
{
    struct virtio_device *device = b->device;
    struct blkdev *disk = &b->disk;
    uint32_t segments = SEGMENTS_MAX;

    device->ops->config_read(device, CONFIG_CAPACITY, &disk->sector_count, 8);
    disk->block_size =
        virtio_has(device, F_BLK_SIZE) ? config_u32(device, CONFIG_BLK_SIZE) : SECTOR_SIZE;
    if (virtio_has(device, F_SEG_MAX))
        segments = min(segments, config_u32(device, CONFIG_SEG_MAX));
    disk->pages_max = min(segments, QUEUE_SIZE / 2 - 2);
    disk->is_read_only = virtio_has(device, F_RO);
    disk->has_cache = virtio_has(device, F_FLUSH);
    if (virtio_has(device, F_DISCARD))
        disk->discard_sectors = config_u32(device, CONFIG_DISCARD_MAX);
    if (virtio_has(device, F_WRITE_ZEROES))
        disk->zeroes_sectors = config_u32(device, CONFIG_ZEROES_MAX);
    if (virtio_has(device, F_SIZE_MAX) && config_u32(device, CONFIG_SIZE_MAX) < PAGE_SIZE) {
        log_error("%s: the disk takes %u bytes at a time, expected at least %lu; not used",
                  device->device.name, config_u32(device, CONFIG_SIZE_MAX),
                  (unsigned long)PAGE_SIZE);
        return -EINVAL;
    }
    return 0;
}

static int start(struct virtio_block *b)
{
    static const uint64_t wanted = BIT64(F_SIZE_MAX) | BIT64(F_SEG_MAX) | BIT64(F_RO) |
                                   BIT64(F_BLK_SIZE) | BIT64(F_FLUSH) | BIT64(F_DISCARD) |
                                   BIT64(F_WRITE_ZEROES) | BIT64(VIRTIO_RING_F_EVENT_IDX);
    int error = virtio_accept(b->device, wanted);

    if (error == 0)
        error = read_config(b);
    if (error == 0)
        error = virtqueue_init_size(&b->queue, b->device, 0, QUEUE_SIZE);
    if (error != 0)
        return error;
    virtqueue_add_tables(&b->queue, SLOTS, TABLE_LEAST, SEGMENTS_MAX + 2);
    b->disk.pages_max = min(b->disk.pages_max, b->queue.size > 3 ? b->queue.size - 2 : 1);
    for (unsigned i = 0; i < SLOTS; i++) {
        b->slot[i].next = b->idle;
        b->idle = &b->slot[i];
    }
    b->device->ops->ready(b->device);
    virtqueue_describe(&b->queue, 1);
    error = blkdev_register(&b->disk);
    if (error != 0) {
        b->device->ops->reset(b->device);
        virtqueue_free(&b->queue);
    } else {
        b->device->config_changed = vblk_config_changed;
    }
    return error;
}

static __cold int vblk_probe(struct device *base)
{
    struct virtio_block *b = kzalloc(sizeof(*b));
    int error;

    if (b == NULL)
        return -ENOMEM;
    b->device = virtio_device_of(base);
    b->disk.ops = &vblk_ops;
    spin_init(&b->lock, RANK_DEVICE);
    base->data = b;
    b->device->interrupt = vblk_interrupt;
    error = start(b);
    if (error != 0)
        kfree(b);
    return error;
}

static const struct match vblk_match[] = {
    {.id = VIRTIO_ID_BLOCK},
    {0},
};

static const struct driver virtio_block = {
    .name = "virtio_block",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = vblk_match,
    .probe = vblk_probe,
};
DRIVER(virtio_block);
