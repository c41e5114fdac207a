/* SPDX-License-Identifier: MIT */
/* Pages of block devices: read with those that follow, written back in runs. */
#include "block_cache.h"

#include <device/blkdev.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/pagecache.h>
#include <mm/slab.h>

#include "fs.h"

#define SECTORS_PER_PAGE   (PAGE_SIZE / SECTOR_SIZE)
#define READ_AHEAD_SECTORS 256U /* what programs are told */
#define RUN_MAX            32U  /* pages of one request: 128 KiB */

static struct mutex make_lock = MUTEX_INIT(RANK_FS_MOUNT);

uint64_t block_cache_pages(const struct block_cache *cache)
{
    return (READ_ONCE(cache->dev->sector_count) + SECTORS_PER_PAGE - 1) / SECTORS_PER_PAGE;
}

/* Bytes of a page that are on the disk: only the last one has fewer. */
static uint32_t bytes_of(const struct block_cache *cache, uint64_t index)
{
    uint64_t left = cache->dev->sector_count - index * SECTORS_PER_PAGE;

    return left < SECTORS_PER_PAGE ? (uint32_t)left * SECTOR_SIZE : PAGE_SIZE;
}

static int write_run(struct block_cache *cache, struct page *const *pages, unsigned count,
                     uint64_t first)
{
    struct page_vec vec[RUN_MAX];

    for (unsigned i = 0; i < count; i++)
        vec[i] = (struct page_vec){pages[i], 0, bytes_of(cache, first + i)};
    return blk_transfer(cache->dev, BLK_WRITE, first * SECTORS_PER_PAGE, vec, count);
}

static uint32_t run_bytes(const struct block_run *run, unsigned i)
{
    return (uint32_t)min_t(uint64_t, run->size - i * PAGE_SIZE, PAGE_SIZE);
}

static void run_done(const struct block_run *run, struct page *const *pages, unsigned first,
                     unsigned end, int error)
{
    for (unsigned i = first; i < end; i++) {
        uint32_t bytes = run_bytes(run, i);

        if (error == 0 && bytes < PAGE_SIZE)
            memset(page_virt(pages[i]) + bytes, 0, PAGE_SIZE - bytes);
        pagecache_filled(pages[i], error);
        if (i > 0)
            page_unref(pages[i]);
    }
}

static int run_transfer(const struct block_run *run, struct page *const *pages, unsigned count)
{
    struct page_vec vec[RUN_MAX];

    for (unsigned i = 0; i < count; i++)
        vec[i] = (struct page_vec){pages[i], 0, align_up(run_bytes(run, i), run->dev->block_size)};
    return blk_transfer(run->dev, BLK_READ, run->offset >> SECTOR_SHIFT, vec, count);
}

int block_run_read(const struct block_run *run, struct page *page)
{
    unsigned most = (unsigned)min_t(uint64_t, (run->size + PAGE_SIZE - 1) / PAGE_SIZE, RUN_MAX);
    struct page *pages[RUN_MAX] = {page};
    unsigned count = 1;
    int error;

    for (; count < most; count++) {
        bool created;

        if (pagecache_get(run->object, run->index + count, PAGE_ATOMIC, &pages[count], &created) !=
            0)
            break;
        if (!created) {
            page_unref(pages[count]);
            break;
        }
    }
    error = run_transfer(run, pages, count);
    if (error != 0 && count > 1) { /* perhaps one of the others is bad */
        run_done(run, pages, 1, count, error);
        count = 1;
        error = run_transfer(run, pages, 1);
    }
    run_done(run, pages, 0, count, error);
    return error;
}

int block_cache_peek(struct block_cache *cache, uint64_t index, struct page **page)
{
    if (index >= block_cache_pages(cache))
        return -EFAULT;
    return pagecache_peek(&cache->object, index, page);
}

int block_cache_read(struct block_cache *cache, uint64_t index, unsigned ahead, struct page **page)
{
    struct block_run run = {&cache->object, cache->dev, index, index << PAGE_SHIFT, 0};
    bool created;
    int error = block_cache_peek(cache, index, page);

    if (error != -EAGAIN)
        return error;
    error = pagecache_get(&cache->object, index, 0, page, &created);
    if (error != 0 || !created)
        return error;
    run.size = min((ahead + 1) * PAGE_SIZE,
                   (cache->dev->sector_count << SECTOR_SHIFT) - (index << PAGE_SHIFT));
    error = block_run_read(&run, *page);
    if (error != 0)
        page_unref(*page);
    return error;
}

int block_cache_blank(struct block_cache *cache, uint64_t index, struct page **page)
{
    bool created;
    int error;

    if (index >= block_cache_pages(cache))
        return -EFAULT;
    error = pagecache_get(&cache->object, index, 0, page, &created);
    if (error == 0 && created) {
        memset(page_virt(*page), 0, PAGE_SIZE);
        pagecache_filled(*page, 0);
    }
    return error;
}

/* Dirty pages from *index on that follow each other: marked clean, with references. */
static unsigned gather(struct block_cache *cache, uint64_t *index, uint64_t end,
                       struct page **pages)
{
    unsigned count = 0;

    for (uint64_t next = *index; count < RUN_MAX; next++) {
        uint64_t at = next;
        struct page *page = pagecache_next_dirty(&cache->object, &at, end);

        if (page == NULL)
            break;
        if ((count > 0 && at != next) || !pagecache_clear_dirty(&cache->object, page)) {
            page_unref(page);
            break;
        }
        if (count == 0)
            *index = next = at;
        pages[count++] = page;
    }
    return count;
}

__cold int block_cache_write_back(struct block_cache *cache, uint64_t first, uint64_t end)
{
    struct page *pages[RUN_MAX];
    int result = 0;
    unsigned count;

    mutex_lock(&cache->write_lock);
    object_clean_mappings(&cache->object, first, end - first);
    while ((count = gather(cache, &first, end, pages)) > 0) {
        int error = write_run(cache, pages, count, first);

        for (unsigned i = 0; i < count; i++) {
            if (error != 0 && error != -EROFS) /* there nothing will ever be written */
                pagecache_set_dirty(&cache->object, pages[i]);
            page_unref(pages[i]);
        }
        if (error != 0)
            result = error;
        first += count;
    }
    mutex_unlock(&cache->write_lock);
    return result;
}

int block_cache_sync(struct block_cache *cache)
{
    int error = block_cache_write_back(cache, 0, block_cache_pages(cache));
    int flushed = cache->dev->is_read_only ? 0 : blk_flush(cache->dev);

    return error != 0 ? error : flushed;
}

__cold int block_cache_sync_all(void)
{
    int result = 0;

    for (struct blkdev *dev = blkdev_first(); dev != NULL; dev = dev->next) {
        struct block_cache *cache;
        int error;

        mutex_lock(&make_lock);
        cache = dev->cache;
        mutex_unlock(&make_lock);
        error = cache != NULL ? block_cache_sync(cache) : 0;
        if (error != 0)
            result = error;
    }
    return result;
}

/* --- the object --------------------------------------------------------------------------------
 */

#define MAP_AHEAD 15U

static int cache_get(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                     struct page **page)
{
    struct block_cache *cache = container_of(object, struct block_cache, object);
    int error = want & OBJECT_NOWAIT ? block_cache_peek(cache, index, page)
                                     : block_cache_read(cache, index, MAP_AHEAD, page);

    (void)order;
    return error != 0 ? error : 1;
}

static int cache_write_back(struct vm_object *object, uint64_t first, uint64_t count)
{
    struct block_cache *cache = container_of(object, struct block_cache, object);
    uint64_t pages = block_cache_pages(cache);
    uint64_t end = count > pages - min(first, pages) ? pages : first + count;

    return block_cache_write_back(cache, min(first, end), end);
}

static void cache_release(struct vm_object *object)
{
    (void)object; /* the device's reference stays */
}

static const struct vm_object_ops cache_ops = {
    .get = cache_get,
    .write_back = cache_write_back,
    .release = cache_release,
};

struct block_cache *block_cache_of(struct blkdev *dev)
{
    struct block_cache *cache;

    mutex_lock(&make_lock);
    cache = dev->cache;
    if (cache == NULL)
        cache = dev->cache = kzalloc(sizeof(*cache));
    if (cache != NULL && cache->dev == NULL) {
        object_init(&cache->object, &cache_ops, 0);
        mutex_init(&cache->write_lock, RANK_FS_MOUNT);
        cache->dev = dev;
        cache->block_size = PAGE_SIZE;
        cache->read_ahead = READ_AHEAD_SECTORS;
    }
    mutex_unlock(&make_lock);
    return cache;
}
