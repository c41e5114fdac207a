/* SPDX-License-Identifier: MIT */
/* A network device over virtio_fake.h and netdev_fake.h. */
#ifndef UNIT_NET_FAKE_H
#define UNIT_NET_FAKE_H

#include "netdev_fake.h"
#include "virtio_fake.h"

/* Numbers of features, section 5.1.3. */
enum {
    CSUM = 0,
    GUEST_CSUM = 1,
    MTU = 3,
    MAC = 5,
    GUEST_TSO4 = 7,
    GUEST_TSO6 = 8,
    HOST_TSO4 = 11,
    HOST_TSO6 = 12,
    MRG_RXBUF = 15,
    STATUS = 16,
    CTRL_VQ = 17,
    CTRL_RX = 18,
    MQ = 22,
    CTRL_MAC = 23,
};

#define ALL_FEATURES                                                                        \
    (BIT64(CSUM) | BIT64(GUEST_CSUM) | BIT64(MAC) | BIT64(GUEST_TSO4) | BIT64(GUEST_TSO6) | \
     BIT64(HOST_TSO4) | BIT64(HOST_TSO6) | BIT64(MRG_RXBUF) | BIT64(STATUS) |               \
     BIT64(VIRTIO_F_VERSION_1))

struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_size, gso_size, csum_start, csum_offset, buffer_count;
};

struct net_fake {
    struct virtio_fake virtio;
    unsigned control_queue; /* where commands come in; 0: none is answered */
    uint8_t answer;         /* what the device says to them */
    uint8_t command[16];    /* the last one */
};

extern struct net_fake net;
extern uint64_t net_fake_layout; /* features of the rings, which any device has as well */

/* Probe's result; 0: registered and open. */
int net_fake_start(uint64_t offered);
/* The same with so many pairs of queues on two CPUs; commands are answered as `answer` says, if
 * `answers`. */
int net_fake_start_pairs(uint64_t offered, unsigned pairs, bool answers, uint8_t answer);
/* What the driver left to the worker. */
void net_fake_work(void);
/* Frames given back, the device reset: nothing may be left. */
void net_fake_stop(void);

/* The device fills its next buffer; returns its head, -1 for none. `size` with the header. */
int net_fake_fill(const struct net_header *header, uint32_t header_size, const void *frame,
                  uint32_t size);
/* The same and gives it back. */
bool net_fake_receive(const struct net_header *header, const void *frame, uint32_t size);

#endif
