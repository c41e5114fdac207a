/* SPDX-License-Identifier: MIT */
/* Memory pressure: what can be given up, and the cap on what cannot. */
#include "frames.h"

#include <arch/barrier.h>
#include <core/clock.h>
#include <core/wait.h>
#include <core/work.h>
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

/* --- pages that are mapped ----------------------------------------------------------------------
 *
 * Taking them out of mappings sleeps and must not be done under the locks of whoever wants memory:
 * the worker does it, and they wait a moment for it.
 */

#define MAPPED_BATCH   256U /* pages */
#define MAPPED_WAIT_NS NS_PER_SECOND

static struct waitq mapped_waitq = WAITQ_INIT;
static unsigned mapped_rounds;
static uint64_t mapped_freed; /* of the last round */

static void evict_mapped(struct work *work)
{
    (void)work;
    WRITE_ONCE(mapped_freed, pagecache_evict_mapped(MAPPED_BATCH));
    smp_store_release(&mapped_rounds, mapped_rounds + 1);
    waitq_wake_all(&mapped_waitq);
}

static bool reclaim_mapped(void)
{
    static struct work work = {.node = LIST_INIT(work.node), .run = evict_mapped};
    unsigned round = READ_ONCE(mapped_rounds);

    if (pagecache_evictable_count() == 0 || work_is_running())
        return false;
    (void)work_queue(&work);
    return wait_event(&mapped_waitq, smp_load_acquire(&mapped_rounds) != round,
                      clock_monotonic_ns() + MAPPED_WAIT_NS, WAIT_UNINTERRUPTIBLE) == 0 &&
           READ_ONCE(mapped_freed) > 0;
}

bool memory_reclaim_any(uint64_t pages)
{
    uint64_t freed = memory_reclaim(pages);

    return (freed < pages && reclaim_mapped()) || freed > 0;
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
