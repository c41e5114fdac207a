/* SPDX-License-Identifier: MIT */
/* Multicast options of ip(7) and ipv6(7) (inet_group.c). */
#ifndef NET_INET_GROUP_H
#define NET_INET_GROUP_H

#include "inet.h"

/* Memberships and the interface to send by. -ENOPROTOOPT: not one of them. */
int inet_group_option(struct socket *socket, int level, int number, const void *value, size_t size);

/* The IPv4 address that IP_MULTICAST_IF tells: 4 bytes. */
const uint8_t *inet_group_source(struct inet_sock *sock);

#endif
