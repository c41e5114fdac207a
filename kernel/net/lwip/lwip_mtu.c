/* SPDX-License-Identifier: MIT */
/* Packets that a way takes no more: connections that are open send shorter ones. They do not grow
 * again. */
#include <lwip/ip.h>
#include <lwip/nd6.h>
#include <lwip/priv/tcp_priv.h>

#include "lwip_demux.h"
#include "lwip_tcp.h"

#define SEGMENT_MIN 48u /* net.ipv4.tcp_min_snd_mss */

/* Without memory a segment stays as it is until it is sent again. */
static void cut_all(struct tcp_pcb *pcb, struct tcp_seg *segment)
{
    size_t packet = pcb->mss - (pcb->flags & TF_TIMESTAMP ? LWIP_TCP_OPT_LEN_TS_OUT : 0u);

    for (; segment != NULL; segment = segment->next) {
        if (segment->len > packet)
            (void)tcp_data_cut(pcb, segment, packet, packet);
    }
}

void tcp_mtu_cut(const struct inet_sock *sock, struct tcp_pcb *pcb)
{
    if (sock == NULL || sock->gso_limit == 0)
        cut_all(pcb, pcb->unsent);
}

bool tcp_mtu_take(struct tcp_pcb *pcb, unsigned mtu)
{
    const struct inet_sock *sock = pcb->ext_args[EXT_SOCK].data;
    unsigned headers = TCP_HLEN + (IP_IS_V6(&pcb->remote_ip) ? IP6_HLEN : IP_HLEN);

    if (mtu < headers + SEGMENT_MIN || mtu - headers >= pcb->mss)
        return false;
    pcb->mss = (u16_t)(mtu - headers);
    if (sock == NULL || sock->gso_limit == 0)
        cut_all(pcb, pcb->unacked);
    tcp_mtu_cut(sock, pcb);
    return true;
}

void tcp_mtu_changed(struct netif *netif)
{
    netif->mtu6 = netif->mtu;
    nd6_clear_destination_cache();
    for (struct tcp_pcb *pcb = tcp_active_pcbs; pcb != NULL; pcb = pcb->next) {
        if (ip_route(&pcb->local_ip, &pcb->remote_ip) == netif)
            tcp_mtu_take(pcb, net_mtu(netif));
    }
}
