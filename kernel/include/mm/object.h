/* SPDX-License-Identifier: MIT */
/*
 * What can be mapped: files, shared memory, devices, the root in RAM embed a vm_object. It has
 * pages by index (units of PAGE_SIZE), a list of the areas that map it, and operations. Objects
 * that keep their pages in memory use mm/pagecache.h for the pages; those with frames of their own
 * (root in place, devices) only `get`.
 */
#ifndef MM_OBJECT_H
#define MM_OBJECT_H

#include <arch/atomic.h>
#include <core/lock.h>
#include <lib/list.h>
#include <lib/types.h>

struct page;
struct vm_object;

/* get: want */
#define OBJECT_READ   0U
#define OBJECT_WRITE  1U /* the page will be written through a shared mapping or write(2) */
#define OBJECT_NOWAIT 2U /* -EAGAIN instead of sleeping: called under locks */

struct vm_object_ops {
    /*
     * The page at `index`, and if they are at hand up to (1 << order) - 1 that follow it in the
     * object and in physical memory: returns how many (>= 1), *page the first; each carries a
     * reference for the caller (PAGE_RESERVED ones need none). -EAGAIN (OBJECT_NOWAIT only),
     * -EFAULT beyond the end (SIGBUS), -EIO, -ENOMEM, -ENOSPC. May sleep without OBJECT_NOWAIT; no
     * lock of mm is held then. Order 0 is always right.
     */
    int (*get)(struct vm_object *, uint64_t index, unsigned want, unsigned order,
               struct page **page);
    /* A clean page of a shared mapping is about to become writable (first write fault) or was
     * written by a pin. NULL: pagecache_set_dirty. Does not sleep. */
    void (*dirtied)(struct vm_object *, struct page *);
    /* Writes pages first .. first+count-1 that are dirty to the backing store and waits. NULL:
     * nothing to do. */
    int (*write_back)(struct vm_object *, uint64_t first, uint64_t count);
    /* MADV_REMOVE: frees the pages and makes a hole. NULL: -EOPNOTSUPP. */
    int (*discard)(struct vm_object *, uint64_t first, uint64_t count);
    /* The last reference is gone. */
    void (*release)(struct vm_object *);
    /* Frames of a device: mapping attributes (PT_DEVICE or PT_NORMAL_NC), `get` is then not used.
     * NULL: memory. */
    int (*frame)(struct vm_object *, uint64_t index, paddr_t *pa, unsigned *attributes);
};

/* object->flags */
#define OBJECT_IN_PLACE \
    1U /* frames are fixed for the object's life (root in RAM, vDSO): no eviction, no counting */
#define OBJECT_UNEVICTABLE \
    2U /* no backing store (tmpfs, shared memory): pages stay; they count against the cap */
#define OBJECT_UNCAPPED 4U /* ... but for the cap: shared anonymous memory */

struct vm_object {
    const struct vm_object_ops *ops;
    atomic_t refs;
    uint32_t flags;
    struct spinlock lock; /* guards: tree, page->object/index/DIRTY of its pages, counters below */
    void *tree;           /* pagecache.c */
    uint64_t page_count;  /* pages in the tree */
    uint64_t dirty_count;
    uint32_t unmap_sequence; /* raised before pages leave mappings: a fault under way tries again */
    struct mutex
        area_lock; /* guards: areas, and start/end/offset of the areas in it against unmapping */
    struct list_node areas;     /* vm_area.object_link */
    atomic_t writable_maps;     /* shared writable areas (sealing, ETXTBSY) */
    struct vm_object *shown_by; /* lock: as said at object_show_by(); NULL: nobody */
};

void object_init(struct vm_object *object, const struct vm_object_ops *ops,
                 uint32_t flags); /* refs = 1 */
void object_ref(struct vm_object *object);
void object_unref(struct vm_object *object); /* may sleep */

/* Copies bytes out of the object's pages: as many as it has pages for (behind a file's end the last
 * one holds zeroes), or an error of its `get`. May sleep. */
ssize_t object_read(struct vm_object *object, void *to, size_t bytes, uint64_t pos);

/*
 * `upper` gives out pages of `lower` as its own, at the same index (an overlay's file over the one
 * below): eviction looks for mappings there. With NULL for `upper`, `old` does so no longer, before
 * it goes; `old` is not looked at otherwise.
 */
void object_show_by(struct vm_object *lower, struct vm_object *upper, const struct vm_object *old);

/* Takes pages first .. first+count-1 out of every mapping (count UINT64_MAX: to the end). Private
 * copies go too when `copies` is true (truncation), else only the object's own pages. May sleep. */
void object_unmap(struct vm_object *object, uint64_t first, uint64_t count, bool copies);
/* The same without the copies, or nothing when others change the object's mappings just then. */
void object_try_unmap(struct vm_object *object, uint64_t first, uint64_t count);

/* Write-protects them in every mapping, so that the next write is seen by dirtied(); before
 * write-back. May sleep. */
void object_clean_mappings(struct vm_object *object, uint64_t first, uint64_t count);

/* Memory without a file: MAP_SHARED|MAP_ANONYMOUS, memfd, SysV. Pages are zero until written. NULL:
 * no memory. */
struct vm_object *object_create_shared(void);

#endif
