/* SPDX-License-Identifier: MIT */
/*
 * The kernel's half of the address space (TTBR1, 48 bit, 4 KiB granule); docs/memory-map.md tells
 * why. For C, assembly and the linker script.
 */
#ifndef ARCH_MEMORY_MAP_H
#define ARCH_MEMORY_MAP_H

#if defined(__ASSEMBLER__) || defined(__LINKER_SCRIPT__)
#define UL(value) value
#else
#define UL(value) value##UL
#endif

#define PAGE_SHIFT 12
#define PAGE_SIZE  UL(4096)
#define PAGE_MASK  (~(PAGE_SIZE - 1))
#define HUGE_SHIFT 21
#define HUGE_SIZE  (UL(1) << HUGE_SHIFT)

#define LINEAR_BASE      UL(0xffff000000000000) /* RAM, at LINEAR_BASE + physical address */
#define LINEAR_SIZE      (UL(1) << 47)
#define VMEMMAP_BASE     UL(0xffff800000000000) /* struct page, by frame number */
#define VMEMMAP_SIZE     (LINEAR_SIZE / PAGE_SIZE * 64)
#define KWINDOW_BASE     UL(0xffffa00000000000) /* stacks, devices, kmap; 4 KiB pages, guards */
#define KWINDOW_SIZE     (UL(64) << 30)
#define IMAGE_BASE       UL(0xffffc00000000000) /* kernel image, plus the KASLR slide */
#define IMAGE_SLIDE_MAX  UL(0x0000008000000000)
#define KERNEL_IMAGE_MAX UL(0x400000)           /* the kernel proper, without an appended root */
#define FIXMAP_BASE      UL(0xffffe00000000000) /* what boot needs before there is an allocator */

#endif
