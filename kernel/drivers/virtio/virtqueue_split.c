/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (OASIS Virtual I/O Device 1.2 section 2.7), in the layout that old and new
 * devices share (2.7.2): descriptors and available ring, then from the next page on the used ring.
 */
#include "virtqueue.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <mm/page.h>

#define NO_INTERRUPT 1U
#define NO_NOTIFY    1U

static size_t used_offset(unsigned size)
{
    size_t available = size * sizeof(struct vring_descriptor) + 6 + 2 * (size_t)size;

    return align_up(available, (size_t)PAGE_SIZE);
}

static __cold size_t split_bytes(unsigned size)
{
    if (size == 0 || !is_power_of_two(size))
        return 0;
    return used_offset(size) + 6 + size * sizeof(struct vring_used_entry);
}

static __cold void split_lay_out(struct virtqueue *queue, void *memory)
{
    unsigned size = queue->size;

    queue->descriptor = memory;
    queue->available = memory + size * sizeof(struct vring_descriptor);
    queue->used = memory + used_offset(size);
    for (unsigned i = 0; i < size; i++)
        queue->descriptor[i].next = (uint16_t)(i + 1);
}

/* --- to the device ------------------------------------------------------------------------------
 */

static void publish(struct virtqueue *queue, uint16_t head)
{
    struct vring_available *available = queue->available;
    uint16_t added = queue->added;

    available->ring[added & (queue->size - 1)] = head;
    queue->added = ++added;
    dma_wmb(); /* the device reads the entry only after it sees the index */
    WRITE_ONCE(available->index, added);
}

/* All pieces in a table, which takes one descriptor (section 2.7.5.3). */
static __noinline int add_table(struct virtqueue *queue, const struct virtio_segment *segment,
                                unsigned reads, unsigned count, void *cookie)
{
    uint16_t head = queue->free, number = virtqueue_take_table(queue);
    struct vring_descriptor *table = virtqueue_table(queue, number), *d = &queue->descriptor[head];

    for (unsigned i = 0; i < count; i++)
        table[i] = (struct vring_descriptor){
            .address = virt_phys(segment[i].memory),
            .length = segment[i].size,
            .flags = (uint16_t)((i >= reads ? DESCRIPTOR_WRITE : 0) |
                                (i + 1 < count ? DESCRIPTOR_NEXT : 0)),
            .next = (uint16_t)(i + 1),
        };
    d->address = virt_phys(table);
    d->length = count * DESCRIPTOR_SIZE;
    d->flags = DESCRIPTOR_INDIRECT;
    queue->free = d->next;
    queue->free_count--;
    queue->buffer[head] = (struct virtqueue_buffer){cookie, 1, head, number};
    publish(queue, head);
    return 0;
}

static __noinline int add_chain(struct virtqueue *queue, const struct virtio_segment *segment,
                                unsigned reads, unsigned count, void *cookie)
{
    uint16_t head = queue->free, at = head;
    struct vring_descriptor *d;

    if (virtqueue_wants_table(queue, count))
        return add_table(queue, segment, reads, count, cookie);
    if (queue->free_count < count)
        return -EAGAIN;
    for (unsigned i = 0;; at = d->next) {
        uint16_t flags = i >= reads ? DESCRIPTOR_WRITE : 0;

        d = &queue->descriptor[at];
        d->address = virt_phys(segment[i].memory);
        d->length = segment[i].size;
        if (++i == count) {
            d->flags = flags;
            break;
        }
        d->flags = flags | DESCRIPTOR_NEXT;
    }
    queue->free = d->next;
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->buffer[head] = (struct virtqueue_buffer){cookie, (uint16_t)count, at, 0};
    publish(queue, head);
    return 0;
}

/* Most buffers are one piece. */
static int split_add(struct virtqueue *queue, const struct virtio_segment *segment, unsigned reads,
                     unsigned writes, void *cookie)
{
    uint16_t head = queue->free;
    struct vring_descriptor *d = &queue->descriptor[head];

    if (reads + writes != 1)
        return add_chain(queue, segment, reads, reads + writes, cookie);
    if (queue->free_count == 0)
        return -EAGAIN;
    d->address = virt_phys(segment->memory);
    d->length = segment->size;
    d->flags = writes != 0 ? DESCRIPTOR_WRITE : 0;
    queue->free = d->next;
    queue->free_count--;
    queue->buffer[head] = (struct virtqueue_buffer){cookie, 1, head, 0};
    publish(queue, head);
    return 0;
}

/* Where the device keeps the index at which it wants to be told (section 2.7.10). */
static uint16_t available_event(const struct virtqueue *queue)
{
    return READ_ONCE(*(const uint16_t *)&queue->used->ring[queue->size]);
}

static void split_kick(struct virtqueue *queue)
{
    uint16_t before = queue->kicked, now = queue->added;

    if (before == now)
        return;
    queue->kicked = now;
    dma_mb(); /* the index is written before the device's wish is read */
    if (queue->has_events ? (uint16_t)(now - available_event(queue) - 1) < (uint16_t)(now - before)
                          : !(READ_ONCE(queue->used->flags) & NO_NOTIFY))
        queue->device->ops->notify(queue->device, queue->index);
}

/* --- from the device ----------------------------------------------------------------------------
 */

static __always_inline void give_back(struct virtqueue *queue, unsigned head)
{
    struct virtqueue_buffer *buffer = &queue->buffer[head];

    queue->descriptor[buffer->last].next = queue->free;
    queue->free = (uint16_t)head;
    queue->free_count = (uint16_t)(queue->free_count + buffer->count);
    buffer->cookie = NULL;
    virtqueue_give_table(queue, buffer);
}

static void *split_get(struct virtqueue *queue, uint32_t *written)
{
    uint16_t seen = queue->seen;
    struct vring_used_entry *entry;
    uint32_t number;
    void *cookie;

    if (READ_ONCE(queue->used->index) == seen || unlikely(queue->is_broken))
        return NULL;
    dma_rmb(); /* pairs with the device's: entry and data before the index */
    entry = &queue->used->ring[seen & (queue->size - 1)];
    number = READ_ONCE(entry->id);
    cookie = number < queue->size ? queue->buffer[number].cookie : NULL;
    if (unlikely(cookie == NULL))
        return virtqueue_break(queue, number);
    *written = READ_ONCE(entry->length);
    queue->seen = (uint16_t)(seen + 1);
    give_back(queue, number);
    return cookie;
}

static bool split_has_news(const struct virtqueue *queue)
{
    return READ_ONCE(queue->used->index) != READ_ONCE(queue->seen);
}

/* With the event index 'off' costs nothing: the index lies behind once it has been passed. */
static void split_interrupts(struct virtqueue *queue, bool on)
{
    if (queue->has_events)
        WRITE_ONCE(queue->available->ring[queue->size],
                   (uint16_t)(on ? queue->seen : queue->seen - 1));
    else
        WRITE_ONCE(queue->available->flags, on ? 0 : NO_INTERRUPT);
    if (on)
        dma_mb(); /* before the caller looks once more for what came meanwhile */
}

static __cold void split_give(struct virtqueue *queue, unsigned number)
{
    give_back(queue, number);
}

const struct virtqueue_ops virtqueue_split = {
    .bytes = split_bytes,
    .lay_out = split_lay_out,
    .add = split_add,
    .get = split_get,
    .kick = split_kick,
    .has_news = split_has_news,
    .interrupts = split_interrupts,
    .give = split_give,
};
