/* SPDX-License-Identifier: MIT */
/* Memory pressure: what can be given up, and the cap on what cannot. */
#include "frames.h"

#include <arch/barrier.h>
#include <core/panic.h>
#include <core/work.h>
#include <lib/compiler.h>
#include <mm/object.h>
#include <mm/pagecache.h>

static struct memory_shrinker *shrinkers; /* added by the boot, never removed */
static atomic64_t pinned_pages;

void memory_add_shrinker(struct memory_shrinker *shrinker)
{
    shrinker->next = shrinkers;
    smp_store_release(&shrinkers, shrinker); /* pairs with the load in memory_reclaim() */
}

uint64_t memory_reclaim(uint64_t pages)
{
    uint64_t freed = pagecache_evict(pages);

    for (struct memory_shrinker *s = smp_load_acquire(&shrinkers); s != NULL && freed < pages;
         s = s->next)
        freed += s->reclaim(s, pages - freed);
    return freed;
}

/* --- pages that are mapped ----------------------------------------------------------------------
 *
 * Whoever wants memory takes them out of mappings itself, and only tries the locks that it needs
 * for that: it may hold any of them. An object's last reference may be the one taken here; to
 * release it takes locks, so the worker does that.
 */

#define MAPPED_BATCH 256U /* pages */
#define LAST_MAX     8U

static struct mutex reclaim_lock = MUTEX_INIT(RANK_RECLAIM);
static struct spinlock last_lock = SPINLOCK_INIT(RANK_EVICTION);
static struct vm_object *last[LAST_MAX]; /* last_lock: objects that the worker is to give back */
static unsigned last_count;

bool reclaim_hold(struct vm_object *object)
{
    return READ_ONCE(last_count) < LAST_MAX && atomic_inc_not_zero(&object->refs);
}

static struct vm_object *take_last(void)
{
    struct vm_object *object = NULL;

    spin_lock(&last_lock);
    if (last_count > 0)
        object = last[--last_count];
    spin_unlock(&last_lock);
    return object;
}

static void release_last(struct work *work)
{
    struct vm_object *object;

    (void)work;
    while ((object = take_last()) != NULL)
        object_unref(object);
}

void reclaim_drop(struct vm_object *object)
{
    static struct work work = {.node = LIST_INIT(work.node), .run = release_last};
    int32_t refs = atomic_read(&object->refs);

    while (refs > 1) {
        int32_t seen = atomic_cmpxchg(&object->refs, refs, refs - 1);

        if (seen == refs)
            return;
        refs = seen;
    }
    spin_lock(&last_lock);
    ASSERT(last_count < LAST_MAX); /* reclaim_lock is held since reclaim_hold() */
    last[last_count++] = object;
    spin_unlock(&last_lock);
    (void)work_queue(&work);
}

static bool reclaim_mapped(void)
{
    uint64_t freed;

    if (pagecache_evictable_count() == 0)
        return false;
    mutex_lock(&reclaim_lock);
    freed = pagecache_evict_mapped(MAPPED_BATCH);
    mutex_unlock(&reclaim_lock);
    return freed > 0;
}

bool memory_reclaim_any(uint64_t pages)
{
    uint64_t freed = memory_reclaim(pages);

    return (freed < pages && reclaim_mapped()) || freed > 0;
}

bool memory_charge_pinned(uint64_t pages)
{
    uint64_t cap = memory_total_pages / 2;
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
