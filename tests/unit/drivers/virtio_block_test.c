/* SPDX-License-Identifier: MIT */
/* The virtio disk driver and blk_transfer() on a device that may lie, change, or stop. */
#include <unit.h>

#include "virtio_fake.h"

#include <sleeper.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <core/clock.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <core/wait.h>
#include <device/blkdev.h>
#include <lib/errno.h>
#include <mm/page.h>

extern const struct driver *const driver_entry_virtio_block;

/* Numbers of features, section 5.2.3, and places in the configuration, 5.2.4. */
enum {
    SIZE_MAX_ = 1,
    SEG_MAX = 2,
    RO = 5,
    BLK_SIZE = 6,
    FLUSH = 9,
    MQ = 12,
    DISCARD = 13,
    ZEROES = 14
};

#define SECTORS 1024U
static uint64_t layout; /* features of the ring, which all tests below run with */

#define MODERN (layout | BIT64(VIRTIO_F_VERSION_1) | BIT64(SEG_MAX) | BIT64(FLUSH))

static struct virtio_fake fake;
static struct blkdev *disk;

/* --- the device's side --------------------------------------------------------------------------
 */

static uint8_t media[SECTORS * SECTOR_SIZE];
static unsigned served;
static struct {
    uint8_t status;
    int64_t written_more; /* than is true */
    uint32_t id_more;
} lie;

static void put_config(unsigned at, uint64_t value, unsigned size)
{
    memcpy(fake.config + at, &value, size);
}

/* Does one request; the head, -1: there is none. */
static int serve_one(unsigned queue)
{
    struct {
        uint32_t type, reserved;
        uint64_t sector;
    } header;
    int head = fake_next(&fake, queue);
    static uint8_t data[300000];
    uint32_t room = 0, size;
    unsigned pieces;
    bool writes;

    if (head < 0)
        return head;
    pieces = fake_pieces(&fake, queue, (unsigned)head);
    for (unsigned i = 0; i < pieces; i++) {
        (void)fake_piece(&fake, queue, (unsigned)head, i, &size, &writes);
        room += writes ? size : 0;
    }
    assert_int_equal(size, 1); /* the status comes last */
    assert_true(writes);
    size = fake_read(&fake, queue, (unsigned)head, data, sizeof(data));
    memcpy(&header, data, sizeof(header));
    if (header.type == 1)
        memcpy(media + header.sector * SECTOR_SIZE, data + 16, size - 16);
    memcpy(data,
           header.type == 8 ? (uint8_t *)"serial\0            "
                            : media + header.sector * SECTOR_SIZE,
           room - 1);
    data[room - 1] = lie.status;
    fake_write(&fake, queue, (unsigned)head, data, room);
    fake_use(&fake, queue, (uint32_t)head + lie.id_more,
             (uint32_t)((int64_t)room + lie.written_more));
    served++;
    return head;
}

static void serve_all(void)
{
    for (unsigned i = 0; i < FAKE_QUEUES && fake.queue[i] != NULL; i++) {
        while (serve_one(i) >= 0)
            continue;
    }
    fake.device.interrupt(&fake.device);
}

static int start(uint64_t offered)
{
    struct blkdev *last = blkdev_first();
    int error;

    fake_start(&fake, VIRTIO_ID_BLOCK, offered);
    fake.queue_size = 128;
    put_config(0, SECTORS, 8);
    put_config(8, 1 << 20, 4);
    put_config(12, 126, 4);
    put_config(20, 512, 4);
    put_config(36, 8, 4);
    put_config(48, 16, 4);
    memset(&lie, 0, sizeof(lie));
    served = 0;
    sleeper_reset();
    sleeper.meanwhile = serve_all;
    unit_log[0] = '\0';
    error = fake_probe(&fake, driver_entry_virtio_block);
    disk = NULL;
    for (struct blkdev *dev = last; dev != NULL; dev = dev->next)
        disk = dev;
    if (last == NULL)
        disk = blkdev_first();
    return error;
}

/* A disk stays for ever; what it has from page_alloc() is taken back from the outside. */
static void stop(void)
{
    fake_stop(&fake);
    assert_int_equal(fake_pages, 0);
}

static uint8_t *pages_of(struct page_vec *vec, unsigned count)
{
    struct page *page = page_alloc(4, PAGE_ZERO);

    for (unsigned i = 0; i < count; i++)
        vec[i] =
            (struct page_vec){virt_page((uint8_t *)page_virt(page) + i * PAGE_SIZE), 0, PAGE_SIZE};
    return page_virt(page);
}

static int transfer(enum blk_op op, uint64_t sector, unsigned pages)
{
    struct page_vec vec[16];
    uint8_t *memory = pages_of(vec, pages);
    int error;

    memset(memory, 0x5a, pages * PAGE_SIZE);
    error = blk_transfer(disk, op, sector, vec, pages);
    if (error == 0)
        assert_memory_equal(memory, media + sector * SECTOR_SIZE, pages * PAGE_SIZE);
    page_free(virt_page(memory), 4);
    return error;
}

/* --- tests --------------------------------------------------------------------------------------
 */

static void reads_and_writes(void **state)
{
    char serial[BLK_SERIAL_SIZE + 1];

    for (unsigned i = 0; i < sizeof(media); i++)
        media[i] = (uint8_t)(i * 3 + i / 509);
    assert_int_equal(start(MODERN | BIT64(DISCARD) | BIT64(ZEROES) | BIT64(BLK_SIZE)), 0);
    assert_int_equal(disk->sector_count, SECTORS);
    assert_int_equal(transfer(BLK_READ, 8, 4), 0);
    assert_int_equal(transfer(BLK_WRITE, 16, 16), 0);
    assert_int_equal(media[16 * SECTOR_SIZE + 70], 0x5a);
    assert_int_equal(blk_identify(disk, serial), 0);
    assert_string_equal(serial, "serial");
    assert_int_equal(blk_flush(disk), 0);
    served = 0;
    assert_int_equal(blk_erase(disk, BLK_DISCARD, 0, 20), 0);
    assert_int_equal(served, 3); /* 8 sectors at a time */
    assert_int_equal(blk_erase(disk, BLK_WRITE_ZEROES, 0, 20), 0);
    assert_int_equal(transfer(BLK_READ, SECTORS - 8, 2), -EINVAL); /* over the end */
    assert_int_equal(transfer(BLK_READ, UINT64_MAX, 1), -EINVAL);
    stop();
}

static void statuses(void **state)
{
    static const uint8_t statuses[] = {1, 2, 3, 0x7f, 0xff};

    assert_int_equal(start(MODERN), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(statuses); i++) {
        lie.status = statuses[i];
        assert_int_equal(transfer(BLK_READ, 0, 1), statuses[i] == 2 ? -EOPNOTSUPP : -EIO);
    }
    lie.status = 0;
    assert_int_equal(transfer(BLK_READ, 0, 1), 0);
    stop();
}

/* A length that cannot be ends the request, not the disk; old devices count as they like. */
static void lengths(void **state)
{
    static const int64_t more[] = {1, -2, -100, -4097, 65536, UINT32_MAX - 4097L};

    assert_int_equal(start(MODERN), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
        lie.written_more = more[i];
        assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
    }
    lie.written_more = -1; /* without the status: Firecracker's */
    assert_int_equal(transfer(BLK_READ, 0, 1), 0);
    lie.written_more = 4096;
    assert_int_equal(transfer(BLK_WRITE, 0, 1), -EIO);
    stop();
    assert_int_equal(start(BIT64(SEG_MAX)), 0);
    lie.written_more = -4097;
    assert_int_equal(transfer(BLK_READ, 0, 1), 0);
    stop();
}

/* A wrong id breaks the queue: who waits ends with EIO at once, and so does whoever comes later. */
static void wrong_id(void **state)
{
    static const uint32_t more[] = {1, 200, 0x8000};

    for (unsigned i = 0; i < ARRAY_SIZE(more); i++) {
        assert_int_equal(start(MODERN), 0);
        assert_int_equal(transfer(BLK_READ, 0, 1), 0);
        lie.id_more = more[i];
        assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
        assert_int_equal(fake.resets, 1);
        assert_null(virtqueue_take_unused(fake.queue[0]));
        lie.id_more = 0;
        assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
        assert_int_equal(blk_flush(disk), -EIO);
        assert_int_equal(fake.resets, 1);
        stop();
    }
}

static void ask_for_reset(void)
{
    fake.needs_reset = true;
    fake.device.config_changed(&fake.device);
}

static unsigned ended;

static void end_one(struct blk_request *request, int error)
{
    assert_int_equal(error, -EIO);
    request->is_done = true;
    ended++;
}

/* The device gives up in mid-flight: all that it has ends with EIO, each once. */
static void reset_in_flight(void **state)
{
    struct blk_request request[10];
    struct page_vec vec[10];
    uint8_t *memory;

    assert_int_equal(start(MODERN), 0);
    memory = pages_of(vec, 10);
    ended = 0;
    for (unsigned i = 0; i < 10; i++) {
        request[i] = (struct blk_request){.op = i % 2 ? BLK_READ : BLK_WRITE,
                                          .sector = i * 8,
                                          .sector_count = 8,
                                          .pages = &vec[i],
                                          .page_count = 1,
                                          .done = end_one};
        assert_int_equal(disk->ops->submit(disk, &request[i]), 0);
    }
    sleeper.meanwhile = ask_for_reset;
    assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
    assert_non_null(strstr(unit_log, "broken"));
    assert_int_equal(ended, 10);
    assert_int_equal(fake.resets, 1);
    assert_int_equal(fake.queue[0]->free_count, fake.queue[0]->size);
    assert_int_equal(transfer(BLK_WRITE, 0, 1), -EIO);
    fake_use(&fake, 0, 0, 1); /* the device goes on all the same: nothing is taken from it */
    fake.device.interrupt(&fake.device);
    assert_int_equal(ended, 10);
    page_free(virt_page(memory), 4);
    stop();
}

/* It needs a reset when nobody waits: the next request finds out. */
static void reset_when_idle(void **state)
{
    assert_int_equal(start(MODERN), 0);
    ask_for_reset();
    assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
    assert_int_equal(served, 0);
    stop();
}

static void silence(void **state)
{
    assert_int_equal(start(MODERN), 0);
    sleeper.meanwhile = NULL;
    assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
    assert_non_null(strstr(unit_log, "30 s"));
    assert_int_equal(fake.resets, 1);
    sleeper.meanwhile = serve_all;
    assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
    stop();
}

/* More requests than the driver has slots, or the ring room: they wait for room. */
static void fills_up(void **state)
{
    struct blk_request request[200];
    unsigned count = 0;
    int error = 0;

    assert_int_equal(start(MODERN), 0);
    for (; count < 200 && error == 0; count += error == 0) {
        request[count] = (struct blk_request){.op = BLK_FLUSH, .done = end_one};
        error = disk->ops->submit(disk, &request[count]);
    }
    assert_int_equal(error, -EAGAIN);
    assert_true(count >= 8);
    lie.status = 1;
    ended = 0;
    sleeper.meanwhile = serve_all;
    assert_int_equal(transfer(BLK_READ, 0, 1), -EIO);
    assert_int_equal(ended, count);
    stop();
}

static void start_queues(unsigned queues, unsigned cpus)
{
    cpu_online_mask = cpumask_first_n(cpus);
    assert_int_equal(start(MODERN), 0); /* one, whatever the number says */
    stop();
    fake_start(&fake, VIRTIO_ID_BLOCK, MODERN | BIT64(MQ));
    fake.queue_size = 128;
    put_config(0, SECTORS, 8);
    put_config(12, 126, 4);
    put_config(34, queues, 2);
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_block), 0);
    disk = disk->next;
    cpu_online_mask = cpumask_first_n(1);
}

/* Each CPU has a queue; a broken one takes the others with it. */
static void several_queues(void **state)
{
    struct blk_request request[4];

    start_queues(200, 4);
    assert_null(fake.queue[4]);
    for (unsigned cpu = 0; cpu < 8; cpu++) {
        unsigned before = fake.notified[cpu % 4];

        unit_cpu.id = cpu;
        assert_int_equal(transfer(BLK_READ, 8, 4), 0);
        assert_int_equal(fake.notified[cpu % 4], before + 1);
    }
    ended = 0;
    for (unsigned cpu = 0; cpu < 4; cpu++) {
        unit_cpu.id = cpu;
        request[cpu] = (struct blk_request){.op = BLK_FLUSH, .done = end_one};
        assert_int_equal(disk->ops->submit(disk, &request[cpu]), 0);
    }
    lie.status = 1;
    assert_true(serve_one(2) >= 0);
    fake.queue[2]->interrupt(fake.queue[2]);
    assert_int_equal(ended, 1);
    assert_true(request[2].is_done);
    fake_use(&fake, 1, 77, 0);
    fake.queue[1]->interrupt(fake.queue[1]);
    unit_cpu.id = 3;
    assert_int_equal(transfer(BLK_READ, 8, 1), -EIO); /* refused; nobody who waits: not reset yet */
    disk->ops->give_up(disk);
    disk->ops->give_up(disk);
    assert_int_equal(fake.resets, 1);
    assert_int_equal(ended, 4);
    unit_cpu.id = 0;
    stop();
}

/* It has fewer than it says. */
static void queues_are_missing(void **state)
{
    start_queues(8, 8);
    for (unsigned cpu = 0; cpu < 8; cpu++) {
        unit_cpu.id = cpu;
        assert_int_equal(transfer(BLK_READ, 8, 1), 0);
    }
    unit_cpu.id = 0;
    stop();
}

static void changes_size(void **state)
{
    assert_int_equal(start(MODERN), 0);
    put_config(0, 512, 8); /* shrinks */
    fake.device.config_changed(&fake.device);
    assert_int_equal(disk->sector_count, 512);
    assert_int_equal(transfer(BLK_READ, 512 - 8, 1), 0);
    assert_int_equal(transfer(BLK_READ, 512 - 8, 2), -EINVAL);
    put_config(0, SECTORS, 8);
    fake.device.config_changed(&fake.device);
    assert_int_equal(transfer(BLK_READ, 512 - 8, 2), 0);
    put_config(0, UINT64_MAX, 8); /* cannot be: it keeps its size */
    fake.device.config_changed(&fake.device);
    assert_int_equal(disk->sector_count, SECTORS);
    put_config(0, 0, 8);
    fake.device.config_changed(&fake.device);
    assert_int_equal(transfer(BLK_READ, 0, 1), -EINVAL);
    stop();
}

/* Numbers in the configuration that cannot be are refused with a message, or bounded. */
static void nonsense(void **state)
{
    static const struct {
        unsigned at, size;
        uint64_t value;
        uint64_t feature;
    } bad[] = {
        {0, 8, UINT64_MAX, 0},  {20, 4, 0, BLK_SIZE},    {20, 4, 513, BLK_SIZE},
        {20, 4, 256, BLK_SIZE}, {20, 4, 8192, BLK_SIZE}, {20, 4, 1U << 31, BLK_SIZE},
        {8, 4, 0, SIZE_MAX_},   {8, 4, 4095, SIZE_MAX_}, {12, 4, 0, SEG_MAX},
    };

    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        fake_start(&fake, VIRTIO_ID_BLOCK, MODERN | BIT64(bad[i].feature));
        put_config(0, SECTORS, 8);
        put_config(12, 126, 4);
        put_config(bad[i].at, bad[i].value, bad[i].size);
        unit_log[0] = '\0';
        assert_int_equal(fake_probe(&fake, driver_entry_virtio_block), -EINVAL);
        assert_non_null(strstr(unit_log, "not used"));
        assert_int_equal(fake_pages, 0);
    }
    fake_start(&fake, VIRTIO_ID_BLOCK, UINT64_MAX); /* all features that there could ever be */
    put_config(0, SECTORS, 8);
    put_config(12, UINT32_MAX, 4);
    put_config(20, 512, 4);
    put_config(8, UINT32_MAX, 4);
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_block), 0);
    assert_int_equal(fake.device.accepted &
                         ~(MODERN | BIT64(SIZE_MAX_) | BIT64(RO) | BIT64(BLK_SIZE) |
                           BIT64(DISCARD) | BIT64(ZEROES) | BIT64(4) | BIT64(10) | BIT64(MQ) |
                           BIT64(VIRTIO_RING_F_EVENT_IDX) | BIT64(VIRTIO_RING_F_INDIRECT) |
                           BIT64(VIRTIO_F_RING_PACKED)),
                     0);
    stop();
}

static void bad_queues(void **state)
{
    static const uint32_t sizes[] = {0, 3, 100};

    for (unsigned i = 0; i < (layout == 0 ? ARRAY_SIZE(sizes) : 1); i++) {
        fake_start(&fake, VIRTIO_ID_BLOCK, MODERN);
        put_config(0, SECTORS, 8);
        put_config(12, 126, 4);
        fake.queue_size = sizes[i];
        assert_int_equal(fake_probe(&fake, driver_entry_virtio_block), -ENOENT);
        assert_int_equal(fake_pages, 0);
    }
    fake_start(&fake, VIRTIO_ID_BLOCK, MODERN);
    fake.refuses = true;
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_block), -EIO);
    assert_int_equal(fake_pages, 0);
}

/* A ring of four descriptors: requests of one or two pages. */
static void tiny_queue(void **state)
{
    struct blkdev *last;

    assert_int_equal(start(MODERN), 0);
    stop();
    last = disk;
    fake_start(&fake, VIRTIO_ID_BLOCK, MODERN);
    put_config(0, SECTORS, 8);
    put_config(12, 126, 4);
    fake.queue_size = 4;
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_block), 0);
    disk = last->next;
    sleeper.meanwhile = serve_all;
    assert_int_equal(transfer(BLK_READ, 0, 8), 0);
    assert_true(served >= 4);
    stop();
}

static int run(const char *name, uint64_t features)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_and_writes), cmocka_unit_test(statuses),
        cmocka_unit_test(lengths),          cmocka_unit_test(wrong_id),
        cmocka_unit_test(reset_in_flight),  cmocka_unit_test(reset_when_idle),
        cmocka_unit_test(silence),          cmocka_unit_test(fills_up),
        cmocka_unit_test(changes_size),     cmocka_unit_test(nonsense),
        cmocka_unit_test(bad_queues),       cmocka_unit_test(tiny_queue),
        cmocka_unit_test(several_queues),   cmocka_unit_test(queues_are_missing),
    };

    int status;

    if (fork() == 0) { /* there is room for 26 disks */
        layout = features;
        exit(cmocka_run_group_tests_name(name, tests, NULL, NULL) != 0);
    }
    wait(&status);
    return status != 0;
}

int main(void)
{
    return run("split", 0) +
           run("packed", BIT64(VIRTIO_F_RING_PACKED) | BIT64(VIRTIO_RING_F_INDIRECT));
}
