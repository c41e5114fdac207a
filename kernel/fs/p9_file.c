/* SPDX-License-Identifier: MIT */
/*
 * Files of 9P shares: read and written at the server; mappings show pages that were read once and
 * are read again after the file changed. Shared mappings cannot be written.
 */
#include "p9.h"

#include <file/file.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/pagecache.h>

#define OPEN_FLAGS (O_ACCMODE | O_APPEND)

static uint32_t fid_of(const struct file *file)
{
    return (uint32_t)(uintptr_t)file->data;
}

/* Pages that were read before the file became what it is now. */
static void drop_old_pages(struct p9_inode *own)
{
    if (own->seen.sec != own->inode.mtime.sec || own->seen.nsec != own->inode.mtime.nsec)
        pagecache_truncate(&own->object, 0, UINT64_MAX);
    own->seen = own->inode.mtime;
}

int p9_file_open(struct inode *inode, struct file *file)
{
    struct p9_inode *own = p9_inode_of(inode);
    uint32_t fid = (uint32_t)atomic_xchg(&own->created_fid, (int32_t)P9_NO_FID);
    int error = 0;

    if (fid == P9_NO_FID)
        error = p9_open(p9_of(inode), own->fid, file->flags & OPEN_FLAGS, &fid);
    if (error != 0)
        return error;
    file->data = (void *)(uintptr_t)fid;
    drop_old_pages(own);
    return 0;
}

static void p9_file_release(struct file *file)
{
    if (file->data != NULL) /* it was opened; the first fid is 1 */
        p9_clunk(p9_of(file->inode), fid_of(file));
}

static ssize_t p9_file_read(struct file *file, struct io *io)
{
    size_t start = io->done;
    ssize_t moved = 1;

    while (io->left > 0 && moved > 0) {
        moved = p9_read(p9_of(file->inode), fid_of(file), io->pos, io);
        if (moved > 0)
            io->pos += (uint64_t)moved;
    }
    return io->done > start ? (ssize_t)(io->done - start) : moved;
}

static ssize_t p9_file_write(struct file *file, struct io *io)
{
    struct p9_inode *own = p9_inode_of(file->inode);
    size_t start = io->done;
    ssize_t moved = 1;

    if (io->flags & IO_APPEND) {
        moved = p9_refresh(own);
        if (moved != 0 && moved != -ENOENT)
            return moved;
        io->pos = own->inode.size;
        moved = 1;
    }
    if (file_limit_write(io, INT64_MAX) != 0)
        return -EFBIG;
    while (io->left > 0 && moved > 0) {
        moved = p9_write(p9_of(file->inode), fid_of(file), io->pos, io);
        if (moved > 0)
            io->pos += (uint64_t)moved;
    }
    if (io->done == start)
        return moved;
    if (READ_ONCE(own->object.page_count) > 0)
        pagecache_truncate(&own->object, 0, UINT64_MAX);
    if (io->pos > own->inode.size)
        WRITE_ONCE(own->inode.size, io->pos);
    return (ssize_t)(io->done - start);
}

static int64_t p9_file_seek(struct file *file, int64_t offset, int whence)
{
    if (whence != SEEK_SET && whence != SEEK_CUR)
        (void)p9_refresh(p9_inode_of(file->inode));
    return file_seek_sized(file, offset, whence, file->inode->size, INT64_MAX);
}

static struct vm_object *p9_file_object(struct file *file)
{
    struct p9_inode *own = p9_inode_of(file->inode);

    if (p9_refresh(own) == 0)
        drop_old_pages(own);
    return inode_object_get(file->inode);
}

static int p9_file_sync(struct file *file, bool data_only)
{
    struct p9_call call;
    int error = p9_begin(&call, p9_of(file->inode), P9_FSYNC, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, fid_of(file), 4);
    p9_put(&call, data_only, 4);
    return p9_end(&call, p9_send(&call));
}

static int p9_file_truncate(struct file *file, uint64_t size)
{
    struct attr_change change = {.set = ATTR_SIZE, .size = size};

    return inode_truncate(file->inode, &change, cred_current());
}

const struct file_ops p9_file_ops = {
    .flush = file_lock_flush,
    .read = p9_file_read,
    .write = p9_file_write,
    .seek = p9_file_seek,
    .object = p9_file_object,
    .sync = p9_file_sync,
    .truncate = p9_file_truncate,
    .release = p9_file_release,
};

/* --- pages -------------------------------------------------------------------------------------
 */

/* By a fid of its own: files may be closed while they are mapped. */
static int fill(struct p9_inode *own, uint64_t index, uint8_t *to)
{
    struct p9 *fs = p9_of(&own->inode);
    struct io io;
    uint32_t fid;
    ssize_t moved = p9_open(fs, own->fid, O_RDONLY, &fid);

    if (moved != 0)
        return (int)moved;
    io_init_kernel(&io, to, PAGE_SIZE, index << PAGE_SHIFT, 0);
    do {
        moved = p9_read(fs, fid, io.pos, &io);
        io.pos += (uint64_t)max_t(ssize_t, moved, 0);
    } while (moved > 0 && io.left > 0);
    p9_clunk(fs, fid);
    memset(to + io.done, 0, PAGE_SIZE - io.done);
    return moved < 0 ? (int)moved : 0;
}

static int p9_get_page(struct vm_object *object, uint64_t index, unsigned want, unsigned order,
                       struct page **page)
{
    struct p9_inode *own = container_of(object, struct p9_inode, object);
    bool created;
    int error;

    (void)order;
    if (index > UINT64_MAX >> PAGE_SHIFT || index << PAGE_SHIFT >= READ_ONCE(own->inode.size))
        return -EFAULT;
    if (want & OBJECT_WRITE)
        return -EIO;
    if (want & OBJECT_NOWAIT) {
        error = pagecache_peek(object, index, page);
        return error != 0 ? error : 1;
    }
    error = pagecache_get(object, index, 0, page, &created);
    if (error != 0 || !created)
        return error != 0 ? error : 1;
    error = fill(own, index, page_virt(*page));
    pagecache_filled(*page, error);
    if (error == 0)
        return 1;
    page_unref(*page);
    return error == -ENOMEM ? error : -EIO;
}

static void p9_object_release(struct vm_object *object)
{
    inode_unref(&container_of(object, struct p9_inode, object)->inode);
}

const struct vm_object_ops p9_object_ops = {
    .get = p9_get_page,
    .release = p9_object_release,
};
