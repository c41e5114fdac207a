/* SPDX-License-Identifier: MIT */
/* Block devices by name, and operations that wait. A device that does not answer for half a minute
 * is given up, so that nobody waits for ever. */
#include <core/clock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/blkdev.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <lib/types.h>
#include <mm/page.h>

#define ANSWER_NS   (30 * NS_PER_SECOND)
#define MAJOR       254U /* as Linux numbers virtio disks; BLK_MINORS each */
#define DEVICE_MAX  26U
#define SECTORS_MAX (UINT64_MAX >> 10)

static struct blkdev *first, **last = &first; /* probing is done by one thread */
static unsigned count;

int blkdev_register(struct blkdev *dev)
{
    if (count == DEVICE_MAX || !is_power_of_two(dev->block_size) || dev->block_size < SECTOR_SIZE ||
        dev->block_size > 4096 || dev->pages_max == 0 || dev->sector_count > SECTORS_MAX) {
        log_error("A disk of %lu sectors with blocks of %u bytes is not supported, expected blocks "
                  "of 512 to 4096 bytes and at most %u disks; not used",
                  (unsigned long)dev->sector_count, dev->block_size, DEVICE_MAX);
        return -EINVAL;
    }
    snprintf(dev->name, sizeof(dev->name), "vd%c", (char)('a' + count));
    dev->major = MAJOR;
    dev->minor = count++ * BLK_MINORS;
    waitq_init(&dev->room);
    waitq_init(&dev->finished);
    smp_store_release(last, dev); /* whole for fs_sync_all(), when a program ends beside the boot */
    last = &dev->next;
    log_info("%s: %lu sectors%s", dev->name, (unsigned long)dev->sector_count,
             dev->is_read_only ? ", read-only" : "");
    return 0;
}

void blkdev_resize(struct blkdev *dev, uint64_t sector_count)
{
    if (sector_count == dev->sector_count)
        return;
    if (sector_count > SECTORS_MAX) {
        log_error("%s: its size changes to %lu sectors, which cannot be; not taken", dev->name,
                  (unsigned long)sector_count);
        return;
    }
    log_info("%s: %lu sectors now, %lu before", dev->name, (unsigned long)sector_count,
             (unsigned long)dev->sector_count);
    WRITE_ONCE(dev->sector_count, sector_count);
}

struct blkdev *blkdev_first(void)
{
    return first;
}

/* The waiter's stack may go as soon as is_done is seen: the device's queue stays. */
static void request_done(struct blk_request *request, int error)
{
    request->error = error;
    smp_store_release(&request->is_done, true); /* pairs with the acquire in wait_done() */
}

static bool is_done(const struct blk_request *request)
{
    return smp_load_acquire(&request->is_done);
}

/* Ends what is under way, once, and then this request, too. */
static int give_up(struct blkdev *dev, struct blk_request *request, bool is_submitted)
{
    if (READ_ONCE(dev->has_failed))
        log_error("%s: the disk is broken; it is not used any more", dev->name);
    else
        log_error("%s: the disk did not answer for %lu s; it is not used any more", dev->name,
                  (unsigned long)(ANSWER_NS / NS_PER_SECOND));
    dev->ops->give_up(dev);
    if (is_submitted)
        (void)wait_event(&dev->finished, is_done(request), WAIT_FOREVER, WAIT_UNINTERRUPTIBLE);
    return -EIO;
}

static int wait_done(struct blkdev *dev, struct blk_request *request)
{
    uint64_t deadline = clock_monotonic_ns() + ANSWER_NS;
    int error;

    error = wait_event(&dev->room, (error = dev->ops->submit(dev, request)) != -EAGAIN, deadline,
                       WAIT_UNINTERRUPTIBLE) != 0
                ? -ETIMEDOUT
                : error;
    if (error == 0 &&
        wait_event(&dev->finished, is_done(request) || READ_ONCE(dev->has_failed), deadline,
                   WAIT_UNINTERRUPTIBLE) == 0 &&
        is_done(request))
        return request->error;
    return error == -EIO ? error : give_up(dev, request, error == 0);
}

static int do_request(struct blkdev *dev, enum blk_op op, uint64_t sector, uint64_t sector_count,
                      const struct page_vec *pages, unsigned page_count)
{
    struct blk_request request = {.op = op,
                                  .sector = sector,
                                  .sector_count = sector_count,
                                  .pages = pages,
                                  .page_count = page_count,
                                  .done = request_done};
    uint64_t size = READ_ONCE(dev->sector_count);
    int error;

    if (sector > size || sector_count > size - sector)
        return -EINVAL;
    if (((sector | sector_count) << SECTOR_SHIFT) & (dev->block_size - 1))
        return -EINVAL;
    error = wait_done(dev, &request);
    if (error == 0) {
        atomic64_add(1, &dev->stats[op].requests);
        atomic64_add((int64_t)sector_count, &dev->stats[op].sectors);
    }
    return error;
}

int blk_transfer(struct blkdev *dev, enum blk_op op, uint64_t sector, const struct page_vec *pages,
                 unsigned page_count)
{
    int error = op == BLK_WRITE && dev->is_read_only ? -EROFS : 0;

    while (page_count > 0 && error == 0) {
        unsigned part = min(page_count, dev->pages_max);
        uint64_t bytes = 0;

        for (unsigned i = 0; i < part; i++)
            bytes += pages[i].length;
        error = bytes % SECTOR_SIZE != 0
                    ? -EINVAL
                    : do_request(dev, op, sector, bytes >> SECTOR_SHIFT, pages, part);
        sector += bytes >> SECTOR_SHIFT;
        pages += part;
        page_count -= part;
    }
    return error;
}

int blk_flush(struct blkdev *dev)
{
    return dev->has_cache ? do_request(dev, BLK_FLUSH, 0, 0, NULL, 0) : 0;
}

int blk_identify(struct blkdev *dev, char serial[BLK_SERIAL_SIZE + 1])
{
    struct page *page = page_alloc(0, PAGE_ZERO);
    struct page_vec vec = {page, 0, BLK_SERIAL_SIZE};
    int error = page != NULL ? do_request(dev, BLK_IDENTIFY, 0, 0, &vec, 1) : -ENOMEM;

    memset(serial, 0, BLK_SERIAL_SIZE + 1);
    if (error == 0)
        memcpy(serial, page_virt(page), BLK_SERIAL_SIZE);
    if (page != NULL)
        page_free(page, 0);
    return error;
}

struct blkdev *blkdev_find(const char *path, size_t length)
{
    static const char by_name[] = "/dev/", by_serial[] = "/dev/disk/by-id/virtio-";
    char serial[BLK_SERIAL_SIZE + 1];

    for (struct blkdev *dev = first; dev != NULL; dev = dev->next) {
        if (length > sizeof(by_serial) - 1 && memcmp(path, by_serial, sizeof(by_serial) - 1) == 0) {
            if (blk_identify(dev, serial) == 0 &&
                str_equal_n(path + sizeof(by_serial) - 1, length - (sizeof(by_serial) - 1), serial))
                return dev;
        } else if (length > sizeof(by_name) - 1 &&
                   memcmp(path, by_name, sizeof(by_name) - 1) == 0 &&
                   str_equal_n(path + sizeof(by_name) - 1, length - (sizeof(by_name) - 1),
                               dev->name)) {
            return dev;
        }
    }
    return NULL;
}

int blk_erase(struct blkdev *dev, enum blk_op op, uint64_t sector, uint64_t sector_count)
{
    uint64_t most = op == BLK_DISCARD ? dev->discard_sectors : dev->zeroes_sectors;
    int error = dev->is_read_only ? -EROFS : most == 0 ? -EOPNOTSUPP : 0;

    while (sector_count > 0 && error == 0) {
        uint64_t part = min(sector_count, most);

        error = do_request(dev, op, sector, part, NULL, 0);
        sector += part;
        sector_count -= part;
    }
    return error;
}
