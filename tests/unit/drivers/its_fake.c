/* SPDX-License-Identifier: MIT */
#include <unit.h>

#include "its_fake.h"

#include <stdlib.h>
#include <string.h>

#include <arch/cpu.h>
#include <arch/mmio.h>
#include <core/percpu.h>
#include <device/device.h>
#include <lib/bitmap.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/kwindow.h>
#include <mm/page.h>

#include "../../../kernel/drivers/irqchip/gicv3.h"

#define ARENA_PAGES 1024U
#define VALID       (1UL << 63)
#define ADDRESS     0xfffffffff000UL

#define TYPE_DEVICES     1UL
#define TYPE_COLLECTIONS 4UL

extern const struct driver *const driver_entry_gicv3_its;

struct its_fake its_fake;

/* --- memory -------------------------------------------------------------------------------------
 */

static _Alignas(65536) char arena[ARENA_PAGES * PAGE_SIZE];
static BITMAP(arena_used, ARENA_PAGES);
char *unit_ram = arena;
char *unit_ram_pages = (char *)PAGE_SIZE;
uintptr_t kernel_image_offset;

/* The first 64 KiB stay unused, so that no address is 0. */
struct page *page_alloc(unsigned order, unsigned flags)
{
    unsigned count = 1U << order;

    if (its_fake.allocations_left == 0)
        return NULL;
    for (unsigned at = max(16U, count); at + count <= ARENA_PAGES; at += count) {
        unsigned i = 0;

        while (i < count && !bitmap_test(arena_used, at + i))
            i++;
        if (i < count)
            continue;
        for (i = 0; i < count; i++)
            bitmap_set(arena_used, at + i);
        memset(arena + at * PAGE_SIZE, flags & PAGE_ZERO ? 0 : 0xa5, count * PAGE_SIZE);
        its_fake.allocations_left--;
        its_fake.pages += count;
        return virt_page(arena + at * PAGE_SIZE);
    }
    return NULL;
}

void page_free(struct page *page, unsigned order)
{
    size_t at = page_phys(page) / PAGE_SIZE;

    for (unsigned i = 0; i < 1U << order; i++) {
        assert_true(bitmap_test(arena_used, at + i));
        bitmap_clear(arena_used, at + i);
    }
    its_fake.pages -= 1U << order;
}

static bool is_ours(uint64_t address)
{
    return address < sizeof(arena) && bitmap_test(arena_used, address / PAGE_SIZE);
}

void dcache_clean_invalidate_poc(const void *start, size_t length)
{
    (void)length;
    its_fake.cleaned = start;
}

void *device_map(paddr_t pa, size_t size)
{
    (void)size;
    its_fake.mappings += !its_fake.cannot_map;
    return its_fake.cannot_map ? NULL : (void *)pa;
}

/* --- what the kernel has around it --------------------------------------------------------------
 */

const struct bus firmware_bus = {"firmware"};

int fw_reg(const struct fw_node *node, unsigned index, paddr_t *base, uint64_t *size)
{
    (void)node, (void)index;
    *base = FAKE_ITS;
    *size = its_fake.registers_size;
    return 0;
}

void msi_controller_register(struct msi_controller *controller)
{
    its_fake.controller = controller;
}

int irqchip_register(struct irqchip *chip)
{
    its_fake.chip = chip;
    chip->first_irq = FAKE_IRQ;
    return 0;
}

bool gicv3_redistributor(unsigned cpu, void **control, paddr_t *phys)
{
    *phys = FAKE_REDISTRIBUTOR(cpu);
    *control = (void *)*phys;
    return cpu < FAKE_CPUS && !(its_fake.no_redistributor && cpu == 1);
}

uint32_t gicv3_type(void)
{
    return its_fake.has_no_lpis ? 0 : 1U << 17;
}

void gicv3_set_lpi_chip(struct irqchip *chip)
{
    its_fake.lpi_chip = chip;
}

/* --- commands -----------------------------------------------------------------------------------
 */

static struct its_event *find_event(uint32_t device, uint32_t event, bool make)
{
    struct its_event *free = NULL;

    for (unsigned i = 0; i < FAKE_EVENT; i++) {
        struct its_event *e = &its_fake.event[i];

        if (e->is_mapped && e->device == device && e->event == event)
            return e;
        if (!e->is_mapped && free == NULL)
            free = e;
    }
    if (make && free != NULL)
        *free = (struct its_event){.device = device, .event = event, .is_mapped = true};
    return make ? free : NULL;
}

const struct its_event *fake_its_event(uint32_t device, uint32_t event)
{
    return find_event(device, event, false);
}

static int find_itt(uint32_t device)
{
    for (int i = 0; i < 4; i++) {
        if ((its_fake.itt[i] & VALID) && its_fake.itt_device[i] == device)
            return i;
    }
    return -1;
}

/* The device's entry is in memory that the ITS was given. */
static void check_device(uint32_t device)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t table = its_fake.table[i], size = PAGE_SIZE << 2 * (table >> 8 & 3);
        unsigned each = (table >> 48 & 0x1f) + 1;
        const uint64_t *first;

        if ((table >> 56 & 7) != TYPE_DEVICES)
            continue;
        assert_true(table & VALID);
        if (!(table >> 62 & 1)) {
            assert_true((uint64_t)device * each < size * ((table & 0xff) + 1));
            return;
        }
        first = phys_virt(table & ADDRESS);
        assert_true(device / (size / each) < size / 8);
        assert_true(first[device / (size / each)] & VALID);
        assert_true(is_ours(first[device / (size / each)] & ADDRESS));
        return;
    }
    fail_msg("no table of devices");
}

static void map_device(uint32_t device, uint64_t size, uint64_t itt)
{
    int at = find_itt(device);

    check_device(device);
    if (!(itt & VALID)) {
        assert_true(at >= 0);
        its_fake.itt[at] = 0;
        return;
    }
    assert_true(at < 0);
    for (at = 0; its_fake.itt[at] != 0; at++)
        assert_true(at < 3);
    assert_int_equal(itt & 0xff, 0);
    assert_true(is_ours(itt & ADDRESS));
    its_fake.itt[at] = itt;
    its_fake.itt_device[at] = device;
    its_fake.itt_bits[at] = (unsigned)(size & 0x1f) + 1;
}

static bool is_target(uint64_t target)
{
    for (unsigned cpu = 0; cpu < FAKE_CPUS; cpu++) {
        if (target == (its_fake.type >> 19 & 1 ? FAKE_REDISTRIBUTOR(cpu) : (uint64_t)cpu << 16))
            return true;
    }
    return false;
}

static void take(const uint64_t *c)
{
    uint32_t device = (uint32_t)(c[0] >> 32), event = (uint32_t)c[1];
    struct its_event *e;

    switch (c[0] & 0xff) {
    case 0x01: /* MOVI */
        e = find_event(device, event, false);
        assert_non_null(e);
        assert_true((c[2] & 0xffff) < FAKE_CPUS);
        e->cpu = c[2] & 0xffff;
        return;
    case 0x05: /* SYNC */
        assert_true(is_target(c[2] & ADDRESS) || is_target(c[2]));
        its_fake.syncs++;
        return;
    case 0x08: /* MAPD */
        map_device(device, c[1], c[2]);
        return;
    case 0x09: /* MAPC */
        assert_true((c[2] & 0xffff) < FAKE_CPUS);
        assert_true(is_target(c[2] & 0x7fffffffffff0000UL));
        its_fake.target[c[2] & 0xffff] = c[2] & ~0xffffUL;
        return;
    case 0x0a: /* MAPTI */
        assert_true(find_itt(device) >= 0);
        assert_true(event < 1U << its_fake.itt_bits[find_itt(device)]);
        assert_null(find_event(device, event, false));
        e = find_event(device, event, true);
        e->lpi = (uint32_t)(c[1] >> 32);
        e->cpu = c[2] & 0xffff;
        assert_true(its_fake.target[e->cpu] & VALID);
        assert_true(e->lpi >= 8192);
        return;
    case 0x0c: /* INV */
        assert_non_null(find_event(device, event, false));
        its_fake.invalidations++;
        return;
    case 0x0f: /* DISCARD */
        e = find_event(device, event, false);
        assert_non_null(e);
        e->is_mapped = false;
        return;
    }
    fail_msg("unknown command 0x%x", (unsigned)(c[0] & 0xff));
}

static void take_commands(void)
{
    const char *queue = phys_virt(its_fake.queue & ADDRESS);

    assert_true((its_fake.queue & VALID) && (its_fake.control & 1));
    if (its_fake.no_caches)
        assert_ptr_equal(its_fake.cleaned, queue + (its_fake.writer + PAGE_SIZE - 32) % PAGE_SIZE);
    while (its_fake.reader != its_fake.writer) {
        if (its_fake.answer != ITS_TAKES && its_fake.commands >= its_fake.answer_from)
            return;
        its_fake.commands++;
        take((const uint64_t *)(queue + its_fake.reader));
        its_fake.reader = (its_fake.reader + 32) % PAGE_SIZE;
    }
}

/* --- registers ----------------------------------------------------------------------------------
 */

static uint64_t baser(unsigned i)
{
    static const uint64_t type[8] = {TYPE_DEVICES << 56 | 7UL << 48, TYPE_COLLECTIONS << 56};

    return type[i];
}

static uint64_t share(uint64_t value)
{
    return its_fake.no_caches ? value & ~0xc00UL : value;
}

static void write_baser(unsigned i, uint64_t value)
{
    uint64_t fixed = 7UL << 56 | 0x1fUL << 48;

    if (baser(i) == 0)
        return;
    value = (share(value) & ~fixed) | baser(i);
    if (its_fake.is_flat)
        value &= ~(1UL << 62);
    if (its_fake.page_size < 3)
        value = (value & ~0x300UL) | (uint64_t)its_fake.page_size << 8;
    if (value & VALID) {
        assert_int_equal(its_fake.control & 1, 0);
        assert_true(is_ours(value & ADDRESS));
        assert_int_equal(value & ADDRESS & ((PAGE_SIZE << 2 * (value >> 8 & 3)) - 1), 0);
    }
    its_fake.table[i] = value;
}

static uint64_t read_creadr(void)
{
    bool answers = its_fake.answer == ITS_TAKES || its_fake.commands < its_fake.answer_from;

    if (answers || its_fake.answer == ITS_SILENT)
        return its_fake.reader;
    return its_fake.answer == ITS_STALLS ? its_fake.reader | 1 : 0xfffffffffffffff0UL;
}

static uint64_t read_redistributor(unsigned cpu, unsigned offset)
{
    switch (offset) {
    case 0x00:
        return its_fake.lpi_control[cpu] | its_fake.lpis_in_use;
    case 0x08:
        return (uint64_t)cpu << 8;
    case 0x70:
        return its_fake.configurations;
    case 0x78:
        return its_fake.pending[cpu];
    }
    fail_msg("redistributor: read of 0x%x", offset);
    return 0;
}

uint64_t fake_mmio_read(uintptr_t address, unsigned size)
{
    uintptr_t offset = address - FAKE_ITS;

    if (address >= FAKE_REDISTRIBUTOR(0))
        return read_redistributor((address - FAKE_REDISTRIBUTOR(0)) >> 17, address & 0x1ffff);
    if (offset >= 0x100 && offset < 0x140)
        return its_fake.table[(offset - 0x100) / 8] | baser((unsigned)(offset - 0x100) / 8);
    switch (offset) {
    case 0x00:
        return its_fake.control | (its_fake.never_rests ? 0 : 1U << 31);
    case 0x08:
        return its_fake.type;
    case 0x80:
        return its_fake.queue;
    case 0x90:
        return read_creadr();
    }
    fail_msg("ITS: read of 0x%lx, %u bytes", (unsigned long)offset, size);
    return 0;
}

static void write_redistributor(unsigned cpu, unsigned offset, uint64_t value)
{
    if (offset == 0x00) {
        its_fake.lpi_control[cpu] = (uint32_t)value;
        assert_true(is_ours(its_fake.pending[cpu] & ADDRESS));
    } else if (offset == 0x70) {
        its_fake.configurations = share(value);
        assert_true(is_ours(value & ADDRESS));
    } else if (offset == 0x78) {
        its_fake.pending[cpu] = share(value);
        assert_int_equal(value & 0xf000, 0); /* 64 KiB */
    } else {
        fail_msg("redistributor: write of 0x%x", offset);
    }
}

void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size)
{
    uintptr_t offset = address - FAKE_ITS;

    if (address >= FAKE_REDISTRIBUTOR(0)) {
        write_redistributor((address - FAKE_REDISTRIBUTOR(0)) >> 17, address & 0x1ffff, value);
    } else if (offset >= 0x100 && offset < 0x140) {
        write_baser((unsigned)(offset - 0x100) / 8, value);
    } else if (offset == 0x00) {
        its_fake.control = (uint32_t)value & 1;
    } else if (offset == 0x80) {
        its_fake.queue = share(value);
        its_fake.reader = 0;
    } else if (offset == 0x88) {
        assert_true(value < PAGE_SIZE && value % 32 == 0);
        its_fake.writer = value;
        if (its_fake.control & 1)
            take_commands();
    } else {
        fail_msg("ITS: write of 0x%lx, %u bytes", (unsigned long)offset, size);
    }
}

/* --- for the test -------------------------------------------------------------------------------
 */

void fake_its_reset(void)
{
    /* 16 bits of event, 16 of device, ITT entries of 12 bytes: GITS_TYPER of QEMU's */
    its_fake = (struct its_fake){
        .type = 15UL << 13 | 15UL << 8 | 11UL << 4,
        .page_size = 3,
        .registers_size = 0x20000,
        .allocations_left = ARENA_PAGES,
    };
    cpu_online_mask = cpumask_first_n(FAKE_CPUS);
}

int fake_its_probe(void)
{
    static struct device device;

    device = (struct device){.name = "its", .node = &its_fake.node};
    return driver_entry_gicv3_its->probe(&device);
}

bool fake_its_enabled(uint32_t lpi)
{
    const uint8_t *byte = phys_virt(its_fake.configurations & ADDRESS);

    if (its_fake.no_caches)
        assert_true(its_fake.cleaned != NULL);
    return byte[lpi - 8192] & 1;
}
