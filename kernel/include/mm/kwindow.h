/* SPDX-License-Identifier: MIT */
/*
 * The kernel window: 4 KiB mappings with an unmapped guard page after each, for thread stacks
 * and device registers. All calls may be used from thread context with
 * interrupts on; they do not sleep on I/O. Addresses are never executable.
 */
#ifndef MM_KWINDOW_H
#define MM_KWINDOW_H

#include <lib/types.h>

#define KSTACK_SIZE 16384UL
#define KSTACK_ALIGN \
    32768UL /* a stack fills the lower half of an aligned 32 KiB; the upper half faults */

/* Lowest address of a stack of KSTACK_SIZE bytes: (base & (KSTACK_ALIGN - 1)) == 0, so
 * bit 14 of any address in it is clear and of an overflowed sp set. NULL when out of memory.
 * Contents are not cleared. */
void *kstack_alloc(void);
void kstack_free(void *base); /* not the stack that the caller runs on */

/* Registers of a device, Device-nGnRE. Any physical address and size; the offset in the page is
 * kept. NULL on failure. */
void *device_map(paddr_t pa, size_t size);
void device_unmap(void *virt, size_t size);

/* Physical address behind any kernel address (linear map, image, window); false if nothing is
 * mapped there. */
bool kwindow_phys(const void *virt, paddr_t *pa);

#endif
