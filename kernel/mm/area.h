/* SPDX-License-Identifier: MIT */
/* Areas of one address space; vmspace->lock is held by all callers, for writing where something
 * changes. */
#ifndef MM_AREA_H
#define MM_AREA_H

#include <arch/trap.h>
#include <arch/uaccess.h>
#include <mm/page.h>
#include <mm/vmspace.h>

#define STACK_GUARD (256 * PAGE_SIZE) /* between a stack and what lies below it */
#define USER_FLOOR  65536UL /* nothing is mapped below, not even with MAP_FIXED (mmap_min_addr) */

extern struct slab_cache area_cache;

void area_tree_init(struct vmspace *vs);
struct vm_area *area_find(struct vmspace *vs,
                          vaddr_t addr); /* holds addr, or the next above; NULL */
struct vm_area *area_next(const struct vm_area *area);
struct vm_area *area_previous(const struct vm_area *area);
/* The one below `area`, or the last of all for NULL; NULL: none. */
struct vm_area *area_before(struct vmspace *vs, const struct vm_area *area);

/* Links a filled-in area (start, end, object...) into the tree and its object's list; accounts it.
 */
void area_insert(struct vmspace *vs, struct vm_area *area);
/* Out of all that; the area and what it refers to stay. */
void area_remove(struct vmspace *vs, struct vm_area *area);
/* New bounds for an area in the tree that does not pass a neighbour; the offset follows `start`. */
void area_resize(struct vmspace *vs, struct vm_area *area, vaddr_t start, vaddr_t end);
/* Changes what accounting looks at. */
void area_set_prot(struct vmspace *vs, struct vm_area *area, unsigned prot, unsigned flags);

/* Two areas out of one; -ENOMEM. `area` keeps the lower part. */
int area_split(struct vmspace *vs, struct vm_area *area, vaddr_t at);
/* Joins with equal neighbours; `area` stays valid as the joint one. Owners let go are put on
 * `dead`. */
struct vm_area *area_merge(struct vmspace *vs, struct vm_area *area, struct list_node *dead);
bool area_can_merge(const struct vm_area *low, const struct vm_area *high);

/* A free run of `len` bytes, as high as possible below `top`, not below `floor`; 0: none. */
vaddr_t area_find_gap(struct vmspace *vs, size_t len, size_t align, vaddr_t floor, vaddr_t top);
/* No area, and no stack's guard, touches [start, end). */
bool area_range_free(struct vmspace *vs, vaddr_t start, vaddr_t end);

/* Frees removed areas (linked by object_link) and their references; without vmspace->lock. */
void areas_release(struct list_node *dead);

/* vmspace.c: unmaps a range under the write lock; areas that go are put on `dead`. */
int vm_unmap_locked(struct vmspace *vs, vaddr_t start, vaddr_t end, struct list_node *dead);
int vm_map_locked(struct vmspace *vs, const struct vm_request *request, vaddr_t *addr,
                  struct list_node *dead);
/* More private writable memory than there is RAM, in one piece (overcommit_memory 0 of proc(5)). */
bool vm_is_too_much(const struct vm_area *area, size_t more);
/* Unmaps pages only; in steps, so that the page table's lock is not held for long. */
int vm_zap(struct vmspace *vs, vaddr_t start, vaddr_t end);
/* Gives back tables of [first, end) that nothing outside of [floor, ceiling), where nothing is
 * mapped, needs. */
void vm_free_tables(struct vmspace *vs, vaddr_t first, vaddr_t end, vaddr_t floor, vaddr_t ceiling);

static inline bool area_is_private_writable(const struct vm_area *area)
{
    return (area->prot & VM_WRITE) && !(area->flags & (VM_SHARED | VM_GROWSDOWN));
}

/* What a page is asked for ahead of its use: one that is private and can be written is made the
 * program's own. */
static inline unsigned populate_access(unsigned prot, unsigned flags)
{
    return (prot & VM_WRITE) && !(flags & VM_SHARED) ? FAULT_WRITE : FAULT_READ;
}

static inline size_t area_size(const struct vm_area *area)
{
    return area->end - area->start;
}

static inline uint64_t area_index(const struct vm_area *area, vaddr_t va)
{
    return area->offset + ((va - area->start) >> PAGE_SHIFT);
}

/* Bits that a leaf of this area may have at most. */
static inline unsigned area_pt_prot(const struct vm_area *area)
{
    unsigned prot = PT_USER;

    if (area->prot != 0)
        prot |= PT_READ;
    if (area->prot & VM_WRITE)
        prot |= PT_WRITE;
    if (area->prot & VM_EXEC)
        prot |= PT_EXEC;
    if (area->prot & VM_BTI)
        prot |= PT_BTI;
    return prot;
}

#endif
