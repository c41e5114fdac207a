/* SPDX-License-Identifier: MIT */
/*
 * kernel/device/dt.c, dt_boot.c and firmware.c against libfdt, which writes the trees and answers
 * the same questions: random trees in any order and with any #cells, damaged ones, and the exact
 * refusals.
 */
#include <unit.h>

#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <device/dt.h>
#include <device/firmware.h>

enum { BLOB_SIZE = 65536, NODES = 512, RANDOM_TREES = 300, MUTATIONS = 2000 };

static uint64_t blob_memory[BLOB_SIZE / 8];
static char *const blob = (char *)blob_memory;
static struct fw_node nodes[NODES];

static unsigned pick(unsigned bound)
{
    return (unsigned)rand() % bound;
}

static void begin(void)
{
    memset(blob_memory, 0, sizeof blob_memory);
    assert_int_equal(fdt_create(blob, BLOB_SIZE), 0);
    assert_int_equal(fdt_finish_reservemap(blob), 0);
    assert_int_equal(fdt_begin_node(blob, ""), 0);
}

static void finish(void)
{
    assert_int_equal(fdt_end_node(blob), 0);
    assert_int_equal(fdt_finish(blob), 0);
}

static int read_blob(void)
{
    return dt_read(blob, fdt_totalsize(blob), nodes, NODES);
}

/* --- random trees ----------------------------------------------------------------------------- */

static const char *const names[] = {"reg",         "ranges",  "status",          "interrupts",
                                    "compatible",  "phandle", "#address-cells",  "#size-cells",
                                    "device_type", "x",       "interrupt-parent"};
static unsigned next_phandle, made;

static void random_property(void)
{
    const char *name = names[pick(sizeof names / sizeof names[0])];
    const char *compatible = pick(2) ? "virtio,mmio" : "arm,pl011";
    uint8_t value[64];
    int size = (int)pick(sizeof value);

    for (int i = 0; i < size; i++)
        value[i] = (uint8_t)rand();
    if (strcmp(name, "phandle") == 0)
        fdt_property_u32(blob, name, ++next_phandle * 7);
    else if (name[0] == '#')
        fdt_property_u32(blob, name, 1 + pick(3));
    else if (strcmp(name, "compatible") == 0)
        fdt_property_string(blob, name, compatible);
    else
        fdt_property(blob, name, value, size);
}

static void random_node(unsigned depth)
{
    unsigned properties = pick(5), children = depth < 6 ? pick(4) : 0;

    for (unsigned i = 0; i < properties; i++)
        random_property();
    for (unsigned i = 0; i < children && made < 150; i++) {
        char name[32];

        snprintf(name, sizeof name, pick(2) ? "n%u" : "n%u@%x", made++, pick(65536));
        fdt_begin_node(blob, name);
        random_node(depth + 1);
        fdt_end_node(blob);
    }
}

/* What both say of one node. */
static void compare_node(const struct fw_node *node, int offset)
{
    char path[256], ours[256];
    int property;

    assert_string_equal(fw_name(node), fdt_get_name(blob, offset, NULL));
    assert_int_equal(fdt_get_path(blob, offset, path, sizeof path), 0);
    assert_string_equal(fw_path(node, ours, sizeof ours), path);
    assert_ptr_equal(fw_find_path(path), node);
    fdt_for_each_property_offset(property, blob, offset)
    {
        const char *name;
        int size;
        uint32_t our_size = 0;
        const void *first, *value = fdt_getprop_by_offset(blob, property, &name, &size);

        first = fdt_getprop(blob, offset, name, &size); /* a name may come twice */
        assert_non_null(value);
        assert_ptr_equal(fw_property(node, name, &our_size), first);
        assert_int_equal(our_size, size);
    }
    assert_int_equal(fw_has_property(node, "absent"), false);
    if (fdt_get_phandle(blob, offset) != 0) {
        int owner = fdt_node_offset_by_phandle(blob, fdt_get_phandle(blob, offset));

        assert_string_equal(fw_name(fw_find_phandle(fdt_get_phandle(blob, offset))),
                            fdt_get_name(blob, owner, NULL));
    }
    if (fdt_node_check_compatible(blob, offset, "arm,pl011") == 0)
        assert_true(fw_is_compatible(node, "arm,pl011"));
}

static void compare_tree(void)
{
    int offset = 0, depth = 0;
    const struct fw_node *node;

    fw_for_each (node) {
        assert_true(offset >= 0);
        compare_node(node, offset);
        offset = fdt_next_node(blob, offset, &depth);
    }
    assert_true(offset < 0 || depth < 0);
}

static void random_trees_read_as_libfdt_reads_them(void **state)
{
    (void)state;
    srand(1);
    for (unsigned i = 0; i < RANDOM_TREES; i++) {
        next_phandle = made = 0;
        begin();
        random_node(0);
        finish();
        assert_int_equal(read_blob(), 0);
        compare_tree();
    }
}

/* --- damage ----------------------------------------------------------------------------------- */

static void ask_everything(void)
{
    static struct dt_boot boot;
    struct fw_interrupt interrupt;
    const struct fw_node *node;
    struct dt_cpu cpu;
    char path[FW_PATH_MAX];
    uint64_t base, size;

    dt_boot_info(&boot);
    for (unsigned i = 0; i <= dt_cpu_count(); i++)
        dt_cpu(i, &cpu);
    fw_for_each (node) {
        fw_path(node, path, sizeof path);
        fw_find_path(path);
        for (unsigned i = 0; i < 3; i++) {
            fw_reg(node, i, &base, &size);
            fw_interrupt(node, i, &interrupt);
            fw_compatible(node, i);
        }
    }
}

static void sample_tree(void);

/* Bytes changed, words swapped, the end cut off: never a crash, and what libfdt finds sound and we
 * take has the same nodes. */
static void damaged_trees_do_no_harm(void **state)
{
    static uint64_t good[BLOB_SIZE / 8];
    uint32_t total;
    unsigned taken = 0;

    (void)state;
    srand(2);
    sample_tree();
    memcpy(good, blob, sizeof good);
    total = fdt_totalsize(blob);
    for (unsigned i = 0; i < MUTATIONS; i++) {
        unsigned changes = 1 + pick(4);
        char *copy = NULL;

        memcpy(blob, good, sizeof good);
        for (unsigned j = 0; j < changes; j++) {
            uint32_t at = pick(total);

            if (pick(3) == 0)
                *(uint32_t *)(blob + (at & ~3U)) = pick(2) ? 0xffffffff : (uint32_t)rand();
            else
                blob[at] = (char)rand();
        }
        /* in memory of just its size, so that ASan sees a step over the end */
        assert_int_equal(posix_memalign((void **)&copy, 8, total), 0);
        memcpy(copy, blob, total);
        if (dt_read(copy, total, nodes, NODES) == 0) {
            unsigned count = 0;

            taken++;
            if (fdt_check_full(copy, total) == 0) {
                for (int at = 0, depth = 0; at >= 0 && depth >= 0;
                     at = fdt_next_node(copy, at, &depth))
                    count++;
                if (fw_find_path("/cpus/cpu-map") == NULL)
                    assert_in_range(fw_node_count(), count - 8, count);
            }
            ask_everything();
        }
        free(copy);
    }
    assert_true(taken > MUTATIONS / 20); /* or nothing was tested */
}

/* --- what boot needs ---------------------------------------------------------------------------
 */

static void put_cells(const char *name, const uint32_t *cell, unsigned count)
{
    uint32_t value[32];

    for (unsigned i = 0; i < count; i++)
        value[i] = cpu_to_fdt32(cell[i]);
    fdt_property(blob, name, value, (int)(4 * count));
}

#define CELLS(name, ...)                             \
    put_cells(name, (const uint32_t[]){__VA_ARGS__}, \
              sizeof((const uint32_t[]){__VA_ARGS__}) / sizeof(uint32_t))

/* The parts of a machine, each by itself, so that a test can order them as it likes. */
static void part_memory(void)
{
    fdt_begin_node(blob, "memory@80000000");
    fdt_property_string(blob, "device_type", "memory");
    CELLS("reg", 0, 0x80000000, 0, 0x10000000, 1, 0, 0, 0x20000000);
    fdt_end_node(blob);
}

static void part_interrupts(void)
{
    fdt_begin_node(blob, "intc@8000000");
    fdt_property_string(blob, "compatible", "arm,gic-v3");
    fdt_property(blob, "interrupt-controller", "", 0);
    fdt_property_u32(blob, "#interrupt-cells", 3);
    CELLS("reg", 0, 0x8000000, 0, 0x10000, 0, 0x80a0000, 0, 0xf60000);
    fdt_property_u32(blob, "phandle", 1);
    fdt_end_node(blob);
}

static void part_soc(void)
{
    fdt_begin_node(blob, "soc");
    fdt_property_u32(blob, "#address-cells", 1);
    fdt_property_u32(blob, "#size-cells", 1);
    CELLS("ranges", 0x7e000000, 0, 0x3f000000, 0x1000000);
    fdt_begin_node(blob, "serial@7e201000");
    fdt_property(blob, "compatible", "vendor,x\0arm,pl011", 19);
    CELLS("reg", 0x7e201000, 0x200);
    CELLS("interrupts", 0, 33, 4, 0, 34, 1);
    fdt_property(blob, "interrupt-names", "rx\0tx", 6);
    fdt_end_node(blob);
    fdt_end_node(blob);
}

static void part_cpus(void)
{
    fdt_begin_node(blob, "cpus");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 0);
    for (unsigned i = 0; i < 3; i++) {
        char name[16];

        snprintf(name, sizeof name, "cpu@%u", i);
        fdt_begin_node(blob, name);
        fdt_property_string(blob, "device_type", "cpu");
        CELLS("reg", i, i << 8);
        if (i == 1)
            fdt_property_string(blob, "status", "disabled");
        if (i == 2) {
            fdt_property_string(blob, "enable-method", "spin-table");
            fdt_property_u64(blob, "cpu-release-addr", 0x1234);
        }
        fdt_end_node(blob);
    }
    fdt_begin_node(blob, "cpu-map");
    fdt_begin_node(blob, "core0");
    fdt_end_node(blob);
    fdt_end_node(blob);
    fdt_end_node(blob);
}

static void part_chosen(void)
{
    fdt_begin_node(blob, "chosen");
    fdt_property_string(blob, "bootargs", "a=b remora.tty=");
    fdt_property_string(blob, "stdout-path", "serial0:115200n8");
    fdt_property_u64(blob, "kaslr-seed", 0x1122334455667788);
    fdt_property_u32(blob, "linux,initrd-start", 0x84000000);
    fdt_property_u64(blob, "linux,initrd-end", 0x84000100);
    fdt_end_node(blob);
}

static void part_aliases(void)
{
    fdt_begin_node(blob, "aliases");
    fdt_property_string(blob, "serial0", "/soc/serial@7e201000");
    fdt_end_node(blob);
}

static void part_reserved(void)
{
    fdt_begin_node(blob, "reserved-memory");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    fdt_property(blob, "ranges", "", 0);
    fdt_begin_node(blob, "secure@81000000");
    CELLS("reg", 0, 0x81000000, 0, 0x1000);
    fdt_property(blob, "no-map", "", 0);
    fdt_end_node(blob);
    fdt_begin_node(blob, "dynamic");
    CELLS("size", 0, 0x1000);
    fdt_end_node(blob);
    fdt_end_node(blob);
}

static void (*parts[])(void) = {part_memory, part_interrupts, part_soc,     part_cpus,
                                part_chosen, part_aliases,    part_reserved};
#define PARTS (sizeof parts / sizeof parts[0])

static void sample_tree(void)
{
    memset(blob_memory, 0, sizeof blob_memory);
    fdt_create(blob, BLOB_SIZE);
    fdt_add_reservemap_entry(blob, 0x80008000, 0x100);
    fdt_finish_reservemap(blob);
    fdt_begin_node(blob, "");
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    fdt_property_u32(blob, "interrupt-parent", 1);
    for (unsigned i = 0; i < PARTS; i++)
        parts[i]();
    finish();
}

static void check_sample(void)
{
    static struct dt_boot boot;
    struct fw_interrupt interrupt;
    struct dt_cpu cpu;
    const struct fw_node *uart;
    paddr_t base;
    uint64_t size;

    assert_int_equal(read_blob(), 0);
    dt_boot_info(&boot);
    assert_int_equal(boot.bank_count, 2);
    assert_int_equal(boot.bank[0].base, 0x80000000);
    assert_int_equal(boot.bank[1].base, 0x100000000);
    assert_int_equal(boot.bank[1].size, 0x20000000);
    assert_int_equal(boot.reserved_count, 3);
    assert_int_equal(boot.initrd, 0x84000000);
    assert_int_equal(boot.initrd_size, 0x100);
    assert_string_equal(boot.bootargs, "a=b remora.tty=");
    assert_int_equal(boot.seed_size, 8);
    assert_int_equal(boot.seed[0], 0x11);
    uart = fw_find_path("/soc/serial");
    assert_non_null(uart);
    assert_ptr_equal(boot.console, uart);
    assert_true(fw_is_compatible(uart, "arm,pl011"));
    assert_string_equal(fw_compatible(uart, 0), "vendor,x");
    assert_null(fw_compatible(uart, 2));
    assert_int_equal(fw_reg(uart, 0, &base, &size), 0);
    assert_int_equal(base, 0x3f201000);
    assert_int_equal(size, 0x200);
    assert_int_equal(fw_reg(uart, 1, &base, &size), -2);
    assert_int_equal(fw_interrupt(uart, fw_interrupt_index(uart, "tx"), &interrupt), 0);
    assert_ptr_equal(interrupt.controller, fw_find_path("/intc"));
    assert_int_equal(interrupt.cell_count, 3);
    assert_int_equal(interrupt.cell[1], 34);
    assert_int_equal(fw_interrupt(uart, 2, &interrupt), -2);
    assert_int_equal(dt_cpu_count(), 2);
    assert_int_equal(dt_cpu(0, &cpu), 0);
    assert_int_equal(cpu.method, CPU_START_PSCI);
    assert_int_equal(dt_cpu(1, &cpu), 0);
    assert_int_equal(cpu.mpidr, 0x200000200);
    assert_int_equal(cpu.method, CPU_START_SPIN_TABLE);
    assert_int_equal(cpu.release_address, 0x1234);
    assert_int_equal(dt_cpu(2, &cpu), -2);
    dt_boot_info(&boot);
    assert_int_equal(boot.seed[0], 0); /* wiped */
}

static void order_does_not_matter(void **state)
{
    (void)state;
    srand(3);
    for (unsigned i = 0; i < 50; i++) {
        for (unsigned j = PARTS - 1; j > 0; j--) {
            unsigned k = pick(j + 1);
            void (*part)(void) = parts[j];

            parts[j] = parts[k];
            parts[k] = part;
        }
        sample_tree();
        check_sample();
    }
}

/* --- refusals --------------------------------------------------------------------------------- */

static void bad_reg_is_refused_in_words(void **state)
{
    paddr_t base;
    uint64_t size;

    (void)state;
    begin();
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    fdt_begin_node(blob, "intc@8000000");
    CELLS("reg", 0, 0x8000000, 0, 0x10000, 0, 0x8010000, 0);
    fdt_end_node(blob);
    fdt_begin_node(blob, "wide");
    fdt_property_u32(blob, "#address-cells", 3);
    fdt_property_u32(blob, "#size-cells", 1);
    fdt_begin_node(blob, "a");
    CELLS("reg", 1, 2, 3, 4);
    fdt_end_node(blob);
    fdt_begin_node(blob, "b");
    CELLS("reg", 0, 2, 3, 4);
    fdt_end_node(blob);
    fdt_end_node(blob);
    fdt_begin_node(blob, "nine");
    fdt_property_u32(blob, "#address-cells", 9);
    fdt_begin_node(blob, "c");
    CELLS("reg", 1);
    fdt_end_node(blob);
    fdt_end_node(blob);
    finish();
    assert_int_equal(read_blob(), 0);
    assert_int_equal(fw_reg(fw_find_path("/intc"), 0, &base, &size), -22);
    assert_string_equal(unit_log, "Bad 'reg' property of /intc@8000000: 28 bytes, expected a "
                                  "multiple of 16 (#address-cells 2, #size-cells 2); ignored");
    assert_int_equal(fw_reg(fw_find_path("/wide/a"), 0, &base, &size), -34);
    assert_int_equal(fw_reg(fw_find_path("/wide/b"), 0, &base, &size), -6); /* no ranges */
    assert_int_equal(fw_reg(fw_find_path("/nine/c"), 0, &base, &size), -22);
    assert_non_null(strstr(unit_log, "must be 0 to 4"));
}

/* Interrupt parents that point to themselves, to nothing, or in a circle. */
static void interrupt_circles_end(void **state)
{
    struct fw_interrupt interrupt;

    (void)state;
    begin();
    fdt_begin_node(blob, "self");
    fdt_property_u32(blob, "phandle", 1);
    fdt_property_u32(blob, "interrupt-parent", 1);
    CELLS("interrupts", 1, 2, 3);
    fdt_end_node(blob);
    fdt_begin_node(blob, "dangling");
    fdt_property_u32(blob, "interrupt-parent", 99);
    CELLS("interrupts", 1);
    fdt_end_node(blob);
    fdt_begin_node(blob, "extended");
    CELLS("interrupts-extended", 1, 5, 6);
    fdt_end_node(blob);
    fdt_begin_node(blob, "nobody");
    CELLS("interrupts", 1);
    fdt_end_node(blob);
    finish();
    assert_int_equal(read_blob(), 0);
    assert_int_equal(fw_interrupt(fw_find_path("/self"), 0, &interrupt), -19);
    assert_int_equal(fw_interrupt(fw_find_path("/dangling"), 0, &interrupt), -19);
    assert_int_equal(fw_interrupt(fw_find_path("/extended"), 0, &interrupt), -22);
    assert_int_equal(fw_interrupt(fw_find_path("/nobody"), 0, &interrupt), -19);
}

static void refuses(const char *text)
{
    uint32_t offset;

    assert_int_equal(read_blob(), -22);
    assert_string_equal(dt_error(&offset), text);
}

static void malformed_trees_are_named(void **state)
{
    uint32_t *structure;

    (void)state;
    sample_tree();
    fdt_set_magic(blob, 0);
    refuses("no device tree: wrong magic, alignment or size");
    sample_tree();
    assert_int_equal(dt_read(blob, 100, nodes, NODES), -22);
    sample_tree();
    fdt_set_last_comp_version(blob, 18);
    refuses("unknown version");
    sample_tree();
    fdt_set_off_dt_struct(blob, fdt_off_dt_struct(blob) + 2);
    refuses("structure block is outside of the tree");
    sample_tree();
    fdt_set_off_dt_strings(blob, 0xfffffff0);
    refuses("strings block is outside of the tree");
    sample_tree();
    fdt_set_off_mem_rsvmap(blob, 4);
    refuses("memory reservations are outside of the tree");
    sample_tree();
    structure = (uint32_t *)(blob + fdt_off_dt_struct(blob));
    structure[fdt_size_dt_struct(blob) / 4 - 1] = cpu_to_fdt32(FDT_NOP);
    refuses("tree has no end token");
    sample_tree();
    structure[3] = 0xffffffff; /* the length of the root's first property */
    refuses("value of a property is longer than the tree");
    sample_tree();
    structure[4] = 0xffffffff; /* its name */
    refuses("name of a property is outside of the strings");
    sample_tree();
    structure[0] = cpu_to_fdt32(FDT_END_NODE);
    refuses("end of a node that did not begin");
    sample_tree();
    structure[0] = cpu_to_fdt32(77);
    refuses("unknown token");
    assert_int_equal(dt_total_size(blob + 4), 0);
}

static void nesting_has_a_limit(void **state)
{
    uint32_t offset;

    (void)state;
    begin();
    for (unsigned i = 0; i < DT_DEPTH_MAX; i++)
        fdt_begin_node(blob, "deep");
    for (unsigned i = 0; i < DT_DEPTH_MAX; i++)
        fdt_end_node(blob);
    finish();
    assert_int_equal(read_blob(), -22);
    assert_string_equal(dt_error(&offset), "nodes are nested too deeply");
}

/* Too many nodes for the room: the ones that boot needs stay, and a second read has them all. */
static void large_trees_are_read_in_part_first(void **state)
{
    static struct dt_boot boot;
    unsigned needed;

    (void)state;
    begin();
    fdt_property_u32(blob, "#address-cells", 2);
    fdt_property_u32(blob, "#size-cells", 2);
    part_soc();
    fdt_begin_node(blob, "bus");
    for (unsigned i = 0; i < 100; i++) {
        char name[16];

        snprintf(name, sizeof name, "dev@%u", i);
        fdt_begin_node(blob, name);
        fdt_end_node(blob);
    }
    fdt_end_node(blob);
    part_memory();
    part_cpus();
    part_chosen();
    part_aliases();
    finish();
    assert_int_equal(dt_read(blob, fdt_totalsize(blob), nodes, 20), -28);
    dt_boot_info(&boot);
    assert_int_equal(boot.bank_count, 2);
    assert_int_equal(dt_cpu_count(), 2);
    assert_non_null(boot.console);
    needed = dt_node_count_needed();
    assert_in_range(needed, 111, 116);
    assert_int_equal(dt_read(blob, fdt_totalsize(blob), nodes, needed), 0);
    assert_non_null(fw_find_path("/bus/dev@99"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_trees_read_as_libfdt_reads_them),
        cmocka_unit_test(damaged_trees_do_no_harm),
        cmocka_unit_test(order_does_not_matter),
        cmocka_unit_test(bad_reg_is_refused_in_words),
        cmocka_unit_test(interrupt_circles_end),
        cmocka_unit_test(malformed_trees_are_named),
        cmocka_unit_test(nesting_has_a_limit),
        cmocka_unit_test(large_trees_are_read_in_part_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
