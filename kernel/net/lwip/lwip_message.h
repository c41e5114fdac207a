/* SPDX-License-Identifier: MIT */
/* What lwip_udp.c and lwip_raw.c share in sending; see lwip_message.c. Under the stack's lock, but
 * what transport_ops calls. */
#ifndef LWIP_MESSAGE_H
#define LWIP_MESSAGE_H

#include <lwip/ip.h>

#include "lwip_port.h"

/* Sends p, which stays the caller's; to->address AF_UNSPEC: the socket is connected. */
typedef int net_message_fn(struct inet_sock *sock, struct pbuf *p, const struct inet_packet *to);

/* transport_ops.send, for messages of `most` bytes. */
ssize_t net_message_send(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                         size_t most, net_message_fn *send);

/* Where a message goes, and by which interface; `size`: behind the IP header. -ENETUNREACH,
 * -EMSGSIZE (IP_MTU_DISCOVER), -EACCES (SO_BROADCAST). */
int net_message_route(struct inet_sock *sock, const struct inet_packet *to, size_t size,
                      ip_addr_t *ip, struct netif **netif);

/* The control data of one message; the caller keeps what was there. */
void net_message_rule(const struct inet_packet *to, struct ip_pcb *pcb, u8_t *multicast_ttl);

/* The fields that lwIP's two kinds of blocks have in different places. */
struct net_message_block {
    u8_t *multicast_ttl, *multicast_interface, *flags, flag_loop;
};

/* The socket's options, to its block. */
void net_message_options(const struct inet_sock *sock, const struct net_message_block *block);

int net_message_shutdown(struct inet_sock *sock, unsigned how);

#endif
