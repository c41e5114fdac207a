/* SPDX-License-Identifier: MIT */
/*
 * Faults in areas that map an object. Reads map the object's page, and neighbours that are at hand;
 * a write to a private mapping maps a copy; a write to a shared one tells the object first.
 */
#include "fault.h"

#include "area.h"

#include <arch/barrier.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/pagecache.h>

#define AROUND_ORDER 4U /* pages looked at around a read fault, as a power of two */
#define AROUND_SIZE  (PAGE_SIZE << AROUND_ORDER)

/* Pairs with the release in object_unmap(): a page got after this is not mapped once it was
 * unmapped. */
static uint32_t sequence_begin(const struct vm_object *object)
{
    return smp_load_acquire(&object->unmap_sequence);
}

static bool sequence_changed(const struct vm_object *object, uint32_t sequence)
{
    return READ_ONCE(object->unmap_sequence) != sequence;
}

/* Asks the object with no lock held, and lets the fault start over with the page in the cache. */
static int get_sleeping(struct fault_state *f, uint64_t index, unsigned want)
{
    struct vm_object *object = f->area->object;
    int count;

    object_ref(object);
    rwlock_read_unlock(&f->vs->lock);
    f->unlocked = true;
    count = object->ops->get(object, index, want, 0, &f->kept);
    object_unref(object);
    if (count < 0) {
        f->kept = NULL;
        return count == -EFAULT ? -EIO : count == -ENOSPC ? -ENOMEM : count;
    }
    return FAULT_AGAIN;
}

static int get_page(struct fault_state *f, unsigned want, struct page **page)
{
    struct vm_object *object = f->area->object;
    uint64_t index = area_index(f->area, f->va);
    int count = object->ops->get(object, index, want | OBJECT_NOWAIT, 0, page);

    if (count > 0)
        return 0;
    if (count == -EAGAIN || count == -ENOMEM)
        return get_sleeping(f, index, want);
    if (count == -EFAULT)
        return -EIO; /* beyond the end: SIGBUS */
    return count == -ENOSPC ? -ENOMEM : count;
}

static int write_copy(struct fault_state *f)
{
    struct page *page, *copy;
    int error = get_page(f, OBJECT_READ, &page);

    if (error != 0)
        return error;
    copy = page_alloc(0, PAGE_USER);
    if (copy != NULL)
        page_copy(page_virt(copy), page_virt(page));
    page_unref(page);
    return copy == NULL ? -ENOMEM : fault_install(f, copy, true);
}

/* Maps `count` neighbouring frames from va on; some may be mapped already. pt_lock held. */
static int map_run(struct fault_state *f, vaddr_t va, struct page *page, unsigned count,
                   unsigned prot)
{
    struct pagetable *pt = &f->vs->pagetable;
    int error = 0, result = 0;

    if (prot & PT_NOREF)
        return pt_map_holes(pt, va, page_phys(page), count * PAGE_SIZE, prot);
    for (unsigned i = 0; i < count; i++, va += PAGE_SIZE) {
        error = pt_map(pt, va, page_phys(page + i), PAGE_SIZE, prot);
        if (error == 0)
            fault_count(f, 1);
        else
            page_unref(page + i);
        if (error != 0 && error != -EEXIST)
            result = error;
    }
    return result;
}

static int map_checked(struct fault_state *f, uint32_t sequence, vaddr_t va, struct page *page,
                       unsigned count, bool writable)
{
    struct vm_object *object = f->area->object;
    int error = FAULT_AGAIN;
    unsigned prot;

    if (page->flags & PAGE_RESERVED) { /* then all of the run are, and their code is coherent */
        prot = fault_leaf_prot(f, page, writable);
    } else {
        for (unsigned i = 0; i < count && (f->access & FAULT_EXEC); i++)
            fault_make_executable(page + i);
        prot = fault_leaf_prot(f, page, writable);
        for (unsigned i = 1; i < count; i++) /* what one leaf may not, none may */
            prot &= fault_leaf_prot(f, page + i, writable) | ~PT_EXEC;
    }
    smp_wmb(); /* as contents_before_entry() in fault.c */
    spin_lock(&f->vs->pt_lock);
    if (!sequence_changed(object, sequence)) {
        error = map_run(f, va, page, count, prot);
        spin_unlock(&f->vs->pt_lock);
        return error;
    }
    spin_unlock(&f->vs->pt_lock);
    for (unsigned i = 0; i < count; i++)
        page_unref(page + i);
    return error;
}

/* The faulting page's neighbours that need no waiting. True if it was among them. */
static bool map_around(struct fault_state *f)
{
    struct vm_object *object = f->area->object;
    vaddr_t va = max(align_down(f->va, AROUND_SIZE), f->area->start);
    vaddr_t end = min(align_down(f->va, AROUND_SIZE) + AROUND_SIZE, f->area->end);
    bool mapped = false;

    while (va < end) {
        uint32_t sequence = sequence_begin(object);
        unsigned left = (unsigned)((end - va) >> PAGE_SHIFT);
        struct page *page;
        int count = object->ops->get(object, area_index(f->area, va), OBJECT_READ | OBJECT_NOWAIT,
                                     AROUND_ORDER, &page);

        if (count <= 0) {
            va += PAGE_SIZE;
            continue;
        }
        for (unsigned i = left; i < (unsigned)count; i++)
            page_unref(page + i);
        count = (int)min((unsigned)count, left);
        if (map_checked(f, sequence, va, page, (unsigned)count, false) != 0)
            return mapped;
        mapped |= f->va >= va && f->va - va < (size_t)count << PAGE_SHIFT;
        va += (size_t)count << PAGE_SHIFT;
    }
    return mapped;
}

static int map_frame(struct fault_state *f)
{
    struct vm_object *object = f->area->object;
    unsigned attributes = 0;
    paddr_t pa;
    int error = object->ops->frame(object, area_index(f->area, f->va), &pa, &attributes);

    if (error != 0)
        return error == -EFAULT ? -EIO : error;
    spin_lock(&f->vs->pt_lock);
    error = pt_map(&f->vs->pagetable, f->va, pa, PAGE_SIZE,
                   (area_pt_prot(f->area) & ~PT_EXEC) | attributes | PT_NOREF);
    spin_unlock(&f->vs->pt_lock);
    return error == -EEXIST ? 0 : error;
}

int fault_object(struct fault_state *f)
{
    struct vm_object *object = f->area->object;
    bool shared = (f->area->flags & VM_SHARED) != 0, write = (f->access & FAULT_WRITE) != 0;
    uint32_t sequence;
    struct page *page;
    int error;

    if (object->ops->frame != NULL)
        return map_frame(f);
    if (write && !shared)
        return write_copy(f);
    if (!write && map_around(f))
        return 0;
    sequence = sequence_begin(object);
    error = get_page(f, write ? OBJECT_WRITE : OBJECT_READ, &page);
    if (error != 0)
        return error;
    if (write) {
        if (object->ops->dirtied != NULL)
            object->ops->dirtied(object, page);
        else
            pagecache_set_dirty(object, page);
        return map_checked(f, sequence, f->va, page, 1, true);
    }
    return map_checked(f, sequence, f->va, page, 1, false);
}
