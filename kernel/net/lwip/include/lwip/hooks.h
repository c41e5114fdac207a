/* SPDX-License-Identifier: MIT */
/* Where lwIP calls us: lwip_demux.c. */
#ifndef NET_LWIP_HOOKS_H
#define NET_LWIP_HOOKS_H

#include <lwip/ip_addr.h>
#include <lwip/netif.h>
#include <lwip/pbuf.h>

/* Every packet before lwIP looks at it; nonzero: eaten. */
int demux_ip4_input(struct pbuf *p, struct netif *netif);
int demux_ip6_input(struct pbuf *p, struct netif *netif);
#define LWIP_HOOK_IP4_INPUT(p, netif)                                          \
    ((net_packets_tapped ? net_packet_looped((p), (netif), 0x0800) : (void)0), \
     demux_ip4_input((p), (netif)))
#define LWIP_HOOK_IP6_INPUT(p, netif)                                          \
    ((net_packets_tapped ? net_packet_looped((p), (netif), 0x86dd) : (void)0), \
     demux_ip6_input((p), (netif)))

/* lwip_packet.c: packet sockets also see what lies on loopback. */
extern bool net_packets_tapped;
void net_packet_looped(const struct pbuf *p, const struct netif *netif, unsigned type);

/* The first sequence number of a connection (RFC 6528). */
u32_t demux_first_sequence(const ip_addr_t *local, u16_t local_port, const ip_addr_t *remote,
                           u16_t remote_port);
#define LWIP_HOOK_TCP_ISN(local, local_port, remote, remote_port) \
    demux_first_sequence((local), (local_port), (remote), (remote_port))

#endif
