/* SPDX-License-Identifier: MIT */
/*
 * Descriptors of VMSAv8-64 translation tables, 4 KiB granule (Arm ARM DDI 0487 D8.3), as Remora
 * uses them. Attribute indices are those of MAIR_EL1_VALUE in <arch/registers.h>.
 */
#ifndef ARCH_PTE_H
#define ARCH_PTE_H

#define PTE_VALID        (1UL << 0)
#define PTE_BLOCK        0x1UL /* level 1 and 2 leaf */
#define PTE_TABLE        0x3UL /* level 0 to 2: next table */
#define PTE_PAGE         0x3UL /* level 3 leaf */
#define PTE_TYPE_MASK    0x3UL
#define PTE_ATTR(index)  ((unsigned long)(index) << 2)
#define PTE_ATTR_MASK    PTE_ATTR(7)
#define PTE_USER         (1UL << 6) /* AP[1]: EL0 may access */
#define PTE_READ_ONLY    (1UL << 7) /* AP[2] */
#define PTE_INNER_SHARED (3UL << 8)
#define PTE_ACCESSED     (1UL << 10)
#define PTE_NOT_GLOBAL   (1UL << 11)
#define PTE_GUARDED      (1UL << 50) /* FEAT_BTI */
#define PTE_CONTIGUOUS   (1UL << 52) /* 16 equal neighbours, D8.6.1 */
#define PTE_PXN          (1UL << 53)
#define PTE_UXN          (1UL << 54)
#define PTE_ADDRESS_MASK 0x0000fffffffff000UL

/* Bits 55 to 58 are for software. */
#define PTE_NOREF    (1UL << 55) /* the frame's references do not count this mapping */
#define PTE_NOACCESS (1UL << 56) /* kept, but not valid: PROT_NONE */

#define PTE_KERNEL_COMMON (PTE_INNER_SHARED | PTE_ACCESSED | PTE_UXN | PTE_PAGE)
#define PTE_KERNEL_TEXT   (PTE_KERNEL_COMMON | PTE_ATTR(1) | PTE_READ_ONLY)
#define PTE_KERNEL_DATA   (PTE_KERNEL_COMMON | PTE_ATTR(1) | PTE_PXN)
#define PTE_KERNEL_DEVICE (PTE_KERNEL_COMMON | PTE_ATTR(0) | PTE_PXN)

#endif
