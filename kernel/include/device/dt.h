/* SPDX-License-Identifier: MIT */
/*
 * Flattened device trees (Devicetree Specification 0.4, chapter 5): checked and turned into
 * firmware nodes in one bounded pass, and what the kernel needs from them before it has an
 * allocator.
 */
#ifndef DEVICE_DT_H
#define DEVICE_DT_H

#include <device/firmware.h>
#include <lib/types.h>
#include <mm/memory.h>

#define DT_HEADER_SIZE 40
#define DT_DEPTH_MAX   32

/* The size that a tree at `blob` claims (DT_HEADER_SIZE readable bytes), or 0: no device tree. */
uint32_t dt_total_size(const void *blob);

/*
 * Reads the tree. `blob`, 8-byte aligned and at least `size` bytes mapped, stays the tree's memory
 * from then on: it must stay mapped and unchanged (dt_rebase() tells of a new address). Nodes go to
 * `nodes`, room for `capacity` of them. Takes no lock, allocates nothing, logs nothing; the tree
 * may be hostile. Replaces the tree read before.
 *
 * 0, or
 * -EINVAL  malformed: dt_error() says what and where;
 * -ENOSPC  more nodes than `capacity`: what is needed before drivers (memory, /chosen, CPUs, PSCI,
 *          reserved memory, the console) was kept; dt_node_count_needed() tells the capacity with
 *          which to read it again once there is an allocator.
 */
int dt_read(const void *blob, size_t size, struct fw_node *nodes, unsigned capacity);
unsigned dt_node_count_needed(void);
/* "bad token at offset 0x1c4"; valid after -EINVAL. */
const char *dt_error(uint32_t *offset);
void dt_rebase(const void *blob);

enum cpu_start_method { CPU_START_UNKNOWN, CPU_START_PSCI, CPU_START_SPIN_TABLE };

struct dt_cpu {
    uint64_t mpidr; /* `reg` */
    enum cpu_start_method method;
    paddr_t release_address; /* of a spin table */
    const struct fw_node *node;
};

#define DT_SEED_MAX 64

/* What /chosen, /memory, /reserved-memory and the header say. Strings point into the tree. */
struct dt_boot {
    struct memory_range bank[MEMORY_BANKS_MAX];
    size_t bank_count;
    struct memory_reservation
        reserved[MEMORY_RESERVED_MAX]; /* with initrd, without the tree itself */
    size_t reserved_count;
    const char *bootargs; /* "" if absent */
    paddr_t initrd;
    uint64_t initrd_size;      /* 0: none */
    uint8_t seed[DT_SEED_MAX]; /* kaslr-seed and rng-seed, wiped from the tree */
    size_t seed_size;
    const struct fw_node *console; /* stdout-path, or NULL */
};

/* Fills it from the tree read last; bad properties are logged and left out. Once: it wipes the
 * seeds. */
void dt_boot_info(struct dt_boot *boot);

/* CPUs in the order of the tree, enabled ones only. */
unsigned dt_cpu_count(void);
/* 0; -ENOENT past the last; -EINVAL: `reg` is bad (logged), skip it. */
int dt_cpu(unsigned index, struct dt_cpu *cpu);

#endif
