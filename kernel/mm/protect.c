/* SPDX-License-Identifier: MIT */
/* Changing areas in place: mprotect, and the flags that madvise and mlock set. */
#include "protect.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#define PROTECT_STEP (32UL << 20)

static int protect_pages(struct vmspace *vs, vaddr_t start, vaddr_t end, unsigned prot)
{
    int error = 0;

    while (start < end && error == 0) {
        vaddr_t stop =
            end - start > PROTECT_STEP ? align_down(start + PROTECT_STEP, HUGE_SIZE) : end;
        struct tlb_batch batch;

        spin_lock(&vs->pt_lock);
        tlb_begin(&batch, &vs->pagetable);
        error = pt_protect(&vs->pagetable, start, stop - start, prot, &batch);
        tlb_finish(&batch);
        spin_unlock(&vs->pt_lock);
        start = stop;
    }
    return error;
}

int area_isolate(struct vmspace *vs, struct vm_area **area, vaddr_t start, vaddr_t end)
{
    int error;

    if ((*area)->start < start) {
        error = area_split(vs, *area, start);
        if (error != 0)
            return error;
        *area = area_next(*area);
    }
    return (*area)->end > end ? area_split(vs, *area, end) : 0;
}

static int protect_area(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end,
                        unsigned prot, struct list_node *dead)
{
    struct vm_area wanted = *area;
    int error;

    if (prot & VM_PROT_MASK & ~area->max_prot)
        return -EACCES;
    if (prot == area->prot)
        return 0;
    wanted.prot = prot;
    if (!area_is_private_writable(area) && vm_is_too_much(&wanted, end - start))
        return -ENOMEM;
    if (area_is_private_writable(&wanted) && !area_is_private_writable(area) &&
        vs->limit_data != UINT64_MAX && vs->pages_data * PAGE_SIZE + (end - start) > vs->limit_data)
        return -ENOMEM;
    error = area_isolate(vs, &area, start, end);
    if (error == 0)
        error = protect_pages(vs, start, end, area_pt_prot(&wanted));
    if (error == 0) {
        area_set_prot(vs, area, prot, area->flags);
        area_merge(vs, area, dead);
    }
    return error;
}

int vm_protect(struct vmspace *vs, vaddr_t addr, size_t len, unsigned prot)
{
    struct list_node dead = LIST_INIT(dead);
    vaddr_t end = addr + align_up(len, PAGE_SIZE);
    int error = 0;

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (len == 0)
        return 0;
    if (end <= addr || end > USER_TOP)
        return -ENOMEM;
    rwlock_write_lock(&vs->lock);
    while (addr < end && error == 0) {
        struct vm_area *area = area_find(vs, addr);
        vaddr_t stop;

        if (area == NULL || area->start > addr) {
            error = -ENOMEM;
            break;
        }
        stop = min(area->end, end);
        error = protect_area(vs, area, addr, stop, prot, &dead);
        addr = stop;
    }
    rwlock_write_unlock(&vs->lock);
    if (!list_empty(&dead))
        areas_release(&dead);
    return error;
}

int area_change_flags(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end,
                      unsigned clear, unsigned set, struct list_node *dead)
{
    unsigned flags = (area->flags & ~clear) | set;
    int error;

    if (flags == area->flags)
        return 0;
    error = area_isolate(vs, &area, start, end);
    if (error == 0) {
        area_set_prot(vs, area, area->prot, flags);
        area_merge(vs, area, dead);
    }
    return error;
}
