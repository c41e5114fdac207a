/* SPDX-License-Identifier: MIT */
/* Packets to ourselves: lwip_loop.c. */
#ifndef LWIP_LOOP_H
#define LWIP_LOOP_H

#include <lwip/netif.h>
#include <lwip/pbuf.h>

/* An IP packet for an address of `netif` itself; the caller keeps p. */
err_t loop_output(struct netif *netif, const struct pbuf *p);

#endif
