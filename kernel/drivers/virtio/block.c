/* SPDX-License-Identifier: MIT */
/*
 * The requests of a virtio block device (OASIS Virtual I/O Device 1.2 section 5.2): read, write,
 * flush, discard, write zeroes, over the queue of the CPU that asks. block_setup.c has the rest.
 */
#include "block.h"

#include <core/log.h>
#include <core/percpu.h>
#include <core/wait.h>
#include <lib/errno.h>
#include <mm/page.h>

/* Section 5.2.6: by enum blk_op. */
static const uint32_t types[] = {0, 1, 4, 11, 13, 8};

#define STATUS_OK          0
#define STATUS_UNSUPPORTED 2

static struct virtio_block *block_of(struct blkdev *dev)
{
    return container_of(dev, struct virtio_block, disk);
}

static unsigned fill_segments(struct block_slot *slot, struct virtio_segment *segment)
{
    const struct blk_request *request = slot->request;
    unsigned n = 0;

    segment[n++] = (struct virtio_segment){&slot->header, sizeof(slot->header)};
    for (unsigned i = 0; i < request->page_count; i++) {
        const struct page_vec *vec = &request->pages[i];

        segment[n++] = (struct virtio_segment){page_virt(vec->page) + vec->offset, vec->length};
    }
    if (request->op == BLK_DISCARD || request->op == BLK_WRITE_ZEROES) {
        slot->range = (struct block_range){request->sector, (uint32_t)request->sector_count, 0};
        segment[n++] = (struct virtio_segment){&slot->range, sizeof(slot->range)};
    }
    segment[n++] = (struct virtio_segment){&slot->status, 1};
    return n;
}

static bool has_data_in(const struct blk_request *request)
{
    return request->op == BLK_READ || request->op == BLK_IDENTIFY;
}

static void fill_slot(struct block_slot *slot, struct blk_request *request)
{
    slot->request = request;
    slot->header.type = types[request->op];
    slot->header.sector = request->op == BLK_READ || request->op == BLK_WRITE ? request->sector : 0;
    slot->status = 0xff; /* none of the device's */
}

static int submit_to(struct block_queue *q, struct blk_request *request)
{
    struct virtio_segment segment[BLOCK_SEGMENTS_MAX + 2];
    struct block_slot *slot = q->idle;
    unsigned count, writes;
    int error;

    if (q->is_dead || q->block->disk.has_failed)
        return -EIO;
    if (slot == NULL)
        return -EAGAIN;
    fill_slot(slot, request);
    count = fill_segments(slot, segment);
    writes = has_data_in(request) ? count - 1 : 1;
    slot->data_room = 0;
    for (unsigned i = count - writes; i + 1 < count; i++)
        slot->data_room += segment[i].size;
    error = virtqueue_add(&q->queue, segment, count - writes, writes, slot);
    if (error != 0)
        return error;
    q->idle = slot->next;
    virtqueue_kick(&q->queue);
    return 0;
}

static int block_submit(struct blkdev *dev, struct blk_request *request)
{
    struct virtio_block *b = block_of(dev);
    struct block_queue *q = &b->queue[this_cpu()->id % b->queue_count];
    reg_t flags = spin_lock_irq(&q->lock);
    int error = submit_to(q, request);

    spin_unlock_irq(&q->lock, flags);
    return error;
}

/* Old devices count as they like (section 2.7.8.2); whether the status counts differs, too. */
static int result_of(const struct virtio_block *b, const struct block_slot *slot, uint32_t written)
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

static void finish(struct block_queue *q, struct block_slot *slot, int error)
{
    struct blk_request *request = slot->request;

    slot->next = q->idle;
    q->idle = slot;
    request->done(request, error);
}

void block_wake(struct virtio_block *b)
{
    waitq_wake_all(&b->disk.finished);
    waitq_wake_all(&b->disk.room);
}

/* Whether something has ended. */
static bool take_all(struct block_queue *q)
{
    struct block_slot *slot;
    bool has_ended = false;
    uint32_t written;

    do {
        while (!q->is_dead && (slot = virtqueue_get(&q->queue, &written)) != NULL) {
            finish(q, slot, result_of(q->block, slot, written));
            has_ended = true;
        }
        virtqueue_interrupts(&q->queue, true);
    } while (!q->is_dead && !q->queue.is_broken && virtqueue_has_news(&q->queue));
    if (q->queue.is_broken)
        WRITE_ONCE(q->block->disk.has_failed, true);
    return has_ended || q->queue.is_broken;
}

static bool look(struct block_queue *q)
{
    reg_t flags = spin_lock_irq(&q->lock);
    bool has_ended = take_all(q);

    spin_unlock_irq(&q->lock, flags);
    return has_ended;
}

void block_queue_interrupt(struct virtqueue *queue)
{
    struct block_queue *q = queue->data;

    if (look(q))
        block_wake(q->block);
}

void block_interrupt(struct virtio_device *device)
{
    struct virtio_block *b = device->device.data;
    bool has_ended = false;

    for (unsigned i = 0; i < b->queue_count; i++)
        has_ended |= look(&b->queue[i]);
    if (has_ended)
        block_wake(b);
}

/* Nothing is given to the device or taken from it any more. False: that was so before. */
static bool kill_queue(struct block_queue *q)
{
    reg_t flags = spin_lock_irq(&q->lock);
    bool was_dead = q->is_dead;

    q->is_dead = true;
    spin_unlock_irq(&q->lock, flags);
    return !was_dead;
}

static void end_requests(struct block_queue *q)
{
    reg_t flags = spin_lock_irq(&q->lock);
    struct block_slot *slot;

    while ((slot = virtqueue_take_unused(&q->queue)) != NULL)
        finish(q, slot, -EIO);
    spin_unlock_irq(&q->lock, flags);
}

/* Memory that requests name is theirs again when `finished` is woken: the device was reset, which
 * takes its time and so is done without a lock. The first queue tells who does it. */
static __cold void block_give_up(struct blkdev *dev)
{
    struct virtio_block *b = block_of(dev);

    if (!kill_queue(&b->queue[0]))
        return;
    for (unsigned i = 1; i < b->queue_count; i++)
        kill_queue(&b->queue[i]);
    b->device->ops->reset(b->device);
    for (unsigned i = 0; i < b->queue_count; i++)
        end_requests(&b->queue[i]);
    block_wake(b);
}

const struct blkdev_ops block_ops = {.submit = block_submit, .give_up = block_give_up};
