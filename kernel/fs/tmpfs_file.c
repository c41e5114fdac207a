/* SPDX-License-Identifier: MIT */
/*
 * Open files of tmpfs and overlay. A write holds inode.lock over the copy from the program, so that
 * it is one piece to other writers and O_APPEND finds the end. The program's pages are brought in
 * before; one that is missing even so is waited for without the lock, and the write goes on where
 * it was. Only then can another write come in between.
 */
#include <file/file.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "tmpfs.h"

/* Bytes of a request that are brought in beforehand. */
#define FAULT_IN_MAX (1UL << 20)

/* Up to `length` bytes from one place: an own page, lower pages in a row, or nothing. */
static ssize_t read_piece(struct tmpfs_inode *own, struct io *io, uint64_t length)
{
    uint64_t index = io->pos >> PAGE_SHIFT, offset = io->pos % PAGE_SIZE;
    uint64_t from_lower = tmpfs_lower_bytes(own, io->pos);
    uint64_t piece = min_t(uint64_t, length, PAGE_SIZE - offset);
    struct page *page;
    unsigned order = 0;
    ssize_t moved;
    int count;

    if (from_lower != 0 && own->object.page_count == 0) {
        piece = min(length, from_lower);
        while (order < 9 && (offset + piece) > ((uint64_t)PAGE_SIZE << order))
            order++;
    }
    page = own->object.page_count != 0 ? pagecache_find(&own->object, index) : NULL;
    count = 1;
    if (page != NULL && !pagecache_is_filled(page)) {
        page_unref(page);
        count = tmpfs_page(own, index, &page);
        if (count < 0)
            return count;
        count = 1;
    } else if (page == NULL) {
        if (from_lower == 0)
            return io_zero(io, piece);
        piece = min(piece, from_lower);
        count = own->lower->object->ops->get(own->lower->object, index, OBJECT_READ, order, &page);
        if (count < 0)
            return count;
        piece = min_t(uint64_t, piece, (uint64_t)count * PAGE_SIZE - offset);
    }
    moved = io_copy_to(io, (uint8_t *)page_virt(page) + offset, piece);
    for (int i = 0; i < count; i++)
        page_unref(page + i);
    return moved >= 0 && (uint64_t)moved < piece && moved == 0 ? -EFAULT : moved;
}

static ssize_t tmpfs_read(struct file *file, struct io *io)
{
    struct tmpfs_inode *own = tmpfs_inode_of(file->inode);
    size_t start = io->done;

    while (io->left > 0) {
        uint64_t size = READ_ONCE(own->inode.size);
        uint64_t left = io->left;
        ssize_t moved;

        if (io->pos >= size)
            break;
        moved = read_piece(own, io, min(left, size - io->pos));
        if (moved < 0)
            return io->done > start ? (ssize_t)(io->done - start) : moved;
        io->pos += (uint64_t)moved;
    }
    inode_accessed(file);
    return (ssize_t)(io->done - start);
}

static ssize_t write_piece(struct tmpfs_inode *own, struct io *io)
{
    uint64_t offset = io->pos % PAGE_SIZE;
    uint64_t piece = min_t(uint64_t, io->left, PAGE_SIZE - offset);
    struct page *page;
    ssize_t moved;
    int error = tmpfs_page(own, io->pos >> PAGE_SHIFT, &page);

    if (error != 0)
        return error;
    moved = io_copy_from_nofault(io, (uint8_t *)page_virt(page) + offset, piece);
    pagecache_written(page);
    page_unref(page);
    if (moved <= 0)
        return moved < 0 ? moved : -EFAULT;
    io->pos += (uint64_t)moved;
    if (io->pos > own->inode.size)
        WRITE_ONCE(own->inode.size, io->pos);
    return moved;
}

static int write_check(struct tmpfs_inode *own, struct io *io)
{
    if (io->flags & IO_APPEND)
        io->pos = own->inode.size;
    if (own->seals & (F_SEAL_WRITE | F_SEAL_FUTURE_WRITE))
        return -EPERM;
    if (file_limit_write(io, INT64_MAX) != 0)
        return -EFBIG;
    if ((own->seals & F_SEAL_GROW) && io->pos + io->left > own->inode.size)
        return -EPERM;
    return 0;
}

/* Until all is written, or a page of the program's is missing: -EFAULT. */
static ssize_t write_locked(struct tmpfs_inode *own, struct io *io)
{
    struct inode *inode = &own->inode;
    size_t start = io->done;
    ssize_t result = write_check(own, io);

    while (result >= 0 && io->left > 0 && io->pos < INT64_MAX)
        result = write_piece(own, io);
    if (io->done > start) {
        tmpfs_changed(own);
        inode->mtime = inode->ctime = fs_time_now();
        inode_drop_setid_locked(inode, cred_current());
    }
    return result;
}

static ssize_t tmpfs_write(struct file *file, struct io *io)
{
    struct tmpfs_inode *own = tmpfs_inode_of(file->inode);
    size_t start = io->done;
    ssize_t result;

    if (io->left == 0)
        return 0;
    if (!io_is_within_page(io)) /* else nothing is written before the first fault */
        io_fault_in_ahead(io, FAULT_IN_MAX);
    do {
        rwlock_write_lock(&own->inode.lock);
        result = write_locked(own, io);
        rwlock_write_unlock(&own->inode.lock);
    } while (unlikely(result == -EFAULT) && io_fault_in(io, FAULT_IN_MAX) == 0);
    return io->done > start ? (ssize_t)(io->done - start) : result;
}

static int64_t tmpfs_seek(struct file *file, int64_t offset, int whence)
{
    struct inode *inode = file->inode;

    if (whence == SEEK_DATA || whence == SEEK_HOLE) {
        if (offset < 0 || (uint64_t)offset >= inode->size)
            return -ENXIO;
        return tmpfs_seek_hole(inode, (uint64_t)offset, whence == SEEK_HOLE);
    }
    return file_seek_sized(file, offset, whence, inode->size, INT64_MAX);
}

static struct vm_object *tmpfs_object(struct file *file)
{
    inode_accessed(file);
    return inode_object_get(file->inode);
}

static int tmpfs_sync(struct file *file, bool data_only)
{
    (void)file; /* memory is all there is */
    (void)data_only;
    return 0;
}

static int tmpfs_allocate(struct file *file, int mode, uint64_t offset, uint64_t length)
{
    return tmpfs_fallocate(file->inode, (unsigned)mode, offset, length);
}

static int tmpfs_ftruncate(struct file *file, uint64_t size)
{
    struct attr_change change = {.set = ATTR_SIZE, .size = size};

    return inode_truncate(file->inode, &change, cred_current());
}

const struct file_ops tmpfs_file_ops = {
    .flush = file_lock_flush,
    .read = tmpfs_read,
    .write = tmpfs_write,
    .seek = tmpfs_seek,
    .object = tmpfs_object,
    .sync = tmpfs_sync,
    .allocate = tmpfs_allocate,
    .truncate = tmpfs_ftruncate,
};

/* Seals of memfd_create(2): fcntl(2), F_ADD_SEALS. */

static struct tmpfs_inode *sealable(struct file *file)
{
    if (file->inode == NULL || !(file->inode->flags & INODE_SEALS))
        return NULL;
    return tmpfs_inode_of(file->inode);
}

int fs_get_seals(struct file *file)
{
    struct tmpfs_inode *own = sealable(file);

    return own != NULL ? (int)own->seals : -EINVAL;
}

int fs_add_seals(struct file *file, unsigned seals)
{
    struct tmpfs_inode *own = sealable(file);
    int error = 0;

    if (!(file->access & FILE_WRITE))
        return -EPERM;
    if (own == NULL || (seals & ~31u))
        return -EINVAL;
    rwlock_write_lock(&own->inode.lock);
    if (own->seals & F_SEAL_SEAL)
        error = -EPERM;
    else if ((seals & F_SEAL_WRITE) && atomic_read(&own->object.writable_maps) > 0)
        error = -EBUSY;
    else
        own->seals |= seals;
    rwlock_write_unlock(&own->inode.lock);
    return error;
}
