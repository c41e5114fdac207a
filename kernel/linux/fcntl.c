/* SPDX-License-Identifier: MIT */
/* fcntl and flock: flags, owners, pipes' sizes, seals, and the two kinds of locks. */
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
#include "sigio.h"

enum {
    F_DUPFD,
    F_GETFD,
    F_SETFD,
    F_GETFL,
    F_SETFL,
    F_GETLK,
    F_SETLK,
    F_SETLKW,
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
        return fd_duplicate(file, (unsigned)arg, cmd == F_DUPFD_CLOEXEC);
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

static long file_fcntl(struct file *file, unsigned fd, unsigned cmd, reg_t arg)
{
    switch (cmd) {
    case F_SETFL:
        return file_set_flags(file, (int)fd, (unsigned)arg);
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
    case F_GETOWN:
    case F_SETSIG:
    case F_GETSIG:
    case F_SETOWN_EX:
    case F_GETOWN_EX:
        return sigio_fcntl(file, cmd, arg);
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
        result = found.file->access & FILE_PATH ? -EBADF : file_fcntl(found.file, fd, cmd, arg);
    fd_put(found);
    return result;
}

long sys_fcntl(const reg_t arg[6])
{
    return do_fcntl((unsigned)arg[0], (unsigned)arg[1], arg[2]);
}

/* ---- flock ---- */

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
