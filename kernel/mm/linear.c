/* SPDX-License-Identifier: MIT */
/*
 * The linear map: all RAM that exists, at LINEAR_BASE + physical address, once and for good. Blocks
 * as large as banks and protections allow; what is read-only is so from the start; holes and no-map
 * ranges stay unmapped.
 *
 * The first tables come out of the image's surroundings, which they map, and are written by the
 * fixmap; from there on tables lie in what is mapped.
 */
#include "frames.h"
#include "tables.h"

#include <arch/boot.h>
#include <arch/pagetable.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#define EARLY_PAGES_MIN 16U /* enough for every table but those of very odd banks */

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

static int map_stretches(paddr_t pa, paddr_t end, bool early)
{
    while (pa < end) {
        enum memory_kind kind;
        paddr_t stop = stretch_end(pa, end, &kind);
        vaddr_t va = LINEAR_BASE + pa;
        int error = 0;

        if (kind != MEMORY_NOMAP && early)
            error = pt_map_early(&kernel_pagetable, va, pa, stop - pa, linear_prot(kind));
        else if (kind != MEMORY_NOMAP)
            error = pt_map(&kernel_pagetable, va, pa, stop - pa, linear_prot(kind));
        if (error != 0)
            return error;
        pa = stop;
    }
    return 0;
}

static uint64_t unused_within(paddr_t low, paddr_t high)
{
    uint64_t pages = 0;

    for (size_t i = 0; i < unused_ranges.count; i++) {
        paddr_t base = max(unused_ranges.range[i].base, low);
        paddr_t end = min(unused_ranges.range[i].end, high);

        pages += base < end ? (end - base) / PAGE_SIZE : 0;
    }
    return pages;
}

/* Whole 2 MiB around the image, grown within its bank until there is room for tables. */
static int early_window(paddr_t *low, paddr_t *high)
{
    const struct memory_range *bank = NULL;
    paddr_t image = boot_entry.image, end = image_phys(__image_end), bank_end;

    for (size_t i = 0; i < memory_bank_count(); i++) {
        const struct memory_range *b = memory_bank(i);

        if (image >= b->base && end <= b->base + b->size)
            bank = b;
    }
    if (bank == NULL)
        return -EINVAL;
    bank_end = bank->base + bank->size;
    *low = max(align_down(image, HUGE_SIZE), bank->base);
    *high = min(align_up(end, HUGE_SIZE), bank_end);
    while (unused_within(*low, *high) < EARLY_PAGES_MIN && *high < bank_end)
        *high = min(*high + HUGE_SIZE, bank_end);
    while (unused_within(*low, *high) < EARLY_PAGES_MIN && *low > bank->base)
        *low = max(*low - HUGE_SIZE, bank->base);
    return 0;
}

int linear_map_init(void)
{
    paddr_t low, high;
    int error = early_window(&low, &high);

    if (error != 0)
        return error;
    tables_start(low, high);
    error = map_stretches(low, high, true);
    if (error != 0)
        return error;
    tables_from_ranges();
    for (size_t i = 0; i < memory_bank_count() && error == 0; i++) {
        const struct memory_range *b = memory_bank(i);
        paddr_t end = b->base + b->size;

        if (low >= b->base && high <= end) {
            error = map_stretches(b->base, low, false);
            error = error == 0 ? map_stretches(high, end, false) : error;
        } else {
            error = map_stretches(b->base, end, false);
        }
    }
    return error;
}
