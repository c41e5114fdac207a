/* SPDX-License-Identifier: MIT */
/*
 * Virtio network device (OASIS Virtual I/O Device 1.2 section 5.1): mergeable receive buffers,
 * checksum and segmentation offload both ways, one pair of queues. Sending takes no interrupts:
 * what was sent is released by the next send or poll. What the device says about a frame is
 * checked; what makes no sense is dropped and counted. Control queue, several pairs and hash
 * reports are left out.
 */
#include "virtio.h"

#include <core/clock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/netdev.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/memory.h>
#include <mm/page.h>
#include <mm/slab.h>

enum net_feature {
    F_CSUM = 0,
    F_GUEST_CSUM = 1,
    F_MTU = 3,
    F_MAC = 5,
    F_GUEST_TSO4 = 7,
    F_GUEST_TSO6 = 8,
    F_HOST_TSO4 = 11,
    F_HOST_TSO6 = 12,
    F_MRG_RXBUF = 15,
    F_STATUS = 16,
};

/* Section 5.1.4 */
#define CONFIG_MAC     0
#define CONFIG_STATUS  6
#define CONFIG_MTU     10
#define STATUS_LINK_UP 1U

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

#define ETHERNET_HEADER 14U
#define FRAME_MAX       (65535U + ETHERNET_HEADER + 4)
#define FIRST_MIN       128U /* bytes that a frame's first buffer holds, if it has them */
#define COPY_MAX        512U /* frames that are copied when buffers are short */
#define MTU_DEFAULT     1500U
#define MTU_MIN         68U

#define RING_MAX     256U
#define RING_MIN     16U
#define POOL_SHARE   16U   /* of memory, one part in so many may hold unread frames */
#define POOL_MAX     4096U /* pages */
#define CLOSE_WAITS  100U  /* milliseconds for the device to send what it has */
#define RECEIVE_LINE 0U    /* queue numbers of the first pair */
#define SEND_LINE    1U

_Static_assert(sizeof(struct net_header) <= NETBUF_HEADROOM, "the header fits before a frame");

struct virtio_net {
    struct netdev netdev;
    struct virtio_device *device;
    unsigned header_size;
    bool is_mergeable, any_layout;
    bool is_running; /* rings are set up */

    struct virtqueue receive; /* the poller's */
    struct netbuf_pool *pool;
    unsigned posted, ring_size; /* buffers with the device, and how many there should be */

    struct spinlock send_lock; /* the rest */
    struct virtqueue send;
    bool send_waits; /* send() has returned -EAGAIN */
    bool send_armed; /* somebody waits for frames to be released: interrupt when they are sent */
};

/* --- receive ------------------------------------------------------------------------------------
 */

/* The device's header goes to netbuf_start(), the frame behind it. */
static int post(struct virtio_net *net, struct netbuf *buffer)
{
    uint8_t *start = netbuf_start(buffer);
    unsigned at = net->any_layout ? NETBUF_ROOM : net->header_size; /* where it is cut */
    struct virtio_segment segment[2] = {{start, at}, {start + at, NETBUF_ROOM - at}};
    int error = virtqueue_add(&net->receive, segment, 0, net->any_layout ? 1 : 2, buffer);

    if (error == 0)
        net->posted++;
    return error;
}

/* The buffer itself goes back to the ring: its frame is lost, or was copied. */
static void post_again(struct virtio_net *net, struct netbuf *chain)
{
    while (chain != NULL) {
        struct netbuf *rest = chain->rest;

        if (post(net, chain) != 0)
            netbuf_free(chain);
        chain = rest;
    }
}

static void refill(struct virtio_net *net)
{
    while (net->posted < net->ring_size) {
        struct netbuf *buffer = netbuf_pool_get(net->pool);

        if (buffer == NULL)
            break;
        if (post(net, buffer) != 0) {
            netbuf_free(buffer);
            break;
        }
    }
    virtqueue_kick(&net->receive);
}

static struct netbuf *take_buffer(struct virtio_net *net, uint32_t *written)
{
    struct netbuf *buffer = virtqueue_get(&net->receive, written);

    if (buffer != NULL) {
        net->posted--;
        buffer->rest = NULL;
    }
    return buffer;
}

/* The further buffers of a frame, which the device uses at once (section 5.1.6.4). */
static bool take_rest(struct virtio_net *net, struct netbuf *first, unsigned count)
{
    struct netbuf *last = first;

    while (--count > 0) {
        uint32_t written;
        struct netbuf *buffer = take_buffer(net, &written);

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
static bool take_header(const struct virtio_net *net, const struct net_header *header,
                        struct netbuf *frame)
{
    unsigned gso = header->gso_type & ~GSO_ECN;

    frame->flags = 0;
    frame->gso = NETBUF_GSO_NONE;
    frame->gso_size = 0;
    if (!(net->netdev.features & NETDEV_RX_CSUM))
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
        !(net->netdev.features & NETDEV_RX_GSO))
        return false;
    frame->gso = gso == GSO_TCPV4 ? NETBUF_GSO_TCP4 : NETBUF_GSO_TCP6;
    frame->gso_size = header->gso_size;
    return true;
}

/* Makes a frame of `first`, of which the device says that it wrote so much. */
static bool make_frame(struct virtio_net *net, struct netbuf *first, uint32_t written)
{
    const struct net_header *header = (const void *)netbuf_start(first);
    unsigned count = net->is_mergeable ? header->buffer_count : 1;
    unsigned limit = net->netdev.features & NETDEV_RX_GSO
                         ? FRAME_MAX
                         : net->netdev.mtu_max + ETHERNET_HEADER + 4;

    if (written < net->header_size + ETHERNET_HEADER || written > NETBUF_ROOM || count == 0 ||
        count > net->receive.size)
        return false;
    first->data = netbuf_start(first) + net->header_size;
    first->size = first->total = written - net->header_size;
    if (count > 1 && !take_rest(net, first, count))
        return false;
    if (first->total > limit || first->size < min(first->total, FIRST_MIN))
        return false;
    return take_header(net, header, first);
}

/* Buffers are short: a small frame moves to memory of its own, a large one is lost. */
static __noinline struct netbuf *spare_buffer(struct virtio_net *net, struct netbuf *frame)
{
    struct netdev_stats *stats = &net->netdev.queue[0].stats;
    struct netbuf *copy = frame->total <= COPY_MAX ? netbuf_copy(frame) : NULL;

    if (copy != NULL)
        stats->copied += frame->total;
    else
        stats->rx_dropped++;
    post_again(net, frame);
    return copy;
}

static void receive_frame(struct virtio_net *net, struct netbuf *frame, uint32_t written)
{
    if (unlikely(!make_frame(net, frame, written))) {
        net->netdev.queue[0].stats.rx_errors++;
        post_again(net, frame);
        return;
    }
    if (unlikely(net->posted < net->ring_size / 2)) {
        refill(net);
        if (net->posted < net->ring_size / 2)
            frame = spare_buffer(net, frame);
    }
    if (frame != NULL)
        netdev_input(&net->netdev, 0, frame);
}

/* --- send ---------------------------------------------------------------------------------------
 */

/* What the device is done with, as a list. */
static struct netbuf *take_sent(struct virtio_net *net)
{
    struct netbuf *list = NULL, *frame;
    uint32_t written;

    while ((frame = virtqueue_get(&net->send, &written)) != NULL) {
        frame->next = list;
        list = frame;
    }
    return list;
}

static void release_all(struct netbuf *list)
{
    while (list != NULL) {
        struct netbuf *next = list->next;

        list->release(list);
        list = next;
    }
}

static void release_sent(struct virtio_net *net)
{
    struct netbuf *sent;

    if (!virtqueue_has_news(&net->send))
        return;
    spin_lock(&net->send_lock);
    sent = take_sent(net);
    if (sent != NULL && net->send_waits) {
        net->send_waits = false;
        netdev_writable(&net->netdev, 0);
    }
    spin_unlock(&net->send_lock);
    release_all(sent);
}

static bool fill_header(const struct virtio_net *net, const struct netbuf *frame)
{
    struct net_header header = {0};
    unsigned features = net->netdev.features;
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
    memcpy(frame->data - net->header_size, &header, net->header_size);
    return true;
}

/* The pieces of a frame, the device's header first; 0: too many. */
static unsigned list_pieces(const struct virtio_net *net, struct netbuf *frame,
                            struct virtio_segment *piece)
{
    unsigned count = 0;

    if (!net->any_layout)
        piece[count++] = (struct virtio_segment){frame->data - net->header_size, net->header_size};
    for (struct netbuf *part = frame; part != NULL; part = part->rest) {
        unsigned extra = part == frame && net->any_layout ? net->header_size : 0;

        if (count == NETBUF_CHAIN_MAX + 1)
            return 0;
        piece[count++] = (struct virtio_segment){part->data - extra, part->size + extra};
    }
    return count;
}

/* Takes the frame. Full: once more when the interrupt is on, so that no room is missed. */
static int add_frame(struct virtio_net *net, struct netbuf *frame, struct netbuf **sent)
{
    struct virtio_segment piece[NETBUF_CHAIN_MAX + 1];
    unsigned count = fill_header(net, frame) ? list_pieces(net, frame, piece) : 0;
    int error;

    if (count == 0 || frame->total > net->netdev.gso_max)
        return -EINVAL;
    if (net->send.free_count < net->send.size / 2)
        *sent = take_sent(net);
    error = virtqueue_add(&net->send, piece, count, 0, frame);
    if (error != -EAGAIN)
        return error;
    net->send_waits = net->send_armed = true;
    virtqueue_kick(&net->send);
    virtqueue_interrupts(&net->send, true);
    if (!virtqueue_has_news(&net->send))
        return -EAGAIN;
    *sent = take_sent(net);
    return virtqueue_add(&net->send, piece, count, 0, frame);
}

static int net_send(struct netdev *netdev, unsigned queue, struct netbuf *frame)
{
    struct virtio_net *net = netdev->data;
    struct netdev_stats *stats = &netdev->queue[queue].stats;
    struct netbuf *sent = NULL;
    uint32_t total = frame->total; /* the frame may be gone as soon as the device has it */
    bool soon = frame->flags & NETBUF_RELEASE_SOON;
    int error = -ENETDOWN;

    spin_lock(&net->send_lock);
    if (net->is_running && !net->send.is_broken)
        error = add_frame(net, frame, &sent);
    if (error == 0) {
        stats->tx_packets++;
        stats->tx_bytes += total;
        if (soon) {
            net->send_armed = true;
            virtqueue_interrupts(&net->send, true);
        }
    } else if (error != -EAGAIN) {
        stats->tx_errors++;
    }
    spin_unlock(&net->send_lock);
    release_all(sent);
    return error;
}

static void net_kick(struct netdev *netdev, unsigned queue)
{
    struct virtio_net *net = netdev->data;

    (void)queue;
    spin_lock(&net->send_lock);
    if (net->is_running)
        virtqueue_kick(&net->send);
    spin_unlock(&net->send_lock);
}

/* --- polling and interrupts ---------------------------------------------------------------------
 */

static unsigned net_poll(struct netdev *netdev, unsigned queue, unsigned budget)
{
    struct virtio_net *net = netdev->data;
    struct netbuf *buffer;
    unsigned count = 0;
    uint32_t written;

    (void)queue;
    release_sent(net);
    while (count < budget && (buffer = take_buffer(net, &written)) != NULL) {
        receive_frame(net, buffer, written);
        count++;
    }
    if (net->posted < net->ring_size - net->ring_size / 8)
        refill(net);
    return count;
}

/* Sends its interrupt again if somebody still waits; true: something was sent meanwhile. */
static bool rearm_send(struct virtio_net *net)
{
    bool news;

    spin_lock(&net->send_lock);
    net->send_armed = net->send.free_count < net->send.size && !net->send.is_broken;
    if (net->send_armed)
        virtqueue_interrupts(&net->send, true);
    news = net->send_armed && virtqueue_has_news(&net->send);
    spin_unlock(&net->send_lock);
    return news;
}

static bool net_rx_irq(struct netdev *netdev, unsigned queue, bool on)
{
    struct virtio_net *net = netdev->data;

    (void)queue;
    virtqueue_interrupts(&net->receive, on);
    if (!on)
        return false;
    if ((net->receive.is_broken || !virtqueue_has_news(&net->receive)) &&
        (!READ_ONCE(net->send_armed) || !rearm_send(net)))
        return false;
    virtqueue_interrupts(&net->receive, false);
    return true;
}

static void net_interrupt(struct virtio_device *device)
{
    struct virtio_net *net = device->device.data;

    if (!READ_ONCE(net->is_running))
        return;
    virtqueue_interrupts(&net->receive, false);
    virtqueue_interrupts(&net->send, false);
    netdev_signal(&net->netdev, 0);
}

static bool read_link(struct virtio_net *net)
{
    uint16_t status = STATUS_LINK_UP;

    if (virtio_has(net->device, F_STATUS))
        net->device->ops->config_read(net->device, CONFIG_STATUS, &status, sizeof(status));
    return status & STATUS_LINK_UP;
}

static void net_config_changed(struct virtio_device *device)
{
    struct virtio_net *net = device->device.data;

    netdev_set_link(&net->netdev, read_link(net));
}

/* --- start --------------------------------------------------------------------------------------
 */

static unsigned pool_pages(void)
{
    struct memory_stats memory;

    memory_get_stats(&memory);
    return (unsigned)min(max(memory.total / POOL_SHARE, (uint64_t)2 * RING_MIN),
                         (uint64_t)POOL_MAX);
}

/* The rings live as long as the device: open and close give and take its buffers. */
static int net_open(struct netdev *netdev)
{
    struct virtio_net *net = netdev->data;

    if (net->pool == NULL)
        net->pool = netbuf_pool_create(pool_pages());
    if (net->pool == NULL)
        return -ENOMEM;
    net->ring_size = net->any_layout ? net->receive.size : net->receive.size / 2;
    net->ring_size = min(net->ring_size, net->pool->total_max / 2);
    refill(net);
    WRITE_ONCE(net->is_running, true);
    return 0;
}

/* Frames that still arrive stay in the ring; a device is not reset for an interface that is down.
 */
static void net_close(struct netdev *netdev)
{
    struct virtio_net *net = netdev->data;

    virtqueue_interrupts(&net->receive, false);
    WRITE_ONCE(net->is_running, false);
    for (unsigned i = 0; i < CLOSE_WAITS; i++) {
        release_sent(net);
        if (net->send.free_count == net->send.size || net->send.is_broken)
            return;
        thread_sleep_until(clock_monotonic_ns() + NS_PER_MS, WAIT_UNINTERRUPTIBLE);
    }
    log_warn("%s: frames given to the device are not sent; they stay with it",
             net->device->device.name);
}

static const struct netdev_ops net_ops = {
    .open = net_open,
    .close = net_close,
    .send = net_send,
    .kick = net_kick,
    .poll = net_poll,
    .rx_irq = net_rx_irq,
};

static uint64_t choose_features(struct virtio_device *device)
{
    uint64_t offered = device->ops->features(device);
    uint64_t wanted = BIT64(F_CSUM) | BIT64(F_GUEST_CSUM) | BIT64(F_MTU) | BIT64(F_MAC) |
                      BIT64(F_MRG_RXBUF) | BIT64(F_STATUS) | BIT64(VIRTIO_F_ANY_LAYOUT) |
                      BIT64(VIRTIO_RING_F_EVENT_IDX);

    /* Section 5.1.3.1: these need those. Merged segments do not fit one buffer of ours. */
    if (offered & BIT64(F_CSUM))
        wanted |= BIT64(F_HOST_TSO4) | BIT64(F_HOST_TSO6);
    if ((offered & BIT64(F_GUEST_CSUM)) && (offered & BIT64(F_MRG_RXBUF)))
        wanted |= BIT64(F_GUEST_TSO4) | BIT64(F_GUEST_TSO6);
    return wanted;
}

static unsigned class_features(const struct virtio_device *device)
{
    static const struct {
        enum net_feature virtio;
        unsigned netdev;
    } pairs[] = {
        {F_CSUM, NETDEV_TX_CSUM},      {F_HOST_TSO4, NETDEV_TSO4},
        {F_HOST_TSO6, NETDEV_TSO6},    {F_GUEST_CSUM, NETDEV_RX_CSUM},
        {F_GUEST_TSO4, NETDEV_RX_GSO}, {F_GUEST_TSO6, NETDEV_RX_GSO},
    };
    unsigned features = 0;

    for (unsigned i = 0; i < ARRAY_SIZE(pairs); i++) {
        if (virtio_has(device, pairs[i].virtio))
            features |= pairs[i].netdev;
    }
    return features;
}

static bool is_unicast(const uint8_t mac[6])
{
    return !(mac[0] & 1) && (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]) != 0;
}

static void read_mac(struct virtio_net *net)
{
    static const uint8_t ours[6] = {0x02, 0x52, 0x65, 0x6d, 0x6f, 0x01}; /* locally administered */

    if (virtio_has(net->device, F_MAC)) {
        net->device->ops->config_read(net->device, CONFIG_MAC, net->netdev.mac, 6);
        if (is_unicast(net->netdev.mac))
            return;
        log_warn("%s: its address is no address of one station; using one of ours",
                 net->device->device.name);
    }
    memcpy(net->netdev.mac, ours, sizeof(ours));
}

static unsigned read_mtu(struct virtio_net *net)
{
    uint16_t mtu = MTU_DEFAULT;

    if (virtio_has(net->device, F_MTU))
        net->device->ops->config_read(net->device, CONFIG_MTU, &mtu, sizeof(mtu));
    if (mtu < MTU_MIN)
        mtu = MTU_DEFAULT;
    /* Without mergeable buffers a frame has to fit one. */
    return min((unsigned)mtu, net->is_mergeable ? 65535U : NETBUF_ROOM - 64);
}

static void describe(struct virtio_net *net)
{
    struct netdev *netdev = &net->netdev;

    net->is_mergeable = virtio_has(net->device, F_MRG_RXBUF);
    net->any_layout =
        virtio_has(net->device, VIRTIO_F_ANY_LAYOUT) || virtio_has(net->device, VIRTIO_F_VERSION_1);
    net->header_size = net->is_mergeable || virtio_has(net->device, VIRTIO_F_VERSION_1) ? 12 : 10;
    netdev->ops = &net_ops;
    netdev->data = net;
    netdev->driver = "virtio_net";
    netdev->queue_count = 1;
    netdev->features = class_features(net->device);
    netdev->mtu = netdev->mtu_max = read_mtu(net);
    netdev->gso_max = netdev->features & (NETDEV_TSO4 | NETDEV_TSO6)
                          ? 65535 + ETHERNET_HEADER
                          : netdev->mtu + ETHERNET_HEADER + 4;
    netdev->link_up = read_link(net);
    read_mac(net);
}

static int start(struct virtio_net *net)
{
    int error = virtio_accept(net->device, choose_features(net->device));

    if (error == 0)
        error = virtqueue_init_size(&net->receive, net->device, RECEIVE_LINE, RING_MAX);
    if (error == 0)
        error = virtqueue_init_size(&net->send, net->device, SEND_LINE, RING_MAX);
    if (error != 0) {
        net->device->ops->reset(net->device);
        virtqueue_free(&net->receive);
        return error;
    }
    describe(net);
    virtqueue_interrupts(&net->receive, false);
    virtqueue_interrupts(&net->send, false);
    net->device->ops->ready(net->device);
    return 0;
}

static __cold int net_probe(struct device *base)
{
    struct virtio_net *net = kzalloc(sizeof(*net));
    int error;

    if (net == NULL)
        return -ENOMEM;
    net->device = virtio_device_of(base);
    base->data = net;
    spin_init(&net->send_lock, RANK_DEVICE);
    net->device->interrupt = net_interrupt;
    net->device->config_changed = net_config_changed;
    error = start(net);
    if (error == 0)
        error = netdev_register(&net->netdev);
    if (error != 0)
        kfree(net);
    return error;
}

static const struct match net_match[] = {
    {.id = VIRTIO_ID_NET},
    {0},
};

static const struct driver virtio_net = {
    .name = "virtio_net",
    .bus = &virtio_bus,
    .stage = PROBE_DEVICE,
    .match = net_match,
    .probe = net_probe,
};
DRIVER(virtio_net);
