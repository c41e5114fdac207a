/* SPDX-License-Identifier: MIT */
/*
 * The short way of the packets that nearly all are: IPv4 in one piece, without options, of a
 * connection that is known. lwIP would ask of them only what is known already, or is looked at
 * here. All others go the long way. Under net_lock().
 */
#include "lwip_short.h"

#include <lib/string.h>

#include <lwip/ip.h>
#include <lwip/ip6.h>
#include <lwip/priv/tcp_priv.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/tcp.h>
#include <lwip/prot/udp.h>
#include <lwip/udp.h>

#include "lwip_loop.h"
#include "lwip_port.h"

#define PLAIN_HEADER 0x45 /* version 4, five words */

/* RFC 1071, of a header without options: 0xffff if its checksum is right. */
static inline uint16_t header_sum(const struct ip_hdr *header)
{
    uint32_t word[5];
    uint64_t sum = 0;

    memcpy(word, header, sizeof(word));
    for (unsigned i = 0; i < 5; i++)
        sum += word[i];
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    return (uint16_t)((sum & 0xffff) + (sum >> 16));
}

/* ---- in ---- */

bool short_fits(const struct pbuf *p, const struct netif *netif)
{
    const struct ip_hdr *header = p->payload;

    return header->_v_hl == PLAIN_HEADER && lwip_ntohs(header->_len) == p->tot_len &&
           header->dest.addr == netif_ip4_addr(netif)->addr && netif_is_up(netif) &&
           net_raw_first() == NULL &&
           (!(netif->chksum_flags & NETIF_CHECKSUM_CHECK_IP) || header_sum(header) == 0xffff);
}

void short_input(struct pbuf *p, struct netif *netif, short_input_fn *input)
{
    const struct ip_hdr *header = p->payload;

    ip_data.current_netif = ip_data.current_input_netif = netif;
    ip_data.current_ip4_header = header;
    ip_data.current_ip_header_tot_len = IP_HLEN;
    ip_addr_copy_from_ip4(ip_data.current_iphdr_dest, header->dest);
    ip_addr_copy_from_ip4(ip_data.current_iphdr_src, header->src);
    p->payload = (uint8_t *)p->payload + IP_HLEN;
    p->len -= IP_HLEN;
    p->tot_len -= IP_HLEN;
    input(p, netif);
    ip_data.current_netif = ip_data.current_input_netif = NULL;
    ip_data.current_ip4_header = NULL;
    ip_data.current_ip_header_tot_len = 0;
    ip4_addr_set_any(ip4_current_src_addr());
    ip4_addr_set_any(ip4_current_dest_addr());
}

/*
 * Takes timestamps, where they are all the options of a segment (RFC 7323, appendix A), out of its
 * header, which moves up to the data: lwIP would read them byte by byte. The checksum was right.
 */
static void take_timestamps(struct pbuf *p, struct tcp_pcb *pcb)
{
    uint32_t *word = p->payload, seqno, end;
    struct tcp_hdr header;

    if (p->len < TCP_HLEN + 12)
        return;
    memcpy(&header, word, sizeof(header));
    if (TCPH_HDRLEN(&header) != 8 || word[5] != PP_HTONL(0x0101080a) ||
        (TCPH_FLAGS(&header) & (TCP_SYN | TCP_RST)) || !(pcb->flags & TF_TIMESTAMP))
        return;
    seqno = lwip_ntohl(header.seqno);
    end = seqno + p->tot_len - (TCP_HLEN + 12) + (TCPH_FLAGS(&header) & TCP_FIN ? 1 : 0);
    if (TCP_SEQ_BETWEEN(pcb->ts_lastacksent, seqno, end))
        pcb->ts_recent = lwip_ntohl(word[6]);
    TCPH_HDRLEN_SET(&header, 5);
    memcpy(word + 3, &header, sizeof(header));
    p->payload = word + 3;
    p->len -= 12;
    p->tot_len -= 12;
}

void short_input_tcp(struct pbuf *p, struct netif *netif)
{
    if (tcp_active_pcbs != NULL && !(netif->chksum_flags & NETIF_CHECKSUM_CHECK_TCP))
        take_timestamps(p, tcp_active_pcbs); /* demux shows one */
    tcp_input(p, netif);
}

/* lwIP puts the socket that it found to the front: only that one is looked at. */
bool short_finds_udp(const struct ip_hdr *ip, const struct udp_hdr *udp, const struct netif *netif)
{
    const struct udp_pcb *pcb = udp_pcbs;

    return pcb != NULL && (pcb->flags & UDP_FLAGS_CONNECTED) && IP_IS_V4_VAL(pcb->local_ip) &&
           IP_IS_V4_VAL(pcb->remote_ip) && ip_2_ip4(&pcb->local_ip)->addr == ip->dest.addr &&
           ip_2_ip4(&pcb->remote_ip)->addr == ip->src.addr &&
           pcb->local_port == lwip_ntohs(udp->dest) && pcb->remote_port == lwip_ntohs(udp->src) &&
           (pcb->netif_idx == NETIF_NO_INDEX || pcb->netif_idx == netif_get_index(netif)) &&
           (!(netif->chksum_flags & NETIF_CHECKSUM_CHECK_UDP) || udp->chksum == 0);
}

void short_input_udp(struct pbuf *p, struct netif *netif)
{
    struct udp_pcb *pcb = udp_pcbs;

    (void)netif;
    p->payload = (uint8_t *)p->payload + UDP_HLEN;
    p->len -= UDP_HLEN;
    p->tot_len -= UDP_HLEN;
    pcb->recv(pcb->recv_arg, pcb, p, ip_current_src_addr(), pcb->remote_port);
}

/* ---- out ---- */

/* pbuf_add_header(), where the first buffer has the room before its bytes. */
static inline bool add_room(struct pbuf *p, u16_t size)
{
    uint8_t *payload = (uint8_t *)p->payload - size;

    if (!(p->type_internal & PBUF_TYPE_FLAG_STRUCT_DATA_CONTIGUOUS) ||
        payload < (uint8_t *)(p + 1) || p->tot_len > UINT16_MAX - size)
        return pbuf_add_header(p, size) == 0;
    p->payload = payload;
    p->len += size;
    p->tot_len += size;
    return true;
}

static void fill_header(struct ip_hdr *header, const struct pbuf *p, u32_t from, u32_t to)
{
    static u16_t id; /* of TCP's; lwIP counts the others' */

    IPH_VHL_SET(header, 4, IP_HLEN / 4);
    IPH_LEN_SET(header, lwip_htons(p->tot_len));
    IPH_ID_SET(header, lwip_htons(id));
    IPH_OFFSET_SET(header, 0);
    IPH_CHKSUM_SET(header, 0);
    header->src.addr = from;
    header->dest.addr = to;
    id++;
}

/* lwIP's ip_output_if(), for segments of TCP and datagrams that are no longer than the MTU. */
err_t short_output(struct pbuf *p, const ip_addr_t *from, const ip_addr_t *to, u8_t ttl, u8_t tos,
                   u8_t protocol, struct netif *netif)
{
    struct ip_hdr *header;
    u32_t address;

    if (!IP_IS_V4(to))
        return ip6_output_if(p, ip_2_ip6(from), ip_2_ip6(to), ttl, tos, protocol, netif);
    if (!add_room(p, IP_HLEN))
        return ERR_BUF;
    header = p->payload;
    address = ip_2_ip4(to)->addr;
    IPH_TOS_SET(header, tos);
    IPH_TTL_SET(header, ttl);
    IPH_PROTO_SET(header, protocol);
    fill_header(header, p, ip_2_ip4(from)->addr, address);
    if (netif->chksum_flags & NETIF_CHECKSUM_GEN_IP)
        IPH_CHKSUM_SET(header, (u16_t)~header_sum(header));
    if (address == netif_ip4_addr(netif)->addr)
        return loop_output(netif, p);
    return netif->output(netif, p, ip_2_ip4(to));
}
