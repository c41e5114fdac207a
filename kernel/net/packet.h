/* SPDX-License-Identifier: MIT */
/* Inside of packet sockets: packet.c has the ABI, lwip/lwip_packet.c the frames. */
#ifndef NET_PACKET_H
#define NET_PACKET_H

#include "packet_queue.h"

#define PACKET_NAME_SIZE 20u /* sizeof(struct sockaddr_ll) */

/* struct sockaddr_ll of packet(7) */
struct packet_name {
    uint16_t family;
    uint8_t protocol[2]; /* network byte order */
    uint32_t link;
    uint16_t hardware;
    uint8_t kind, address_size, address[8];
};

struct packet_sock {
    struct socket *socket;
    struct packet_queue queue;
    bool is_raw;   /* frames with their Ethernet header */
    bool aux_data; /* PACKET_AUXDATA */
    /* the lock of the stack */
    struct packet_sock *next;
    unsigned link;     /* index; 0: any */
    uint16_t protocol; /* EtherType, 3: all; 0: nothing is received */
    uint32_t seen;
};

/* lwip/lwip_packet.c: what the socket hears from now on; protocol 0: nothing. */
void net_packet_listen(struct packet_sock *sock, unsigned link, uint16_t protocol);
/* A frame of the request's bytes; `to` has link and protocol, for sockets that are not raw the
 * address, too. Bytes or -errno. */
ssize_t net_packet_send(struct packet_sock *sock, struct io *io, const struct packet_name *to);

/* At boot. */
void packet_init(void);

#endif
