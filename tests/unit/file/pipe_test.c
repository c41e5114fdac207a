/* SPDX-License-Identifier: MIT */
/* Pipes: order, capacity, atomic writes, packets, ends that close, faults. */
#include "support.h"

#include <string.h>

#include <file/pipe.h>
#include <lib/errno.h>

static struct file *ends[2];

static void open_pipe(unsigned flags)
{
    last_signal = 0;
    assert_int_equal(pipe_create(ends, flags), 0);
}

static void close_pipe(void)
{
    if (ends[0] != NULL)
        file_unref(ends[0]);
    if (ends[1] != NULL)
        file_unref(ends[1]);
    assert_int_equal(pages_in_use, 0);
}

static ssize_t put(const void *data, size_t n)
{
    struct io io;

    io_init_user(&io, (vaddr_t)data, n, 0, 0);
    return file_write(ends[1], &io);
}

static ssize_t get(void *data, size_t n)
{
    struct io io;

    io_init_user(&io, (vaddr_t)data, n, 0, 0);
    return file_read(ends[0], &io);
}

static char big[200000], back[200000];

static void bytes_keep_their_order(void **state)
{
    size_t written = 0, read = 0;

    (void)state;
    open_pipe(O_NONBLOCK);
    for (size_t i = 0; i < sizeof(big); i++)
        big[i] = (char)(i * 31 + i / 251);
    for (unsigned round = 1; read < sizeof(big); round = round * 7 % 9973) {
        size_t n = round < sizeof(big) - written ? round : sizeof(big) - written;
        ssize_t moved = n != 0 ? put(big + written, n) : 0;

        if (moved > 0)
            written += (size_t)moved;
        n = (round * 5 % 7001) + 1;
        moved = get(back + read, n < sizeof(back) - read ? n : sizeof(back) - read);
        if (moved > 0)
            read += (size_t)moved;
    }
    assert_memory_equal(big, back, sizeof(big));
    close_pipe();
}

static void full_pipe(void **state)
{
    (void)state;
    open_pipe(O_NONBLOCK);
    assert_int_equal(put(big, 100000), 65536);
    assert_int_equal(put(big, 1), -EAGAIN);
    assert_int_equal(file_poll(ends[1], NULL) & POLLOUT, 0);
    assert_int_equal(get(back, 4095), 4095);
    assert_int_equal(put(big, 1), -EAGAIN); /* no page is free yet */
    assert_int_equal(get(back, 1), 1);
    assert_int_not_equal(file_poll(ends[1], NULL) & POLLOUT, 0);
    assert_int_equal(put(big, 4096), 4096);
    close_pipe();
}

static struct waiter writer;
static unsigned room_wakes;

static bool count_wake(struct waiter *waiter, unsigned events)
{
    room_wakes += waiter == &writer && (events & POLLOUT) != 0;
    return true;
}

static void queue_writer(struct poll_waiter *pw, struct waitq *queue)
{
    (void)pw;
    waitq_add(queue, &writer);
}

static void fill(void)
{
    while_copying = NULL;
    assert_int_equal(put(big, 4096), 4096);
    assert_int_equal(put(big, 4096), -EAGAIN);
}

static void full_only_while_being_read(void **state)
{
    struct poll_waiter waits = {.add = queue_writer, .events = POLLOUT};

    (void)state;
    open_pipe(O_NONBLOCK);
    assert_int_equal(put(big, 15 * 4096), 15 * 4096);
    waiter_init(&writer);
    writer.notify = count_wake;
    room_wakes = 0;
    file_poll(ends[1], &waits);
    assert_int_equal(get(back, 4096), 4096);
    assert_int_equal(room_wakes, 0); /* nobody can have waited for room */
    assert_int_equal(put(big, 4096), 4096);
    room_wakes = 0;
    while_copying = fill;
    assert_int_equal(get(back, 4096), 4096);
    assert_int_equal(room_wakes, 1);
    waitq_remove(&writer);
    close_pipe();
}

static void one_byte_writes_fill_pages(void **state)
{
    unsigned count = 0;

    (void)state;
    open_pipe(O_NONBLOCK);
    while (put("x", 1) == 1)
        count++;
    assert_int_equal(count, 65536);
    close_pipe();
}

static void small_writes_are_atomic(void **state)
{
    (void)state;
    open_pipe(O_NONBLOCK);
    assert_int_equal(put(big, 15 * 4096 + 100), 15 * 4096 + 100);
    assert_int_equal(put(big, 3996), 3996); /* fits behind the 100 */
    assert_int_equal(put(big, 4096), -EAGAIN);
    assert_int_equal(get(back, 4096), 4096);
    assert_int_equal(put(big, 4096), 4096);
    close_pipe();
}

static void packets(void **state)
{
    char out[10];

    (void)state;
    open_pipe(O_NONBLOCK | O_DIRECT);
    assert_int_equal(put("first", 5), 5);
    assert_int_equal(put("second", 6), 6);
    assert_int_equal(get(out, 3), 3); /* the rest of the packet is lost */
    assert_int_equal(get(out, 10), 6);
    assert_memory_equal(out, "second", 6);
    close_pipe();
}

static void writer_gone(void **state)
{
    char out[4];

    (void)state;
    open_pipe(0);
    assert_int_equal(put("ab", 2), 2);
    file_unref(ends[1]);
    ends[1] = NULL;
    assert_int_equal(file_poll(ends[0], NULL), POLL_READABLE | POLLHUP);
    assert_int_equal(get(out, 4), 2);
    assert_int_equal(get(out, 4), 0);
    assert_int_equal(file_poll(ends[0], NULL), POLLHUP);
    close_pipe();
}

static void reader_gone(void **state)
{
    (void)state;
    open_pipe(0);
    file_unref(ends[0]);
    ends[0] = NULL;
    assert_int_equal(put("ab", 2), -EPIPE);
    assert_int_equal(last_signal, 13);
    assert_int_not_equal(file_poll(ends[1], NULL) & POLLERR, 0);
    close_pipe();
}

static void write_later(void)
{
    assert_int_equal(put("late", 4), 4);
    while_asleep = NULL;
}

static void blocking_read(void **state)
{
    char out[4];

    (void)state;
    open_pipe(0);
    assert_int_equal(get(out, 4), -ERESTARTSYS);
    while_asleep = write_later;
    assert_int_equal(get(out, 4), 4);
    assert_memory_equal(out, "late", 4);
    assert_int_equal(get(out, 0), 0);
    close_pipe();
}

static void read_later(void)
{
    assert_int_equal(get(back, 65536), 65536);
    while_asleep = NULL;
}

static void blocking_write(void **state)
{
    (void)state;
    open_pipe(0);
    while_asleep = read_later;
    assert_int_equal(put(big, 70000), 70000);
    assert_int_equal(get(back, 70000), 70000 - 65536);
    assert_int_equal(put(big, 100000), 65536); /* then a signal */
    assert_int_equal(put(big, 1), -ERESTARTSYS);
    close_pipe();
}

static void faults_lose_nothing(void **state)
{
    char out[16];

    (void)state;
    open_pipe(O_NONBLOCK);
    assert_int_equal(put("0123456789", 10), 10);
    user_edge = (uintptr_t)out + 4;
    user_end = user_edge + 100;
    assert_int_equal(get(out, 10), 4);
    assert_int_equal(get(out + 4, 1), -EFAULT);
    user_edge = user_end = UINTPTR_MAX;
    assert_int_equal(get(out, 16), 6);
    assert_memory_equal(out, "456789", 6);
    user_edge = (uintptr_t)big + 8192 + 10;
    user_end = user_edge + 1000;
    assert_int_equal(put(big, 9000), 8192);
    assert_int_equal(put(big + 8192, 100), -EFAULT);
    user_edge = user_end = UINTPTR_MAX;
    assert_int_equal(get(back, 10000), 8192);
    close_pipe();
}

static void resize(void **state)
{
    struct pipe *pipe;

    (void)state;
    open_pipe(O_NONBLOCK);
    pipe = pipe_of(ends[0]);
    assert_int_equal(pipe_size(pipe), 65536);
    assert_int_equal(pipe_set_size(pipe, 1, false), 4096);
    assert_int_equal(put(big, 10000), 4096);
    assert_int_equal(pipe_set_size(pipe, 5000, false), 8192);
    assert_int_equal(put(big, 10000), 4096);
    assert_int_equal(pipe_set_size(pipe, 4096, false), -EBUSY);
    assert_int_equal(pipe_set_size(pipe, 2 << 20, false), -EPERM);
    assert_int_equal(pipe_set_size(pipe, 1 << 20, false), 1 << 20);
    assert_int_equal(get(back, 10000), 8192);
    assert_memory_equal(back, big, 4096);
    close_pipe();
}

static void tee_and_splice(void **state)
{
    struct file *other[2];
    struct io io;
    char out[20];

    (void)state;
    open_pipe(O_NONBLOCK);
    assert_int_equal(pipe_create(other, O_NONBLOCK), 0);
    assert_int_equal(put("hello ", 6), 6);
    assert_int_equal(pipe_tee(ends[0], other[1], 100, true), 6);
    assert_int_equal(pipe_splice_out(ends[0], other[1], NULL, 5, true), 5);
    io_init_kernel(&io, out, 20, 0, 0);
    assert_int_equal(file_read(other[0], &io), 11);
    assert_memory_equal(out, "hello hello", 11);
    assert_int_equal(get(out, 20), 1);
    assert_int_equal(pipe_tee(ends[0], other[1], 100, true), -EAGAIN);
    file_unref(other[0]);
    file_unref(other[1]);
    close_pipe();
}

static void fifo(void **state)
{
    static const struct file_ops none = {0};
    struct pipe *slot = NULL;
    struct file *reader = file_create(&none, NULL, O_RDONLY | O_NONBLOCK);
    struct file *writer = file_create(&none, NULL, O_WRONLY | O_NONBLOCK);
    struct io io;
    char out[2];

    (void)state;
    assert_int_equal(fifo_open(&slot, writer), -ENXIO);
    assert_null(slot);
    assert_int_equal(fifo_open(&slot, reader), 0);
    assert_int_equal(file_poll(reader, NULL), 0); /* no hang-up before the first writer */
    io_init_kernel(&io, out, 2, 0, 0);
    assert_int_equal(file_read(reader, &io), 0);
    assert_int_equal(fifo_open(&slot, writer), 0);
    io_init_kernel(&io, "ab", 2, 0, 0);
    assert_int_equal(file_write(writer, &io), 2);
    file_unref(writer);
    assert_int_equal(file_poll(reader, NULL), POLL_READABLE | POLLHUP);
    file_unref(reader);
    assert_null(slot);
    assert_int_equal(pages_in_use, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_keep_their_order),
        cmocka_unit_test(full_pipe),
        cmocka_unit_test(full_only_while_being_read),
        cmocka_unit_test(one_byte_writes_fill_pages),
        cmocka_unit_test(small_writes_are_atomic),
        cmocka_unit_test(packets),
        cmocka_unit_test(writer_gone),
        cmocka_unit_test(reader_gone),
        cmocka_unit_test(blocking_read),
        cmocka_unit_test(blocking_write),
        cmocka_unit_test(faults_lose_nothing),
        cmocka_unit_test(resize),
        cmocka_unit_test(tee_and_splice),
        cmocka_unit_test(fifo),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
