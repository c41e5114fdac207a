/* SPDX-License-Identifier: MIT */
/*
 * Virtqueues: memory for them, and what happens rarely. The rings themselves are in
 * virtqueue_split.c and virtqueue_packed.c. What the device says is checked: a number that is no
 * buffer of ours breaks the queue for good.
 */
#include "virtqueue.h"

#include <core/log.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>

static unsigned order_of(size_t bytes)
{
    unsigned order = 0;

    while ((PAGE_SIZE << order) < bytes)
        order++;
    return order;
}

int virtqueue_init_size(struct virtqueue *queue, struct virtio_device *device, unsigned index,
                        unsigned size_max)
{
    unsigned size = min(device->ops->queue_size(device, index), (uint32_t)size_max);
    const struct virtqueue_ops *ops =
        virtio_has(device, VIRTIO_F_RING_PACKED) ? &virtqueue_packed : &virtqueue_split;
    size_t bytes = ops->bytes(size);
    struct virtqueue_buffer *buffer;
    struct page *pages;

    if (bytes == 0)
        return -ENOENT;
    buffer = kzalloc_array(size, sizeof(*buffer));
    pages = page_alloc(order_of(bytes), PAGE_ZERO);
    if (pages == NULL || buffer == NULL) {
        kfree(buffer);
        if (pages != NULL)
            page_free(pages, order_of(bytes));
        return -ENOMEM;
    }
    *queue = (struct virtqueue){
        .ops = ops,
        .device = device,
        .index = index,
        .size = size,
        .buffer = buffer,
        .table_least = UINT32_MAX,
        .free_count = (uint16_t)size,
        .has_events = virtio_has(device, VIRTIO_RING_F_EVENT_IDX),
    };
    ops->lay_out(queue, page_virt(pages));
    device->ops->queue_start(device, queue);
    return 0;
}

int virtqueue_init(struct virtqueue *queue, struct virtio_device *device, unsigned index)
{
    return virtqueue_init_size(queue, device, index, VIRTQUEUE_SIZE);
}

static size_t tables_bytes(unsigned count, unsigned size)
{
    return (size_t)count * size * DESCRIPTOR_SIZE;
}

void virtqueue_add_tables(struct virtqueue *queue, unsigned count, unsigned least, unsigned most)
{
    struct page *pages = virtio_has(queue->device, VIRTIO_RING_F_INDIRECT)
                             ? page_alloc(order_of(tables_bytes(count, most)), 0)
                             : NULL;

    if (pages == NULL)
        return;
    queue->table = page_virt(pages);
    queue->table_count = (uint16_t)count;
    queue->table_size = most;
    queue->table_least = least;
    for (unsigned i = count; i > 0; i--)
        virtqueue_give_table(queue, &(struct virtqueue_buffer){.table = (uint16_t)i});
}

void virtqueue_describe(const struct virtqueue *queue, unsigned count)
{
    log_info("%s: %u queues of %u, %s%s%s", queue->device->device.name, count, queue->size,
             queue->ops == &virtqueue_packed ? "packed" : "split",
             queue->table != NULL ? ", indirect" : "", queue->has_events ? ", event index" : "");
}

void virtqueue_restart(struct virtqueue *queue)
{
    void *memory = queue->descriptor;

    memset(memory, 0, queue->ops->bytes(queue->size));
    queue->free = queue->added = queue->kicked = queue->seen = queue->next = 0;
    queue->free_count = (uint16_t)queue->size;
    queue->is_broken = false;
    queue->ops->lay_out(queue, memory);
    queue->device->ops->queue_start(queue->device, queue);
    virtqueue_interrupts(queue, false);
}

void virtqueue_free(struct virtqueue *queue)
{
    if (queue->descriptor == NULL)
        return;
    page_free(virt_page(queue->descriptor), order_of(queue->ops->bytes(queue->size)));
    if (queue->table != NULL)
        page_free(virt_page(queue->table),
                  order_of(tables_bytes(queue->table_count, queue->table_size)));
    kfree(queue->buffer);
    *queue = (struct virtqueue){0};
}

void *virtqueue_break(struct virtqueue *queue, uint32_t number)
{
    queue->is_broken = true;
    log_error("%s: queue %u: the device gave back buffer %u, which it does not have; the queue is "
              "not used any more",
              queue->device->device.name, queue->index, number);
    return NULL;
}

void *virtqueue_take_unused(struct virtqueue *queue)
{
    for (unsigned i = 0; i < queue->size; i++) {
        void *cookie = queue->buffer[i].cookie;

        if (cookie != NULL) {
            queue->ops->give(queue, i);
            return cookie;
        }
    }
    return NULL;
}
