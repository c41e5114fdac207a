/* SPDX-License-Identifier: MIT */
/*
 * Intel 8254x network devices (PCI/PCI-X Family of Gigabit Ethernet Controllers Software
 * Developer's Manual, 317453): QEMU's e1000. Legacy descriptors, one buffer a received frame. Left
 * out: checksum and segmentation offload, VLANs, frames over 1,518 bytes, the multicast filter (all
 * multicast frames are taken), the PHY. What a descriptor says of a frame is checked.
 */
#include <arch/barrier.h>
#include <arch/mmio.h>
#include <core/clock.h>
#include <core/irq.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/netdev.h>
#include <device/pci.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/kwindow.h>
#include <mm/memory.h>
#include <mm/page.h>
#include <mm/slab.h>

/* Chapter 13 */
#define CTRL       0x0000
#define STATUS     0x0008
#define ICR        0x00c0 /* reading it acknowledges all */
#define IMS        0x00d0
#define IMC        0x00d8
#define RCTL       0x0100
#define TCTL       0x0400
#define TIPG       0x0410
#define RDBAL      0x2800
#define RDBAH      0x2804
#define RDLEN      0x2808
#define RDH        0x2810
#define RDT        0x2818
#define TDBAL      0x3800
#define TDBAH      0x3804
#define TDLEN      0x3808
#define TDH        0x3810
#define TDT        0x3818
#define MTA        0x5200
#define RAL        0x5400
#define RAH        0x5404
#define E1000_SIZE 0x6000

#define MTA_COUNT 128U

#define CTRL_AUTO_SPEED (1U << 5)
#define CTRL_LINK_UP    (1U << 6)
#define CTRL_RESET      (1U << 26)
#define STATUS_LINK_UP  (1U << 1)

#define INT_SENT     (1U << 0)
#define INT_LINK     (1U << 2)
#define INT_RECEIVED (1U << 7 | 1U << 6 | 1U << 4) /* a frame, no room, little room */

#define RCTL_ENABLE     (1U << 1)
#define RCTL_MULTICAST  (1U << 4)
#define RCTL_BROADCAST  (1U << 15)
#define RCTL_STRIP_CRC  (1U << 26) /* buffers of 2,048 bytes: BSIZE 0 */
#define TCTL_ENABLE     (1U << 1)
#define TCTL_PAD        (1U << 3)
#define TCTL_COLLISIONS (0x0fU << 4 | 0x40U << 12)  /* section 13.4.33: as advised */
#define TIPG_COPPER     (10U | 8U << 10 | 6U << 20) /* section 13.4.34 */

/* Sections 3.2.3 and 3.3.3: descriptors. */
struct rx_descriptor {
    uint64_t address;
    uint16_t size, checksum;
    uint8_t status, errors;
    uint16_t special;
};

struct tx_descriptor {
    uint64_t address;
    uint16_t size;
    uint8_t checksum_offset, command, status, checksum_start;
    uint16_t special;
};

#define DESCRIPTOR_DONE 1U
#define RX_WHOLE        2U
#define TX_LAST         1U
#define TX_ADD_CRC      2U
#define TX_REPORT       8U

#define RX_COUNT    128U
#define TX_COUNT    256U
#define RX_BUFFER   2048U
#define ETHERNET    14U
#define MTU         1500U
#define COPY_MAX    512U  /* frames that are copied when buffers are short */
#define POOL_SHARE  16U   /* of memory, one part in so many may hold unread frames */
#define POOL_MAX    1024U /* pages */
#define RESET_WAITS 20U   /* milliseconds */
#define CLOSE_WAITS 100U

struct e1000 {
    struct netdev netdev;
    const char *name;
    void *registers;
    int irq;
    bool is_running;

    struct netbuf_pool *pool; /* the poller's, down to rx_next */
    struct rx_descriptor *rx;
    struct netbuf *rx_buffer[RX_COUNT]; /* NULL only before the first open */
    unsigned rx_next;

    struct spinlock send_lock; /* the rest */
    struct tx_descriptor *tx;
    struct netbuf *tx_frame[TX_COUNT]; /* by its last descriptor */
    unsigned tx_next, tx_told, tx_clean;
    bool send_waits; /* send() has returned -EAGAIN */
    bool send_armed; /* somebody waits for frames to be released */
};

static uint32_t get(const struct e1000 *e, unsigned offset)
{
    return readl(e->registers + offset);
}

static void set(const struct e1000 *e, unsigned offset, uint32_t value)
{
    writel(value, e->registers + offset);
}

/* --- receive ------------------------------------------------------------------------------------
 */

static void give_rx(struct e1000 *e, unsigned index, struct netbuf *buffer)
{
    e->rx_buffer[index] = buffer;
    e->rx[index] = (struct rx_descriptor){.address = virt_phys(netbuf_start(buffer))};
}

/* The buffer with the frame, of which the ring gets another; or a copy of it; NULL: no memory. */
static struct netbuf *take_frame(struct e1000 *e, unsigned index, uint32_t size)
{
    struct netbuf *buffer = e->rx_buffer[index], *fresh = netbuf_pool_get(e->pool);

    *buffer = (struct netbuf){
        .data = netbuf_start(buffer), .size = size, .total = size, .pool = buffer->pool};
    if (fresh != NULL) {
        give_rx(e, index, fresh);
        return buffer;
    }
    fresh = size <= COPY_MAX ? netbuf_copy(buffer) : NULL;
    if (fresh != NULL)
        e->netdev.queue[0].stats.copied += size;
    else
        e->netdev.queue[0].stats.rx_dropped++;
    give_rx(e, index, buffer);
    return fresh;
}

static void receive(struct e1000 *e, unsigned index)
{
    const struct rx_descriptor *d = &e->rx[index];
    uint32_t size = READ_ONCE(d->size);
    struct netbuf *frame;

    if (!(d->status & RX_WHOLE) || d->errors != 0 || size < ETHERNET || size > RX_BUFFER) {
        e->netdev.queue[0].stats.rx_errors++;
        give_rx(e, index, e->rx_buffer[index]);
        return;
    }
    frame = take_frame(e, index, size);
    if (frame != NULL)
        netdev_input(&e->netdev, 0, frame);
}

static bool has_received(const struct e1000 *e)
{
    return READ_ONCE(e->rx[e->rx_next].status) & DESCRIPTOR_DONE;
}

/* --- send ---------------------------------------------------------------------------------------
 */

static unsigned tx_room(const struct e1000 *e)
{
    return (e->tx_clean - e->tx_next - 1) % TX_COUNT;
}

/* The frames that the device is done with, as a list. Only a frame's last descriptor reports. */
static struct netbuf *take_sent(struct e1000 *e)
{
    struct netbuf *list = NULL;
    unsigned at = e->tx_clean;

    while (at != e->tx_next) {
        struct netbuf *frame = e->tx_frame[at];

        if (frame != NULL && !(READ_ONCE(e->tx[at].status) & DESCRIPTOR_DONE))
            break;
        at = (at + 1) % TX_COUNT;
        if (frame == NULL)
            continue;
        e->tx_frame[(at - 1) % TX_COUNT] = NULL;
        frame->next = list;
        list = frame;
        e->tx_clean = at;
    }
    return list;
}

/* False: nothing was sent since. */
static bool release_sent(struct e1000 *e)
{
    struct netbuf *sent;

    spin_lock(&e->send_lock);
    sent = take_sent(e);
    if (sent != NULL && e->send_waits) {
        e->send_waits = false;
        netdev_writable(&e->netdev, 0);
    }
    if (e->tx_clean == e->tx_next)
        e->send_armed = false;
    spin_unlock(&e->send_lock);
    netbuf_release_list(sent);
    return sent != NULL;
}

static void kick_locked(struct e1000 *e)
{
    if (e->tx_told == e->tx_next)
        return;
    e->tx_told = e->tx_next;
    set(e, TDT, e->tx_next); /* after the descriptors: writel orders */
}

static void arm_locked(struct e1000 *e)
{
    e->send_armed = true;
    set(e, IMS, INT_SENT);
}

/* Room for `count` descriptors; looks once more when the interrupt is on. */
static bool make_room(struct e1000 *e, unsigned count, struct netbuf **sent)
{
    if (tx_room(e) < TX_COUNT / 2)
        *sent = take_sent(e);
    if (tx_room(e) >= count)
        return true;
    kick_locked(e);
    e->send_waits = true;
    arm_locked(e);
    if (*sent == NULL)
        *sent = take_sent(e);
    return tx_room(e) >= count;
}

static int add_frame(struct e1000 *e, struct netbuf *frame, struct netbuf **sent)
{
    unsigned count = 0, last = 0;

    for (const struct netbuf *part = frame; part != NULL; part = part->rest)
        count++;
    if (count > NETBUF_CHAIN_MAX || frame->total > e->netdev.gso_max ||
        frame->gso != NETBUF_GSO_NONE || (frame->flags & NETBUF_CSUM_PARTIAL))
        return -EINVAL;
    if (!make_room(e, count, sent))
        return -EAGAIN;
    for (const struct netbuf *part = frame; part != NULL; part = part->rest) {
        last = e->tx_next;
        e->tx[last] = (struct tx_descriptor){
            .address = virt_phys(part->data),
            .size = (uint16_t)part->size,
            .command = TX_ADD_CRC | (part->rest == NULL ? TX_LAST | TX_REPORT : 0),
        };
        e->tx_next = (last + 1) % TX_COUNT;
    }
    e->tx_frame[last] = frame;
    return 0;
}

static int e1000_send(struct netdev *netdev, unsigned queue, struct netbuf *frame)
{
    struct e1000 *e = netdev->data;
    struct netdev_stats *stats = &netdev->queue[queue].stats;
    struct netbuf *sent = NULL;
    int error = -ENETDOWN;

    spin_lock(&e->send_lock);
    if (e->is_running)
        error = add_frame(e, frame, &sent);
    if (error == 0) {
        stats->tx_packets++;
        stats->tx_bytes += frame->total;
        if (frame->flags & NETBUF_RELEASE_SOON)
            arm_locked(e);
    } else if (error != -EAGAIN) {
        stats->tx_errors++;
    }
    spin_unlock(&e->send_lock);
    netbuf_release_list(sent);
    return error;
}

static void e1000_kick(struct netdev *netdev, unsigned queue)
{
    struct e1000 *e = netdev->data;

    (void)queue;
    spin_lock(&e->send_lock);
    kick_locked(e);
    spin_unlock(&e->send_lock);
}

/* --- polling and interrupts ---------------------------------------------------------------------
 */

static unsigned e1000_poll(struct netdev *netdev, unsigned queue, unsigned budget)
{
    struct e1000 *e = netdev->data;
    unsigned count = 0;

    (void)queue;
    release_sent(e);
    while (count < budget && has_received(e)) {
        dma_rmb(); /* pairs with the device's: all of the descriptor and the frame before 'done' */
        receive(e, e->rx_next);
        e->rx_next = (e->rx_next + 1) % RX_COUNT;
        count++;
    }
    if (count != 0)
        set(e, RDT, (e->rx_next - 1) % RX_COUNT);
    return count;
}

static void take_link(struct e1000 *e, uint32_t causes)
{
    if (causes & INT_LINK)
        netdev_set_link(&e->netdev, get(e, STATUS) & STATUS_LINK_UP);
}

/* Causes of what was polled already are dropped first, so that they do not interrupt. */
static bool e1000_rx_irq(struct netdev *netdev, unsigned queue, bool on)
{
    struct e1000 *e = netdev->data;
    bool armed;

    (void)queue;
    if (!on) {
        set(e, IMC, INT_RECEIVED | INT_SENT);
        return false;
    }
    take_link(e, get(e, ICR));
    armed = READ_ONCE(e->send_armed); /* after: whoever arms later looks for what was dropped */
    set(e, IMS, INT_LINK | INT_RECEIVED | (armed ? INT_SENT : 0));
    if (!has_received(e) && !(armed && release_sent(e)))
        return false;
    set(e, IMC, INT_RECEIVED | INT_SENT);
    return true;
}

static void e1000_interrupt(void *arg)
{
    struct e1000 *e = arg;
    uint32_t causes = get(e, ICR); /* 0: of somebody else on the line */

    take_link(e, causes);
    if (!(causes & (INT_RECEIVED | INT_SENT)) || !READ_ONCE(e->is_running))
        return;
    set(e, IMC, INT_RECEIVED | INT_SENT);
    netdev_signal(&e->netdev, 0);
}

/* --- start --------------------------------------------------------------------------------------
 */

static int fill_ring(struct e1000 *e)
{
    for (unsigned i = 0; i < RX_COUNT; i++) {
        struct netbuf *buffer = e->rx_buffer[i];

        if (buffer == NULL)
            buffer = netbuf_pool_get(e->pool);
        if (buffer == NULL)
            return -ENOMEM;
        give_rx(e, i, buffer);
    }
    return 0;
}

static unsigned pool_pages(void)
{
    return (unsigned)max(min(memory_ram_pages() / POOL_SHARE, (uint64_t)POOL_MAX),
                         (uint64_t)(RX_COUNT + RX_COUNT / 2));
}

static int e1000_open(struct netdev *netdev)
{
    struct e1000 *e = netdev->data;

    if (e->pool == NULL)
        e->pool = netbuf_pool_create(pool_pages());
    if (e->pool == NULL || fill_ring(e) != 0)
        return -ENOMEM;
    e->rx_next = 0;
    set(e, RDH, 0);
    set(e, RDT, RX_COUNT - 1); /* the device stops before it: one stays free */
    WRITE_ONCE(e->is_running, true);
    set(e, RCTL, get(e, RCTL) | RCTL_ENABLE);
    return 0;
}

static void e1000_close(struct netdev *netdev)
{
    struct e1000 *e = netdev->data;

    set(e, IMC, INT_RECEIVED | INT_SENT);
    WRITE_ONCE(e->is_running, false);
    set(e, RCTL, get(e, RCTL) & ~RCTL_ENABLE);
    for (unsigned i = 0; i < CLOSE_WAITS; i++) {
        release_sent(e);
        if (e->tx_clean == e->tx_next)
            return;
        thread_sleep_until(clock_monotonic_ns() + NS_PER_MS, WAIT_UNINTERRUPTIBLE);
    }
    log_warn("%s: frames given to the device are not sent; they stay with it", e->name);
}

static const struct netdev_ops e1000_ops = {
    .open = e1000_open,
    .close = e1000_close,
    .send = e1000_send,
    .kick = e1000_kick,
    .poll = e1000_poll,
    .rx_irq = e1000_rx_irq,
};

/* Section 14.3 */
static int reset(const struct e1000 *e)
{
    set(e, IMC, ~0U);
    set(e, CTRL, get(e, CTRL) | CTRL_RESET);
    for (unsigned i = 0; get(e, CTRL) & CTRL_RESET; i++) {
        if (i == RESET_WAITS) {
            log_error("%s: the device does not come out of its reset; not used", e->name);
            return -EIO;
        }
        thread_sleep_until(clock_monotonic_ns() + NS_PER_MS, WAIT_UNINTERRUPTIBLE);
    }
    set(e, IMC, ~0U);
    (void)get(e, ICR);
    set(e, CTRL, get(e, CTRL) | CTRL_LINK_UP | CTRL_AUTO_SPEED);
    for (unsigned i = 0; i < MTA_COUNT; i++)
        set(e, MTA + 4 * i, 0);
    return 0;
}

static void set_ring(const struct e1000 *e, unsigned first, const void *ring, unsigned size)
{
    paddr_t address = virt_phys(ring);

    set(e, first, (uint32_t)address);
    set(e, first + (RDBAH - RDBAL), (uint32_t)(address >> 32));
    set(e, first + (RDLEN - RDBAL), size);
    set(e, first + (RDH - RDBAL), 0);
    set(e, first + (RDT - RDBAL), 0);
}

/* Loaded from the EEPROM by the reset (section 5.6.2). */
static int read_mac(struct e1000 *e)
{
    uint32_t low = get(e, RAL), high = get(e, RAH);
    uint8_t *mac = e->netdev.mac;

    for (unsigned i = 0; i < 6; i++)
        mac[i] = (uint8_t)(i < 4 ? low >> 8 * i : high >> 8 * (i - 4));
    if ((mac[0] & 1) || (low | (high & 0xffff)) == 0) {
        log_error("%s: its address is no address of one station; not used", e->name);
        return -EIO;
    }
    return 0;
}

static int start(struct e1000 *e)
{
    struct page *page = page_alloc(1, PAGE_ZERO);
    int error = reset(e);

    if (page == NULL)
        return -ENOMEM;
    if (error == 0)
        error = read_mac(e);
    if (error != 0) {
        page_free(page, 1);
        return error;
    }
    e->tx = page_virt(page);
    e->rx = (void *)(e->tx + TX_COUNT);
    set_ring(e, RDBAL, e->rx, RX_COUNT * sizeof(*e->rx));
    set_ring(e, TDBAL, e->tx, TX_COUNT * sizeof(*e->tx));
    set(e, RCTL, RCTL_MULTICAST | RCTL_BROADCAST | RCTL_STRIP_CRC);
    set(e, TIPG, TIPG_COPPER);
    set(e, TCTL, TCTL_ENABLE | TCTL_PAD | TCTL_COLLISIONS);
    return 0;
}

static int show(struct e1000 *e)
{
    e->netdev.ops = &e1000_ops;
    e->netdev.data = e;
    e->netdev.driver = "e1000";
    e->netdev.queue_count = 1;
    e->netdev.mtu = e->netdev.mtu_max = MTU;
    e->netdev.gso_max = MTU + ETHERNET;
    e->netdev.speed_mbit = 1000;
    e->netdev.link_up = get(e, STATUS) & STATUS_LINK_UP;
    return netdev_register(&e->netdev);
}

static int e1000_probe(struct device *base)
{
    struct pci_device *pci = pci_device_of(base);
    struct e1000 *e = kzalloc(sizeof(*e));
    int error = -ENOMEM;

    if (e == NULL)
        return -ENOMEM;
    e->name = pci->name;
    spin_init(&e->send_lock, RANK_NETDEV);
    e->registers = pci_map(pci, 0, 0, E1000_SIZE);
    if (e->registers == NULL)
        goto free;
    e->irq = error = pci_irq(pci);
    if (error < 0)
        goto unmap;
    error = start(e);
    if (error != 0)
        goto unmap;
    error = irq_request((unsigned)e->irq, e1000_interrupt, e, pci->name);
    if (error == 0) {
        error = show(e);
        if (error == 0)
            return 0;
        irq_free((unsigned)e->irq, e);
    }
    set(e, TCTL, 0);
    page_free(virt_page(e->tx), 1);
unmap:
    device_unmap(e->registers, E1000_SIZE);
free:
    kfree(e);
    return error;
}

#define VENDOR_INTEL 0x8086U

static const struct match e1000_match[] = {
    {.id = PCI_ID(VENDOR_INTEL, 0x100e)}, /* 82540EM */
    {.id = PCI_ID(VENDOR_INTEL, 0x1008)}, /* 82544GC */
    {.id = PCI_ID(VENDOR_INTEL, 0x100f)}, /* 82545EM */
    {0},
};

static const struct driver e1000 = {
    .name = "e1000",
    .bus = &pci_bus,
    .stage = PROBE_DEVICE,
    .match = e1000_match,
    .probe = e1000_probe,
};
DRIVER(e1000);
