/* SPDX-License-Identifier: MIT */
/*
 * A way to the host and back for AF_VSOCK: what a driver supplies, and what it calls, which
 * net/vsock*.c defines. Packets are those of virtio (OASIS Virtual I/O Device 1.2 section 5.10.6).
 * Thread context, no lock held.
 */
#ifndef DEVICE_VSOCKDEV_H
#define DEVICE_VSOCKDEV_H

#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>

struct vsock_header {
    uint64_t source_cid, target_cid;
    uint32_t source_port, target_port;
    uint32_t length; /* bytes that follow */
    uint16_t type, op;
    uint32_t flags;
    uint32_t room, taken; /* buf_alloc, fwd_cnt: credit of the sender's own buffer */
} __packed;

/* Header and bytes are one piece of memory, from kmalloc(). */
struct vsock_packet {
    struct list_node node;
    struct vsock_header header;
    uint8_t data[];
};

struct vsockdev {
    uint32_t cid;     /* this guest's */
    bool has_packets; /* SOCK_SEQPACKET */
    bool is_full;     /* sockets are to send no more data for now */
    /* The device's from here on, which frees it. */
    void (*send)(struct vsockdev *dev, struct vsock_packet *packet);
    void *data; /* the driver's */
};

/* There is one, for good. False: there was one already. */
bool vsock_attach(struct vsockdev *dev);
/* header->length bytes at `data`; nothing else has been checked. */
void vsock_input(const struct vsock_header *header, const void *data);
/* is_full is false again. */
void vsock_has_room(void);
/* dev->cid has changed, the machine has moved: every connection to the host is gone. */
void vsock_moved(void);

#endif
