/* SPDX-License-Identifier: MIT */
/*
 * Look up kernel addresses in the table that scripts/symbols.py makes and the second link puts into
 * the image; its form is told there. It is read from its start: names are wanted in
 * messages about faults only. The first link has no table: then no address has a name.
 */
#include <lib/printf.h>

#define SYMBOLS_MAGIC 0x32595352u /* "RSY2" */
#define DEPTH_MAX     24          /* pairs within pairs */

struct symbol_table {
    uint32_t magic;
    uint8_t pair[256][2];
    uint8_t entries[];
};

/* Given by kernel.lds.S. */
extern const char __image_start[], __text_end[], __symbols_start[], __symbols_end[];

/* The text of the name at `from`, whose bytes stand for themselves or for two others. */
static void name_expand(const struct symbol_table *table, const uint8_t *from, char *to)
{
    uint8_t waiting[DEPTH_MAX + 1];
    size_t depth = 0, length = 0;

    while ((depth > 0 || *from != 0) && length < SYMBOL_SIZE - 1) {
        uint8_t code = depth > 0 ? waiting[--depth] : *from++;
        const uint8_t *pair = table->pair[code];

        for (; pair[0] != code && depth < DEPTH_MAX; pair = table->pair[code]) {
            waiting[depth++] = pair[1];
            code = pair[0];
        }
        to[length++] = (char)code;
    }
    to[length] = '\0';
}

/* The words by which an entry lies behind the one before; `at` moves on to its name. */
static size_t read_words(const uint8_t **at)
{
    size_t words = 0;

    for (unsigned shift = 0;; shift += 7) {
        uint8_t byte = *(*at)++;

        words |= (size_t)(byte & 127) << shift;
        if (byte < 128)
            return words;
    }
}

bool symbol_name(vaddr_t address, char name[SYMBOL_SIZE], size_t *offset)
{
    const struct symbol_table *table = (const struct symbol_table *)__symbols_start;
    vaddr_t base = (vaddr_t)__image_start, start = base;
    const uint8_t *found = NULL;

    if (&__symbols_start[0] == &__symbols_end[0] || table->magic != SYMBOLS_MAGIC ||
        address >= (vaddr_t)__text_end)
        return false;
    for (const uint8_t *at = table->entries;;) {
        vaddr_t next = start + read_words(&at) * 4;

        if (*at == 0 || next > address)
            break;
        start = next;
        found = at;
        while (*at++ != 0)
            ;
    }
    if (found == NULL)
        return false;
    *offset = address - start;
    name_expand(table, found, name);
    return true;
}
