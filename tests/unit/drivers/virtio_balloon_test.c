/* SPDX-License-Identifier: MIT */
/*
 * The virtio balloon driver: what it gives to the host and takes back, on a device that answers,
 * is silent for a while or for good, and lies. Its thread runs until the device breaks, and the
 * test's steps take place while it sleeps.
 */
#include <unit.h>

#include "virtio_fake.h"

#include <sleeper.h>
#include <stdlib.h>
#include <string.h>

#include <core/clock.h>
#include <core/thread.h>
#include <lib/errno.h>
#include <mm/memory.h>
#include <mm/page.h>

extern const struct driver *const driver_entry_virtio_balloon;

enum { STATS = 1, DEFLATE_ON_OOM = 2, HINT = 3, REPORTING = 5 }; /* features, section 5.5.3 */
enum { INFLATE, DEFLATE };                                       /* queues */

#define MODERN BIT64(VIRTIO_F_VERSION_1)
#define PAGES  4096U /* of RAM */
#define BLOCK  (PAGE_SIZE << PAGE_ORDER_MAX)
#define STEPS  16U

static struct virtio_fake fake;

/* --- memory -------------------------------------------------------------------------------------
 */

static uint8_t ram[PAGES * PAGE_SIZE] __attribute__((aligned(4096)));
static struct page frames[PAGES];
static bool taken[PAGES], lent[PAGES]; /* by page_alloc(); to the host */
static unsigned lent_count;

char *unit_ram = (char *)ram;
char *unit_ram_pages = (char *)frames;
uintptr_t kernel_image_offset;
unsigned fake_pages;

static struct memory_stats stats; /* `available` less what is taken */
static struct memory_shrinker *shrinker;
static unsigned block_count, blocks_out, blocks_told;

static bool are_free(unsigned first, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        if (taken[first + i])
            return false;
    }
    return true;
}

struct page *page_alloc(unsigned order, unsigned flags)
{
    unsigned count = 1U << order;

    for (unsigned first = 1; first + count <= PAGES; first++) {
        if (!are_free(first, count))
            continue;
        memset(taken + first, true, count);
        if (flags & PAGE_ZERO)
            memset(ram + first * PAGE_SIZE, 0, count * PAGE_SIZE);
        fake_pages += count;
        return &frames[first];
    }
    return NULL;
}

void page_free(struct page *page, unsigned order)
{
    unsigned first = (unsigned)(page - frames), count = 1U << order;

    for (unsigned i = first; i < first + count; i++) {
        assert_true(taken[i]);
        assert_false(lent[i]); /* the host has it still */
        taken[i] = false;
    }
    fake_pages -= count;
}

void memory_get_stats(struct memory_stats *to)
{
    *to = stats;
    to->available -= fake_pages;
}

void memory_add_shrinker(struct memory_shrinker *added)
{
    shrinker = added;
}

unsigned page_report_take(struct page **to, unsigned count)
{
    unsigned got = 0;

    while (got < count && blocks_out + blocks_told < block_count) {
        to[got++] =
            &frames[(blocks_out++ + blocks_told) % (PAGES >> PAGE_ORDER_MAX) << PAGE_ORDER_MAX];
    }
    return got;
}

void page_report_done(struct page *const *from, unsigned count)
{
    (void)from;
    assert_true(count <= blocks_out);
    blocks_out -= count;
    blocks_told += count;
}

/* --- the device ---------------------------------------------------------------------------------
 */

static bool is_silent;
static uint32_t id_more; /* a lie */
static unsigned stats_queue, report_queue, reported;
static int stats_head; /* the buffer that it keeps until it wants to know; -1: none */

static void move_frames(unsigned queue, int head)
{
    static uint32_t numbers[1024];
    uint32_t size = fake_read(&fake, queue, (unsigned)head, (uint8_t *)numbers, sizeof(numbers));

    assert_int_equal(size % 4, 0);
    assert_true(size != 0);
    for (unsigned i = 0; i < size / 4; i++) {
        assert_true(numbers[i] < PAGES);
        assert_true(taken[numbers[i]]);
        assert_int_equal(lent[numbers[i]], queue == DEFLATE);
        lent[numbers[i]] = queue == INFLATE;
        lent_count += queue == INFLATE ? 1U : -1U;
    }
}

static void look_at_blocks(int head)
{
    uint32_t size;
    bool writes;

    for (unsigned i = 0; i < fake_pieces(&fake, report_queue, (unsigned)head); i++) {
        (void)fake_piece(&fake, report_queue, (unsigned)head, i, &size, &writes);
        assert_int_equal(size, BLOCK);
        assert_true(writes);
        reported++;
    }
}

/* Does what it is asked for; false: nothing. */
static bool serve(void)
{
    bool did = false;
    int head;

    for (unsigned queue = 0; queue < 5 && !is_silent; queue++) {
        while (fake.queue[queue] != NULL && (head = fake_next(&fake, queue)) >= 0) {
            if (queue == stats_queue) {
                stats_head = head;
                continue;
            }
            if (queue == report_queue)
                look_at_blocks(head);
            else
                move_frames(queue, head);
            fake_use(&fake, queue, (uint32_t)head + id_more, 0);
            did = true;
        }
    }
    if (did)
        fake.device.interrupt(&fake.device);
    return did;
}

static uint32_t actual(void)
{
    uint32_t count;

    memcpy(&count, fake.config + 4, sizeof(count));
    return count;
}

static void want(uint32_t pages)
{
    memcpy(fake.config, &pages, sizeof(pages));
    fake.device.config_changed(&fake.device);
}

static void break_it(void)
{
    fake.needs_reset = true;
    fake.device.config_changed(&fake.device);
}

/* --- the balloon's thread -----------------------------------------------------------------------
 */

static void (*entry)(void *);
static void *entry_argument;
static void (*const *step)(void); /* the next one; NULL at their end */
static bool in_step;

int thread_spawn(const char *name, void (*run)(void *), void *argument, struct thread **out)
{
    assert_string_equal(name, "balloon");
    entry = run;
    entry_argument = argument;
    *out = unit_current;
    return 0;
}

/* A request is answered before the next step comes. */
static void meanwhile(void)
{
    if (serve() || in_step || is_silent)
        return;
    in_step = true;
    if (*step != NULL)
        (*step++)();
    else
        break_it();
    in_step = false;
}

static void run(void (*const steps[STEPS])(void))
{
    step = steps;
    entry(entry_argument);
    assert_null(*step);
}

static int set_up(void **state)
{
    (void)state;
    sleeper_reset();
    sleeper.meanwhile = meanwhile;
    memset(taken, 0, sizeof(taken));
    memset(lent, 0, sizeof(lent));
    lent_count = fake_pages = block_count = blocks_out = blocks_told = reported = 0;
    is_silent = in_step = false;
    id_more = 0;
    shrinker = NULL;
    stats_head = -1;
    entry_argument = NULL;
    stats_queue = report_queue = FAKE_QUEUES;
    stats = (struct memory_stats){.total = 8192, .free = 5000, .available = 5500, .cached = 70};
    unit_log[0] = '\0';
    return 0;
}

static void start(uint64_t features)
{
    fake_start(&fake, VIRTIO_ID_BALLOON, MODERN | features);
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_balloon), 0);
    assert_non_null(entry);
}

static int tear_down(void **state)
{
    (void)state;
    fake_stop(&fake);
    free(entry_argument); /* it stays for good, as on a machine */
    return 0;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void want_300(void)
{
    want(300);
}

static void has_300(void)
{
    assert_int_equal(lent_count, 300);
    assert_int_equal(actual(), 300);
    want(20);
}

static void has_20(void)
{
    assert_int_equal(lent_count, 20);
    assert_int_equal(actual(), 20);
    want(0);
}

static void has_none(void)
{
    assert_int_equal(lent_count, 0);
    assert_int_equal(actual(), 0);
}

static void gives_and_takes(void **state)
{
    static void (*const steps[STEPS])(void) = {want_300, has_300, has_20, has_none};
    unsigned before;

    start(0);
    assert_null(shrinker);
    before = fake_pages;
    run(steps);
    assert_int_equal(fake_pages, before);
}

static void has_all_but_the_floor(void)
{
    assert_int_equal(stats.available - fake_pages, 2048);
    assert_int_equal(actual(), lent_count);
    assert_int_equal(sleeper.now_ns, 0);
    stats.available += 30; /* it looks again by itself */
}

static void has_all_again(void)
{
    assert_int_equal(stats.available - fake_pages, 2048);
    assert_int_equal(actual(), lent_count);
    assert_int_equal(sleeper.now_ns, 2 * NS_PER_SECOND);
}

static void keeps_a_floor(void **state)
{
    static void (*const steps[STEPS])(void) = {has_all_but_the_floor, has_all_again};

    stats.available = 3000;
    start(0);
    want(UINT32_MAX);
    run(steps);
}

static void want_600(void)
{
    want(600);
}

static void memory_is_short(void)
{
    assert_int_equal(shrinker->reclaim(shrinker, 300), 512); /* by batches of 256 */
    assert_int_equal(actual(), 88);
    assert_int_equal(lent_count, 88);
}

/* As long as the host wants 600 and there are enough, it has them. */
static void host_is_late(void)
{
    assert_int_equal(lent_count, 600);
    is_silent = true;
    assert_int_equal(shrinker->reclaim(shrinker, 300), 0);
    assert_int_equal(sleeper.now_ns, NS_PER_SECOND);
    assert_non_null(strstr(unit_log, "memory is short"));
    assert_int_equal(shrinker->reclaim(shrinker, 300), 0); /* at once: one waits, not all */
    assert_int_equal(sleeper.now_ns, NS_PER_SECOND);
    assert_int_equal(actual(), 600);
    is_silent = false;
}

static void pages_came_late(void)
{
    assert_int_equal(lent_count, 600); /* 256 came and went again */
    assert_int_equal(actual(), 600);
    assert_int_equal(fake.notified[DEFLATE], 3);
    assert_int_equal(fake.notified[INFLATE], 3 + 2 + 1);
}

static void gives_back_when_memory_is_short(void **state)
{
    static void (*const steps[STEPS])(void) = {want_600, memory_is_short, host_is_late,
                                               pages_came_late};

    start(BIT64(DEFLATE_ON_OOM));
    assert_non_null(shrinker);
    assert_int_equal(shrinker->reclaim(shrinker, 300), 0); /* it has none */
    run(steps);
}

static void host_does_not_answer(void)
{
    is_silent = true;
    assert_int_equal(shrinker->reclaim(shrinker, 300), 0);
}

/* Its thread waits ten seconds for what reclaim did not wait for. Pages stay the host's. */
static void is_silent_for_good(void **state)
{
    static void (*const steps[STEPS])(void) = {want_600, host_does_not_answer};
    uint64_t end;

    start(BIT64(DEFLATE_ON_OOM));
    run(steps);
    assert_non_null(strstr(unit_log, "not used any more"));
    assert_int_equal(lent_count, 600);
    end = sleeper.now_ns;
    assert_int_equal(end, 11 * NS_PER_SECOND);
    assert_int_equal(shrinker->reclaim(shrinker, 300), 0);
    assert_int_equal(sleeper.now_ns, end);
}

static void is_silent_from_the_start(void **state)
{
    static void (*const steps[STEPS])(void) = {NULL};

    start(BIT64(REPORTING));
    block_count = 3;
    want(600);
    is_silent = true;
    run(steps);
    assert_int_equal(sleeper.now_ns, 10 * NS_PER_SECOND);
    assert_int_equal(blocks_out, 0); /* not offered to a device that is given up */
}

/* An id that it was not given: the queue is broken, and the balloon with it. */
static void wrong_id(void **state)
{
    static void (*const steps[STEPS])(void) = {NULL};
    static const uint32_t more[] = {1, 77, 0x8000};

    for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
        set_up(state);
        start(BIT64(DEFLATE_ON_OOM));
        id_more = more[i];
        want(600);
        run(steps);
        assert_non_null(strstr(unit_log, "not used any more"));
        assert_int_equal(sleeper.now_ns, 0);
        assert_int_equal(shrinker->reclaim(shrinker, 300), 0);
        if (i + 1 < ARRAY_SIZE(more))
            tear_down(state);
    }
}

/* --- statistics and reports --- */

static void expect_stats(void)
{
    static const uint16_t tags[] = {4, 5, 6, 7}; /* section 5.5.6.4 */
    struct {
        uint16_t tag;
        uint64_t value;
    } __packed stat[5];

    assert_true(stats_head >= 0);
    assert_int_equal(
        fake_read(&fake, stats_queue, (unsigned)stats_head, (void *)stat, sizeof(stat)),
        sizeof(stat[0]) * 4);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(stat[i].tag, tags[i]);
    assert_int_equal(stat[0].value, stats.free * PAGE_SIZE);
    assert_int_equal(stat[1].value, stats.total * PAGE_SIZE);
    assert_int_equal(stat[2].value, (stats.available - fake_pages) * PAGE_SIZE);
    assert_int_equal(stat[3].value, stats.cached * PAGE_SIZE);
}

static void ask_for_stats(void)
{
    expect_stats();
    stats.free = 4321;
    fake_use(&fake, stats_queue, (uint32_t)stats_head, 0);
    stats_head = -1;
    fake.device.interrupt(&fake.device);
}

static void lie_about_stats(void)
{
    expect_stats();
    fake_use(&fake, stats_queue, (uint32_t)stats_head + 1, 0);
    fake.device.interrupt(&fake.device);
}

static void tells_statistics(void **state)
{
    static void (*const steps[STEPS])(void) = {ask_for_stats, ask_for_stats, lie_about_stats,
                                               want_300, has_300};

    start(BIT64(STATS));
    stats_queue = 2;
    run(steps);
}

static void all_are_reported(void)
{
    assert_int_equal(reported, 11);
    assert_int_equal(blocks_told, 11);
    assert_int_equal(fake.notified[report_queue], 2); /* eight at once */
    block_count = 12;
}

static void one_more_is_reported(void)
{
    assert_int_equal(blocks_told, 12);
    assert_int_equal(sleeper.now_ns, 2 * NS_PER_SECOND);
    assert_int_equal(blocks_out, 0);
}

/* Its queue's number depends on those that are offered, not on those that we take. */
static void reports_free_blocks(void **state)
{
    static void (*const steps[STEPS])(void) = {all_are_reported, one_more_is_reported};
    static const struct {
        uint64_t features;
        unsigned queue;
    } row[] = {{BIT64(REPORTING), 2},
               {BIT64(STATS) | BIT64(REPORTING), 3},
               {BIT64(STATS) | BIT64(HINT) | BIT64(REPORTING), 4}};

    for (unsigned i = 0; i < ARRAY_SIZE(row); i++) {
        set_up(state);
        start(row[i].features);
        report_queue = row[i].queue;
        stats_queue = row[i].features & BIT64(STATS) ? 2 : FAKE_QUEUES;
        block_count = 11;
        run(steps);
        if (i + 1 < ARRAY_SIZE(row))
            tear_down(state);
    }
}

static void cannot_start(void **state)
{
    fake_start(&fake, VIRTIO_ID_BALLOON, MODERN | BIT64(STATS));
    fake.refuses = true;
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_balloon), -EIO);
    assert_int_equal(fake_pages, 0);
    fake_start(&fake, VIRTIO_ID_BALLOON, MODERN | BIT64(STATS));
    fake.queue_size = 0;
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_balloon), -ENOENT);
    assert_int_equal(fake.resets, 1);
    assert_int_equal(fake_pages, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(gives_and_takes),
        TEST(keeps_a_floor),
        TEST(gives_back_when_memory_is_short),
        TEST(is_silent_for_good),
        TEST(is_silent_from_the_start),
        TEST(wrong_id),
        TEST(tells_statistics),
        TEST(reports_free_blocks),
        TEST(cannot_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
