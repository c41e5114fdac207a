/* SPDX-License-Identifier: MIT */
/*
 * Pages of an object by index: the page cache of files and the storage of tmpfs. A tree per object,
 * under object->lock; pages carry one reference of the tree. A page that is being filled is
 * PAGE_LOCKED; readers wait.
 */
#ifndef MM_PAGECACHE_H
#define MM_PAGECACHE_H

#include <arch/barrier.h>
#include <lib/errno.h>
#include <lib/types.h>
#include <mm/object.h>
#include <mm/page.h>

/* With a reference for the caller; NULL if there is none. Locked or not up to date pages are
 * returned too. Any context but interrupts. */
struct page *pagecache_find(struct vm_object *object, uint64_t index);

/* First page at or after *index (below `end`), with a reference; *index is set to its place. NULL:
 * none. */
struct page *pagecache_next(struct vm_object *object, uint64_t *index, uint64_t end);

/* Are its contents there? What they are is read after this: pairs with pagecache_filled(). */
static inline bool pagecache_is_filled(const struct page *page)
{
    return smp_load_acquire(&page->flags) & PAGE_UPTODATE;
}

/* The page of this index with its contents, and a reference; -EAGAIN: it has to be read, or is
 * being read. Any context but interrupts. */
static inline int pagecache_peek(struct vm_object *object, uint64_t index, struct page **page)
{
    *page = pagecache_find(object, index);
    if (*page == NULL)
        return -EAGAIN;
    if (pagecache_is_filled(*page))
        return 0;
    page_unref(*page);
    return -EAGAIN;
}

/* Finds or adds. A new page is PAGE_LOCKED, not PAGE_UPTODATE, contents undefined (zeroed with
 * PAGE_ZERO in `flags`: then up to date and unlocked); *created tells. A found one is waited for
 * (unless PAGE_ATOMIC: -EAGAIN when locked). The page comes with a reference. -ENOMEM, -ENOSPC (cap
 * of unevictable objects), -EAGAIN. May sleep without PAGE_ATOMIC. */
int pagecache_get(struct vm_object *object, uint64_t index, unsigned flags, struct page **page,
                  bool *created);

/* The contents of a page made by pagecache_get are there (error 0) or could not be read: wakes
 * waiters; on error the page leaves the cache. */
void pagecache_filled(struct page *page, int error);

/* The kernel wrote to the page (write(2), read from a device): instruction fetch must be made
 * coherent before it is executed again. Part of pagecache_set_dirty; tmpfs calls it on its own. */
void pagecache_written(struct page *page);

void pagecache_set_dirty(struct vm_object *object, struct page *page);   /* page of this object */
bool pagecache_clear_dirty(struct vm_object *object, struct page *page); /* true if it was dirty */
struct page *pagecache_next_dirty(struct vm_object *object, uint64_t *index,
                                  uint64_t end); /* with a reference */

/* Drops pages first .. first+count-1 out of cache and mappings (truncate, hole punch; count
 * UINT64_MAX: all that follow). Dirty contents are lost. May sleep (waits for locked pages). */
void pagecache_truncate(struct vm_object *object, uint64_t first, uint64_t count);

/* As object->ops->get for an object whose pages are simply there or zero (tmpfs, shared memory),
 * limited to `size_pages`. */
int pagecache_get_zero(struct vm_object *object, uint64_t index, uint64_t size_pages, unsigned want,
                       struct page **page);

/* Pages of all caches, for /proc/meminfo. */
uint64_t pagecache_page_count(void);

/* Evicts up to `pages` clean, unmapped, unpinned pages of evictable objects; returns how many. */
uint64_t pagecache_evict(uint64_t pages);
/* The same with mapped ones, which are taken out of their mappings first: used again before they
 * come to the front once more, they stay. One at a time; only tries locks. Thread context. */
uint64_t pagecache_evict_mapped(uint64_t pages);
/* Pages that eviction may look at: clean or not, mapped or not. */
uint64_t pagecache_evictable_count(void);

#endif
