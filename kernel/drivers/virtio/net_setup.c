/* SPDX-License-Identifier: MIT */
/*
 * A virtio network device's features, configuration and control queue (OASIS Virtual I/O Device 1.2
 * sections 5.1.3 to 5.1.6.5): a pair of queues for each CPU as far as the device has them. Hash
 * reports, RSS, VLAN filters and announcements are left out.
 */
#include "net.h"

#include <arch/barrier.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/percpu.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/memory.h>
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
    F_CTRL_VQ = 17,
    F_MQ = 22,
    F_CTRL_MAC_ADDR = 23,
};

/* Section 5.1.4 */
#define CONFIG_MAC     0
#define CONFIG_STATUS  6
#define CONFIG_PAIRS   8
#define CONFIG_MTU     10
#define STATUS_LINK_UP 1U

/* Section 5.1.6.5: class and command. */
#define COMMAND_SET_MAC   0x0101U
#define COMMAND_SET_PAIRS 0x0400U
#define COMMAND_OK        0U

#define MTU_DEFAULT     1500U
#define MTU_MIN         68U
#define RING_MIN        16U
#define POOL_SHARE      16U   /* of memory, one part in so many may hold unread frames */
#define POOL_MAX        4096U /* pages */
#define COMMAND_WAIT_NS (1000 * NS_PER_MS)

/* --- control queue ------------------------------------------------------------------------------
 */

/* Waits by looking: commands are rare, and the first come before anything else works. -EIO: the
 * device refuses, or does not answer, and then there is no control queue any more. */
static int send_command(struct virtio_net *net, unsigned what, const void *data, unsigned size)
{
    uint64_t deadline = clock_monotonic_ns() + COMMAND_WAIT_NS;
    struct net_command *command = &net->command;
    struct virtio_segment piece[3] = {
        {command, 2}, {command->data, size}, {&command->answer, sizeof(command->answer)}};
    uint32_t written;

    if (net->control.size == 0 || net->control.is_broken)
        return -EOPNOTSUPP;
    *command = (struct net_command){
        .class = (uint8_t)(what >> 8), .command = (uint8_t)what, .answer = 0xff};
    memcpy(command->data, data, size);
    if (size == 0)
        piece[1] = piece[2];
    if (virtqueue_add(&net->control, piece, size != 0 ? 2 : 1, 1, command) != 0)
        return -EIO; /* one that was given up is still with the device */
    virtqueue_kick(&net->control);
    while (virtqueue_get(&net->control, &written) == NULL) {
        if (clock_monotonic_ns() >= deadline || net->control.is_broken) {
            net->control.is_broken = true;
            log_error("%s: the control queue does not answer; not used any more",
                      net->device->device.name);
            return -EIO;
        }
        cpu_relax();
    }
    return READ_ONCE(command->answer) == COMMAND_OK ? 0 : -EIO;
}

static int control(struct virtio_net *net, enum net_feature feature, unsigned what,
                   const void *data, unsigned size)
{
    int error;

    if (!virtio_has(net->device, feature))
        return -EOPNOTSUPP;
    mutex_lock(&net->control_lock);
    error = send_command(net, what, data, size);
    mutex_unlock(&net->control_lock);
    return error;
}

int net_set_mac(struct netdev *netdev, const uint8_t mac[6])
{
    int error = control(netdev->data, F_CTRL_MAC_ADDR, COMMAND_SET_MAC, mac, 6);

    if (error == 0)
        memcpy(netdev->mac, mac, 6);
    return error;
}

/* --- open, close --------------------------------------------------------------------------------
 */

/* For each pair. */
static unsigned pool_pages(unsigned pairs)
{
    return (unsigned)min(max(memory_ram_pages() / POOL_SHARE / pairs, (uint64_t)2 * RING_MIN),
                         (uint64_t)POOL_MAX);
}

/* Until it is told of more, the device uses the first pair. */
static void use_pairs(struct virtio_net *net)
{
    unsigned count = net->netdev.queue_count, cpu = cpumask_first(&cpu_online_mask);
    uint16_t pairs = (uint16_t)count;

    if (count == 1)
        return;
    if (control(net, F_MQ, COMMAND_SET_PAIRS, &pairs, sizeof(pairs)) != 0) {
        log_warn("%s: it does not use more than one pair of queues", net->device->device.name);
        return; /* the others stay silent */
    }
    for (unsigned i = 0; i < count && net->device->ops->queue_affinity != NULL; i++) {
        net->device->ops->queue_affinity(net->device, 2 * i, cpu);
        net->device->ops->queue_affinity(net->device, 2 * i + 1, cpu);
        cpu = cpumask_next(&cpu_online_mask, cpu + 1);
    }
}

/* After a reset: all as it was. */
static int start_again(struct virtio_net *net)
{
    struct virtio_device *device = net->device;
    int error = device->ops->accept(device, device->accepted);

    if (error != 0)
        return error;
    for (unsigned i = 0; i < net->netdev.queue_count; i++) {
        virtqueue_restart(&net->pair[i].receive);
        virtqueue_restart(&net->pair[i].send);
    }
    if (net->control.size != 0)
        virtqueue_restart(&net->control);
    device->ops->ready(device);
    use_pairs(net);
    (void)net_set_mac(&net->netdev, net->netdev.mac);
    net->is_reset = false;
    return 0;
}

/* The rings live as long as the device: open and close give and take its buffers. */
int net_open(struct netdev *netdev)
{
    struct virtio_net *net = netdev->data;
    unsigned pages = pool_pages(netdev->queue_count);
    int error = net->is_reset ? start_again(net) : 0;

    for (unsigned i = 0; i < netdev->queue_count && error == 0; i++)
        error = net_pair_open(&net->pair[i], pages); /* else they wait for the next try */
    if (error == 0)
        WRITE_ONCE(net->is_running, true);
    return error;
}

/* A reset makes the device let go of all memory at once (section 2.4). */
void net_close(struct netdev *netdev)
{
    struct virtio_net *net = netdev->data;

    WRITE_ONCE(net->is_running, false);
    mutex_lock(&net->control_lock);
    net->device->ops->reset(net->device);
    net->is_reset = true;
    for (unsigned i = 0; i < netdev->queue_count; i++)
        net_pair_clear(&net->pair[i]);
    if (net->control.size != 0)
        (void)virtqueue_take_unused(&net->control);
    net->control.is_broken = true; /* until it starts again */
    mutex_unlock(&net->control_lock);
}

/* Section 2.1.2: the device has met an error. Frames are lost, as on any wire. */
static void come_back(struct work *work)
{
    struct virtio_net *net = container_of(work, struct virtio_net, needs_reset);
    int error;

    log_warn("%s: the device met an error and is reset; frames on their way are lost",
             net->device->device.name);
    netdev_close(&net->netdev);
    error = netdev_open(&net->netdev);
    if (error != 0)
        log_error("%s: it does not start again (%d): it is not used any more",
                  net->device->device.name, error);
}

/* --- what the device says -----------------------------------------------------------------------
 */

static uint16_t read_status(struct virtio_net *net)
{
    uint16_t status = STATUS_LINK_UP;

    if (virtio_has(net->device, F_STATUS))
        net->device->ops->config_read(net->device, CONFIG_STATUS, &status, sizeof(status));
    return status;
}

static void net_config_changed(struct virtio_device *device)
{
    struct virtio_net *net = device->device.data;

    if (READ_ONCE(net->is_running) && device->ops->needs_reset(device))
        work_queue(&net->needs_reset);
    netdev_set_link(&net->netdev, read_status(net) & STATUS_LINK_UP);
}

static uint64_t choose_features(struct virtio_device *device)
{
    uint64_t offered = device->ops->features(device);
    uint64_t wanted = BIT64(F_CSUM) | BIT64(F_GUEST_CSUM) | BIT64(F_MTU) | BIT64(F_MAC) |
                      BIT64(F_MRG_RXBUF) | BIT64(F_STATUS) | BIT64(F_CTRL_VQ) |
                      BIT64(VIRTIO_F_ANY_LAYOUT) | BIT64(VIRTIO_RING_F_EVENT_IDX);

    /* Section 5.1.3.1: these need those. Merged segments do not fit one buffer of ours. */
    if (offered & BIT64(F_CSUM))
        wanted |= BIT64(F_HOST_TSO4) | BIT64(F_HOST_TSO6);
    if ((offered & BIT64(F_GUEST_CSUM)) && (offered & BIT64(F_MRG_RXBUF)))
        wanted |= BIT64(F_GUEST_TSO4) | BIT64(F_GUEST_TSO6);
    if (offered & BIT64(F_CTRL_VQ))
        wanted |= BIT64(F_MQ) | BIT64(F_CTRL_MAC_ADDR);
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
    netdev->features = class_features(net->device);
    netdev->mtu = netdev->mtu_max = read_mtu(net);
    netdev->gso_max = netdev->features & (NETDEV_TSO4 | NETDEV_TSO6)
                          ? 65535 + ETHERNET_HEADER
                          : netdev->mtu + ETHERNET_HEADER + 4;
    netdev->link_up = read_status(net) & STATUS_LINK_UP;
    read_mac(net);
}

/* --- start --------------------------------------------------------------------------------------
 */

/* Pairs that the device has, of those that we would use. */
static unsigned read_pairs(struct virtio_device *device, unsigned *device_pairs)
{
    uint16_t pairs = 1;

    if (virtio_has(device, F_MQ))
        device->ops->config_read(device, CONFIG_PAIRS, &pairs, sizeof(pairs));
    *device_pairs = max((unsigned)pairs, 1U);
    return min(min(*device_pairs, cpumask_weight(&cpu_online_mask)), (unsigned)NETDEV_QUEUES_MAX);
}

/* The control queue comes after all pairs that the device has (section 5.1.2). */
static int start_queues(struct virtio_net *net, unsigned control_index)
{
    int error = 0;

    for (unsigned i = 0; i < net->netdev.queue_count && error == 0; i++) {
        struct net_pair *pair = &net->pair[i];

        pair->net = net;
        pair->index = i;
        spin_init(&pair->send_lock, RANK_NETDEV);
        error = net_pair_start(pair);
    }
    if (error != 0 || !virtio_has(net->device, F_CTRL_VQ))
        return error;
    error = virtqueue_init(&net->control, net->device, control_index);
    if (error == 0)
        virtqueue_interrupts(&net->control, false);
    return error;
}

static void free_net(struct virtio_net *net)
{
    net->device->ops->reset(net->device);
    for (unsigned i = 0; i < net->netdev.queue_count; i++) {
        virtqueue_free(&net->pair[i].receive);
        virtqueue_free(&net->pair[i].send);
    }
    virtqueue_free(&net->control);
    kfree(net);
}

static int start(struct virtio_device *device)
{
    unsigned all, pairs = read_pairs(device, &all);
    struct virtio_net *net = kzalloc(sizeof(*net) + pairs * sizeof(net->pair[0]));
    int error;

    if (net == NULL) {
        device->ops->reset(device);
        return -ENOMEM;
    }
    net->device = device;
    net->netdev.queue_count = pairs;
    mutex_init(&net->control_lock, RANK_DEVICE_COMMAND);
    work_init(&net->needs_reset, come_back);
    device->device.data = net;
    describe(net);
    error = start_queues(net, 2 * all);
    if (error != 0) {
        free_net(net);
        return error;
    }
    device->interrupt = net_interrupt;
    device->config_changed = net_config_changed;
    device->ops->ready(device);
    use_pairs(net);
    virtqueue_describe(&net->pair[0].send, 2 * pairs);
    error = netdev_register(&net->netdev);
    if (error != 0)
        free_net(net);
    return error;
}

static int net_probe(struct device *base)
{
    struct virtio_device *device = virtio_device_of(base);
    int error = virtio_accept(device, choose_features(device));

    if (error != 0) {
        device->ops->reset(device);
        return error;
    }
    return start(device);
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
