/* SPDX-License-Identifier: MIT */
/* Memory pressure: what can be given up, and the cap on what cannot. */
#include "frames.h"

#include <lib/compiler.h>
#include <mm/pagecache.h>

static struct memory_shrinker *shrinkers; /* added at start, never removed */
static atomic64_t pinned_pages;
static uint64_t pinned_cap; /* 0: half of RAM */

void memory_add_shrinker(struct memory_shrinker *shrinker)
{
    shrinker->next = shrinkers;
    shrinkers = shrinker;
}

uint64_t memory_reclaim(uint64_t pages)
{
    uint64_t freed = pagecache_evict(pages);

    for (struct memory_shrinker *s = shrinkers; s != NULL && freed < pages; s = s->next)
        freed += s->reclaim(s, pages - freed);
    return freed;
}

bool memory_charge_pinned(uint64_t pages)
{
    uint64_t cap = pinned_cap != 0 ? pinned_cap : memory_total_pages / 2;
    uint64_t now = (uint64_t)atomic64_add_return((int64_t)pages, &pinned_pages);

    if (likely(now <= cap))
        return true;
    atomic64_sub((int64_t)pages, &pinned_pages);
    return false;
}

void memory_uncharge_pinned(uint64_t pages)
{
    atomic64_sub((int64_t)pages, &pinned_pages);
}

void memory_set_pinned_cap(uint64_t pages)
{
    pinned_cap = pages;
}
