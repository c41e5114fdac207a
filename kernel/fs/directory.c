/* SPDX-License-Identifier: MIT */
/* An open directory: getdents64(2) and lseek(2). "." and ".." are at positions 0 and 1. */
#include <file/file.h>
#include <lib/errno.h>

#include "fs.h"

static ssize_t directory_read(struct file *file, struct io *io)
{
    (void)file;
    (void)io;
    return -EISDIR;
}

static bool emit_dots(struct file *file, struct dir_sink *sink)
{
    if (file->pos == 0) {
        if (!sink->emit(sink, ".", 1, file->inode->ino, DT_DIR, 1))
            return false;
        file->pos = 1;
    }
    if (file->pos == 1) {
        struct dentry *parent = dentry_parent(file->dentry);
        bool taken = sink->emit(sink, "..", 2, parent->inode->ino, DT_DIR, 2);

        dentry_unref(parent);
        if (!taken)
            return false;
        file->pos = 2;
    }
    return true;
}

static int directory_readdir(struct file *file, struct dir_sink *sink)
{
    struct inode *dir = file->inode;
    int error = 0;

    rwlock_read_lock(&dir->lock);
    if (dir->flags & INODE_DEAD)
        error = -ENOENT;
    else if (emit_dots(file, sink) && dir->ops->readdir != NULL)
        error = dir->ops->readdir(dir, &file->pos, sink);
    rwlock_read_unlock(&dir->lock);
    return error;
}

static int64_t directory_seek(struct file *file, int64_t offset, int whence)
{
    if (whence == SEEK_CUR)
        offset += (int64_t)file->pos;
    else if (whence == SEEK_END)
        offset += INT64_MAX; /* past every entry */
    else if (whence != SEEK_SET)
        return -EINVAL;
    return offset < 0 ? -EINVAL : offset;
}

static int directory_sync(struct file *file, bool data_only)
{
    (void)file;
    (void)data_only;
    return 0;
}

const struct file_ops directory_file_ops = {
    .flush = file_lock_flush,
    .read = directory_read,
    .seek = directory_seek,
    .readdir = directory_readdir,
    .sync = directory_sync,
};
