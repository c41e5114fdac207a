/* SPDX-License-Identifier: MIT */
/*
 * Disks as files: /dev/vda and so on. Reads and writes go through the device's page cache, with
 * O_DIRECT straight between the program's pages and the disk; fsync and the last close write back
 * and flush.
 */
#include <arch/uaccess.h>
#include <core/thread.h>
#include <device/blkdev.h>
#include <file/file.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <mm/memory.h>
#include <mm/pagecache.h>
#include <mm/vmspace.h>

#include "block_cache.h"
#include "block_file.h"
#include "fs.h"

#define READ_AHEAD   31U /* pages */
#define DIRECT_PAGES 32U

static uint64_t size_of(const struct block_cache *cache)
{
    return cache->dev->sector_count << SECTOR_SHIFT;
}

/* --- through the cache -------------------------------------------------------------------------
 */

static ssize_t copy_piece(struct block_cache *cache, struct io *io, bool write, unsigned ahead)
{
    uint64_t offset = io->pos % PAGE_SIZE;
    size_t piece =
        min_t(uint64_t, min_t(uint64_t, io->left, PAGE_SIZE - offset), size_of(cache) - io->pos);
    bool whole = write && piece == PAGE_SIZE && (io->flags & IO_KERNEL);
    struct page *page;
    ssize_t moved;
    int error = whole ? block_cache_blank(cache, io->pos >> PAGE_SHIFT, &page)
                      : block_cache_read(cache, io->pos >> PAGE_SHIFT, ahead, &page);

    if (error != 0)
        return error;
    moved = write ? io_copy_from(io, page_virt(page) + offset, piece)
                  : io_copy_to(io, page_virt(page) + offset, piece);
    if (write && moved != 0)
        pagecache_set_dirty(&cache->object, page);
    page_unref(page);
    if (moved > 0)
        io->pos += (uint64_t)moved;
    return moved == 0 ? -EFAULT : moved;
}

/* A sixteenth of memory may be dirty: who makes more writes it back. */
static int bound_dirty(struct block_cache *cache)
{
    if (READ_ONCE(cache->object.dirty_count) < 64)
        return 0;
    if (READ_ONCE(cache->object.dirty_count) < memory_ram_pages() / 16)
        return 0;
    return block_cache_write_back(cache, 0, block_cache_pages(cache));
}

/* --- straight to the disk ----------------------------------------------------------------------
 */

static int direct_transfer(struct block_cache *cache, struct io *io, bool write, size_t bytes)
{
    struct page_vec vec[DIRECT_PAGES];
    vaddr_t at = io->segment->base + io->offset;
    size_t done = 0;
    unsigned count = 0;
    int error = 0;

    while (done < bytes && error == 0) {
        struct page *page;
        uint32_t offset = (at + done) % PAGE_SIZE;
        uint32_t length = (uint32_t)min_t(size_t, bytes - done, PAGE_SIZE - offset);

        error =
            page_pin_user(current()->vmspace, at + done, write ? FAULT_READ : FAULT_WRITE, &page);
        if (error == 0)
            vec[count++] = (struct page_vec){page, offset, length};
        done += length;
    }
    if (error == 0)
        error = blk_transfer(cache->dev, write ? BLK_WRITE : BLK_READ, io->pos >> SECTOR_SHIFT, vec,
                             count);
    for (unsigned i = 0; i < count; i++) {
        if (!write)
            pagecache_written(vec[i].page);
        page_unpin_user(vec[i].page);
    }
    return error;
}

/* What the cache has of the range is written first; afterwards it may be old. */
static int direct_piece(struct block_cache *cache, struct io *io, bool write)
{
    uint64_t first = io->pos >> PAGE_SHIFT, end;
    size_t bytes = min_t(uint64_t, io->segment->len - io->offset, size_of(cache) - io->pos);
    vaddr_t at = io->segment->base + io->offset;
    int error = 0;

    bytes = min_t(size_t, bytes, (DIRECT_PAGES - 1) * PAGE_SIZE);
    bytes = min_t(size_t, bytes, io->left);
    end = (io->pos + bytes + PAGE_SIZE - 1) >> PAGE_SHIFT;
    if ((io->pos | at | bytes) & (cache->dev->block_size - 1))
        return -EINVAL;
    if (READ_ONCE(cache->object.dirty_count) > 0)
        error = block_cache_write_back(cache, first, end);
    if (error == 0)
        error = direct_transfer(cache, io, write, bytes);
    if (write && READ_ONCE(cache->object.page_count) > 0)
        pagecache_truncate(&cache->object, first, end - first);
    if (error != 0)
        return error;
    io_skip(io, bytes);
    io->pos += bytes;
    return 0;
}

/* --- the file ----------------------------------------------------------------------------------
 */

static ssize_t transfer(struct file *file, struct io *io, bool write)
{
    struct block_cache *cache = block_cache_of_file(file);
    bool direct = (file->flags & O_DIRECT) && !(io->flags & IO_KERNEL);
    size_t start = io->done;
    ssize_t result = 0;

    while (io->left > 0 && io->pos < size_of(cache) && result >= 0) {
        unsigned ahead = (unsigned)min_t(size_t, io->left >> PAGE_SHIFT, READ_AHEAD);

        result = direct ? direct_piece(cache, io, write) : copy_piece(cache, io, write, ahead);
        if (result >= 0 && write && !direct)
            result = bound_dirty(cache);
    }
    return io->done > start ? (ssize_t)(io->done - start) : result;
}

static ssize_t disk_read(struct file *file, struct io *io)
{
    return transfer(file, io, false);
}

int block_file_sync(struct file *file, bool data_only)
{
    (void)data_only;
    return block_cache_sync(block_cache_of_file(file));
}

static ssize_t disk_write(struct file *file, struct io *io)
{
    struct block_cache *cache = block_cache_of_file(file);
    ssize_t result;

    if (block_is_read_only(cache))
        return -EPERM;
    if (io->left > 0 && io->pos >= size_of(cache))
        return -ENOSPC;
    result = transfer(file, io, true);
    if (result > 0 && (io->flags & (IO_DSYNC | IO_SYNC))) {
        int error = block_file_sync(file, true);
        return error != 0 ? error : result;
    }
    return result;
}

static int64_t disk_seek(struct file *file, int64_t offset, int whence)
{
    uint64_t size = size_of(block_cache_of_file(file));

    if (whence == SEEK_DATA || whence == SEEK_HOLE)
        return -EINVAL; /* of files only */
    return file_seek_sized(file, offset, whence, size, size);
}

static struct vm_object *disk_object(struct file *file)
{
    object_ref(&block_cache_of_file(file)->object);
    return &block_cache_of_file(file)->object;
}

static void disk_release(struct file *file)
{
    if (file->access & FILE_WRITE)
        (void)block_file_sync(file, true);
}

static const struct file_ops disk_ops = {
    .flush = file_lock_flush,
    .read = disk_read,
    .write = disk_write,
    .ioctl = block_ioctl,
    .allocate = block_allocate,
    .object = disk_object,
    .seek = disk_seek,
    .sync = block_file_sync,
    .release = disk_release,
};

static int disk_open(struct file *file, void *data)
{
    file->data = block_cache_of(data);
    return file->data != NULL ? 0 : -ENOMEM;
}

void disks_register(void)
{
    for (struct blkdev *dev = blkdev_first(); dev != NULL; dev = dev->next) {
        struct char_device device = {.ops = &disk_ops,
                                     .open = disk_open,
                                     .data = dev,
                                     .major = dev->major,
                                     .minor = dev->minor,
                                     .is_block = true};

        (void)dev_register(dev->name, 0660, &device);
    }
    if (blkdev_first() != NULL)
        block_sys_register();
}
