/* SPDX-License-Identifier: MIT */
/*
 * The kernel window: 4 KiB mappings with an unmapped guard page after each, for thread stacks,
 * device registers and large or scattered buffers. All calls may be used from thread context with
 * interrupts on; they do not sleep on I/O. Addresses are never executable.
 */
#ifndef MM_KWINDOW_H
#define MM_KWINDOW_H

#include <lib/types.h>

struct page;

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

/* As device_map but Normal non-cacheable (frame buffers) or Normal write-back (tables of the
 * firmware, shared rings of a hypervisor that are not in the linear map). */
void *memory_map_nc(paddr_t pa, size_t size);
void *memory_map_wb(paddr_t pa, size_t size, bool writable);
void memory_unmap(void *virt, size_t size);

/* Scattered pages at one run of addresses. The pages stay the caller's. */
void *kmap_pages(struct page *const *pages, size_t count, bool writable);
void kunmap_pages(void *virt, size_t count);

/* Zeroed memory of any size out of single pages; slower than kmalloc, for what is large. */
void *vmalloc(size_t size);
void vfree(void *virt);

/* Physical address behind any kernel address (linear map, image, window); false if nothing is
 * mapped there. */
bool kwindow_phys(const void *virt, paddr_t *pa);

#endif
