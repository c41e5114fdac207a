/* SPDX-License-Identifier: MIT */
/*
 * The virtio network driver under a device that does what the input says: the first bytes choose
 * features, then each byte is a step - fill a buffer, give buffers back with any id and length,
 * send a frame, poll, interrupt, read programs' frames. Frames and headers come from the input.
 */
#include <string.h>

#include "../unit/drivers/net_fake.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define FRAMES 96U

static const uint8_t *at, *end;
static unsigned released;

static uint8_t take_byte(void)
{
    return at < end ? *at++ : 0;
}

static uint32_t take_word(void)
{
    uint32_t word = 0;

    for (unsigned i = 0; i < 4; i++)
        word = word << 8 | take_byte();
    return word;
}

static void release(struct netbuf *first)
{
    if (first->total == 0)
        __builtin_trap(); /* twice */
    first->total = 0;
    released++;
}

static struct {
    struct netbuf first, second;
    uint8_t room[NETBUF_HEADROOM + 64];
} frame[FRAMES];

static void send_one(void)
{
    for (unsigned i = 0; i < FRAMES; i++) {
        struct netbuf *first = &frame[i].first;

        if (first->total != 0)
            continue;
        *first = (struct netbuf){.data = frame[i].room + NETBUF_HEADROOM,
                                 .size = 64,
                                 .rest = &frame[i].second,
                                 .total = 64 + take_byte(),
                                 .flags = take_byte() & 7,
                                 .gso = take_byte() & 3,
                                 .gso_size = take_byte(),
                                 .csum_start = take_byte(),
                                 .csum_offset = take_byte(),
                                 .release = release};
        frame[i].second = (struct netbuf){.data = frame[i].room, .size = first->total - 64};
        if (netdev_send(fake_stack.netdev, 0, first) != 0)
            first->total = 0;
        return;
    }
}

/* The next buffer, with bytes of the input at its start, given back. */
static void receive_one(bool is_honest)
{
    int head = fake_next(&net.virtio, 0);
    uint32_t count = take_byte(), written = take_byte() * 16U;
    uint8_t bytes[256];

    for (unsigned i = 0; i < count; i++)
        bytes[i] = take_byte();
    if (head < 0)
        return;
    fake_write(&net.virtio, 0, (unsigned)head, bytes, count);
    fake_use(&net.virtio, 0, (uint32_t)head, is_honest ? count : written);
}

/* Whatever the stack reads of a frame lies inside it. */
static void read_got(void)
{
    static uint8_t to[70000];

    for (struct netbuf *one = fake_stack.got; one != NULL; one = one->next) {
        if (netbuf_copy_out(one, 0, to, sizeof(to)) != one->total)
            __builtin_trap();
        if ((one->flags & NETBUF_CSUM_PARTIAL) &&
            one->csum_start + one->csum_offset + 2U > one->total)
            __builtin_trap();
    }
    fake_stack_free();
}

static void step(void)
{
    switch (take_byte() % 12) {
    case 0:
    case 1:
        receive_one(true);
        break;
    case 2:
        receive_one(false);
        break;
    case 3:
        fake_use(&net.virtio, 0, take_byte(), take_word());
        break;
    case 4:
        fake_use(&net.virtio, 1, (uint32_t)fake_next(&net.virtio, 1), take_byte());
        break;
    case 5:
        fake_use(&net.virtio, take_byte() & 1, take_word(), take_word());
        break;
    case 6:
    case 7:
        send_one();
        break;
    case 8:
        fake_stack_poll(fake_stack.netdev, 0);
        fake_stack_poll(fake_stack.netdev, fake_stack.netdev->queue_count - 1);
        break;
    case 9:
        net.virtio.device.interrupt(&net.virtio.device);
        fake_stack.netdev->ops->rx_irq(fake_stack.netdev, 0, true);
        fake_stack.netdev->ops->rx_irq(fake_stack.netdev, fake_stack.netdev->queue_count - 1, true);
        fake_stack.netdev->ops->set_mac(fake_stack.netdev, fake_stack.netdev->mac);
        break;
    case 10:
        netdev_kick(fake_stack.netdev, 0);
        net.virtio.config[6] = take_byte();
        net.virtio.needs_reset = net.virtio.config[6] & 0x80;
        net.virtio.refuses = (net.virtio.config[6] & 0xc0) == 0xc0;
        net.virtio.device.config_changed(&net.virtio.device);
        net_fake_work();
        break;
    default:
        read_got();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint64_t offered;

    at = data;
    end = data + size;
    offered = (uint64_t)take_byte() << 32 | take_word();
    memset(frame, 0, sizeof(frame));
    if (net_fake_start_pairs(offered, 1 + (offered >> 24 & 1), offered >> 25 & 1,
                             offered >> 26 & 1) != 0)
        return 0;
    while (at < end)
        step();
    net_fake_stop();
    if (fake_pages != 0)
        __builtin_trap(); /* lost */
    return 0;
}
