/* SPDX-License-Identifier: MIT */
/* Record locks and flock; a wait ends at once here, so what would block gives -ERESTARTSYS. */
#include "env.h"

#include <file/file.h>
#include <fs/lock.h>
#include <lib/errno.h>

static struct file *a, *b;
static const char first = 1, second = 2; /* two processes */

static int open_files(void **unused)
{
    (void)unused;
    env_start(NULL, 0);
    env_write("/f", 0, "x", 1);
    env_open("/f", O_RDWR, 0, &a);
    return env_open("/f", O_RDWR, 0, &b);
}

static int set(struct file *file, const void *owner, int type, uint64_t start, uint64_t end,
               bool wait)
{
    struct record_lock lock = {.type = type, .start = start, .end = end};

    return file_lock_set(file, owner, owner == &first ? 1 : 2, &lock, wait);
}

/* Who stands against a write lock of the range. */
static struct record_lock against(const void *owner, uint64_t start, uint64_t end)
{
    struct record_lock lock = {.type = F_WRLCK, .start = start, .end = end};

    assert_int_equal(file_lock_get(a, owner, &lock), 0);
    return lock;
}

static void expect(const void *owner, uint64_t at, int type, uint64_t start, uint64_t end)
{
    struct record_lock lock = against(owner, at, at);

    assert_int_equal(lock.type, type);
    if (type == F_UNLCK)
        return;
    assert_int_equal(lock.start, start);
    assert_int_equal(lock.end, end);
}

static void conflicts(void **unused)
{
    (void)unused;
    assert_int_equal(set(a, &first, F_RDLCK, 0, 99, false), 0);
    assert_int_equal(set(a, &second, F_RDLCK, 50, 149, false), 0);
    assert_int_equal(set(a, &second, F_WRLCK, 0, 10, false), -EAGAIN);
    assert_int_equal(set(a, &first, F_WRLCK, 0, 49, false), 0);
    assert_int_equal(set(a, &first, F_WRLCK, 40, 60, false), -EAGAIN);
    assert_int_equal(set(a, &second, F_WRLCK, 0, 10, true), -ERESTARTSYS);
    file_lock_closed(a, &first);
    file_lock_closed(a, &second);
    expect(&first, 0, F_UNLCK, 0, 0);
}

static void splitting_and_joining(void **unused)
{
    (void)unused;
    assert_int_equal(set(a, &first, F_WRLCK, 0, 99, false), 0);
    assert_int_equal(set(a, &first, F_UNLCK, 40, 59, false), 0);
    expect(&second, 0, F_WRLCK, 0, 39);
    expect(&second, 45, F_UNLCK, 0, 0);
    expect(&second, 70, F_WRLCK, 60, 99);
    assert_int_equal(set(a, &first, F_RDLCK, 10, 19, false), 0);
    expect(&second, 5, F_WRLCK, 0, 9);
    expect(&second, 15, F_RDLCK, 10, 19);
    expect(&second, 25, F_WRLCK, 20, 39);
    assert_int_equal(set(a, &first, F_WRLCK, 40, 59, false), 0);
    expect(&second, 50, F_WRLCK, 20, 99);
    assert_int_equal(set(a, &first, F_WRLCK, 100, UINT64_MAX, false), 0);
    expect(&second, 1u << 30, F_WRLCK, 20, UINT64_MAX);
    assert_int_equal(against(&second, 30, 30).pid, 1);
    assert_int_equal(set(a, &first, F_UNLCK, 0, UINT64_MAX, false), 0);
    expect(&second, 30, F_UNLCK, 0, 0);
}

static void open_file_locks(void **unused)
{
    (void)unused;
    assert_int_equal(set(a, a, F_WRLCK, 0, 9, false), 0);
    assert_int_equal(set(b, b, F_WRLCK, 5, 9, false), -EAGAIN);
    assert_int_equal(set(b, &first, F_RDLCK, 5, 9, false), -EAGAIN);
    file_lock_closed(a, &first); /* of a process: not theirs */
    assert_int_equal(set(b, b, F_WRLCK, 5, 9, false), -EAGAIN);
    assert_int_equal(set(a, a, F_UNLCK, 0, 9, false), 0);
    assert_int_equal(set(b, b, F_WRLCK, 5, 9, false), 0);
    assert_int_equal(set(b, b, F_UNLCK, 5, 9, false), 0);
}

static void flocks(void **unused)
{
    struct file *c;

    (void)unused;
    assert_int_equal(file_flock(a, LOCK_SH), 0);
    assert_int_equal(file_flock(b, LOCK_SH), 0);
    assert_int_equal(file_flock(a, LOCK_EX | LOCK_NB), -EAGAIN);
    assert_int_equal(file_flock(b, LOCK_EX | LOCK_NB), 0); /* a lost its lock by trying */
    assert_int_equal(file_flock(a, LOCK_SH), -ERESTARTSYS);
    assert_int_equal(file_flock(b, LOCK_UN), 0);
    assert_int_equal(file_flock(a, 3), -EINVAL);
    assert_int_equal(env_open("/f", O_RDONLY, 0, &c), 0);
    assert_int_equal(file_flock(c, LOCK_EX), 0);
    assert_int_equal(file_flock(a, LOCK_EX | LOCK_NB), -EAGAIN);
    file_unref(c);
    assert_int_equal(file_flock(a, LOCK_EX | LOCK_NB), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(conflicts),
        cmocka_unit_test(splitting_and_joining),
        cmocka_unit_test(open_file_locks),
        cmocka_unit_test(flocks),
    };

    return cmocka_run_group_tests(tests, open_files, NULL);
}
