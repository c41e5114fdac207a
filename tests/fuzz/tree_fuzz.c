/* SPDX-License-Identifier: MIT */
/* The device tree reader, and every question that boot and drivers ask of what it accepted. */
#include <stdlib.h>
#include <string.h>

#include <device/dt.h>
#include <device/firmware.h>
#include <device/msi.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const names[] = {
    "reg",    "interrupts", "interrupts-extended", "clocks", "ranges", "compatible",
    "method", "bootargs",
};

static void ask_node(const struct fw_node *node)
{
    char path[FW_PATH_MAX];
    struct fw_interrupt interrupt;
    paddr_t base;
    uint64_t size;
    uint32_t bytes, cell;

    fw_path(node, path, sizeof path);
    (void)fw_find_path(path);
    (void)strlen(fw_name(node));
    for (unsigned i = 0; i < 4; i++) {
        (void)fw_reg(node, i, &base, &size);
        (void)fw_reg_raw(node, i, &size);
        (void)fw_interrupt(node, i, &interrupt);
        (void)fw_compatible(node, i);
        (void)fw_property_string_at(node, "compatible", i);
    }
    for (uint32_t i = 0; i < 16; i++) {
        uint32_t unit[4] = {i << 11, 0, 0, 1 + i % 4};
        struct msi_device device;

        (void)fw_interrupt_map(node, unit, 4, &interrupt);
        (void)fw_interrupt_map(node, unit, 1 + i % 3, &interrupt);
        (void)msi_find(node, i << 6, &device);
    }
    (void)fw_is_compatible(node, "arm,pl011");
    (void)fw_interrupt_index(node, "virt");
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const uint8_t *value = fw_property(node, names[i], &bytes);
        volatile uint8_t last = value != NULL && bytes > 0 ? value[bytes - 1] : 0;

        (void)last;
        (void)fw_property_u32(node, names[i], &cell);
        (void)fw_property_u64(node, names[i], &size);
        (void)fw_property_cell(node, names[i], 3, &cell);
        (void)fw_property_string(node, names[i]);
    }
}

static void ask_tree(void)
{
    static struct dt_boot boot;
    struct dt_cpu cpu;
    unsigned count = 0;

    dt_boot_info(&boot);
    if (boot.bank_count > MEMORY_BANKS_MAX || boot.reserved_count > MEMORY_RESERVED_MAX ||
        boot.seed_size > DT_SEED_MAX || strlen(boot.bootargs) == SIZE_MAX)
        abort();
    for (unsigned i = 0; i < dt_cpu_count() + 1; i++)
        (void)dt_cpu(i, &cpu);
    struct fw_node *node;

    fw_for_each (node) {
        if (count++ > fw_node_count())
            abort();
        ask_node(node);
    }
    (void)fw_find_path("/chosen");
    (void)fw_find_path("serial0/none");
    (void)fw_find_compatible(NULL, "arm,psci-1.0");
    (void)fw_find_phandle(1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    enum { NODES = 64 };
    static struct fw_node nodes[NODES];
    uint8_t *blob;
    uint32_t offset;

    if (size < DT_HEADER_SIZE || posix_memalign((void **)&blob, 8, size) != 0)
        return 0;
    memcpy(blob, data, size);
    uint32_t total = dt_total_size(blob);

    if (total != 0 && total <= size) {
        int error = dt_read(blob, total, nodes, NODES);

        if (error == 0 || error == -28)
            ask_tree();
        else if (dt_error(&offset) == NULL)
            abort();
    }
    free(blob);
    return 0;
}
