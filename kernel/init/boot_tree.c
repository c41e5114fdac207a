/* SPDX-License-Identifier: MIT */
/* Finding the device tree (booting.rst: x0) and handing its parts to their owners. */
#include "boot_tree.h"
#include "root.h"

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/fixmap.h>
#include <arch/pagetable.h>
#include <core/log.h>
#include <core/panic.h>
#include <device/console.h>
#include <device/dt.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/kwindow.h>
#include <mm/page.h>
#include <mm/slab.h>

#define NODES_MAX 192

static struct fw_node nodes[NODES_MAX];
static paddr_t tree_address;
static uint32_t tree_size;

/* The UART that QEMU's virt machine has always had, for the one message without a tree. */
#define FALLBACK_UART 0x09000000UL

/* Is there a tree? */
static bool look_at(paddr_t address)
{
    uint32_t size = 0;

    if (address != 0 && (address & 7) == 0)
        size = dt_total_size(fixmap_tree(address, DT_HEADER_SIZE));
    tree_address = address;
    tree_size = size;
    return size - 1 < FIXMAP_TREE_MAX;
}

static _Noreturn void stop_without_tree(const char *why)
{
    static const char prefix[] = "\r\nremora: cannot start: ";
    volatile uint32_t *uart = fixmap_set(FIXMAP_CONSOLE, FALLBACK_UART, true);

    for (const char *c = prefix; *c != '\0'; c++)
        *uart = (uint8_t)*c;
    for (const char *c = why; *c != '\0'; c++)
        *uart = (uint8_t)*c;
    *uart = '\r';
    *uart = '\n';
    cpu_halt();
}

void boot_tree_find(void)
{
    if (!look_at(boot_entry.device_tree) && !look_at(align_down(boot_entry.image, 1UL << 30)))
        stop_without_tree("no device tree, neither at x0 nor at the base of this GiB of memory. "
                          "Start Remora as an arm64 Linux Image, or load a device tree there.");
    int error = dt_read(fixmap_tree(tree_address, tree_size), tree_size, nodes, NODES_MAX);

    if (error != 0 && error != -ENOSPC) {
        uint32_t offset;

        stop_without_tree(dt_error(&offset));
    }
}

void boot_tree_console(const struct dt_boot *boot)
{
    const struct fw_node *node = boot->console != NULL ? boot->console : console_early_find();
    paddr_t base;
    uint64_t size;

    if (node == NULL || fw_reg(node, 0, &base, &size) != 0)
        return;
    console_early_init(node, fixmap_set(FIXMAP_CONSOLE, base, true));
}

static void reserve(struct dt_boot *boot, paddr_t base, uint64_t size, enum memory_kind kind)
{
    if (size == 0)
        return;
    if (boot->reserved_count == MEMORY_RESERVED_MAX)
        panic("more than %d memory reservations", MEMORY_RESERVED_MAX);
    boot->reserved[boot->reserved_count++] = (struct memory_reservation){base, size, kind};
}

int boot_tree_memory(struct dt_boot *boot)
{
    struct memory_range root = root_appended();

    reserve(boot, tree_address, tree_size, MEMORY_KEEP);
    reserve(boot, root.base, root.size, MEMORY_READONLY);
    return memory_init(boot->bank, boot->bank_count, boot->reserved, boot->reserved_count);
}

void boot_tree_keep(void)
{
    dt_rebase(phys_virt(tree_address));
    fixmap_tree(tree_address, 0);
    unsigned count = dt_node_count_needed();

    if (count <= NODES_MAX)
        return;
    struct fw_node *more = kmalloc(count * sizeof(*more));

    if (more == NULL || dt_read(phys_virt(tree_address), tree_size, more, count) != 0)
        log_warn("device tree: %u nodes, room for %d: the last ones are not looked at", count,
                 NODES_MAX);
}
