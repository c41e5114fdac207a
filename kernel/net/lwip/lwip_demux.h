/* SPDX-License-Identifier: MIT */
/*
 * Which connection or listener a segment is for, by a hash of addresses and ports. lwIP searches
 * lists; before it gets a packet, the lists are cut down to the one block that the packet is for,
 * and made whole again when it is done (demux_done), or when lwIP changes them meanwhile. All under
 * net_lock().
 */
#ifndef LWIP_DEMUX_H
#define LWIP_DEMUX_H

#include <lwip/tcp.h>
#include <lwip/udp.h>

/* In so_options, beside lwIP's. */
#define SOF_SHARES_PORT 0x80U /* SO_REUSEPORT */
#define SOF_HALF_OPEN   0x40U /* the other end has not answered our SYN yet */
#define SOF_MINIMUM_TTL 0x10U /* packets with fewer hops left than the option says are dropped */

/* ext_args of a struct tcp_pcb */
#define EXT_SOCK      0 /* lwip_tcp.c */
#define EXT_SELF      1 /* the block itself while it is in the hash */
#define EXT_HASH_NEXT 2
#define EXT_PREVIOUS  3 /* in its list */

/* -ENOMEM */
int demux_init(void);

/* The packet given to lwIP is done with. */
void demux_done(void);

/* Around lwIP's slow timer, which takes blocks off the lists itself. */
void demux_lists_changed(void);

/* The block of a connection, in whatever state; NULL. Addresses as in `local`'s kind. */
struct tcp_pcb *demux_find(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                           u16_t remote_port);

/* Whether `pcb` may have this address and port by bind(2)'s rules: 0, -EADDRINUSE. */
int demux_bind_tcp(const struct tcp_pcb *pcb, const ip_addr_t *address, u16_t port,
                   bool wants_listen);
int demux_bind_udp(const struct udp_pcb *pcb, const ip_addr_t *address, u16_t port);

/* A port for a connection to `remote`, or (NULL) to bind to; 0: all are taken. */
u16_t demux_choose_port(const ip_addr_t *local, const ip_addr_t *remote, u16_t remote_port);

/* A UDP socket that shares its port is there, or gone. */
void demux_udp_shared(int change);

/* The other end has answered our SYN. */
void demux_completed(struct tcp_pcb *pcb);

#endif
