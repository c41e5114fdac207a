/* SPDX-License-Identifier: MIT */
/* The short way of a packet through IPv4: lwip_short.c. Under net_lock(). */
#ifndef LWIP_SHORT_H
#define LWIP_SHORT_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/udp.h>

typedef void short_input_fn(struct pbuf *p, struct netif *netif);

/* Whether nothing about the IP header of p (all of it is in the first buffer, and it is no
 * fragment) needs more than short_input(). */
bool short_fits(const struct pbuf *p, const struct netif *netif);

/* Gives the packet to `input`, which frees it, behind its IP header. */
void short_input(struct pbuf *p, struct netif *netif, short_input_fn *input);

/* Of the one connection that lwIP sees. */
void short_input_tcp(struct pbuf *p, struct netif *netif);

/* Whether the packet, whose UDP header is complete, is for the socket that lwIP found last, and
 * that one is connected; short_input_udp() is for it, then. */
bool short_finds_udp(const struct ip_hdr *ip, const struct udp_hdr *udp, const struct netif *netif);
void short_input_udp(struct pbuf *p, struct netif *netif);

#endif
