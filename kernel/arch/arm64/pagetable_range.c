/* SPDX-License-Identifier: MIT */
/*
 * Page tables: ranges of what is mapped. One visitor walks the leaves; unmapping, protecting,
 * moving and copying are what is done at each. Blocks that a range cuts are split before anything
 * else is changed.
 */
#include "pagetable.h"

#include <arch/barrier.h>
#include <lib/align.h>
#include <lib/errno.h>

#define GROUP 8U /* entries of one cache line, looked at together */

/* First present entry of a level 3 table in [va, end), which the table covers; end if there is
 * none. */
static inline vaddr_t next_in_table(uint64_t **entry, vaddr_t va, vaddr_t end)
{
    uint64_t *e = *entry;

    while (va < end) {
        if (((uintptr_t)e & (GROUP * sizeof(*e) - 1)) == 0 && end - va >= GROUP * PAGE_SIZE &&
            (e[0] | e[1] | e[2] | e[3] | e[4] | e[5] | e[6] | e[7]) == 0) {
            e += GROUP;
            va += GROUP * PAGE_SIZE;
            continue;
        }
        if (entry_is_present(*e))
            break;
        e++;
        va += PAGE_SIZE;
    }
    *entry = e;
    return va;
}

typedef void leaf_fn(vaddr_t va, uint64_t *entry, unsigned level, void *arg);

/* Calls fn for each present leaf in [va, end); absent tables are passed over whole. */
static __always_inline void for_each_leaf(struct pagetable *pt, vaddr_t va, vaddr_t end,
                                          leaf_fn *fn, void *arg)
{
    while (va < end) {
        unsigned level;
        uint64_t *entry = entry_find(pt, va, &level);
        vaddr_t next = span_end(va, end, level);

        if (level < 3) {
            if (entry_is_present(*entry))
                fn(va, entry, level, arg);
            va = next;
            continue;
        }
        /* All of one level 3 table. */
        for (vaddr_t stop = span_end(va, end, 2); (va = next_in_table(&entry, va, stop)) < stop;
             va += PAGE_SIZE, entry++)
            fn(va, entry, 3, arg);
    }
}

/* Splits the block across `va`, if one is and does not start there. */
static int split_at(struct pagetable *pt, vaddr_t va)
{
    unsigned level;
    uint64_t *entry;

    if (is_aligned(va, HUGE_SIZE))
        return 0;
    entry = entry_find(pt, va, &level);
    if (level == 3 || !entry_is_present(*entry))
        return 0;
    return pt_block_split(pt, va, entry);
}

static int split_edges(struct pagetable *pt, vaddr_t va, vaddr_t end)
{
    int error = split_at(pt, va);

    return error != 0 ? error : split_at(pt, end);
}

static inline void unmap_leaf(vaddr_t va, uint64_t *entry, unsigned level, void *arg)
{
    struct tlb_batch *batch = arg;
    uint64_t old = *entry;

    WRITE_ONCE(*entry, 0);
    tlb_add_range(batch, va, LEVEL_SIZE(level));
    if ((old & PTE_NOREF) || pt_frame_queue(batch, entry_address(old), LEVEL_SIZE(level)))
        return;
    if (batch->frame_count == TLB_BATCH_FRAMES)
        tlb_flush(batch);
    batch->frame[batch->frame_count++] = entry_address(old);
}

/* Most ranges lie below one level 3 table: no block to split, one walk. False: this one does not.
 */
static __always_inline bool for_each_leaf_small(struct pagetable *pt, vaddr_t va, vaddr_t end,
                                                leaf_fn *fn, void *arg)
{
    unsigned level;
    uint64_t *entry;

    if ((va ^ (end - 1)) >= HUGE_SIZE)
        return false;
    entry = entry_find(pt, va, &level);
    if (level < 3)
        return !entry_is_present(*entry); /* nothing there at all: done too */
    for (; (va = next_in_table(&entry, va, end)) < end; va += PAGE_SIZE, entry++)
        fn(va, entry, 3, arg);
    return true;
}

int pt_unmap(struct pagetable *pt, vaddr_t va, size_t len, struct tlb_batch *batch)
{
    int error;

    if (for_each_leaf_small(pt, va, va + len, unmap_leaf, batch))
        return 0;
    error = split_edges(pt, va, va + len);

    if (error == 0)
        for_each_leaf(pt, va, va + len, unmap_leaf, batch);
    return error;
}

struct free_tables {
    vaddr_t first, end;     /* where to look */
    vaddr_t floor, ceiling; /* what holds no mapping */
    struct tlb_batch *batch;
};

/* Unlinks the tables below `table`, whose entries are of `level` and which starts at va, as far as
 * they are empty. The first word of a table that is taken out links to the next one: page-aligned,
 * so no walker takes it for valid. */
static void free_below(struct pagetable *pt, uint64_t *table, unsigned level, vaddr_t va,
                       const struct free_tables *f)
{
    vaddr_t stop = va + (LEVEL_SIZE(level) * TABLE_ENTRIES);

    if (va < f->first)
        va = align_down(f->first, LEVEL_SIZE(level));
    for (; va < f->end && va < stop; va += LEVEL_SIZE(level)) {
        uint64_t *entry = &table[entry_index(va, level)];
        uint64_t value = *entry;

        if (!entry_is_table(value))
            continue;
        if (level < 2)
            free_below(pt, table_at(entry_address(value)), level + 1, va, f);
        if (va < f->floor || va + LEVEL_SIZE(level) > f->ceiling)
            continue;
        WRITE_ONCE(*entry, 0);
        *table_at(entry_address(value)) = f->batch->tables;
        f->batch->tables = entry_address(value);
        tlb_add_range(f->batch, va, PAGE_SIZE);
        pt->table_count--;
    }
}

void pt_free_tables(struct pagetable *pt, vaddr_t first, vaddr_t end, vaddr_t floor,
                    vaddr_t ceiling, struct tlb_batch *batch)
{
    struct free_tables f = {first, end, floor, ceiling, batch};

    if (align_up(floor, HUGE_SIZE) < align_down(ceiling, HUGE_SIZE))
        free_below(pt, table_at(pt->root), 0, 0, &f);
}

struct protect {
    uint64_t clear, set;
    struct tlb_batch *batch;
    bool any_writable;
};

static inline void protect_leaf(vaddr_t va, uint64_t *entry, unsigned level, void *arg)
{
    struct protect *protect = arg;
    uint64_t old = *entry, new = (old & ~protect->clear) | protect->set;

    if (level == 3 && (new &PTE_VALID))
        new |= PTE_PAGE;
    protect->any_writable |= !(old & PTE_READ_ONLY);
    if (new == old)
        return;
    WRITE_ONCE(*entry, new);
    if (old & PTE_VALID)
        tlb_add_range(protect->batch, va, LEVEL_SIZE(level));
}

int pt_protect(struct pagetable *pt, vaddr_t va, size_t len, unsigned prot, struct tlb_batch *batch)
{
    struct protect protect = {.batch = batch};
    int error;

    if (prot & (PT_READ | PT_WRITE | PT_EXEC)) {
        protect.clear = PTE_NOACCESS | PTE_GUARDED;
        protect.set = PTE_VALID;
        protect.set |= prot & PT_WRITE ? 0 : PTE_READ_ONLY;
        protect.set |= prot & PT_EXEC ? 0 : PTE_UXN;
        protect.set |= prot & PT_BTI ? PTE_GUARDED : 0;
    } else {
        protect.clear = PTE_VALID;
        protect.set = PTE_NOACCESS;
    }
    if (for_each_leaf_small(pt, va, va + len, protect_leaf, &protect)) {
        dsb(ishst);
        return 0;
    }
    error = split_edges(pt, va, va + len);
    if (error != 0)
        return error;
    for_each_leaf(pt, va, va + len, protect_leaf, &protect);
    dsb(ishst);
    return 0;
}

__cold bool pt_write_protect(struct pagetable *pt, vaddr_t va, size_t len, struct tlb_batch *batch)
{
    struct protect protect = {.set = PTE_READ_ONLY, .batch = batch};

    for_each_leaf(pt, va, va + len, protect_leaf, &protect);
    dsb(ishst);
    return protect.any_writable;
}

vaddr_t pt_next(struct pagetable *pt, vaddr_t va, vaddr_t end)
{
    while (va < end) {
        unsigned level;
        uint64_t *entry = entry_find(pt, va, &level);

        if (level < 3) {
            if (entry_is_present(*entry))
                return va;
            va = span_end(va, end, level);
            continue;
        }
        vaddr_t stop = span_end(va, end, 2);

        va = next_in_table(&entry, va, stop);
        if (va < stop)
            return va;
    }
    return end;
}

__cold int pt_move(struct pagetable *pt, vaddr_t from, vaddr_t to, size_t len, size_t *moved,
                   struct tlb_batch *batch)
{
    vaddr_t va = from, end = from + len;
    int error = split_edges(pt, from, end);

    while (error == 0 && (va = pt_next(pt, va, end)) < end) {
        unsigned level, target = 3;
        uint64_t *entry = entry_find(pt, va, &level), *place;

        if (level == 2 && is_aligned(to + (va - from), HUGE_SIZE) &&
            pt_block_free(pt, to + (va - from)))
            target = 2;
        else if (level == 2 && (error = pt_block_split(pt, va, entry)) != 0)
            break;
        entry = entry_find(pt, va, &level);
        place = pt_entry_make(pt, to + (va - from), target);
        if (place == NULL) {
            error = -ENOMEM;
            break;
        }
        uint64_t value = *entry;

        WRITE_ONCE(*entry, 0);
        tlb_add_range(batch, va, LEVEL_SIZE(target));
        WRITE_ONCE(*place, value);
        va += LEVEL_SIZE(target);
    }
    *moved = error == 0 ? len : va - from;
    dsb(ishst);
    return error;
}

__cold int pt_copy(struct pagetable *to, struct pagetable *from, vaddr_t va, size_t len, bool cow,
                   struct tlb_batch *batch)
{
    vaddr_t end = va + len;

    for (; (va = pt_next(from, va, end)) < end;) {
        unsigned level;
        uint64_t *entry = entry_find(from, va, &level), *place;
        uint64_t value = *entry;

        place = pt_entry_make(to, va, level);
        if (place == NULL)
            return -ENOMEM;
        if (cow && !(value & PTE_READ_ONLY)) {
            value |= PTE_READ_ONLY;
            WRITE_ONCE(*entry, value);
            if (value & PTE_VALID)
                tlb_add_range(batch, va, LEVEL_SIZE(level));
        }
        if (!(value & PTE_NOREF))
            pt_frame_share(entry_address(value));
        WRITE_ONCE(*place, value);
        va += LEVEL_SIZE(level);
    }
    dsb(ishst);
    return 0;
}

struct leaf_call {
    void (*fn)(vaddr_t va, size_t size, uint64_t entry, void *arg);
    void *arg;
};

static void call_leaves(const uint64_t *table, unsigned level, vaddr_t va, struct leaf_call *call)
{
    for (unsigned i = 0; i < TABLE_ENTRIES; i++, va += LEVEL_SIZE(level)) {
        uint64_t value = READ_ONCE(table[i]);

        if (level < 3 && entry_is_table(value))
            call_leaves(table_at(entry_address(value)), level + 1, va, call);
        else if (entry_is_present(value))
            call->fn(va, LEVEL_SIZE(level), value, call->arg);
    }
}

void pt_for_each_leaf(struct pagetable *pt, bool kernel_half,
                      void (*fn)(vaddr_t va, size_t size, uint64_t entry, void *arg), void *arg)
{
    struct leaf_call call = {.fn = fn, .arg = arg};

    call_leaves(table_at(pt->root), 0, kernel_half ? LINEAR_BASE : 0, &call);
}
