/* SPDX-License-Identifier: MIT */
/*
 * Sockets to the host, and within the guest: vsock.c has the calls, vsock_packet.c the connections,
 * as vsock(7) and section 5.10 of virtio 1.2 have them. One lock guards all of them: who holds it
 * copies no user memory, allocates nothing, and sends nothing.
 */
#ifndef NET_VSOCK_INTERNAL_H
#define NET_VSOCK_INTERNAL_H

#include <core/lock.h>
#include <core/wait.h>
#include <device/vsockdev.h>
#include <net/socket.h>

#define VSOCK_CID_ANY   ~0U
#define VSOCK_CID_LOCAL 1U
#define VSOCK_CID_HOST  2U
#define VSOCK_PORT_ANY  ~0U

#define VSOCK_BUFFER     262144U /* bytes that a socket may have unread, unless told otherwise */
#define VSOCK_BUFFER_MIN 128U

enum vsock_type { VSOCK_STREAM = 1, VSOCK_PACKETS = 2 };

enum vsock_op {
    VSOCK_REQUEST = 1,
    VSOCK_RESPONSE,
    VSOCK_RESET,
    VSOCK_SHUTDOWN,
    VSOCK_DATA,
    VSOCK_CREDIT,
    VSOCK_ASK_CREDIT,
};

#define VSOCK_NO_RECEIVE 1U /* of VSOCK_SHUTDOWN, and of `shut`, `peer_shut` */
#define VSOCK_NO_SEND    2U
#define VSOCK_SHUT       3U
#define VSOCK_END        1U /* of VSOCK_DATA: a message ends here */
#define VSOCK_RECORD     2U /* ... and with it a record (MSG_EOR) */

/* VSOCK_ENDED: was connected; what was received can still be read. */
enum vsock_state { VSOCK_IDLE, VSOCK_LISTENS, VSOCK_CONNECTS, VSOCK_CONNECTED, VSOCK_ENDED };

struct vsock_address {
    uint32_t cid, port;
};

/* Received bytes; more of a stream may be added behind. */
struct vsock_piece {
    struct list_node node;
    uint32_t size, offset, capacity, flags;
    uint8_t data[];
};

struct vsock {
    struct list_node node;     /* of the table */
    struct list_node accepted; /* a listener's connections that wait, a connection's place there */
    struct waitq wait;
    enum vsock_state state;
    uint16_t type;    /* enum vsock_type */
    bool is_in_table; /* has a port */
    bool is_child;    /* ... which is its listener's */
    bool is_taken;    /* a reader is at the first piece */
    uint8_t shut, peer_shut;
    struct socket *socket; /* whose `error` is set; NULL until it is accepted */
    struct vsock_address local, remote;
    unsigned waiting, backlog; /* of a listener */

    struct list_node pieces;
    unsigned message_count;     /* whole ones */
    uint32_t unread, charge;    /* bytes; with what they cost us */
    uint32_t room, taken, told; /* bytes we have room for, read so far, of which the peer knows */
    uint32_t sent, peer_room, peer_taken;

    uint64_t room_min, room_max, timeout_ns; /* options */
};

extern struct spinlock vsock_lock;
extern struct vsockdev *vsock_device; /* NULL: connections within the guest only */

/* --- vsock_packet.c ----------------------------------------------------------------------------
 */

struct vsock *vsock_make(unsigned type); /* NULL: no memory */
/* What is queued goes with it; it is in no table and nobody waits for it. */
void vsock_free(struct vsock *s);
/* -EADDRINUSE. VSOCK_PORT_ANY: one that is free. */
int vsock_take_port_locked(struct vsock *s, uint32_t cid, uint32_t port);
void vsock_leave_locked(struct vsock *s);
/* Whether packets for this context stay in the guest. */
bool vsock_is_local(uint32_t cid);
/* A packet of a connection's, with room for data. NULL: no memory. */
struct vsock_packet *vsock_packet_make(uint32_t size);
void vsock_fill_locked(struct vsock *s, struct vsock_packet *packet, enum vsock_op op,
                       uint32_t size, uint32_t flags);
/* Sends a filled packet. */
void vsock_send_packet(struct vsock_packet *packet);
/* Both at once for packets without data. -ENOMEM. */
int vsock_tell(struct vsock *s, enum vsock_op op, uint32_t flags);
/* Bytes that the peer, and the device, have room for. */
uint32_t vsock_credit_locked(const struct vsock *s);

#endif
