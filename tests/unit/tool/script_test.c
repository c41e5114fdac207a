/* SPDX-License-Identifier: MIT
 *
 * Shell variables of scripts that are read and not run.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include <tool/script.h>

/* The lines that one line becomes, joined by '|'; NULL: not understood. */
static const char *expanded(const struct script_variables *variables, const char *line)
{
    static char joined[8192];
    struct words lines = {0};
    bool understood = script_expand(variables, line, &lines);

    joined[0] = '\0';
    for (size_t i = 0; i < lines.count && i < 300; i++) {
        if (i)
            strcat(joined, "|");
        strncat(joined, lines.item[i], sizeof(joined) - strlen(joined) - 2);
    }
    words_clear(&lines);
    return understood ? joined : NULL;
}

static void test_names(void **state)
{
    struct script_variables variables = {0};

    (void)state;
    assert_string_equal(expanded(&variables, "no name"), "no name");
    assert_null(expanded(&variables, "$a"));
    assert_true(script_assign(&variables, "a=one"));
    assert_true(script_assign(&variables, "b=\"$a two\""));
    assert_true(script_assign(&variables, "empty="));
    assert_string_equal(expanded(&variables, "$a, ${b}c$empty."), "one, one twoc.");
    assert_null(expanded(&variables, "${a"));
    assert_null(expanded(&variables, "${a:-x}"));
    assert_null(expanded(&variables, "$ab"));
    assert_null(expanded(&variables, "$1"));
    assert_null(expanded(&variables, "$"));
    assert_null(expanded(&variables, "`date`"));
    assert_false(script_assign(&variables, "a=$(date)"));
    assert_false(script_assign(&variables, "a=\"open"));
    assert_false(script_assign(&variables, "a=x command"));
    assert_false(script_assign(&variables, "echo a=1"));
    assert_string_equal(expanded(&variables, "$a"), "one");
    script_variables_clear(&variables);
    assert_null(expanded(&variables, "$a"));
    script_variables_clear(&variables);
}

static void test_loops(void **state)
{
    struct script_variables variables = {0};

    (void)state;
    assert_true(script_assign(&variables, "list='x y'"));
    assert_true(script_assign(&variables, "for i in $list z ; do"));
    assert_true(script_assign(&variables, "for  j  in 1 2"));
    assert_string_equal(expanded(&variables, "$i$j"), "x1|x2|y1|y2|z1|z2");
    assert_true(script_assign(&variables, "k=$i-"));
    assert_string_equal(expanded(&variables, "$k$i"), "x-x|y-y|z-z");
    assert_true(script_assign(&variables, "k=\"$k $k\""));
    assert_string_equal(expanded(&variables, "$k"), "x- x-|y- y-|z- z-");
    assert_true(script_assign(&variables, "for i in; do") == false);
    assert_false(script_assign(&variables, "for i in $(ls); do"));
    assert_false(script_assign(&variables, "for"));
    script_variables_clear(&variables);
}

/* A script cannot make the command eat the machine. */
static void test_growth_is_bounded(void **state)
{
    struct script_variables variables = {0};
    bool grew = true;

    (void)state;
    assert_true(script_assign(&variables, "a=0123456789012345678901234567890123456789"));
    for (int i = 0; i < 40; i++)
        grew = script_assign(&variables, "a=$a$a");
    assert_false(grew);
    script_variables_clear(&variables);
    assert_true(script_assign(&variables, "for i in 0 1 2 3 4 5 6 7 8 9; do"));
    assert_string_equal(expanded(&variables, "$i$i$i"), "000|111|222|333|444|555|666|777|888|999");
    assert_true(script_assign(&variables, "for j in 0 1 2 3 4 5 6 7 8 9; do"));
    assert_true(script_assign(&variables, "for k in 0 1 2 3 4 5 6 7 8 9; do"));
    assert_null(expanded(&variables, "$i$j$k"));
    script_variables_clear(&variables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_loops),
        cmocka_unit_test(test_growth_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
