/* SPDX-License-Identifier: MIT */
/*
 * Frames for packet sockets. While there are any, the interfaces' ways in and out lead through
 * here; without, nothing is in the way of the data. Loopback's packets (hooks.h) get an Ethernet
 * header of zeros, as on Linux. What an interface sends to its own address is not seen.
 */
#include <core/clock.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/hooks.h>
#include <lwip/netif.h>

#include "../packet.h"
#include "lwip_port.h"

#define AF_PACKET      17
#define ETHER_ALL      3
#define HEADER_BYTES   14u
#define PACKET_AUXDATA 8

enum kind { KIND_HOST, KIND_BROADCAST, KIND_MULTICAST, KIND_OTHER_HOST, KIND_OUTGOING };

/* An interface whose ways lead through here, and where they led before. */
static struct way {
    struct netif *netif;
    netif_input_fn input;
    netif_linkoutput_fn link_output;
} ways[9];

bool net_packets_tapped;
static struct packet_sock *all; /* the lock of the stack */

static struct way *way_of(const struct netif *netif)
{
    struct way *way = ways;

    while (way->netif != netif)
        way++;
    return way;
}

/* ---- in ---- */

static uint8_t kind_of(const struct netif *netif, const uint8_t *header)
{
    static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

    if (memcmp(header, all_ones, sizeof(all_ones)) == 0)
        return KIND_BROADCAST;
    if (header[0] & 1)
        return KIND_MULTICAST;
    return memcmp(header, netif->hwaddr, 6) == 0 || netif->num == 0 ? KIND_HOST : KIND_OTHER_HOST;
}

static void fill_name(struct queued_packet *packet, const struct netif *netif,
                      const uint8_t *header, enum kind kind)
{
    struct packet_name name = {.family = AF_PACKET,
                               .protocol = {header[12], header[13]},
                               .link = netif_get_index(netif),
                               .hardware = netif->num == 0 ? 772 : 1,
                               .kind = (uint8_t)kind,
                               .address_size = 6};

    memcpy(name.address, header + 6, 6);
    memcpy(packet->name, &name, sizeof(name));
    packet->name_len = sizeof(name);
}

/* struct tpacket_auxdata: status, length, bytes kept, offsets of the headers */
static void fill_aux(struct queued_packet *packet, bool is_raw)
{
    uint32_t words[3] = {1 /* TP_STATUS_USER */, packet->length, packet->length};
    uint16_t net = is_raw ? HEADER_BYTES : 0;

    memcpy(packet->extra, words, sizeof(words));
    memcpy(packet->extra + sizeof(words) + 2, &net, sizeof(net));
    packet->extra_size = sizeof(packet->extra);
    packet->extra_type = PACKET_AUXDATA;
}

/* `skip` bytes of p are the header; none for loopback. */
static void deliver(struct packet_sock *sock, const struct netif *netif, const uint8_t *header,
                    const struct pbuf *p, u16_t skip, enum kind kind)
{
    size_t length = p->tot_len - skip, front = sock->is_raw ? HEADER_BYTES : 0;
    struct queued_packet *packet = kmalloc(sizeof(*packet) + front + length);

    if (packet == NULL)
        return;
    *packet = (struct queued_packet){.length = (unsigned)(front + length)};
    memcpy(packet->data, header, front);
    pbuf_copy_partial(p, packet->data + front, (u16_t)length, skip);
    fill_name(packet, netif, header, kind);
    if (sock->aux_data)
        fill_aux(packet, sock->is_raw);
    if (sock->socket->stamp != SOCKET_STAMP_NONE)
        packet->stamp_ns = clock_realtime_ns();
    sock->seen++;
    (void)packet_queue_add(&sock->queue, packet, (size_t)sock->socket->receive_buffer);
}

static void show(const struct netif *netif, const uint8_t *header, const struct pbuf *p, u16_t skip,
                 bool is_sent)
{
    unsigned index = netif_get_index(netif), type = (unsigned)(header[12] << 8 | header[13]);

    for (struct packet_sock *sock = all; sock != NULL; sock = sock->next) {
        if ((sock->link != 0 && sock->link != index) ||
            (sock->protocol != ETHER_ALL && (is_sent || sock->protocol != type)))
            continue;
        deliver(sock, netif, header, p, skip, is_sent ? KIND_OUTGOING : kind_of(netif, header));
    }
}

static void show_frame(const struct netif *netif, const struct pbuf *p, bool is_sent)
{
    uint8_t header[HEADER_BYTES];

    if (pbuf_copy_partial(p, header, sizeof(header), 0) == sizeof(header))
        show(netif, header, p, HEADER_BYTES, is_sent);
}

void net_packet_looped(const struct pbuf *p, const struct netif *netif, unsigned type)
{
    uint8_t header[HEADER_BYTES] = {[12] = (uint8_t)(type >> 8), [13] = (uint8_t)type};

    if (netif->num != 0)
        return;
    show(netif, header, p, 0, true);
    show(netif, header, p, 0, false);
}

/* ---- the ways ---- */

static err_t input(struct pbuf *p, struct netif *netif)
{
    show_frame(netif, p, false);
    return way_of(netif)->input(p, netif);
}

static err_t link_output(struct netif *netif, struct pbuf *p)
{
    show_frame(netif, p, true);
    return way_of(netif)->link_output(netif, p);
}

static void tap(struct netif *netif, struct way *way)
{
    if (netif->num == 0 || netif->input == input)
        return;
    *way = (struct way){netif, netif->input, netif->linkoutput};
    netif->input = input;
    netif->linkoutput = link_output;
}

static void untap(struct netif *netif, const struct way *way)
{
    if (way->netif != netif)
        return;
    netif->input = way->input;
    netif->linkoutput = way->link_output;
}

static void tap_all(bool on)
{
    struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (netif->num >= sizeof(ways) / sizeof(ways[0]))
            continue;
        if (on)
            tap(netif, &ways[netif->num]);
        else
            untap(netif, &ways[netif->num]);
    }
}

void net_packet_listen(struct packet_sock *sock, unsigned link, uint16_t protocol)
{
    struct packet_sock **at = &all;

    net_lock();
    while (*at != NULL && *at != sock)
        at = &(*at)->next;
    if (*at == sock)
        *at = sock->next;
    sock->link = link;
    sock->protocol = protocol;
    if (protocol != 0) {
        sock->next = all;
        all = sock;
    }
    net_packets_tapped = all != NULL;
    tap_all(all != NULL);
    net_unlock();
}

/* ---- out ---- */

static err_t send(struct netif *netif, struct pbuf *p)
{
    uint8_t header[HEADER_BYTES];

    if (netif->num != 0)
        return netif->linkoutput(netif, p);
    pbuf_copy_partial(p, header, sizeof(header), 0);
    pbuf_remove_header(p, HEADER_BYTES);
    if ((header[12] == 0x08 && header[13] == 0x00) || (header[12] == 0x86 && header[13] == 0xdd))
        return netif_loop_output(netif, p);
    show(netif, header, p, 0, true);
    show(netif, header, p, 0, false);
    return ERR_OK;
}

ssize_t net_packet_send(struct packet_sock *sock, struct io *io, const struct packet_name *to)
{
    size_t length = io_left(io), front = sock->is_raw ? 0 : HEADER_BYTES;
    struct netif *netif;
    struct pbuf *p;
    uint8_t *header;
    err_t error = ERR_IF;

    if (front + length > UINT16_MAX) /* loopback takes more than lwIP counts */
        return -EMSGSIZE;
    p = pbuf_alloc(PBUF_RAW, (u16_t)(front + length), PBUF_RAM);
    if (p == NULL)
        return -ENOBUFS;
    header = p->payload;
    if (length != 0 && io_copy_from(io, header + front, length) != (ssize_t)length) {
        pbuf_free(p);
        return -EFAULT;
    }
    net_lock();
    netif = netif_get_by_index((u8_t)to->link);
    if (netif != NULL && front != 0) {
        memcpy(header, to->address, 6);
        memcpy(header + 6, netif->hwaddr, 6);
        memcpy(header + 12, to->protocol, 2);
    }
    if (netif != NULL)
        error = send(netif, p);
    pbuf_free(p);
    net_active();
    net_unlock();
    return error == ERR_OK ? (ssize_t)length : net_errno(error);
}
