/* SPDX-License-Identifier: MIT */
/* The page cache of a block device: an object whose page i is the disk's bytes from i * 4096. It
 * lives as long as the device, for ever. */
#ifndef FS_BLOCK_CACHE_H
#define FS_BLOCK_CACHE_H

#include <mm/object.h>

struct blkdev;
struct page;

struct block_cache {
    struct vm_object object;
    struct blkdev *dev;
    struct mutex write_lock; /* one writer back at a time */
    /* What programs have set and get told, block_ioctl.c; read-only is obeyed. */
    bool is_read_only;
    uint32_t block_size;
    uint64_t read_ahead;
};

/* The last one may be partial: zeroes behind the end. The device may shrink and grow. */
uint64_t block_cache_pages(const struct block_cache *cache);

/* Of a device, made on first use. NULL: no memory. May sleep. */
struct block_cache *block_cache_of(struct blkdev *dev);

/* A page with its contents and a reference; up to `ahead` pages that follow are read with it.
 * -EFAULT beyond the end, -EIO, -ENOMEM. May sleep. */
int block_cache_read(struct block_cache *cache, uint64_t index, unsigned ahead, struct page **page);
/* The same if it is at hand, else -EAGAIN. Does not sleep. */
int block_cache_peek(struct block_cache *cache, uint64_t index, struct page **page);
/* A page that will be overwritten whole: not read. */
int block_cache_blank(struct block_cache *cache, uint64_t index, struct page **page);

/* Pages of an object, of a file on the disk perhaps, and where their contents lie in a row. */
struct block_run {
    struct vm_object *object;
    struct blkdev *dev;
    uint64_t index;  /* of the first page */
    uint64_t offset; /* on the disk in bytes: whole blocks */
    uint64_t size;   /* bytes that count; the rest of the last page becomes zero */
};
/* Reads `page`, the first, which the caller got to fill (pagecache_get), and with it as many that
 * follow as nobody has. It is filled, or failed, afterwards. -EIO, -EINVAL. May sleep. */
int block_run_read(const struct block_run *run, struct page *page);

/* Writes what is dirty in pages [first, end) to the device. 0 or -EIO (it stays dirty). */
int block_cache_write_back(struct block_cache *cache, uint64_t first, uint64_t end);
/* All of it, and then what the device itself holds back. The same of every device that was opened,
 * the others too when one fails. 0 or an error of the last that failed. May sleep. */
int block_cache_sync(struct block_cache *cache);
int block_cache_sync_all(void);

#endif
