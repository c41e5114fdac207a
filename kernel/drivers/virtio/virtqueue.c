/* SPDX-License-Identifier: MIT */
/*
 * Split virtqueues of single buffers, in the layout that old and new devices share (section 2.7.2):
 * descriptors and available ring in one page, used ring in the next.
 */
#include "virtio.h"

#include <arch/barrier.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/page.h>

#define DESCRIPTOR_WRITE 2U
#define NO_INTERRUPT     1U

_Static_assert(VIRTQUEUE_SIZE *(sizeof(struct vring_descriptor) + 2) + 6 <= PAGE_SIZE,
               "descriptors and available ring fill at most one page");
_Static_assert(VIRTQUEUE_SIZE * sizeof(struct vring_used_entry) + 6 <= PAGE_SIZE,
               "the used ring fills at most one page");

int virtqueue_init(struct virtqueue *queue, struct virtio_device *device, unsigned index)
{
    unsigned size = min(device->ops->queue_size(device, index), (uint32_t)VIRTQUEUE_SIZE);
    struct page *pages;
    uint8_t *memory;

    if (size == 0 || !is_power_of_two(size))
        return -ENOENT;
    pages = page_alloc(1, PAGE_ZERO);
    if (pages == NULL)
        return -ENOMEM;
    memory = page_virt(pages);
    *queue = (struct virtqueue){
        .device = device,
        .index = index,
        .size = size,
        .descriptor = (void *)memory,
        .available = (void *)(memory + size * sizeof(struct vring_descriptor)),
        .used = (void *)(memory + PAGE_SIZE),
        .free_count = (uint16_t)size,
    };
    for (unsigned i = 0; i < size; i++)
        queue->descriptor[i].next = (uint16_t)(i + 1);
    device->ops->queue_start(device, queue);
    return 0;
}

int virtqueue_put(struct virtqueue *queue, void *memory, uint32_t size, bool device_writes)
{
    uint16_t number = queue->free, at = queue->available->index;

    if (queue->free_count == 0)
        return -EAGAIN;
    queue->free = queue->descriptor[number].next;
    queue->free_count--;
    queue->descriptor[number].address = virt_phys(memory);
    queue->descriptor[number].length = size;
    queue->descriptor[number].flags = device_writes ? DESCRIPTOR_WRITE : 0;
    queue->available->ring[at % queue->size] = number;
    dma_wmb(); /* the device reads the entry only after it sees the index */
    WRITE_ONCE(queue->available->index, (uint16_t)(at + 1));
    return number;
}

void virtqueue_kick(struct virtqueue *queue)
{
    dma_mb(); /* the index is written before the device is told */
    queue->device->ops->notify(queue->device, queue->index);
}

int virtqueue_take(struct virtqueue *queue, uint32_t *written)
{
    struct vring_used_entry *entry;
    uint32_t number;

    if (READ_ONCE(queue->used->index) == queue->seen)
        return -1;
    dma_rmb(); /* pairs with the device's: entry and data before the index */
    entry = &queue->used->ring[queue->seen % queue->size];
    number = READ_ONCE(entry->id);
    *written = READ_ONCE(entry->length);
    queue->seen++;
    if (number >= queue->size)
        return -1; /* not a number of ours: the device is broken, the buffer lost */
    queue->descriptor[number].next = queue->free;
    queue->free = (uint16_t)number;
    queue->free_count++;
    return (int)number;
}

void virtqueue_interrupts(struct virtqueue *queue, bool on)
{
    WRITE_ONCE(queue->available->flags, on ? 0 : NO_INTERRUPT);
    dma_mb(); /* before the caller looks once more for what came meanwhile */
}
