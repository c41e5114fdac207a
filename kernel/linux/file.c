/* SPDX-License-Identifier: MIT */
/* System calls on descriptors as such: close, dup, fcntl, ioctl, and those that reach the medium.
 */
#include <arch/uaccess.h>
#include <file/pipe.h>
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/lock.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <linux/syscalls.h>

#include "abi64/stat.h"
#include "files.h"

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

enum {
    F_DUPFD,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_GETLK,
    F_SETLK,
    F_SETLKW,
    F_SETOWN,
    F_GETOWN,
    F_SETSIG,
    F_GETSIG,
    F_SETOWN_EX = 15,
    F_GETOWN_EX,
    F_OFD_GETLK = 36,
    F_OFD_SETLK,
    F_OFD_SETLKW,
    F_SETLEASE = 1024,
    F_GETLEASE,
    F_DUPFD_CLOEXEC = 1030,
    F_SETPIPE_SZ,
    F_GETPIPE_SZ,
    F_ADD_SEALS,
    F_GET_SEALS,
};

#define FD_CLOEXEC 1u

/* ioctl commands that hold for every kind of file (asm-generic/ioctls.h, linux/fs.h) */
#define FIONREAD     0x541bu
#define FIONBIO      0x5421u
#define FIONCLEX     0x5450u
#define FIOCLEX      0x5451u
#define FIOASYNC     0x5452u
#define FIGETBSZ     2u
#define FICLONE      0x40049409u
#define FICLONERANGE 0x4020940du

long sys_close(const reg_t arg[6])
{
    int result = fd_close(current_files(), (unsigned)arg[0]);

    /* The descriptor is gone: the call must not be made again. */
    return result == -ERESTARTSYS ? -EINTR : result;
}

static long do_close_range(unsigned first, unsigned last, unsigned flags)
{
    if (flags & ~(CLOSE_RANGE_UNSHARE | CLOSE_RANGE_CLOEXEC) || first > last)
        return -EINVAL;
    if (flags & CLOSE_RANGE_UNSHARE && atomic_read(&current_files()->users) > 1) {
        struct fd_table *own = fd_table_copy(current_files());

        if (own == NULL)
            return -ENOMEM;
        fd_table_unref(current_files());
        current_task()->files = own;
    }
    return fd_close_range(current_files(), first, last, (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

long sys_close_range(const reg_t arg[6])
{
    return do_close_range((unsigned)arg[0], (unsigned)arg[1], (unsigned)arg[2]);
}

/* The lowest free number from `min` on. */
static long duplicate(struct file *file, unsigned min, bool cloexec)
{
    int number = fd_reserve(current_files(), min, fd_limit(), cloexec);

    if (number >= 0) {
        file_ref(file);
        fd_install(current_files(), (unsigned)number, file);
    }
    return number;
}

static long do_dup(unsigned fd)
{
    struct fd found = fd_get(current_files(), fd);
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = duplicate(found.file, 0, false);
    fd_put(found);
    return result;
}

long sys_dup(const reg_t arg[6])
{
    return do_dup((unsigned)arg[0]);
}

static long do_dup3(unsigned from, unsigned to, unsigned flags)
{
    struct fd found;
    long result;

    if (flags & ~O_CLOEXEC || from == to)
        return -EINVAL;
    if (to >= fd_limit())
        return -EBADF;
    found = fd_get(current_files(), from);
    if (found.file == NULL)
        return -EBADF;
    result = fd_replace(current_files(), to, found.file, fd_limit(), (flags & O_CLOEXEC) != 0);
    fd_put(found);
    return result;
}

long sys_dup3(const reg_t arg[6])
{
    return do_dup3((unsigned)arg[0], (unsigned)arg[1], (unsigned)arg[2]);
}

/* ---- record locks ---- */

/* A flock structure to an absolute range. 0, -EINVAL, -EOVERFLOW. */
static int lock_range(struct file *file, const struct abi64_flock *from, struct record_lock *to)
{
    struct inode_stat stat;
    int64_t start = from->start, end;

    if (from->whence == SEEK_CUR) {
        start += (int64_t)file->pos;
    } else if (from->whence == SEEK_END) {
        int error = fs_file_stat(file, &stat);
        if (error != 0)
            return error;
        if (__builtin_add_overflow((int64_t)stat.size, start, &start))
            return -EOVERFLOW;
    } else if (from->whence != SEEK_SET) {
        return -EINVAL;
    }
    if (start < 0)
        return -EINVAL;
    end = INT64_MAX;
    if (from->len > 0 && __builtin_add_overflow(start, from->len - 1, &end))
        return -EOVERFLOW;
    if (from->len < 0) { /* the range before start */
        end = start - 1;
        start += from->len;
        if (start < 0)
            return -EINVAL;
    }
    to->type = from->type;
    to->start = (uint64_t)start;
    to->end = end == INT64_MAX ? UINT64_MAX : (uint64_t)end;
    return 0;
}

static int lock_argument(struct file *file, vaddr_t user, bool is_ofd, struct abi64_flock *flock,
                         struct record_lock *lock)
{
    int error = copy_from_user(flock, user, sizeof(*flock));

    if (error != 0)
        return error;
    if (flock->type != F_RDLCK && flock->type != F_WRLCK && flock->type != F_UNLCK)
        return -EINVAL;
    if (is_ofd && flock->pid != 0)
        return -EINVAL;
    return lock_range(file, flock, lock);
}

static long get_lock(struct file *file, vaddr_t user, bool is_ofd)
{
    struct abi64_flock flock;
    struct record_lock lock;
    int error = lock_argument(file, user, is_ofd, &flock, &lock);

    if (error == 0 && lock.type == F_UNLCK && !is_ofd)
        error = -EINVAL;
    if (error == 0)
        error = file_lock_get(file, is_ofd ? (void *)file : (void *)current_files(), &lock);
    if (error != 0)
        return error;
    flock.type = (int16_t)lock.type;
    if (lock.type != F_UNLCK) {
        flock.whence = SEEK_SET;
        flock.start = (int64_t)lock.start;
        flock.len = lock.end == UINT64_MAX ? 0 : (int64_t)(lock.end - lock.start + 1);
        flock.pid = lock.pid;
    }
    return copy_to_user(user, &flock, sizeof(flock));
}

static long set_lock(struct file *file, vaddr_t user, bool is_ofd, bool wait)
{
    struct abi64_flock flock;
    struct record_lock lock;
    int error = lock_argument(file, user, is_ofd, &flock, &lock);

    if (error != 0)
        return error;
    if ((lock.type == F_RDLCK && !(file->access & FILE_READ)) ||
        (lock.type == F_WRLCK && !(file->access & FILE_WRITE)))
        return -EBADF;
    return file_lock_set(file, is_ofd ? (void *)file : (void *)current_files(),
                         is_ofd ? -1 : current_process()->pid, &lock, wait);
}

/* ---- fcntl ---- */

static long get_owner_ex(struct file *file, vaddr_t user)
{
    struct abi64_owner_ex owner = {1 /* F_OWNER_PID */, file->owner};

    if (file->owner < 0)
        owner = (struct abi64_owner_ex){2 /* F_OWNER_PGRP */, -file->owner};
    return copy_to_user(user, &owner, sizeof(owner));
}

static long set_owner_ex(struct file *file, vaddr_t user)
{
    struct abi64_owner_ex owner;

    if (copy_from_user(&owner, user, sizeof(owner)) != 0)
        return -EFAULT;
    if (owner.type < 0 || owner.type > 2)
        return -EINVAL;
    file->owner = owner.type == 2 ? -owner.pid : owner.pid;
    return 0;
}

static long pipe_fcntl(struct file *file, unsigned cmd, reg_t arg)
{
    struct pipe *pipe = pipe_of(file);

    if (pipe == NULL)
        return -EBADF;
    if (cmd == F_GETPIPE_SZ)
        return pipe_size(pipe);
    return pipe_set_size(pipe, (unsigned)arg, cred_capable(cred_current(), CAP_SYS_RESOURCE));
}

/* What O_PATH descriptors allow too; -EOPNOTSUPP: some other command. */
static long descriptor_fcntl(struct file *file, unsigned fd, unsigned cmd, reg_t arg)
{
    switch (cmd) {
    case F_DUPFD:
    case F_DUPFD_CLOEXEC:
        if (arg >= fd_limit())
            return -EINVAL;
        return duplicate(file, (unsigned)arg, cmd == F_DUPFD_CLOEXEC);
    case F_GETFD:
        return fd_get_cloexec(current_files(), fd);
    case F_SETFD:
        return fd_set_cloexec(current_files(), fd, (arg & FD_CLOEXEC) != 0);
    case F_GETFL:
        return file->flags;
    default:
        return -EOPNOTSUPP;
    }
}

static long file_fcntl(struct file *file, unsigned cmd, reg_t arg)
{
    switch (cmd) {
    case F_SETFL:
        return file_set_flags(file, (unsigned)arg);
    case F_GETLK:
    case F_OFD_GETLK:
        return get_lock(file, arg, cmd == F_OFD_GETLK);
    case F_SETLK:
    case F_SETLKW:
        return set_lock(file, arg, false, cmd == F_SETLKW);
    case F_OFD_SETLK:
    case F_OFD_SETLKW:
        return set_lock(file, arg, true, cmd == F_OFD_SETLKW);
    case F_SETOWN:
        if ((int)arg == INT32_MIN)
            return -EINVAL;
        file->owner = (int)arg;
        return 0;
    case F_GETOWN:
        return file->owner;
    case F_SETSIG:
        if (arg > SIGNALS)
            return -EINVAL;
        file->owner_signal = (int)arg;
        return 0;
    case F_GETSIG:
        return file->owner_signal;
    case F_SETOWN_EX:
        return set_owner_ex(file, arg);
    case F_GETOWN_EX:
        return get_owner_ex(file, arg);
    case F_GETLEASE:
        return F_UNLCK;
    case F_SETPIPE_SZ:
    case F_GETPIPE_SZ:
        return pipe_fcntl(file, cmd, arg);
    case F_ADD_SEALS:
        return fs_add_seals(file, (unsigned)arg);
    case F_GET_SEALS:
        return fs_get_seals(file);
    default: /* leases to be taken, directory notification, write hints: not offered */
        return -EINVAL;
    }
}

static long do_fcntl(unsigned fd, unsigned cmd, reg_t arg)
{
    struct fd found = fd_get(current_files(), fd);
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = descriptor_fcntl(found.file, fd, cmd, arg);
    if (result == -EOPNOTSUPP)
        result = found.file->access & FILE_PATH ? -EBADF : file_fcntl(found.file, cmd, arg);
    fd_put(found);
    return result;
}

long sys_fcntl(const reg_t arg[6])
{
    return do_fcntl((unsigned)arg[0], (unsigned)arg[1], arg[2]);
}

/* ---- ioctl ---- */

static long set_flag_by_int(struct file *file, unsigned flag, vaddr_t user)
{
    uint32_t on;

    if (get_user32(&on, user) != 0)
        return -EFAULT;
    return file_set_flags(file, on != 0 ? file->flags | flag : file->flags & ~flag);
}

static long bytes_left_in_file(struct file *file, vaddr_t user)
{
    struct inode_stat stat;
    int error = fs_file_stat(file, &stat);

    if (error != 0)
        return error;
    return put_user32(user, (uint32_t)(stat.size - file->pos));
}

static long block_size(struct file *file, vaddr_t user)
{
    struct inode_stat stat;
    int error = fs_file_stat(file, &stat);

    return error != 0 ? error : put_user32(user, stat.block_size);
}

static long file_ioctl(struct file *file, unsigned fd, unsigned cmd, reg_t arg)
{
    bool is_regular = file->inode != NULL && S_ISREG(file->inode->mode);

    switch (cmd) {
    case FIOCLEX:
    case FIONCLEX:
        return fd_set_cloexec(current_files(), fd, cmd == FIOCLEX);
    case FIONBIO:
        return set_flag_by_int(file, O_NONBLOCK, arg);
    case FIOASYNC:
        return set_flag_by_int(file, O_ASYNC, arg);
    case FIONREAD:
        if (is_regular)
            return bytes_left_in_file(file, arg);
        break;
    case FIGETBSZ:
        if (file->inode != NULL)
            return block_size(file, arg);
        break;
    case FICLONE:
    case FICLONERANGE:
        return -EOPNOTSUPP;
    default:
        break;
    }
    return file->ops->ioctl != NULL ? file->ops->ioctl(file, cmd, arg) : -ENOTTY;
}

static long do_ioctl(unsigned fd, unsigned cmd, reg_t arg)
{
    struct fd found = fd_get(current_files(), fd);
    long result = -EBADF;

    if (found.file == NULL)
        return -EBADF;
    if (!(found.file->access & FILE_PATH))
        result = file_ioctl(found.file, fd, cmd, arg);
    fd_put(found);
    return result;
}

long sys_ioctl(const reg_t arg[6])
{
    return do_ioctl((unsigned)arg[0], (unsigned)arg[1], arg[2]);
}

/* ---- flock and the medium ---- */

static long do_flock(unsigned fd, unsigned operation)
{
    unsigned kind = operation & ~(unsigned)LOCK_NB;
    struct fd found;
    long result;

    if (kind != LOCK_SH && kind != LOCK_EX && kind != LOCK_UN)
        return -EINVAL;
    found = fd_get(current_files(), fd);
    if (found.file == NULL)
        return -EBADF;
    result = found.file->access & FILE_PATH ? -EBADF : file_flock(found.file, (int)operation);
    fd_put(found);
    return result;
}

long sys_flock(const reg_t arg[6])
{
    return do_flock((unsigned)arg[0], (unsigned)arg[1]);
}

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
