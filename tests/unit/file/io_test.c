/* SPDX-License-Identifier: MIT */
/* Requests: segments, faults, exact partial results. */
#include "support.h"

#include <string.h>

#include <file/io.h>
#include <lib/errno.h>

static void single_buffer(void **state)
{
    char user[8] = "........";
    struct io io;

    (void)state;
    io_init_user(&io, (vaddr_t)user, 8, 5, 0);
    assert_int_equal(io_copy_to(&io, "abcd", 4), 4);
    assert_int_equal(io_copy_to(&io, "efghij", 6), 4);
    assert_memory_equal(user, "abcdefgh", 8);
    assert_int_equal(io_copy_to(&io, "x", 1), 0);
    assert_int_equal(io.done, 8);
    assert_int_equal(io.pos, 5);
}

static void segments_with_empty_ones(void **state)
{
    char a[3], b[5];
    struct io_segment segments[] = {{0, 0}, {(vaddr_t)a, 3}, {0, 0}, {(vaddr_t)b, 5}, {0, 0}};
    char out[8];
    struct io io;

    (void)state;
    io_init_segments(&io, segments, 5, 8, 0, 0);
    assert_int_equal(io_copy_to(&io, "12", 2), 2);
    assert_int_equal(io_copy_to(&io, "345678", 6), 6);
    assert_memory_equal(a, "123", 3);
    assert_memory_equal(b, "45678", 5);
    io_rewind(&io, 7);
    assert_int_equal(io_left(&io), 7);
    assert_int_equal(io_copy_from(&io, out, 8), 7);
    assert_memory_equal(out, "2345678", 7);
}

static void skip_and_rewind_meet(void **state)
{
    char a[4] = "abcd", b[4] = "efgh", out[4];
    struct io_segment segments[] = {{(vaddr_t)a, 4}, {(vaddr_t)b, 4}};
    struct io io;

    (void)state;
    for (size_t skip = 0; skip <= 8; skip++) {
        for (size_t back = 0; back <= skip; back++) {
            io_init_segments(&io, segments, 2, 8, 0, 0);
            io_skip(&io, skip);
            io_rewind(&io, back);
            assert_int_equal(io_left(&io), 8 - skip + back);
            if (io_left(&io) == 0)
                continue;
            assert_int_equal(io_copy_from(&io, out, 1), 1);
            assert_int_equal(out[0], "abcdefgh"[skip - back]);
        }
    }
}

static void fault_in_the_middle(void **state)
{
    char user[16], out[16];
    struct io io;

    (void)state;
    user_edge = (uintptr_t)user + 10;
    user_end = user_edge + 100;
    io_init_user(&io, (vaddr_t)user, 16, 0, 0);
    assert_int_equal(io_copy_to(&io, "0123456789abcdef", 16), 10);
    assert_int_equal(io_left(&io), 6);
    assert_int_equal(io_copy_to(&io, "a", 1), -EFAULT);
    assert_int_equal(io_zero(&io, 1), -EFAULT);
    io_rewind(&io, 4);
    assert_int_equal(io_get(&io, out, 6), -EFAULT);
    assert_int_equal(io_left(&io), 10);
    assert_int_equal(io_get(&io, out, 4), 0);
    assert_memory_equal(out, "6789", 4);
    user_edge = user_end = UINTPTR_MAX;
}

static void kernel_buffer(void **state)
{
    char buffer[4] = "zzzz";
    struct io io;

    (void)state;
    user_edge = 0; /* every user access would fault */
    io_init_kernel(&io, buffer, 4, 0, 0);
    assert_int_equal(io_zero(&io, 2), 2);
    assert_int_equal(io_put(&io, "abc", 3), -EINVAL);
    assert_int_equal(io_put(&io, "ab", 2), 0);
    assert_memory_equal(buffer, "\0\0ab", 4);
    user_edge = UINTPTR_MAX;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_buffer),        cmocka_unit_test(segments_with_empty_ones),
        cmocka_unit_test(skip_and_rewind_meet), cmocka_unit_test(fault_in_the_middle),
        cmocka_unit_test(kernel_buffer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
