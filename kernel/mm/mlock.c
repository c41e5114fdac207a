/* SPDX-License-Identifier: MIT */
/* mlock(2) and its kin. Nothing is ever paged out, so locking means populating and counting. */
#include "protect.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#define LOCK_FLAGS (VM_LOCKED | VM_LOCKONFAULT)

static uint64_t pages_locked_in(struct vmspace *vs, vaddr_t start, vaddr_t end)
{
    uint64_t pages = 0;

    for (struct vm_area *area = area_find(vs, start); area != NULL && area->start < end;
         area = area_next(area)) {
        if (area->flags & VM_LOCKED)
            pages += (min(area->end, end) - max(area->start, start)) >> PAGE_SHIFT;
    }
    return pages;
}

static bool over_limit(struct vmspace *vs, vaddr_t start, vaddr_t end)
{
    uint64_t pages = vs->pages_locked + ((end - start) >> PAGE_SHIFT);

    return !vs->memlock_unlimited && vs->limit_memlock != UINT64_MAX &&
           (pages - pages_locked_in(vs, start, end)) * PAGE_SIZE > vs->limit_memlock;
}

static int set_flags(struct vmspace *vs, vaddr_t addr, vaddr_t end, unsigned flags,
                     struct list_node *dead)
{
    int error = 0;

    while (addr < end && error == 0) {
        struct vm_area *area = area_find(vs, addr);
        vaddr_t stop;

        if (area == NULL || area->start > addr)
            return -ENOMEM;
        stop = min(area->end, end);
        error = area_change_flags(vs, area, addr, stop, LOCK_FLAGS, flags, dead);
        addr = stop;
    }
    return error;
}

/* Inaccessible and device areas are passed over, as mlock(2) has it for PROT_NONE: -ENOMEM after
 * the rest. */
static int populate_locked(struct vmspace *vs, vaddr_t addr, vaddr_t end)
{
    int error = vm_populate(vs, addr, end - addr, FAULT_READ);

    return error == 0 ? 0 : error == -ENOMEM ? -EAGAIN : -ENOMEM;
}

int vm_lock(struct vmspace *vs, vaddr_t addr, size_t len, unsigned flags)
{
    struct list_node dead = LIST_INIT(dead);
    vaddr_t start = align_down(addr, PAGE_SIZE), end = align_up(addr + len, PAGE_SIZE);
    int error;

    if (end < start || addr + len < addr)
        return -EINVAL;
    if (start == end)
        return 0;
    if (end > USER_TOP)
        return -ENOMEM;
    rwlock_write_lock(&vs->lock);
    if ((flags & VM_LOCKED) && over_limit(vs, start, end))
        error = -ENOMEM;
    else
        error = set_flags(vs, start, end, flags, &dead);
    rwlock_write_unlock(&vs->lock);
    if (!list_empty(&dead))
        areas_release(&dead);
    if (error == 0 && (flags & LOCK_FLAGS) == VM_LOCKED)
        error = populate_locked(vs, start, end);
    return error;
}

static int lock_current(struct vmspace *vs, unsigned flags, struct list_node *dead)
{
    struct vm_area *area;

    if ((flags & VM_LOCKED) && !vs->memlock_unlimited && vs->limit_memlock != UINT64_MAX &&
        vs->pages_mapped * PAGE_SIZE > vs->limit_memlock)
        return -ENOMEM;
    for (area = area_find(vs, 0); area != NULL; area = area_next(area)) {
        (void)dead;
        if (!(area->flags & VM_IO)) /* not merged here: the walk goes on from this area */
            area_set_prot(vs, area, area->prot, (area->flags & ~LOCK_FLAGS) | flags);
    }
    return 0;
}

int vm_lock_all(struct vmspace *vs, unsigned flags, bool current_areas, bool future)
{
    struct list_node dead = LIST_INIT(dead);
    struct vm_area *area;
    vaddr_t addr = 0;
    int error = 0;

    rwlock_write_lock(&vs->lock);
    if (current_areas)
        error = lock_current(vs, flags, &dead);
    if (error == 0)
        vs->lock_future = future ? flags : 0;
    rwlock_write_unlock(&vs->lock);
    while (error == 0 && current_areas && (flags & LOCK_FLAGS) == VM_LOCKED) {
        vaddr_t start = 0, end = 0;
        bool accessible = false;

        rwlock_read_lock(&vs->lock);
        area = area_find(vs, addr);
        if (area != NULL) {
            start = area->start;
            end = area->end;
            accessible = area->prot != 0;
        }
        rwlock_read_unlock(&vs->lock);
        if (area == NULL)
            break;
        if (accessible)
            (void)vm_populate(vs, start, end - start,
                              FAULT_READ); /* mlockall(2) tells nothing of it */
        addr = end;
    }
    return error;
}
