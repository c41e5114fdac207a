/* SPDX-License-Identifier: MIT */
/*
 * The kernel window. Its lower half holds thread stacks in slots of 32 KiB; the upper half
 * everything else, first fit, each mapping followed by a page that stays unmapped. Stacks that were
 * given back stay mapped in a short list, since making one costs more than all the rest of a
 * thread.
 */
#include "kwindow.h"

#include "frames.h"

#include <arch/barrier.h>
#include <arch/pagetable.h>
#include <core/panic.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <lib/minmax.h>
#include <mm/page.h>
#include <mm/slab.h>

#define STACKS_BASE  KWINDOW_BASE
#define STACKS_END   (KWINDOW_BASE + KWINDOW_SIZE / 2)
#define SPACE_END    (KWINDOW_BASE + KWINDOW_SIZE)
#define STACKS_SPARE 32U
#define KERNEL_PROT  (PT_READ | PT_WRITE | PT_GLOBAL | PT_NOREF)

struct gap {
    struct list_node node;
    vaddr_t start, end;
};

static struct spinlock window_lock =
    SPINLOCK_INIT(RANK_PAGETABLE);              /* guards all below and the window's tables */
static struct list_node gaps = LIST_INIT(gaps); /* free space that was used before, sorted */
static vaddr_t space_next = STACKS_END;         /* free from here on */
static vaddr_t stacks_next = STACKS_BASE;
static void *free_slots;  /* stack slots without frames: a chain of struct slot */
static void *spare_stack; /* mapped stacks, linked through their lowest words */
static unsigned spare_count;
static atomic64_t stack_pages;

struct slot {
    struct slot *next;
    vaddr_t base;
};

/* Overflow is found by an address bit (mm/kwindow.h). */
_Static_assert(KSTACK_ALIGN == 2 * KSTACK_SIZE, "a stack is the lower half of its slot");

/* --- address space --- */

static vaddr_t space_alloc(size_t size, size_t align, size_t offset)
{
    struct gap *gap, *following;
    vaddr_t va;

    size += PAGE_SIZE; /* the guard */
    list_for_each_entry_safe (gap, following, &gaps, node) {
        va = align_up(gap->start - offset, align) + offset;
        if (va != gap->start || gap->end - va < size)
            continue; /* only from the front, so that a gap never becomes two */
        gap->start = va + size;
        if (gap->start == gap->end) {
            list_del(&gap->node);
            kfree(gap);
        }
        return va;
    }
    va = align_up(space_next - offset, align) + offset;
    if (size > SPACE_END - va)
        return 0;
    space_next = va + size;
    return va;
}

static void space_free(vaddr_t start, size_t size)
{
    vaddr_t end = start + size + PAGE_SIZE;
    struct gap *gap, *next = NULL, *previous = NULL;

    list_for_each_entry (gap, &gaps, node) {
        if (gap->start >= end) {
            next = gap;
            break;
        }
        previous = gap;
    }
    if (previous != NULL && previous->end == start) {
        previous->end = end;
        if (next != NULL && next->start == end) {
            previous->end = next->end;
            list_del(&next->node);
            kfree(next);
        }
        return;
    }
    if (next != NULL && next->start == end) {
        next->start = start;
        return;
    }
    gap = kmalloc(
        sizeof(*gap)); /* without memory the addresses are lost, of which there are plenty */
    if (gap == NULL)
        return;
    gap->start = start;
    gap->end = end;
    list_add_tail(next != NULL ? &next->node : &gaps, &gap->node);
}

/* Frames stay the owner's: kernel mappings hold no references. */
static void unmap(vaddr_t va, size_t size)
{
    struct tlb_batch batch;

    tlb_begin(&batch, &kernel_pagetable);
    (void)pt_unmap(&kernel_pagetable, va, size, &batch);
    tlb_invalidate_kernel(va, size);
}

/* --- physical ranges --- */

static void *map_range(paddr_t pa, size_t size, unsigned prot)
{
    size_t offset = pa & (PAGE_SIZE - 1), align = PAGE_SIZE;
    vaddr_t va;

    if (size == 0 || pa + size < pa)
        return NULL;
    size = align_up(size + offset, PAGE_SIZE);
    pa -= offset;
    if (size >= HUGE_SIZE) {
        align = HUGE_SIZE;
        prot |= PT_BLOCK;
    }
    spin_lock(&window_lock);
    va = space_alloc(size, align, pa & (align - 1));
    if (va != 0 && pt_map(&kernel_pagetable, va, pa, size, prot) != 0) {
        space_free(va, size);
        va = 0;
    }
    spin_unlock(&window_lock);
    isb();
    return va == 0 ? NULL : (void *)(va + offset);
}

void device_unmap(void *virt, size_t size)
{
    vaddr_t va = (vaddr_t)virt & PAGE_MASK;

    if (virt == NULL)
        return;
    size = align_up(size + ((vaddr_t)virt & (PAGE_SIZE - 1)), PAGE_SIZE);
    spin_lock(&window_lock);
    unmap(va, size);
    space_free(va, size);
    spin_unlock(&window_lock);
}

void *device_map(paddr_t pa, size_t size)
{
    return map_range(pa, size, KERNEL_PROT | PT_DEVICE);
}

static void free_pages_at(vaddr_t va, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        paddr_t pa = 0;
        unsigned prot;

        if (pt_query(&kernel_pagetable, va + i * PAGE_SIZE, &pa, &prot)) {
            struct page *page = phys_page(pa);
            struct tlb_batch batch;

            tlb_begin(&batch, &kernel_pagetable);
            (void)pt_unmap(&kernel_pagetable, va + i * PAGE_SIZE, PAGE_SIZE, &batch);
            tlb_invalidate_kernel(va + i * PAGE_SIZE, PAGE_SIZE);
            page_free(page, 0);
        }
    }
}

/* Maps fresh pages to [va, va + count pages); window_lock held. False: nothing is mapped. */
static bool map_fresh(vaddr_t va, size_t count, unsigned flags)
{
    for (size_t i = 0; i < count; i++) {
        struct page *page = page_alloc(0, PAGE_ATOMIC | flags);

        if (page != NULL && pt_map(&kernel_pagetable, va + i * PAGE_SIZE, page_phys(page),
                                   PAGE_SIZE, KERNEL_PROT) == 0)
            continue;
        if (page != NULL)
            page_free(page, 0);
        free_pages_at(va, i);
        return false;
    }
    isb();
    return true;
}

/* --- thread stacks --- */

static vaddr_t slot_alloc(void)
{
    struct slot *slot = free_slots;
    vaddr_t base;

    if (slot != NULL) {
        free_slots = slot->next;
        base = slot->base;
        kfree(slot);
        return base;
    }
    if (stacks_next == STACKS_END)
        return 0;
    base = stacks_next;
    stacks_next += KSTACK_ALIGN;
    return base;
}

static void slot_free(vaddr_t base)
{
    struct slot *slot = kmalloc(sizeof(*slot));

    if (slot == NULL)
        return; /* 32 KiB of address space lost */
    slot->base = base;
    slot->next = free_slots;
    free_slots = slot;
}

void *kstack_alloc(void)
{
    vaddr_t slot;
    void *stack;

    spin_lock(&window_lock);
    stack = spare_stack;
    if (stack != NULL) {
        spare_stack = *(void **)stack;
        spare_count--;
        spin_unlock(&window_lock);
        return stack;
    }
    slot = slot_alloc();
    if (slot != 0 && map_fresh(slot, KSTACK_SIZE / PAGE_SIZE, 0)) {
        stack = (void *)slot;
        atomic64_add(KSTACK_SIZE / PAGE_SIZE, &stack_pages);
    } else if (slot != 0) {
        slot_free(slot);
    }
    spin_unlock(&window_lock);
    return stack;
}

void kstack_free(void *base)
{
    spin_lock(&window_lock);
    if (spare_count < STACKS_SPARE) {
        *(void **)base = spare_stack;
        spare_stack = base;
        spare_count++;
    } else {
        free_pages_at((vaddr_t)base, KSTACK_SIZE / PAGE_SIZE);
        slot_free((vaddr_t)base);
        atomic64_sub(KSTACK_SIZE / PAGE_SIZE, &stack_pages);
    }
    spin_unlock(&window_lock);
}

bool kwindow_phys(const void *virt, paddr_t *pa)
{
    unsigned prot;

    return pt_query(&kernel_pagetable, (vaddr_t)virt, pa, &prot);
}

uint64_t kstack_page_count(void)
{
    return (uint64_t)atomic64_read(&stack_pages);
}
