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

static size_t plain_find_range(size_t from, size_t length, size_t align)
{
    for (size_t at = (from + align - 1) / align * align; at + length <= COUNT; at += align) {
        size_t run = 0;

        while (run < length && !plain[at + run])
            run++;
        if (run == length)
            return at;
    }
    return COUNT;
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
    assert_int_equal(bitmap_empty(map, COUNT), weight == 0);
}

static void random_walk(void **state)
{
    srand(2);
    bitmap_zero(map, COUNT);
    memset(plain, 0, sizeof plain);
    for (int step = 0; step < 400; step++) {
        size_t first = (size_t)rand() % COUNT, length = (size_t)rand() % (COUNT - first + 1);

        switch (rand() % 4) {
        case 0:
            bitmap_set_range(map, first, length);
            memset(plain + first, true, length);
            break;
        case 1:
            bitmap_clear_range(map, first, length);
            memset(plain + first, false, length);
            break;
        case 2:
            assert_int_equal(bitmap_test_and_set(map, first), plain[first]);
            plain[first] = true;
            break;
        default:
            assert_int_equal(bitmap_test_and_clear(map, first), plain[first]);
            plain[first] = false;
        }
        compare();
        size_t want = (size_t)rand() % 20 + 1, align = (size_t)1 << (rand() % 5);
        size_t found = bitmap_find_clear_range(map, COUNT, first, want, align);

        assert_int_equal(found >= COUNT ? COUNT : found, plain_find_range(first, want, align));
    }
}

static void filled(void **state)
{
    bitmap_zero(map, COUNT);
    bitmap_fill(map, COUNT);
    assert_int_equal(bitmap_weight(map, COUNT), COUNT);
    assert_true(bitmap_find_clear(map, COUNT, 0) >= COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walk),
        cmocka_unit_test(filled),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
