/* SPDX-License-Identifier: MIT */
/* A look at all of the kernel's mappings, in debug builds: nothing but RAM in the linear map, what
 * is read-only is so under every address, devices are mapped as devices and RAM never is, guards
 * are holes. */
#include "frames.h"

#include <arch/pagetable.h>
#include <core/log.h>
#include <core/panic.h>
#include <lib/compiler.h>
#include <mm/kwindow.h>

struct check {
    uint64_t leaves, ram_bytes;
};

static const char *complain_place(vaddr_t va, size_t size, uint64_t entry)
{
    paddr_t pa = pt_leaf_address(entry), end;
    bool ram = memory_is_ram(pa, size);
    enum memory_kind kind = memory_kind_at(pa, &end);

    if (va < VMEMMAP_BASE) {
        if (va - LINEAR_BASE != pa)
            return "not at its place in the linear map";
        if (!ram)
            return "no RAM, in the linear map";
        if (kind == MEMORY_NOMAP)
            return "reserved as no-map, yet mapped";
    }
    if (kind == MEMORY_READONLY && pt_leaf_is_writable(entry))
        return "read-only memory is writable here";
    if (kind == MEMORY_FREE && va < VMEMMAP_BASE && !pt_leaf_is_writable(entry))
        return "free memory is not writable";
    return ram && !pt_leaf_is_normal(entry) ? "RAM mapped as a device or uncached" : NULL;
}

static void check_leaf(vaddr_t va, size_t size, uint64_t entry, void *arg)
{
    struct check *check = arg;
    const char *complaint = pt_leaf_complaint(va, entry);

    if (complaint == NULL && va < FIXMAP_BASE)
        complaint = complain_place(va, size, entry);
    if (complaint != NULL)
        panic("mapping at %#lx (%zu KiB, descriptor %#lx): %s", va, size >> 10, (long)entry,
              complaint);
    check->leaves++;
    if (va < VMEMMAP_BASE)
        check->ram_bytes += size;
}

/* All of RAM but no-map ranges is in the linear map. */
static uint64_t expected_bytes(void)
{
    uint64_t bytes = 0;

    for (size_t i = 0; i < memory_bank_count; i++) {
        const struct memory_range *bank = &memory_bank[i];
        paddr_t end = bank->base + bank->size, stop;

        for (paddr_t pa = bank->base; pa < end; pa = stop) {
            enum memory_kind kind = memory_kind_at(pa, &stop);

            stop = stop < end ? stop : end;
            bytes += kind == MEMORY_NOMAP ? 0 : stop - pa;
        }
    }
    return bytes;
}

static void check_guard(void)
{
    char *stack = kstack_alloc();
    paddr_t pa;

    ASSERT(stack != NULL);
    for (size_t offset = 0; offset < KSTACK_SIZE; offset += PAGE_SIZE)
        ASSERT(kwindow_phys(stack + offset, &pa));
    ASSERT(!kwindow_phys(stack - 1, &pa) && !kwindow_phys(stack + KSTACK_SIZE, &pa));
    kstack_free(stack);
}

void memory_check_mappings(void)
{
    struct check check = {0};

    pt_for_each_leaf(&kernel_pagetable, true, check_leaf, &check);
    if (check.ram_bytes != expected_bytes())
        panic("the linear map has %zu KiB, expected %zu KiB", (size_t)(check.ram_bytes >> 10),
              (size_t)(expected_bytes() >> 10));
    check_guard();
    log_info("checked %zu mappings of the kernel, %zu MiB of RAM", (size_t)check.leaves,
             (size_t)(check.ram_bytes >> 20));
}
