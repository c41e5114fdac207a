/* SPDX-License-Identifier: MIT */
/* Heapsort: in place and O(n log n) whatever the input, so hostile input cannot slow it down. */
#include <lib/sort.h>

static void swap_elements(uint8_t *a, uint8_t *b, size_t size)
{
    for (; size > 0; size--, a++, b++) {
        uint8_t byte = *a;
        *a = *b;
        *b = byte;
    }
}

/* Lets element `index` sink until neither of its children is larger. */
static void sift_down(uint8_t *base, size_t index, size_t count, size_t size,
                      sort_compare_fn *compare)
{
    for (;;) {
        size_t child = 2 * index + 1;

        if (child >= count)
            return;
        if (child + 1 < count && compare(base + child * size, base + (child + 1) * size) < 0)
            child++;
        if (compare(base + index * size, base + child * size) >= 0)
            return;
        swap_elements(base + index * size, base + child * size, size);
        index = child;
    }
}

void sort(void *base, size_t count, size_t size, sort_compare_fn *compare)
{
    for (size_t i = count / 2; i-- > 0;)
        sift_down(base, i, count, size, compare);
    while (count > 1) {
        count--;
        swap_elements(base, (uint8_t *)base + count * size, size);
        sift_down(base, 0, count, size, compare);
    }
}
