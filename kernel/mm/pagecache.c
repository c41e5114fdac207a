/* SPDX-License-Identifier: MIT */
/*
 * The page cache. A page in an object's tree has one reference of the tree; page->object and
 * page->index are set under object->lock and name its place while it is there. Evictable pages are
 * also on one list, oldest first; eviction takes object locks against the order and so only tries
 * them.
 */
#include <mm/pagecache.h>

#include "frames.h"
#include "page_tree.h"

#include <core/panic.h>
#include <core/wait.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/list.h>

#define WAITQS 32U

static struct spinlock eviction_lock = SPINLOCK_INIT(RANK_EVICTION);
static struct list_node eviction_list = LIST_INIT(eviction_list); /* eviction_lock; page->list */
static atomic64_t cached_pages, unevictable_pages, dirty_pages;

/* Sleepers for PAGE_LOCKED, by hash of the page. */
static struct waitq page_waitq[WAITQS];

static struct waitq *waitq_of(const struct page *page)
{
    return &page_waitq[((uintptr_t)page / sizeof(*page)) % WAITQS];
}

static void wait_unlocked(struct page *page)
{
    (void)wait_event(waitq_of(page), !(READ_ONCE(page->flags) & PAGE_LOCKED), WAIT_FOREVER,
                     WAIT_UNINTERRUPTIBLE);
}

struct page *pagecache_find(struct vm_object *object, uint64_t index)
{
    struct page *page;

    spin_lock(&object->lock);
    page = page_tree_find(object, index);
    if (page != NULL)
        page_ref(page);
    spin_unlock(&object->lock);
    if (page != NULL && !(page->flags & PAGE_ACCESSED))
        page_set_flags(page, PAGE_ACCESSED);
    return page;
}

struct page *pagecache_next(struct vm_object *object, uint64_t *index, uint64_t end)
{
    struct page *page;

    spin_lock(&object->lock);
    page = page_tree_next(object, index, end);
    if (page != NULL)
        page_ref(page);
    spin_unlock(&object->lock);
    return page;
}

static bool charge(const struct vm_object *object)
{
    if ((object->flags & (OBJECT_UNEVICTABLE | OBJECT_UNCAPPED)) != OBJECT_UNEVICTABLE)
        return true;
    return memory_charge_pinned(1);
}

static void uncharge(const struct vm_object *object)
{
    if ((object->flags & (OBJECT_UNEVICTABLE | OBJECT_UNCAPPED)) == OBJECT_UNEVICTABLE)
        memory_uncharge_pinned(1);
}

/* object->lock held. The tree's reference is taken here. */
static int insert_locked(struct vm_object *object, uint64_t index, struct page *page)
{
    int error = page_tree_insert(object, index, page);

    if (error != 0)
        return error;
    page_ref(page);
    page->object = object;
    page->index = index;
    object->page_count++;
    atomic64_inc(&cached_pages);
    if (object->flags & OBJECT_UNEVICTABLE) {
        atomic64_inc(&unevictable_pages);
        return 0;
    }
    spin_lock(&eviction_lock);
    list_add_tail(&eviction_list, &page->list);
    page_set_flags(page, PAGE_LRU);
    spin_unlock(&eviction_lock);
    return 0;
}

/* object->lock held; the page has left the tree. The tree's reference is the caller's to drop. */
static void removed_locked(struct vm_object *object, struct page *page)
{
    if (page->flags & PAGE_LRU) {
        list_del(&page->list);
        page_clear_flags(page, PAGE_LRU);
    }
    if (page->flags & PAGE_DIRTY) {
        page_clear_flags(page, PAGE_DIRTY);
        object->dirty_count--;
        atomic64_dec(&dirty_pages);
    }
    page->object = NULL;
    object->page_count--;
    atomic64_dec(&cached_pages);
    if (object->flags & OBJECT_UNEVICTABLE)
        atomic64_dec(&unevictable_pages);
    uncharge(object);
}

static int add_new(struct vm_object *object, uint64_t index, unsigned flags, struct page **out)
{
    struct page *page;
    int error;

    if (!charge(object))
        return -ENOSPC;
    page = page_alloc(0, flags | PAGE_USER);
    if (page == NULL) {
        uncharge(object);
        return -ENOMEM;
    }
    page->flags |= flags & PAGE_ZERO ? PAGE_UPTODATE : PAGE_LOCKED;
    spin_lock(&object->lock);
    error = insert_locked(object, index, page);
    spin_unlock(&object->lock);
    if (error != 0) {
        uncharge(object);
        page->flags = 0;
        page_unref(page);
        return error;
    }
    *out = page;
    return 0;
}

int pagecache_get(struct vm_object *object, uint64_t index, unsigned flags, struct page **out,
                  bool *created)
{
    for (;;) {
        struct page *page = pagecache_find(object, index);

        *created = false;
        if (page == NULL) {
            int error = add_new(object, index, flags, out);

            if (error == -EEXIST)
                continue;
            *created = error == 0;
            return error;
        }
        if (pagecache_is_filled(page)) {
            *out = page;
            return 0;
        }
        if (flags & PAGE_ATOMIC) {
            page_unref(page);
            return -EAGAIN;
        }
        wait_unlocked(page);
        if (!(READ_ONCE(page->flags) & PAGE_UPTODATE) && page->object == object &&
            !page_test_set_flags(page, PAGE_LOCKED)) {
            *created = true; /* the first attempt to fill it failed: now it is the caller's turn */
            *out = page;
            return 0;
        }
        page_unref(page);
    }
}

void pagecache_filled(struct page *page, int error)
{
    if (error == 0)
        page_set_flags(page, PAGE_UPTODATE);
    page_clear_flags(page, PAGE_LOCKED);
    waitq_wake_all(waitq_of(page));
}

void pagecache_written(struct page *page)
{
    if (READ_ONCE(page->flags) & PAGE_ICACHE_CLEAN)
        page_clear_flags(page, PAGE_ICACHE_CLEAN);
}

void pagecache_set_dirty(struct vm_object *object, struct page *page)
{
    pagecache_written(page);
    if (READ_ONCE(page->flags) & PAGE_DIRTY)
        return;
    spin_lock(&object->lock);
    if (page->object == object && !page_test_set_flags(page, PAGE_DIRTY)) {
        object->dirty_count++;
        atomic64_inc(&dirty_pages);
    }
    spin_unlock(&object->lock);
}

bool pagecache_clear_dirty(struct vm_object *object, struct page *page)
{
    bool was = false;

    spin_lock(&object->lock);
    if (page->object == object && (page->flags & PAGE_DIRTY)) {
        page_clear_flags(page, PAGE_DIRTY);
        object->dirty_count--;
        atomic64_dec(&dirty_pages);
        was = true;
    }
    spin_unlock(&object->lock);
    return was;
}

struct page *pagecache_next_dirty(struct vm_object *object, uint64_t *index, uint64_t end)
{
    while (READ_ONCE(object->dirty_count) > 0) {
        struct page *page = pagecache_next(object, index, end);

        if (page == NULL || page->flags & PAGE_DIRTY)
            return page;
        page_unref(page);
        ++*index;
    }
    return NULL;
}

/* Takes one page out; false if none is left in [*index, end). Sleeps for pages under I/O. */
static bool drop_next(struct vm_object *object, uint64_t *index, uint64_t end)
{
    struct page *page = pagecache_next(object, index, end);

    if (page == NULL)
        return false;
    if (page->flags & (PAGE_LOCKED | PAGE_WRITEBACK))
        wait_unlocked(page);
    spin_lock(&object->lock);
    if (page->object == object) {
        spin_lock(&eviction_lock);
        page_tree_remove(object, *index);
        removed_locked(object, page);
        spin_unlock(&eviction_lock);
        page_unref(page); /* the tree's; ours keeps it */
    }
    spin_unlock(&object->lock);
    page_unref(page);
    return true;
}

__cold void pagecache_truncate(struct vm_object *object, uint64_t first, uint64_t count)
{
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    bool any = false;

    for (uint64_t index = first; object->page_count > 0 && drop_next(object, &index, end); index++)
        any = true;
    (void)any;
    object_unmap(object, first, end - first, true);
}

int pagecache_get_zero(struct vm_object *object, uint64_t index, uint64_t size_pages, unsigned want,
                       struct page **page)
{
    unsigned flags = PAGE_ZERO | (want & OBJECT_NOWAIT ? PAGE_ATOMIC : 0);
    bool created;
    int error;

    if (index >= size_pages)
        return -EFAULT;
    error = pagecache_get(object, index, flags, page, &created);
    return error == 0 ? 1 : error;
}

void pagecache_get_stats(struct memory_stats *stats)
{
    stats->cached = (uint64_t)atomic64_read(&cached_pages);
    stats->shared = (uint64_t)atomic64_read(&unevictable_pages);
    stats->dirty = (uint64_t)atomic64_read(&dirty_pages);
}

/* eviction_lock held. True: the page left the cache and its last reference is the caller's. */
static bool try_evict(struct page *page)
{
    struct vm_object *object = page->object;
    bool evicted = false;

    if (page->flags & (PAGE_DIRTY | PAGE_LOCKED | PAGE_WRITEBACK))
        return false;
    if (page->flags & PAGE_ACCESSED) {
        page_clear_flags(page, PAGE_ACCESSED);
        return false;
    }
    if (!spin_trylock(&object->lock))
        return false;
    if (atomic_read(&page->refs) == 1) { /* the tree's alone: not mapped, not in use */
        page_tree_remove(object, page->index);
        removed_locked(object, page);
        evicted = true;
    }
    spin_unlock(&object->lock);
    return evicted;
}

__cold uint64_t pagecache_evict(uint64_t pages)
{
    uint64_t freed = 0, looked = 0, total = (uint64_t)atomic64_read(&cached_pages) * 2;

    while (freed < pages && looked++ < total) {
        struct page *page;
        bool evicted;

        spin_lock(&eviction_lock);
        page = list_first_entry_or_null(&eviction_list, struct page, list);
        if (page == NULL) {
            spin_unlock(&eviction_lock);
            break;
        }
        list_move_tail(&eviction_list, &page->list);
        evicted = try_evict(page);
        spin_unlock(&eviction_lock);
        if (evicted) {
            page_unref(page);
            freed++;
        }
    }
    return freed;
}

uint64_t pagecache_evictable_count(void)
{
    return (uint64_t)(atomic64_read(&cached_pages) - atomic64_read(&unevictable_pages));
}

#define UNMAP_PAGES 16U /* neighbours that leave mappings together: one invalidation */

/* eviction_lock held: the object in whose areas a page may be mapped, with a reference. */
static struct vm_object *mapped_object(struct page *page)
{
    struct vm_object *object = page->object, *mapped;

    if (page->flags & (PAGE_DIRTY | PAGE_LOCKED | PAGE_WRITEBACK | PAGE_ACCESSED) ||
        atomic_read(&page->refs) == 1 || !spin_trylock(&object->lock))
        return NULL;
    mapped = object->shown_by != NULL ? object->shown_by : object;
    if (!reclaim_hold(mapped)) /* no mapping holds it */
        mapped = NULL;
    spin_unlock(&object->lock);
    return mapped;
}

uint64_t pagecache_evict_mapped(uint64_t pages)
{
    uint64_t freed = 0, looked = 0, total = pagecache_evictable_count() * 3;

    while (freed < pages && looked++ < total) {
        struct vm_object *object;
        struct page *page;
        uint64_t index;
        bool evicted;

        spin_lock(&eviction_lock);
        page = list_first_entry_or_null(&eviction_list, struct page, list);
        if (page == NULL) {
            spin_unlock(&eviction_lock);
            break;
        }
        list_move_tail(&eviction_list, &page->list);
        index = page->index;
        object = mapped_object(page);
        evicted = object == NULL && try_evict(page);
        spin_unlock(&eviction_lock);
        if (evicted) {
            page_unref(page);
            freed++;
        }
        if (object != NULL) {
            object_try_unmap(object, align_down(index, (uint64_t)UNMAP_PAGES), UNMAP_PAGES);
            reclaim_drop(object);
        }
    }
    return freed;
}
