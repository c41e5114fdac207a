/* SPDX-License-Identifier: MIT */
/* What travels beside the bytes of a datagram (inet_packet.c): control data of ip(7) and ipv6(7).
 */
#ifndef NET_INET_PACKET_H
#define NET_INET_PACKET_H

#include "inet.h"

/* To send: IP_PKTINFO, IP_TTL, IP_TOS and their IPv6 kin. 0 or -EINVAL. */
int inet_packet_from_records(const struct socket *socket, const struct socket_message *message,
                             struct inet_packet *to);

/* Received: the records that the socket's options ask for. */
void inet_packet_to_records(const struct socket *socket, const struct inet_packet *from,
                            struct socket_message *message);

/* MSG_ERRQUEUE: the oldest error that an ICMP message told (IP_RECVERR). -EAGAIN. */
ssize_t inet_receive_error(struct socket *socket, struct io *io, struct socket_message *message);

/* inet.c: in the family of the socket: IPv4 shows as ::ffff:a.b.c.d on an IPv6 socket. */
void inet_address_to_name(const struct socket *socket, const struct inet_address *from,
                          struct socket_name *name);

#endif
