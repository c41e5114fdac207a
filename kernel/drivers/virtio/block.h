/* SPDX-License-Identifier: MIT */
/* A virtio disk: block.c moves its requests, block_setup.c reads what it is and starts it. */
#ifndef DRIVERS_VIRTIO_BLOCK_H
#define DRIVERS_VIRTIO_BLOCK_H

#include "virtio.h"

#include <core/lock.h>
#include <device/blkdev.h>

#define BLOCK_QUEUES       8U   /* at most */
#define BLOCK_QUEUE_SIZE   128U /* descriptors of one */
#define BLOCK_SEGMENTS_MAX 32U  /* pages of a request: 128 KiB */
#define BLOCK_SLOTS        16U  /* requests of a queue that are with the device at a time */

struct block_range {
    uint64_t sector;
    uint32_t sector_count, flags;
};

/* What the device reads and writes besides the pages. */
struct block_slot {
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    struct block_range range;
    uint8_t status;
    struct blk_request *request;
    uint32_t data_room; /* bytes that the device may write before the status */
    struct block_slot *next;
};

struct block_queue {
    struct virtio_block *block;
    struct spinlock lock; /* the rest */
    struct virtqueue queue;
    struct block_slot slot[BLOCK_SLOTS];
    struct block_slot *idle;
    bool is_dead;
};

struct virtio_block {
    struct blkdev disk;
    struct virtio_device *device;
    unsigned queue_count;
    struct block_queue queue[];
};

/* block.c */
extern const struct blkdev_ops block_ops;
void block_interrupt(struct virtio_device *device);  /* for all queues */
void block_queue_interrupt(struct virtqueue *queue); /* for one */
void block_wake(struct virtio_block *block);         /* who waits looks again */

#endif
