/* SPDX-License-Identifier: MIT */
/* Checksums and lengths of what arrives, where the device has not looked at them. */
#ifndef LWIP_CHECKSUM_H
#define LWIP_CHECKSUM_H

#include <lwip/ip.h>

#include "lwip_port.h"

/* Of a netif while it gets a packet that nobody has looked at. */
#define TRANSPORT_CHECKS (NETIF_CHECKSUM_CHECK_TCP | NETIF_CHECKSUM_CHECK_UDP)

struct ip_pair {
    ip_addr_t local, remote;
};

/*
 * A packet in one piece, with `length` bytes behind its `head` bytes of IP header. False: it is
 * shorter than it says, or a segment or datagram with a wrong checksum. If it is right, lwIP does
 * not look again: the netif's flags say so.
 */
bool checksum_look(struct pbuf *p, size_t head, size_t length, unsigned protocol,
                   const struct ip_pair *ends, struct netif *netif);

/* The bytes of a datagram that is being received (behind its header): no more than it says that it
 * has. False: it says what cannot be. */
bool checksum_cut_datagram(struct pbuf *p);

#endif
