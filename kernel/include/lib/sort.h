/* SPDX-License-Identifier: MIT */
/* Sorting arrays in place; no allocation, O(n log n) at worst. */
#ifndef LIB_SORT_H
#define LIB_SORT_H

#include <lib/types.h>

/* < 0, 0 or > 0 as a sorts before, with or after b. */
typedef int sort_compare_fn(const void *a, const void *b);

/* Heapsort: not stable. */
void sort(void *base, size_t count, size_t size, sort_compare_fn *compare);

#endif
