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

/* Area by area, up to the first error; or past all errors. */
static int populate(struct vmspace *vs, vaddr_t addr, vaddr_t end, bool goes_on)
{
    int error = 0;

    while (addr < end && (error == 0 || goes_on)) {
        const struct vm_area *area;
        unsigned access = FAULT_READ;
        vaddr_t start = end, stop = end;

        rwlock_read_lock(&vs->lock);
        area = area_find(vs, addr);
        if (area != NULL && area->start < end) {
            start = max(addr, area->start);
            stop = min(area->end, end);
            access = populate_access(area->prot, area->flags);
        }
        rwlock_read_unlock(&vs->lock);
        error = vm_populate(vs, start, stop - start, access);
        addr = stop;
    }
    return error;
}

/* As mlock(2) has it for what lies in the range and is inaccessible or a device's: -ENOMEM. */
static int populate_locked(struct vmspace *vs, vaddr_t addr, vaddr_t end)
{
    int error = populate(vs, addr, end, false);

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
    int error = 0;

    rwlock_write_lock(&vs->lock);
    if (current_areas)
        error = lock_current(vs, flags, &dead);
    if (error == 0)
        vs->lock_future = future ? flags : 0;
    rwlock_write_unlock(&vs->lock);
    if (error == 0 && current_areas && (flags & LOCK_FLAGS) == VM_LOCKED)
        (void)populate(vs, 0, USER_TOP, true); /* mlockall(2) tells nothing of it */
    return error;
}
