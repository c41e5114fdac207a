/* SPDX-License-Identifier: MIT */
/* Searches and ranges over bit arrays, a word at a time. */
#include <lib/align.h>
#include <lib/bitmap.h>
#include <lib/minmax.h>
#include <lib/string.h>

void bitmap_zero(unsigned long *map, size_t count)
{
    memset(map, 0, BITMAP_WORDS(count) * sizeof(*map));
}

void bitmap_fill(unsigned long *map, size_t count)
{
    bitmap_zero(map, count);
    bitmap_set_range(map, 0, count);
}

/* The bits of the word of `first` that lie in [first, first + length); returns how many. */
static size_t range_mask(size_t first, size_t length, unsigned long *mask)
{
    size_t shift = first % BITS_PER_LONG;
    size_t count = min(length, BITS_PER_LONG - shift);

    *mask = (~0UL >> (BITS_PER_LONG - count)) << shift;
    return count;
}

void bitmap_set_range(unsigned long *map, size_t first, size_t length)
{
    while (length > 0) {
        unsigned long mask;
        size_t count = range_mask(first, length, &mask);

        map[first / BITS_PER_LONG] |= mask;
        first += count;
        length -= count;
    }
}

void bitmap_clear_range(unsigned long *map, size_t first, size_t length)
{
    while (length > 0) {
        unsigned long mask;
        size_t count = range_mask(first, length, &mask);

        map[first / BITS_PER_LONG] &= ~mask;
        first += count;
        length -= count;
    }
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

size_t bitmap_find_clear_range(const unsigned long *map, size_t count, size_t from, size_t length,
                               size_t align)
{
    for (;;) {
        size_t first = bitmap_find_clear(map, count, from), used;

        first = align_up(first, align);
        if (first >= count || length > count - first)
            return count;
        used = bitmap_find_set(map, first + length, first);
        if (used == first + length)
            return first;
        from = used + 1;
    }
}

bool bitmap_empty(const unsigned long *map, size_t count)
{
    return bitmap_find_set(map, count, 0) == count;
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
