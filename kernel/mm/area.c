/* SPDX-License-Identifier: MIT */
/*
 * Areas of an address space in a red-black tree by address. Each node knows the usable gap below
 * its area and the largest gap of its subtree, so that finding room is O(log n). Accounting follows
 * areas as they come and go.
 */
#include "area.h"

#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#define area_of(node_) rb_entry(node_, struct vm_area, node)

struct slab_cache area_cache = SLAB_CACHE_INIT(struct vm_area);

static void update_gap(struct rb_node *node)
{
    struct vm_area *area = area_of(node);
    uint64_t largest = area->gap;

    if (node->left != NULL)
        largest = max(largest, area_of(node->left)->subtree_gap);
    if (node->right != NULL)
        largest = max(largest, area_of(node->right)->subtree_gap);
    area->subtree_gap = largest;
}

void area_tree_init(struct vmspace *vs)
{
    vs->areas = RB_ROOT_AUGMENTED(update_gap);
}

struct vm_area *area_next(const struct vm_area *area)
{
    struct rb_node *node = rb_next(&area->node);

    return node == NULL ? NULL : area_of(node);
}

struct vm_area *area_previous(const struct vm_area *area)
{
    struct rb_node *node = rb_prev(&area->node);

    return node == NULL ? NULL : area_of(node);
}

struct vm_area *area_before(struct vmspace *vs, const struct vm_area *area)
{
    struct rb_node *node = area != NULL ? rb_prev(&area->node) : rb_last(&vs->areas);

    return node == NULL ? NULL : area_of(node);
}

struct vm_area *area_find(struct vmspace *vs, vaddr_t addr)
{
    struct vm_area *area = READ_ONCE(vs->cached), *best = NULL;
    struct rb_node *node;

    if (area != NULL && addr >= area->start && addr < area->end)
        return area;
    node = vs->areas.node;
    while (node != NULL) {
        area = area_of(node);
        if (addr < area->end) {
            best = area;
            if (addr >= area->start) {
                WRITE_ONCE(vs->cached, area);
                break;
            }
            node = node->left;
        } else {
            node = node->right;
        }
    }
    return best;
}

/* Room below an area that others may take: not the guard of a stack. */
static uint64_t gap_below(const struct vm_area *area, vaddr_t previous_end)
{
    uint64_t guard = area->flags & VM_GROWSDOWN ? STACK_GUARD : 0;
    uint64_t room = area->start - previous_end;

    return room > guard ? room - guard : 0;
}

/* The gap below `area`, with `previous` below it, and what the nodes above sum up of it. */
static void gap_set(struct vm_area *area, const struct vm_area *previous)
{
    struct rb_node *node = &area->node;
    uint64_t before;

    area->gap = gap_below(area, previous == NULL ? 0 : previous->end);
    do {
        before = area_of(node)->subtree_gap;
        update_gap(node);
        if (area_of(node)->subtree_gap == before)
            return;
        node = rb_parent(node);
    } while (node != NULL);
}

static void account(struct vmspace *vs, const struct vm_area *area, int sign)
{
    uint64_t pages = (uint64_t)sign * (area_size(area) >> PAGE_SHIFT);

    vs->pages_mapped += pages;
    if (area->flags & VM_LOCKED)
        vs->pages_locked += pages;
    if (area->flags & VM_GROWSDOWN)
        vs->pages_stack += pages;
    else if (area_is_private_writable(area))
        vs->pages_data += pages;
    if (area->prot & VM_EXEC)
        vs->pages_exec += pages;
    if (area->flags & VM_SHARED)
        vs->pages_shared += pages;
}

static bool writes_object(const struct vm_area *area)
{
    return (area->flags & VM_SHARED) && (area->max_prot & VM_WRITE);
}

static void link_object(struct vm_area *area)
{
    struct vm_object *object = area->object;

    if (object == NULL)
        return;
    if (writes_object(area))
        atomic_inc(&object->writable_maps);
    mutex_lock(&object->area_lock);
    list_add_tail(&object->areas, &area->object_link);
    mutex_unlock(&object->area_lock);
}

static void unlink_object(struct vm_area *area)
{
    struct vm_object *object = area->object;

    if (object == NULL)
        return;
    mutex_lock(&object->area_lock);
    list_del(&area->object_link);
    mutex_unlock(&object->area_lock);
    if (writes_object(area))
        atomic_dec(&object->writable_maps);
}

void area_insert(struct vmspace *vs, struct vm_area *area)
{
    struct rb_node **link = &vs->areas.node, *parent = NULL;
    struct vm_area *previous = NULL, *next = NULL;

    while (*link != NULL) {
        parent = *link;
        if (area->start < area_of(parent)->start) {
            next = area_of(parent);
            link = &parent->left;
        } else {
            previous = area_of(parent);
            link = &parent->right;
        }
    }
    area->vmspace = vs;
    area->gap = gap_below(area, previous == NULL ? 0 : previous->end);
    if (next != NULL) /* above the new leaf, so rb_insert() sums it up too */
        next->gap = gap_below(next, area->end);
    rb_insert(&vs->areas, &area->node, parent, link);
    vs->area_count++;
    account(vs, area, 1);
    link_object(area);
}

void area_remove(struct vmspace *vs, struct vm_area *area)
{
    struct vm_area *next = area_next(area), *previous = area_previous(area);

    unlink_object(area);
    if (vs->cached == area)
        vs->cached = NULL;
    rb_erase(&vs->areas, &area->node);
    if (next != NULL)
        gap_set(next, previous);
    vs->area_count--;
    account(vs, area, -1);
}

void area_resize(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end)
{
    bool start_moved = start != area->start, end_moved = end != area->end;
    struct vm_area *next;

    account(vs, area, -1);
    if (area->object != NULL)
        mutex_lock(&area->object->area_lock);
    area->offset += (start - area->start) >> PAGE_SHIFT; /* modulo 2^64 when growing down */
    area->start = start;
    area->end = end;
    if (area->object != NULL)
        mutex_unlock(&area->object->area_lock);
    account(vs, area, 1);
    if (start_moved)
        gap_set(area, area_previous(area));
    next = end_moved ? area_next(area) : NULL;
    if (next != NULL)
        gap_set(next, area);
}

void area_set_prot(struct vmspace *vs, struct vm_area *area, unsigned prot, unsigned flags)
{
    account(vs, area, -1);
    area->prot = prot;
    area->flags = flags;
    account(vs, area, 1);
}

static void refs_take(struct vm_area *area)
{
    if (area->object != NULL)
        object_ref(area->object);
    if (area->owner != NULL)
        area->owner_ops->ref(area->owner);
}

int area_split(struct vmspace *vs, struct vm_area *area, vaddr_t at)
{
    struct vm_area *high = slab_alloc(&area_cache);

    if (high == NULL)
        return -ENOMEM;
    *high = *area;
    high->offset += (at - area->start) >> PAGE_SHIFT;
    high->start = at;
    refs_take(high);
    area_resize(vs, area, area->start, at);
    area_insert(vs, high);
    return 0;
}

bool area_can_merge(const struct vm_area *low, const struct vm_area *high)
{
    if (low->end != high->start || low->prot != high->prot || low->max_prot != high->max_prot ||
        low->flags != high->flags || low->object != high->object || low->owner != high->owner ||
        low->name != high->name)
        return false;
    return low->object == NULL || area_index(low, low->end) == high->offset;
}

/* `low` takes over what `high` had. */
static void join(struct vmspace *vs, struct vm_area *low, struct vm_area *high,
                 struct list_node *dead)
{
    vaddr_t end = high->end;

    area_remove(vs, high);
    area_resize(vs, low, low->start, end);
    list_add(dead, &high->object_link);
}

struct vm_area *area_merge(struct vmspace *vs, struct vm_area *area, struct list_node *dead)
{
    struct vm_area *other = area_previous(area);

    if (other != NULL && area_can_merge(other, area)) {
        join(vs, other, area, dead);
        area = other;
    }
    other = area_next(area);
    if (other != NULL && area_can_merge(area, other))
        join(vs, area, other, dead);
    return area;
}

void areas_release(struct list_node *dead)
{
    while (!list_empty(dead)) {
        struct vm_area *area = list_first_entry(dead, struct vm_area, object_link);

        list_del(&area->object_link);
        if (area->object != NULL)
            object_unref(area->object);
        if (area->owner != NULL)
            area->owner_ops->unref(area->owner);
        slab_free(&area_cache, area);
    }
}

/* The highest area before `area` (NULL: of all) with a gap of at least `len` below it. */
static struct vm_area *previous_with_gap(struct vmspace *vs, struct vm_area *area, uint64_t len)
{
    struct rb_node *node = area == NULL ? vs->areas.node : area->node.left;

    if (area != NULL && (node == NULL || area_of(node)->subtree_gap < len)) {
        struct rb_node *child = &area->node;

        for (node = rb_parent(child); node != NULL; child = node, node = rb_parent(node)) {
            if (child == node->left)
                continue;
            if (area_of(node)->gap >= len)
                return area_of(node);
            if (node->left != NULL && area_of(node->left)->subtree_gap >= len) {
                node = node->left;
                break;
            }
        }
    }
    if (node == NULL || area_of(node)->subtree_gap < len)
        return NULL;
    for (;;) {
        if (node->right != NULL && area_of(node->right)->subtree_gap >= len)
            node = node->right;
        else if (area_of(node)->gap >= len)
            return area_of(node);
        else
            node = node->left;
    }
}

/* First area that starts at or above addr. */
static struct vm_area *first_from(struct vmspace *vs, vaddr_t addr)
{
    struct vm_area *area = area_find(vs, addr);

    if (area != NULL && area->start < addr)
        area = area_next(area);
    return area;
}

vaddr_t area_find_gap(struct vmspace *vs, size_t len, size_t align, vaddr_t floor, vaddr_t top)
{
    struct vm_area *above = first_from(vs, top);
    struct vm_area *below = area_before(vs, above);
    vaddr_t low = max(below == NULL ? 0 : below->end, floor), high = top;
    size_t want = len + (align - PAGE_SIZE);

    if (above != NULL && (above->flags & VM_GROWSDOWN) && above->start < STACK_GUARD + high)
        high = above->start - min(STACK_GUARD, above->start);
    for (;;) {
        if (high > low && high - low >= len) {
            vaddr_t start = align_down(high - len, align);

            if (start >= low)
                return start;
        }
        if (below == NULL)
            return 0;
        above = previous_with_gap(vs, above, want);
        if (above == NULL)
            return 0;
        high = above->start - (above->flags & VM_GROWSDOWN ? STACK_GUARD : 0);
        low = max(high - above->gap, floor);
        if (high <= floor)
            return 0;
        if (high > top)
            high = top;
        below = above;
    }
}

bool area_range_free(struct vmspace *vs, vaddr_t start, vaddr_t end)
{
    struct vm_area *area = area_find(vs, start);
    vaddr_t low;

    if (area == NULL)
        return true;
    low = area->start - (area->flags & VM_GROWSDOWN ? min(STACK_GUARD, area->start) : 0);
    return low >= end;
}
