/* SPDX-License-Identifier: MIT */
/* A virtio network device: net.c moves its frames, net_setup.c sets it up and commands it. */
#ifndef DRIVERS_VIRTIO_NET_H
#define DRIVERS_VIRTIO_NET_H

#include "virtio.h"

#include <core/lock.h>
#include <core/wait.h>
#include <core/work.h>
#include <device/netdev.h>

#define ETHERNET_HEADER 14U

/* A pair of queues with its poller. */
struct net_pair {
    struct virtio_net *net;
    unsigned index;

    struct virtqueue receive; /* the poller's */
    struct netbuf_pool *pool;
    unsigned posted, ring_size; /* buffers with the device, and how many there should be */

    struct spinlock send_lock; /* the rest */
    struct virtqueue send;
    bool send_waits; /* send() has returned -EAGAIN */
    bool send_armed; /* somebody waits for frames to be released: interrupt when they are sent */
};

/* Section 5.1.6.5 */
struct net_command {
    uint8_t class, command;
    uint8_t data[6];
    uint8_t answer;
};

struct virtio_net {
    struct netdev netdev;
    struct virtio_device *device;
    unsigned header_size;
    bool is_mergeable, any_layout;
    bool is_running; /* rings are set up */
    bool is_reset;   /* by close() */
    struct work needs_reset;

    struct mutex control_lock; /* the rest, but `pair` */
    struct virtqueue control;  /* size 0: there is none */
    struct net_command command;

    struct net_pair pair[]; /* netdev.queue_count */
};

static inline struct net_pair *net_pair_of(struct netdev *netdev, unsigned index)
{
    return &((struct virtio_net *)netdev->data)->pair[index];
}

/* net.c. Starting: its rings, of a device that is not ready yet; -errno. Opening: buffers for the
 * device, at most so many pages for unread frames. Clearing: of a device that was reset, all its
 * buffers; nobody polls. */
int net_pair_start(struct net_pair *pair);
int net_pair_open(struct net_pair *pair, unsigned pool_pages);
void net_pair_clear(struct net_pair *pair);
void net_interrupt(struct virtio_device *device);
extern const struct netdev_ops net_ops;

/* net_setup.c */
int net_open(struct netdev *netdev);
void net_close(struct netdev *netdev);
int net_set_mac(struct netdev *netdev, const uint8_t mac[6]);

#endif
