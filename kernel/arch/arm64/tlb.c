/* SPDX-License-Identifier: MIT */
/*
 * TLB invalidation by broadcast, Arm ARM DDI 0487 D8.14. The order is always: entries written; DSB
 * ISHST, so that every walker sees them; TLBI ..IS; DSB ISH, which completes on all CPUs; only then
 * is memory reused.
 */
#include <arch/barrier.h>
#include <arch/memory_map.h>
#include <arch/pagetable.h>
#include <arch/tlb.h>

#define tlbi(operation, operand) \
    __asm__ volatile("tlbi " #operation ", %0" ::"r"(operand) : "memory")

/* Pages beyond which forgetting the whole address space is cheaper than as many broadcasts. */
#define RANGE_MAX_PAGES 32

#define ADDRESS_BITS 0x00000fffffffffffUL /* VA[55:12] of a TLBI operand */

static inline uint64_t operand(const struct pagetable *pt, vaddr_t va)
{
    return pt->asid << 48 | ((va >> PAGE_SHIFT) & ADDRESS_BITS);
}

static void invalidate_range(const struct tlb_batch *batch)
{
    const struct pagetable *pt = batch->pagetable;
    size_t pages = (batch->end - batch->first) >> PAGE_SHIFT;

    dsb(ishst);
    if (pages > RANGE_MAX_PAGES) {
        tlbi(aside1is, pt->asid << 48);
    } else if (batch->tables != 0) {
        for (vaddr_t va = batch->first; va < batch->end; va += PAGE_SIZE)
            tlbi(vae1is, operand(pt, va));
    } else {
        for (vaddr_t va = batch->first; va < batch->end; va += PAGE_SIZE)
            tlbi(vale1is, operand(pt, va)); /* last level only: no table changed */
    }
    dsb(ish);
}

static void free_tables(struct tlb_batch *batch)
{
    while (batch->tables != 0) {
        paddr_t table = batch->tables;

        batch->tables = *(paddr_t *)(LINEAR_BASE + table);
        pt_table_free(table);
    }
}

void tlb_flush(struct tlb_batch *batch)
{
    if (batch->first < batch->end && batch->pagetable->asid != 0)
        invalidate_range(batch);
    for (unsigned i = 0; i < batch->frame_count; i++)
        pt_frame_release(batch->frame[i]);
    batch->frame_count = 0;
    if (batch->list != NULL) {
        pt_frame_release_list(batch->list);
        batch->list = NULL;
    }
    free_tables(batch);
    batch->first = ~(vaddr_t)0;
    batch->end = 0;
}

void tlb_finish(struct tlb_batch *batch)
{
    tlb_flush(batch);
    isb();
}

void tlb_invalidate_page(struct pagetable *pt, vaddr_t va)
{
    dsb(ishst);
    tlbi(vae1is, operand(pt, va));
    dsb(ish);
    isb();
}

void tlb_invalidate_kernel(vaddr_t va, size_t len)
{
    dsb(ishst);
    for (vaddr_t end = va + len; va < end; va += PAGE_SIZE)
        tlbi(vaae1is, (va >> PAGE_SHIFT) & ADDRESS_BITS);
    dsb(ish);
    isb();
}

void tlb_invalidate_all_local(void)
{
    dsb(nshst);
    __asm__ volatile("tlbi vmalle1" ::: "memory");
    dsb(nsh);
    isb();
}
