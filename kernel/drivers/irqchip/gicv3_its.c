/* SPDX-License-Identifier: MIT */
/*
 * The Interrupt Translation Service of a GICv3 (Arm IHI 0069 chapters 5 and 6): (device, event) of
 * a message to an LPI and a collection, which is a CPU. Commands go one at a time and are waited
 * for. One ITS, no virtual LPIs, no direct injection.
 */
#include "gic.h"
#include "gicv3.h"

#include <arch/barrier.h>
#include <arch/cpu.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/percpu.h>
#include <device/device.h>
#include <device/msi.h>
#include <lib/align.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/kwindow.h>
#include <mm/page.h>
#include <mm/slab.h>

/* Section 12.19 */
#define GITS_CTLR       0x0000
#define GITS_TYPER      0x0008
#define GITS_CBASER     0x0080
#define GITS_CWRITER    0x0088
#define GITS_CREADR     0x0090
#define GITS_BASER      0x0100
#define GITS_TRANSLATER 0x10040
#define GITS_SIZE       0x20000
#define GITS_MAPPED     0x1000

#define GITS_CTLR_ENABLED    (1U << 0)
#define GITS_CTLR_QUIESCENT  (1U << 31)
#define TYPER_ITT_ENTRY(x)   (((x) >> 4 & 0xf) + 1)
#define TYPER_EVENT_BITS(x)  (((x) >> 8 & 0x1f) + 1)
#define TYPER_DEVICE_BITS(x) (((x) >> 13 & 0x1f) + 1)
#define TYPER_PTA            (1UL << 19) /* redistributors by address, else by number */
#define CREADR_STALLED       1UL
#define GITS_CACHE_SHIFT     59 /* InnerCache of CBASER and BASER<n> */

#define BASER_COUNT      8U
#define BASER_VALID      (1UL << 63)
#define BASER_INDIRECT   (1UL << 62)
#define BASER_TYPE(x)    ((x) >> 56 & 7)
#define BASER_ENTRY(x)   (((x) >> 48 & 0x1f) + 1)
#define BASER_PAGE_SHIFT 8
#define BASER_PAGE(x)    ((x) >> BASER_PAGE_SHIFT & 3)
#define TYPE_DEVICES     1U
#define TYPE_COLLECTIONS 4U
#define FLAT_ORDER       4U /* 64 KiB of devices where there are no two levels */

#define GICR_TYPER           0x08
#define GICR_TYPER_NUMBER(x) ((x) >> 8 & 0xffff)

/* Section 5.3 */
enum command {
    MOVI = 0x01,
    SYNC = 0x05,
    MAPD = 0x08,
    MAPC = 0x09,
    MAPTI = 0x0a,
    INV = 0x0c,
    DISCARD = 0x0f,
};
#define COMMAND_SIZE  32U
#define COMMAND_VALID (1UL << 63)

#define ITT_ALIGN 256U
#define POLL_MAX  10000000U

struct lpi {
    uint32_t device, event;
    unsigned cpu;
};

static struct {
    struct msi_controller msi;
    struct irqchip chip;
    void *registers; /* NULL: not set up yet */
    paddr_t doorbell;
    uint64_t type;
    bool is_broken; /* it does not take commands */

    bool devices_indirect;
    unsigned device_order;     /* of a page of the table, in our pages */
    unsigned devices_per_page; /* entries */
    uint32_t device_limit;     /* identifiers below it */
    uint64_t *devices;         /* first level, if there are two */

    struct spinlock lock; /* command queue, `used`; taken under core/irq.c's */
    uint8_t *queue;       /* one page */
    bool queue_is_coherent;
    unsigned queue_at;
    struct lpi *lpi; /* GIC_LPI_COUNT */
    BITMAP(used, GIC_LPI_COUNT);
} its;

/* --- commands -----------------------------------------------------------------------------------
 */

static __noinline __cold void fail(uint64_t reader)
{
    its.is_broken = true;
    log_error("ITS: a command is not taken (GITS_CREADR 0x%lx, expected 0x%x); no message "
              "interrupts from here on",
              (unsigned long)reader, its.queue_at);
}

static void put_locked(uint64_t word0, uint64_t word1, uint64_t word2)
{
    uint64_t *command = (uint64_t *)(its.queue + its.queue_at);

    command[0] = word0;
    command[1] = word1;
    command[2] = word2;
    command[3] = 0;
    if (its.queue_is_coherent)
        dsb(ishst); /* the command before the ITS is told of it */
    else
        dcache_clean_invalidate_poc(command, COMMAND_SIZE);
    its.queue_at = (its.queue_at + COMMAND_SIZE) % PAGE_SIZE;
    writeq(its.queue_at, its.registers + GITS_CWRITER);
}

/* What a collection leads to, as commands name it (section 5.3.3, MAPC): bits 51 to 16. */
static uint64_t target_of(unsigned cpu)
{
    void *control;
    paddr_t phys;

    if (!gicv3_redistributor(cpu, &control, &phys))
        return 0;
    return its.type & TYPER_PTA ? phys : GICR_TYPER_NUMBER(readq(control + GICR_TYPER)) << 16;
}

/* A command, and that it has taken effect on `cpu` (section 5.3.15). -EIO: it never did. */
static int command(unsigned cpu, uint64_t word0, uint64_t word1, uint64_t word2)
{
    reg_t flags = spin_lock_irq(&its.lock);
    uint64_t reader = 0;

    if (!its.is_broken) {
        put_locked(word0, word1, word2);
        put_locked(SYNC, 0, target_of(cpu));
        for (unsigned i = 0; i < POLL_MAX; i++) {
            reader = readq(its.registers + GITS_CREADR);
            if (reader == its.queue_at || (reader & CREADR_STALLED))
                break;
            cpu_relax();
        }
        if (reader != its.queue_at)
            fail(reader);
    }
    spin_unlock_irq(&its.lock, flags);
    return its.is_broken ? -EIO : 0;
}

static uint64_t of_device(enum command what, uint32_t device)
{
    return (uint64_t)device << 32 | what;
}

/* --- lines --------------------------------------------------------------------------------------
 */

static void set_line(unsigned line, bool on)
{
    const struct lpi *lpi = &its.lpi[line];

    gicv3_lpi_enable(line, on);
    command(lpi->cpu, of_device(INV, lpi->device), lpi->event, 0);
}

static void its_mask(struct irqchip *chip, unsigned hw)
{
    (void)chip;
    set_line(hw, false);
}

static void its_unmask(struct irqchip *chip, unsigned hw)
{
    (void)chip;
    set_line(hw, true);
}

/* What is pending moves, too. */
static int its_set_affinity(struct irqchip *chip, unsigned hw, unsigned cpu)
{
    struct lpi *lpi = &its.lpi[hw];
    unsigned before = lpi->cpu;

    (void)chip;
    lpi->cpu = cpu;
    return command(before, of_device(MOVI, lpi->device), lpi->event, cpu);
}

static const struct irqchip_ops its_chip_ops = {
    .mask = its_mask,
    .unmask = its_unmask,
    .set_affinity = its_set_affinity,
};

/* --- start --------------------------------------------------------------------------------------
 */

/* The size of a table's pages is the ITS's choice if it does not take ours. As their order. */
static unsigned page_order(void *baser, uint64_t fixed)
{
    for (uint64_t size = 0; size < 3; size++) {
        writeq(fixed | size << BASER_PAGE_SHIFT, baser);
        if (BASER_PAGE(readq(baser)) == size)
            return 2 * (unsigned)size; /* 4, 16 or 64 KiB */
    }
    return 0;
}

static int set_table(void *baser, uint64_t fixed, unsigned page, unsigned order, void **table)
{
    uint64_t pages = 1UL << (order - page), size = page / 2;

    *table = gicv3_table_alloc(order);
    if (*table == NULL)
        return -ENOMEM;
    gicv3_table_offer(
        baser, fixed | BASER_VALID | virt_phys(*table) | size << BASER_PAGE_SHIFT | (pages - 1),
        GITS_CACHE_SHIFT);
    return 0;
}

/* Two levels, the second by need, or one of 64 KiB. */
static int set_devices(void *baser, uint64_t fixed)
{
    unsigned page = page_order(baser, fixed), bits = TYPER_DEVICE_BITS(its.type);
    uint64_t limit;
    void *table;
    int error;

    writeq(fixed | BASER_INDIRECT, baser);
    its.devices_indirect = readq(baser) & BASER_INDIRECT;
    its.device_order = page;
    its.devices_per_page = (unsigned)((PAGE_SIZE << page) / BASER_ENTRY(fixed));
    if (its.devices_indirect) {
        error = set_table(baser, fixed | BASER_INDIRECT, page, page, &table);
        limit = (PAGE_SIZE << page) / sizeof(*its.devices) * its.devices_per_page;
        its.devices = table;
    } else {
        error = set_table(baser, fixed, page, FLAT_ORDER, &table);
        limit = (PAGE_SIZE << FLAT_ORDER) / BASER_ENTRY(fixed);
    }
    its.device_limit = (uint32_t)min(limit, 1UL << bits);
    return error;
}

static int set_tables(void)
{
    int error = 0;

    for (unsigned i = 0; i < BASER_COUNT && error == 0; i++) {
        void *baser = its.registers + GITS_BASER + 8UL * i, *table;
        uint64_t fixed = readq(baser) & (7UL << 56 | 0x1fUL << 48);
        unsigned page;

        if (BASER_TYPE(fixed) == TYPE_DEVICES) {
            error = set_devices(baser, fixed);
        } else if (BASER_TYPE(fixed) == TYPE_COLLECTIONS) {
            page = page_order(baser, fixed);
            error = set_table(baser, fixed, page, page, &table);
        }
    }
    return error;
}

static int set_queue(void)
{
    its.queue = gicv3_table_alloc(0);
    if (its.queue == NULL)
        return -ENOMEM;
    its.queue_is_coherent = gicv3_table_offer(its.registers + GITS_CBASER,
                                              BASER_VALID | virt_phys(its.queue), GITS_CACHE_SHIFT);
    writeq(0, its.registers + GITS_CWRITER);
    return 0;
}

static int stop(void)
{
    uint32_t control = readl(its.registers + GITS_CTLR);

    writel(control & ~GITS_CTLR_ENABLED, its.registers + GITS_CTLR);
    for (unsigned i = 0; i < POLL_MAX; i++) {
        if (readl(its.registers + GITS_CTLR) & GITS_CTLR_QUIESCENT)
            return 0;
        cpu_relax();
    }
    log_error("ITS: it does not come to rest; no message interrupts");
    return -EIO;
}

/* A collection for each CPU, with its number. */
static int map_collections(void)
{
    unsigned cpu;
    int error = 0;

    cpumask_for_each (cpu, &cpu_online_mask) {
        if (error == 0)
            error = command(cpu, MAPC, 0, COMMAND_VALID | target_of(cpu) | cpu);
    }
    return error;
}

static int start(void)
{
    uint64_t size;
    paddr_t base;
    int error = fw_reg(its.msi.node, 0, &base, &size);

    if (error != 0 || size < GITS_SIZE)
        return error != 0 ? error : -EINVAL;
    its.lpi = kzalloc_array(GIC_LPI_COUNT, sizeof(*its.lpi));
    if (its.lpi == NULL)
        return -ENOMEM;
    its.registers = device_map(base, GITS_MAPPED);
    if (its.registers == NULL) {
        kfree(its.lpi);
        return -ENOMEM;
    }
    its.is_broken = true; /* until all is there: this is not tried twice */
    its.doorbell = base + GITS_TRANSLATER;
    its.type = readq(its.registers + GITS_TYPER);
    error = stop();
    if (error == 0)
        error = gicv3_lpi_start();
    if (error == 0)
        error = set_tables();
    if (error == 0)
        error = set_queue();
    if (error == 0)
        error = irqchip_register(&its.chip);
    if (error != 0)
        return error;
    gicv3_set_lpi_chip(&its.chip);
    writel(readl(its.registers + GITS_CTLR) | GITS_CTLR_ENABLED, its.registers + GITS_CTLR);
    its.is_broken = false;
    return map_collections();
}

/* --- devices ------------------------------------------------------------------------------------
 */

/* The page of the second level that has the device's entry. */
static int make_room(uint32_t device)
{
    uint64_t *entry;
    void *page;

    if (device >= its.device_limit)
        return -ERANGE;
    entry = its.devices_indirect ? &its.devices[device / its.devices_per_page] : NULL;
    if (entry == NULL || *entry != 0)
        return 0;
    page = gicv3_table_alloc(its.device_order);
    if (page == NULL)
        return -ENOMEM;
    *entry = BASER_VALID | virt_phys(page);
    dcache_clean_invalidate_poc(entry, sizeof(*entry));
    dsb(sy); /* before the command that looks there */
    return 0;
}

/* The table of its events: our page allocator's, since it needs 256 bytes of alignment. */
static unsigned itt_order(unsigned bits)
{
    size_t size = max(TYPER_ITT_ENTRY(its.type) << bits, (uint64_t)ITT_ALIGN);
    unsigned order = 0;

    while ((PAGE_SIZE << order) < size)
        order++;
    return order;
}

static unsigned event_bits(const struct msi_device *device)
{
    return max(log2_ceil(device->vector_count), 1U);
}

/* A table that an ITS was told of and did not answer for stays with it. */
static int its_attach(struct msi_device *device)
{
    unsigned bits = event_bits(device);
    int error = its.registers == NULL ? start() : its.is_broken ? -EIO : 0;

    if (error == 0)
        error = bits > TYPER_EVENT_BITS(its.type) ? -ERANGE : make_room(device->id);
    if (error != 0)
        return error;
    device->data = gicv3_table_alloc(itt_order(bits));
    if (device->data == NULL)
        return -ENOMEM;
    return command(0, of_device(MAPD, device->id), bits - 1,
                   COMMAND_VALID | virt_phys(device->data));
}

static void its_detach(struct msi_device *device)
{
    if (command(0, of_device(MAPD, device->id), 0, 0) == 0)
        page_free(virt_page(device->data), itt_order(event_bits(device)));
    device->data = NULL;
}

static unsigned take_line(void)
{
    reg_t flags = spin_lock_irq(&its.lock);
    unsigned line = (unsigned)bitmap_find_clear(its.used, GIC_LPI_COUNT, 0);

    if (line < GIC_LPI_COUNT)
        bitmap_set(its.used, line);
    spin_unlock_irq(&its.lock, flags);
    return line;
}

static void give_line(unsigned line)
{
    reg_t flags = spin_lock_irq(&its.lock);

    bitmap_clear(its.used, line);
    spin_unlock_irq(&its.lock, flags);
}

static int its_map(struct msi_device *device, unsigned vector, struct msi_message *message)
{
    unsigned line = take_line();
    int error;

    if (line >= GIC_LPI_COUNT)
        return -ENOSPC;
    its.lpi[line] = (struct lpi){.device = device->id, .event = vector};
    error = command(0, of_device(MAPTI, device->id),
                    (uint64_t)(GIC_LPI_FIRST + line) << 32 | vector, its.lpi[line].cpu);
    if (error != 0) {
        give_line(line);
        return error;
    }
    *message = (struct msi_message){its.doorbell, vector};
    return (int)(its.chip.first_irq + line);
}

static void its_unmap(struct msi_device *device, unsigned vector, unsigned irq)
{
    unsigned line = irq - its.chip.first_irq;

    command(its.lpi[line].cpu, of_device(DISCARD, device->id), vector, 0);
    give_line(line);
}

static const struct msi_controller_ops its_msi_ops = {
    .attach = its_attach,
    .map = its_map,
    .unmap = its_unmap,
    .detach = its_detach,
};

static int its_probe(struct device *device)
{
    if (its.msi.node != NULL)
        return -ENODEV;
    spin_init(&its.lock, RANK_IRQCHIP);
    its.chip =
        (struct irqchip){.name = "ITS-MSI", .ops = &its_chip_ops, .line_count = GIC_LPI_COUNT};
    its.msi = (struct msi_controller){.ops = &its_msi_ops, .node = device->node};
    msi_controller_register(&its.msi);
    return 0;
}

static const struct match its_match[] = {
    {.compatible = "arm,gic-v3-its"},
    {0},
};

static const struct driver gicv3_its = {
    .name = "gicv3_its",
    .bus = &firmware_bus,
    .stage = PROBE_MSI,
    .match = its_match,
    .probe = its_probe,
};
DRIVER(gicv3_its);
