/* SPDX-License-Identifier: MIT */
/*
 * What the kernel must know before it has an allocator: RAM, what of it is taken, /chosen, CPUs
 * (Devicetree Specification 0.4 sections 3.4 to 3.8, 5.3; Linux's Documentation/arm64/booting.rst
 * for the seeds and the initrd).
 */
#include "fw_tree.h"

#include <core/log.h>
#include <device/dt.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#define MPIDR_AFFINITY 0xff00ffffffULL

static void add_bank(struct dt_boot *boot, paddr_t base, uint64_t size)
{
    if (size == 0)
        return;
    if (boot->bank_count == MEMORY_BANKS_MAX) {
        log_warn("More than %u banks of memory: 0x%lx bytes at 0x%lx are left out",
                 MEMORY_BANKS_MAX, (unsigned long)size, (unsigned long)base);
        return;
    }
    boot->bank[boot->bank_count++] = (struct memory_range){base, size};
}

static void add_reservation(struct dt_boot *boot, paddr_t base, uint64_t size,
                            enum memory_kind kind)
{
    struct memory_reservation *last = &boot->reserved[MEMORY_RESERVED_MAX - 1];

    if (size == 0)
        return;
    if (base + size < base)
        size = 0 - base;
    if (boot->reserved_count < MEMORY_RESERVED_MAX) {
        boot->reserved[boot->reserved_count++] = (struct memory_reservation){base, size, kind};
        return;
    }
    /* Losing one could corrupt what it protects: the last grows over it instead. */
    paddr_t start = min(base, last->base);
    last->size = max(base + size, last->base + last->size) - start;
    last->base = start;
    last->kind = max(kind, last->kind);
}

static void read_memory(struct dt_boot *boot)
{
    struct fw_node *node;

    fw_for_each (node) {
        paddr_t base;
        uint64_t size;

        if (!(node->flags & FW_MEMORY) || !fw_is_enabled(node))
            continue;
        for (unsigned i = 0; fw_reg(node, i, &base, &size) == 0; i++)
            add_bank(boot, base, size);
    }
}

/* The header's list: pairs of address and size up to a pair of zeroes, or the end of the tree. */
static void read_memory_reservations(struct dt_boot *boot)
{
    const be32_t *header = (const be32_t *)fw_tree.blob;
    uint32_t at = be32_to_cpu(header[4]);

    for (; at <= fw_tree.size - 16; at += 16) {
        uint64_t base = load_be64(fw_tree.blob + at), size = load_be64(fw_tree.blob + at + 8);

        if (base == 0 && size == 0)
            return;
        add_reservation(boot, base, size, MEMORY_KEEP);
    }
}

static void read_reserved_memory(struct dt_boot *boot, const struct fw_node *root)
{
    struct fw_node *list = fw_find_child(root, "reserved-memory"), *node;

    if (list == NULL)
        return;
    fw_for_each_child (node, list) {
        bool is_hidden = fw_has_property(node, "no-map");
        paddr_t base;
        uint64_t size;

        if (!fw_is_enabled(node))
            continue;
        for (unsigned i = 0; fw_reg(node, i, &base, &size) == 0; i++)
            add_reservation(boot, base, size, is_hidden ? MEMORY_NOMAP : MEMORY_KEEP);
    }
}

static void read_initrd(struct dt_boot *boot, const struct fw_node *chosen)
{
    uint64_t start, end;

    if (fw_property_u64(chosen, "linux,initrd-start", &start) != 0 ||
        fw_property_u64(chosen, "linux,initrd-end", &end) != 0)
        return;
    if (start == 0 && end == 0)
        return; /* Xen's way to say that there is none */
    if (end <= start) {
        log_error("Bad initrd in /chosen: it ends at 0x%lx, before its start 0x%lx; ignored",
                  (unsigned long)end, (unsigned long)start);
        return;
    }
    boot->initrd = start;
    boot->initrd_size = end - start;
    add_reservation(boot, start, end - start, MEMORY_KEEP);
}

/* Takes a seed out of the tree: nobody who reads the tree later learns it. */
static void take_seed(struct dt_boot *boot, const struct fw_node *chosen, const char *name)
{
    uint32_t size;
    void *seed = (void *)(vaddr_t)fw_property(chosen, name, &size);

    if (seed == NULL)
        return;
    size_t part = min((size_t)size, DT_SEED_MAX - boot->seed_size);
    memcpy(boot->seed + boot->seed_size, seed, part);
    boot->seed_size += part;
    memzero_explicit(seed, size);
}

static void read_console(struct dt_boot *boot, const struct fw_node *chosen)
{
    const char *path = fw_property_string(chosen, "stdout-path");

    if (path == NULL)
        path = fw_property_string(chosen, "linux,stdout-path");
    if (path == NULL)
        return;
    boot->console = fw_find_path(path);
    if (boot->console == NULL)
        log_warn("/chosen/stdout-path is '%s', which names no node; looking for a UART instead",
                 path);
}

void dt_boot_info(struct dt_boot *boot)
{
    struct fw_node *root = fw_root(), *chosen;
    const char *bootargs;

    memset(boot, 0, sizeof(*boot));
    boot->bootargs = "";
    if (root == NULL)
        return;
    read_memory(boot);
    read_memory_reservations(boot);
    read_reserved_memory(boot, root);
    chosen = fw_find_child(root, "chosen");
    if (chosen == NULL)
        return;
    bootargs = fw_property_string(chosen, "bootargs");
    if (bootargs != NULL)
        boot->bootargs = bootargs;
    read_initrd(boot, chosen);
    read_console(boot, chosen);
    take_seed(boot, chosen, "rng-seed");
    take_seed(boot, chosen, "kaslr-seed");
}

static bool is_cpu(const struct fw_node *node)
{
    return (node->flags & FW_CPU) && fw_is_enabled(node);
}

unsigned dt_cpu_count(void)
{
    unsigned count = 0;
    struct fw_node *node;

    fw_for_each (node)
        count += is_cpu(node);
    return count;
}

/* `enable-method` of the CPU or of /cpus; PSCI where the tree does not say. */
static enum cpu_start_method start_method(const struct fw_node *node)
{
    const char *method = fw_property_string(node, "enable-method");
    const struct fw_node *parent = fw_parent(node);

    if (method == NULL && parent != NULL)
        method = fw_property_string(parent, "enable-method");
    if (method == NULL || strcmp(method, "psci") == 0)
        return CPU_START_PSCI;
    return strcmp(method, "spin-table") == 0 ? CPU_START_SPIN_TABLE : CPU_START_UNKNOWN;
}

int dt_cpu(unsigned index, struct dt_cpu *cpu)
{
    struct fw_node *node;

    fw_for_each (node) {
        if (!is_cpu(node) || index-- != 0)
            continue;
        *cpu = (struct dt_cpu){.node = node, .method = start_method(node)};
        if (fw_reg_raw(node, 0, &cpu->mpidr) != 0 || (cpu->mpidr & ~MPIDR_AFFINITY) != 0) {
            log_error("CPU node %s has no usable 'reg'; skipped", fw_name(node));
            return -EINVAL;
        }
        if (cpu->method == CPU_START_SPIN_TABLE &&
            fw_property_u64(node, "cpu-release-addr", &cpu->release_address) != 0)
            cpu->method = CPU_START_UNKNOWN;
        return 0;
    }
    return -ENOENT;
}
