/* SPDX-License-Identifier: MIT */
/* What the entry code learnt, for kernel_main(). */
#ifndef ARCH_BOOT_H
#define ARCH_BOOT_H

#include <lib/types.h>

struct boot_entry {
    paddr_t device_tree;      /* x0 of the entry; not checked */
    uint64_t exception_level; /* of the entry */
    paddr_t image;            /* where the image lies */
    vaddr_t image_virtual;    /* where it is mapped: link address plus slide */
};

extern const struct boot_entry boot_entry;

/* Bounds of the image's parts (kernel.lds.S), addresses in the kernel window. */
extern const char __image_start[], __text_end[], __rodata_start[], __rodata_end[], __data_start[],
    __image_end[];

/* Boot tables; the allocator's tables hang below kernel_root_table later. */
extern uint64_t kernel_root_table[512], empty_table[512];

/* Where secondary CPUs enter, MMU off (boot.S). */
extern const char secondary_entry[];

/* Physical address of something inside the image. */
static inline paddr_t image_phys(const void *address)
{
    return (paddr_t)((vaddr_t)address - boot_entry.image_virtual) + boot_entry.image;
}

#endif
