/* SPDX-License-Identifier: MIT */
/* The virtio network driver, the device class and the buffers, on a device that may lie. */
#include <unit.h>

#include "net_fake.h"

#include <string.h>

#include <lib/errno.h>

static const struct net_header plain = {.buffer_count = 1};
static uint8_t bytes[70000];

static const struct netdev_stats *stats(void)
{
    return &fake_stack.netdev->queue[0].stats;
}

static void fill_bytes(void)
{
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7 + i / 251);
}

static void negotiates(void **state)
{
    assert_int_equal(net_fake_start(ALL_FEATURES | BIT64(40) | BIT64(MTU)), 0);
    assert_int_equal(net.virtio.device.accepted, ALL_FEATURES | BIT64(MTU) | net_fake_layout);
    assert_true(net.virtio.is_ready);
    assert_int_equal(fake_stack.netdev->mtu, 9000);
    assert_int_equal(fake_stack.netdev->mac[5], 0x56);
    assert_true(fake_stack.netdev->link_up);
    assert_int_equal(fake_stack.netdev->features,
                     NETDEV_TX_CSUM | NETDEV_TSO4 | NETDEV_TSO6 | NETDEV_RX_CSUM | NETDEV_RX_GSO);
    assert_int_equal(fake_offered(&net.virtio, 0), 32); /* half of the pool of 64 */
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* Section 5.1.3.1: what needs another feature is not accepted without it. */
static void leaves_what_lacks_its_base(void **state)
{
    uint64_t without = ALL_FEATURES & ~(BIT64(CSUM) | BIT64(MRG_RXBUF));

    assert_int_equal(net_fake_start(without), 0);
    assert_int_equal(
        net.virtio.device.accepted & (BIT64(HOST_TSO4) | BIT64(HOST_TSO6) | BIT64(GUEST_TSO4)), 0);
    assert_int_equal(fake_stack.netdev->features, NETDEV_RX_CSUM);
    net_fake_stop();
}

static void device_refuses(void **state)
{
    memset(&net, 0, sizeof(net));
    extern const struct driver *const driver_entry_virtio_net;
    fake_start(&net.virtio, VIRTIO_ID_NET, ALL_FEATURES);
    net.virtio.refuses = true;
    assert_int_equal(fake_probe(&net.virtio, driver_entry_virtio_net), -EIO);
    assert_int_equal(net.virtio.resets, 1);
    net.virtio.refuses = false;
    net.virtio.queue_size = 0;
    assert_int_equal(fake_probe(&net.virtio, driver_entry_virtio_net), -ENOENT);
    assert_int_equal(fake_pages, 0);
}

static void receives(void **state)
{
    uint8_t out[2000];

    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    assert_true(net_fake_receive(&plain, bytes, 1514));
    assert_true(net_fake_receive(&plain, bytes + 1, 14));
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 2);
    assert_int_equal(fake_stack.got_count, 2);
    assert_int_equal(fake_stack.got->total, 1514);
    assert_int_equal(netbuf_copy_out(fake_stack.got, 10, out, sizeof(out)), 1504);
    assert_memory_equal(out, bytes + 10, 1504);
    assert_int_equal(fake_stack.got->next->total, 14);
    assert_int_equal(stats()->rx_packets, 2);
    assert_int_equal(stats()->rx_bytes, 1528);
    assert_int_equal(stats()->copied, 0);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* One frame over several buffers; then one whose device forgets the last. */
static void merges(void **state)
{
    struct net_header header = {.flags = 1,
                                .gso_type = 1,
                                .gso_size = 1448,
                                .csum_start = 34,
                                .csum_offset = 16,
                                .buffer_count = 3};
    static uint8_t out[12000];
    uint32_t room = NETBUF_ROOM, size = 2 * room + 100;

    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    for (unsigned give = 3; give >= 2; give--) {
        int head = net_fake_fill(&header, sizeof(header), bytes, room - sizeof(header));

        fake_use(&net.virtio, 0, (uint32_t)head, room);
        for (unsigned i = 1; i < give; i++) {
            uint32_t part = i == 1 ? room : 100 + sizeof(header);

            head = fake_next(&net.virtio, 0);
            fake_write(&net.virtio, 0, (unsigned)head, bytes + i * room - sizeof(header), part);
            fake_use(&net.virtio, 0, (uint32_t)head, part);
        }
        assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
    }
    assert_int_equal(fake_stack.got_count, 1);
    assert_int_equal(fake_stack.got->total, size);
    assert_int_equal(fake_stack.got->gso, NETBUF_GSO_TCP4);
    assert_int_equal(fake_stack.got->flags, NETBUF_CSUM_PARTIAL);
    assert_int_equal(netbuf_copy_out(fake_stack.got, 0, out, sizeof(out)), size);
    assert_memory_equal(out, bytes, size);
    assert_int_equal(stats()->rx_errors, 1);
    assert_int_equal(fake_offered(&net.virtio, 0), 32 - 3 + 0);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* Each of these is dropped and counted, and its buffer goes back to the ring. */
static void refuses_nonsense(void **state)
{
    static const struct {
        struct net_header header;
        uint32_t size, written; /* written 0: as much as there is */
    } lies[] = {
        {{.buffer_count = 0}, 60, 0},
        {{.buffer_count = 65}, 60, 0},
        {{.buffer_count = 1}, 13, 0},
        {{.buffer_count = 1}, 60, 5},
        {{.buffer_count = 1}, 60, NETBUF_ROOM + 1},
        {{.buffer_count = 1}, 60, UINT32_MAX},
        {{.buffer_count = 1, .flags = 1, .csum_start = 14, .csum_offset = 45}, 60, 0},
        {{.buffer_count = 1, .flags = 1, .csum_start = 65535, .csum_offset = 65535}, 60, 0},
        {{.buffer_count = 1, .flags = 1, .csum_start = 2, .csum_offset = 4}, 60, 0},
        {{.buffer_count = 1, .gso_type = 1, .gso_size = 0}, 60, 0},
        {{.buffer_count = 1, .gso_type = 7, .gso_size = 9}, 60, 0},
    };

    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(lies); i++) {
        int head = net_fake_fill(&lies[i].header, sizeof(struct net_header), bytes, lies[i].size);

        fake_use(&net.virtio, 0, (uint32_t)head,
                 lies[i].written ? lies[i].written
                                 : lies[i].size + (uint32_t)sizeof(struct net_header));
        fake_stack_poll(fake_stack.netdev, 0);
        assert_int_equal(fake_stack.got_count, 0);
        assert_int_equal(stats()->rx_errors, i + 1);
        assert_int_equal(fake_offered(&net.virtio, 0), 32);
    }
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* Ids that are no buffer, or one that is already back: the queue is given up, once and loudly. */
static void wrong_ids_break_the_queue(void **state)
{
    for (unsigned i = 0; i < 3; i++) {
        uint32_t id;

        assert_int_equal(net_fake_start(ALL_FEATURES), 0);
        assert_true(net_fake_receive(&plain, bytes, 60));
        assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
        id = i == 0 ? 0 : i == 1 ? 64 : UINT32_MAX;
        fake_use(&net.virtio, 0, id, 72);
        assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 0);
        assert_true(net.virtio.queue[0]->is_broken);
        assert_non_null(strstr(unit_log, "queue 0"));
        assert_false(fake_stack.netdev->ops->rx_irq(fake_stack.netdev, 0,
                                                    true)); /* or the thread would spin */
        net_fake_stop();
    }
}

/* Programs leave everything unread: small frames are copied, large ones lost, the ring stays. */
static void survives_unread_frames(void **state)
{
    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    for (unsigned i = 0; i < 500; i++) {
        assert_true(net_fake_receive(&plain, bytes, i % 2 ? 1514 : 60));
        fake_stack_poll(fake_stack.netdev, 0);
    }
    assert_true(fake_offered(&net.virtio, 0) >= 15);
    assert_true(stats()->rx_dropped > 200);
    assert_true(stats()->copied >= 60 * 200);
    assert_int_equal(stats()->copied % 60, 0);
    fake_stack_free();
    for (unsigned i = 0; i < 2; i++) {
        assert_true(net_fake_receive(&plain, bytes, 1514));
        fake_stack_poll(fake_stack.netdev, 0);
    }
    assert_true(fake_stack.got_count >= 1);
    assert_true(fake_offered(&net.virtio, 0) >= 28);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* --- send ---------------------------------------------------------------------------------------
 */

static unsigned released;

static void release(struct netbuf *first)
{
    assert_ptr_not_equal(first->data, NULL);
    released++;
}

static uint8_t frame_memory[NETBUF_HEADROOM + 1600];

static struct netbuf frame_of(uint32_t size)
{
    return (struct netbuf){
        .data = frame_memory + NETBUF_HEADROOM, .size = size, .total = size, .release = release};
}

static void sends(void **state)
{
    struct netbuf data = {.data = bytes, .size = 1000}, frame = frame_of(54);
    struct net_header header;
    uint8_t out[1100];
    int head;

    released = 0;
    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    frame.rest = &data;
    frame.total = 1054;
    frame.flags = NETBUF_CSUM_PARTIAL;
    frame.csum_start = 34;
    frame.csum_offset = 16;
    frame.gso = NETBUF_GSO_TCP4;
    frame.gso_size = 500;
    frame.header_size = 54;
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), 0);
    assert_int_equal(net.virtio.notified[1], 0);
    netdev_kick(fake_stack.netdev, 0);
    assert_int_equal(net.virtio.notified[1], 1);
    head = fake_next(&net.virtio, 1);
    assert_int_equal(fake_pieces(&net.virtio, 1, (unsigned)head), 2);
    assert_int_equal(fake_read(&net.virtio, 1, (unsigned)head, out, sizeof(out)), 12 + 1054);
    memcpy(&header, out, sizeof(header));
    assert_int_equal(header.flags, 1);
    assert_int_equal(header.gso_type, 1);
    assert_int_equal(header.gso_size, 500);
    assert_int_equal(header.csum_start, 34);
    assert_int_equal(header.header_size, 54);
    assert_memory_equal(out + 12 + 54, bytes, 1000);
    fake_use(&net.virtio, 1, (uint32_t)head, 0);
    assert_false(fake_wants_interrupt(&net.virtio, 1));
    fake_stack_poll(fake_stack.netdev, 0);
    assert_int_equal(released, 1);
    assert_int_equal(stats()->tx_packets, 1);
    assert_int_equal(stats()->tx_bytes, 1054);
    net_fake_stop();
}

static void refuses_what_the_device_cannot(void **state)
{
    struct netbuf frame = frame_of(60), part[NETBUF_CHAIN_MAX + 2];

    assert_int_equal(net_fake_start(BIT64(VIRTIO_F_VERSION_1)), 0);
    frame.flags = NETBUF_CSUM_PARTIAL;
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), -EINVAL);
    frame.gso = NETBUF_GSO_TCP6;
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), -EINVAL);
    frame = frame_of(1600);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), -EINVAL);
    frame = frame_of(60);
    for (unsigned i = 0; i < ARRAY_SIZE(part); i++)
        part[i] = (struct netbuf){
            .data = bytes, .size = 1, .rest = i + 1 < ARRAY_SIZE(part) ? &part[i + 1] : NULL};
    frame.rest = part;
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), -EINVAL);
    assert_int_equal(stats()->tx_errors, 4);
    net_fake_stop();
}

/* The ring is full: -EAGAIN, an interrupt asked for, `writable` when there is room. */
static void fills_up(void **state)
{
    struct netbuf frames[65];
    int head;

    released = 0;
    assert_int_equal(net_fake_start(ALL_FEATURES | BIT64(VIRTIO_RING_F_EVENT_IDX)), 0);
    for (unsigned i = 0; i < 65; i++) {
        frames[i] = frame_of(60);
        assert_int_equal(netdev_send(fake_stack.netdev, 0, &frames[i]), i < 64 ? 0 : -EAGAIN);
    }
    head = fake_next(&net.virtio, 1);
    fake_use(&net.virtio, 1, (uint32_t)head, 0);
    assert_true(fake_wants_interrupt(&net.virtio, 1));
    net.virtio.device.interrupt(&net.virtio.device);
    assert_true(fake_stack.netdev->queue[0].pending);
    fake_stack_poll(fake_stack.netdev, 0);
    assert_int_equal(fake_stack.writable, 1);
    assert_int_equal(released, 1);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frames[64]), 0);
    for (unsigned i = 0; i < 64; i++) {
        head = fake_next(&net.virtio, 1);
        fake_use(&net.virtio, 1, (uint32_t)head, 0);
    }
    fake_stack_poll(fake_stack.netdev, 0);
    assert_int_equal(released, 65);
    net_fake_stop();
}

static void release_soon_interrupts(void **state)
{
    struct netbuf frame = frame_of(60), second = frame_of(60);

    released = 0;
    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    frame.flags = NETBUF_RELEASE_SOON;
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), 0);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &second), 0);
    assert_true(fake_wants_interrupt(&net.virtio, 1));
    net.virtio.device.interrupt(&net.virtio.device); /* for another reason: nothing sent yet */
    assert_false(fake_stack.netdev->ops->rx_irq(fake_stack.netdev, 0, true));
    assert_true(fake_wants_interrupt(&net.virtio, 1)); /* still */
    fake_use(&net.virtio, 1, (uint32_t)fake_next(&net.virtio, 1), 0);
    fake_use(&net.virtio, 1, (uint32_t)fake_next(&net.virtio, 1), 0);
    assert_true(fake_stack.netdev->ops->rx_irq(fake_stack.netdev, 0, true));
    fake_stack_poll(fake_stack.netdev, 0);
    assert_int_equal(released, 2);
    assert_false(fake_stack.netdev->ops->rx_irq(fake_stack.netdev, 0, true));
    net_fake_stop();
}

/* Neither VERSION_1 nor ANY_LAYOUT: the header is a descriptor of its own, 10 bytes (5.1.6.1). */
static void old_device(void **state)
{
    struct netbuf frame = frame_of(60);
    struct net_header header = {0};
    bool writes;
    uint32_t size;
    int head;

    assert_int_equal(net_fake_start(BIT64(MAC)), 0);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), 0);
    head = fake_next(&net.virtio, 1);
    assert_int_equal(fake_pieces(&net.virtio, 1, (unsigned)head), 2);
    fake_piece(&net.virtio, 1, (unsigned)head, 0, &size, &writes);
    assert_int_equal(size, 10);
    fake_use(&net.virtio, 1, (uint32_t)head, 0);
    head = net_fake_fill(&header, 10, bytes, 1514);
    fake_use(&net.virtio, 0, (uint32_t)head, 1524);
    fake_stack_poll(fake_stack.netdev, 0);
    assert_int_equal(fake_stack.got->total, 1514);
    assert_memory_equal(fake_stack.got->data, bytes, 1514);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

static void link_and_close(void **state)
{
    struct netbuf frame = frame_of(60);

    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    net.virtio.config[6] = 0;
    net.virtio.device.config_changed(&net.virtio.device);
    assert_false(fake_stack.netdev->link_up);
    assert_true(fake_stack.netdev->link_changed);
    netdev_close(fake_stack.netdev);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), -ENETDOWN);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 0);
    assert_int_equal(netdev_open(fake_stack.netdev), 0);
    assert_true(net_fake_receive(&plain, bytes, 60));
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

#define PAIRS (ALL_FEATURES | BIT64(CTRL_VQ) | BIT64(MQ) | BIT64(CTRL_MAC))

/* Fills the next buffer of any pair's queue. */
static void receive_on(unsigned queue)
{
    int head = fake_next(&net.virtio, queue);
    uint8_t frame[sizeof(plain) + 60];

    memcpy(frame, &plain, sizeof(plain));
    memcpy(frame + sizeof(plain), bytes, 60);
    assert_true(head >= 0);
    fake_write(&net.virtio, queue, (unsigned)head, frame, sizeof(frame));
    fake_use(&net.virtio, queue, (uint32_t)head, sizeof(frame));
}

static void uses_a_pair_for_each_cpu(void **state)
{
    struct netbuf frame = frame_of(60);

    assert_int_equal(net_fake_start_pairs(PAIRS, 2, true, 0), 0);
    assert_int_equal(fake_stack.netdev->queue_count, 2);
    assert_memory_equal(net.command, "\4\0\2\0", 4); /* class, command, pairs */
    receive_on(2);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 0);
    fake_stack.netdev->queue[1].pending = false;
    net.virtio.device.interrupt(&net.virtio.device);
    assert_true(fake_stack.netdev->queue[1].pending);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 1), 1);
    assert_int_equal(fake_stack.netdev->queue[1].stats.rx_packets, 1);
    receive_on(2);
    fake_stack.netdev->queue[0].pending = fake_stack.netdev->queue[1].pending = false;
    net.virtio.queue[2]->interrupt(net.virtio.queue[2]); /* a vector of its own */
    assert_true(fake_stack.netdev->queue[1].pending && !fake_stack.netdev->queue[0].pending);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 1), 1);
    assert_int_equal(netdev_send(fake_stack.netdev, 1, &frame), 0);
    assert_int_equal(fake_offered(&net.virtio, 3), 1);
    assert_int_equal(fake_offered(&net.virtio, 1), 0);
    fake_use(&net.virtio, 3, (uint32_t)fake_next(&net.virtio, 3), 0);
    fake_stack_poll(fake_stack.netdev, 1);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* More pairs than CPUs: the control queue comes after all of them. */
static void takes_no_more_pairs_than_cpus(void **state)
{
    net_fake_start_pairs(PAIRS, 1, true, 0);
    assert_int_equal(fake_stack.netdev->queue_count, 1);
    assert_int_equal(net.command[0], 0); /* nothing is to be told */
    assert_non_null(net.virtio.queue[2]);
    net_fake_stop();
    assert_int_equal(net_fake_start_pairs(PAIRS, 60, true, 0), -ENOENT); /* it has no queue 120 */
    assert_int_equal(fake_pages, 0);
}

static void commands(void **state)
{
    static const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};

    assert_int_equal(net_fake_start_pairs(PAIRS, 1, true, 0), 0);
    assert_int_equal(fake_stack.netdev->ops->set_mac(fake_stack.netdev, mac), 0);
    assert_memory_equal(net.command, "\1\1\2\3\4\5\6\7", 8);
    assert_memory_equal(fake_stack.netdev->mac, mac, 6);
    net.answer = 1; /* VIRTIO_NET_ERR */
    assert_int_equal(fake_stack.netdev->ops->set_mac(fake_stack.netdev, mac), -EIO);
    net_fake_stop();
    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    assert_int_equal(fake_stack.netdev->ops->set_mac(fake_stack.netdev, mac), -EOPNOTSUPP);
    net_fake_stop();
}

/* The frames of the first pair come all the same. */
static void control_queue_is_silent(void **state)
{
    static const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};

    assert_int_equal(net_fake_start_pairs(PAIRS, 2, false, 0), 0);
    assert_int_equal(fake_stack.netdev->ops->set_mac(fake_stack.netdev, mac), -EOPNOTSUPP);
    receive_on(0);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

/* A device that met an error is reset: what it had is back, and all goes on (section 2.1.2). */
static void comes_back_after_an_error(void **state)
{
    struct netbuf frames[3] = {frame_of(60), frame_of(60), frame_of(60)};
    static const uint8_t mac[6] = {2, 3, 4, 5, 6, 7};
    unsigned with_device;

    released = 0;
    assert_int_equal(net_fake_start_pairs(PAIRS, 2, true, 0), 0);
    assert_int_equal(fake_stack.netdev->ops->set_mac(fake_stack.netdev, mac), 0);
    with_device = fake_offered(&net.virtio, 0);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frames[0]), 0);
    assert_int_equal(netdev_send(fake_stack.netdev, 1, &frames[1]), 0);
    receive_on(0);
    fake_use(&net.virtio, 0, 12345, 7); /* the error: a buffer that there is not */
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
    assert_true(net.virtio.queue[0]->is_broken);
    net.virtio.needs_reset = true;
    memset(net.command, 0, sizeof(net.command));
    net.virtio.device.config_changed(&net.virtio.device);
    assert_int_equal(released, 0);
    net_fake_work();
    assert_int_equal(net.virtio.resets, 1);
    assert_true(net.virtio.is_ready);
    assert_int_equal(released, 2);
    assert_memory_equal(net.command, "\1\1\2\3\4\5\6\7", 8); /* the last: the address again */
    assert_int_equal(fake_offered(&net.virtio, 0), with_device);
    assert_int_equal(fake_offered(&net.virtio, 1), 0);
    receive_on(0);
    receive_on(2);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 1), 1);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frames[2]), 0);
    fake_use(&net.virtio, 1, (uint32_t)fake_next(&net.virtio, 1), 0);
    fake_stack_poll(fake_stack.netdev, 0);
    assert_int_equal(released, 3);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

static void stays_away_if_it_refuses(void **state)
{
    struct netbuf frame = frame_of(60);

    released = 0;
    assert_int_equal(net_fake_start(ALL_FEATURES), 0);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), 0);
    net.virtio.needs_reset = net.virtio.refuses = true;
    net.virtio.device.config_changed(&net.virtio.device);
    net_fake_work();
    assert_int_equal(released, 1);
    assert_int_equal(netdev_send(fake_stack.netdev, 0, &frame), -ENETDOWN);
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 0);
    net.virtio.refuses = false;
    assert_int_equal(netdev_open(fake_stack.netdev), 0); /* later it does */
    assert_true(net_fake_receive(&plain, bytes, 60));
    assert_int_equal(fake_stack_poll(fake_stack.netdev, 0), 1);
    net_fake_stop();
    assert_int_equal(fake_pages, 0);
}

static int run(const char *name, uint64_t layout)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(negotiates),
        cmocka_unit_test(leaves_what_lacks_its_base),
        cmocka_unit_test(device_refuses),
        cmocka_unit_test(receives),
        cmocka_unit_test(merges),
        cmocka_unit_test(refuses_nonsense),
        cmocka_unit_test(wrong_ids_break_the_queue),
        cmocka_unit_test(survives_unread_frames),
        cmocka_unit_test(sends),
        cmocka_unit_test(refuses_what_the_device_cannot),
        cmocka_unit_test(fills_up),
        cmocka_unit_test(release_soon_interrupts),
        cmocka_unit_test(old_device),
        cmocka_unit_test(link_and_close),
        cmocka_unit_test(uses_a_pair_for_each_cpu),
        cmocka_unit_test(takes_no_more_pairs_than_cpus),
        cmocka_unit_test(commands),
        cmocka_unit_test(control_queue_is_silent),
        cmocka_unit_test(comes_back_after_an_error),
        cmocka_unit_test(stays_away_if_it_refuses),
    };

    net_fake_layout = layout;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    fill_bytes();
    return run("split", 0) +
           run("packed", BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_RING_F_INDIRECT));
}
