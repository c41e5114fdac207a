/* SPDX-License-Identifier: MIT */
/*
 * Virtio (OASIS Virtual I/O Device 1.2): what its transports offer and its drivers use. A transport
 * finds devices and calls virtio_add(); a driver has .bus = &virtio_bus and matches by device type.
 */
#ifndef DRIVERS_VIRTIO_H
#define DRIVERS_VIRTIO_H

#include <device/device.h>
#include <lib/types.h>

#define VIRTIO_ID_NET     1
#define VIRTIO_ID_BLOCK   2
#define VIRTIO_ID_CONSOLE 3
#define VIRTIO_ID_RNG     4
#define VIRTIO_ID_9P      9

/* Section 6: features that do not belong to a type of device. */
#define VIRTIO_F_ANY_LAYOUT     27 /* legacy devices: a header may share a descriptor with data */
#define VIRTIO_RING_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1      32

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
    void (*reset)(struct virtio_device *device); /* it has let go of all memory afterwards */
    /* Section 2.1.2: the device has met an error, and does nothing until it is reset. It says so by
     * an interrupt for a change of its configuration. Any context. */
    bool (*needs_reset)(struct virtio_device *device);
    /* A field of the configuration space, 1, 2, 4 or 8 bytes, or an array of bytes. */
    void (*config_read)(struct virtio_device *device, unsigned offset, void *to, unsigned size);
    /* Which CPU takes a started queue's interrupts, if it has some of its own; NULL: none has. */
    void (*queue_affinity)(struct virtio_device *device, unsigned index, unsigned cpu);
};

struct virtio_device {
    struct device device;
    const struct virtio_transport_ops *ops;
    void *registers;
    uint32_t type, version;
    int irq;
    /* Interrupt context: queues may have news. Set by the driver before ready(). */
    void (*interrupt)(struct virtio_device *device);
    void (*config_changed)(struct virtio_device *device); /* NULL: of no interest */
    uint64_t accepted;                                    /* features, by virtio_accept() */
};

extern const struct bus virtio_bus;

static inline struct virtio_device *virtio_device_of(struct device *device)
{
    return container_of(device, struct virtio_device, device);
}

/* Gives a device that a transport has found to its driver. -ENODEV: there is none. */
int virtio_add(struct virtio_device *device);

/* Accepts those of `wanted` that the device offers, and VERSION_1. -EIO: the device refuses. */
int virtio_accept(struct virtio_device *device, uint64_t wanted);

static inline bool virtio_has(const struct virtio_device *device, unsigned feature)
{
    return device->accepted >> feature & 1;
}

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

struct virtqueue_buffer { /* by the number of its first descriptor */
    void *cookie;         /* NULL: none is with the device */
    uint16_t count, last; /* descriptors; the last one's number */
};

struct virtqueue {
    struct virtio_device *device;
    unsigned index, size;
    struct vring_descriptor *descriptor;
    struct vring_available *available;
    struct vring_used *used;
    struct virtqueue_buffer *buffer;
    uint16_t free; /* first free descriptor, chained by `next` */
    uint16_t free_count;
    uint16_t added; /* entries of the available ring, and how many the device was told of */
    uint16_t kicked;
    uint16_t seen;   /* used entries taken so far */
    bool has_events; /* event index instead of flags */
    bool is_broken;  /* the device said nonsense: nothing more is taken */
    /* For a transport that has an interrupt of its own for the queue, instead of the device's. */
    void (*interrupt)(struct virtqueue *queue);
    void *data; /* the driver's */
};

#define VIRTQUEUE_SIZE     64  /* most descriptors of a queue, unless its driver says more ... */
#define VIRTQUEUE_SIZE_MAX 256 /* ... up to this */

struct virtio_segment {
    void *memory; /* in the linear map */
    uint32_t size;
};

/* Allocates and starts a queue. -ENOENT: the device has none with this number; -ENOMEM. */
int virtqueue_init(struct virtqueue *queue, struct virtio_device *device, unsigned index);
int virtqueue_init_size(struct virtqueue *queue, struct virtio_device *device, unsigned index,
                        unsigned size_max);
/* Gives the rings back, of a device that was reset. */
void virtqueue_free(struct virtqueue *queue);
/*
 * Offers a buffer of several pieces, those that the device reads first. `cookie`, not NULL, comes
 * back from virtqueue_get(). -EAGAIN: not enough free descriptors.
 */
int virtqueue_add(struct virtqueue *queue, const struct virtio_segment *segment, unsigned reads,
                  unsigned writes, void *cookie);
/* A buffer that the device is done with: its cookie and how much it wrote, as the device says;
 * NULL: none, or the device is broken (logged once). */
void *virtqueue_get(struct virtqueue *queue, uint32_t *written);
/* Any buffer that is still with a device that was reset, NULL at the end. */
void *virtqueue_take_unused(struct virtqueue *queue);
/* The device has used buffers that were not taken. Any context. */
bool virtqueue_has_news(const struct virtqueue *queue);
/* Tells the device about what was added, if it wants to know. */
void virtqueue_kick(struct virtqueue *queue);
/* Whether the device interrupts when it is done with a buffer: a hint. Afterwards look once more.
 */
void virtqueue_interrupts(struct virtqueue *queue, bool on);

/* The same for buffers of one piece, with the descriptor's number in place of a cookie: -EAGAIN;
 * -1 from take: none. */
int virtqueue_put(struct virtqueue *queue, void *memory, uint32_t size, bool device_writes);
int virtqueue_take(struct virtqueue *queue, uint32_t *written);

#endif
