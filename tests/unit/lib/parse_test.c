/* SPDX-License-Identifier: MIT */
/* kernel/lib/parse.c: numbers at their limits, and words of a command line. */
#include <unit.h>

#include <string.h>

#include <lib/errno.h>
#include <lib/parse.h>

static void unsigned_numbers(void **state)
{
    uint64_t value = 0;
    uint32_t small = 0;
    const char *end;

    assert_int_equal(parse_u64("18446744073709551615", 10, &value, NULL), 0);
    assert_true(value == UINT64_MAX);
    assert_int_equal(parse_u64("18446744073709551616", 10, &value, NULL), -ERANGE);
    assert_int_equal(parse_u64("0x10", 0, &value, NULL), 0);
    assert_int_equal(value, 16);
    assert_int_equal(parse_u64("010", 0, &value, NULL), 0);
    assert_int_equal(parse_u64("zz", 36, &value, NULL), 0);
    assert_int_equal(value, 35 * 36 + 35);
    assert_int_equal(parse_u64("", 10, &value, NULL), -EINVAL);
    assert_int_equal(parse_u64("-1", 10, &value, NULL), -EINVAL);
    assert_int_equal(parse_u64(" 1", 10, &value, NULL), -EINVAL);
    assert_int_equal(parse_u64("12x", 10, &value, NULL), -EINVAL);
    assert_int_equal(parse_u64("12x", 10, &value, &end), 0);
    assert_string_equal(end, "x");
    assert_int_equal(parse_u32("4294967295", 10, &small, NULL), 0);
    assert_int_equal(parse_u32("4294967296", 10, &small, NULL), -ERANGE);
}

static void signed_numbers(void **state)
{
    int64_t value = 0;

    assert_int_equal(parse_i64("-9223372036854775808", 10, &value, NULL), 0);
    assert_true(value == INT64_MIN);
    assert_int_equal(parse_i64("9223372036854775807", 10, &value, NULL), 0);
    assert_int_equal(parse_i64("9223372036854775808", 10, &value, NULL), -ERANGE);
    assert_int_equal(parse_i64("-9223372036854775809", 10, &value, NULL), -ERANGE);
    assert_int_equal(parse_i64("+5", 10, &value, NULL), 0);
    assert_int_equal(parse_i64("-", 10, &value, NULL), -EINVAL);
}

static void sizes(void **state)
{
    uint64_t bytes = 0;

    assert_int_equal(parse_size("64K", &bytes, NULL), 0);
    assert_int_equal(bytes, 65536);
    assert_int_equal(parse_size("0x10M", &bytes, NULL), 0);
    assert_int_equal(bytes, 16 << 20);
    assert_int_equal(parse_size("16777215T", &bytes, NULL), 0);
    assert_int_equal(parse_size("16777216T", &bytes, NULL), -ERANGE);
    assert_int_equal(parse_size("K", &bytes, NULL), -EINVAL);
}

static void option_is(const char *line, const char *key, const char *expected)
{
    size_t length = 0;
    const char *value = parse_option(line, key, &length);

    if (expected == NULL) {
        assert_null(value);
        return;
    }
    assert_non_null(value);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(value, expected, length);
}

static void options(void **state)
{
    option_is("a=1 bb=2 c", "bb", "2");
    option_is("a=1 bb=2 c", "b", NULL);
    option_is("a=1 bb=2 c", "c", "");
    option_is("a=1 a=2", "a", "2");
    option_is("xa=1", "a", NULL);
    option_is("", "a", NULL);
    option_is("  a=  b=3 ", "a", "");
    option_is("  a=  b=3 ", "b", "3");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unsigned_numbers),
        cmocka_unit_test(signed_numbers),
        cmocka_unit_test(sizes),
        cmocka_unit_test(options),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
