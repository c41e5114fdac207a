/* SPDX-License-Identifier: MIT
 *
 * What a mistyped word was meant to be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <tool/nearest.h>

static const char *const names[] = {"run", "build", "inspect", "--timeout", "-m"};

static const char *nearest(const char *word)
{
    return text_nearest(word, names, sizeof(names) / sizeof(names[0]));
}

static void test_slips(void **state)
{
    (void)state;
    assert_string_equal(nearest("rnu"), "run");
    assert_string_equal(nearest("runn"), "run");
    assert_string_equal(nearest("biuld"), "build");
    assert_string_equal(nearest("buil"), "build");
    assert_string_equal(nearest("insect"), "inspect");
    assert_string_equal(nearest("--tiemout"), "--timeout");
    assert_string_equal(nearest("run"), "run");
}

static void test_others(void **state)
{
    char long_word[200] = {0};

    (void)state;
    memset(long_word, 'r', sizeof(long_word) - 1);
    assert_null(nearest(long_word));
    assert_null(nearest(""));
    assert_null(nearest("x"));
    assert_null(nearest("fly"));
    assert_null(nearest("inspector-general"));
    assert_null(text_nearest("run", names, 0));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_slips),
        cmocka_unit_test(test_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
