/* SPDX-License-Identifier: MIT */
/* Checksums (RFC 1071) and lengths of what arrives; see lwip_checksum.h. */
#include "lwip_checksum.h"

#include <lib/minmax.h>

#include <lwip/prot/udp.h>

#define PROTOCOL_TCP 6
#define PROTOCOL_UDP 17

/* With its pseudo header (RFC 9293, section 3.1) it adds up to all ones. */
static bool adds_up(const struct pbuf *p, size_t head, size_t length, unsigned protocol,
                    const struct ip_pair *ends)
{
    int address_size = IP_IS_V4(&ends->local) ? 4 : 16;
    uint32_t sum = (uint32_t)lwip_htons((u16_t)protocol) + lwip_htons((u16_t)length) +
                   lwip_port_checksum(&ends->local.u_addr, address_size) +
                   lwip_port_checksum(&ends->remote.u_addr, address_size);
    bool is_odd = false;

    for (; p != NULL && length != 0; p = p->next) {
        size_t size;
        uint16_t part;

        if (head >= p->len) {
            head -= p->len;
            continue;
        }
        size = min(p->len - head, length);
        part = lwip_port_checksum((const uint8_t *)p->payload + head, (int)size);
        sum += is_odd ? __builtin_bswap16(part) : part;
        is_odd ^= size & 1;
        length -= size;
        head = 0;
    }
    sum = (sum & 0xffff) + (sum >> 16);
    return (sum & 0xffff) + (sum >> 16) == 0xffff;
}

/* What the datagram says of its own length; 0: that cannot be. */
static size_t datagram_length(const struct udp_hdr *udp, size_t length, bool is_v6)
{
    size_t said = lwip_ntohs(udp->len);

    if (said == 0 && is_v6) /* RFC 2675 */
        return length;
    return said >= UDP_HLEN && said <= length ? said : 0;
}

__cold bool checksum_look(struct pbuf *p, size_t head, size_t length, unsigned protocol,
                          const struct ip_pair *ends, struct netif *netif)
{
    if (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP)
        return true;
    if (length > p->tot_len - head)
        return false;
    if (protocol == PROTOCOL_UDP && p->len >= head + UDP_HLEN) {
        const struct udp_hdr *udp = (const void *)((const uint8_t *)p->payload + head);

        length = datagram_length(udp, length, IP_IS_V6(&ends->local));
        if (length == 0)
            return false;
        if (udp->chksum == 0) /* none: not with IPv6 (RFC 8200, section 8.1) */
            return IP_IS_V4(&ends->local);
    }
    if (!adds_up(p, head, length, protocol, ends))
        return false;
    netif->chksum_flags &= (u16_t)~TRANSPORT_CHECKS;
    return true;
}

bool checksum_cut_datagram(struct pbuf *p)
{
    size_t length =
        datagram_length(ip_next_header_ptr(), p->tot_len + UDP_HLEN, ip_current_is_v6());

    if (length != 0)
        pbuf_realloc(p, (u16_t)(length - UDP_HLEN));
    return length != 0;
}
