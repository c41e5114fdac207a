/* SPDX-License-Identifier: MIT */
/* The kernel's half of the address space (TTBR1, 48 bit, 4 KiB granule); docs/memory-map.md tells
 * why. */
#ifndef ARCH_MEMORY_MAP_H
#define ARCH_MEMORY_MAP_H

#define PAGE_SHIFT 12
#define PAGE_SIZE  4096UL
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE  (1UL << HUGE_SHIFT)

#define LINEAR_BASE  0xffff000000000000UL /* RAM, at LINEAR_BASE + physical address */
#define LINEAR_SIZE  (1UL << 47)
#define VMEMMAP_BASE 0xffff800000000000UL /* struct page, by frame number */
#define VMEMMAP_SIZE (LINEAR_SIZE / PAGE_SIZE * 64)
#define KWINDOW_BASE 0xffffa00000000000UL /* stacks, devices, kmap; 4 KiB pages with guards */
#define KWINDOW_SIZE (64UL << 30)
#define IMAGE_BASE   0xffffc00000000000UL /* kernel image, plus the KASLR slide */

#endif
