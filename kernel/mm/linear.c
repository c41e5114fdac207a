/* SPDX-License-Identifier: MIT */
/*
 * The linear map: all RAM that exists, at LINEAR_BASE + physical address, once and for good. Blocks
 * as large as banks and protections allow; what is read-only is so from the start; holes and no-map
 * ranges stay unmapped.
 *
 * Its tables come out of a few frames next to each other, which the fixmap shows while they are
 * filled.
 */
#include "frames.h"
#include "tables.h"

#include <arch/boot.h>
#include <arch/fixmap.h>
#include <arch/pagetable.h>
#include <lib/errno.h>
#include <lib/minmax.h>

static unsigned linear_prot(enum memory_kind kind)
{
    unsigned prot = PT_READ | PT_GLOBAL | PT_NOREF | PT_BLOCK | PT_FINAL;

    return kind == MEMORY_READONLY ? prot : prot | PT_WRITE;
}

/* End of the stretch from pa on that has the same protection; free and kept memory look alike. */
static paddr_t stretch_end(paddr_t pa, paddr_t end, enum memory_kind *kind)
{
    paddr_t stop;

    *kind = memory_kind_at(pa, &stop);
    while (stop < end) {
        paddr_t next;
        enum memory_kind other = memory_kind_at(stop, &next);
        bool alike = (other == MEMORY_FREE || other == MEMORY_KEEP) &&
                     (*kind == MEMORY_FREE || *kind == MEMORY_KEEP);

        if (other != *kind && !alike)
            break;
        stop = next;
    }
    return min(stop, end);
}

static int map_stretches(paddr_t pa, paddr_t end, uintptr_t tables_offset)
{
    while (pa < end) {
        enum memory_kind kind;
        paddr_t stop = stretch_end(pa, end, &kind);
        vaddr_t va = LINEAR_BASE + pa;
        int error = 0;

        if (kind != MEMORY_NOMAP)
            error = pt_map_early(va, pa, stop - pa, linear_prot(kind), tables_offset);
        if (error != 0)
            return error;
        pa = stop;
    }
    return 0;
}

/*
 * Enough tables for any banks: one of level 1 for each 512 GiB that they touch, and one of level 2
 * and one of level 3 for each end of a bank or reservation that blocks do not meet.
 */
static unsigned tables_needed(void)
{
    size_t count = 4 * memory_reserved_count;

    for (size_t i = 0; i < memory_bank_count; i++)
        count += 6 + (memory_bank[i].size >> 39);
    return (unsigned)min(count, (size_t)FIXMAP_TABLES_MAX);
}

int linear_map_init(void)
{
    paddr_t image = boot_entry.image;
    uintptr_t offset;
    int error = -EINVAL;

    if (memory_is_ram(image, image_phys(__image_end) - image))
        error = tables_start(tables_needed(), &offset);
    for (size_t i = 0; i < memory_bank_count && error == 0; i++) {
        const struct memory_range *b = &memory_bank[i];

        error = map_stretches(b->base, b->base + b->size, offset);
    }
    if (error == 0)
        tables_from_pages();
    return error;
}
