/* SPDX-License-Identifier: MIT */
/*
 * Page tables: VMSAv8-64 stage 1, 4 KiB granule, 48 bits, 4 levels (Arm ARM DDI 0487 D8).
 *
 * The caller serialises changes to one table (vmspace->pt_lock; the window's lock for the
 * kernel's). Looking up without the lock is for the fault path's hints only. Nothing here sleeps.
 * Writes of entries are made visible to the walker by DSB ISHST (D8.2.3) before a function returns;
 * entries are written with the access flag set.
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
#define PT_GLOBAL    0x40U /* not tied to an ASID: kernel mappings */
#define PT_NOREF \
    0x80U /* the mapping holds no reference on the frame (zero page, devices, root in RAM) */
#define PT_BLOCK 0x100U /* out of pt_query: a 2 MiB leaf (or larger) */
#define PT_BTI   0x200U /* guarded page (FEAT_BTI) */

struct pagetable {
    paddr_t root;
    uint64_t asid; /* generation and number, tlb.c; 0: none yet */
    bool user;
    uint64_t table_count; /* tables below the root */
};

extern struct pagetable kernel_pagetable;

int pt_init(struct pagetable *pt);     /* a user table; -ENOMEM */
void pt_destroy(struct pagetable *pt); /* all must be unmapped and no CPU use it */

/* Maps [va, va+len) to [pa, pa+len) with the largest leaves that fit (2 MiB and 1 GiB blocks where
 * aligned). All or nothing: -ENOMEM, -EEXIST if any of it is mapped. */
int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, size_t len, unsigned prot);

/* Takes out what is mapped; frames (unless PT_NOREF) and empty tables go to the batch. Blocks that
 * are only partly in the range are split: needs a table; -ENOMEM then with nothing changed there.
 */
int pt_unmap(struct pagetable *pt, vaddr_t va, size_t len, struct tlb_batch *batch);

/* Replaces one page or 2 MiB leaf (the size that is there) by break-before-make (D8.16.1), also
 * with nothing there. The old frame is the caller's again when it returns. -ENOMEM */
int pt_replace(struct pagetable *pt, vaddr_t va, paddr_t pa, unsigned prot);

/* New permissions for what is mapped in the range. PT_WRITE is only kept where it is set now:
 * getting it is up to the write fault, which knows about copy-on-write and clean pages. -ENOMEM
 * when a block cannot be split. */
int pt_protect(struct pagetable *pt, vaddr_t va, size_t len, unsigned prot,
               struct tlb_batch *batch);

/* What maps va: physical address of the byte, prot with PT_BLOCK; false: nothing. Entries without
 * access (PROT_NONE) are found too. */
bool pt_query(struct pagetable *pt, vaddr_t va, paddr_t *pa, unsigned *prot);

/* First address in [va, end) that is mapped, or end; skips empty tables in one step. */
vaddr_t pt_next(struct pagetable *pt, vaddr_t va, vaddr_t end);

/* Moves leaves from one range to another that is empty (mremap); keeps their bits. -ENOMEM: part
 * may have moved, *moved tells how many bytes. */
int pt_move(struct pagetable *pt, vaddr_t from, vaddr_t to, size_t len, size_t *moved,
            struct tlb_batch *batch);

/* Shares the leaves of a range with another table (fork): frames get a reference (pt_frame_share),
 * PT_WRITE is taken from both when `cow`. -ENOMEM. */
int pt_copy(struct pagetable *to, struct pagetable *from, vaddr_t va, size_t len, bool cow,
            struct tlb_batch *batch);

/* Activation on this CPU, interrupts off; pt NULL: the empty table. Assigns an ASID (D8.15). */
void pt_activate(struct pagetable *pt);
void pt_cpu_init(void); /* once on each CPU before its first activation */

/* Walks every leaf for the self test and the debugger: fn(va, size, entry, arg). */
void pt_for_each_leaf(struct pagetable *pt, bool kernel_half,
                      void (*fn)(vaddr_t va, size_t size, uint64_t entry, void *arg), void *arg);

/* Defined by mm: zeroed frames for tables (0: none), and a further reference for a frame that is
 * mapped once more. */
paddr_t pt_table_alloc(void);
void pt_table_free(paddr_t table);
void pt_frame_share(paddr_t frame, size_t size);
void pt_frame_split(paddr_t block); /* a 2 MiB leaf becomes 512 page leaves */

#endif
