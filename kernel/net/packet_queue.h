/* SPDX-License-Identifier: MIT */
/* A queue of whole messages with their senders, for netlink and packet sockets (packet_queue.c). */
#ifndef NET_PACKET_QUEUE_H
#define NET_PACKET_QUEUE_H

#include <core/wait.h>
#include <net/socket.h>

struct queued_packet {
    struct queued_packet *next;
    uint64_t stamp_ns; /* real time when it came, or 0 */
    unsigned length;   /* of data */
    unsigned wire;     /* bytes it had before it was cut */
    uint8_t name_len;
    char name[20]; /* the sender, as the program sees it */
    uint8_t extra[20];
    uint8_t extra_size; /* of a record that goes along (PACKET_AUXDATA, NETLINK_PKTINFO) */
    uint8_t extra_type;
    _Alignas(8) uint8_t data[];
};

struct packet_queue {
    struct spinlock lock; /* guards down to `closed` */
    struct queued_packet *first, *last;
    size_t bytes;
    unsigned dropped; /* for lack of room, since somebody asked */
    bool closed;
    struct mutex read_lock; /* one reader copies at a time */
    struct waitq readable;
};

void packet_queue_init(struct packet_queue *queue);
/* Nothing comes in any more; frees what is there. */
void packet_queue_close(struct packet_queue *queue);

/* Takes a kmalloc'ed packet over, or drops it when more than `limit` bytes wait: false then. Any
 * context that may take spinlocks. */
bool packet_queue_add(struct packet_queue *queue, struct queued_packet *packet, size_t limit);

/* socket_ops.receive: waits, peeks, cuts. A record goes out with `extra_level`, if there is one. */
ssize_t packet_queue_receive(struct socket *socket, struct packet_queue *queue, struct io *io,
                             struct socket_message *message, int extra_level);

/* Bytes of the first packet. */
unsigned packet_queue_next(struct packet_queue *queue);

#endif
