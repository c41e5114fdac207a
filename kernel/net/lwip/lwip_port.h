/* SPDX-License-Identifier: MIT */
/* What the files around lwIP share. Only this folder includes lwIP. */
#ifndef LWIP_PORT_H
#define LWIP_PORT_H

#include <lwip/err.h>
#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

#include "../inet.h"

/* lwip_stack.c: the one lock. lwIP starts when it is first taken. Unlocking first moves what lies
 * on loopback, then tells who waits. */
void net_lock(void);
void net_unlock(void);

/* Under the lock: these events hold now (`on`) or no more; who waits is told at net_unlock(). */
void net_ready(struct inet_sock *sock, unsigned events, bool on);

/* Under the lock: who waits for these events is told at net_unlock(), and looks again. */
void net_tell(struct inet_sock *sock, unsigned events);

/* The interface of an index that a program gave; NULL: none. */
static inline struct netif *net_netif(unsigned index)
{
    return index <= UINT8_MAX ? netif_get_by_index((u8_t)index) : NULL;
}

#define NET_LOOPBACK_MTU 65536u

static inline unsigned net_mtu(const struct netif *netif)
{
    return netif->mtu != 0 ? netif->mtu : NET_LOOPBACK_MTU;
}

/* IP_MTU_DISCOVER: whether datagrams over the MTU are errors (IP_PMTUDISC_DO to _INTERFACE). */
static inline bool net_forbids_pieces(const struct inet_sock *sock)
{
    return sock->options.mtu_discover >= 2 && sock->options.mtu_discover <= 4;
}

/* Whether a socket may be bound to this address: one of ours, or none. */
bool net_is_ours(const ip_addr_t *address);

/* lwip_tcp.c: a listener (NULL: closed meanwhile) takes no more connections. */
bool inet_backlog_full(const void *listener);

/* Something happened that timers of the slow kind must look after for a while. */
void net_active(void);

extern struct net_copies net_copies; /* net_lock */

/* lwip_netif.c */
extern bool net_kick_wanted; /* some device has frames that it was not told of */
void net_devices_init(void);
void net_devices_kick(void);
void net_forget_neighbours(
    void); /* hardware addresses that frames are sent to are looked up anew */

/* lwip_datagram.c, under the lock but `receive` and `waiting`. `add` is for a packet that is being
 * received, and consumes it. */
void net_datagram_add(struct inet_sock *sock, struct pbuf *p, const ip_addr_t *from, u16_t port);
void net_datagrams_drop(struct inet_sock *sock);
ssize_t net_datagram_receive(struct inet_sock *sock, struct io *io, struct inet_packet *from,
                             unsigned *flags);
int net_datagram_waiting(struct inet_sock *sock);

/* lwip_udp.c: the sock of a block; NULL: the stack's own (DHCP). */
struct udp_pcb;
struct inet_sock *net_udp_sock(const struct udp_pcb *pcb);
/* lwip_raw.c: raw and echo sockets, linked by raw_next. */
struct inet_sock *net_raw_first(void);
/* lwip_icmp.c: once, under the lock. */
void net_icmp_init(void);

/* lwip_netif.c: the device of any interface but loopback. */
struct netdev *net_interface_device(const struct netif *netif);
/* lwip_boot.c, under the lock: an address for a new interface; addresses have changed. */
void net_boot_configure(struct netif *netif, const char *name);
void net_boot_changed(void);
/* lwip_change.c: once, under the lock. */
void net_links_init(void);

int net_errno(err_t error);
void net_address_to_lwip(const struct inet_address *from, bool is_v6, ip_addr_t *to);
void net_address_from_lwip(const ip_addr_t *from, uint16_t port, struct inet_address *to);

#endif
