/* SPDX-License-Identifier: MIT */
/* madvise(2), msync(2), mincore(2): advice and questions about ranges that may cross areas and
 * holes. */
#include "protect.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/pagecache.h>

enum {
    ADV_NORMAL = 0,
    ADV_RANDOM = 1,
    ADV_SEQUENTIAL = 2,
    ADV_WILLNEED = 3,
    ADV_DONTNEED = 4,
    ADV_FREE = 8,
    ADV_REMOVE = 9,
    ADV_DONTFORK = 10,
    ADV_DOFORK = 11,
    ADV_HUGEPAGE = 14,
    ADV_NOHUGEPAGE = 15,
    ADV_DONTDUMP = 16,
    ADV_DODUMP = 17,
    ADV_WIPEONFORK = 18,
    ADV_KEEPONFORK = 19,
    ADV_COLD = 20,
    ADV_PAGEOUT = 21,
    ADV_POPULATE_READ = 22,
    ADV_POPULATE_WRITE = 23,
    ADV_DONTNEED_LOCKED = 24,
};

static bool is_known(int advice)
{
    return (advice >= ADV_NORMAL && advice <= ADV_DONTNEED) ||
           (advice >= ADV_FREE && advice <= ADV_DOFORK) ||
           (advice >= ADV_HUGEPAGE && advice <= ADV_DONTNEED_LOCKED);
}

/* Bits that an advice clears and sets; false if it is not of that sort. */
static bool flag_advice(int advice, unsigned *clear, unsigned *set)
{
    *clear = *set = 0;
    switch (advice) {
    case ADV_DONTFORK:
        *set = VM_NOFORK;
        return true;
    case ADV_DOFORK:
        *clear = VM_NOFORK;
        return true;
    case ADV_HUGEPAGE:
        *clear = VM_NOHUGE;
        *set = VM_HUGE;
        return true;
    case ADV_NOHUGEPAGE:
        *clear = VM_HUGE;
        *set = VM_NOHUGE;
        return true;
    case ADV_DONTDUMP:
        *set = VM_NODUMP;
        return true;
    case ADV_DODUMP:
        *clear = VM_NODUMP;
        return true;
    case ADV_WIPEONFORK:
        *set = VM_WIPEFORK;
        return true;
    case ADV_KEEPONFORK:
        *clear = VM_WIPEFORK;
        return true;
    default:
        return false;
    }
}

static bool is_private_anonymous(const struct vm_area *area)
{
    return area->object == NULL;
}

static int discard(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end, int advice)
{
    if ((area->flags & VM_IO) || ((area->flags & VM_LOCKED) && advice != ADV_DONTNEED_LOCKED))
        return -EINVAL;
    if (advice == ADV_FREE && !is_private_anonymous(area))
        return -EINVAL;
    int error = vm_zap(vs, start, end);

    if (error == 0 && end - start >= HUGE_SIZE)
        vm_free_tables(vs, start, end, start, end); /* blocks may come again */
    return error;
}

/* MADV_REMOVE: a hole in the object itself. Called with the lock held, which it lets go and takes
 * again. */
static int punch(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end)
{
    struct vm_object *object = area->object;
    uint64_t first = object == NULL ? 0 : area_index(area, start);
    int error = -EOPNOTSUPP;

    if (area->flags & VM_LOCKED)
        return -EINVAL;
    if (object == NULL)
        return -EINVAL;
    if ((area->flags & VM_SHARED) == 0 || !(area->max_prot & VM_WRITE))
        return -EACCES;
    object_ref(object);
    rwlock_write_unlock(&vs->lock);
    if (object->ops->discard != NULL)
        error = object->ops->discard(object, first, (end - start) >> PAGE_SHIFT);
    object_unref(object);
    rwlock_write_lock(&vs->lock);
    return error;
}

static int advise_area(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end,
                       int advice, struct list_node *dead)
{
    unsigned clear, set;

    if (flag_advice(advice, &clear, &set)) {
        if (advice == ADV_WIPEONFORK && !is_private_anonymous(area))
            return -EINVAL;
        if ((advice == ADV_DOFORK || advice == ADV_DODUMP) && (area->flags & VM_IO))
            return -EINVAL;
        return area_change_flags(vs, area, start, end, clear, set, dead);
    }
    switch (advice) {
    case ADV_DONTNEED:
    case ADV_DONTNEED_LOCKED:
    case ADV_FREE:
        return discard(vs, area, start, end, advice);
    case ADV_REMOVE:
        return punch(vs, area, start, end);
    case ADV_COLD:
    case ADV_PAGEOUT:
        return area->flags & (VM_LOCKED | VM_IO) ? -EINVAL : 0; /* there is nowhere to page to */
    default:
        return 0; /* access patterns: pages come one by one either way */
    }
}

static int advise_range(struct vmspace *vs, vaddr_t addr, vaddr_t end, int advice)
{
    struct list_node dead = LIST_INIT(dead);
    int error = 0, hole = 0;

    rwlock_write_lock(&vs->lock);
    while (addr < end && error == 0) {
        struct vm_area *area = area_find(vs, addr);
        vaddr_t stop;

        if (area == NULL || area->start >= end) {
            hole = -ENOMEM;
            break;
        }
        if (area->start > addr) {
            hole = -ENOMEM; /* told at the end; the rest is done */
            addr = area->start;
        }
        stop = min(area->end, end);
        error = advise_area(vs, area, addr, stop, advice, &dead);
        addr = stop;
    }
    rwlock_write_unlock(&vs->lock);
    if (!list_empty(&dead))
        areas_release(&dead);
    return error != 0 ? error : hole;
}

static int populate(struct vmspace *vs, vaddr_t addr, size_t len, int advice)
{
    int error = vm_populate(vs, addr, len, advice == ADV_POPULATE_WRITE ? FAULT_WRITE : FAULT_READ);

    if (error == -EFAULT)
        return -ENOMEM; /* a hole */
    if (error == -EACCES)
        return -EINVAL;
    return error == -EIO ? -EFAULT : error;
}

int vm_advise(struct vmspace *vs, vaddr_t addr, size_t len, int advice)
{
    size_t rounded = align_up(len, PAGE_SIZE);

    if (!is_known(advice) || !is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if ((len != 0 && rounded == 0) || addr + rounded < addr)
        return -EINVAL;
    if (rounded == 0)
        return 0;
    if (!user_range_ok(addr, rounded))
        return -ENOMEM;
    if (advice == ADV_POPULATE_READ || advice == ADV_POPULATE_WRITE)
        return populate(vs, addr, rounded, advice);
    return advise_range(vs, addr, addr + rounded, advice);
}

/* --- msync --- */

/* Writes back one area's part with no lock held. */
static int sync_object(struct vm_object *object, uint64_t first, uint64_t count)
{
    int error = 0;

    if (object->ops->write_back != NULL) {
        object_clean_mappings(object, first, count);
        error = object->ops->write_back(object, first, count);
    }
    object_unref(object);
    return error;
}

int vm_sync(struct vmspace *vs, vaddr_t addr, size_t len, bool wait, bool invalidate)
{
    vaddr_t end = addr + align_up(len, PAGE_SIZE);
    int error = 0, hole = 0;

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (end < addr || end > USER_TOP)
        return -ENOMEM;
    while (addr < end && error == 0) {
        struct vm_object *object = NULL;
        uint64_t first = 0, count = 0;

        rwlock_read_lock(&vs->lock);
        struct vm_area *area = area_find(vs, addr);

        if (area == NULL || area->start >= end) {
            hole = -ENOMEM;
            addr = end;
        } else {
            hole = area->start > addr ? -ENOMEM : hole;
            addr = max(addr, area->start);
            if (invalidate && (area->flags & VM_LOCKED))
                error = -EBUSY;
            if (wait && area->object != NULL && (area->flags & VM_SHARED)) {
                object = area->object;
                object_ref(object);
                first = area_index(area, addr);
                count = (min(area->end, end) - addr) >> PAGE_SHIFT;
            }
            addr = min(area->end, end);
        }
        rwlock_read_unlock(&vs->lock);
        if (object != NULL) {
            int result = sync_object(object, first, count);

            error = error != 0 ? error : result;
        }
    }
    return error != 0 ? error : hole;
}

/* --- mincore --- */

static bool in_core(struct vmspace *vs, const struct vm_area *area, vaddr_t va)
{
    struct page *page;
    unsigned prot;
    paddr_t pa;
    bool mapped;

    spin_lock(&vs->pt_lock);
    mapped = pt_query(&vs->pagetable, va, &pa, &prot);
    spin_unlock(&vs->pt_lock);
    if (mapped || area->object == NULL)
        return mapped;
    if (area->object->flags & OBJECT_IN_PLACE)
        return true;
    page = pagecache_find(area->object, area_index(area, va));
    if (page == NULL)
        return false;
    mapped = (page->flags & PAGE_UPTODATE) != 0;
    page_unref(page);
    return mapped;
}

int vm_residence(struct vmspace *vs, vaddr_t addr, size_t len, unsigned char *vec)
{
    vaddr_t end = addr + align_up(len, PAGE_SIZE);
    int error = 0;

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    rwlock_read_lock(&vs->lock);
    for (; addr < end; addr += PAGE_SIZE) {
        const struct vm_area *area = area_find(vs, addr);

        if (area == NULL || area->start > addr) {
            error = -ENOMEM;
            break;
        }
        *vec++ = in_core(vs, area, addr);
    }
    rwlock_read_unlock(&vs->lock);
    return error;
}
