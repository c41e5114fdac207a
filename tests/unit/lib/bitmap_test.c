/* SPDX-License-Identifier: MIT */
/* kernel/lib/bitmap.c beside one bool a bit. */
#include <unit.h>

#include <stdlib.h>
#include <string.h>

#include <lib/bitmap.h>

enum { COUNT = 203 };

static BITMAP(map, COUNT);
static bool plain[COUNT];

static size_t plain_find(bool value, size_t from)
{
    while (from < COUNT && plain[from] != value)
        from++;
    return from;
}

static void compare(void)
{
    size_t weight = 0;

    for (size_t i = 0; i < COUNT; i++) {
        assert_int_equal(bitmap_test(map, i), plain[i]);
        weight += plain[i];
        size_t set = bitmap_find_set(map, COUNT, i), clear = bitmap_find_clear(map, COUNT, i);

        assert_int_equal(set >= COUNT ? COUNT : set, plain_find(true, i));
        assert_int_equal(clear >= COUNT ? COUNT : clear, plain_find(false, i));
    }
    assert_int_equal(bitmap_weight(map, COUNT), weight);
}

static void random_walk(void **state)
{
    srand(2);
    bitmap_zero(map, COUNT);
    memset(plain, 0, sizeof plain);
    for (int step = 0; step < 2000; step++) {
        size_t bit = (size_t)rand() % COUNT;
        bool set = step < 1000 ? rand() % 4 != 0 : rand() % 4 == 0; /* gets full, then empty */

        if (set)
            assert_int_equal(bitmap_test_and_set(map, bit), plain[bit]);
        else
            assert_int_equal(bitmap_test_and_clear(map, bit), plain[bit]);
        plain[bit] = set;
        compare();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
