/* SPDX-License-Identifier: MIT */
/*
 * Objects: references, and taking pages out of the areas that map them. An area's place in its
 * object changes only with object->area_lock held, so the walk here needs no lock of the address
 * space but its page table's.
 */
#include <mm/object.h>

#include "frames.h"

#include <arch/barrier.h>
#include <core/panic.h>
#include <lib/minmax.h>
#include <mm/pagecache.h>
#include <mm/vmspace.h>

void object_init(struct vm_object *object, const struct vm_object_ops *ops, uint32_t flags)
{
    *object = (struct vm_object){.ops = ops, .refs = ATOMIC_INIT(1), .flags = flags};
    spin_init(&object->lock, RANK_OBJECT_PAGES);
    mutex_init(&object->area_lock, RANK_OBJECT);
    list_init(&object->areas);
}

void object_ref(struct vm_object *object)
{
    atomic_inc(&object->refs);
}

void object_unref(struct vm_object *object)
{
    if (atomic_dec_and_test(&object->refs)) {
        ASSERT(list_empty(&object->areas));
        object->ops->release(object);
    }
}

void object_show_by(struct vm_object *lower, struct vm_object *upper, const struct vm_object *old)
{
    spin_lock(&lower->lock);
    if (upper != NULL || lower->shown_by == old)
        lower->shown_by = upper;
    spin_unlock(&lower->lock);
}

/* The part of an area that maps object pages [first, end); false: none. */
static bool area_part(const struct vm_area *area, uint64_t first, uint64_t end, vaddr_t *from,
                      vaddr_t *to)
{
    uint64_t area_end = area->offset + ((area->end - area->start) >> PAGE_SHIFT);

    first = max(first, area->offset);
    end = min(end, area_end);
    if (first >= end)
        return false;
    *from = area->start + ((first - area->offset) << PAGE_SHIFT);
    *to = area->start + ((end - area->offset) << PAGE_SHIFT);
    return true;
}

/* Unmaps what is the object's own; pages that a private mapping has copied stay. */
static void unmap_own(struct vmspace *vs, vaddr_t va, vaddr_t end, struct tlb_batch *batch)
{
    paddr_t pa;
    unsigned prot;

    for (; (va = pt_next(&vs->pagetable, va, end)) < end; va += PAGE_SIZE) {
        if (!pt_query(&vs->pagetable, va, &pa, &prot))
            continue;
        if (prot & PT_NOREF || phys_page(pa)->object != NULL)
            (void)pt_unmap(&vs->pagetable, va, PAGE_SIZE, batch);
    }
}

/* object->area_lock held. */
static void unmap_locked(struct vm_object *object, uint64_t first, uint64_t end, bool copies)
{
    struct vm_area *area;
    vaddr_t from, to;

    /* Before the tables are looked at: pairs with the acquire in fault_object(), which then sees a
     * change. */
    smp_store_release(&object->unmap_sequence, object->unmap_sequence + 1);
    list_for_each_entry (area, &object->areas, object_link) {
        struct vmspace *vs = area->vmspace;
        struct tlb_batch batch;

        if (!area_part(area, first, end, &from, &to))
            continue;
        spin_lock(&vs->pt_lock);
        tlb_begin(&batch, &vs->pagetable);
        if (copies || area->flags & VM_SHARED)
            (void)pt_unmap(&vs->pagetable, from, to - from, &batch);
        else
            unmap_own(vs, from, to, &batch);
        tlb_finish(&batch);
        spin_unlock(&vs->pt_lock);
    }
}

void object_unmap(struct vm_object *object, uint64_t first, uint64_t count, bool copies)
{
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;

    mutex_lock(&object->area_lock);
    unmap_locked(object, first, end, copies);
    mutex_unlock(&object->area_lock);
}

void object_try_unmap(struct vm_object *object, uint64_t first, uint64_t count)
{
    if (!mutex_trylock(&object->area_lock))
        return;
    unmap_locked(object, first, first + count, false);
    mutex_unlock(&object->area_lock);
}

__cold void object_clean_mappings(struct vm_object *object, uint64_t first, uint64_t count)
{
    uint64_t end = count > UINT64_MAX - first ? UINT64_MAX : first + count;
    struct vm_area *area;
    vaddr_t from, to;

    mutex_lock(&object->area_lock);
    list_for_each_entry (area, &object->areas, object_link) {
        struct vmspace *vs = area->vmspace;
        struct tlb_batch batch;

        if (!(area->flags & VM_SHARED) || !area_part(area, first, end, &from, &to))
            continue;
        spin_lock(&vs->pt_lock);
        tlb_begin(&batch, &vs->pagetable);
        pt_write_protect(&vs->pagetable, from, to - from, &batch);
        tlb_finish(&batch);
        spin_unlock(&vs->pt_lock);
    }
    mutex_unlock(&object->area_lock);
}
