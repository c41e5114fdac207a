/* SPDX-License-Identifier: MIT */
/* Searches and counts over bit arrays, a word at a time. */
#include <lib/bitmap.h>
#include <lib/minmax.h>
#include <lib/string.h>

void bitmap_zero(unsigned long *map, size_t count)
{
    memset(map, 0, BITMAP_WORDS(count) * sizeof(*map));
}

/* The first bit that is set in map ^ flip. */
static size_t find(const unsigned long *map, size_t count, size_t from, unsigned long flip)
{
    size_t index = from / BITS_PER_LONG;
    unsigned long word;

    if (from >= count)
        return count;
    word = (map[index] ^ flip) & (~0UL << (from % BITS_PER_LONG));
    while (word == 0) {
        if (++index >= BITMAP_WORDS(count))
            return count;
        word = map[index] ^ flip;
    }
    return min(index * BITS_PER_LONG + (size_t)__builtin_ctzl(word), count);
}

size_t bitmap_find_set(const unsigned long *map, size_t count, size_t from)
{
    return find(map, count, from, 0);
}

size_t bitmap_find_clear(const unsigned long *map, size_t count, size_t from)
{
    return find(map, count, from, ~0UL);
}

/* Adds up bits in pairs, nibbles and bytes: the compiler's own needs a library or SIMD registers.
 */
static unsigned count_ones(uint64_t x)
{
    x -= (x >> 1) & 0x5555555555555555ULL;
    x = (x & 0x3333333333333333ULL) + ((x >> 2) & 0x3333333333333333ULL);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
    return (unsigned)((x * 0x0101010101010101ULL) >> 56);
}

size_t bitmap_weight(const unsigned long *map, size_t count)
{
    size_t weight = 0, words = count / BITS_PER_LONG, rest = count % BITS_PER_LONG;

    for (size_t i = 0; i < words; i++)
        weight += count_ones(map[i]);
    if (rest != 0)
        weight += count_ones(map[words] & (~0UL >> (BITS_PER_LONG - rest)));
    return weight;
}
