/* SPDX-License-Identifier: MIT */
/* Virtqueues by themselves: an honest device in any order, and what a lying one can do. */
#include <unit.h>

#include "virtio_fake.h"

#include <stdlib.h>
#include <string.h>

#include <lib/errno.h>

#define SIZE 16U

static struct virtio_fake fake;
static struct virtqueue queue;
static uint8_t memory[SIZE][8];
static uint64_t layout; /* features: what the tests below run with */

static void start_with(uint64_t features)
{
    fake_start(&fake, 99, BIT64(VIRTIO_F_VERSION_1) | layout | features);
    fake.queue_size = SIZE;
    assert_int_equal(virtio_accept(&fake.device, 0), 0);
    assert_int_equal(virtqueue_init(&queue, &fake.device, 0), 0);
    assert_int_equal(queue.size, SIZE);
}

static void start(void)
{
    start_with(0);
}

static void stop(void)
{
    fake_stop(&fake);
    assert_int_equal(fake_pages, 0);
}

static bool is_packed(void)
{
    return layout & BIT64(VIRTIO_F_RING_PACKED);
}

/* A buffer of so many pieces; its cookie is their memory. */
static int add(unsigned reads, unsigned writes, void *cookie)
{
    struct virtio_segment segment[SIZE + 1];

    for (unsigned i = 0; i < reads + writes; i++)
        segment[i] = (struct virtio_segment){memory[i % SIZE], 8};
    return virtqueue_add(&queue, segment, reads, writes, cookie);
}

static void split_sizes(void **state)
{
    static const uint32_t bad[] = {0, 3, 12, UINT32_MAX, 0x80000001};
    static const uint32_t good[] = {1, 2, 64, 1024, 32768, 65536, 0x80000000};

    fake_start(&fake, 99, BIT64(VIRTIO_F_VERSION_1));
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        fake.queue_size = bad[i];
        assert_int_equal(virtqueue_init_size(&queue, &fake.device, 0, UINT32_MAX), -ENOENT);
        assert_int_equal(fake_pages, 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        fake.queue_size = good[i];
        assert_int_equal(virtqueue_init(&queue, &fake.device, 0), 0);
        assert_int_equal(queue.size, good[i] < VIRTQUEUE_SIZE ? good[i] : VIRTQUEUE_SIZE);
        virtqueue_free(&queue);
        assert_int_equal(fake_pages, 0);
    }
    assert_int_equal(virtqueue_init(&queue, &fake.device, FAKE_QUEUES), -ENOENT);
}

static void packed_sizes(void **state)
{
    static const uint32_t bad[] = {0, 32769, 65536, UINT32_MAX};
    static const uint32_t good[] = {1, 3, 13, 1024, 32768};

    fake_start(&fake, 99, BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_F_RING_PACKED));
    assert_int_equal(virtio_accept(&fake.device, 0), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        fake.queue_size = bad[i];
        assert_int_equal(virtqueue_init_size(&queue, &fake.device, 0, UINT32_MAX), -ENOENT);
        assert_int_equal(fake_pages, 0);
    }
    for (unsigned i = 0; i < ARRAY_SIZE(good); i++) {
        fake.queue_size = good[i];
        assert_int_equal(virtqueue_init_size(&queue, &fake.device, 0, UINT32_MAX), 0);
        assert_int_equal(queue.size, good[i]);
        virtqueue_free(&queue);
        assert_int_equal(fake_pages, 0);
    }
}

/* An old device cannot have it, whatever it offers. */
static void needs_version_1(void **state)
{
    fake_start(&fake, 99, BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_RING_F_INDIRECT) | BIT64(5));
    assert_int_equal(virtio_accept(&fake.device, BIT64(4)), 0);
    assert_int_equal(fake.device.accepted, BIT64(VIRTIO_RING_F_INDIRECT));
}

static void fills_and_empties(void **state)
{
    uint32_t written;

    start();
    for (unsigned round = 0; round < 5000; round++) { /* indices wrap */
        assert_int_equal(add(SIZE - 2, 2, memory), 0);
        assert_int_equal(add(1, 0, &fake), -EAGAIN);
        assert_null(virtqueue_get(&queue, &written));
        fake_use(&fake, 0, (uint32_t)fake_next(&fake, 0), round);
        assert_true(virtqueue_has_news(&queue));
        assert_ptr_equal(virtqueue_get(&queue, &written), memory);
        assert_int_equal(written, round);
        assert_false(virtqueue_has_news(&queue));
    }
    stop();
}

/* The device gives buffers back in any order: each cookie once, no descriptor is lost. */
static void any_order(void **state)
{
    bool with_device[64] = {false};
    int head[64];
    unsigned heads = 0, next = 0;
    uint32_t written;

    start();
    srand(7);
    for (unsigned step = 0; step < 20000; step++) {
        unsigned cookie = next % 64, at;
        char *back;
        int error;

        if (rand() % 2 == 0 && !with_device[cookie]) {
            error = add((unsigned)rand() % 3 + 1, (unsigned)rand() % 3, (char *)&fake + cookie);
            assert_true(error == 0 || error == -EAGAIN);
            if (error == 0) {
                with_device[cookie] = true;
                head[heads++] = fake_next(&fake, 0);
                next++;
            }
        } else if (heads > 0) {
            at = (unsigned)rand() % heads;
            fake_use(&fake, 0, (uint32_t)head[at], step);
            head[at] = head[--heads];
            back = virtqueue_get(&queue, &written);
            assert_true(back >= (char *)&fake && back < (char *)&fake + 64);
            assert_true(with_device[back - (char *)&fake]);
            with_device[back - (char *)&fake] = false;
            assert_int_equal(written, step);
        }
    }
    while (heads > 0) {
        fake_use(&fake, 0, (uint32_t)head[--heads], 0);
        assert_non_null(virtqueue_get(&queue, &written));
    }
    assert_int_equal(queue.free_count, SIZE);
    assert_int_equal(add(SIZE, 0, memory), 0);
    stop();
}

/* Each of these ends the queue, with a message, and gives nothing that was not offered. */
static void wrong_ids(void **state)
{
    for (unsigned lie = 0; lie < 6; lie++) {
        uint32_t id, written;
        int head;

        if (lie >= 4 && is_packed())
            break; /* ids have 16 bits there */
        start();
        assert_int_equal(add(2, 1, &queue), 0);
        assert_int_equal(add(1, 1, &fake), 0);
        head = fake_next(&fake, 0);
        (void)fake_next(&fake, 0);
        fake_use(&fake, 0, (uint32_t)head, 0);
        assert_ptr_equal(virtqueue_get(&queue, &written), &queue);
        id = lie == 0   ? SIZE                      /* out of range */
             : lie == 1 ? UINT32_MAX                /* likewise */
             : lie == 2 ? (uint32_t)head            /* given back once already */
             : lie == 3 ? SIZE - 1                  /* never offered */
             : lie == 4 ? (uint32_t)head + 0x10000U /* right in its lower half */
                        : 0x80000000U;
        fake_use(&fake, 0, id, 0);
        unit_log[0] = '\0';
        assert_null(virtqueue_get(&queue, &written));
        assert_true(queue.is_broken);
        assert_non_null(strstr(unit_log, "not used any more"));
        unit_log[0] = '\0';
        assert_null(virtqueue_get(&queue, &written)); /* told once */
        assert_string_equal(unit_log, "");
        assert_ptr_equal(virtqueue_take_unused(&queue), &fake); /* after a reset: what it had */
        assert_null(virtqueue_take_unused(&queue));
        stop();
    }
}

/* The device says that it has used more buffers than there are. What was offered may come back,
 * each once; then the queue is broken. */
static void runs_ahead(void **state)
{
    for (unsigned ahead = 3; ahead <= 65535; ahead = ahead * 3 + 1) {
        unsigned count = 0;
        uint32_t written;
        void *cookie;

        start();
        assert_int_equal(add(1, 0, &queue), 0);
        assert_int_equal(add(1, 0, &fake), 0);
        fake_use(&fake, 0, (uint32_t)fake_next(&fake, 0), 8);
        fake_run_ahead(&fake, 0, ahead);
        while ((cookie = virtqueue_get(&queue, &written)) != NULL) {
            assert_true(cookie == &queue || cookie == &fake);
            count++;
        }
        assert_true(count <= 2);
        assert_true(queue.is_broken || (is_packed() && ahead > SIZE)); /* or undone by a round */
        stop();
    }
}

static void lengths_are_passed_on(void **state)
{
    static const uint32_t lengths[] = {0, 1, 8, 9, 65536, UINT32_MAX};
    uint32_t written;

    start();
    for (unsigned i = 0; i < ARRAY_SIZE(lengths); i++) {
        assert_int_equal(add(0, 1, memory), 0);
        fake_use(&fake, 0, (uint32_t)fake_next(&fake, 0), lengths[i]);
        assert_ptr_equal(virtqueue_get(&queue, &written), memory);
        assert_int_equal(written, lengths[i]);
    }
    stop();
}

static void taken_back_after_a_reset(void **state)
{
    void *seen[4];

    start();
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(add(1, i, memory[i]), 0);
    for (unsigned i = 0; i < 4; i++) {
        seen[i] = virtqueue_take_unused(&queue);
        assert_non_null(seen[i]);
        for (unsigned k = 0; k < i; k++)
            assert_ptr_not_equal(seen[k], seen[i]);
    }
    assert_null(virtqueue_take_unused(&queue));
    assert_int_equal(queue.free_count, SIZE);
    stop();
}

/* By the event index one notification and one interrupt for what is wanted, and no more. */
static void events(void **state)
{
    uint32_t written;

    fake_start(&fake, 99, BIT64(VIRTIO_F_VERSION_1) | BIT64(VIRTIO_RING_F_EVENT_IDX) | layout);
    fake.queue_size = SIZE;
    assert_int_equal(virtio_accept(&fake.device, BIT64(VIRTIO_RING_F_EVENT_IDX)), 0);
    assert_int_equal(virtqueue_init(&queue, &fake.device, 0), 0);
    fake_want_notification(&fake, 0);
    for (unsigned i = 0; i < 70000; i++) {
        assert_int_equal(add(1, 0, memory), 0);
        virtqueue_kick(&queue);
        assert_int_equal(fake.notified[0], i / 2 + 1);
        virtqueue_kick(&queue);
        assert_int_equal(fake.notified[0], i / 2 + 1);
        virtqueue_interrupts(&queue, i % 3 == 0);
        fake_use(&fake, 0, (uint32_t)fake_next(&fake, 0), 0);
        assert_int_equal(fake_wants_interrupt(&fake, 0), i % 3 == 0);
        assert_ptr_equal(virtqueue_get(&queue, &written), memory);
        if (i % 2 == 1)
            fake_want_notification(&fake, 0);
    }
    stop();
}

/* Tables take long buffers as long as there are some; what the device sees is the same. */
static void tables(void **state)
{
    uint8_t out[SIZE * 8];
    uint32_t written, size;
    int head[5];
    bool writes;

    for (unsigned i = 0; i < SIZE; i++)
        memset(memory[i], (int)i + 1, 8);
    start_with(BIT64(VIRTIO_RING_F_INDIRECT));
    virtqueue_add_tables(&queue, 3, 4, 10);
    for (unsigned round = 0; round < 1000; round++) {
        assert_int_equal(add(2, 1, memory[0]), 0); /* too short */
        assert_int_equal(queue.free_count, SIZE - 3);
        for (unsigned i = 1; i <= 3; i++)
            assert_int_equal(add(3 + i, i, memory[i]), 0);
        assert_int_equal(queue.free_count, SIZE - 6);
        assert_int_equal(add(3, 1, memory[4]), 0); /* no table is left */
        assert_int_equal(queue.free_count, SIZE - 10);
        assert_int_equal(add(11, 0, memory[5]), -EAGAIN);
        for (unsigned i = 0; i < 5; i++)
            head[i] = fake_next(&fake, 0);
        assert_int_equal(fake_pieces(&fake, 0, (unsigned)head[3]), 9);
        (void)fake_piece(&fake, 0, (unsigned)head[3], 5, &size, &writes);
        assert_int_equal(size, 8);
        assert_false(writes);
        assert_ptr_equal(fake_piece(&fake, 0, (unsigned)head[3], 6, &size, &writes), memory[6]);
        assert_true(writes);
        assert_int_equal(fake_read(&fake, 0, (unsigned)head[1], out, sizeof(out)), 4 * 8);
        assert_int_equal(out[31], 4);
        for (unsigned i = 0; i < 5; i++) {
            fake_use(&fake, 0, (uint32_t)head[(i + round) % 5], i);
            assert_ptr_equal(virtqueue_get(&queue, &written), memory[(i + round) % 5]);
        }
        assert_int_equal(queue.free_count, SIZE);
    }
    assert_int_equal(add(11, 0, memory[5]), 0); /* longer than a table */
    assert_int_equal(queue.free_count, SIZE - 11);
    assert_int_equal(add(4, 4, memory[6]), 0);
    assert_non_null(virtqueue_take_unused(&queue));
    assert_non_null(virtqueue_take_unused(&queue));
    for (unsigned i = 0; i < 3; i++) /* it has come back */
        assert_int_equal(add(4, 4, memory[i]), 0);
    assert_int_equal(queue.free_count, SIZE - 3);
    stop();
}

static int run(const char *name, uint64_t features)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tables),
        cmocka_unit_test(fills_and_empties),
        cmocka_unit_test(any_order),
        cmocka_unit_test(wrong_ids),
        cmocka_unit_test(runs_ahead),
        cmocka_unit_test(lengths_are_passed_on),
        cmocka_unit_test(taken_back_after_a_reset),
        cmocka_unit_test(events),
    };

    layout = features;
    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}

int main(void)
{
    const struct CMUnitTest setup[] = {
        cmocka_unit_test(split_sizes),
        cmocka_unit_test(packed_sizes),
        cmocka_unit_test(needs_version_1),
    };

    return cmocka_run_group_tests_name("setup", setup, NULL, NULL) + run("split", 0) +
           run("packed", BIT64(VIRTIO_F_RING_PACKED));
}
