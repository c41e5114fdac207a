/* SPDX-License-Identifier: MIT */
/*
 * TLB maintenance. Unmapped frames and tables are collected in a batch; tlb_finish() invalidates on
 * all CPUs of the inner shareable domain by broadcast (Arm ARM D8.13 and D8.14), waits, and only
 * then gives them back, so no CPU reaches a frame that has a new owner. A batch lives on the stack
 * of one thread.
 */
#ifndef ARCH_TLB_H
#define ARCH_TLB_H

#include <lib/types.h>

struct pagetable;

#define TLB_BATCH_FRAMES 32

struct tlb_batch {
    struct pagetable *pagetable;
    vaddr_t first, last;   /* range to invalidate, empty while first > last */
    unsigned stride_shift; /* smallest leaf in it: 12 or 21 */
    bool tables;           /* a table was taken out: walk caches go too */
    unsigned frame_count;
    paddr_t frame[TLB_BATCH_FRAMES]; /* frames whose reference is dropped after the invalidation */
    void *list;                      /* more frames, chained by mm (pt_frame_queue) */
    void *table_list;                /* tables to free, linked through their first word */
};

void tlb_begin(struct tlb_batch *batch, struct pagetable *pt);
void tlb_add_range(struct tlb_batch *batch, vaddr_t va, size_t len);
void tlb_flush(
    struct tlb_batch *batch); /* invalidates and frees what is collected so far; usable further */
void tlb_finish(struct tlb_batch *batch); /* the last flush */

/* At once, without a batch; each ends with DSB ISH and ISB. */
void tlb_invalidate_page(struct pagetable *pt, vaddr_t va);
void tlb_invalidate_kernel(vaddr_t va, size_t len);
void tlb_invalidate_all(void);       /* every ASID, all CPUs */
void tlb_invalidate_all_local(void); /* this CPU only */

/* Defined by mm. A frame of a user mapping that was just taken out of the table: mm either keeps it
 * on its own chain (batch->list, true) or leaves it to the array (false). */
bool pt_frame_queue(struct tlb_batch *batch, paddr_t frame);
void pt_frame_release(paddr_t frame);   /* drops the mapping's reference, after invalidation */
void pt_frame_release_list(void *list); /* the same for the chain */

#endif
