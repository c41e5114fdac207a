/* SPDX-License-Identifier: MIT */
/* Descriptor tables: lowest numbers, limits, growth, copies, close-on-exec, ranges. */
#include "support.h"

#include <file/fdtable.h>
#include <lib/errno.h>

static unsigned released, flushed;

static void count_release(struct file *file)
{
    (void)file;
    released++;
}

static int count_flush(struct file *file, const void *owner)
{
    (void)file;
    (void)owner;
    flushed++;
    return 0;
}

static const struct file_ops ops = {.name = "test", .flush = count_flush, .release = count_release};

static struct file *make(void)
{
    return file_create(&ops, NULL, O_RDWR);
}

static int setup(void **state)
{
    released = flushed = 0;
    *state = fd_table_create();
    return 0;
}

static int teardown(void **state)
{
    fd_table_unref(*state);
    return 0;
}

static void lowest_number_first(void **state)
{
    struct fd_table *table = *state;

    for (int i = 0; i < 5; i++)
        assert_int_equal(fd_add(table, make(), 100, false), i);
    assert_int_equal(fd_close(table, 3), 0);
    assert_int_equal(fd_close(table, 1), 0);
    assert_int_equal(fd_close(table, 1), -EBADF);
    assert_int_equal(released, 2);
    assert_int_equal(flushed, 2);
    assert_int_equal(fd_reserve(table, 2, 100, false), 3);
    assert_int_equal(fd_add(table, make(), 100, false), 1);
    assert_int_equal(fd_close(table, 3), -EBADF); /* only reserved */
    fd_cancel(table, 3);
    assert_int_equal(fd_add(table, make(), 100, false), 3);
}

static void limits(void **state)
{
    struct fd_table *table = *state;
    struct file *file = make();

    assert_int_equal(fd_reserve(table, 5, 5, false), -EINVAL);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(fd_reserve(table, 0, 5, false), i);
    assert_int_equal(fd_add(table, file, 5, false), -EMFILE);
    assert_int_equal(fd_replace(table, 7, file, 5, false), -EBADF);
    assert_int_equal(fd_replace(table, 2, file, 5, false), -EBUSY);
    file_unref(file);
}

static void growth(void **state)
{
    struct fd_table *table = *state;
    struct file *file = make();

    assert_int_equal(fd_replace(table, 1000, file, 5000, true), 1000);
    assert_ptr_equal(fd_get(table, 1000).file, file);
    assert_null(fd_get(table, 999).file);
    assert_null(fd_get(table, 100000).file);
    for (int i = 0; i < 1000; i++)
        assert_int_equal(fd_reserve(table, 0, 5000, false), i);
    assert_int_equal(fd_reserve(table, 0, 5000, false), 1001);
    assert_int_equal(fd_get_cloexec(table, 1000), 1);
    assert_int_equal(fd_next(table, 0), 1000);
    assert_int_equal(fd_next(table, 1001), -1);
    assert_int_equal(fd_close(table, 1000), 0);
    assert_int_equal(released, 0);
    file_unref(file);
    assert_int_equal(released, 1);
}

static void copies_share_files(void **state)
{
    struct fd_table *table = *state;
    struct fd_table *copy;

    assert_int_equal(fd_add(table, make(), 100, true), 0);
    assert_int_equal(fd_reserve(table, 0, 100, false), 1);
    assert_int_equal(fd_add(table, make(), 100, false), 2);
    copy = fd_table_copy(table);
    assert_ptr_equal(fd_get(copy, 2).file, fd_get(table, 2).file);
    fd_close_on_exec(copy);
    assert_null(fd_get(copy, 0).file);
    assert_int_equal(released, 0);
    assert_int_equal(fd_add(copy, make(), 100, false), 0);
    assert_int_equal(fd_add(copy, make(), 100, false), 1); /* the reservation was not copied */
    fd_table_unref(copy);
    assert_int_equal(released, 2);
}

static void ranges(void **state)
{
    struct fd_table *table = *state;

    for (int i = 0; i < 10; i++)
        assert_int_equal(fd_add(table, make(), 100, false), i);
    fd_close_range(table, 3, 5, false);
    assert_int_equal(released, 3);
    fd_close_range(table, 7, UINT32_MAX, true);
    fd_close_on_exec(table);
    assert_int_equal(released, 6);
    assert_int_equal(fd_next(table, 3), 6);
    assert_int_equal(fd_next(table, 7), -1);
}

static void shared_tables_count(void **state)
{
    struct fd_table *table = *state;
    struct fd found;

    assert_int_equal(fd_add(table, make(), 100, false), 0);
    found = fd_get(table, 0);
    assert_false(found.counted);
    fd_table_ref(table);
    found = fd_get(table, 0);
    assert_true(found.counted);
    assert_int_equal(fd_close(table, 0), 0);
    assert_int_equal(released, 0);
    fd_put(found);
    assert_int_equal(released, 1);
    fd_table_unref(table);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lowest_number_first, setup, teardown),
        cmocka_unit_test_setup_teardown(limits, setup, teardown),
        cmocka_unit_test_setup_teardown(growth, setup, teardown),
        cmocka_unit_test_setup_teardown(copies_share_files, setup, teardown),
        cmocka_unit_test_setup_teardown(ranges, setup, teardown),
        cmocka_unit_test_setup_teardown(shared_tables_count, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
