/* SPDX-License-Identifier: MIT */
/*
 * A few mappings for the time before there is an allocator; boot CPU only, single-threaded. They
 * may stay: the device tree and the early console do.
 */
#ifndef ARCH_FIXMAP_H
#define ARCH_FIXMAP_H

#include <arch/memory_map.h>
#include <lib/types.h>

#define FIXMAP_TREE_MAX (4UL << 20)

#define FIXMAP_TABLES_MAX 448 /* more than the linear map can need: linear.c */

/* FIXMAP_TABLES is the first of as many slots, whose pages are neighbours. */
enum fixmap_slot { FIXMAP_CONSOLE, FIXMAP_PROBE, FIXMAP_TABLES };

/* Where the page of a slot is. */
static inline vaddr_t fixmap_address(unsigned slot)
{
    return FIXMAP_BASE + slot * PAGE_SIZE;
}

/*
 * Maps the 4 KiB page that holds `address`; returns where `address` itself is. Replaces (unmap, TLB
 * invalidate, map) what the slot held. Device: nGnRE, else Normal write-back; both writable.
 */
void *fixmap_set(unsigned slot, paddr_t address, bool device);
void fixmap_clear(unsigned slot);

/*
 * Maps the device tree read-write, in the 2 MiB blocks that [address, address + size) touches: map
 * the header first to learn the size, so that nothing beyond RAM is mapped. One tree at a time;
 * size 0 takes it away. NULL if size is over FIXMAP_TREE_MAX.
 */
void *fixmap_tree(paddr_t address, size_t size);

#endif
