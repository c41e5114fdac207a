/* SPDX-License-Identifier: MIT */
/*
 * Network devices: what stands between a driver and a stack. The device class knows no stack and a
 * stack no driver; a machine has one stack, which says so by netdev_set_stack() and is then told of
 * every device, those that are there and those that come.
 *
 * A device has queues, each a way in and a way out, with a thread of its own ("eth0/0"). The
 * interrupt handler only masks and signals; the thread polls the device until nothing is left and
 * hands the stack whole batches. Everything here is for thread context, unless said otherwise.
 */
#ifndef DEVICE_NETDEV_H
#define DEVICE_NETDEV_H

#include <arch/atomic.h>
#include <device/netbuf.h>
#include <lib/list.h>
#include <lib/types.h>

struct netdev;

#define NETDEV_NAME_SIZE  16
#define NETDEV_QUEUES_MAX 8
#define NETDEV_BUDGET     64 /* frames of one batch */

/* netdev->features */
#define NETDEV_TX_CSUM 0x01U /* takes frames with NETBUF_CSUM_PARTIAL */
#define NETDEV_TSO4    0x02U /* takes NETBUF_GSO_TCP4 frames of up to gso_max bytes */
#define NETDEV_TSO6    0x04U
#define NETDEV_USO     0x08U
#define NETDEV_RX_CSUM 0x10U /* may deliver NETBUF_CSUM_VALID and NETBUF_CSUM_PARTIAL */
#define NETDEV_RX_GSO  0x20U /* may deliver frames of up to 64 KiB, merged from segments */

struct netdev_ops {
    /* Starts and stops all queues. What was given to send() is released by close(). May sleep. */
    int (*open)(struct netdev *device);
    void (*close)(struct netdev *device);
    /*
     * 0: took the frame; `release` may be called from here on, also before it returns for frames
     * sent earlier. -EAGAIN: no room; netdev_stack.writable follows when there is. -EINVAL: a frame
     * that the device cannot take (too long, a feature that it has not). Any CPU, any queue.
     */
    int (*send)(struct netdev *device, unsigned queue, struct netbuf *first);
    /* The device is to look at what was sent since the last kick. */
    void (*kick)(struct netdev *device, unsigned queue);
    /* Releases what was sent, calls netdev_input() per frame, at most `budget`; how many. One
     * caller a queue at a time. */
    unsigned (*poll)(struct netdev *device, unsigned queue, unsigned budget);
    /* Interrupts of a queue. On: true if something arrived meanwhile, they are off then. */
    bool (*rx_irq)(struct netdev *device, unsigned queue, bool on);
    /* Optional, NULL: -EOPNOTSUPP. May sleep. */
    int (*set_mac)(struct netdev *device, const uint8_t mac[6]);
};

struct netdev_stats {
    uint64_t rx_packets, rx_bytes, tx_packets, tx_bytes;
    uint64_t rx_dropped; /* no memory, or nobody to take it */
    uint64_t rx_errors;  /* what the device said made no sense */
    uint64_t tx_dropped, tx_errors;
    uint64_t multicast;
    uint64_t copied; /* bytes of frames that were moved by the CPU below the stack */
};

struct netdev_queue {
    struct netdev *device;
    unsigned index;
    struct netdev_stats stats; /* rx by the poller, tx under the driver's lock of the queue */
    /* netdev.c */
    atomic_t busy; /* one poller at a time: the thread, or whoever cannot wait for it */
    bool pending;  /* the thread has work; any context */
    bool writable; /* from here on: the poller's */
    struct netbuf *first, **last;
    struct thread *thread;
};

struct netdev {
    char name[NETDEV_NAME_SIZE]; /* "eth%u": set by netdev_register */
    unsigned index;              /* of the device, from 0 */
    const struct netdev_ops *ops;
    void *data;         /* the driver's */
    const char *driver; /* its name */
    uint8_t mac[6];
    unsigned mtu, mtu_max; /* bytes after the Ethernet header */
    unsigned features;     /* NETDEV_* */
    unsigned gso_max;      /* bytes of the largest frame to send, Ethernet header included */
    unsigned queue_count;
    unsigned speed_mbit; /* 0: unknown */
    /* netdev.c */
    bool link_up, is_open;
    bool link_changed; /* for the thread of queue 0 to tell the stack */
    struct netdev_queue queue[NETDEV_QUEUES_MAX];
    void *stack; /* the stack's */
    struct list_node list;
};

/* What a stack supplies. Thread context; the queue's thread, but `added`. */
struct netdev_stack {
    void (*added)(struct netdev *device);
    /*
     * A batch of frames, linked by `next`; the stack owns them. Frames are at least 14 bytes long,
     * no longer than the device may deliver; all else is as it came from the wire. The first buffer
     * of a frame holds at least min(total, 128) bytes.
     */
    void (*input)(struct netdev *device, unsigned queue, struct netbuf *frames);
    /* send() has room again after -EAGAIN. */
    void (*writable)(struct netdev *device, unsigned queue);
    /* device->link_up has changed. */
    void (*link)(struct netdev *device);
};

/* --- for the stack ------------------------------------------------------------------------------
 */

void netdev_set_stack(const struct netdev_stack *stack);
int netdev_open(struct netdev *device); /* 0 also when it is open */
void netdev_close(struct netdev *device);

static inline int netdev_send(struct netdev *device, unsigned queue, struct netbuf *first)
{
    return device->ops->send(device, queue, first);
}

/* To call once after a run of netdev_send(), before sleeping or returning to a program. */
static inline void netdev_kick(struct netdev *device, unsigned queue)
{
    device->ops->kick(device, queue);
}

void netdev_get_stats(const struct netdev *device, struct netdev_stats *sum);

/* Devices are never taken away: no lock. NULL starts, NULL ends. */
struct netdev *netdev_next(struct netdev *device);

/* --- for drivers --------------------------------------------------------------------------------
 */

/* Names it and shows it to the stack. ops, data, driver, mac, mtu, mtu_max, features, gso_max,
 * queue_count and link_up are set. -ENOMEM. */
int netdev_register(struct netdev *device);

/* From poll(): one whole frame, all fields set. */
static inline void netdev_input(struct netdev *device, unsigned queue, struct netbuf *first)
{
    struct netdev_queue *q = &device->queue[queue];

    q->stats.rx_packets++;
    q->stats.rx_bytes += first->total;
    first->next = NULL;
    *q->last = first;
    q->last = &first->next;
}

/* From poll(): room to send again after -EAGAIN. */
static inline void netdev_writable(struct netdev *device, unsigned queue)
{
    device->queue[queue].writable = true;
}

/* A queue has news and its interrupt is off. Any context. */
void netdev_signal(struct netdev *device, unsigned queue);

/* The link's state has changed; any context. */
void netdev_set_link(struct netdev *device, bool up);

#endif
