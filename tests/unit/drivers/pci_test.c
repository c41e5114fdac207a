/* SPDX-License-Identifier: MIT */
/*
 * kernel/drivers/pci against functions and bridges made here, which route by bus numbers as the
 * test's own reading of the specifications says.
 */
#include <unit.h>

#include <string.h>

#include <lib/align.h>
#include <lib/errno.h>

#include "pci_fake.h"

enum { FUNCTIONS_MAX = 16, ROOT = -1, BRIDGE_HEADER = 1 };

#define MIB 0x100000UL

struct function {
    int above; /* the bridge's index, ROOT */
    unsigned slot, number;
    uint64_t bar_size[PCI_BARS]; /* 64-bit ones: the next is 0 */
    uint8_t config[256];
};

static struct function function[FUNCTIONS_MAX];
static unsigned function_count;
static uint32_t table[64]; /* MSI-X, wherever its BAR is */
static uintptr_t table_at;
static unsigned decoding_moved; /* BARs written while decoding was on */

static uint32_t get32(const struct function *f, unsigned offset)
{
    return (uint32_t)f->config[offset] | (uint32_t)f->config[offset + 1] << 8 |
           (uint32_t)f->config[offset + 2] << 16 | (uint32_t)f->config[offset + 3] << 24;
}

static void put(struct function *f, unsigned offset, uint64_t value, unsigned size)
{
    for (unsigned i = 0; i < size; i++)
        f->config[offset + i] = (uint8_t)(value >> 8 * i);
}

/* Which bus a bridge leads to, if the numbers above let a request through. */
static bool is_routed(const struct function *f, unsigned bus)
{
    const struct function *bridge = f->above != ROOT ? &function[f->above] : NULL;

    if (bridge == NULL)
        return bus == 0;
    if (bus == 0 || bridge->config[0x19] != bus || bus > bridge->config[0x1a])
        return false;
    for (; bridge->above != ROOT; bridge = &function[bridge->above]) {
        const struct function *up = &function[bridge->above];

        if (bus < up->config[0x19] || bus > up->config[0x1a] ||
            bridge->config[0x18] != up->config[0x19])
            return false;
    }
    return true;
}

static struct function *find(uintptr_t address)
{
    uintptr_t at = (address - FAKE_CONFIG) >> 12;

    for (unsigned i = 0; i < function_count; i++) {
        struct function *f = &function[i];

        if (f->slot == (at >> 3 & 31) && f->number == (at & 7) && is_routed(f, (unsigned)(at >> 8)))
            return f;
    }
    return NULL;
}

uint64_t fake_mmio_read(uintptr_t address, unsigned size)
{
    struct function *f = address >= FAKE_CONFIG ? find(address) : NULL;
    uint64_t value = 0;

    if (address >= table_at && address < table_at + sizeof(table))
        return table[(address - table_at) / 4];
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)(f != NULL ? f->config[(address & 0xff) + i] : 0xff) << 8 * i;
    return value;
}

/* The bits of a BAR that can be written; its lowest four (I/O: two) are its kind. */
static void write_bar(struct function *f, unsigned index, uint32_t value)
{
    bool upper =
        index > 0 && (f->config[0x10 + 4 * (index - 1)] & 7) == 4 && f->bar_size[index - 1] != 0;
    uint64_t size = f->bar_size[upper ? index - 1 : index];
    uint32_t kind =
        upper ? 0 : f->config[0x10 + 4 * index] & (f->config[0x10 + 4 * index] & 1 ? 3 : 15);
    uint32_t mask = size == 0 ? 0 : upper ? (uint32_t)(~(size - 1) >> 32) : (uint32_t) ~(size - 1);

    decoding_moved += f->config[4] & 3;
    put(f, 0x10 + 4 * index, (value & mask) | kind, 4);
}

void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size)
{
    struct function *f = address >= FAKE_CONFIG ? find(address) : NULL;
    unsigned offset = address & 0xff;

    if (address >= table_at && address < table_at + sizeof(table)) {
        table[(address - table_at) / 4] = (uint32_t)value;
    } else if (f != NULL && offset >= 0x10 && offset < (f->config[0x0e] & 1 ? 0x18 : 0x28)) {
        assert_int_equal(size, 4);
        write_bar(f, (offset - 0x10) / 4, (uint32_t)value);
    } else if (f != NULL) {
        uint32_t fixed = get32(f, 0x24) & 0x000f000f;

        put(f, offset, value, size);
        if (offset == 0x24)
            put(f, 0x24, (value & 0xfff0fff0) | fixed, 4);
    }
}

static struct function *add(int above, unsigned slot, unsigned number, uint32_t id)
{
    struct function *f = &function[function_count++];

    memset(f, 0, sizeof(*f));
    f->above = above;
    f->slot = slot;
    f->number = number;
    put(f, 0, id, 4);
    return f;
}

/* `kind` is what the BAR's lowest bits say. */
static void add_bar(struct function *f, unsigned index, unsigned kind, uint64_t size)
{
    f->bar_size[index] = size;
    put(f, 0x10 + 4 * index, kind, 4);
}

/* Passes prefetchable memory above 4 GiB; `express` its port's type, 0: conventional. */
static int add_bridge(int above, unsigned slot, unsigned express)
{
    struct function *f = add(above, slot, 0, 0x00011b36);

    f->config[0x0e] = BRIDGE_HEADER;
    put(f, 0x24, 0x00010001, 4);
    if (express != 0) {
        f->config[6] = 0x10;
        f->config[0x34] = 0x40;
        put(f, 0x40, 0x10 | express << 20, 4);
    }
    return (int)function_count - 1;
}

static struct pci_host host;
static const struct pci_window low = {.cpu = 0x10000000, .bus = 0x10000000, .size = 0x2eff0000};
static const struct pci_window high = {
    .cpu = 0x18000000000, .bus = 0x8000000000, .size = 1UL << 39};

static void begin(void)
{
    function_count = 0;
    decoding_moved = 0;
    table_at = 0;
    memset(table, 0, sizeof(table));
}

static uint64_t bar_address(const struct function *f, unsigned index)
{
    uint64_t address = get32(f, 0x10 + 4 * index) & ~15U;

    if ((f->config[0x10 + 4 * index] & 6) == 4)
        address |= (uint64_t)get32(f, 0x14 + 4 * index) << 32;
    return address;
}

static void test_places(void **state)
{
    struct function *a, *b;
    const struct pci_bar *bar;

    begin();
    add(ROOT, 0, 0, 0xdead1b36); /* no driver: left alone */
    add_bar(&function[0], 0, 0, 4096);
    a = add(ROOT, 3, 0, 0x10011af4);
    add_bar(a, 0, 1, 128); /* I/O */
    add_bar(a, 1, 0, 4096);
    add_bar(a, 4, 4 | 8, 16384);
    b = add(ROOT, 31, 0, 0x10011af4);
    b->config[0x0e] = 0x80; /* several functions */
    add_bar(b, 0, 0, 256);
    add_bar(b, 1, 0, 1U << 28);
    add(ROOT, 31, 7, 0x10001af4);
    add(ROOT, 3, 5, 0x10001af4); /* of a function that has no others */
    pci_fake_walk(&host, low, high, 15);

    assert_int_equal(pci_fake.probed_count, 3);
    assert_string_equal(pci_fake.probed[0]->name, "pci-00:03.0");
    assert_string_equal(pci_fake.probed[1]->name, "pci-00:1f.0");
    assert_string_equal(pci_fake.probed[2]->name, "pci-00:1f.7");
    assert_int_equal(bar_address(&function[0], 0), 0);
    assert_int_equal(function[0].config[4], 0);
    bar = pci_fake.probed[0]->bar;
    assert_true(bar[0].is_io && bar[0].base == 0);
    assert_int_equal(bar_address(a, 1), 0x10000000);
    assert_int_equal(bar[1].base, 0x10000000);
    assert_int_equal(bar[1].size, 4096);
    assert_int_equal(bar_address(a, 4), high.bus);
    assert_int_equal(bar[4].base, high.cpu);
    assert_int_equal(a->config[4] & 7, 6); /* memory, bus master, no I/O */
    assert_int_equal(bar_address(b, 0), 0x10001000);
    assert_int_equal(bar_address(b, 1), 0x20000000); /* aligned to its size */
    assert_int_equal(decoding_moved, 0);
    pci_fake_end();
}

/* Without a window above 4 GiB 64-bit BARs go below; what has no room is not used. */
static void test_low_only(void **state)
{
    struct function *a, *b;

    begin();
    a = add(ROOT, 1, 0, 0x10011af4);
    add_bar(a, 0, 4, 16384);
    b = add(ROOT, 2, 0, 0x10011af4);
    add_bar(b, 0, 0, 1U << 30);
    add(ROOT, 3, 0, 0x10011af4);
    pci_fake_walk(&host, low, (struct pci_window){0}, 15);
    assert_int_equal(pci_fake.probed_count, 2);
    assert_int_equal(pci_fake.probed[0]->bar[0].base, 0x10000000);
    assert_string_equal(pci_fake.probed[1]->name, "pci-00:03.0");
    assert_int_equal(b->config[4] & 2, 0);
    pci_fake_end();
}

static bool passes(const struct function *bridge, uint64_t first, uint64_t last)
{
    uint64_t memory = get32(bridge, 0x20), fetch = get32(bridge, 0x24);
    uint64_t base = (memory & 0xfff0) << 16, limit = (memory & 0xfff00000) | 0xfffff;
    uint64_t high_base = (fetch & 0xfff0) << 16 | (uint64_t)get32(bridge, 0x28) << 32;
    uint64_t high_limit = (fetch & 0xfff00000) | 0xfffff | (uint64_t)get32(bridge, 0x2c) << 32;

    return (first >= base && last <= limit) || (first >= high_base && last <= high_limit);
}

static void test_bridges(void **state)
{
    struct function *deep, *flat, *after;
    int port, up, down, other;

    begin();
    port = add_bridge(ROOT, 1, 4);
    up = add_bridge(port, 0, 5);
    down = add_bridge(up, 0, 6);
    other = add_bridge(up, 1, 6);
    deep = add(down, 0, 0, 0x10011af4);
    add_bar(deep, 1, 0, 4096);
    add_bar(deep, 4, 4 | 8, 16384);
    add(down, 1, 0, 0x10011af4); /* on a link: not there */
    flat = add(other, 0, 0, 0x10011af4);
    add_bar(flat, 0, 4, 16384); /* 64-bit, but not prefetchable */
    after = add(ROOT, 2, 0, 0x10011af4);
    add_bar(after, 0, 0, 4096);
    add_bar(after, 2, 4 | 8, 4096);
    pci_fake_walk(&host, low, high, 15);

    assert_int_equal(pci_fake.probed_count, 3);
    assert_string_equal(pci_fake.probed[0]->name, "pci-03:00.0");
    assert_string_equal(pci_fake.probed[1]->name, "pci-04:00.0");
    assert_int_equal(function[port].config[0x1a], 4);
    assert_int_equal(function[up].config[0x1a], 4);
    assert_int_equal(function[down].config[0x1a], 3);
    for (int bridge = down;; bridge = function[bridge].above) {
        uint64_t a = bar_address(deep, 1), b = bar_address(deep, 4);

        assert_true(passes(&function[bridge], a, a + 4095));
        assert_true(passes(&function[bridge], b, b + 16383));
        assert_true(b >= high.bus);
        assert_false(passes(&function[bridge], bar_address(after, 0), bar_address(after, 0)));
        assert_false(passes(&function[bridge], bar_address(after, 2), bar_address(after, 2)));
        assert_int_equal(function[bridge].config[4] & 6, 6);
        if (bridge == port)
            break;
    }
    assert_true(bar_address(flat, 0) < BIT64(32));
    assert_true(passes(&function[other], bar_address(flat, 0), bar_address(flat, 0) + 16383));
    assert_false(passes(&function[other], bar_address(deep, 1), bar_address(deep, 1)));
    assert_false(passes(&function[down], bar_address(flat, 0), bar_address(flat, 0)));
    pci_fake_end();
}

/* No more buses than the host has registers for. */
static void test_bus_numbers_end(void **state)
{
    int above = ROOT;

    begin();
    for (unsigned i = 0; i < 3; i++) {
        add(above, 5, 0, 0x10011af4);
        above = add_bridge(above, 6, 0);
    }
    pci_fake_walk(&host, low, high, 1);
    assert_int_equal(pci_fake.probed_count, 2);
    pci_fake_end();
}

/* Pins turn by the slot at each conventional bridge; the map is asked for the root's slot. */
static void test_pins(void **state)
{
    begin();
    int one = add_bridge(ROOT, 5, 7), two = add_bridge(one, 2, 0);

    add(two, 3, 0, 0x10011af4)->config[0x3d] = 2;
    add(ROOT, 7, 0, 0x10011af4)->config[0x3d] = 4;
    add(ROOT, 8, 0, 0x10011af4)->config[0x3d] = 5;
    pci_fake_walk(&host, low, high, 15);
    assert_int_equal(pci_fake.probed_count, 3);
    assert_int_equal(pci_irq(pci_fake.probed[0]), 7);
    assert_int_equal(pci_fake.unit[0], 5 << 11);
    assert_int_equal(pci_fake.unit[3], ((2 - 1 + 3) % 4 + 2) % 4 + 1);
    assert_int_equal(pci_irq(pci_fake.probed[1]), 7);
    assert_int_equal(pci_fake.unit[0], 7 << 11);
    assert_int_equal(pci_fake.unit[3], 4);
    assert_int_equal(pci_irq(pci_fake.probed[2]), -ENOENT);
    pci_fake_end();
}

static struct pci_device *one_with_capabilities(struct function **f)
{
    begin();
    *f = add(ROOT, 1, 0, 0x10011af4);
    (*f)->config[6] = 0x10;
    add_bar(*f, 2, 0, 4096);
    pci_fake_walk(&host, low, high, 15);
    return pci_fake.probed[0];
}

static void test_capabilities(void **state)
{
    struct function *f;
    struct pci_device *device = one_with_capabilities(&f);

    f->config[0x34] = 0x98; /* backwards, as QEMU makes them */
    put(f, 0x98, 0x8409, 2);
    put(f, 0x84, 0x4011, 2);
    put(f, 0x40, 0x0009, 2);
    assert_int_equal(pci_find_capability(device, 9, 0), 0x98);
    assert_int_equal(pci_find_capability(device, 9, 1), 0x40);
    assert_int_equal(pci_find_capability(device, 9, 2), 0);
    assert_int_equal(pci_find_capability(device, 0x11, 0), 0x84);
    put(f, 0x40, 0x9809, 2); /* round */
    assert_int_equal(pci_find_capability(device, 9, 1000), 0);
    assert_int_equal(pci_find_capability(device, 5, 0), 0);
    put(f, 0x98, 0x1c09, 2); /* into the header */
    assert_int_equal(pci_find_capability(device, 9, 1), 0);
    f->config[0x34] = 0;
    assert_int_equal(pci_find_capability(device, 9, 0), 0);
    f->config[0x34] = 0x98;
    f->config[6] = 0;
    assert_int_equal(pci_find_capability(device, 9, 0), 0);
    pci_fake_end();
}

static void test_msix(void **state)
{
    struct function *f;
    struct pci_device *device = one_with_capabilities(&f);

    f->config[0x34] = 0x50;
    put(f, 0x50, 0x00030011, 4); /* four vectors */
    put(f, 0x54, 2 | 0xf00, 4);
    table_at = device->bar[2].base + 0xf00;
    assert_int_equal(pci_msix_enable(device, 100), 4);
    assert_int_equal(device->msi.id, 8);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(table[4 * i + 3], 1);
    assert_int_equal(get32(f, 0x50) >> 16, 0x8003);
    assert_int_equal(f->config[5] & 4, 4); /* INTx off */
    assert_int_equal(pci_msix_map(device, 3, 0), 53);
    assert_int_equal(pci_msix_map(device, 4, 0), -EINVAL);
    assert_int_equal(table[12], 0x56789abc);
    assert_int_equal(table[13], 0x1234);
    assert_int_equal(table[14], 1003);
    assert_int_equal(table[15], 0);
    pci_msix_unmap(device, 3, 53);
    assert_int_equal(table[15], 1);
    pci_msix_disable(device);
    assert_int_equal(get32(f, 0x50) >> 16, 0x0003);
    assert_int_equal(f->config[5] & 4, 0);
    assert_int_equal(pci_fake.attached + pci_fake.mapped, 0);

    assert_int_equal(pci_msix_enable(device, 2), 2);
    pci_msix_disable(device);
    put(f, 0x54, 2 | 0xfd0, 4); /* its end would be past the BAR's */
    assert_int_equal(pci_msix_enable(device, 100), -EINVAL);
    put(f, 0x54, 7 | 0x000, 4); /* there is no BAR 7 */
    assert_int_equal(pci_msix_enable(device, 100), -EINVAL);
    pci_fake.msi_error = -ENODEV;
    assert_int_equal(pci_msix_enable(device, 100), -ENODEV);
    pci_fake_end();
}

/* Behind a bridge to a conventional bus the sender is not known: INTx. */
static void test_msix_conventional(void **state)
{
    begin();
    for (unsigned express = 0; express < 2; express++) {
        struct function *f = add(add_bridge(ROOT, express, express != 0 ? 7 : 0), 0, 0, 0x10011af4);

        f->config[6] = 0x10;
        f->config[0x34] = 0x50;
        f->config[0x50] = 0x11;
    }
    pci_fake_walk(&host, low, high, 15);
    assert_int_equal(pci_fake.probed_count, 2);
    assert_int_equal(pci_msix_enable(pci_fake.probed[0], 1), -ENODEV);
    assert_int_equal(pci_msix_enable(pci_fake.probed[1], 1), -ENODEV);
    pci_fake_end();
}

/* One entry of `ranges`: three cells of bus address, two of the CPU's, two of size. */
static unsigned put_range(uint8_t *to, uint32_t space, uint64_t bus, uint64_t cpu, uint64_t size)
{
    uint64_t cell[7] = {space, bus >> 32, bus, cpu >> 32, cpu, size >> 32, size};

    for (unsigned i = 0; i < 7; i++) {
        for (unsigned j = 0; j < 4; j++)
            to[4 * i + j] = (uint8_t)(cell[i] >> (24 - 8 * j));
    }
    return 28;
}

static void test_windows(void **state)
{
    uint8_t ranges[200];
    unsigned size = 0;

    size += put_range(ranges + size, 0x01000000, 0, 0x3eff0000, 0x10000); /* I/O */
    size += put_range(ranges + size, 0x02000000, 0x40000000, 5, 0);       /* empty */
    size += put_range(ranges + size, 0x02000000, 0x40000000, ~0UL, 2);    /* wraps */
    size +=
        put_range(ranges + size, 0x02000000, 0, 0x50000000, 0x10000000); /* from bus address 0 */
    size += put_range(ranges + size, 0x42000000, 0x20000000, 0x60000000, 64);  /* a second one */
    size += put_range(ranges + size, 0x03000000, 0xfffff000, 0x70000000, MIB); /* over 4 GiB */
    pci_fake.ranges = ranges;
    pci_fake.ranges_size = size;
    host = (struct pci_host){.node = &pci_fake.node, .name = "pcie"};
    assert_int_equal(pci_read_windows(&host), -EINVAL); /* #cells */
    pci_fake.node.address_cells = 3;
    pci_fake.node.size_cells = 2;
    assert_int_equal(pci_read_windows(&host), 0);
    assert_int_equal(host.low.cpu, 0x50000000);
    assert_int_equal(host.low.size, 0x10000000);
    assert_int_equal(host.low.next, MIB);
    assert_int_equal(host.high.bus, 0xfffff000);
    pci_fake.ranges_size--;
    assert_int_equal(pci_read_windows(&host), -EINVAL);
    pci_fake.ranges = NULL;
    assert_int_equal(pci_read_windows(&host), -EINVAL);
    pci_fake_end();
}

extern const struct driver *const driver_entry_pci_ecam;

/* A bus range that the registers do not hold is cut; CAM has 256 bytes a function. */
static void test_host(void **state)
{
    uint8_t ranges[28];
    const struct driver *driver = driver_entry_pci_ecam;
    struct device device = {.name = "pcie", .node = &pci_fake.node, .match = driver->match};
    int above = ROOT;

    begin();
    for (unsigned i = 0; i < 3; i++) {
        add(above, 5, 0, 0x10011af4);
        above = add_bridge(above, 6, 0);
    }
    pci_fake.ranges_size = put_range(ranges, 0x02000000, 0x10000000, 0x10000000, 0x10000000);
    pci_fake.ranges = ranges;
    pci_fake.node.address_cells = 3;
    pci_fake.node.size_cells = 2;
    pci_fake.registers_size = MIB - 1;
    assert_int_equal(driver->probe(&device), -EINVAL);
    pci_fake.registers_size = 2 * MIB;
    pci_fake.buses[0] = 1;
    assert_int_equal(driver->probe(&device), -EINVAL);
    pci_fake.buses[0] = 0;
    pci_fake.buses[1] = 255;
    assert_int_equal(driver->probe(&device), 0);
    assert_int_equal(pci_fake.probed_count, 2);
    pci_fake_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_places),  cmocka_unit_test(test_low_only),
        cmocka_unit_test(test_bridges), cmocka_unit_test(test_bus_numbers_end),
        cmocka_unit_test(test_pins),    cmocka_unit_test(test_capabilities),
        cmocka_unit_test(test_msix),    cmocka_unit_test(test_msix_conventional),
        cmocka_unit_test(test_windows), cmocka_unit_test(test_host),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
