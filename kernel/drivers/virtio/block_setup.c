/* SPDX-License-Identifier: MIT */
/*
 * Starts a virtio block device (OASIS Virtual I/O Device 1.2 section 5.2): its configuration, and a
 * queue for each CPU as far as it has them. block.c moves the requests.
 */
#include "block.h"

#include <core/log.h>
#include <core/percpu.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/page.h>
#include <mm/slab.h>

/* Section 5.2.3 */
#define F_SIZE_MAX     1
#define F_SEG_MAX      2
#define F_GEOMETRY     4
#define F_RO           5
#define F_BLK_SIZE     6
#define F_FLUSH        9
#define F_TOPOLOGY     10
#define F_MQ           12
#define F_DISCARD      13
#define F_WRITE_ZEROES 14

#define WANTED                                                                                     \
    (BIT64(F_SIZE_MAX) | BIT64(F_SEG_MAX) | BIT64(F_GEOMETRY) | BIT64(F_RO) | BIT64(F_BLK_SIZE) |  \
     BIT64(F_FLUSH) | BIT64(F_TOPOLOGY) | BIT64(F_MQ) | BIT64(F_DISCARD) | BIT64(F_WRITE_ZEROES) | \
     BIT64(VIRTIO_RING_F_EVENT_IDX))

/* Section 5.2.4 */
#define CONFIG_CAPACITY      0
#define CONFIG_SIZE_MAX      8
#define CONFIG_SEG_MAX       12
#define CONFIG_GEOMETRY      16
#define CONFIG_BLK_SIZE      20
#define CONFIG_PHYSICAL_EXP  24
#define CONFIG_IO_MIN        26
#define CONFIG_IO_OPT        28
#define CONFIG_QUEUES        34
#define CONFIG_DISCARD_MAX   36
#define CONFIG_DISCARD_ALIGN 44
#define CONFIG_ZEROES_MAX    48

#define REQUEST_PIECES 3U  /* header, a page, status: the least that a queue must hold */
#define TABLE_LEAST    4U  /* pieces that are worth a table of indirect descriptors */
#define TABLES         14U /* with BLOCK_SEGMENTS_MAX + 2 entries, in two pages */

static uint32_t config_u32(struct virtio_device *device, unsigned offset)
{
    uint32_t value = 0;

    device->ops->config_read(device, offset, &value, sizeof(value));
    return value;
}

static uint16_t config_u16(struct virtio_device *device, unsigned offset)
{
    uint16_t value = 0;

    device->ops->config_read(device, offset, &value, sizeof(value));
    return value;
}

/* What programs ask for and nobody here needs. */
static void read_topology(struct virtio_device *device, struct blkdev *disk)
{
    struct {
        uint16_t cylinders;
        uint8_t heads, sectors;
    } geometry;
    uint8_t exponent = 0;

    disk->physical_size = disk->io_min = disk->block_size;
    if (virtio_has(device, F_TOPOLOGY)) {
        device->ops->config_read(device, CONFIG_PHYSICAL_EXP, &exponent, 1);
        disk->physical_size = disk->block_size << min(exponent, (uint8_t)8);
        disk->io_min =
            max(config_u16(device, CONFIG_IO_MIN) * disk->block_size, disk->physical_size);
        disk->io_opt = config_u32(device, CONFIG_IO_OPT) * disk->block_size;
    }
    if (virtio_has(device, F_GEOMETRY)) {
        device->ops->config_read(device, CONFIG_GEOMETRY, &geometry, sizeof(geometry));
        disk->cylinders = geometry.cylinders;
        disk->heads = geometry.heads;
        disk->sectors = geometry.sectors;
    }
}

static int read_config(struct virtio_device *device, struct blkdev *disk)
{
    uint32_t segments = BLOCK_SEGMENTS_MAX;

    device->ops->config_read(device, CONFIG_CAPACITY, &disk->sector_count, 8);
    disk->block_size =
        virtio_has(device, F_BLK_SIZE) ? config_u32(device, CONFIG_BLK_SIZE) : SECTOR_SIZE;
    if (virtio_has(device, F_SEG_MAX))
        segments = min(segments, config_u32(device, CONFIG_SEG_MAX));
    disk->pages_max = segments;
    disk->is_read_only = virtio_has(device, F_RO);
    disk->has_cache = virtio_has(device, F_FLUSH);
    if (virtio_has(device, F_DISCARD)) {
        disk->discard_sectors = config_u32(device, CONFIG_DISCARD_MAX);
        disk->discard_align = config_u32(device, CONFIG_DISCARD_ALIGN);
    }
    if (virtio_has(device, F_WRITE_ZEROES))
        disk->zeroes_sectors = config_u32(device, CONFIG_ZEROES_MAX);
    read_topology(device, disk);
    if (virtio_has(device, F_SIZE_MAX) && config_u32(device, CONFIG_SIZE_MAX) < PAGE_SIZE) {
        log_error("%s: the disk takes %u bytes at a time, expected at least %lu; not used",
                  device->device.name, config_u32(device, CONFIG_SIZE_MAX),
                  (unsigned long)PAGE_SIZE);
        return -EINVAL;
    }
    return 0;
}

static int start_queue(struct virtio_block *b, unsigned index)
{
    struct block_queue *q = &b->queue[index];
    int error = virtqueue_init_size(&q->queue, b->device, index, BLOCK_QUEUE_SIZE);

    if (error != 0)
        return error;
    spin_init(&q->lock, RANK_DEVICE);
    q->block = b;
    q->queue.data = q;
    q->queue.interrupt = block_queue_interrupt;
    virtqueue_add_tables(&q->queue, TABLES, TABLE_LEAST, BLOCK_SEGMENTS_MAX + 2);
    for (unsigned i = 0; i < BLOCK_SLOTS; i++) {
        q->slot[i].next = q->idle;
        q->idle = &q->slot[i];
    }
    if (q->queue.size < REQUEST_PIECES) {
        log_error("%s: queue %u has room for %u pieces, expected at least %u; not used",
                  b->device->device.name, index, q->queue.size, REQUEST_PIECES);
        return -EINVAL;
    }
    b->disk.pages_max = min(b->disk.pages_max, q->queue.size - 2);
    return 0;
}

/* Fewer than the device says that it has will do. */
static int start_queues(struct virtio_block *b, unsigned count)
{
    int error = 0;

    for (unsigned i = 0; i < count && error == 0; i++) {
        error = start_queue(b, i);
        if (error == 0 || b->queue[i].queue.size != 0)
            b->queue_count++;
    }
    return b->queue_count > 0 && error != -EINVAL ? 0 : error;
}

/* Each queue interrupts its CPU; an only one has got a CPU in turn with those of other devices. */
static void spread_interrupts(struct virtio_block *b)
{
    unsigned cpu = cpumask_first(&cpu_online_mask);

    if (b->device->ops->queue_affinity == NULL || b->queue_count == 1)
        return;
    for (unsigned i = 0; i < b->queue_count; i++) {
        b->device->ops->queue_affinity(b->device, i, cpu);
        cpu = cpumask_next(&cpu_online_mask, cpu + 1);
    }
}

static void config_changed(struct virtio_device *device)
{
    struct virtio_block *b = device->device.data;
    uint64_t sector_count;

    if (device->ops->needs_reset(device)) {
        WRITE_ONCE(b->disk.has_failed, true); /* who waits resets it */
        block_wake(b);
        return;
    }
    device->ops->config_read(device, CONFIG_CAPACITY, &sector_count, sizeof(sector_count));
    blkdev_resize(&b->disk, sector_count);
}

static int start(struct virtio_block *b, unsigned queue_count)
{
    int error = read_config(b->device, &b->disk);

    if (error == 0)
        error = start_queues(b, queue_count);
    if (error != 0)
        return error;
    b->device->interrupt = block_interrupt;
    b->device->ops->ready(b->device);
    spread_interrupts(b);
    virtqueue_describe(&b->queue[0].queue, b->queue_count);
    error = blkdev_register(&b->disk);
    if (error == 0)
        b->device->config_changed = config_changed;
    return error;
}

static int vblk_probe(struct device *base)
{
    struct virtio_device *device = virtio_device_of(base);
    int error = virtio_accept(device, WANTED);
    struct virtio_block *b;
    unsigned count = 1;

    if (error != 0)
        return error;
    if (virtio_has(device, F_MQ))
        count = max(config_u16(device, CONFIG_QUEUES), (uint16_t)1);
    count = min(min(count, cpumask_weight(&cpu_online_mask)), BLOCK_QUEUES);
    b = kzalloc(sizeof(*b) + count * sizeof(b->queue[0]));
    if (b == NULL)
        return -ENOMEM;
    b->device = device;
    b->disk.ops = &block_ops;
    base->data = b;
    error = start(b, count);
    if (error == 0)
        return 0;
    device->interrupt = NULL;
    device->ops->reset(device);
    for (unsigned i = 0; i < b->queue_count; i++)
        virtqueue_free(&b->queue[i].queue);
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
