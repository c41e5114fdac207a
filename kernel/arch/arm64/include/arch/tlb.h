/* SPDX-License-Identifier: MIT */
/*
 * TLB maintenance. Unmapped frames and tables are collected in a batch; tlb_finish() invalidates on
 * all CPUs of the inner shareable domain by broadcast (Arm ARM D8.14), waits, and only then gives
 * them back, so that no CPU reaches a frame that has a new owner. A batch lives on the stack of one
 * thread.
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include <lib/types.h>

struct pagetable;

#define TLB_BATCH_FRAMES 32

struct tlb_batch {
    struct pagetable *pagetable;
    vaddr_t first, end; /* range to invalidate, empty while first >= end */
    paddr_t tables;     /* tables taken out, linked through their first words; walk caches go too */
    void *list;         /* frames, chained by mm (pt_frame_queue) */
    unsigned frame_count;
    paddr_t frame[TLB_BATCH_FRAMES]; /* frames whose reference is dropped after the invalidation */
};

static inline void tlb_begin(struct tlb_batch *batch, struct pagetable *pt)
{
    batch->pagetable = pt;
    batch->first = ~(vaddr_t)0;
    batch->end = 0;
    batch->tables = 0;
    batch->list = NULL;
    batch->frame_count = 0;
}

static inline void tlb_add_range(struct tlb_batch *batch, vaddr_t va, size_t len)
{
    if (va < batch->first)
        batch->first = va;
    if (va + len > batch->end)
        batch->end = va + len;
}

void tlb_flush(
    struct tlb_batch *batch); /* invalidates, then frees what is collected; usable further */
void tlb_finish(struct tlb_batch *batch); /* the last flush */

/* At once, without a batch. */
void tlb_invalidate_page(struct pagetable *pt, vaddr_t va);
void tlb_invalidate_kernel(vaddr_t va, size_t len);
void tlb_invalidate_all_local(void); /* every ASID, this CPU only */

/* Defined by mm. A frame of a user mapping that was just taken out of the table: mm either keeps it
 * on its own chain (batch->list, true) or leaves it to the array (false). */
bool pt_frame_queue(struct tlb_batch *batch, paddr_t frame, size_t size);
void pt_frame_release(paddr_t frame);   /* drops the mapping's reference, after the invalidation */
void pt_frame_release_list(void *list); /* the same for the chain */

#endif
