/* SPDX-License-Identifier: MIT */
/* Frames for page tables: what arch/pagetable.h asks mm for. */
#include "tables.h"

#include "frames.h"

#include <arch/fixmap.h>
#include <arch/page_ops.h>
#include <arch/pagetable.h>
#include <arch/thread.h>
#include <lib/compiler.h>
#include <lib/errno.h>

static struct {
    paddr_t base;
    unsigned used, count;
} pool; /* before there is a linear map; those that are used are in the fixmap */
static bool started;
static const struct thread *growing; /* holds page_lock and maps page structures */
static atomic64_t count;

int tables_start(unsigned frames, uintptr_t *offset)
{
    pool.count = frames;
    pool.base = ranges_take(frames * PAGE_SIZE, PAGE_SIZE, 0, LINEAR_SIZE);
    *offset = fixmap_address(FIXMAP_TABLES) - pool.base;
    return pool.base != 0 ? 0 : -ENOMEM;
}

void tables_from_pages(void)
{
    for (unsigned i = 0; i < pool.used; i++)
        fixmap_clear(FIXMAP_TABLES + i);
    if (pool.used < pool.count)
        ranges_add(pool.base + pool.used * PAGE_SIZE, pool.base + pool.count * PAGE_SIZE);
    started = true;
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

static paddr_t from_pool(void)
{
    paddr_t table = pool.base + pool.used * PAGE_SIZE;

    if (pool.used == pool.count)
        return 0;
    page_clear(fixmap_set(FIXMAP_TABLES + pool.used++, table, false));
    return table;
}

/* page_lock is held. */
static paddr_t from_ranges(void)
{
    paddr_t table = ranges_take(PAGE_SIZE, PAGE_SIZE, 0, LINEAR_SIZE);

    if (table == 0) {
        struct page *page = buddy_take(0);

        if (page == NULL)
            return 0;
        table = page_phys(page);
    }
    page_clear(phys_virt(table));
    return table;
}

paddr_t pt_table_alloc(void)
{
    struct page *page;

    if (unlikely(READ_ONCE(growing) == current()))
        return from_ranges();
    if (unlikely(!started))
        return from_pool();
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
