/* SPDX-License-Identifier: MIT */
/* What the two layouts of virtqueues share. */
#ifndef DRIVERS_VIRTQUEUE_H
#define DRIVERS_VIRTQUEUE_H

#include "virtio.h"

#include <arch/barrier.h>
#include <lib/compiler.h>

/* Of descriptors, in both layouts (sections 2.7.5 and 2.8.7). */
#define DESCRIPTOR_NEXT     1U
#define DESCRIPTOR_WRITE    2U
#define DESCRIPTOR_INDIRECT 4U
#define DESCRIPTOR_SIZE     16U

/* The device named a buffer that it does not have: says so, once, and nothing more is taken. NULL.
 */
void *virtqueue_break(struct virtqueue *queue, uint32_t number);

static inline void *virtqueue_table(const struct virtqueue *queue, unsigned table)
{
    return queue->table + (size_t)(table - 1) * queue->table_size * DESCRIPTOR_SIZE;
}

/* A buffer of so many pieces takes a table; there is a descriptor of the ring for it. */
static inline bool virtqueue_wants_table(const struct virtqueue *queue, unsigned count)
{
    return unlikely(count >= queue->table_least) && count <= queue->table_size &&
           queue->table_free != 0 && queue->free_count != 0;
}

static inline uint16_t virtqueue_take_table(struct virtqueue *queue)
{
    uint16_t table = queue->table_free;

    queue->table_free = *(const uint16_t *)virtqueue_table(queue, table);
    return table;
}

static inline void virtqueue_give_table(struct virtqueue *queue, struct virtqueue_buffer *buffer)
{
    if (buffer->table == 0)
        return;
    *(uint16_t *)virtqueue_table(queue, buffer->table) = queue->table_free;
    queue->table_free = buffer->table;
}

#endif
