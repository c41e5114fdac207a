/* SPDX-License-Identifier: MIT */
/*
 * Slab caches. A slab is a block of frames cut into objects, free ones linked through their first
 * words; each CPU keeps a stock of free objects per cache, linked the same way, and touches it with
 * interrupts off. Slabs without used objects go back to the frame allocator, but for one a cache.
 */
#include "slab.h"

#include "frames.h"

#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#define CACHES_MAX 128U

struct stock {
    void *first;
    uint32_t count;
};

struct slab_cpu {
    struct stock stock[CACHES_MAX]; /* by cache id; number 0 is always empty: caches not used yet */
};

static struct spinlock caches_lock = SPINLOCK_INIT(RANK_SLAB);
static struct slab_cache *caches; /* caches_lock to add; never shrinks */
static unsigned cache_count = 1;
static atomic64_t slab_pages;

#ifdef CONFIG_DEBUG_CHECKS
#define POISON 0x6bU

/* All but the first word, the link, must read as it was left by slab_free. */
static void poison_check(const struct slab_cache *cache, const void *object)
{
    const uint8_t *byte = object;

    for (uint32_t i = sizeof(void *); i < cache->size; i++) {
        if (byte[i] != POISON)
            panic("%s at %p: byte %u is %#x, written after it was freed", cache->name, object, i,
                  byte[i]);
    }
}

static void poison_set(const struct slab_cache *cache, void *object)
{
    memset(object, POISON, cache->size);
}
#else
static inline void poison_check(const struct slab_cache *cache, const void *object)
{
    (void)cache, (void)object;
}

static inline void poison_set(const struct slab_cache *cache, void *object)
{
    (void)cache, (void)object;
}
#endif

static __cold void cache_ready(struct slab_cache *cache)
{
    reg_t flags = spin_lock_irq_call(&caches_lock);

    if (cache->id == 0) {
        list_init(&cache->partial);
        cache->next = caches;
        caches = cache;
        ASSERT(cache_count < CACHES_MAX);
        smp_store_release(&cache->id, (uint16_t)cache_count++);
    }
    spin_unlock_irq_call(&caches_lock, flags);
}

/* Adds a slab with all objects free; the cache's lock is held. */
static bool slab_make(struct slab_cache *cache)
{
    struct page *page = page_alloc(cache->order, PAGE_ATOMIC);
    uint8_t *object;

    if (page == NULL)
        return false;
    if (cache->order > 0)
        page_make_compound(page, cache->order);
    page->flags |= PAGE_SLAB;
    page->cache = cache;
    page->slab_used = 0;
    object = page_virt(page);
    page->slab_free = object;
    for (unsigned i = 1; i < cache->per_slab; i++, object += cache->size) {
        poison_set(cache, object);
        *(void **)object = object + cache->size;
    }
    poison_set(cache, object);
    *(void **)object = NULL;
    atomic64_add(1L << cache->order, &slab_pages);
    cache->slabs++;
    cache->empty_slabs++;
    list_add(&cache->partial, &page->list);
    return true;
}

static void slab_unmake(struct slab_cache *cache, struct page *page)
{
    atomic64_sub(1L << cache->order, &slab_pages);
    cache->slabs--;
    page_release(page);
}

/* All free objects of a slab become the stock, which is empty. */
static void take_slab(struct slab_cache *cache, struct page *page, struct stock *stock)
{
    uint32_t count = cache->per_slab - page->slab_used;

    cache->empty_slabs -= page->slab_used == 0;
    cache->used += count;
    stock->first = page->slab_free;
    stock->count = count;
    page->slab_free = NULL;
    page->slab_used = cache->per_slab;
    list_del(&page->list);
}

/* Interrupts are off. */
static __noinline void *stock_fill(struct slab_cache *cache)
{
    struct stock *stock;
    void *object;

    if (unlikely(smp_load_acquire(&cache->id) == 0))
        cache_ready(cache);
    stock = &this_cpu()->slabs->stock[cache->id];
    spin_lock_call(&cache->lock);
    if (list_empty(&cache->partial) && !slab_make(cache)) {
        spin_unlock_call(&cache->lock);
        return NULL;
    }
    take_slab(cache, list_first_entry(&cache->partial, struct page, list), stock);
    spin_unlock_call(&cache->lock);
    object = stock->first;
    stock->first = *(void **)object;
    stock->count--;
    return object;
}

void *slab_alloc(struct slab_cache *cache)
{
    reg_t flags = irq_save();
    struct stock *stock = &this_cpu()->slabs->stock[cache->id];
    void *object = stock->first;

    if (likely(object != NULL)) {
        stock->first = *(void **)object;
        stock->count--;
    } else {
        object = stock_fill(cache);
    }
    irq_restore(flags);
    if (object != NULL)
        poison_check(cache, object);
    return object;
}

void *slab_zalloc(struct slab_cache *cache)
{
    void *object = slab_alloc(cache);

    if (object != NULL)
        memset(object, 0, cache->size);
    return object;
}

static void give_to_slab(struct slab_cache *cache, void *object)
{
    struct page *page = page_head(virt_page(object));

    if (page->slab_free == NULL)
        list_add(&cache->partial, &page->list);
    *(void **)object = page->slab_free;
    page->slab_free = object;
    cache->used--;
    if (--page->slab_used > 0)
        return;
    if (cache->empty_slabs == 0) {
        cache->empty_slabs++;
        return;
    }
    list_del(&page->list);
    slab_unmake(cache, page);
}

/* Interrupts are off. */
static __noinline void stock_drain(struct slab_cache *cache, struct stock *stock)
{
    spin_lock(&cache->lock);
    for (unsigned i = 0; i < cache->batch; i++) {
        void *object = stock->first;

        stock->first = *(void **)object;
        stock->count--;
        give_to_slab(cache, object);
    }
    spin_unlock(&cache->lock);
}

void slab_free(struct slab_cache *cache, void *object)
{
    reg_t flags;
    struct stock *stock;

    poison_set(cache, object);
    flags = irq_save();
    stock = &this_cpu()->slabs->stock[cache->id];
    *(void **)object = stock->first;
    stock->first = object;
    if (unlikely(++stock->count > cache->stock_max))
        stock_drain(cache, stock);
    irq_restore(flags);
}

void slab_init(void)
{
    struct page *page = page_alloc(log2_ceil(div_round_up(sizeof(struct slab_cpu), PAGE_SIZE)),
                                   PAGE_ATOMIC | PAGE_ZERO);

    ASSERT(page != NULL);
    this_cpu()->slabs = page_virt(page);
}

int slab_cpu_init(struct cpu *cpu)
{
    cpu->slabs = kzalloc(sizeof(*cpu->slabs));
    return cpu->slabs == NULL ? -ENOMEM : 0;
}

uint64_t slab_page_count(void)
{
    return (uint64_t)atomic64_read(&slab_pages);
}

void slab_for_each_cache(void (*fn)(const struct slab_cache *, void *), void *arg)
{
    for (const struct slab_cache *cache = READ_ONCE(caches); cache != NULL; cache = cache->next)
        fn(cache, arg);
}
