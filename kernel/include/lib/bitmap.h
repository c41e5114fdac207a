/* SPDX-License-Identifier: MIT */
/*
 * Arrays of bits in unsigned longs. Nothing here is atomic: callers lock. Searches return `count`
 * (the size given) when nothing is found.
 */
#ifndef LIB_BITMAP_H
#define LIB_BITMAP_H

#include <lib/compiler.h>

#define BITS_PER_LONG       (8 * sizeof(unsigned long))
#define BITMAP_WORDS(count) (((count) + BITS_PER_LONG - 1) / BITS_PER_LONG)
#define BITMAP(name, count) unsigned long name[BITMAP_WORDS(count)]

static inline void bitmap_set(unsigned long *map, size_t bit)
{
    map[bit / BITS_PER_LONG] |= 1UL << (bit % BITS_PER_LONG);
}

static inline void bitmap_clear(unsigned long *map, size_t bit)
{
    map[bit / BITS_PER_LONG] &= ~(1UL << (bit % BITS_PER_LONG));
}

static inline bool bitmap_test(const unsigned long *map, size_t bit)
{
    return (map[bit / BITS_PER_LONG] >> (bit % BITS_PER_LONG)) & 1;
}

static inline bool bitmap_test_and_set(unsigned long *map, size_t bit)
{
    bool was_set = bitmap_test(map, bit);
    bitmap_set(map, bit);
    return was_set;
}

static inline bool bitmap_test_and_clear(unsigned long *map, size_t bit)
{
    bool was_set = bitmap_test(map, bit);
    bitmap_clear(map, bit);
    return was_set;
}

void bitmap_zero(unsigned long *map, size_t count);
size_t bitmap_weight(const unsigned long *map, size_t count);

/* The first set (clear) bit at or after `from`. */
size_t bitmap_find_set(const unsigned long *map, size_t count, size_t from);
size_t bitmap_find_clear(const unsigned long *map, size_t count, size_t from);

#define bitmap_for_each_set(bit, map, count)                      \
    for ((bit) = bitmap_find_set(map, count, 0); (bit) < (count); \
         (bit) = bitmap_find_set(map, count, (bit) + 1))

#endif
