/* SPDX-License-Identifier: MIT */
/* kernel/linux/start_plan.c: manifest and bootargs, good and malformed. */
#include <unit.h>

#include <stdlib.h>
#include <string.h>

#include <lib/errno.h>
#include <mm/slab.h>

#include "../../../kernel/linux/start_plan.h"

static struct start_plan *plan_of(const char *manifest, const char *bootargs, int expected)
{
    struct start_plan *plan = kzalloc(sizeof(*plan));

    assert_int_equal(
        start_plan_parse(plan, *manifest ? kstrdup(manifest) : NULL, kstrdup(bootargs)), expected);
    return plan;
}

/* The value with this number among those of a key. */
static const char *value(const struct start_plan *plan, enum plan_key key, unsigned number)
{
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->entry[i].key == key && number-- == 0)
            return plan->entry[i].value;
    }
    return NULL;
}

static void manifest_fields(void **state)
{
    struct start_plan *plan =
        plan_of("remora-manifest=1\narg=/bin/x\narg=a%25b%0A=c\nenv=A=1\n"
                "cwd=/tmp\nuser=10:20:30,40\nhostname=h\nunknown=1\nnoequals\n",
                "", 0);

    assert_null(value(plan, PLAN_ARG, 2));
    assert_string_equal(value(plan, PLAN_ARG, 1), "a%b\n=c");
    assert_string_equal(start_plan_env(plan, "A"), "1");
    assert_null(start_plan_env(plan, "B"));
    assert_string_equal(start_plan_value(plan, PLAN_CWD), "/tmp");
    assert_string_equal(start_plan_value(plan, PLAN_HOSTNAME), "h");
    assert_int_equal(plan->uid, 10);
    assert_int_equal(plan->gid, 20);
    assert_int_equal(plan->group_count, 2);
    assert_int_equal(plan->groups[1], 40);
    start_plan_free(plan);
}

static void manifest_malformed(void **state)
{
    start_plan_free(plan_of("something else\narg=x\n", "", -EINVAL));
    start_plan_free(plan_of("remora-manifest=1", "", -EINVAL));
    struct start_plan *plan =
        plan_of("remora-manifest=1\narg=%4\narg=%zz\narg=%\nuser=x\nuser=1\n", "", 0);

    assert_string_equal(value(plan, PLAN_ARG, 0), "%4");
    assert_string_equal(value(plan, PLAN_ARG, 1), "%zz");
    assert_string_equal(value(plan, PLAN_ARG, 2), "%");
    assert_int_equal(plan->uid, 0);
    start_plan_free(plan);
}

static void bootargs_replace(void **state)
{
    struct start_plan *plan =
        plan_of("remora-manifest=1\nexec=/x\narg=old\nenv=A=1\nenv=B=2\ncwd=/a\n",
                "quiet remora.args=new,two%20words,,%2C remora.env=A=3,B,C=4 remora.cwd=/b%20c "
                "remora.user=5:6",
                0);

    assert_string_equal(start_plan_file(plan), "new"); /* exec= is dropped with the arguments */
    assert_null(value(plan, PLAN_ARG, 4));
    assert_string_equal(value(plan, PLAN_ARG, 1), "two words");
    assert_string_equal(value(plan, PLAN_ARG, 2), "");
    assert_string_equal(value(plan, PLAN_ARG, 3), ",");
    assert_string_equal(start_plan_env(plan, "A"), "3");
    assert_null(start_plan_env(plan, "B"));
    assert_string_equal(start_plan_env(plan, "C"), "4");
    assert_string_equal(start_plan_value(plan, PLAN_CWD), "/b c");
    assert_int_equal(plan->uid, 5);
    assert_int_equal(plan->gid, 6);
    start_plan_free(plan);
}

static void init_wins(void **state)
{
    struct start_plan *plan = plan_of("", "init=/sbin/init remora.args=a", 0);

    assert_string_equal(start_plan_file(plan), "/sbin/init");
    assert_string_equal(value(plan, PLAN_ARG, 0), "a");
    start_plan_free(plan);
}

static void last_counts(void **state)
{
    struct start_plan *plan = plan_of(
        "remora-manifest=1\nexec=/a\nexec=/b\nenv=A=1\nenv=A=2\nenvironment=x\nen=y\nuser=1:2",
        "remora.env= remora.args= remora.cwd=\"/x y\" remora.user=3:4:5 init=/z remora.env=A", 0);

    assert_string_equal(start_plan_file(plan), "/z");
    assert_string_equal(start_plan_value(plan, PLAN_CWD), "/x y");
    assert_string_equal(value(plan, PLAN_ARG, 0), "");
    assert_null(value(plan, PLAN_ARG, 1));
    assert_null(start_plan_env(plan, "A"));
    assert_null(value(plan, PLAN_ENV, 0));
    assert_int_equal(plan->uid, 3);
    assert_int_equal(plan->group_count, 1);
    start_plan_free(plan);
    plan = plan_of("remora-manifest=1\nenv=A=1\nenv=A=2", "", 0);
    assert_null(start_plan_file(plan));
    assert_string_equal(start_plan_env(plan, "A"), "2");
    assert_string_equal(value(plan, PLAN_ENV, 0), "A=1");
    start_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(last_counts),        cmocka_unit_test(manifest_fields),
        cmocka_unit_test(manifest_malformed), cmocka_unit_test(bootargs_replace),
        cmocka_unit_test(init_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
