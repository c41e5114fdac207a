/* SPDX-License-Identifier: MIT */
/*
 * Look up kernel addresses in the symbol table that scripts/symbols.py makes and the second link
 * puts into the last section of the image. The layout is told there. The table may be absent (the
 * first link has none): then no address has a name.
 */
#include <lib/printf.h>
#include <lib/string.h>

#define SYMBOLS_MAGIC 0x4d595352u /* "RSYM" */
#define NAMES_GROUP   16u

struct symbol_table {
    uint32_t magic;
    uint32_t count;
    uint32_t address[];
};

/* Given by kernel.lds.S. */
extern const char __image_start[], __image_end[], __symbols_start[], __symbols_end[];

/* Index of the last entry at or below `offset`; the caller knows that entry 0 is. */
static uint32_t find_entry(const struct symbol_table *table, uint32_t offset)
{
    uint32_t low = 0, high = table->count;

    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;

        if (table->address[middle] <= offset)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static const char *entry_name(const struct symbol_table *table, uint32_t index)
{
    const uint32_t *group = table->address + table->count;
    const char *name = (const char *)(group + (table->count + NAMES_GROUP - 1) / NAMES_GROUP);

    name += group[index / NAMES_GROUP];
    for (uint32_t skip = index % NAMES_GROUP; skip > 0; skip--)
        name += strlen(name) + 1;
    return name;
}

const char *symbol_name(vaddr_t address, size_t *offset)
{
    const struct symbol_table *table = (const struct symbol_table *)__symbols_start;
    vaddr_t base = (vaddr_t)__image_start;

    if (&__symbols_start[0] == &__symbols_end[0] || table->magic != SYMBOLS_MAGIC ||
        table->count == 0)
        return NULL;
    if (address < base + table->address[0] || address >= (vaddr_t)__image_end)
        return NULL;

    uint32_t index = find_entry(table, (uint32_t)(address - base));

    *offset = address - base - table->address[index];
    return entry_name(table, index);
}
