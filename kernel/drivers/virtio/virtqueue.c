/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues (section 2.7), in the layout that old and new devices share (2.7.2): descriptors
 * and available ring, then from the next page on the used ring. What the device says is checked: a
 * number that is no buffer of ours breaks the queue for good. Indirect descriptors are left out.
 */
#include "virtio.h"

#include <arch/barrier.h>
#include <core/log.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/page.h>
#include <mm/slab.h>

#define DESCRIPTOR_NEXT  1U
#define DESCRIPTOR_WRITE 2U
#define NO_INTERRUPT     1U
#define NO_NOTIFY        1U

static size_t used_offset(unsigned size)
{
    size_t available = size * sizeof(struct vring_descriptor) + 6 + 2 * (size_t)size;

    return align_up(available, (size_t)PAGE_SIZE);
}

static unsigned ring_order(unsigned size)
{
    size_t bytes = used_offset(size) + 6 + size * sizeof(struct vring_used_entry);
    unsigned order = 0;

    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

__cold int virtqueue_init_size(struct virtqueue *queue, struct virtio_device *device,
                               unsigned index, unsigned size_max)
{
    unsigned size = min(device->ops->queue_size(device, index), (uint32_t)size_max);
    struct virtqueue_buffer *buffer;
    struct page *pages;
    uint8_t *memory;

    if (size == 0 || !is_power_of_two(size))
        return -ENOENT;
    buffer = kzalloc_array(size, sizeof(*buffer));
    pages = page_alloc(ring_order(size), PAGE_ZERO);
    if (pages == NULL || buffer == NULL) {
        kfree(buffer);
        if (pages != NULL)
            page_free(pages, ring_order(size));
        return -ENOMEM;
    }
    memory = page_virt(pages);
    *queue = (struct virtqueue){
        .device = device,
        .index = index,
        .size = size,
        .descriptor = (void *)memory,
        .available = (void *)(memory + size * sizeof(struct vring_descriptor)),
        .used = (void *)(memory + used_offset(size)),
        .buffer = buffer,
        .free_count = (uint16_t)size,
        .has_events = virtio_has(device, VIRTIO_RING_F_EVENT_IDX),
    };
    for (unsigned i = 0; i < size; i++)
        queue->descriptor[i].next = (uint16_t)(i + 1);
    device->ops->queue_start(device, queue);
    return 0;
}

int virtqueue_init(struct virtqueue *queue, struct virtio_device *device, unsigned index)
{
    return virtqueue_init_size(queue, device, index, VIRTQUEUE_SIZE);
}

void virtqueue_free(struct virtqueue *queue)
{
    if (queue->descriptor == NULL)
        return;
    page_free(virt_page(queue->descriptor), ring_order(queue->size));
    kfree(queue->buffer);
    *queue = (struct virtqueue){0};
}

/* --- to the device ------------------------------------------------------------------------------
 */

int virtqueue_add(struct virtqueue *queue, const struct virtio_segment *segment, unsigned reads,
                  unsigned writes, void *cookie)
{
    unsigned count = reads + writes;
    uint16_t head = queue->free, at = head, last = head;

    if (queue->free_count < count)
        return -EAGAIN;
    for (unsigned i = 0; i < count; i++) {
        struct vring_descriptor *d = &queue->descriptor[at];

        d->address = virt_phys(segment[i].memory);
        d->length = segment[i].size;
        d->flags =
            (uint16_t)((i >= reads ? DESCRIPTOR_WRITE : 0) | (i + 1 < count ? DESCRIPTOR_NEXT : 0));
        last = at;
        at = d->next;
    }
    queue->free = at;
    queue->free_count = (uint16_t)(queue->free_count - count);
    queue->buffer[head] = (struct virtqueue_buffer){cookie, (uint16_t)count, last};
    queue->available->ring[queue->added & (queue->size - 1)] = head;
    queue->added++;
    dma_wmb(); /* the device reads the entry only after it sees the index */
    WRITE_ONCE(queue->available->index, queue->added);
    return 0;
}

int virtqueue_put(struct virtqueue *queue, void *memory, uint32_t size, bool device_writes)
{
    struct virtio_segment segment = {memory, size};
    int number = queue->free;
    int error = virtqueue_add(queue, &segment, !device_writes, device_writes, memory);

    return error != 0 ? error : number;
}

/* Where the device keeps the index at which it wants to be told (section 2.7.10). */
static uint16_t available_event(const struct virtqueue *queue)
{
    return READ_ONCE(*(const uint16_t *)&queue->used->ring[queue->size]);
}

void virtqueue_kick(struct virtqueue *queue)
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

static __noinline __cold void break_queue(struct virtqueue *queue, uint32_t number)
{
    queue->is_broken = true;
    log_error("%s: queue %u: the device gave back buffer %u, which it does not have; the queue is "
              "not used any more",
              queue->device->device.name, queue->index, number);
}

static void give_descriptors(struct virtqueue *queue, uint16_t head)
{
    struct virtqueue_buffer *buffer = &queue->buffer[head];

    queue->descriptor[buffer->last].next = queue->free;
    queue->free = head;
    queue->free_count = (uint16_t)(queue->free_count + buffer->count);
    buffer->cookie = NULL;
}

int virtqueue_take(struct virtqueue *queue, uint32_t *written)
{
    struct vring_used_entry *entry;
    uint32_t number;

    if (READ_ONCE(queue->used->index) == queue->seen || unlikely(queue->is_broken))
        return -1;
    dma_rmb(); /* pairs with the device's: entry and data before the index */
    entry = &queue->used->ring[queue->seen & (queue->size - 1)];
    number = READ_ONCE(entry->id);
    *written = READ_ONCE(entry->length);
    if (unlikely(number >= queue->size || queue->buffer[number].cookie == NULL)) {
        break_queue(queue, number);
        return -1;
    }
    queue->seen++;
    give_descriptors(queue, (uint16_t)number);
    return (int)number;
}

void *virtqueue_get(struct virtqueue *queue, uint32_t *written)
{
    struct vring_used_entry *entry;
    uint32_t number;
    void *cookie;

    if (READ_ONCE(queue->used->index) == queue->seen || unlikely(queue->is_broken))
        return NULL;
    dma_rmb(); /* pairs with the device's: entry and data before the index */
    entry = &queue->used->ring[queue->seen & (queue->size - 1)];
    number = READ_ONCE(entry->id);
    cookie = number < queue->size ? queue->buffer[number].cookie : NULL;
    if (unlikely(cookie == NULL)) {
        break_queue(queue, number);
        return NULL;
    }
    *written = READ_ONCE(entry->length);
    queue->seen++;
    give_descriptors(queue, (uint16_t)number);
    return cookie;
}

void *virtqueue_take_unused(struct virtqueue *queue)
{
    for (unsigned i = 0; i < queue->size; i++) {
        void *cookie = queue->buffer[i].cookie;

        if (cookie != NULL) {
            give_descriptors(queue, (uint16_t)i);
            return cookie;
        }
    }
    return NULL;
}

bool virtqueue_has_news(const struct virtqueue *queue)
{
    return READ_ONCE(queue->used->index) != READ_ONCE(queue->seen);
}

/* With the event index 'off' costs nothing: the index lies behind once it has been passed. */
void virtqueue_interrupts(struct virtqueue *queue, bool on)
{
    if (queue->has_events)
        WRITE_ONCE(queue->available->ring[queue->size],
                   (uint16_t)(on ? queue->seen : queue->seen - 1));
    else
        WRITE_ONCE(queue->available->flags, on ? 0 : NO_INTERRUPT);
    if (on)
        dma_mb(); /* before the caller looks once more for what came meanwhile */
}
