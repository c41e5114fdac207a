/* SPDX-License-Identifier: MIT */
/* kernel/lib/sort.c beside qsort, for arrays of every small size. */
#include <unit.h>

#include <stdlib.h>
#include <string.h>

#include <lib/sort.h>

static int compare(const void *a, const void *b)
{
    int x = *(const int *)a, y = *(const int *)b;

    return (x > y) - (x < y);
}

static void like_qsort(void **state)
{
    int ours[200], theirs[200];

    srand(3);
    for (size_t count = 0; count <= 200; count++) {
        for (size_t i = 0; i < count; i++)
            ours[i] = theirs[i] = rand() % 100;
        sort(ours, count, sizeof(int), compare);
        qsort(theirs, count, sizeof(int), compare);
        assert_memory_equal(ours, theirs, count * sizeof(int));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(like_qsort)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
