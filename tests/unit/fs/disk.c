/* SPDX-License-Identifier: MIT */
/* Disks of the tests: memory, with sectors that cannot be read. */
#include "disk.h"

#include <stdlib.h>
#include <string.h>

#include <lib/errno.h>
#include <mm/page.h>
#include <mm/pagecache.h>
#include <mm/slab.h>

#include "../../../kernel/fs/block_cache.h"

struct disk {
    struct blkdev dev;
    uint8_t *bytes;
    uint64_t bad_sector;
};

static struct blkdev *disks;

static struct disk *disk_of(struct blkdev *dev)
{
    return container_of(dev, struct disk, dev);
}

struct blkdev *disk_make(void *bytes, size_t size, uint32_t block_size)
{
    struct disk *disk = calloc(1, sizeof(*disk));

    disk->dev.sector_count = size / SECTOR_SIZE;
    disk->dev.block_size = block_size;
    disk->dev.pages_max = 8;
    disk->bytes = bytes;
    disk->bad_sector = UINT64_MAX;
    disk->dev.next = disks;
    disks = &disk->dev;
    return &disk->dev;
}

void disk_free(struct blkdev *dev)
{
    struct block_cache *cache = dev->cache;
    struct blkdev **place = &disks;

    while (*place != dev)
        place = &(*place)->next;
    *place = dev->next;
    if (cache != NULL)
        pagecache_truncate(&cache->object, 0, UINT64_MAX);
    kfree(cache);
    free(disk_of(dev));
}

void disk_set_bad(struct blkdev *dev, uint64_t sector)
{
    disk_of(dev)->bad_sector = sector;
}

struct blkdev *blkdev_first(void)
{
    return disks;
}

int blk_flush(struct blkdev *dev)
{
    (void)dev; /* memory holds nothing back */
    return 0;
}

int blk_transfer(struct blkdev *dev, enum blk_op op, uint64_t sector, const struct page_vec *pages,
                 unsigned page_count)
{
    struct disk *disk = disk_of(dev);
    uint64_t bytes = 0, at = sector * SECTOR_SIZE;

    for (unsigned i = 0; i < page_count; i++)
        bytes += pages[i].length;
    if ((at | bytes) % dev->block_size != 0 || sector > dev->sector_count ||
        bytes / SECTOR_SIZE > dev->sector_count - sector)
        return -EINVAL;
    if (disk->bad_sector >= sector && disk->bad_sector - sector < bytes / SECTOR_SIZE)
        return -EIO;
    for (unsigned i = 0; i < page_count; at += pages[i++].length) {
        uint8_t *memory = (uint8_t *)page_virt(pages[i].page) + pages[i].offset;

        if (op == BLK_WRITE)
            memcpy(disk->bytes + at, memory, pages[i].length);
        else
            memcpy(memory, disk->bytes + at, pages[i].length);
    }
    return 0;
}
