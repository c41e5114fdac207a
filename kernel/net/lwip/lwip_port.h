/* SPDX-License-Identifier: MIT */
/* What the files around lwIP share. Only this folder includes lwIP. */
#ifndef LWIP_PORT_H
#define LWIP_PORT_H

#include <lwip/err.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "../inet.h"

/* lwip_stack.c: the one lock. Unlocking first moves what lies on loopback, then tells who waits. */
void net_lock(void);
void net_unlock(void);
bool net_locked(void);

/* Under the lock: these events hold now (`on`) or no more; who waits is told at net_unlock(). */
void net_ready(struct inet_sock *sock, unsigned events, bool on);

/* Something happened that timers of the slow kind must look after for a while. */
void net_active(void);

/* lwip_netif.c */
void net_devices_init(void);
void net_devices_kick(void);

int net_errno(err_t error);
void net_address_to_lwip(const struct inet_address *from, bool is_v6, ip_addr_t *to);
void net_address_from_lwip(const ip_addr_t *from, uint16_t port, struct inet_address *to);

#endif
