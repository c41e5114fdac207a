/* SPDX-License-Identifier: MIT */
/*
 * Contents of EROFS files on a disk: pages of the file's object, read with those that follow. Whole
 * blocks are read straight into them; tails, holes and what lies unaligned is copied together from
 * the pages of the disk.
 */
#include <device/blkdev.h>
#include <file/file.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/pagecache.h>

#include "block_cache.h"
#include "erofs.h"

#define READ_AHEAD 31U /* pages: what read(2) takes along, and a fault of a mapping */
#define MAP_AHEAD  15U

/* Bytes from `position` on that lie in a row on the disk, from *where, and can be read into pages.
 * 0: they cannot; or an error. */
static int64_t direct_bytes(struct erofs_inode *own, uint64_t position, uint64_t *where)
{
    struct erofs *fs = erofs_of(&own->inode);
    uint64_t block = fs->disk->dev->block_size, length;
    int error = erofs_map(own, position, where, &length);

    if (error != 0)
        return error;
    if (*where == EROFS_NOWHERE || *where % block != 0 || position >= own->tail_start)
        return 0;
    if (position + length < own->inode.size) /* more follows elsewhere: whole pages of these */
        return (int64_t)align_down(length, (uint64_t)PAGE_SIZE);
    return erofs_has(fs, *where, align_up(length, block)) ? (int64_t)length : 0;
}

static int fill(struct erofs_inode *own, uint64_t index, unsigned ahead, struct page *page)
{
    struct block_run run = {.object = &own->object,
                            .dev = erofs_of(&own->inode)->disk->dev,
                            .index = index,
                            .size = (ahead + 1) * PAGE_SIZE};
    int64_t bytes = direct_bytes(own, index << PAGE_SHIFT, &run.offset);
    int error;

    if (bytes > 0) {
        run.size = min_t(uint64_t, run.size, (uint64_t)bytes);
        return block_run_read(&run, page);
    }
    error = bytes < 0 ? (int)bytes : erofs_fill_page(own, index << PAGE_SHIFT, page_virt(page));
    pagecache_filled(page, error);
    return error;
}

/* A page with its contents and a reference. */
static int get(struct erofs_inode *own, uint64_t index, unsigned ahead, struct page **page)
{
    bool created;
    int error = pagecache_get(&own->object, index, 0, page, &created);

    if (error != 0 || !created)
        return error;
    error = fill(own, index, ahead, *page);
    if (error != 0)
        page_unref(*page);
    return error;
}

static ssize_t disk_read(struct file *file, struct io *io)
{
    struct erofs_inode *own = erofs_inode_of(file->inode);
    size_t start = io->done;
    ssize_t moved = 1;

    while (io->left > 0 && io->pos < own->inode.size && moved > 0) {
        uint64_t offset = io->pos % PAGE_SIZE;
        size_t length = (size_t)min(PAGE_SIZE - offset, own->inode.size - io->pos);
        struct page *page;

        moved = get(own, io->pos >> PAGE_SHIFT, READ_AHEAD, &page);
        if (moved != 0)
            break;
        moved = io_copy_to(io, page_virt(page) + offset, min(length, io->left));
        page_unref(page);
        if (moved > 0)
            io->pos += (uint64_t)moved;
    }
    return io->done > start || moved > 0 ? (ssize_t)(io->done - start) : moved;
}

const struct file_ops erofs_disk_file_ops = {
    .flush = file_lock_flush,
    .read = disk_read,
    .seek = erofs_seek,
    .object = erofs_object,
    .sync = erofs_sync,
};

static int disk_get_page(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                         struct page **page)
{
    struct erofs_inode *own = container_of(object, struct erofs_inode, object);
    int error;

    (void)order;
    if (index > UINT64_MAX >> PAGE_SHIFT || index << PAGE_SHIFT >= own->inode.size)
        return -EFAULT;
    if (want & OBJECT_WRITE)
        return -EIO; /* nothing of this file system is ever opened for writing */
    error = want & OBJECT_NOWAIT ? pagecache_peek(object, index, page)
                                 : get(own, index, MAP_AHEAD, page);
    return error != 0 ? error : 1;
}

const struct vm_object_ops erofs_disk_object_ops = {
    .get = disk_get_page,
    .release = erofs_object_release,
};
