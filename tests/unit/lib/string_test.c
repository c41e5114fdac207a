/* SPDX-License-Identifier: MIT */
/* kernel/lib/string.c and memory_ops.c: every small size and offset, nothing written outside. */
#include <unit.h>

#include <lib/errno.h>
#include <lib/string.h>

enum { SIZE = 300, EDGE = 64 };

static uint8_t from[SIZE], to[SIZE], expected[SIZE];

static void fill(uint8_t *bytes, unsigned seed)
{
    for (unsigned i = 0; i < SIZE; i++)
        bytes[i] = (uint8_t)(i * 7 + seed);
}

static void same(void)
{
    for (unsigned i = 0; i < SIZE; i++)
        assert_int_equal(to[i], expected[i]);
}

static void copies(void **state)
{
    for (unsigned source = 0; source < 10; source++) {
        for (unsigned target = 0; target < 10; target++) {
            for (size_t length = 0; length < 140; length++) {
                fill(from, 1);
                fill(to, 99);
                fill(expected, 99);
                for (size_t i = 0; i < length; i++)
                    expected[EDGE + target + i] = from[source + i];
                assert_ptr_equal(memcpy(to + EDGE + target, from + source, length),
                                 to + EDGE + target);
                same();
                assert_int_equal(memcmp(to + EDGE + target, from + source, length), 0);
            }
        }
    }
}

static void overlapping_moves(void **state)
{
    for (int distance = -20; distance <= 20; distance++) {
        for (size_t length = 0; length < 140; length++) {
            fill(to, 5);
            fill(from, 5);
            fill(expected, 5);
            for (size_t i = 0; i < length; i++)
                expected[EDGE + distance + (int)i] = from[EDGE + i];
            memmove(to + EDGE + distance, to + EDGE, length);
            same();
        }
    }
}

static void sets(void **state)
{
    for (unsigned offset = 0; offset < 16; offset++) {
        for (size_t length = 0; length < 140; length++) {
            fill(to, 5);
            fill(expected, 5);
            for (size_t i = 0; i < length; i++)
                expected[EDGE + offset + i] = 0xab;
            memset(to + EDGE + offset, 0xab, length);
            same();
        }
    }
}

static void comparisons(void **state)
{
    assert_true(memcmp("a\xff", "a\x01", 2) > 0);
    assert_int_equal(strcmp("", ""), 0);
    assert_true(strcmp("a", "ab") < 0);
    assert_true(strcmp("\xff", "a") > 0);
    assert_int_equal(strncmp("abc", "abd", 2), 0);
    assert_true(str_equal_n("name@1", 4, "name"));
    assert_false(str_equal_n("name@1", 4, "names"));
    assert_false(str_equal_n("name@1", 4, "nam"));
}

static void searches(void **state)
{
    const char *text = "a needle in a haystack";

    assert_ptr_equal(strchr(text, 'n'), text + 2);
    assert_ptr_equal(strrchr(text, 'a'), text + 19);
    assert_ptr_equal(strchr(text, '\0'), text + 22);
    assert_null(strchr(text, 'z'));
    assert_int_equal(strspn("aabbc", "ab"), 4);
    assert_int_equal(strcspn("aabbc", "c"), 4);
    assert_ptr_equal(memchr(text, 'd', 22), text + 5);
    assert_null(memchr(text, 'd', 5));
    assert_true(str_starts_with(text, "a n"));
    assert_false(str_starts_with("a", "a n"));
}

static void bounded_copies(void **state)
{
    char small[4];

    assert_int_equal(strscpy(small, "abc", sizeof small), 3);
    assert_string_equal(small, "abc");
    assert_int_equal(strscpy(small, "abcd", sizeof small), -E2BIG);
    assert_string_equal(small, "abc");
    assert_int_equal(strnlen("abc", 2), 2);
    assert_int_equal(strlen("abc"), 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies),   cmocka_unit_test(overlapping_moves),
        cmocka_unit_test(sets),     cmocka_unit_test(comparisons),
        cmocka_unit_test(searches), cmocka_unit_test(bounded_copies),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
