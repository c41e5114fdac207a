/* SPDX-License-Identifier: MIT */
/* <arch/memory_map.h> for the host: "RAM" is an array, its frames start at physical address 0. */
#ifndef ARCH_MEMORY_MAP_H
#define ARCH_MEMORY_MAP_H

#include <lib/types.h>

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE  (1UL << HUGE_SHIFT)

extern char *unit_ram;       /* whoever needs frames defines both */
extern char *unit_ram_pages; /* the struct pages */

#define LINEAR_BASE  ((uintptr_t)unit_ram)
#define VMEMMAP_BASE ((uintptr_t)unit_ram_pages)
#define LINEAR_SIZE  (1UL << 40)
#define IMAGE_BASE   UINTPTR_MAX

#endif
