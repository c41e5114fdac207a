/* SPDX-License-Identifier: MIT */
/* epoll and poll over eventfds and pipes: triggers, nesting, life of items. */
#include "support.h"

#include <file/epoll.h>
#include <file/eventfd.h>
#include <file/pipe.h>
#include <lib/errno.h>

static struct file *set, *event;

static int setup(void **state)
{
    (void)state;
    while_asleep = NULL;
    set = epoll_create();
    event = eventfd_create(0, false, O_NONBLOCK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    if (event != NULL)
        file_unref(event);
    if (set != NULL)
        file_unref(set);
    return 0;
}

static int add(struct file *to, struct file *file, unsigned events, uint64_t data)
{
    struct epoll_event_data asked = {events, 0, data};

    return epoll_add(to, file, 7, &asked);
}

static int look(struct epoll_event_data *out)
{
    return epoll_collect(set, out, 4, 0);
}

static void drain(void)
{
    uint64_t value;
    struct io io;

    io_init_kernel(&io, &value, sizeof(value), 0, 0);
    (void)file_read(event, &io);
}

static void count_up(void)
{
    uint64_t one = 1;

    assert_int_equal(file_write_kernel(event, &one, sizeof(one), 0), sizeof(one));
}

static void level(void **state)
{
    struct epoll_event_data out[4];

    (void)state;
    assert_int_equal(add(set, event, POLLIN, 42), 0);
    assert_int_equal(add(set, event, POLLIN, 42), -EEXIST);
    assert_int_equal(look(out), 0);
    count_up();
    assert_int_equal(look(out), 1);
    assert_int_equal(out[0].data, 42);
    assert_int_equal(out[0].events, POLLIN);
    assert_int_equal(look(out), 1);
    drain();
    assert_int_equal(file_poll(set, NULL), 0);
    assert_int_equal(look(out), 0);
}

static void edge(void **state)
{
    struct epoll_event_data out[4];

    (void)state;
    count_up(); /* before the add: counts */
    assert_int_equal(add(set, event, POLLIN | EPOLL_EDGE, 1), 0);
    assert_int_equal(look(out), 1);
    assert_int_equal(look(out), 0);
    count_up();
    assert_int_equal(file_poll(set, NULL), POLL_READABLE);
    assert_int_equal(look(out), 1);
    assert_int_equal(look(out), 0);
}

static void oneshot(void **state)
{
    struct epoll_event_data out[4], again = {POLLIN | EPOLL_ONESHOT, 0, 2};

    (void)state;
    count_up();
    assert_int_equal(add(set, event, POLLIN | EPOLL_ONESHOT, 1), 0);
    assert_int_equal(look(out), 1);
    count_up();
    assert_int_equal(look(out), 0);
    assert_int_equal(epoll_modify(set, event, 7, &again), 0);
    assert_int_equal(look(out), 1);
    assert_int_equal(out[0].data, 2);
}

static void remove_and_release(void **state)
{
    struct epoll_event_data out[4], events = {POLLIN, 0, 0};

    (void)state;
    assert_int_equal(epoll_remove(set, event, 7), -ENOENT);
    assert_int_equal(add(set, event, POLLIN, 1), 0);
    assert_int_equal(epoll_modify(set, event, 8, &events), -ENOENT);
    assert_int_equal(epoll_remove(set, event, 7), 0);
    count_up();
    assert_int_equal(look(out), 0);
    assert_int_equal(add(set, event, POLLIN, 1), 0);
    file_unref(event); /* the item goes with the file */
    event = NULL;
    assert_int_equal(look(out), 0);
}

static void set_released_first(void **state)
{
    (void)state;
    assert_int_equal(add(set, event, POLLIN, 1), 0);
    file_unref(set);
    set = NULL;
    count_up();
}

static void refused(void **state)
{
    static const struct file_ops no_poll = {.name = "none"};
    struct file *plain = file_create(&no_poll, NULL, O_RDONLY);
    struct epoll_event_data modify = {POLLIN | EPOLL_EXCLUSIVE, 0, 0};

    (void)state;
    assert_int_equal(add(set, plain, POLLIN, 0), -EPERM);
    assert_int_equal(add(set, set, POLLIN, 0), -EINVAL);
    assert_int_equal(add(event, set, POLLIN, 0), -EINVAL);
    assert_int_equal(add(set, event, POLLIN | POLLPRI | EPOLL_EXCLUSIVE, 0), -EINVAL);
    assert_int_equal(add(set, event, POLLIN | EPOLL_EXCLUSIVE, 0), 0);
    assert_int_equal(epoll_modify(set, event, 7, &modify), -EINVAL);
    file_unref(plain);
}

static void nesting(void **state)
{
    struct file *chain[6];
    struct epoll_event_data out[1];

    (void)state;
    chain[0] = set;
    for (int i = 1; i < 5; i++) {
        chain[i] = epoll_create();
        assert_int_equal(add(chain[i], chain[i - 1], POLLIN, (uint64_t)i), 0);
    }
    chain[5] = epoll_create();
    assert_int_equal(add(chain[5], chain[4], POLLIN, 5), -ELOOP);
    assert_int_equal(add(chain[0], chain[4], POLLIN, 5), -ELOOP);
    assert_int_equal(add(chain[0], event, POLLIN, 0), 0);
    assert_int_equal(epoll_collect(chain[4], out, 1, 0), 0);
    count_up();
    assert_int_equal(epoll_collect(chain[4], out, 1, 0), 1);
    assert_int_equal(out[0].data, 4);
    drain();
    assert_int_equal(epoll_collect(chain[4], out, 1, 0), 0);
    for (int i = 1; i < 6; i++)
        file_unref(chain[i]);
}

static void signal_it(void)
{
    count_up();
    while_asleep = NULL;
}

static void waiting(void **state)
{
    struct epoll_event_data out[4];

    (void)state;
    assert_int_equal(add(set, event, POLLIN, 9), 0);
    assert_int_equal(epoll_collect(set, out, 4, UINT64_MAX), -EINTR);
    assert_int_equal(epoll_collect(set, out, 4, 100), 0);
    while_asleep = signal_it;
    assert_int_equal(epoll_collect(set, out, 4, UINT64_MAX), 1);
}

static void fair_among_many(void **state)
{
    struct epoll_event_data out[2];
    struct file *events[4];
    unsigned seen[4] = {0};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        events[i] = eventfd_create(1, false, 0);
        assert_int_equal(add(set, events[i], POLLIN, i), 0);
    }
    for (unsigned round = 0; round < 4; round++) {
        assert_int_equal(epoll_collect(set, out, 2, 0), 2);
        seen[out[0].data]++;
        seen[out[1].data]++;
    }
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(seen[i], 2);
        file_unref(events[i]);
    }
}

static void poll_many(void **state)
{
    struct poll_entry entries[100];
    struct file *ends[2];

    (void)state;
    assert_int_equal(pipe_create(ends, 0), 0);
    for (unsigned i = 0; i < 100; i++)
        entries[i] = (struct poll_entry){ends[0], POLLIN, 0};
    entries[40] = (struct poll_entry){NULL, POLLIN, 0};
    entries[50] = (struct poll_entry){event, POLLIN, 0};
    assert_int_equal(poll_wait(entries, 100, 0), 0);
    assert_int_equal(poll_wait(entries, 100, 100), 0);
    assert_int_equal(poll_wait(entries, 100, UINT64_MAX), -EINTR);
    while_asleep = signal_it;
    assert_int_equal(poll_wait(entries, 100, UINT64_MAX), 1);
    assert_int_equal(entries[50].revents, POLLIN);
    file_unref(ends[1]);
    assert_int_equal(poll_wait(entries, 100, UINT64_MAX), 99);
    assert_int_equal(entries[0].revents, POLLHUP);
    file_unref(ends[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(level, setup, teardown),
        cmocka_unit_test_setup_teardown(edge, setup, teardown),
        cmocka_unit_test_setup_teardown(oneshot, setup, teardown),
        cmocka_unit_test_setup_teardown(remove_and_release, setup, teardown),
        cmocka_unit_test_setup_teardown(set_released_first, setup, teardown),
        cmocka_unit_test_setup_teardown(refused, setup, teardown),
        cmocka_unit_test_setup_teardown(nesting, setup, teardown),
        cmocka_unit_test_setup_teardown(waiting, setup, teardown),
        cmocka_unit_test_setup_teardown(fair_among_many, setup, teardown),
        cmocka_unit_test_setup_teardown(poll_many, setup, teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
