/* SPDX-License-Identifier: MIT */
/* System calls on descriptors as such: close, dup, and the ioctl commands that hold for all files.
 */
#include <arch/uaccess.h>
#include <fs/inode.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <linux/syscalls.h>

#include "files.h"
#include "process_internal.h"
#include "sigio.h"

#define CLOSE_RANGE_UNSHARE 2u
#define CLOSE_RANGE_CLOEXEC 4u

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
    if ((flags & CLOSE_RANGE_UNSHARE) && task_own_files(current_task()) != 0)
        return -ENOMEM;
    return fd_close_range(current_files(), first, last, (flags & CLOSE_RANGE_CLOEXEC) != 0);
}

long sys_close_range(const reg_t arg[6])
{
    return do_close_range((unsigned)arg[0], (unsigned)arg[1], (unsigned)arg[2]);
}

long fd_duplicate(struct file *file, unsigned min, bool cloexec)
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
    result = fd_duplicate(found.file, 0, false);
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

/* ---- ioctl ---- */

static long set_flag_by_int(struct file *file, unsigned fd, unsigned flag, vaddr_t user)
{
    uint32_t on;

    if (get_user32(&on, user) != 0)
        return -EFAULT;
    return file_set_flags(file, (int)fd, on != 0 ? file->flags | flag : file->flags & ~flag);
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
        return set_flag_by_int(file, fd, O_NONBLOCK, arg);
    case FIOASYNC:
        if (!(file->ops->flags & FILE_OPS_ASYNC))
            return -ENOTTY;
        return set_flag_by_int(file, fd, O_ASYNC, arg);
    case FIOSETOWN:
    case SIOCSPGRP:
    case FIOGETOWN:
    case SIOCGPGRP:
        if (S_ISSOCK(file->ops->mode))
            return sigio_socket_ioctl(file, cmd, arg);
        break;
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

__cold long sys_ioctl(const reg_t arg[6])
{
    return do_ioctl((unsigned)arg[0], (unsigned)arg[1], arg[2]);
}
