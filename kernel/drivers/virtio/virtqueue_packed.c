/* SPDX-License-Identifier: MIT */
/*
 * Packed virtqueues (OASIS Virtual I/O Device 1.2 section 2.8): one ring, which driver and device
 * write in turns. A descriptor is available when its AVAIL flag is that of the driver's round and
 * USED is not, and used when both are that of the device's round (2.8.1). Behind the ring two words
 * say when the driver and when the device want to be told (2.8.10).
 */
#include "virtqueue.h"

#include <lib/errno.h>
#include <mm/page.h>

#define FLAG_AVAIL (1U << 7)
#define FLAG_USED  (1U << 15)
#define FLAG_BOTH  (FLAG_AVAIL | FLAG_USED)

/* A place in the ring with its round in bit 15, then one of these (2.8.14). */
#define EVENT_ENABLE  (0U << 16)
#define EVENT_DISABLE (1U << 16)
#define EVENT_PLACE   (2U << 16)

#define SIZE_MAX_PACKED 32768U

static __cold size_t packed_bytes(unsigned size)
{
    if (size == 0 || size > SIZE_MAX_PACKED)
        return 0;
    return size * sizeof(struct packed_descriptor) + 2 * sizeof(uint32_t);
}

static __cold void packed_lay_out(struct virtqueue *queue, void *memory)
{
    queue->packed = memory;
    queue->driver_event = memory + queue->size * sizeof(struct packed_descriptor);
    queue->device_event = queue->driver_event + 1;
    queue->add_flags = FLAG_AVAIL;
    queue->get_flags = FLAG_BOTH;
    for (unsigned i = 0; i < queue->size; i++)
        queue->buffer[i].last = (uint16_t)(i + 1);
}

/* --- to the device ------------------------------------------------------------------------------
 */

/* The next descriptor of the ring, whose flags are still those of the last round. */
static struct packed_descriptor *fill_next(struct virtqueue *queue, const void *memory,
                                           uint32_t length, uint16_t id)
{
    struct packed_descriptor *d = &queue->packed[queue->next];

    d->address = virt_phys(memory);
    d->length = length;
    d->id = id;
    if (++queue->next == queue->size) {
        queue->next = 0;
        queue->add_flags ^= FLAG_BOTH;
    }
    return d;
}

static void publish(struct virtqueue *queue, struct packed_descriptor *head, unsigned flags,
                    uint16_t id, struct virtqueue_buffer buffer)
{
    queue->free = queue->buffer[id].last;
    queue->free_count = (uint16_t)(queue->free_count - buffer.count);
    queue->added = (uint16_t)(queue->added + buffer.count);
    queue->buffer[id] = buffer;
    dma_wmb(); /* all descriptors are there before the device may begin with the first */
    WRITE_ONCE(head->flags, (uint16_t)flags);
}

/* All pieces in a table, which takes one descriptor (section 2.8.7). */
static __noinline int add_table(struct virtqueue *queue, const struct virtio_segment *segment,
                                unsigned reads, unsigned count, void *cookie)
{
    uint16_t id = queue->free, number = virtqueue_take_table(queue);
    struct packed_descriptor *table = virtqueue_table(queue, number);
    unsigned flags = queue->add_flags | DESCRIPTOR_INDIRECT;

    for (unsigned i = 0; i < count; i++)
        table[i] = (struct packed_descriptor){
            .address = virt_phys(segment[i].memory),
            .length = segment[i].size,
            .flags = i >= reads ? DESCRIPTOR_WRITE : 0,
        };
    publish(queue, fill_next(queue, table, count * DESCRIPTOR_SIZE, id), flags, id,
            (struct virtqueue_buffer){cookie, 1, 0, number});
    return 0;
}

static int packed_add(struct virtqueue *queue, const struct virtio_segment *segment, unsigned reads,
                      unsigned writes, void *cookie)
{
    unsigned count = reads + writes, head_flags = 0;
    struct packed_descriptor *head = &queue->packed[queue->next];
    uint16_t id = queue->free;

    if (virtqueue_wants_table(queue, count))
        return add_table(queue, segment, reads, count, cookie);
    if (queue->free_count < count)
        return -EAGAIN;
    for (unsigned i = 0; i < count; i++) {
        unsigned flags = queue->add_flags | (i >= reads ? DESCRIPTOR_WRITE : 0) |
                         (i + 1 < count ? DESCRIPTOR_NEXT : 0);
        struct packed_descriptor *d = fill_next(queue, segment[i].memory, segment[i].size, id);

        if (i == 0)
            head_flags = flags;
        else
            d->flags = (uint16_t)flags;
    }
    publish(queue, head, head_flags, id, (struct virtqueue_buffer){cookie, (uint16_t)count, 0, 0});
    return 0;
}

static bool device_waits(const struct virtqueue *queue, uint16_t added)
{
    uint32_t event = READ_ONCE(*queue->device_event);
    uint16_t place = event & 0x7fff;

    if ((event & (3U << 16)) != EVENT_PLACE)
        return (event & (3U << 16)) != EVENT_DISABLE;
    if (!(event & FLAG_USED) != !(queue->add_flags & FLAG_AVAIL)) /* of the round before */
        place = (uint16_t)(place - queue->size);
    return (uint16_t)(queue->next - place - 1) < added;
}

static void packed_kick(struct virtqueue *queue)
{
    uint16_t added = (uint16_t)(queue->added - queue->kicked);

    if (added == 0)
        return;
    queue->kicked = queue->added;
    dma_mb(); /* the flags are written before the device's wish is read */
    if (device_waits(queue, added))
        queue->device->ops->notify(queue->device, queue->index);
}

/* --- from the device ----------------------------------------------------------------------------
 */

static __always_inline void give_back(struct virtqueue *queue, unsigned id)
{
    struct virtqueue_buffer *buffer = &queue->buffer[id];

    buffer->last = queue->free;
    queue->free = (uint16_t)id;
    queue->free_count = (uint16_t)(queue->free_count + buffer->count);
    buffer->cookie = NULL;
    virtqueue_give_table(queue, buffer);
}

static bool packed_has_news(const struct virtqueue *queue)
{
    return (READ_ONCE(queue->packed[READ_ONCE(queue->seen)].flags) & FLAG_BOTH) ==
           READ_ONCE(queue->get_flags);
}

static void *packed_get(struct virtqueue *queue, uint32_t *written)
{
    const struct packed_descriptor *d = &queue->packed[queue->seen];
    unsigned id, next;
    void *cookie;

    if (!packed_has_news(queue) || unlikely(queue->is_broken))
        return NULL;
    dma_rmb(); /* pairs with the device's: descriptor and data before the flags */
    id = READ_ONCE(d->id);
    cookie = id < queue->size ? queue->buffer[id].cookie : NULL;
    if (unlikely(cookie == NULL))
        return virtqueue_break(queue, id);
    *written = READ_ONCE(d->length);
    next = queue->seen + queue->buffer[id].count; /* one is written for all of a buffer's */
    if (next >= queue->size) {
        next -= queue->size;
        queue->get_flags ^= FLAG_BOTH;
    }
    WRITE_ONCE(queue->seen, (uint16_t)next);
    give_back(queue, id);
    return cookie;
}

static void packed_interrupts(struct virtqueue *queue, bool on)
{
    uint32_t event = EVENT_DISABLE;

    if (on)
        event = queue->has_events ? EVENT_PLACE | queue->seen | (queue->get_flags & FLAG_USED)
                                  : EVENT_ENABLE;
    WRITE_ONCE(*queue->driver_event, event);
    if (on)
        dma_mb(); /* before the caller looks once more for what came meanwhile */
}

static __cold void packed_give(struct virtqueue *queue, unsigned id)
{
    give_back(queue, id);
}

const struct virtqueue_ops virtqueue_packed = {
    .bytes = packed_bytes,
    .lay_out = packed_lay_out,
    .add = packed_add,
    .get = packed_get,
    .kick = packed_kick,
    .has_news = packed_has_news,
    .interrupts = packed_interrupts,
    .give = packed_give,
};
