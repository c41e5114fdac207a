/* SPDX-License-Identifier: MIT */
/*
 * kernel/drivers/net/e1000.c against registers and rings made here, of a device that does what the
 * test says: as the manual has it (317453, chapters 3 and 13), and not.
 */
#include <unit.h>

#include <stdlib.h>
#include <string.h>

#include <arch/mmio.h>
#include <core/irq.h>
#include <device/pci.h>
#include <lib/errno.h>
#include <mm/kwindow.h>
#include <mm/page.h>

#include "netdev_fake.h"
#include "ram_fake.h"

#define WINDOW 0x40000000UL

enum {
    CTRL = 0x0000,
    STATUS = 0x0008,
    ICR = 0x00c0,
    IMS = 0x00d0,
    IMC = 0x00d8,
    RCTL = 0x0100,
    TCTL = 0x0400,
    RDBAL = 0x2800,
    RDBAH = 0x2804,
    RDLEN = 0x2808,
    RDT = 0x2818,
    TDBAL = 0x3800,
    TDBAH = 0x3804,
    TDLEN = 0x3808,
    TDT = 0x3818,
    RAL = 0x5400,
    RAH = 0x5404,
    END = 0x6000,
};

enum { DONE = 1, WHOLE = 2, SENT = 1, LINK = 4, RECEIVED = 0x80, RX_RING = 128, TX_RING = 256 };

struct rx {
    uint64_t address;
    uint16_t size, checksum;
    uint8_t status, errors;
    uint16_t special;
};

struct tx {
    uint64_t address;
    uint16_t size;
    uint8_t offset, command, status, start;
    uint16_t special;
};

extern const struct driver *const driver_entry_e1000;

static struct {
    uint32_t reg[END / 4], causes, mask;
    bool resets_forever, cannot_map;
    int irq, request_error;
    irq_handler_fn *handler;
    void *handler_arg;
    int mappings;
} card;

static struct pci_device pci;
static struct netdev *net; /* once it is there */
static uint8_t bytes[2048];
static unsigned released;

const struct bus pci_bus = {"pci"};

void *pci_map(const struct pci_device *device, unsigned bar, uint64_t offset, uint64_t size)
{
    (void)device;
    assert_int_equal(bar + offset, 0);
    assert_int_equal(size, END);
    card.mappings += !card.cannot_map;
    return card.cannot_map ? NULL : (void *)WINDOW;
}

void device_unmap(void *virt, size_t size)
{
    assert_int_equal((uintptr_t)virt, WINDOW);
    assert_int_equal(size, END);
    card.mappings--;
}

int pci_irq(const struct pci_device *device)
{
    (void)device;
    return card.irq;
}

int irq_request(unsigned irq, irq_handler_fn *handler, void *arg, const char *name)
{
    (void)name;
    assert_int_equal(irq, card.irq);
    if (card.request_error == 0) {
        card.handler = handler;
        card.handler_arg = arg;
    }
    return card.request_error;
}

void irq_free(unsigned irq, void *arg)
{
    (void)irq;
    assert_ptr_equal(arg, card.handler_arg);
    card.handler = NULL;
}

uint64_t fake_mmio_read(uintptr_t address, unsigned size)
{
    uint32_t value;

    assert_true(address >= WINDOW && address < WINDOW + END && size == 4);
    value = card.reg[(address - WINDOW) / 4];
    if (address - WINDOW == ICR) {
        value = card.causes;
        card.causes = 0;
    }
    if (address - WINDOW == CTRL && !card.resets_forever)
        card.reg[CTRL / 4] &= ~(1U << 26);
    return value;
}

void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size)
{
    assert_true(address >= WINDOW && address < WINDOW + END && size == 4);
    if (address - WINDOW == IMS)
        card.mask |= (uint32_t)value;
    else if (address - WINDOW == IMC)
        card.mask &= ~(uint32_t)value;
    else
        card.reg[(address - WINDOW) / 4] = (uint32_t)value;
}

static void *ring(unsigned low)
{
    return phys_virt(card.reg[low / 4] | (uint64_t)card.reg[low / 4 + 1] << 32);
}

static struct rx *rx(unsigned i)
{
    return (struct rx *)ring(RDBAL) + i;
}

static struct tx *tx(unsigned i)
{
    return (struct tx *)ring(TDBAL) + i;
}

/* --- start and end ------------------------------------------------------------------------------
 */

static int set_up(void **state)
{
    (void)state;
    memset(&card, 0, sizeof(card));
    card.irq = 33;
    card.reg[RAL / 4] = 0x12005452;
    card.reg[RAH / 4] = 0x80005634;
    card.reg[STATUS / 4] = 2; /* link */
    fake_stack_start();
    released = 0;
    for (unsigned i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    pci.device.driver = driver_entry_e1000;
    strcpy(pci.name, "pci-00:03.0");
    return 0;
}

static int probe(void)
{
    return driver_entry_e1000->probe(&pci.device);
}

static void start(void)
{
    assert_int_equal(probe(), 0);
    net = fake_stack.netdev;
    assert_int_equal(netdev_open(net), 0);
}

/* A driver is never unloaded: the test takes the memory back, from the outside. */
static int tear_down(void **state)
{
    struct netbuf_pool *pool = NULL;

    (void)state;
    fake_stack_free();
    if (net != NULL && net->is_open)
        netdev_close(net);
    for (unsigned i = 0; net != NULL && i < RX_RING && rx(i)->address != 0; i++) {
        struct netbuf *buffer = (void *)((uintptr_t)phys_virt(rx(i)->address) & PAGE_MASK);

        pool = buffer->pool;
        netbuf_free(buffer);
    }
    if (pool != NULL)
        netbuf_pool_close(pool);
    if (net != NULL) {
        page_free(virt_page(ring(TDBAL)), 1);
        list_del(&net->list);
        free(net->data);
        net = NULL;
    }
    return fake_pages == 0 ? 0 : -1;
}

static void sets_up(void **state)
{
    static const uint8_t mac[6] = {0x52, 0x54, 0, 0x12, 0x34, 0x56};

    start();
    assert_memory_equal(net->mac, mac, 6);
    assert_true(net->link_up);
    assert_int_equal(card.reg[RDLEN / 4], RX_RING * sizeof(struct rx));
    assert_int_equal(card.reg[TDLEN / 4], TX_RING * sizeof(struct tx));
    assert_int_equal(card.reg[RDT / 4], RX_RING - 1);
    assert_true(card.reg[RCTL / 4] & 2);
    assert_true(card.reg[TCTL / 4] & 2);
}

/* Nothing is left mapped, allocated or requested. */
static void cannot_start(int expected)
{
    assert_int_equal(probe(), expected);
    assert_int_equal(card.mappings, 0);
    assert_int_equal(fake_pages, 0);
    assert_null(card.handler);
    assert_null(fake_stack.netdev);
}

static void fails_to_start(void **state)
{
    card.cannot_map = true;
    cannot_start(-ENOMEM);
    card.cannot_map = false;
    card.irq = -ENOENT;
    cannot_start(-ENOENT);
    card.irq = 33;
    card.request_error = -ENOMEM;
    cannot_start(-ENOMEM);
    assert_int_equal(card.reg[TCTL / 4], 0);
    card.request_error = 0;
    card.resets_forever = true;
    cannot_start(-EIO);
    assert_non_null(strstr(unit_log, "does not come out of its reset"));
}

static void no_address(void **state)
{
    card.reg[RAL / 4] = card.reg[RAH / 4] = 0;
    cannot_start(-EIO);
    card.reg[RAL / 4] = 0xffffffff; /* a group */
    cannot_start(-EIO);
    assert_non_null(strstr(unit_log, "no address of one station"));
}

/* --- receive ------------------------------------------------------------------------------------
 */

static void fill(unsigned i, uint16_t size, uint8_t status, uint8_t errors)
{
    memcpy(phys_virt(rx(i)->address), bytes, size < 2048 ? size : 2048);
    rx(i)->size = size;
    rx(i)->errors = errors;
    rx(i)->status = status;
}

static void receives(void **state)
{
    start();
    assert_int_equal(fake_stack_poll(net, 0), 0);
    fill(0, 60, DONE | WHOLE, 0);
    fill(1, 1514, DONE | WHOLE, 0);
    assert_int_equal(fake_stack_poll(net, 0), 2);
    assert_int_equal(fake_stack.got->total, 60);
    assert_memory_equal(fake_stack.got->data, bytes, 60);
    assert_int_equal(fake_stack.got->next->total, 1514);
    assert_int_equal(card.reg[RDT / 4], 1);
    assert_int_equal(rx(0)->status, 0); /* another buffer */
    assert_true(phys_virt(rx(0)->address) != (void *)fake_stack.got->data);
}

/* Lengths that cannot be, errors, parts of frames: counted, and the buffer goes round. */
static void refuses_nonsense(void **state)
{
    static const struct {
        uint16_t size;
        uint8_t status, errors;
    } bad[] = {{0, DONE | WHOLE, 0},     {13, DONE | WHOLE, 0}, {2049, DONE | WHOLE, 0},
               {65535, DONE | WHOLE, 0}, {60, DONE, 0},         {60, DONE | WHOLE, 1},
               {60, DONE | WHOLE, 0x80}, {65535, 0xfd, 0xff}};
    unsigned count = sizeof(bad) / sizeof(bad[0]);

    start();
    for (unsigned i = 0; i < count; i++)
        fill(i, bad[i].size, bad[i].status, bad[i].errors);
    fake_stack_poll(net, 0);
    assert_int_equal(fake_stack.got_count, 0);
    assert_int_equal(net->queue[0].stats.rx_errors, count);
    assert_int_equal(card.reg[RDT / 4], count - 1);
    fill(count, 14, DONE | WHOLE, 0);
    fill(count + 1, 2048, DONE | WHOLE, 0);
    fake_stack_poll(net, 0);
    assert_int_equal(fake_stack.got_count, 2);
}

/* Every descriptor is done, always: a poll takes its share and comes back. */
static void done_all_the_time(void **state)
{
    start();
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < RX_RING; i++)
            fill(i, 60, 0xff, 0);
        assert_int_equal(fake_stack_poll(net, 0), NETDEV_BUDGET);
        assert_int_equal(fake_stack.got_count, NETDEV_BUDGET);
        fake_stack_free();
    }
}

/* Programs read nothing: small frames are copied, large ones dropped, the ring stays full. */
static void survives_unread_frames(void **state)
{
    unsigned at = 0;

    start();
    while (net->queue[0].stats.rx_dropped == 0) {
        assert_true(at < 1000);
        fill(at % RX_RING, 1514, DONE | WHOLE, 0);
        fake_stack_poll(net, 0);
        at++;
    }
    fill(at % RX_RING, 60, DONE | WHOLE, 0);
    fake_stack_poll(net, 0);
    assert_int_equal(net->queue[0].stats.copied, 60);
    for (unsigned i = 0; i < RX_RING; i++)
        assert_true(rx(i)->address != 0 && rx(i)->status == 0);
    fake_stack_free();
    fill((at + 1) % RX_RING, 1514, DONE | WHOLE, 0);
    fake_stack_poll(net, 0);
    assert_int_equal(fake_stack.got_count, 1);
}

/* --- send ---------------------------------------------------------------------------------------
 */

static void count_release(struct netbuf *first)
{
    (void)first;
    released++;
}

static struct netbuf frame_of(uint32_t size)
{
    return (struct netbuf){
        .data = bytes + 16, .size = size, .total = size, .release = count_release};
}

static void sends(void **state)
{
    struct netbuf frame = frame_of(54), rest = {.data = bytes + 100, .size = 1000};

    start();
    frame.rest = &rest;
    frame.total += rest.size;
    assert_int_equal(netdev_send(net, 0, &frame), 0);
    assert_int_equal(card.reg[TDT / 4], 0);
    netdev_kick(net, 0);
    assert_int_equal(card.reg[TDT / 4], 2);
    assert_ptr_equal(phys_virt(tx(0)->address), bytes + 16);
    assert_int_equal(tx(0)->size, 54);
    assert_int_equal(tx(0)->command & 9, 0);
    assert_int_equal(tx(1)->command & 9, 9); /* last, report */
    tx(0)->status = DONE;                    /* only the last one counts */
    fake_stack_poll(net, 0);
    assert_int_equal(released, 0);
    tx(1)->status = DONE;
    fake_stack_poll(net, 0);
    assert_int_equal(released, 1);
    tx(0)->status = tx(1)->status = tx(2)->status = 0xff; /* of nothing that is under way */
    fake_stack_poll(net, 0);
    assert_int_equal(released, 1);
}

static void refuses_what_it_cannot(void **state)
{
    struct netbuf frame = frame_of(1515), part[20];

    start();
    assert_int_equal(netdev_send(net, 0, &frame), -EINVAL);
    frame = frame_of(60);
    frame.flags = NETBUF_CSUM_PARTIAL;
    assert_int_equal(netdev_send(net, 0, &frame), -EINVAL);
    frame = frame_of(60);
    frame.gso = NETBUF_GSO_TCP4;
    assert_int_equal(netdev_send(net, 0, &frame), -EINVAL);
    for (unsigned i = 0; i < 20; i++) {
        part[i] = frame_of(20);
        part[i].rest = i < 19 ? &part[i + 1] : NULL;
    }
    part[0].total = 400;
    assert_int_equal(netdev_send(net, 0, &part[0]), -EINVAL);
    assert_int_equal(net->queue[0].stats.tx_errors, 4);
    netdev_close(net);
    frame = frame_of(60);
    assert_int_equal(netdev_send(net, 0, &frame), -ENETDOWN);
}

/* Nothing is ever reported as sent: the ring fills, and closing gives up with a message. */
static void never_sent(void **state)
{
    static struct netbuf frame[TX_RING];

    start();
    for (unsigned i = 0; i < TX_RING; i++)
        frame[i] = frame_of(60);
    for (unsigned i = 0; i < TX_RING - 1; i++)
        assert_int_equal(netdev_send(net, 0, &frame[i]), 0);
    assert_int_equal(netdev_send(net, 0, &frame[TX_RING - 1]), -EAGAIN);
    assert_int_equal(card.reg[TDT / 4], TX_RING - 1); /* it was told */
    assert_true(card.mask & SENT);
    fake_stack_poll(net, 0);
    assert_int_equal(released + fake_stack.writable, 0);
    tx(1)->status = DONE; /* out of order: waits for the first */
    fake_stack_poll(net, 0);
    assert_int_equal(released, 0);
    tx(0)->status = DONE;
    fake_stack_poll(net, 0);
    assert_int_equal(released, 2);
    assert_int_equal(fake_stack.writable, 1);
    assert_int_equal(netdev_send(net, 0, &frame[TX_RING - 1]), 0);
    netdev_close(net);
    assert_non_null(strstr(unit_log, "frames given to the device are not sent"));
    assert_int_equal(released, 2);
    for (unsigned i = 0; i < TX_RING; i++)
        tx(i)->status = DONE;
    assert_int_equal(netdev_open(net), 0); /* later it has sent them */
    fake_stack_poll(net, 0);
    assert_int_equal(released, TX_RING);
}

/* --- interrupts ---------------------------------------------------------------------------------
 */

static void interrupts(void **state)
{
    struct netbuf frame = frame_of(60);

    start();
    assert_false(net->ops->rx_irq(net, 0, true));
    assert_true(card.mask & RECEIVED);
    net->queue[0].pending = false;
    card.handler(card.handler_arg); /* of somebody else on the line */
    assert_false(net->queue[0].pending);
    card.causes = RECEIVED;
    card.handler(card.handler_arg);
    assert_true(net->queue[0].pending);
    assert_false(card.mask & RECEIVED);
    fill(0, 60, DONE | WHOLE, 0);
    assert_true(net->ops->rx_irq(net, 0, true)); /* came meanwhile */
    assert_false(card.mask & RECEIVED);
    fake_stack_poll(net, 0);
    frame.flags = NETBUF_RELEASE_SOON;
    assert_int_equal(netdev_send(net, 0, &frame), 0);
    assert_true(card.mask & SENT);
    assert_false(net->ops->rx_irq(net, 0, true));
    assert_true(card.mask & SENT); /* still waited for */
    tx(0)->status = DONE;
    assert_true(net->ops->rx_irq(net, 0, true));
    assert_int_equal(released, 1);
}

static void link_changes(void **state)
{
    start();
    card.causes = LINK;
    card.reg[STATUS / 4] = 0;
    card.handler(card.handler_arg);
    assert_false(net->link_up);
    fake_stack_poll(net, 0);
    card.reg[STATUS / 4] = 2;
    card.causes = LINK | RECEIVED;
    assert_false(net->ops->rx_irq(net, 0, true)); /* the cause was read there */
    assert_true(net->link_up);
    for (unsigned i = 0; i < 100; i++) {
        card.causes = ~0U;
        card.reg[STATUS / 4] ^= 2;
        card.handler(card.handler_arg);
    }
    assert_true(net->link_up);
    assert_int_equal(fake_stack_poll(net, 0), 0);
}

static void not_open(void **state)
{
    assert_int_equal(probe(), 0);
    net = fake_stack.netdev;
    card.causes = ~0U;
    card.handler(card.handler_arg);
    assert_false(net->queue[0].pending);
    assert_int_equal(fake_stack_poll(net, 0), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(sets_up),
        TEST(fails_to_start),
        TEST(no_address),
        TEST(receives),
        TEST(refuses_nonsense),
        TEST(done_all_the_time),
        TEST(survives_unread_frames),
        TEST(sends),
        TEST(refuses_what_it_cannot),
        TEST(never_sent),
        TEST(interrupts),
        TEST(link_changes),
        TEST(not_open),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
