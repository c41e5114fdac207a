/* SPDX-License-Identifier: MIT */
/*
 * Page tables: VMSAv8-64 stage 1, 4 KiB granule, 48 bits, 4 levels (Arm ARM DDI 0487 D8).
 *
 * The caller serialises changes to one table (vmspace->pt_lock; the window's lock for the
 * kernel's). Nothing here sleeps. Entries are written with the access flag set and made visible to
 * the walkers by DSB ISHST (D8.2.3) before a function returns. Addresses and lengths are multiples
 * of PAGE_SIZE.
 */
#ifndef ARCH_PAGETABLE_H
#define ARCH_PAGETABLE_H

#include <arch/memory_map.h>
#include <arch/tlb.h>
#include <lib/types.h>

/* prot: a mapping with none of READ, WRITE, EXEC is kept but faults (PROT_NONE). */
#define PT_READ      0x1U
#define PT_WRITE     0x2U
#define PT_EXEC      0x4U /* for EL0 with PT_USER, else for EL1; never with PT_WRITE for EL1 */
#define PT_USER      0x8U
#define PT_DEVICE    0x10U /* Device-nGnRE */
#define PT_NORMAL_NC 0x20U
#define PT_GLOBAL    0x40U  /* not tied to an ASID: kernel mappings */
#define PT_NOREF     0x80U  /* holds no reference on the frame: zero page, devices, root in RAM */
#define PT_BLOCK     0x100U /* pt_query: a 2 MiB leaf or larger. pt_map: may use them */
#define PT_BTI       0x200U /* guarded page (FEAT_BTI) */
#define PT_FINAL     0x400U /* never changed or unmapped: groups of 16 may use the contiguous bit */

struct pagetable {
    paddr_t root;
    uint64_t asid;        /* generation and number, asid.c; 0: never active, so no TLB knows it */
    uint64_t table_count; /* below the root */
};

extern struct pagetable kernel_pagetable;

int pt_init(struct pagetable *pt);     /* a user table; -ENOMEM */
void pt_destroy(struct pagetable *pt); /* all must be unmapped and no CPU use it */

/* Maps [va, va+len) to [pa, pa+len). All or nothing: -ENOMEM, -EEXIST if any of it is mapped. */
int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, size_t len, unsigned prot);

/*
 * The same for one page in two steps. pt_find_slot() finds the place of a page that has its tables
 * and is free now, or NULL; no lock, but tables must not be freed until pt_map_slot(), which has
 * the lock: 0, -EEXIST.
 */
struct pt_slot;
struct pt_slot *pt_find_slot(struct pagetable *pt, vaddr_t va, bool *present);
int pt_map_slot(struct pt_slot *slot, paddr_t pa, unsigned prot);

/* Maps those pages of the range that are not mapped yet, with PT_NOREF; the range lies in one 2
 * MiB. -ENOMEM. */
int pt_map_holes(struct pagetable *pt, vaddr_t va, paddr_t pa, size_t len, unsigned prot);

/* Takes out what is mapped; frames (unless PT_NOREF) go to the batch. Blocks that are only partly
 * in the range are split first: -ENOMEM, with nothing changed, if there is no table for that. */
int pt_unmap(struct pagetable *pt, vaddr_t va, size_t len, struct tlb_batch *batch);

/* Gives back those tables of [first, end) that translate nothing outside of [floor, ceiling), in
 * which nothing is mapped. */
void pt_free_tables(struct pagetable *pt, vaddr_t first, vaddr_t end, vaddr_t floor,
                    vaddr_t ceiling, struct tlb_batch *batch);

/* Replaces one leaf (page, or the 2 MiB block that is there) by break-before-make (D8.16.1); a
 * change of permissions only, or an empty place, needs no break. The old frame is the caller's
 * again on return. -ENOMEM. */
int pt_replace(struct pagetable *pt, vaddr_t va, paddr_t pa, unsigned prot);

/* New permissions for what is mapped in the range. PT_WRITE and PT_EXEC are only kept where they
 * are set now: getting them is up to the fault, which knows of copy-on-write, clean pages and
 * instruction caches. -ENOMEM as pt_unmap. */
int pt_protect(struct pagetable *pt, vaddr_t va, size_t len, unsigned prot,
               struct tlb_batch *batch);

/* Takes PT_WRITE away, blocks as a whole. True if any entry had it. */
bool pt_write_protect(struct pagetable *pt, vaddr_t va, size_t len, struct tlb_batch *batch);

/* What maps va: physical address of that byte, prot with PT_BLOCK; false: nothing. Entries without
 * access (PROT_NONE) are found too. */
bool pt_query(struct pagetable *pt, vaddr_t va, paddr_t *pa, unsigned *prot);

/* First page in [va, end) that is mapped, or end; empty tables cost one step. */
vaddr_t pt_next(struct pagetable *pt, vaddr_t va, vaddr_t end);

/* Nothing, not even a table, below the 2 MiB around va: a block may be put there. */
bool pt_block_free(struct pagetable *pt, vaddr_t va);

/* Moves leaves to a range that is empty (mremap), bits and all; old places go to the batch's range,
 * frames do not. -ENOMEM: the first *moved bytes have moved. */
int pt_move(struct pagetable *pt, vaddr_t from, vaddr_t to, size_t len, size_t *moved,
            struct tlb_batch *batch);

/* Shares the leaves of a range with another table (fork): each frame gets a reference
 * (pt_frame_share); `cow` takes PT_WRITE from both, and the batch (of `from`) gets the range.
 * -ENOMEM: part is shared. */
int pt_copy(struct pagetable *to, struct pagetable *from, vaddr_t va, size_t len, bool cow,
            struct tlb_batch *batch);

/* Activation on this CPU, interrupts off; pt NULL: the empty table. Assigns an ASID (D8.15). */
void pt_activate(struct pagetable *pt);
void pt_cpu_init(void); /* once on each CPU before its first activation */

/* Calls fn for every leaf: for self tests and the debugger. */
void pt_for_each_leaf(struct pagetable *pt, bool kernel_half,
                      void (*fn)(vaddr_t va, size_t size, uint64_t entry, void *arg), void *arg);

/* Debug builds (pagetable_check.c): what is wrong with a leaf of the kernel's half, or NULL; its
 * parts. */
const char *pt_leaf_complaint(vaddr_t va, uint64_t entry);
bool pt_leaf_is_normal(uint64_t entry);
bool pt_leaf_is_writable(uint64_t entry);
paddr_t pt_leaf_address(uint64_t entry);

/* As pt_map, of kernel_pagetable, before there is a linear map: what pt_table_alloc() gives is
 * reached at its address plus `offset`. */
int pt_map_early(vaddr_t va, paddr_t pa, size_t len, unsigned prot, uintptr_t offset);

/* Defined by mm: zeroed frames for tables (0: none), a further reference for a frame that is mapped
 * once more, and a compound of 2 MiB that is from now on mapped by 512 pages. */
paddr_t pt_table_alloc(void);
void pt_table_free(paddr_t table);
void pt_frame_share(paddr_t frame);
void pt_frame_split(paddr_t block);

#endif
