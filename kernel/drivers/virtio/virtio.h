/* SPDX-License-Identifier: MIT */
/*
 * Virtio (OASIS Virtual I/O Device 1.2): what its transports offer and its drivers use. A transport
 * finds devices and calls virtio_add(); a driver has .bus = &virtio_bus and matches by device type.
 */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include <device/device.h>
#include <lib/types.h>

#define VIRTIO_ID_CONSOLE 3

/* Section 6; the only feature of the transport that matters here. */
#define VIRTIO_F_VERSION_1 32

struct virtio_device;
struct virtqueue;

struct virtio_transport_ops {
    uint64_t (*features)(struct virtio_device *device);
    /* Tells what is accepted. -EIO: the device refuses. */
    int (*accept)(struct virtio_device *device, uint64_t features);
    uint32_t (*queue_size)(struct virtio_device *device, unsigned index); /* 0: no such queue */
    void (*queue_start)(struct virtio_device *device, struct virtqueue *queue);
    void (*notify)(struct virtio_device *device, unsigned index);
    void (*ready)(struct virtio_device *device); /* DRIVER_OK: the device may begin */
};

struct virtio_device {
    struct device device;
    const struct virtio_transport_ops *ops;
    void *registers;
    uint32_t type, version;
    int irq;
    /* Interrupt context: queues may have news. Set by the driver before ready(). */
    void (*interrupt)(struct virtio_device *device);
};

extern const struct bus virtio_bus;

static inline struct virtio_device *virtio_device_of(struct device *device)
{
    return container_of(device, struct virtio_device, device);
}

/* Gives a device that a transport has found to its driver. -ENODEV: there is none. */
int virtio_add(struct virtio_device *device);

/* --- split virtqueues (section 2.7). The caller locks. ---------------------------------------- */

struct vring_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t flags, next;
};

struct vring_available {
    uint16_t flags, index, ring[];
};

struct vring_used_entry {
    uint32_t id, length;
};

struct vring_used {
    uint16_t flags, index;
    struct vring_used_entry ring[];
};

struct virtqueue {
    struct virtio_device *device;
    unsigned index, size;
    struct vring_descriptor *descriptor;
    struct vring_available *available;
    struct vring_used *used;
    uint16_t free; /* first free descriptor, chained by `next` */
    uint16_t free_count;
    uint16_t seen; /* used entries taken so far */
};

#define VIRTQUEUE_SIZE                                                        \
    64 /* most descriptors that a queue of ours has: two pages hold its rings \
        */

/* Allocates and starts a queue. -ENOENT: the device has none with this number; -ENOMEM. */
int virtqueue_init(struct virtqueue *queue, struct virtio_device *device, unsigned index);
/* Offers memory (in the linear map) to the device, to read or to write. Returns the descriptor's
 * number, which virtqueue_take() gives back; -EAGAIN: all are in use. */
int virtqueue_put(struct virtqueue *queue, void *memory, uint32_t size, bool device_writes);
/* Tells the device about what was put. */
void virtqueue_kick(struct virtqueue *queue);
/* A buffer that the device is done with: its number and how much it wrote; -1: none. */
int virtqueue_take(struct virtqueue *queue, uint32_t *written);
/* Whether the device interrupts when it is done with a buffer: a hint. */
void virtqueue_interrupts(struct virtqueue *queue, bool on);

#endif
