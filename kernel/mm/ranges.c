/* SPDX-License-Identifier: MIT */
/* Ranges of RAM that nobody has asked for yet: a short sorted array. Callers lock (page_lock after
 * start). */
#include "frames.h"

#include <core/panic.h>
#include <lib/align.h>
#include <lib/minmax.h>

struct ranges unused_ranges;

static void insert_at(size_t i, paddr_t base, paddr_t end)
{
    struct ranges *r = &unused_ranges;

    for (size_t j = r->count; j > i; j--)
        r->range[j] = r->range[j - 1];
    r->range[i].base = base;
    r->range[i].end = end;
    r->count++;
}

static void remove_at(size_t i)
{
    struct ranges *r = &unused_ranges;

    r->count--;
    for (; i < r->count; i++)
        r->range[i] = r->range[i + 1];
}

void ranges_add(paddr_t base, paddr_t end)
{
    struct ranges *r = &unused_ranges;
    size_t i = 0;

    while (i < r->count && r->range[i].end < base)
        i++;
    r->pages += (end - base) / PAGE_SIZE;
    if (i < r->count && r->range[i].end == base)
        r->range[i].end = end;
    else if (i < r->count && r->range[i].base == end)
        r->range[i].base = base;
    else if (r->count < RANGES_MAX)
        insert_at(i, base, end);
    else
        r->pages -= (end - base) /
                    PAGE_SIZE; /* lost; the array has room for any split of the reservations */
    if (i + 1 < r->count && r->range[i].end == r->range[i + 1].base) {
        r->range[i].end = r->range[i + 1].end;
        remove_at(i + 1);
    }
}

/* Cuts [base, end), which lies in range i, out of it. */
static bool cut(size_t i, paddr_t base, paddr_t end)
{
    struct ranges *r = &unused_ranges;
    paddr_t old_end = r->range[i].end;

    ASSERT(base >= r->range[i].base && end <= old_end);
    if (base == r->range[i].base) {
        r->range[i].base = end;
        if (end == old_end)
            remove_at(i);
    } else {
        if (end != old_end) {
            if (r->count == RANGES_MAX)
                return false;
            insert_at(i + 1, end, old_end);
        }
        r->range[i].end = base;
    }
    r->pages -= (end - base) / PAGE_SIZE;
    return true;
}

paddr_t ranges_take(uint64_t size, uint64_t align, paddr_t low, paddr_t high)
{
    for (size_t i = 0; i < unused_ranges.count; i++) {
        paddr_t base = align_up(max(unused_ranges.range[i].base, low), align);
        paddr_t end = min(unused_ranges.range[i].end, high);

        if (base < end && end - base >= size && cut(i, base, base + size))
            return base;
    }
    return 0;
}

bool ranges_take_part(paddr_t low, paddr_t high, paddr_t *base, paddr_t *end)
{
    for (size_t i = 0; i < unused_ranges.count; i++) {
        *base = max(unused_ranges.range[i].base, low);
        *end = min(unused_ranges.range[i].end, high);
        if (*base < *end)
            return cut(i, *base, *end);
    }
    return false;
}
