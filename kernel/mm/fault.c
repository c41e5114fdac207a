/* SPDX-License-Identifier: MIT */
/*
 * Page faults. The area is looked up with vmspace->lock read-held; frames are made ready without
 * the page table's lock, which is then taken to look again and install. What another thread did
 * meanwhile wins. An object that has to sleep is asked without any lock; if pages left the object's
 * mappings since (unmap_sequence) or the area changed, the fault starts over.
 */
#include "fault.h"

#include "area.h"
#include "frames.h"

#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/page_ops.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/pagecache.h>

#define TRY_AGAIN 1 /* the page or area changed: look again */

static struct page *zero_page;

/* --- pieces --- */

static inline void count_resident(struct vmspace *vs, uint64_t pages)
{
    vs->pages_resident += pages;
    if (vs->pages_resident > vs->pages_resident_peak)
        vs->pages_resident_peak = vs->pages_resident;
}

/* A page's contents are seen before the entry that shows them: pairs with the walk's dependency on
 * the entry. */
static inline void contents_before_entry(void)
{
    smp_wmb();
}

/* Makes instruction fetch agree with a frame's contents, once per frame and change of owner. */
static void make_executable(struct page *page, size_t size)
{
    page = page_head(page);
    if (page->flags & PAGE_ICACHE_CLEAN)
        return;
    icache_sync(page_virt(page), size);
    page_set_flags(page, PAGE_ICACHE_CLEAN);
}

/* The bits for a fresh leaf: executable only if the frame is known to be coherent. */
static unsigned leaf_prot(const struct fault_state *f, const struct page *page, bool writable)
{
    unsigned prot = area_pt_prot(f->area);

    if (!writable)
        prot &= ~PT_WRITE;
    if ((prot & PT_EXEC) && !(page->flags & PAGE_ICACHE_CLEAN))
        prot &= ~PT_EXEC;
    if (page->flags & PAGE_RESERVED)
        prot |= PT_NOREF;
    return prot;
}

static bool access_allowed(unsigned pt_prot, unsigned access)
{
    if (!(pt_prot & PT_READ))
        return false;
    if ((access & FAULT_WRITE) && !(pt_prot & PT_WRITE))
        return false;
    return !(access & FAULT_EXEC) || (pt_prot & PT_EXEC);
}

static bool area_allows(const struct vm_area *area, unsigned access)
{
    if (access & FAULT_WRITE)
        return (area->prot & VM_WRITE) != 0;
    if (access & FAULT_EXEC)
        return (area->prot & VM_EXEC) != 0;
    return area->prot != 0; /* write or execute permission implies read here, as in the tables */
}

/* Installs a page that the caller owns a reference of; the reference goes to the mapping or is
 * dropped. */
static int install(struct fault_state *f, struct page *page, bool writable)
{
    unsigned prot;
    int error;

    if (f->access & FAULT_EXEC)
        make_executable(page, PAGE_SIZE);
    prot = leaf_prot(f, page, writable);
    contents_before_entry();
    spin_lock(&f->vs->pt_lock);
    if (likely(f->slot != NULL))
        error = pt_map_slot(f->slot, page_phys(page), prot);
    else
        error = pt_map(&f->vs->pagetable, f->va, page_phys(page), PAGE_SIZE, prot);
    if (likely(error == 0))
        count_resident(f->vs, 1);
    spin_unlock(&f->vs->pt_lock);
    if (unlikely(error != 0)) {
        page_unref(page);
        return error == -EEXIST ? TRY_AGAIN : error;
    }
    return 0;
}

static struct page *fresh_page(unsigned flags)
{
    return page_alloc(0, flags | PAGE_USER);
}

/* --- a leaf is there, but refuses --- */

/* Is the frame this mapping's alone, so that a write needs no copy? pt_lock held. */
static bool is_exclusive(const struct page *page, unsigned prot)
{
    return !(prot & PT_NOREF) && page->object == NULL && !(page->flags & PAGE_TAIL) &&
           atomic_read(&page->refs) == 1 && (!(page->flags & PAGE_HEAD) || (prot & PT_BLOCK));
}

/* Puts a copy of `old` (referenced by the caller) in its place if it is still there. */
static int replace_by_copy(struct fault_state *f, struct page *old, paddr_t old_pa)
{
    struct page *page = fresh_page(old == zero_page ? PAGE_ZERO : 0);
    paddr_t pa;
    unsigned prot;
    int error = TRY_AGAIN;

    if (page == NULL)
        return -ENOMEM;
    if (old != zero_page)
        page_copy(page_virt(page), page_virt(old));
    contents_before_entry();
    spin_lock(&f->vs->pt_lock);
    if (pt_query(&f->vs->pagetable, f->va, &pa, &prot) && pa == old_pa && !(prot & PT_WRITE)) {
        error = pt_replace(&f->vs->pagetable, f->va, page_phys(page), leaf_prot(f, page, true));
        if (error == 0) {
            if (prot & PT_NOREF)
                count_resident(f->vs, 1);
            else
                page_unref(old); /* the mapping's */
            page = NULL;
        }
    }
    spin_unlock(&f->vs->pt_lock);
    if (page != NULL)
        page_unref(page);
    return error;
}

/* A write to a private page that is mapped read-only; called with pt_lock, returns without. */
static int write_private(struct fault_state *f, paddr_t pa, unsigned prot)
{
    struct vmspace *vs = f->vs;
    struct page *page = phys_page(pa);
    int error;

    if (prot & PT_BLOCK) {
        struct page *block = phys_page(align_down(pa, HUGE_SIZE));

        if (is_exclusive(block, prot)) {
            error = pt_replace(&vs->pagetable, f->va, align_down(pa, HUGE_SIZE),
                               leaf_prot(f, block, true));
        } else {
            struct tlb_batch batch;

            /* Shared with another process: this page gets a copy, so the block becomes pages. */
            tlb_begin(&batch, &vs->pagetable);
            error = pt_protect(&vs->pagetable, f->va, PAGE_SIZE, area_pt_prot(f->area), &batch);
            tlb_finish(&batch);
            error = error == 0 ? TRY_AGAIN : error;
        }
        spin_unlock(&vs->pt_lock);
        return error;
    }
    if (is_exclusive(page, prot)) {
        error = pt_replace(&vs->pagetable, f->va, pa, leaf_prot(f, page, true));
        spin_unlock(&vs->pt_lock);
        return error;
    }
    if (!(prot & PT_NOREF))
        page_ref(page);
    spin_unlock(&vs->pt_lock);
    error = replace_by_copy(f, page, pa);
    if (!(prot & PT_NOREF))
        page_unref(page);
    return error;
}

/* The first write to a clean page of a shared mapping; pt_lock held, returned without. */
static int write_shared(struct fault_state *f, paddr_t pa, unsigned prot)
{
    struct vm_object *object = f->area->object;
    struct page *page = phys_page(pa);
    struct tlb_batch batch;
    int error;

    if (page->object == object && object != NULL) {
        if (object->ops->dirtied != NULL)
            object->ops->dirtied(object, page);
        else
            pagecache_set_dirty(object, page);
        error = pt_replace(&f->vs->pagetable, f->va, pa, leaf_prot(f, page, true));
        spin_unlock(&f->vs->pt_lock);
        return error;
    }
    /* A stand-in that may only be read (hole, lower layer): out with it, and ask for one to write.
     */
    tlb_begin(&batch, &f->vs->pagetable);
    error = pt_unmap(&f->vs->pagetable, f->va, PAGE_SIZE, &batch);
    tlb_finish(&batch);
    spin_unlock(&f->vs->pt_lock);
    (void)prot;
    return error == 0 ? TRY_AGAIN : error;
}

static int execute(struct fault_state *f, paddr_t pa, unsigned prot)
{
    struct page *page = phys_page(pa);
    int error;

    if (prot & PT_BLOCK) {
        pa = align_down(pa, HUGE_SIZE);
        make_executable(phys_page(pa), HUGE_SIZE);
    } else {
        make_executable(page, PAGE_SIZE);
    }
    error = pt_replace(&f->vs->pagetable, f->va, pa, prot | PT_EXEC);
    spin_unlock(&f->vs->pt_lock);
    return error;
}

/* True if a leaf was there; *result is then the fault's. */
static bool fault_present(struct fault_state *f, int *result)
{
    paddr_t pa;
    unsigned prot;

    spin_lock(&f->vs->pt_lock);
    if (!pt_query(&f->vs->pagetable, f->va, &pa, &prot)) {
        spin_unlock(&f->vs->pt_lock);
        return false;
    }
    if (access_allowed(prot, f->access)) { /* another thread was faster */
        spin_unlock(&f->vs->pt_lock);
        *result = 0;
    } else if (!(prot & PT_READ)) { /* kept through PROT_NONE */
        *result = pt_replace(&f->vs->pagetable, f->va,
                             prot & PT_BLOCK ? align_down(pa, HUGE_SIZE) : pa, prot | PT_READ);
        spin_unlock(&f->vs->pt_lock);
        if (*result == 0 && f->access != FAULT_READ)
            *result = TRY_AGAIN;
    } else if ((f->access & FAULT_WRITE) && !(f->area->flags & VM_SHARED)) {
        *result = write_private(f, pa, prot);
    } else if (f->access & FAULT_WRITE) {
        *result = write_shared(f, pa, prot);
    } else {
        *result = execute(f, pa, prot);
    }
    return true;
}

/* --- nothing is there: anonymous memory --- */

static bool wants_block(const struct fault_state *f)
{
    const struct vm_area *area = f->area;
    vaddr_t block = align_down(f->va, HUGE_SIZE);

    return block >= area->start && area->end - block >= HUGE_SIZE && block < area->end &&
           (f->access & FAULT_WRITE) && !(area->flags & (VM_NOHUGE | VM_STACK | VM_GROWSDOWN)) &&
           memory_is_plentiful();
}

/* 2 MiB at once; TRY_AGAIN when there is no block or no room for one. */
static int fault_block(struct fault_state *f)
{
    vaddr_t block = align_down(f->va, HUGE_SIZE);
    struct page *page;
    int error = TRY_AGAIN;

    if (!pt_block_free(&f->vs->pagetable, block))
        return TRY_AGAIN;
    page = page_alloc(PAGE_ORDER_MAX, PAGE_ZERO | PAGE_USER | PAGE_ATOMIC);
    if (page == NULL)
        return TRY_AGAIN;
    page_make_compound(page, PAGE_ORDER_MAX);
    contents_before_entry();
    spin_lock(&f->vs->pt_lock);
    if (pt_block_free(&f->vs->pagetable, block))
        error = pt_map(&f->vs->pagetable, block, page_phys(page), HUGE_SIZE,
                       leaf_prot(f, page, true) | PT_BLOCK);
    if (error == 0)
        count_resident(f->vs, HUGE_SIZE / PAGE_SIZE);
    spin_unlock(&f->vs->pt_lock);
    if (error != 0)
        page_unref(page);
    return error == 0 ? 0 : TRY_AGAIN;
}

static int map_zero_page(struct fault_state *f)
{
    int error;

    spin_lock(&f->vs->pt_lock);
    if (f->slot != NULL)
        error = pt_map_slot(f->slot, page_phys(zero_page), leaf_prot(f, zero_page, false));
    else
        error = pt_map(&f->vs->pagetable, f->va, page_phys(zero_page), PAGE_SIZE,
                       leaf_prot(f, zero_page, false));
    spin_unlock(&f->vs->pt_lock);
    return error == -EEXIST ? TRY_AGAIN : error;
}

static int fault_anonymous(struct fault_state *f)
{
    struct page *page;

    if (!(f->access & FAULT_WRITE))
        return map_zero_page(f);
    if (unlikely(area_size(f->area) >= HUGE_SIZE) && wants_block(f) && fault_block(f) == 0)
        return 0;
    page = fresh_page(PAGE_ZERO);
    if (unlikely(page == NULL))
        return -ENOMEM;
    return install(f, page, true);
}

/* --- */

static int fault_in_area(struct fault_state *f)
{
    bool present;
    int result = 0;

    /* Without the lock: a hint whether the short way will do. Tables stay while areas do not
     * change. */
    f->slot = pt_find_slot(&f->vs->pagetable, f->va, &present);
    if (unlikely(present) && fault_present(f, &result))
        return result;
    if (likely(f->area->object == NULL))
        return fault_anonymous(f);
    return fault_object(f);
}

static vaddr_t lowest_stack(struct vmspace *vs, const struct vm_area *area)
{
    const struct vm_area *below = area_previous(area);
    vaddr_t low = below == NULL ? USER_FLOOR : below->end;

    if (below != NULL && below->prot != 0)
        low += STACK_GUARD;
    if (vs->limit_stack < area->end && area->end - vs->limit_stack > low)
        low = align_up(area->end - vs->limit_stack, PAGE_SIZE);
    return low;
}

/* Extends a stack down to `addr`; the caller starts over. */
static int grow_stack(struct vmspace *vs, vaddr_t addr)
{
    struct vm_area *area;
    vaddr_t start = align_down(addr, PAGE_SIZE);
    int error = 0;

    rwlock_write_lock(&vs->lock);
    area = area_find(vs, addr);
    if (area == NULL || !(area->flags & VM_GROWSDOWN))
        error = -EFAULT;
    else if (addr < area->start && start < lowest_stack(vs, area))
        error = -EFAULT;
    else if (addr < area->start && vs->limit_as != UINT64_MAX &&
             vs->pages_mapped * PAGE_SIZE + (area->start - start) > vs->limit_as)
        error = -EFAULT;
    else if (addr < area->start)
        area_resize(vs, area, start, area->end);
    rwlock_write_unlock(&vs->lock);
    return error;
}

static int fault_once(struct vmspace *vs, vaddr_t addr, unsigned access)
{
    struct fault_state f = {.vs = vs, .va = align_down(addr, PAGE_SIZE), .access = access};
    int error;

    rwlock_read_lock(&vs->lock);
    f.area = area_find(vs, addr);
    if (unlikely(f.area == NULL || addr < f.area->start)) {
        bool stack = f.area != NULL && (f.area->flags & VM_GROWSDOWN);

        rwlock_read_unlock(&vs->lock);
        if (!stack)
            return -EFAULT;
        error = grow_stack(vs, addr);
        return error == 0 ? TRY_AGAIN : error;
    }
    if (unlikely(!area_allows(f.area, access)))
        error = -EACCES;
    else
        error = fault_in_area(&f);
    if (likely(!f.unlocked))
        rwlock_read_unlock(&vs->lock);
    if (f.kept != NULL)
        page_unref(f.kept);
    return error;
}

int vm_fault(struct vmspace *vs, vaddr_t addr, unsigned access)
{
    int error;

    if (unlikely(addr >= USER_TOP))
        return -EFAULT;
    for (unsigned attempt = 0;; attempt++) {
        error = fault_once(vs, addr, access);
        if (likely(error == 0))
            return 0;
        if (error == -ENOMEM && attempt < 3 && memory_reclaim_any(64))
            continue;
        if (error != TRY_AGAIN)
            return error;
    }
}

__cold void *vm_new_page(struct vmspace *vs, vaddr_t va)
{
    struct fault_state f = {.vs = vs, .va = va};
    struct page *page = fresh_page(PAGE_ZERO);
    int error;

    for (unsigned attempt = 0; page == NULL && attempt < 3 && memory_reclaim_any(64); attempt++)
        page = fresh_page(PAGE_ZERO);
    if (page == NULL)
        return NULL;
    rwlock_read_lock(&vs->lock);
    f.area = area_find(vs, va);
    spin_lock(&vs->pt_lock);
    error = pt_map(&vs->pagetable, va, page_phys(page), PAGE_SIZE, leaf_prot(&f, page, true));
    if (error == 0)
        count_resident(vs, 1);
    spin_unlock(&vs->pt_lock);
    rwlock_read_unlock(&vs->lock);
    if (error == 0)
        return page_virt(page);
    page_unref(page);
    return NULL;
}

int vm_populate(struct vmspace *vs, vaddr_t addr, size_t len, unsigned access)
{
    vaddr_t end = addr + len;

    for (addr = align_down(addr, PAGE_SIZE); addr < end; addr += PAGE_SIZE) {
        int error = vm_fault(vs, addr, access);

        if (error != 0)
            return error;
    }
    return 0;
}

int fault_init(void)
{
    zero_page = page_alloc(0, PAGE_ZERO | PAGE_ATOMIC);
    if (zero_page == NULL)
        return -ENOMEM;
    zero_page->flags |= PAGE_RESERVED | PAGE_ICACHE_CLEAN;
    return 0;
}

/* --- what fault_object.c needs of the above --- */

int fault_install(struct fault_state *f, struct page *page, bool writable)
{
    return install(f, page, writable);
}

unsigned fault_leaf_prot(const struct fault_state *f, const struct page *page, bool writable)
{
    return leaf_prot(f, page, writable);
}

void fault_make_executable(struct page *page)
{
    make_executable(page, PAGE_SIZE);
}

void fault_count(struct fault_state *f, uint64_t pages)
{
    count_resident(f->vs, pages);
}
