/* SPDX-License-Identifier: MIT */
/* Frames for page tables: what arch/pagetable.h asks mm for. */
#include "tables.h"

#include "frames.h"

#include <arch/fixmap.h>
#include <arch/page_ops.h>
#include <arch/pagetable.h>
#include <arch/thread.h>
#include <lib/compiler.h>

static enum { BY_FIXMAP, FROM_RANGES, FROM_PAGES } source;
static paddr_t range_low, range_high;
static const struct thread *growing; /* holds page_lock and maps page structures */
static atomic64_t count;

void tables_start(paddr_t low, paddr_t high)
{
    range_low = low;
    range_high = high;
}

void tables_from_ranges(void)
{
    source = FROM_RANGES;
    fixmap_clear(FIXMAP_TABLE);
}

void tables_from_pages(void)
{
    source = FROM_PAGES;
}

void tables_begin_locked(void)
{
    WRITE_ONCE(growing, current());
}

void tables_end_locked(void)
{
    WRITE_ONCE(growing, NULL);
}

uint64_t tables_count(void)
{
    return (uint64_t)atomic64_read(&count);
}

static paddr_t from_ranges(void)
{
    paddr_t table = ranges_take(PAGE_SIZE, PAGE_SIZE, range_low, range_high);

    if (table == 0) {
        struct page *page = source == FROM_PAGES ? buddy_take(0) : NULL;

        if (page == NULL)
            return 0;
        table = page_phys(page);
    }
    page_clear(source == BY_FIXMAP ? fixmap_set(FIXMAP_TABLE, table, false) : phys_virt(table));
    return table;
}

paddr_t pt_table_alloc(void)
{
    struct page *page;

    if (unlikely(source != FROM_PAGES || READ_ONCE(growing) == current()))
        return from_ranges();
    page = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC | PAGE_USER);
    if (page == NULL)
        return 0;
    atomic64_inc(&count);
    return page_phys(page);
}

void pt_table_free(paddr_t table)
{
    atomic64_dec(&count);
    page_free(phys_page(table), 0);
}
