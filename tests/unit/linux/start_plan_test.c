/* SPDX-License-Identifier: MIT */
/* kernel/linux/start_plan.c: manifest and bootargs, good and malformed. */
#include <unit.h>

#include <stdlib.h>
#include <string.h>

#include <device/firmware.h>
#include <file/file.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <mm/slab.h>

#include "../../../kernel/linux/start_plan.h"

/* The reading parts are not under test. */
struct fw_node *fw_find_path(const char *path)
{
    return NULL;
}

const char *fw_property_string(const struct fw_node *node, const char *name)
{
    return NULL;
}

int fs_open(const struct path *at, const char *name, const struct open_request *request,
            struct file **out)
{
    return -ENOENT;
}

int fs_file_stat(struct file *file, struct inode_stat *stat)
{
    return -EIO;
}

ssize_t file_read_kernel(struct file *file, void *buf, size_t len, uint64_t pos)
{
    return -EIO;
}

void file_unref(struct file *file)
{
}

void *krealloc(void *old, size_t size)
{
    return realloc(old, size);
}

static struct start_plan *plan_of(const char *manifest, const char *bootargs, int expected)
{
    struct start_plan *plan = kzalloc(sizeof(*plan));
    char *text = strdup(manifest);

    assert_int_equal(*text ? start_plan_manifest(plan, text) : 0, expected);
    free(text);
    if (!expected)
        assert_int_equal(start_plan_bootargs(plan, bootargs), 0);
    return plan;
}

static void manifest_fields(void **state)
{
    struct start_plan *plan =
        plan_of("remora-manifest=1\narg=/bin/x\narg=a%25b%0A=c\nenv=A=1\n"
                "cwd=/tmp\nuser=10:20:30,40\nhostname=h\nunknown=1\nnoequals\n",
                "", 0);

    assert_int_equal(plan->args.count, 2);
    assert_string_equal(plan->args.item[1], "a%b\n=c");
    assert_string_equal(start_plan_env(plan, "A"), "1");
    assert_null(start_plan_env(plan, "B"));
    assert_string_equal(plan->cwd, "/tmp");
    assert_string_equal(plan->hostname, "h");
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

    assert_string_equal(plan->args.item[0], "%4");
    assert_string_equal(plan->args.item[1], "%zz");
    assert_string_equal(plan->args.item[2], "%");
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

    assert_null(plan->file); /* exec= is dropped with the arguments */
    assert_int_equal(plan->args.count, 4);
    assert_string_equal(plan->args.item[1], "two words");
    assert_string_equal(plan->args.item[2], "");
    assert_string_equal(plan->args.item[3], ",");
    assert_string_equal(start_plan_env(plan, "A"), "3");
    assert_null(start_plan_env(plan, "B"));
    assert_string_equal(start_plan_env(plan, "C"), "4");
    assert_string_equal(plan->cwd, "/b c");
    assert_int_equal(plan->uid, 5);
    assert_int_equal(plan->gid, 6);
    start_plan_free(plan);
}

static void init_wins(void **state)
{
    struct start_plan *plan = plan_of("", "init=/sbin/init remora.args=a", 0);

    assert_string_equal(plan->file, "/sbin/init");
    start_plan_free(plan);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(manifest_fields),
        cmocka_unit_test(manifest_malformed),
        cmocka_unit_test(bootargs_replace),
        cmocka_unit_test(init_wins),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
