/* SPDX-License-Identifier: MIT */
/*
 * A virtio device for the tests of its drivers: it sees the rings, and does what a test says, right
 * or wrong.
 */
#ifndef UNIT_VIRTIO_FAKE_H
#define UNIT_VIRTIO_FAKE_H

#include "ram_fake.h"

#include "../../../kernel/drivers/virtio/virtio.h"

#define FAKE_QUEUES      12U
#define FAKE_CONFIG_SIZE 64U

/* Of a packed ring, which is walked in rounds: those of even number have the wrap counter 1. */
struct fake_place {
    unsigned at;
    bool is_odd;
};

struct fake_ring {
    struct fake_place next, used, last_used;
    uint16_t start[VIRTQUEUE_SIZE_MAX], count[VIRTQUEUE_SIZE_MAX]; /* of buffers by their number */
};

struct virtio_fake {
    struct virtio_device device;
    uint64_t offered;
    uint32_t queue_size;
    bool refuses; /* does not accept features */
    bool needs_reset;
    uint8_t config[FAKE_CONFIG_SIZE];
    unsigned resets, notified[FAKE_QUEUES];
    bool is_ready;
    void (*on_notify)(struct virtio_fake *fake, unsigned queue); /* NULL: nothing happens */
    struct virtqueue *queue[FAKE_QUEUES];                        /* as the driver started them */
    uint16_t next[FAKE_QUEUES];         /* split: entries of the available ring seen */
    struct fake_ring ring[FAKE_QUEUES]; /* packed */
};

/* A device of `type`, not yet given to a driver. */
void fake_start(struct virtio_fake *fake, uint32_t type, uint64_t offered);
/* Gives it to the driver, whose probe's result is returned. */
int fake_probe(struct virtio_fake *fake, const struct driver *driver);
/* After reset of whatever was started: gives the rings back. */
void fake_stop(struct virtio_fake *fake);

/* Buffers that the driver offers and the device has not begun with. */
unsigned fake_offered(struct virtio_fake *fake, unsigned queue);
/* The next one: its head; -1: none. */
int fake_next(struct virtio_fake *fake, unsigned queue);
/* Its pieces: their number; the i-th one's place, size and direction. */
unsigned fake_pieces(struct virtio_fake *fake, unsigned queue, unsigned head);
uint8_t *fake_piece(struct virtio_fake *fake, unsigned queue, unsigned head, unsigned i,
                    uint32_t *size, bool *writes);
/* Copies bytes over the pieces that the device may write, or out of those that it reads. */
uint32_t fake_write(struct virtio_fake *fake, unsigned queue, unsigned head, const void *data,
                    uint32_t size);
uint32_t fake_read(struct virtio_fake *fake, unsigned queue, unsigned head, void *to,
                   uint32_t size);
/* Gives a buffer back, whatever id and length say. */
void fake_use(struct virtio_fake *fake, unsigned queue, uint32_t id, uint32_t written);
/* Says that so many more buffers were used, whatever stands in the ring. */
void fake_run_ahead(struct virtio_fake *fake, unsigned queue, unsigned count);
/* The device wants to be told of the next buffer (with the event index). */
void fake_want_notification(struct virtio_fake *fake, unsigned queue);
/* Whether the driver wants an interrupt for the last fake_use(). */
bool fake_wants_interrupt(struct virtio_fake *fake, unsigned queue);

#endif
