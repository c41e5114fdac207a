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
#define VIRTIO_ID_BALLOON 5
#define VIRTIO_ID_9P      9
#define VIRTIO_ID_VSOCK   19

/* Section 6: features that do not belong to a type of device. */
#define VIRTIO_F_ANY_LAYOUT     27 /* legacy devices: a header may share a descriptor with data */
#define VIRTIO_RING_F_INDIRECT  28
#define VIRTIO_RING_F_EVENT_IDX 29
#define VIRTIO_F_VERSION_1      32
#define VIRTIO_F_RING_PACKED    34

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
    /* Four bytes of it are written. */
    void (*config_write)(struct virtio_device *device, unsigned offset, uint32_t value);
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

/* Accepts those of `wanted` that the device offers, VERSION_1, and what virtqueues make use of by
 * themselves. -EIO: the device refuses. */
int virtio_accept(struct virtio_device *device, uint64_t wanted);

/* For transports: what the interrupt status says (sections 4.1.4.5 and 4.2.2). */
static inline void virtio_interrupted(struct virtio_device *device, unsigned status)
{
    if ((status & 1) && device->interrupt != NULL) /* a queue was used */
        device->interrupt(device);
    if ((status & 2) && device->config_changed != NULL)
        device->config_changed(device);
}

static inline bool virtio_has(const struct virtio_device *device, unsigned feature)
{
    return device->accepted >> feature & 1;
}

/* --- virtqueues (sections 2.6 to 2.8). The caller locks. ---------------------------------------
 */

/* Split rings. */
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

/* Packed rings. */
struct packed_descriptor {
    uint64_t address;
    uint32_t length;
    uint16_t id, flags;
};

struct virtqueue_buffer { /* by its number: split, that of its first descriptor */
    void *cookie;         /* NULL: none is with the device */
    uint16_t count;       /* descriptors of the ring */
    uint16_t last;  /* split: the last one's number; packed, of a free one: the next free one */
    uint16_t table; /* of indirect descriptors, from 1; 0: none */
};

struct virtqueue;
struct virtio_segment;

/* A layout of the ring, chosen once for each queue: virtqueue_split.c, virtqueue_packed.c. */
struct virtqueue_ops {
    size_t (*bytes)(unsigned size); /* of a ring of so many descriptors; 0: cannot be */
    void (*lay_out)(struct virtqueue *queue, void *memory);
    int (*add)(struct virtqueue *queue, const struct virtio_segment *segment, unsigned reads,
               unsigned writes, void *cookie);
    void *(*get)(struct virtqueue *queue, uint32_t *written);
    void (*kick)(struct virtqueue *queue);
    bool (*has_news)(const struct virtqueue *queue);
    void (*interrupts)(struct virtqueue *queue, bool on);
    void (*give)(struct virtqueue *queue, unsigned number); /* a buffer's descriptors are free */
};

struct virtqueue {
    const struct virtqueue_ops *ops;
    struct virtio_device *device;
    unsigned index, size;
    union { /* the descriptor area, the driver's and the device's, in this order */
        struct {
            struct vring_descriptor *descriptor;
            struct vring_available *available;
            struct vring_used *used;
        };
        struct {
            struct packed_descriptor *packed;
            uint32_t *driver_event, *device_event;
        };
    };
    struct virtqueue_buffer *buffer;
    void *table; /* indirect descriptors: `table_size` a table; NULL: none */
    uint16_t table_count;
    unsigned table_size;  /* at most so many pieces ... */
    unsigned table_least; /* ... and at least so many, or the ring's own descriptors are used */
    uint16_t table_free;  /* first free table, from 1, chained by its first two bytes */
    uint16_t free;        /* first free descriptor, chained by `next` (packed: free number) */
    uint16_t free_count;  /* descriptors */
    uint16_t added;       /* split: buffers, packed: descriptors; and what the device was told of */
    uint16_t kicked;
    uint16_t seen;                 /* split: used entries taken so far; packed: place of the next */
    uint16_t next;                 /* packed: place of the next descriptor that is added */
    uint16_t add_flags, get_flags; /* packed: what says 'available' and 'used' in this round */
    bool has_events;               /* event index instead of flags */
    bool is_broken;                /* the device said nonsense: nothing more is taken */
    /* For a transport that has an interrupt of its own for the queue, instead of the device's. */
    void (*interrupt)(struct virtqueue *queue);
    void *data; /* the driver's */
};

extern const struct virtqueue_ops virtqueue_split, virtqueue_packed;

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
/* Tables of indirect descriptors, where the device takes them: buffers of `least` to `most` pieces
 * then need one descriptor of the ring, as long as there is one of `count` tables. Before the first
 * buffer. Without memory for them the ring does. */
void virtqueue_add_tables(struct virtqueue *queue, unsigned count, unsigned least, unsigned most);
/* Logs how the device's queues are made. */
void virtqueue_describe(const struct virtqueue *queue, unsigned count);
/* As new, without interrupts: of a device that was reset, when no buffer is left (see
 * virtqueue_take_unused()) and before ready(). */
void virtqueue_restart(struct virtqueue *queue);
/* Gives the rings back, of a device that was reset. */
void virtqueue_free(struct virtqueue *queue);

/*
 * Offers a buffer of several pieces, those that the device reads first. `cookie`, not NULL, comes
 * back from virtqueue_get(). -EAGAIN: not enough free descriptors.
 */
static inline int virtqueue_add(struct virtqueue *queue, const struct virtio_segment *segment,
                                unsigned reads, unsigned writes, void *cookie)
{
    return queue->ops->add(queue, segment, reads, writes, cookie);
}

/* A buffer that the device is done with: its cookie and how much it wrote, as the device says;
 * NULL: none, or the device is broken (logged once). */
static inline void *virtqueue_get(struct virtqueue *queue, uint32_t *written)
{
    return queue->ops->get(queue, written);
}

/* Any buffer that is still with a device that was reset, NULL at the end. */
void *virtqueue_take_unused(struct virtqueue *queue);

/* The device has used buffers that were not taken. Any context. */
static inline bool virtqueue_has_news(const struct virtqueue *queue)
{
    return queue->ops->has_news(queue);
}

/* Tells the device about what was added, if it wants to know. */
static inline void virtqueue_kick(struct virtqueue *queue)
{
    queue->ops->kick(queue);
}

/* Whether the device interrupts when it is done with a buffer: a hint. Afterwards look once more.
 */
static inline void virtqueue_interrupts(struct virtqueue *queue, bool on)
{
    queue->ops->interrupts(queue, on);
}

#endif
