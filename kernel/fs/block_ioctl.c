/* SPDX-License-Identifier: MIT */
/*
 * What programs ask of disks beside their bytes: the ioctls of linux/fs.h (block(7)), HDIO_GETGEO,
 * fallocate. Results and errors are those of Linux 6.1. Kept and told, but without effect: block
 * size and read-ahead.
 */
#include <arch/uaccess.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/page.h>
#include <mm/pagecache.h>

#include "block_file.h"

#define BLKROSET         0x125d
#define BLKROGET         0x125e
#define BLKRRPART        0x125f
#define BLKGETSIZE       0x1260
#define BLKFLSBUF        0x1261
#define BLKRASET         0x1262
#define BLKRAGET         0x1263
#define BLKFRASET        0x1264
#define BLKFRAGET        0x1265
#define BLKSECTGET       0x1267
#define BLKSSZGET        0x1268
#define BLKBSZGET        0x80081270u
#define BLKBSZSET        0x40081271u
#define BLKGETSIZE64     0x80081272u
#define BLKDISCARD       0x1277
#define BLKIOMIN         0x1278
#define BLKIOOPT         0x1279
#define BLKALIGNOFF      0x127a
#define BLKPBSZGET       0x127b
#define BLKDISCARDZEROES 0x127c
#define BLKSECDISCARD    0x127d
#define BLKROTATIONAL    0x127e
#define BLKZEROOUT       0x127f
#define BLKGETDISKSEQ    0x80081280u
#define BLKGETZONESZ     0x80041284u
#define BLKGETNRZONES    0x80041285u
#define HDIO_GETGEO      0x0301

#define FALLOCATE_KEEP_SIZE  1
#define FALLOCATE_PUNCH_HOLE 2
#define FALLOCATE_ZERO_RANGE 16

#define ZERO_PAGES 32U

struct geometry {
    uint8_t heads, sectors;
    uint16_t cylinders;
    uint64_t start;
};

static long put_value(reg_t arg, uint64_t value, size_t size)
{
    return copy_to_user(arg, &value, size); /* little-endian */
}

static uint64_t size_of(const struct block_cache *cache)
{
    return READ_ONCE(cache->dev->sector_count) << SECTOR_SHIFT;
}

/* --- discard and zeroes -------------------------------------------------------------------------
 */

/* For a disk that has no such request. */
static int write_zeroes(struct blkdev *dev, uint64_t sector, uint64_t count)
{
    struct page *page = page_alloc(0, PAGE_ZERO);
    struct page_vec vec[ZERO_PAGES];
    int error = page != NULL ? 0 : -ENOMEM;

    while (count > 0 && error == 0) {
        uint64_t bytes = min(count << SECTOR_SHIFT, (uint64_t)ZERO_PAGES * PAGE_SIZE);
        unsigned pages = 0;

        for (uint64_t left = bytes; left > 0; left -= vec[pages++].length)
            vec[pages] = (struct page_vec){page, 0, (uint32_t)min(left, (uint64_t)PAGE_SIZE)};
        error = blk_transfer(dev, BLK_WRITE, sector, vec, pages);
        sector += bytes >> SECTOR_SHIFT;
        count -= bytes >> SECTOR_SHIFT;
    }
    if (page != NULL)
        page_free(page, 0);
    return error;
}

/* Of whole sectors inside the disk. What the cache has of it is written first and then forgotten.
 */
static int erase(struct block_cache *cache, enum blk_op op, uint64_t start, uint64_t length)
{
    uint64_t sector = start >> SECTOR_SHIFT, count = length >> SECTOR_SHIFT;
    int error;

    if (block_is_read_only(cache))
        return -EPERM;
    if ((start | length) & (cache->dev->block_size - 1))
        return -EINVAL;
    error = block_cache_write_back(cache, 0, block_cache_pages(cache));
    pagecache_truncate(&cache->object, start >> PAGE_SHIFT, (length >> PAGE_SHIFT) + 2);
    if (error != 0)
        return error;
    error = blk_erase(cache->dev, op, sector, count);
    if (error == -EOPNOTSUPP && op == BLK_WRITE_ZEROES)
        error = write_zeroes(cache->dev, sector, count);
    return error;
}

/* The order of these tests is Linux's. */
static long erase_range(struct file *file, enum blk_op op, reg_t arg)
{
    struct block_cache *cache = block_cache_of_file(file);
    uint64_t range[2], size = size_of(cache), end;

    if (!(file->access & FILE_WRITE))
        return -EBADF;
    if (op == BLK_DISCARD && cache->dev->discard_sectors == 0)
        return -EOPNOTSUPP;
    if (copy_from_user(range, arg, sizeof(range)) != 0)
        return -EFAULT;
    if (((range[0] | range[1]) & (SECTOR_SIZE - 1)) ||
        __builtin_add_overflow(range[0], range[1], &end) || end > size)
        return -EINVAL;
    if (range[1] == 0)
        return op == BLK_DISCARD && block_is_read_only(cache) ? -EPERM : -EINVAL;
    return erase(cache, op, range[0], range[1]);
}

/* Ranges over the end end there, if the size may be kept, which it always is. */
int block_allocate(struct file *file, int mode, uint64_t offset, uint64_t length)
{
    struct block_cache *cache = block_cache_of_file(file);
    uint64_t size = size_of(cache);

    if (mode != FALLOCATE_ZERO_RANGE && mode != (FALLOCATE_ZERO_RANGE | FALLOCATE_KEEP_SIZE) &&
        mode != (FALLOCATE_PUNCH_HOLE | FALLOCATE_KEEP_SIZE))
        return -EOPNOTSUPP;
    if (offset >= size)
        return -EINVAL;
    if (length > size - offset) {
        if (!(mode & FALLOCATE_KEEP_SIZE))
            return -EINVAL;
        length = size - offset;
    }
    if ((offset | length) & (cache->dev->block_size - 1))
        return -EINVAL;
    return erase(cache, BLK_WRITE_ZEROES, offset, length);
}

/* --- settings -----------------------------------------------------------------------------------
 */

static long set_block_size(struct block_cache *cache, reg_t arg)
{
    int32_t size;

    if (copy_from_user(&size, arg, sizeof(size)) != 0)
        return -EFAULT;
    if (size < (int32_t)cache->dev->block_size || size > (int32_t)PAGE_SIZE ||
        !is_power_of_two((uint32_t)size))
        return -EINVAL;
    cache->block_size = (uint32_t)size;
    return 0;
}

static long set_read_only(struct block_cache *cache, reg_t arg)
{
    int32_t is_read_only;

    if (copy_from_user(&is_read_only, arg, sizeof(is_read_only)) != 0)
        return -EFAULT;
    WRITE_ONCE(cache->is_read_only, is_read_only != 0);
    return 0;
}

static long get_geometry(const struct blkdev *dev, reg_t arg)
{
    /* Where the device does not say: 64 heads of 32 sectors, as Linux's driver tells. */
    bool says = dev->heads != 0;
    struct geometry geometry = {
        .heads = says ? dev->heads : 64,
        .sectors = says ? dev->sectors : 32,
        .cylinders = says ? dev->cylinders : (uint16_t)(dev->sector_count >> 11),
    };

    return arg == 0 ? -EINVAL : copy_to_user(arg, &geometry, sizeof(geometry));
}

static long get_value(const struct block_cache *cache, unsigned cmd, reg_t arg)
{
    const struct blkdev *dev = cache->dev;

    switch (cmd) {
    case BLKROGET:
        return put_value(arg, block_is_read_only(cache), 4);
    case BLKGETSIZE:
        return put_value(arg, size_of(cache) >> SECTOR_SHIFT, 8);
    case BLKGETSIZE64:
        return put_value(arg, size_of(cache), 8);
    case BLKRAGET:
    case BLKFRAGET:
        return put_value(arg, cache->read_ahead, 8);
    case BLKSECTGET:
        return put_value(arg, BLK_SECTORS_MAX, 2);
    case BLKSSZGET:
        return put_value(arg, dev->block_size, 4);
    case BLKBSZGET:
        return put_value(arg, cache->block_size, 4);
    case BLKIOMIN:
        return put_value(arg, dev->io_min, 4);
    case BLKIOOPT:
        return put_value(arg, dev->io_opt, 4);
    case BLKPBSZGET:
        return put_value(arg, dev->physical_size, 4);
    case BLKROTATIONAL:
        return put_value(arg, 1, 2);
    case BLKGETDISKSEQ:
        return put_value(arg, dev->minor / BLK_MINORS + 1, 8);
    case BLKALIGNOFF:
    case BLKDISCARDZEROES:
    case BLKGETZONESZ:
    case BLKGETNRZONES:
        return put_value(arg, 0, 4);
    default:
        return -ENOTTY;
    }
}

long block_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    struct block_cache *cache = block_cache_of_file(file);

    switch (cmd) {
    case BLKFLSBUF:
        return block_file_sync(file, true);
    case BLKRRPART: /* there are no partitions to be found */
        return 0;
    case BLKROSET:
        return set_read_only(cache, arg);
    case BLKRASET:
    case BLKFRASET:
        cache->read_ahead = arg;
        return 0;
    case BLKBSZSET:
        return set_block_size(cache, arg);
    case BLKDISCARD:
        return erase_range(file, BLK_DISCARD, arg);
    case BLKZEROOUT:
        return erase_range(file, BLK_WRITE_ZEROES, arg);
    case BLKSECDISCARD:
        return file->access & FILE_WRITE ? -EOPNOTSUPP : -EBADF;
    case HDIO_GETGEO:
        return get_geometry(cache->dev, arg);
    default:
        return get_value(cache, cmd, arg);
    }
}
