/* SPDX-License-Identifier: MIT */
/* What reaches the medium or shapes a file's space: sync, truncate, fallocate, advice. */
#include <fs/inode.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <linux/syscalls.h>

#include "files.h"

static long do_fsync(unsigned fd, bool data_only)
{
    struct fd found = fd_get(current_files(), fd);
    long result;

    if (found.file == NULL)
        return -EBADF;
    if (found.file->access & FILE_PATH)
        result = -EBADF;
    else
        result =
            found.file->ops->sync != NULL ? found.file->ops->sync(found.file, data_only) : -EINVAL;
    fd_put(found);
    return result;
}

long sys_fsync(const reg_t arg[6])
{
    return do_fsync((unsigned)arg[0], false);
}

long sys_fdatasync(const reg_t arg[6])
{
    return do_fsync((unsigned)arg[0], true);
}

/* Write-out of a range: the whole file is written, which is more than asked. */
static long do_sync_file_range(unsigned fd, int64_t offset, int64_t bytes, unsigned flags)
{
    int64_t end;

    if (flags & ~7u || offset < 0 || bytes < 0 || __builtin_add_overflow(offset, bytes, &end))
        return -EINVAL;
    return flags == 0 ? 0 : do_fsync(fd, true);
}

long sys_sync_file_range(const reg_t arg[6])
{
    return do_sync_file_range((unsigned)arg[0], (int64_t)arg[1], (int64_t)arg[2], (unsigned)arg[3]);
}

long sys_sync(const reg_t arg[6])
{
    (void)arg;
    (void)fs_sync_all();
    return 0;
}

static long do_syncfs(unsigned fd)
{
    struct fd found = fd_get(current_files(), fd);
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = found.file->access & FILE_PATH ? -EBADF : fs_sync_all();
    fd_put(found);
    return result;
}

long sys_syncfs(const reg_t arg[6])
{
    return do_syncfs((unsigned)arg[0]);
}

static long do_ftruncate(unsigned fd, int64_t size)
{
    struct fd found;
    long result;

    if (size < 0)
        return -EINVAL;
    found = fd_get(current_files(), fd);
    if (found.file == NULL)
        return -EBADF;
    if (found.file->access & FILE_PATH)
        result = -EBADF;
    else if (!(found.file->access & FILE_WRITE) || found.file->ops->truncate == NULL)
        result = -EINVAL;
    else if ((uint64_t)size > file_size_limit()) {
        file_signal(SIGXFSZ);
        result = -EFBIG;
    } else
        result = found.file->ops->truncate(found.file, (uint64_t)size);
    if (result == 0)
        file_notify(found.file, FILE_EVENT_WRITE);
    fd_put(found);
    return result;
}

long sys_ftruncate(const reg_t arg[6])
{
    return do_ftruncate((unsigned)arg[0], (int64_t)arg[1]);
}

static long allocate(struct file *file, int mode, int64_t offset, int64_t len)
{
    int64_t end;

    if (!(file->access & FILE_WRITE))
        return -EBADF;
    if (file->ops->flags & FILE_OPS_STREAM)
        return -ESPIPE;
    if (file->inode != NULL && S_ISDIR(file->inode->mode))
        return -EISDIR;
    if (file->ops->allocate == NULL)
        return file->inode != NULL && S_ISREG(file->inode->mode) ? -EOPNOTSUPP : -ENODEV;
    if (__builtin_add_overflow(offset, len, &end))
        return -EFBIG;
    return file->ops->allocate(file, mode, (uint64_t)offset, (uint64_t)len);
}

static long do_fallocate(unsigned fd, int mode, int64_t offset, int64_t len)
{
    struct fd found;
    long result;

    if (offset < 0 || len <= 0)
        return -EINVAL;
    found = fd_get(current_files(), fd);
    if (found.file == NULL)
        return -EBADF;
    result = allocate(found.file, mode, offset, len);
    if (result == 0)
        file_notify(found.file, FILE_EVENT_WRITE);
    fd_put(found);
    return result;
}

long sys_fallocate(const reg_t arg[6])
{
    return do_fallocate((unsigned)arg[0], (int)arg[1], (int64_t)arg[2], (int64_t)arg[3]);
}

/* Hints, which the page cache does not need; only the arguments are checked. */
static long do_fadvise(unsigned fd, int64_t len, int advice)
{
    struct fd found = fd_get(current_files(), fd);
    long result = 0;

    if (found.file == NULL)
        return -EBADF;
    if (found.file->access & FILE_PATH)
        result = -EBADF;
    else if (found.file->ops->flags & FILE_OPS_STREAM)
        result = -ESPIPE;
    else if (len < 0 || advice < 0 || advice > 5)
        result = -EINVAL;
    fd_put(found);
    return result;
}

long sys_fadvise64(const reg_t arg[6])
{
    return do_fadvise((unsigned)arg[0], (int64_t)arg[2], (int)arg[3]);
}

static long do_readahead(unsigned fd)
{
    struct fd found = fd_get(current_files(), fd);
    long result = 0;

    if (found.file == NULL)
        return -EBADF;
    if (!(found.file->access & FILE_READ))
        result = -EBADF;
    else if (found.file->inode == NULL || !S_ISREG(found.file->inode->mode))
        result = -EINVAL;
    fd_put(found);
    return result;
}

long sys_readahead(const reg_t arg[6])
{
    return do_readahead((unsigned)arg[0]);
}
