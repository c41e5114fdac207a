/* SPDX-License-Identifier: MIT */
/*
 * A packet of lwIP's as a frame for the device. Headers are copied, since lwIP changes its own when
 * it sends a segment again; what a program wrote stays where it is (lwip_chunk.h). Checksums, and
 * the cutting of large segments, are left to devices that do them.
 */
#include "lwip_frame.h"

#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/etharp.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ieee.h>
#include <lwip/prot/ip4.h>
#include <lwip/prot/ip6.h>
#include <lwip/prot/tcp.h>
#include <lwip/tcp.h>

#include "lwip_chunk.h"
#include "lwip_demux.h"
#include "lwip_port.h"

#define ETHERNET_HEADER 14u
#define COPY_MAX        320u /* shorter frames are copied whole: cheaper than two buffers */
#define HEADERS_MAX     (ETHERNET_HEADER + 60 + 60)
#define PARTS_MAX       16u
#define GSO_MAX         15928u /* a chunk of 16 KiB: 11 segments of 1,448 bytes */
#define PROTOCOL_TCP    6
#define PROTOCOL_UDP    17

struct part {
    struct netbuf buffer;
    struct net_chunk *chunk;
};

struct frame {
    struct netbuf buffer;
    unsigned part_count;
    uint8_t room[NETBUF_HEADROOM]; /* the device's header */
    uint8_t head[HEADERS_MAX];
    struct part parts[];
};

struct copied_frame {
    struct netbuf buffer;
    uint8_t room[NETBUF_HEADROOM];
    uint8_t data[];
};

/* Where the headers of a frame are. */
struct layout {
    unsigned transport; /* offset; 0: not TCP or UDP in one piece */
    unsigned protocol;
    unsigned size; /* of all headers */
    bool is_v6;
};

static void release_copied(struct netbuf *first)
{
    kfree(container_of(first, struct copied_frame, buffer));
}

static void release_parts(struct netbuf *first)
{
    struct frame *frame = container_of(first, struct frame, buffer);

    for (unsigned i = 0; i < frame->part_count; i++)
        net_chunk_put(frame->parts[i].chunk);
    kfree(frame);
}

static void set_buffer(struct netbuf *buffer, uint8_t *data, size_t size)
{
    buffer->next = buffer->rest = NULL;
    buffer->data = data;
    buffer->size = (uint32_t)size;
    buffer->flags = 0;
    buffer->gso = NETBUF_GSO_NONE;
    buffer->gso_size = 0;
    buffer->pool = NULL;
}

static unsigned be16_at(const uint8_t *at)
{
    return (unsigned)at[0] << 8 | at[1];
}

static struct layout find_layout(const uint8_t *head, size_t size)
{
    struct layout layout = {0};
    unsigned type = be16_at(head + 12), at = ETHERNET_HEADER;

    if (type == ETHTYPE_IP && size >= at + IP_HLEN && (be16_at(head + at + 6) & 0x3fff) == 0) {
        layout.protocol = head[at + 9];
        at += (head[at] & 15u) * 4;
    } else if (type == ETHTYPE_IPV6 && size >= at + IP6_HLEN) {
        layout.protocol = head[at + 6];
        layout.is_v6 = true;
        at += IP6_HLEN;
    } else {
        return layout;
    }
    if (layout.protocol == PROTOCOL_TCP && size >= at + TCP_HLEN)
        layout.size = at + (head[at + 12] >> 4) * 4u;
    else if (layout.protocol == PROTOCOL_UDP && size >= at + 8)
        layout.size = at + 8;
    if (layout.size != 0 && layout.size <= size)
        layout.transport = at;
    return layout;
}

/* Leaves the sum of the pseudo header in the checksum's field, and the rest to the device. A sum
 * that is there already (a program made the packet) stays. */
static void leave_checksum(struct netbuf *buffer, const struct layout *layout, uint8_t *head)
{
    const uint8_t *from = head + ETHERNET_HEADER + (layout->is_v6 ? 8 : 12);
    unsigned offset = layout->protocol == PROTOCOL_TCP ? 16 : 6;
    uint8_t *field = head + layout->transport + offset;
    uint32_t words[8];
    uint64_t sum = __builtin_bswap16((uint16_t)layout->protocol) +
                   __builtin_bswap32(buffer->total - layout->transport);

    if (be16_at(field) != 0)
        return;
    memcpy(words, from, 8);
    sum += (uint64_t)words[0] + words[1];
    if (layout->is_v6) {
        memcpy(words, from + 8, 24);
        for (unsigned i = 0; i < 6; i++)
            sum += words[i];
    }
    sum = (sum & 0xffffffff) + (sum >> 32);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    sum = (sum & 0xffff) + (sum >> 16);
    field[0] = (uint8_t)sum; /* memory order: the sum was made of memory words */
    field[1] = (uint8_t)(sum >> 8);
    buffer->flags |= NETBUF_CSUM_PARTIAL;
    buffer->csum_start = (uint16_t)layout->transport;
    buffer->csum_offset = (uint16_t)offset;
}

static err_t give(struct interface *interface, struct netbuf *buffer)
{
    if (netdev_send(interface->device, 0, buffer) != 0) {
        buffer->release(buffer); /* the ring is full: as if lost on the way */
        return ERR_MEM;
    }
    interface->kick = true;
    net_kick_wanted = true;
    net_active();
    return ERR_OK;
}

/* What the device is to cut: its pieces have the connection's segment size. False: it cannot. */
static bool set_gso(const struct interface *interface, struct netbuf *buffer,
                    const struct layout *layout, const uint8_t *head)
{
    const uint8_t *ip = head + ETHERNET_HEADER, *tcp = head + layout->transport;
    unsigned options = layout->size - layout->transport - TCP_HLEN;
    ip_addr_t local, remote;
    struct tcp_pcb *pcb;
    uint32_t words[8];

    if (layout->protocol != PROTOCOL_TCP || !(buffer->flags & NETBUF_CSUM_PARTIAL) ||
        frame_gso_limit(&interface->netif, layout->is_v6) == 0)
        return false;
    if (layout->is_v6) {
        memcpy(words, ip + 8, 32);
        IP_ADDR6(&local, words[0], words[1], words[2], words[3]);
        IP_ADDR6(&remote, words[4], words[5], words[6], words[7]);
        ip6_addr_assign_zone(ip_2_ip6(&local), IP6_UNICAST, &interface->netif);
        ip6_addr_assign_zone(ip_2_ip6(&remote), IP6_UNICAST, &interface->netif);
    } else {
        memcpy(words, ip + 12, 8);
        ip_addr_set_ip4_u32_val(local, words[0]);
        ip_addr_set_ip4_u32_val(remote, words[1]);
    }
    pcb = demux_find(&local, (u16_t)be16_at(tcp), &remote, (u16_t)be16_at(tcp + 2));
    if (pcb == NULL || pcb->mss <= options)
        return false;
    buffer->gso = layout->is_v6 ? NETBUF_GSO_TCP6 : NETBUF_GSO_TCP4;
    buffer->gso_size = (uint16_t)(pcb->mss - options);
    buffer->header_size = (uint16_t)layout->size;
    return true;
}

static struct copied_frame *new_copy(size_t size)
{
    struct copied_frame *frame = kmalloc(sizeof(*frame) + size);

    if (frame == NULL)
        return NULL;
    set_buffer(&frame->buffer, frame->data, size);
    frame->buffer.total = frame->buffer.size;
    frame->buffer.release = release_copied;
    return frame;
}

/* find_layout() of an IPv4 packet that the device does not cut. */
static inline struct layout short_layout(const uint8_t *head, size_t size)
{
    const struct ip_hdr *ip = (const void *)(head + ETHERNET_HEADER);
    unsigned protocol = IPH_PROTO(ip);

    if (ip->_v_hl != 0x45 ||
        size < ETHERNET_HEADER + IP_HLEN + (protocol == PROTOCOL_TCP ? TCP_HLEN : 8) ||
        (IPH_OFFSET(ip) & PP_HTONS(IP_OFFMASK | IP_MF)) != 0 ||
        (protocol != PROTOCOL_TCP && protocol != PROTOCOL_UDP))
        return find_layout(head, size);
    return (struct layout){.transport = ETHERNET_HEADER + IP_HLEN, .protocol = protocol};
}

static err_t give_copy(struct interface *interface, struct copied_frame *frame)
{
    if (interface->device->features & NETDEV_TX_CSUM) {
        struct layout layout = find_layout(frame->data, frame->buffer.size);

        if (layout.transport != 0)
            leave_checksum(&frame->buffer, &layout, frame->data);
        if (frame->buffer.size > interface->netif.mtu + ETHERNET_HEADER &&
            !set_gso(interface, &frame->buffer, &layout, frame->data)) {
            kfree(frame);
            return ERR_VAL;
        }
    }
    return give(interface, &frame->buffer);
}

err_t frame_send_copy(struct interface *interface, const uint8_t *head, size_t head_size,
                      struct pbuf *p, size_t offset, size_t size)
{
    struct copied_frame *frame = new_copy(head_size + size);

    if (frame == NULL)
        return ERR_MEM;
    memcpy(frame->data, head, head_size);
    pbuf_copy_partial(p, frame->data + head_size, (u16_t)size, (u16_t)offset);
    net_copies.inside += size;
    return give_copy(interface, frame);
}

/* A short IP packet, to where the last one for this address went. */
static err_t send_short(struct interface *interface, const struct neighbour *to,
                        const struct pbuf *p)
{
    struct copied_frame *frame = new_copy(ETHERNET_HEADER + p->tot_len);

    if (frame == NULL)
        return ERR_MEM;
    memcpy(frame->data, to->header, ETHERNET_HEADER);
    if (p->len == p->tot_len)
        memcpy(frame->data + ETHERNET_HEADER, p->payload, p->len);
    else
        pbuf_copy_partial(p, frame->data + ETHERNET_HEADER, p->tot_len, 0);
    net_copies.packets_out++;
    net_copies.inside += frame->buffer.size;
    if (interface->device->features & NETDEV_TX_CSUM) {
        struct layout layout = short_layout(frame->data, frame->buffer.size);

        if (layout.transport != 0)
            leave_checksum(&frame->buffer, &layout, frame->data);
    }
    return give(interface, &frame->buffer);
}

void frame_forget_neighbours(struct interface *interface)
{
    for (unsigned i = 0; i < NEIGHBOURS; i++)
        interface->neighbours[i].address = 0;
}

err_t frame_output_ip4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to)
{
    struct interface *interface = netif->state;
    u32_t address = to->addr;
    struct neighbour *neighbour = &interface->neighbours[(address >> 24) % NEIGHBOURS];
    const uint8_t *packet = p->payload;
    err_t error;

    if (neighbour->address == address && address != 0 && p->tot_len <= COPY_MAX &&
        p->tot_len <= netif->mtu && netif->linkoutput == frame_output)
        return send_short(interface, neighbour, p);
    error = etharp_output(netif, p, to);
    if (error == ERR_OK && p->payload == packet - ETHERNET_HEADER && !(packet[-14] & 1)) {
        neighbour->address = address; /* it was sent, behind the header that is there now */
        memcpy(neighbour->header, p->payload, ETHERNET_HEADER);
    }
    return error;
}

/* Buffers of a frame behind its headers; 0: too many, or not all are chunks'. */
static unsigned count_parts(struct pbuf *p, size_t head_size)
{
    unsigned count = 0;

    for (; p != NULL; p = p->next) {
        if (head_size >= p->len) {
            head_size -= p->len;
            continue;
        }
        head_size = 0;
        if (count == PARTS_MAX || net_chunk_of(p) == NULL)
            return 0;
        count++;
    }
    return count;
}

static void refer(struct frame *frame, struct pbuf *p, size_t head_size)
{
    struct netbuf *last = &frame->buffer;

    for (; p != NULL; p = p->next) {
        struct part *part = &frame->parts[frame->part_count];

        if (head_size >= p->len) {
            head_size -= p->len;
            continue;
        }
        part->chunk = net_chunk_of(p);
        atomic_inc(&part->chunk->refs);
        set_buffer(&part->buffer, (uint8_t *)p->payload + head_size, p->len - head_size);
        last->rest = &part->buffer;
        last = &part->buffer;
        head_size = 0;
        frame->part_count++;
    }
}

err_t frame_output(struct netif *netif, struct pbuf *p)
{
    struct interface *interface = netif->state;
    bool is_long = p->tot_len > netif->mtu + ETHERNET_HEADER;
    struct layout layout;
    struct frame *frame;
    unsigned count;

    net_copies.packets_out++;
    if (p->tot_len <= COPY_MAX)
        return frame_send_copy(interface, NULL, 0, p, 0, p->tot_len);
    layout = find_layout(p->payload, p->len);
    if (is_long && layout.protocol != PROTOCOL_TCP)
        return frame_fragment(interface, p);
    count = layout.transport != 0 ? count_parts(p, layout.size) : 0;
    if (count == 0)
        return frame_send_copy(interface, NULL, 0, p, 0, p->tot_len);
    frame = kmalloc(sizeof(*frame) + count * sizeof(struct part));
    if (frame == NULL)
        return ERR_MEM;
    set_buffer(&frame->buffer, frame->head, layout.size);
    frame->buffer.total = p->tot_len;
    frame->buffer.release = release_parts;
    frame->part_count = 0;
    memcpy(frame->head, p->payload, layout.size);
    if (interface->device->features & NETDEV_TX_CSUM)
        leave_checksum(&frame->buffer, &layout, frame->head);
    if (is_long && !set_gso(interface, &frame->buffer, &layout, frame->head)) {
        kfree(frame);
        return ERR_VAL;
    }
    refer(frame, p, layout.size);
    return give(interface, &frame->buffer);
}

size_t frame_gso_limit(const struct netif *netif, bool is_v6)
{
    const struct interface *interface = netif->state;
    unsigned feature = is_v6 ? NETDEV_TSO6 : NETDEV_TSO4;

    if (netif->linkoutput != frame_output || !(interface->device->features & feature) ||
        !(interface->device->features & NETDEV_TX_CSUM))
        return 0;
    return GSO_MAX;
}
