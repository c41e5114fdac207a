/* SPDX-License-Identifier: MIT */
/* Walking tables, shared by pagetable.c and pagetable_range.c. */
#ifndef ARM64_PAGETABLE_H
#define ARM64_PAGETABLE_H

#include <arch/memory_map.h>
#include <arch/pagetable.h>
#include <arch/pte.h>
#include <lib/compiler.h>

#define LEVEL_SHIFT(level) (39U - 9U * (level))
#define LEVEL_SIZE(level)  (1UL << LEVEL_SHIFT(level))
#define TABLE_ENTRIES      512U
#define PTE_PRESENT        (PTE_VALID | PTE_NOACCESS)

static inline unsigned entry_index(vaddr_t va, unsigned level)
{
    return (va >> LEVEL_SHIFT(level)) & (TABLE_ENTRIES - 1);
}

static inline bool entry_is_table(uint64_t entry)
{
    return (entry & PTE_TYPE_MASK) == PTE_TABLE;
}

static inline bool entry_is_present(uint64_t entry)
{
    return (entry & PTE_PRESENT) != 0;
}

static inline paddr_t entry_address(uint64_t entry)
{
    return entry & PTE_ADDRESS_MASK;
}

static inline uint64_t *table_at(paddr_t table)
{
    return (uint64_t *)(LINEAR_BASE + table);
}

/* End of the span of one entry of `level` that holds va, no later than `end`. */
static inline vaddr_t span_end(vaddr_t va, vaddr_t end, unsigned level)
{
    vaddr_t next = (va | (LEVEL_SIZE(level) - 1)) + 1;

    return next - 1 < end - 1 ? next : end; /* next may wrap to 0 at the top */
}

/* The entry that translates va: a leaf or the empty place, *level its level. */
static inline uint64_t *entry_find(const struct pagetable *pt, vaddr_t va, unsigned *level)
{
    uint64_t *table = table_at(pt->root);

    for (unsigned l = 0;; l++) {
        uint64_t *entry = &table[entry_index(va, l)];
        uint64_t value = READ_ONCE(*entry);

        if (l == 3 || !entry_is_table(value)) {
            *level = l;
            return entry;
        }
        table = table_at(entry_address(value));
    }
}

uint64_t pt_entry_bits(unsigned prot);
unsigned pt_entry_prot(uint64_t entry);

/* The entry of va at `level` below the root table `table`, with the tables above it, which are
 * reached at their address plus `offset`. NULL: no memory or a block in the way. */
uint64_t *pt_entry_make_from(struct pagetable *pt, uint64_t *table, uintptr_t offset, vaddr_t va,
                             unsigned level);

static inline uint64_t *pt_entry_make(struct pagetable *pt, vaddr_t va, unsigned level)
{
    return pt_entry_make_from(pt, table_at(pt->root), LINEAR_BASE, va, level);
}

int pt_block_split(struct pagetable *pt, vaddr_t va, uint64_t *entry);

#endif
