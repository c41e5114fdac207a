/* SPDX-License-Identifier: MIT */
/* mremap(2): shrinking, growing in place, moving leaves to another range. */
#include "area.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#define MOVE_STEP (32UL << 20)

struct remap {
    struct vmspace *vs;
    struct vm_area *area; /* holds [old, old + old_len) */
    vaddr_t old;
    size_t old_len, new_len;
    unsigned flags;
    vaddr_t fixed;
    struct list_node *dead;
};

static int check(const struct remap *r)
{
    if (r->flags & ~(REMAP_MAYMOVE | REMAP_FIXED | REMAP_DONTUNMAP))
        return -EINVAL;
    if ((r->flags & (REMAP_FIXED | REMAP_DONTUNMAP)) && !(r->flags & REMAP_MAYMOVE))
        return -EINVAL;
    if ((r->flags & REMAP_DONTUNMAP) && r->old_len != r->new_len)
        return -EINVAL;
    if (!is_aligned(r->old, PAGE_SIZE) || r->new_len == 0)
        return -EINVAL;
    if (!(r->flags & REMAP_FIXED))
        return 0;
    if (!is_aligned(r->fixed, PAGE_SIZE) || !user_range_ok(r->fixed, r->new_len))
        return -EINVAL;
    return r->old + r->old_len > r->fixed && r->fixed + r->new_len > r->old ? -EINVAL : 0;
}

static int find_area(struct remap *r)
{
    r->area = area_find(r->vs, r->old);
    if (r->area == NULL || r->area->start > r->old)
        return -EFAULT;
    if (r->old_len == 0 && !(r->area->flags & VM_SHARED))
        return -EINVAL; /* only shared memory can be had twice */
    if ((r->flags & REMAP_DONTUNMAP) && (r->area->flags & VM_IO))
        return -EINVAL;
    /* What is only cut off may lie in other areas. */
    if (r->new_len <= r->old_len && !(r->flags & (REMAP_FIXED | REMAP_DONTUNMAP)))
        return 0;
    return min(r->old_len, r->new_len) > r->area->end - r->old ? -EFAULT : 0;
}

static int check_growth(const struct remap *r)
{
    struct vmspace *vs = r->vs;
    size_t more = r->new_len - r->old_len;

    if (vm_is_too_much(r->area, more))
        return -ENOMEM;
    if (vs->limit_as != UINT64_MAX && vs->pages_mapped * PAGE_SIZE + more > vs->limit_as)
        return -ENOMEM;
    if ((r->area->flags & VM_LOCKED) && !vs->memlock_unlimited && vs->limit_memlock != UINT64_MAX &&
        vs->pages_locked * PAGE_SIZE + more > vs->limit_memlock)
        return -EAGAIN;
    if (area_is_private_writable(r->area) && vs->limit_data != UINT64_MAX &&
        vs->pages_data * PAGE_SIZE + more > vs->limit_data)
        return -ENOMEM;
    return 0;
}

static bool grow_in_place(struct remap *r)
{
    vaddr_t end = r->old + r->old_len, new_end = r->old + r->new_len;
    struct vm_area *area = r->area;

    if (area->end != end || !user_range_ok(r->old, r->new_len) ||
        !area_range_free(r->vs, end, new_end))
        return false;
    area_resize(r->vs, area, area->start, new_end);
    area_merge(r->vs, area, r->dead);
    return true;
}

/* Leaves of the first `len` bytes; on failure all are back. */
static int move_pages(struct remap *r, vaddr_t to, size_t len)
{
    struct vm_object *object = r->area->object;
    size_t done = 0;
    int error = 0;

    if (object != NULL)
        mutex_lock(&object->area_lock); /* object_unmap() must not miss a page between two places */
    while (done < len && error == 0) {
        size_t step = min(len - done, MOVE_STEP), moved;
        struct tlb_batch batch;

        spin_lock(&r->vs->pt_lock);
        tlb_begin(&batch, &r->vs->pagetable);
        error = pt_move(&r->vs->pagetable, r->old + done, to + done, step, &moved, &batch);
        tlb_finish(&batch);
        done += moved;
        if (error != 0) { /* the tables of the old place are still there */
            tlb_begin(&batch, &r->vs->pagetable);
            (void)pt_move(&r->vs->pagetable, to, r->old, done, &moved, &batch);
            tlb_finish(&batch);
        }
        spin_unlock(&r->vs->pt_lock);
    }
    if (object != NULL)
        mutex_unlock(&object->area_lock);
    return error;
}

static int move(struct remap *r, vaddr_t *addr)
{
    struct vm_area *area = r->area;
    struct vm_request request = {
        .hint = r->flags & REMAP_FIXED ? r->fixed : 0,
        .len = r->new_len,
        .prot = area->prot,
        .max_prot = area->max_prot,
        .flags = (area->flags & ~VM_GROWSDOWN) | (r->flags & REMAP_FIXED ? VM_FIXED : 0),
        .object = area->object,
        .offset = area_index(area, r->old) << PAGE_SHIFT,
        .owner_ops = area->owner_ops,
        .owner = area->owner,
        .name = area->name,
    };
    int error = vm_map_locked(r->vs, &request, addr, r->dead);

    if (error != 0)
        return error;
    r->area = area_find(r->vs, r->old); /* a fixed place may have cut it */
    error = move_pages(r, *addr, min(r->old_len, r->new_len));
    if (error != 0) {
        (void)vm_unmap_locked(r->vs, *addr, *addr + r->new_len, r->dead);
        return error;
    }
    if (r->old_len == 0 || (r->flags & REMAP_DONTUNMAP))
        return 0;
    return vm_unmap_locked(r->vs, r->old, r->old + r->old_len, r->dead);
}

static int remap_locked(struct remap *r, vaddr_t *addr)
{
    int error = find_area(r);

    *addr = r->old;
    if (error != 0)
        return error;
    if (!(r->flags & (REMAP_FIXED | REMAP_DONTUNMAP))) {
        if (r->new_len <= r->old_len && r->old_len != 0)
            return r->new_len == r->old_len
                       ? 0
                       : vm_unmap_locked(r->vs, r->old + r->new_len, r->old + r->old_len, r->dead);
        error = check_growth(r);
        if (error != 0)
            return error;
        if (r->old_len != 0 && grow_in_place(r))
            return 0;
        if (!(r->flags & REMAP_MAYMOVE))
            return -ENOMEM;
    } else if (r->new_len > r->old_len) {
        error = check_growth(r);
        if (error != 0)
            return error;
    }
    return move(r, addr);
}

int vm_remap(struct vmspace *vs, vaddr_t old, size_t old_len, size_t new_len, unsigned flags,
             vaddr_t fixed, vaddr_t *addr)
{
    struct list_node dead = LIST_INIT(dead);
    struct remap r = {.vs = vs,
                      .old = old,
                      .old_len = align_up(old_len, PAGE_SIZE),
                      .new_len = align_up(new_len, PAGE_SIZE),
                      .flags = flags,
                      .fixed = fixed,
                      .dead = &dead};
    unsigned access = 0;
    int error = check(&r);

    if (error != 0)
        return error;
    rwlock_write_lock(&vs->lock);
    error = remap_locked(&r, addr);
    if (error == 0 && r.new_len > r.old_len) {
        const struct vm_area *area = area_find(vs, *addr);

        if (area != NULL && (area->flags & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED)
            access = populate_access(area->prot, area->flags);
    }
    rwlock_write_unlock(&vs->lock);
    if (!list_empty(&dead))
        areas_release(&dead);
    if (access != 0)
        (void)vm_populate(vs, *addr + r.old_len, r.new_len - r.old_len, access);
    return error;
}
