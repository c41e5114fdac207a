/* SPDX-License-Identifier: MIT */
/* mmap, munmap and brk on areas. Errors are those of mmap(2), munmap(2), brk(2). */
#include "area.h"
#include "frames.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#define ZAP_STEP       (32UL << 20) /* unmapped under one hold of the page table's lock */
#define KEPT_FLAGS     (~(VM_FIXED | VM_NOREPLACE | VM_POPULATE))
#define AREA_COUNT_MAX 65530U /* vm.max_map_count */
#define TABLES_KEPT    64U

static bool vm_range_ok(vaddr_t addr, size_t len)
{
    return is_aligned(addr, PAGE_SIZE) && user_range_ok(addr, len);
}

__cold int vm_zap(struct vmspace *vs, vaddr_t start, vaddr_t end)
{
    int error = 0;

    while (start < end && error == 0) {
        vaddr_t stop = end - start > ZAP_STEP ? align_down(start + ZAP_STEP, HUGE_SIZE) : end;
        struct tlb_batch batch;

        spin_lock(&vs->pt_lock);
        tlb_begin(&batch, &vs->pagetable);
        error = pt_unmap(&vs->pagetable, start, stop - start, &batch);
        tlb_finish(&batch); /* before another fault can put a new frame there (D8.16.1) */
        start = stop == end ? end : pt_next(&vs->pagetable, stop, end);
        spin_unlock(&vs->pt_lock);
    }
    return error;
}

void vm_free_tables(struct vmspace *vs, vaddr_t first, vaddr_t end, vaddr_t floor, vaddr_t ceiling)
{
    struct tlb_batch batch;

    spin_lock(&vs->pt_lock);
    tlb_begin(&batch, &vs->pagetable);
    pt_free_tables(&vs->pagetable, first, end, floor, ceiling, &batch);
    tlb_finish(&batch);
    spin_unlock(&vs->pt_lock);
}

/* Of a program with few tables small holes keep theirs: the next mapping will want it. */
static void free_tables_around(struct vmspace *vs, vaddr_t start, vaddr_t end)
{
    const struct vm_area *next, *previous;
    vaddr_t floor, ceiling;

    if (end - start < HUGE_SIZE && vs->pagetable.table_count < TABLES_KEPT)
        return;
    next = area_find(vs, start);
    previous = area_before(vs, next);
    floor = previous == NULL ? 0 : previous->end;
    ceiling = next == NULL ? USER_TOP : next->start;
    if (max(align_up(floor, HUGE_SIZE), align_down(start, HUGE_SIZE)) <
        min(align_down(ceiling, HUGE_SIZE), align_up(end, HUGE_SIZE)))
        vm_free_tables(vs, start, end, floor, ceiling);
}

/* Cuts [start, end) off one area that overlaps it. */
static int cut_area(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end,
                    struct list_node *dead)
{
    if (area->start < start && area->end > end) {
        int error = area_split(vs, area, end);

        if (error != 0)
            return error;
    }
    if (area->start < start) {
        area_resize(vs, area, area->start, start);
    } else if (area->end > end) {
        area_resize(vs, area, end, area->end);
    } else {
        area_remove(vs, area);
        list_add_tail(dead, &area->object_link);
    }
    return 0;
}

int vm_unmap_locked(struct vmspace *vs, vaddr_t start, vaddr_t end, struct list_node *dead)
{
    struct vm_area *area = area_find(vs, start);
    int error;

    if (area == NULL || area->start >= end)
        return 0;
    if (area->start < start && area->end > end && vs->area_count >= AREA_COUNT_MAX)
        return -ENOMEM;
    error = vm_zap(vs, start, end);
    while (error == 0 && area != NULL && area->start < end) {
        struct vm_area *next = area_next(area);

        error = cut_area(vs, area, start, end, dead);
        area = next;
    }
    if (error == 0)
        free_tables_around(vs, start, end);
    return error;
}

int vm_unmap(struct vmspace *vs, vaddr_t addr, size_t len)
{
    struct list_node dead = LIST_INIT(dead);
    int error;

    if (len == 0 || !vm_range_ok(addr, len) || !user_range_ok(addr, align_up(len, PAGE_SIZE)))
        return -EINVAL;
    rwlock_write_lock(&vs->lock);
    error = vm_unmap_locked(vs, addr, addr + align_up(len, PAGE_SIZE), &dead);
    rwlock_write_unlock(&vs->lock);
    areas_release(&dead);
    return error;
}

/* Where a request without VM_FIXED goes; 0: nowhere. */
static vaddr_t choose_address(struct vmspace *vs, const struct vm_request *request, size_t len)
{
    vaddr_t hint = align_up(request->hint, PAGE_SIZE);
    size_t align = PAGE_SIZE;
    vaddr_t start;

    if (hint != 0) {
        hint = max(hint, vs->mmap_floor);
        if (user_range_ok(hint, len) && area_range_free(vs, hint, hint + len))
            return hint;
    }
    if (request->object == NULL && is_aligned(len, HUGE_SIZE) && !(request->flags & VM_STACK))
        align = HUGE_SIZE;
    start = area_find_gap(vs, len, align, vs->mmap_floor, vs->mmap_top);
    return start != 0 ? start : area_find_gap(vs, len, PAGE_SIZE, vs->mmap_floor, USER_TOP);
}

static int place_fixed(struct vmspace *vs, const struct vm_request *request, size_t len,
                       struct list_node *dead)
{
    vaddr_t start = request->hint;

    if (!is_aligned(start, PAGE_SIZE))
        return -EINVAL;
    if (!user_range_ok(start, len))
        return -ENOMEM;
    if (start < USER_FLOOR)
        return -EPERM;
    if (request->flags & VM_NOREPLACE) {
        struct vm_area *area = area_find(vs, start);

        return area != NULL && area->start < start + len ? -EEXIST : 0;
    }
    return vm_unmap_locked(vs, start, start + len, dead);
}

/* No sum of what fits into an address space is over UINT64_MAX, which stands for no limit. */
static bool over_limit(uint64_t pages, uint64_t more_bytes, uint64_t limit)
{
    return pages * PAGE_SIZE + more_bytes > limit;
}

/* Linux's default: what is more than all of RAM at once is refused, everything else may be
 * promised. */
bool vm_is_too_much(const struct vm_area *area, size_t more)
{
    return area_is_private_writable(area) && !(area->flags & VM_NORESERVE) &&
           more >> PAGE_SHIFT > memory_total_pages;
}

static int check_limits(struct vmspace *vs, const struct vm_area *area)
{
    size_t len = area_size(area);

    if (vm_is_too_much(area, len))
        return -ENOMEM;

    if (over_limit(vs->pages_mapped, len, vs->limit_as) || vs->area_count >= AREA_COUNT_MAX)
        return -ENOMEM;
    if (area_is_private_writable(area) && over_limit(vs->pages_data, len, vs->limit_data))
        return -ENOMEM;
    if ((area->flags & VM_LOCKED) && !vs->memlock_unlimited &&
        over_limit(vs->pages_locked, len, vs->limit_memlock))
        return -EAGAIN;
    return 0;
}

static void area_fill(struct vm_area *area, struct vmspace *vs, const struct vm_request *request,
                      vaddr_t start, size_t len)
{
    area->start = start;
    area->end = start + len;
    area->vmspace = vs;
    area->prot = request->prot & (VM_PROT_MASK | VM_BTI);
    area->max_prot = request->max_prot == 0 ? VM_PROT_MASK : request->max_prot;
    area->flags = (request->flags & KEPT_FLAGS) | vs->lock_future;
    area->object = request->object;
    area->offset = request->object == NULL ? 0 : request->offset >> PAGE_SHIFT;
    area->owner_ops = request->owner_ops;
    area->owner = request->owner;
    area->name = request->name;
    list_init(&area->object_link);
}

/* Extends the one neighbour that `wanted` can be merged with, if there is just one: no structure,
 * no references. */
static int add_area(struct vmspace *vs, const struct vm_area *wanted, struct list_node *dead)
{
    struct vm_area *above = area_find(vs, wanted->start), *below = area_before(vs, above), *area;
    bool joins_above = above != NULL && area_can_merge(wanted, above);
    bool joins_below = below != NULL && area_can_merge(below, wanted);

    if (joins_above != joins_below) {
        if (joins_above)
            area_resize(vs, above, wanted->start, above->end);
        else
            area_resize(vs, below, below->start, wanted->end);
        return 0;
    }
    area = slab_alloc(&area_cache);
    if (area == NULL)
        return -ENOMEM;
    *area = *wanted;
    if (area->object != NULL)
        object_ref(area->object);
    if (area->owner != NULL)
        area->owner_ops->ref(area->owner);
    area_insert(vs, area);
    if (joins_above) /* it fills a hole */
        area_merge(vs, area, dead);
    return 0;
}

int vm_map_locked(struct vmspace *vs, const struct vm_request *request, vaddr_t *addr,
                  struct list_node *dead)
{
    size_t len = align_up(request->len, PAGE_SIZE);
    struct vm_area wanted;
    vaddr_t start;
    int error;

    if (request->flags & (VM_FIXED | VM_NOREPLACE)) {
        start = request->hint;
        error = place_fixed(vs, request, len, dead);
        if (error != 0)
            return error;
    } else {
        start = choose_address(vs, request, len);
        if (start == 0)
            return -ENOMEM;
    }
    area_fill(&wanted, vs, request, start, len);
    error = check_limits(vs, &wanted);
    if (error == 0)
        error = add_area(vs, &wanted, dead);
    *addr = start;
    return error;
}

int vm_map_request(struct vmspace *vs, const struct vm_request *request, vaddr_t *addr)
{
    struct list_node dead = LIST_INIT(dead);
    bool populate;
    int error;

    if (request->len == 0 || !is_aligned(request->offset, PAGE_SIZE))
        return -EINVAL;
    if (request->len > USER_TOP)
        return -ENOMEM;
    rwlock_write_lock(&vs->lock);
    error = vm_map_locked(vs, request, addr, &dead);
    populate = (request->flags & VM_POPULATE) ||
               ((request->flags | vs->lock_future) & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
    rwlock_write_unlock(&vs->lock);
    if (!list_empty(&dead))
        areas_release(&dead);
    if (error == 0 && populate) {
        if (request->prot != 0) /* mmap(2): failure is not told */
            (void)vm_populate(vs, *addr, request->len,
                              populate_access(request->prot, request->flags));
    }
    return error;
}

int vm_map(struct vmspace *vs, vaddr_t hint, size_t len, unsigned prot, unsigned flags,
           struct vm_object *object, uint64_t offset, vaddr_t *addr)
{
    struct vm_request request = {
        .hint = hint,
        .len = len,
        .prot = prot,
        .flags = flags,
        .object = object,
        .offset = offset,
    };

    return vm_map_request(vs, &request, addr);
}

void vm_set_brk(struct vmspace *vs, vaddr_t start)
{
    rwlock_write_lock(&vs->lock);
    vs->brk_start = vs->brk_end = start;
    rwlock_write_unlock(&vs->lock);
}

static int grow_heap(struct vmspace *vs, vaddr_t from, vaddr_t to, struct list_node *dead)
{
    struct vm_request request = {
        .hint = from,
        .len = to - from,
        .prot = VM_READ | VM_WRITE,
        .flags = VM_FIXED | VM_NOREPLACE,
        .name = "[heap]",
    };
    vaddr_t addr;

    if (!user_range_ok(from, to - from) || !area_range_free(vs, from, to))
        return -ENOMEM;
    return vm_map_locked(vs, &request, &addr, dead);
}

vaddr_t vm_brk(struct vmspace *vs, vaddr_t brk)
{
    struct list_node dead = LIST_INIT(dead);
    vaddr_t from, to;
    int error = 0;
    bool populate;

    rwlock_write_lock(&vs->lock);
    from = align_up(vs->brk_end, PAGE_SIZE);
    to = align_up(brk, PAGE_SIZE);
    populate = to > from && (vs->lock_future & (VM_LOCKED | VM_LOCKONFAULT)) == VM_LOCKED;
    if (brk < vs->brk_start || brk >= USER_TOP)
        error = -EINVAL;
    else if (to > from)
        error = grow_heap(vs, from, to, &dead);
    else if (to < from)
        error = vm_unmap_locked(vs, to, from, &dead);
    if (error == 0)
        vs->brk_end = brk;
    brk = vs->brk_end;
    rwlock_write_unlock(&vs->lock);
    if (!list_empty(&dead))
        areas_release(&dead);
    if (error == 0 && populate)
        (void)vm_populate(vs, from, to - from, FAULT_WRITE);
    return brk;
}
