/* SPDX-License-Identifier: MIT */
/*
 * Packets that are longer than an interface's MTU, in pieces (RFC 791, section 3.2; RFC 8200,
 * section 4.5). TCP never needs them.
 */
#include <device/rng.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include <lwip/inet_chksum.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ieee.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/udp.h>

#include "lwip_frame.h"
#include "lwip_port.h"

#define ETHERNET_HEADER 14u
#define FRAGMENT_HEADER 8u
#define DONT_FRAGMENT   0x4000u
#define MORE_FRAGMENTS  0x2000u
#define PROTOCOL_UDP    17

/* UDP's checksum covers all pieces: no device makes it. */
static void make_checksum(struct pbuf *p, size_t head_size, bool is_v6)
{
    const uint8_t *ip = (const uint8_t *)p->payload + ETHERNET_HEADER;
    ip_addr_t source, destination;
    struct udp_hdr *udp;
    uint32_t words[8];

    if (is_v6) {
        memcpy(words, ip + 8, 32);
        IP_ADDR6(&source, words[0], words[1], words[2], words[3]);
        IP_ADDR6(&destination, words[4], words[5], words[6], words[7]);
    } else {
        memcpy(words, ip + 12, 8);
        ip_addr_set_ip4_u32_val(source, words[0]);
        ip_addr_set_ip4_u32_val(destination, words[1]);
    }
    pbuf_remove_header(p, head_size);
    udp = p->payload;
    if (udp->chksum == 0) {
        udp->chksum = ip_chksum_pseudo(p, PROTOCOL_UDP, p->tot_len, &source, &destination);
        if (udp->chksum == 0)
            udp->chksum = 0xffff;
    }
    pbuf_add_header(p, head_size);
}

static err_t fragment4(struct interface *interface, struct pbuf *p)
{
    uint8_t head[ETHERNET_HEADER + 60];
    struct ip_hdr *ip = (struct ip_hdr *)(head + ETHERNET_HEADER);
    size_t ip_size, head_size, room, left, offset;
    err_t error = ERR_OK;

    ip_size = (((const uint8_t *)p->payload)[ETHERNET_HEADER] & 15u) * 4;
    head_size = ETHERNET_HEADER + ip_size;
    if (ip_size < IP_HLEN || p->len < head_size)
        return ERR_VAL;
    memcpy(head, p->payload, head_size);
    if (lwip_ntohs(IPH_OFFSET(ip)) & (DONT_FRAGMENT | MORE_FRAGMENTS | IP_OFFMASK))
        return ERR_VAL;
    if (IPH_PROTO(ip) == PROTOCOL_UDP && p->len >= head_size + UDP_HLEN)
        make_checksum(p, head_size, false);
    room = (interface->netif.mtu - ip_size) & ~(size_t)7;
    left = p->tot_len - head_size;
    for (offset = 0; left != 0 && error == ERR_OK; offset += room) {
        size_t size = min(room, left);

        left -= size;
        IPH_LEN_SET(ip, lwip_htons((u16_t)(ip_size + size)));
        IPH_OFFSET_SET(ip, lwip_htons((u16_t)(offset / 8 | (left != 0 ? MORE_FRAGMENTS : 0))));
        IPH_CHKSUM_SET(ip, 0);
        IPH_CHKSUM_SET(ip, inet_chksum(ip, (u16_t)ip_size));
        error = frame_send_copy(interface, head, head_size, p, head_size + offset, size);
    }
    return error;
}

static err_t fragment6(struct interface *interface, struct pbuf *p)
{
    uint8_t head[ETHERNET_HEADER + IP6_HLEN + FRAGMENT_HEADER];
    struct ip6_hdr *ip = (struct ip6_hdr *)(head + ETHERNET_HEADER);
    uint8_t *extra = head + ETHERNET_HEADER + IP6_HLEN;
    size_t head_size = ETHERNET_HEADER + IP6_HLEN, room, left, offset;
    uint32_t id = (uint32_t)rng_u64();
    err_t error = ERR_OK;

    if (p->len < head_size)
        return ERR_VAL;
    memcpy(head, p->payload, head_size);
    if (IP6H_NEXTH(ip) == PROTOCOL_UDP && p->len >= head_size + UDP_HLEN)
        make_checksum(p, head_size, true);
    extra[0] = IP6H_NEXTH(ip);
    extra[1] = 0;
    memcpy(extra + 4, &id, sizeof(id));
    IP6H_NEXTH_SET(ip, IP6_NEXTH_FRAGMENT);
    room = (interface->netif.mtu - IP6_HLEN - FRAGMENT_HEADER) & ~(size_t)7;
    left = p->tot_len - head_size;
    for (offset = 0; left != 0 && error == ERR_OK; offset += room) {
        size_t size = min(room, left);

        left -= size;
        IP6H_PLEN_SET(ip, (u16_t)(FRAGMENT_HEADER + size));
        extra[2] = (uint8_t)(offset >> 8);
        extra[3] = (uint8_t)(offset | (left != 0));
        error = frame_send_copy(interface, head, sizeof(head), p, head_size + offset, size);
    }
    return error;
}

err_t frame_fragment(struct interface *interface, struct pbuf *p)
{
    const uint8_t *type = (const uint8_t *)p->payload + 12;

    if (p->len < ETHERNET_HEADER + 1 || interface->netif.mtu < 576)
        return ERR_VAL;
    switch (type[0] << 8 | type[1]) {
    case ETHTYPE_IP:
        return fragment4(interface, p);
    case ETHTYPE_IPV6:
        return fragment6(interface, p);
    default:
        return ERR_VAL;
    }
}
