/* SPDX-License-Identifier: MIT */
/*
 * The frames of a virtio network device (OASIS Virtual I/O Device 1.2 section 5.1): mergeable
 * receive buffers, checksum and segmentation offload both ways. Sending takes no interrupts: what
 * was sent is released by the next send or poll. What the device says about a frame is checked;
 * what makes no sense is dropped and counted. net_setup.c has the rest.
 */
#include "net.h"

#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

/* Section 5.1.6 */
struct net_header {
    uint8_t flags, gso_type;
    uint16_t header_size, gso_size, csum_start, csum_offset;
    uint16_t buffer_count; /* not there on legacy devices without mergeable buffers */
};

#define HEADER_NEEDS_CSUM 1U
#define HEADER_DATA_VALID 2U
#define GSO_NONE          0
#define GSO_TCPV4         1
#define GSO_TCPV6         4
#define GSO_ECN           0x80

#define FRAME_MAX   (65535U + ETHERNET_HEADER + 4)
#define FIRST_MIN   128U /* bytes that a frame's first buffer holds, if it has them */
#define COPY_MAX    512U /* frames that are copied when buffers are short */
#define RING_MAX    256U
#define TABLE_LEAST 4U /* pieces of a frame that are worth a table */
#define SEND_TABLES 32U

_Static_assert(sizeof(struct net_header) <= NETBUF_HEADROOM, "the header fits before a frame");

/* --- receive ------------------------------------------------------------------------------------
 */

/* The device's header goes to netbuf_start(), the frame behind it. */
static int post(struct net_pair *pair, struct netbuf *buffer)
{
    uint8_t *start = netbuf_start(buffer);
    unsigned at =
        pair->net->any_layout ? NETBUF_ROOM : pair->net->header_size; /* where it is cut */
    struct virtio_segment segment[2] = {{start, at}, {start + at, NETBUF_ROOM - at}};
    int error = virtqueue_add(&pair->receive, segment, 0, pair->net->any_layout ? 1 : 2, buffer);

    if (error == 0)
        pair->posted++;
    return error;
}

/* The buffer itself goes back to the ring: its frame is lost, or was copied. */
static void post_again(struct net_pair *pair, struct netbuf *chain)
{
    while (chain != NULL) {
        struct netbuf *rest = chain->rest;

        if (post(pair, chain) != 0)
            netbuf_free(chain);
        chain = rest;
    }
}

static void refill(struct net_pair *pair)
{
    while (pair->posted < pair->ring_size) {
        struct netbuf *buffer = netbuf_pool_get(pair->pool);

        if (buffer == NULL)
            break;
        if (post(pair, buffer) != 0) {
            netbuf_free(buffer);
            break;
        }
    }
    virtqueue_kick(&pair->receive);
}

static struct netbuf *take_buffer(struct net_pair *pair, uint32_t *written)
{
    struct netbuf *buffer = virtqueue_get(&pair->receive, written);

    if (buffer != NULL) {
        pair->posted--;
        buffer->rest = NULL;
    }
    return buffer;
}

/* The further buffers of a frame, which the device uses at once (section 5.1.6.4). */
static bool take_rest(struct net_pair *pair, struct netbuf *first, unsigned count)
{
    struct netbuf *last = first;

    while (--count > 0) {
        uint32_t written;
        struct netbuf *buffer = take_buffer(pair, &written);

        if (buffer == NULL)
            return false;
        last->rest = buffer;
        last = buffer;
        buffer->data = netbuf_start(buffer);
        buffer->size = min(written, NETBUF_ROOM);
        first->total += buffer->size;
        if (written == 0 || written > NETBUF_ROOM || first->total > FRAME_MAX)
            first->total = FRAME_MAX + 1; /* told by the caller's check, the rest is taken */
    }
    return true;
}

/* Offloads as the device reports them; false: they cannot be. */
static bool take_header(const struct net_pair *pair, const struct net_header *header,
                        struct netbuf *frame)
{
    unsigned gso = header->gso_type & ~GSO_ECN;

    frame->flags = 0;
    frame->gso = NETBUF_GSO_NONE;
    frame->gso_size = 0;
    if (!(pair->net->netdev.features & NETDEV_RX_CSUM))
        return header->flags == 0 && header->gso_type == GSO_NONE;
    if (header->flags & HEADER_NEEDS_CSUM) {
        if ((uint32_t)header->csum_start + header->csum_offset + 2 > frame->total ||
            header->csum_start < ETHERNET_HEADER)
            return false;
        frame->csum_start = header->csum_start;
        frame->csum_offset = header->csum_offset;
        frame->flags = NETBUF_CSUM_PARTIAL;
    } else if (header->flags & HEADER_DATA_VALID) {
        frame->flags = NETBUF_CSUM_VALID;
    }
    if (gso == GSO_NONE)
        return true;
    if ((gso != GSO_TCPV4 && gso != GSO_TCPV6) || header->gso_size == 0 ||
        !(pair->net->netdev.features & NETDEV_RX_GSO))
        return false;
    frame->gso = gso == GSO_TCPV4 ? NETBUF_GSO_TCP4 : NETBUF_GSO_TCP6;
    frame->gso_size = header->gso_size;
    return true;
}

/* Makes a frame of `first`, of which the device says that it wrote so much. */
static bool make_frame(struct net_pair *pair, struct netbuf *first, uint32_t written)
{
    const struct net_header *header = (const void *)netbuf_start(first);
    unsigned count = pair->net->is_mergeable ? header->buffer_count : 1;
    unsigned limit = pair->net->netdev.features & NETDEV_RX_GSO
                         ? FRAME_MAX
                         : pair->net->netdev.mtu_max + ETHERNET_HEADER + 4;

    if (written < pair->net->header_size + ETHERNET_HEADER || written > NETBUF_ROOM || count == 0 ||
        count > pair->receive.size)
        return false;
    first->data = netbuf_start(first) + pair->net->header_size;
    first->size = first->total = written - pair->net->header_size;
    if (count > 1 && !take_rest(pair, first, count))
        return false;
    if (first->total > limit || first->size < min(first->total, FIRST_MIN))
        return false;
    return take_header(pair, header, first);
}

/* Buffers are short: a small frame moves to memory of its own, a large one is lost. */
static __noinline struct netbuf *spare_buffer(struct net_pair *pair, struct netbuf *frame)
{
    struct netdev_stats *stats = &pair->net->netdev.queue[pair->index].stats;
    struct netbuf *copy = frame->total <= COPY_MAX ? netbuf_copy(frame) : NULL;

    if (copy != NULL)
        stats->copied += frame->total;
    else
        stats->rx_dropped++;
    post_again(pair, frame);
    return copy;
}

static void receive_frame(struct net_pair *pair, struct netbuf *frame, uint32_t written)
{
    if (unlikely(!make_frame(pair, frame, written))) {
        pair->net->netdev.queue[pair->index].stats.rx_errors++;
        post_again(pair, frame);
        return;
    }
    if (unlikely(pair->posted < pair->ring_size / 2)) {
        refill(pair);
        if (pair->posted < pair->ring_size / 2)
            frame = spare_buffer(pair, frame);
    }
    if (frame != NULL)
        netdev_input(&pair->net->netdev, pair->index, frame);
}

/* --- send ---------------------------------------------------------------------------------------
 */

/* What the device is done with, as a list. */
static struct netbuf *take_sent(struct net_pair *pair)
{
    struct netbuf *list = NULL, *frame;
    uint32_t written;

    while ((frame = virtqueue_get(&pair->send, &written)) != NULL) {
        frame->next = list;
        list = frame;
    }
    return list;
}

static void release_sent(struct net_pair *pair)
{
    struct netbuf *sent;

    if (!virtqueue_has_news(&pair->send))
        return;
    spin_lock(&pair->send_lock);
    sent = take_sent(pair);
    if (sent != NULL && pair->send_waits) {
        pair->send_waits = false;
        netdev_writable(&pair->net->netdev, pair->index);
    }
    spin_unlock(&pair->send_lock);
    netbuf_release_list(sent);
}

static bool fill_header(const struct net_pair *pair, const struct netbuf *frame)
{
    struct net_header header = {0};
    unsigned features = pair->net->netdev.features;
    bool is_partial = frame->flags & NETBUF_CSUM_PARTIAL;

    if (is_partial) {
        header.flags = HEADER_NEEDS_CSUM;
        header.csum_start = frame->csum_start;
        header.csum_offset = frame->csum_offset;
    }
    if (frame->gso != NETBUF_GSO_NONE) {
        unsigned need = frame->gso == NETBUF_GSO_TCP4   ? NETDEV_TSO4
                        : frame->gso == NETBUF_GSO_TCP6 ? NETDEV_TSO6
                                                        : NETDEV_USO;

        if (!(features & need) || !is_partial)
            return false;
        header.gso_type = frame->gso == NETBUF_GSO_TCP4 ? GSO_TCPV4 : GSO_TCPV6;
        header.gso_size = frame->gso_size;
        header.header_size = frame->header_size;
    }
    if (is_partial && !(features & NETDEV_TX_CSUM))
        return false;
    if (likely(pair->net->header_size == sizeof(header))) /* a constant: no call */
        memcpy(frame->data - sizeof(header), &header, sizeof(header));
    else
        memcpy(frame->data - pair->net->header_size, &header, pair->net->header_size);
    return true;
}

/* The pieces of a frame, the device's header first; 0: too many. */
static unsigned list_pieces(const struct net_pair *pair, struct netbuf *frame,
                            struct virtio_segment *piece)
{
    unsigned count = 0;

    if (likely(pair->net->any_layout && frame->rest == NULL)) {
        piece->memory = frame->data - pair->net->header_size;
        piece->size = frame->size + pair->net->header_size;
        return 1;
    }
    if (!pair->net->any_layout)
        piece[count++] =
            (struct virtio_segment){frame->data - pair->net->header_size, pair->net->header_size};
    for (struct netbuf *part = frame; part != NULL; part = part->rest) {
        unsigned extra = part == frame && pair->net->any_layout ? pair->net->header_size : 0;

        if (count == NETBUF_CHAIN_MAX + 1)
            return 0;
        piece[count++] = (struct virtio_segment){part->data - extra, part->size + extra};
    }
    return count;
}

/* Takes the frame. Full: once more when the interrupt is on, so that no room is missed. */
static int add_frame(struct net_pair *pair, struct netbuf *frame, struct netbuf **sent)
{
    struct virtio_segment piece[NETBUF_CHAIN_MAX + 1];
    unsigned count = fill_header(pair, frame) ? list_pieces(pair, frame, piece) : 0;
    int error;

    if (count == 0 || frame->total > pair->net->netdev.gso_max)
        return -EINVAL;
    if (pair->send.free_count < pair->send.size / 2)
        *sent = take_sent(pair);
    error = virtqueue_add(&pair->send, piece, count, 0, frame);
    if (error != -EAGAIN)
        return error;
    pair->send_waits = pair->send_armed = true;
    virtqueue_kick(&pair->send);
    virtqueue_interrupts(&pair->send, true);
    if (!virtqueue_has_news(&pair->send))
        return -EAGAIN;
    *sent = take_sent(pair);
    return virtqueue_add(&pair->send, piece, count, 0, frame);
}

static int net_send(struct netdev *netdev, unsigned queue, struct netbuf *frame)
{
    struct net_pair *pair = net_pair_of(netdev, queue);
    struct netdev_stats *stats = &netdev->queue[queue].stats;
    struct netbuf *sent = NULL;
    uint32_t total = frame->total; /* the frame may be gone as soon as the device has it */
    bool soon = frame->flags & NETBUF_RELEASE_SOON;
    int error = -ENETDOWN;

    spin_lock(&pair->send_lock);
    if (pair->net->is_running && !pair->send.is_broken)
        error = add_frame(pair, frame, &sent);
    if (error == 0) {
        stats->tx_packets++;
        stats->tx_bytes += total;
        if (soon) {
            pair->send_armed = true;
            virtqueue_interrupts(&pair->send, true);
        }
    } else if (error != -EAGAIN) {
        stats->tx_errors++;
    }
    spin_unlock(&pair->send_lock);
    netbuf_release_list(sent);
    return error;
}

static void net_kick(struct netdev *netdev, unsigned queue)
{
    struct net_pair *pair = net_pair_of(netdev, queue);

    spin_lock(&pair->send_lock);
    if (pair->net->is_running)
        virtqueue_kick(&pair->send);
    spin_unlock(&pair->send_lock);
}

/* --- polling and interrupts ---------------------------------------------------------------------
 */

static unsigned net_poll(struct netdev *netdev, unsigned queue, unsigned budget)
{
    struct net_pair *pair = net_pair_of(netdev, queue);
    struct netbuf *buffer;
    unsigned count = 0;
    uint32_t written;

    release_sent(pair);
    while (count < budget && (buffer = take_buffer(pair, &written)) != NULL) {
        receive_frame(pair, buffer, written);
        count++;
    }
    if (pair->posted < pair->ring_size - pair->ring_size / 8)
        refill(pair);
    return count;
}

/* Sends its interrupt again if somebody still waits; true: something was sent meanwhile. */
static bool rearm_send(struct net_pair *pair)
{
    bool news;

    spin_lock(&pair->send_lock);
    pair->send_armed = pair->send.free_count < pair->send.size && !pair->send.is_broken;
    if (pair->send_armed)
        virtqueue_interrupts(&pair->send, true);
    news = pair->send_armed && virtqueue_has_news(&pair->send);
    spin_unlock(&pair->send_lock);
    return news;
}

static bool net_rx_irq(struct netdev *netdev, unsigned queue, bool on)
{
    struct net_pair *pair = net_pair_of(netdev, queue);

    virtqueue_interrupts(&pair->receive, on);
    if (!on)
        return false;
    if ((pair->receive.is_broken || !virtqueue_has_news(&pair->receive)) &&
        (!READ_ONCE(pair->send_armed) || !rearm_send(pair)))
        return false;
    virtqueue_interrupts(&pair->receive, false);
    return true;
}

/* A vector of one of the pair's queues. */
static void queue_interrupt(struct virtqueue *queue)
{
    struct net_pair *pair = queue->data;

    if (!READ_ONCE(pair->net->is_running))
        return;
    virtqueue_interrupts(&pair->receive, false);
    virtqueue_interrupts(&pair->send, false);
    netdev_signal(&pair->net->netdev, pair->index);
}

/* One interrupt for all queues. */
void net_interrupt(struct virtio_device *device)
{
    struct virtio_net *net = device->device.data;

    for (unsigned i = 0; i < net->netdev.queue_count; i++) {
        struct net_pair *pair = &net->pair[i];

        if (i == 0 || virtqueue_has_news(&pair->receive) || virtqueue_has_news(&pair->send))
            queue_interrupt(&pair->receive);
    }
}

__cold int net_pair_start(struct net_pair *pair)
{
    struct virtio_device *device = pair->net->device;
    int error = virtqueue_init_size(&pair->receive, device, 2 * pair->index, RING_MAX);

    if (error == 0)
        error = virtqueue_init_size(&pair->send, device, 2 * pair->index + 1, RING_MAX);
    if (error != 0)
        return error;
    virtqueue_add_tables(&pair->send, SEND_TABLES, TABLE_LEAST, NETBUF_CHAIN_MAX + 1);
    pair->receive.data = pair->send.data = pair;
    pair->receive.interrupt = pair->send.interrupt = queue_interrupt;
    virtqueue_interrupts(&pair->receive, false);
    virtqueue_interrupts(&pair->send, false);
    return 0;
}

int net_pair_open(struct net_pair *pair, unsigned pool_pages)
{
    if (pair->pool == NULL)
        pair->pool = netbuf_pool_create(pool_pages);
    if (pair->pool == NULL)
        return -ENOMEM;
    pair->ring_size = pair->net->any_layout ? pair->receive.size : pair->receive.size / 2;
    pair->ring_size = min(pair->ring_size, pair->pool->total_max / 2);
    refill(pair);
    return 0;
}

void net_pair_clear(struct net_pair *pair)
{
    struct netbuf *buffer, *lost = NULL;

    while ((buffer = virtqueue_take_unused(&pair->receive)) != NULL)
        netbuf_free(buffer);
    pair->posted = 0;
    spin_lock(&pair->send_lock); /* of who was sending when is_running became false, too */
    while ((buffer = virtqueue_take_unused(&pair->send)) != NULL) {
        buffer->next = lost;
        lost = buffer;
    }
    spin_unlock(&pair->send_lock);
    netbuf_release_list(lost);
}

const struct netdev_ops net_ops = {
    .open = net_open,
    .close = net_close,
    .send = net_send,
    .kick = net_kick,
    .poll = net_poll,
    .rx_irq = net_rx_irq,
    .set_mac = net_set_mac,
};
