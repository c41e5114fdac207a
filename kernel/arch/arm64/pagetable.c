/* SPDX-License-Identifier: MIT */
/*
 * Page tables: single entries, and mapping. Ranges of what is mapped are in pagetable_range.c,
 * ASIDs in asid.c. Arm ARM DDI 0487 D8.3 (descriptors), D8.16.1 (break-before-make), D8.2.3
 * (ordering of walks).
 */
#include "pagetable.h"

#include <arch/barrier.h>
#include <arch/boot.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

struct pagetable kernel_pagetable;

/* Attributes of a page leaf; a block has PTE_BLOCK for PTE_PAGE. */
uint64_t pt_entry_bits(unsigned prot)
{
    uint64_t bits = PTE_INNER_SHARED | PTE_ACCESSED | PTE_TYPE_MASK;

    if (prot & PT_DEVICE)
        bits |= PTE_ATTR(0);
    else
        bits |= prot & PT_NORMAL_NC ? PTE_ATTR(2) : PTE_ATTR(1);
    if (!(prot & PT_WRITE))
        bits |= PTE_READ_ONLY;
    if (prot & PT_USER) {
        bits |= PTE_USER | PTE_PXN | (prot & PT_EXEC ? 0 : PTE_UXN);
        if (!(prot & (PT_READ | PT_WRITE | PT_EXEC)))
            bits ^= PTE_VALID | PTE_NOACCESS;
    } else {
        bits |= PTE_UXN | (prot & PT_EXEC ? PTE_READ_ONLY : PTE_PXN);
    }
    if (!(prot & PT_GLOBAL))
        bits |= PTE_NOT_GLOBAL;
    if (prot & PT_NOREF)
        bits |= PTE_NOREF;
    if (prot & PT_BTI)
        bits |= PTE_GUARDED;
    return bits;
}

unsigned pt_entry_prot(uint64_t entry)
{
    unsigned prot = 0;

    if (entry & PTE_VALID) {
        bool user = (entry & PTE_USER) != 0;

        prot |= PT_READ | (entry & PTE_READ_ONLY ? 0 : PT_WRITE);
        prot |= entry & (user ? PTE_UXN : PTE_PXN) ? 0 : PT_EXEC;
    }
    prot |= entry & PTE_USER ? PT_USER : 0;
    prot |= entry & PTE_NOT_GLOBAL ? 0 : PT_GLOBAL;
    prot |= entry & PTE_NOREF ? PT_NOREF : 0;
    prot |= entry & PTE_GUARDED ? PT_BTI : 0;
    if ((entry & PTE_ATTR_MASK) == PTE_ATTR(0))
        prot |= PT_DEVICE;
    else if ((entry & PTE_ATTR_MASK) == PTE_ATTR(2))
        prot |= PT_NORMAL_NC;
    return prot;
}

int pt_init(struct pagetable *pt)
{
    pt->asid = 0;
    pt->table_count = 0;
    pt->root = pt_table_alloc();
    return pt->root == 0 ? -ENOMEM : 0;
}

void pt_destroy(struct pagetable *pt)
{
    struct tlb_batch batch;

    tlb_begin(&batch, pt);
    pt_free_tables(pt, 0, 1UL << 48, 0, 1UL << 48, &batch);
    tlb_finish(&batch);
    pt_table_free(pt->root);
    pt->root = 0;
}

uint64_t *pt_entry_make_from(struct pagetable *pt, uint64_t *table, uintptr_t offset, vaddr_t va,
                             unsigned level)
{
    for (unsigned l = 0;; l++) {
        uint64_t *entry = &table[entry_index(va, l)], value;

        if (l == level)
            return entry;
        value = *entry;
        if (unlikely(value == 0)) {
            paddr_t below = pt_table_alloc();

            if (below == 0)
                return NULL;
            pt->table_count++;
            /* The table's zeroes before the pointer to it: pairs with the walker's dependent read.
             */
            dsb(ishst);
            value = below | PTE_TABLE;
            WRITE_ONCE(*entry, value);
        }
        if (unlikely(!entry_is_table(value)))
            return NULL; /* a block is in the way */
        table = (uint64_t *)(entry_address(value) + offset);
    }
}

/* Level of the largest leaf that maps the start of a range. */
static unsigned leaf_level(vaddr_t va, paddr_t pa, size_t len, unsigned prot)
{
    if (!(prot & PT_BLOCK))
        return 3;
    if (len >= LEVEL_SIZE(1) && is_aligned(va | pa, LEVEL_SIZE(1)))
        return 1;
    return len >= LEVEL_SIZE(2) && is_aligned(va | pa, LEVEL_SIZE(2)) ? 2 : 3;
}

/* Leaves of a group that may share a TLB entry (D8.6.1): 16, aligned in table and memory; else 1.
 */
static size_t group_size(const uint64_t *entry, size_t left, paddr_t pa, size_t size)
{
    return left >= 16 && is_aligned((uintptr_t)entry, 16 * sizeof(*entry)) &&
                   is_aligned(pa, 16 * size)
               ? 16
               : 1;
}

static void write_final(uint64_t *entry, paddr_t pa, size_t count, size_t size, uint64_t bits)
{
    for (size_t i = 0; i < count;) {
        size_t group = group_size(&entry[i], count - i, pa, size);
        uint64_t value = pa | bits | (group > 1 ? PTE_CONTIGUOUS : 0);

        for (size_t stop = i + group; i < stop; i++, value += size)
            WRITE_ONCE(entry[i], value);
        pa += group * size;
    }
}

/* Writes leaves to free entries. */
static int write_leaves(uint64_t *entry, paddr_t pa, size_t count, unsigned level, uint64_t bits,
                        bool final)
{
    size_t size = LEVEL_SIZE(level);

    if (final && level >= 2) {
        write_final(entry, pa, count, size, bits);
        return 0;
    }
    for (size_t i = 0; i < count && !final; i++) {
        if (unlikely(entry[i] != 0))
            return -EEXIST;
    }
    for (size_t i = 0; i < count; i++, pa += size)
        WRITE_ONCE(entry[i], pa | bits);
    return 0;
}

/* Takes out leaves that a failed pt_map wrote; their frames were never counted. */
static void map_undo(struct pagetable *pt, vaddr_t va, vaddr_t end)
{
    while (va < end) {
        unsigned level;
        uint64_t *entry = entry_find(pt, va, &level);

        if (entry_is_present(*entry)) {
            WRITE_ONCE(*entry, 0);
            tlb_invalidate_page(pt, va);
        }
        va = (va | (LEVEL_SIZE(level) - 1)) + 1;
    }
}

/* *to moves on to the end of what is mapped. */
static __noinline int map_range(struct pagetable *pt, vaddr_t *to, paddr_t pa, size_t len,
                                unsigned prot, uint64_t *root, uintptr_t offset)
{
    uint64_t bits = pt_entry_bits(prot);
    int error = 0;

    while (len > 0 && error == 0) {
        vaddr_t va = *to;
        unsigned level = leaf_level(va, pa, len, prot);
        size_t in_table = TABLE_ENTRIES - entry_index(va, level);
        size_t count = min_t(size_t, len >> LEVEL_SHIFT(level), in_table);
        uint64_t type = level == 3 ? PTE_PAGE : PTE_BLOCK;
        uint64_t *entry = pt_entry_make_from(pt, root, offset, va, level);

        if (entry == NULL)
            return -ENOMEM;
        error = write_leaves(entry, pa, count, level, bits & ~(type ^ PTE_PAGE),
                             (prot & PT_FINAL) != 0);
        if (error == 0) {
            *to += count << LEVEL_SHIFT(level);
            pa += count << LEVEL_SHIFT(level);
            len -= count << LEVEL_SHIFT(level);
        }
    }
    return error;
}

/* The common case, one page. */
static int map_page(struct pagetable *pt, vaddr_t va, paddr_t pa, unsigned prot)
{
    uint64_t *entry = pt_entry_make(pt, va, 3);

    if (unlikely(entry == NULL))
        return -ENOMEM;
    if (unlikely(entry_is_present(*entry)))
        return -EEXIST;
    WRITE_ONCE(*entry, pa | pt_entry_bits(prot));
    dsb(ishst);
    return 0;
}

struct pt_slot *pt_find_slot(struct pagetable *pt, vaddr_t va, bool *present)
{
    unsigned level;
    uint64_t *entry = entry_find(pt, va, &level);

    *present = entry_is_present(READ_ONCE(*entry));
    return level == 3 && !*present ? (struct pt_slot *)entry : NULL;
}

int pt_map_slot(struct pt_slot *slot, paddr_t pa, unsigned prot)
{
    uint64_t *entry = (uint64_t *)slot;

    if (unlikely(*entry != 0))
        return -EEXIST;
    WRITE_ONCE(*entry, pa | pt_entry_bits(prot));
    dsb(ishst);
    return 0;
}

int pt_map(struct pagetable *pt, vaddr_t va, paddr_t pa, size_t len, unsigned prot)
{
    vaddr_t mapped = va;
    int error;

    if (len == PAGE_SIZE)
        return map_page(pt, va, pa, prot);
    error = map_range(pt, &mapped, pa, len, prot, table_at(pt->root), LINEAR_BASE);
    if (unlikely(error != 0))
        map_undo(pt, va, mapped);
    dsb(ishst);
    if (!(prot & PT_USER))
        isb(); /* this CPU may use it at once (D8.2.3) */
    return error;
}

int pt_map_holes(struct pagetable *pt, vaddr_t va, paddr_t pa, size_t len, unsigned prot)
{
    uint64_t *entry = pt_entry_make(pt, va, 3), value = pa | pt_entry_bits(prot);

    if (entry == NULL)
        return -ENOMEM;
    for (uint64_t *end = entry + len / PAGE_SIZE; entry < end; entry++, value += PAGE_SIZE) {
        if (*entry == 0)
            WRITE_ONCE(*entry, value);
    }
    dsb(ishst);
    return 0;
}

__cold int pt_map_early(vaddr_t va, paddr_t pa, size_t len, unsigned prot, uintptr_t offset)
{
    int error = map_range(&kernel_pagetable, &va, pa, len, prot, kernel_root_table, offset);

    dsb(ishst);
    isb();
    return error;
}

bool pt_query(struct pagetable *pt, vaddr_t va, paddr_t *pa, unsigned *prot)
{
    unsigned level;
    uint64_t entry = READ_ONCE(*entry_find(pt, va, &level));

    if (!entry_is_present(entry))
        return false;
    *pa = entry_address(entry) | (va & (LEVEL_SIZE(level) - 1));
    *prot = pt_entry_prot(entry) | (level < 3 ? PT_BLOCK : 0);
    return true;
}

bool pt_block_free(struct pagetable *pt, vaddr_t va)
{
    unsigned level;
    uint64_t entry = READ_ONCE(*entry_find(pt, va, &level));

    return level <= 2 && !entry_is_present(entry);
}

/* Same output address and memory type: a change that needs no break (D8.16.1). */
static bool only_permissions(uint64_t old, uint64_t new)
{
    uint64_t fixed = PTE_ADDRESS_MASK | PTE_ATTR_MASK | PTE_INNER_SHARED | PTE_NOT_GLOBAL;

    return ((old ^ new) & fixed) == 0;
}

int pt_replace(struct pagetable *pt, vaddr_t va, paddr_t pa, unsigned prot)
{
    unsigned level;
    uint64_t *entry = entry_find(pt, va, &level);
    uint64_t old = *entry, new = pa | pt_entry_bits(prot);

    if (!entry_is_present(old)) {
        entry = pt_entry_make(pt, va, 3);
        if (entry == NULL)
            return -ENOMEM;
    } else if (level == 2) {
        new &= ~(PTE_PAGE ^ PTE_BLOCK);
    }
    if (old & PTE_VALID) {
        if (!only_permissions(old, new)) {
            WRITE_ONCE(*entry, 0);
            tlb_invalidate_page(pt, va);
            WRITE_ONCE(*entry, new);
            dsb(ishst);
        } else {
            WRITE_ONCE(*entry, new);
            tlb_invalidate_page(pt, va); /* an older, stricter copy would fault again */
        }
        return 0;
    }
    WRITE_ONCE(*entry, new);
    dsb(ishst);
    return 0;
}

/* Makes 512 pages of a 2 MiB leaf: other size, so break-before-make (D8.16.1). A CPU that comes
 * between faults, waits for the table's lock, and finds the page. */
int pt_block_split(struct pagetable *pt, vaddr_t va, uint64_t *entry)
{
    uint64_t old = *entry, page = old;
    paddr_t table = pt_table_alloc();

    if (table == 0)
        return -ENOMEM;
    pt->table_count++;
    if (!(old & PTE_NOREF))
        pt_frame_split(entry_address(old));
    page |= old & PTE_VALID ? PTE_PAGE : PTE_PAGE & ~PTE_VALID;
    for (unsigned i = 0; i < TABLE_ENTRIES; i++)
        table_at(table)[i] = page + i * PAGE_SIZE;
    WRITE_ONCE(*entry, 0);
    tlb_invalidate_page(pt, va);
    WRITE_ONCE(*entry, table | PTE_TABLE);
    dsb(ishst);
    return 0;
}
