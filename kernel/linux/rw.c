/* SPDX-License-Identifier: MIT */
/* System calls that move bytes: read, write and their vectored and positioned forms; lseek. */
#include <arch/uaccess.h>
#include <lib/errno.h>
#include <linux/syscalls.h>

#include "files.h"

#define RWF_HIPRI  0x01u
#define RWF_DSYNC  0x02u
#define RWF_SYNC   0x04u
#define RWF_NOWAIT 0x08u
#define RWF_APPEND 0x10u

/* One buffer of the program to or from a file; inlined, so that a plain read costs no indirection.
 */
static __always_inline long transfer(unsigned fd, vaddr_t buf, size_t count, uint64_t pos,
                                     unsigned access,
                                     ssize_t (*move)(struct file *file, struct io *io))
{
    struct fd found = fd_get(current_files(), fd);
    struct io io;
    long result;

    if (unlikely(found.file == NULL))
        return -EBADF;
    if (unlikely(!user_access_ok(buf, count))) {
        result = found.file->access & access ? -EFAULT : -EBADF;
    } else {
        io_init_user(&io, buf, count < IO_BYTES_MAX ? count : IO_BYTES_MAX, pos, 0);
        result = move(found.file, &io);
    }
    fd_put(found);
    return result;
}

static long do_read(unsigned fd, vaddr_t buf, size_t count)
{
    return transfer(fd, buf, count, 0, FILE_READ, file_read);
}

static long do_write(unsigned fd, vaddr_t buf, size_t count)
{
    return transfer(fd, buf, count, 0, FILE_WRITE, file_write);
}

static long do_pread(unsigned fd, vaddr_t buf, size_t count, int64_t pos)
{
    return pos < 0 ? -EINVAL : transfer(fd, buf, count, (uint64_t)pos, FILE_READ, file_read_at);
}

static long do_pwrite(unsigned fd, vaddr_t buf, size_t count, int64_t pos)
{
    return pos < 0 ? -EINVAL : transfer(fd, buf, count, (uint64_t)pos, FILE_WRITE, file_write_at);
}

/* RWF_* to IO_*, or -EOPNOTSUPP. */
static int vector_flags(unsigned flags)
{
    if (flags & ~(RWF_HIPRI | RWF_DSYNC | RWF_SYNC | RWF_NOWAIT | RWF_APPEND))
        return -EOPNOTSUPP;
    return (int)((flags & RWF_DSYNC ? IO_DSYNC : 0) | (flags & RWF_SYNC ? IO_SYNC | IO_DSYNC : 0) |
                 (flags & RWF_NOWAIT ? IO_NOWAIT : 0) | (flags & RWF_APPEND ? IO_APPEND : 0));
}

/* All vectored calls; pos -1 is the file's own position. */
static long vectored(unsigned fd, vaddr_t user, unsigned long count, int64_t pos, unsigned flags,
                     bool is_write)
{
    struct fd found = fd_get(current_files(), fd);
    int io_flags = vector_flags(flags);
    struct iov iov;
    struct io io;
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = -EBADF;
    if (!(found.file->access & (is_write ? FILE_WRITE : FILE_READ)))
        goto put_fd;
    result = iov_get(&iov, user, count);
    if (result != 0)
        goto put_fd;
    result = io_flags;
    if (io_flags < 0)
        goto put_iov;
    io_init_segments(&io, iov.segments, iov.count, iov.total, (uint64_t)pos, (unsigned)io_flags);
    if (pos == -1)
        result = is_write ? file_write(found.file, &io) : file_read(found.file, &io);
    else
        result = is_write ? file_write_at(found.file, &io) : file_read_at(found.file, &io);
put_iov:
    iov_put(&iov);
put_fd:
    fd_put(found);
    return result;
}

static long do_readv(unsigned fd, vaddr_t iov, unsigned long count)
{
    return vectored(fd, iov, count, -1, 0, false);
}

static long do_writev(unsigned fd, vaddr_t iov, unsigned long count)
{
    return vectored(fd, iov, count, -1, 0, true);
}

static long do_preadv(unsigned fd, vaddr_t iov, unsigned long count, int64_t pos)
{
    return pos < 0 ? -EINVAL : vectored(fd, iov, count, pos, 0, false);
}

static long do_pwritev(unsigned fd, vaddr_t iov, unsigned long count, int64_t pos)
{
    return pos < 0 ? -EINVAL : vectored(fd, iov, count, pos, 0, true);
}

static long do_preadv2(unsigned fd, vaddr_t iov, unsigned long count, int64_t pos, unsigned flags)
{
    return pos < -1 ? -EINVAL : vectored(fd, iov, count, pos, flags, false);
}

static long do_pwritev2(unsigned fd, vaddr_t iov, unsigned long count, int64_t pos, unsigned flags)
{
    return pos < -1 ? -EINVAL : vectored(fd, iov, count, pos, flags, true);
}

static long do_lseek(unsigned fd, int64_t offset, unsigned whence)
{
    struct fd found = fd_get(current_files(), fd);
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = file_seek(found.file, offset, (int)whence);
    fd_put(found);
    return result;
}

long sys_read(const reg_t arg[6])
{
    return do_read((unsigned)arg[0], arg[1], arg[2]);
}

long sys_write(const reg_t arg[6])
{
    return do_write((unsigned)arg[0], arg[1], arg[2]);
}

long sys_pread64(const reg_t arg[6])
{
    return do_pread((unsigned)arg[0], arg[1], arg[2], (int64_t)arg[3]);
}

long sys_pwrite64(const reg_t arg[6])
{
    return do_pwrite((unsigned)arg[0], arg[1], arg[2], (int64_t)arg[3]);
}

long sys_readv(const reg_t arg[6])
{
    return do_readv((unsigned)arg[0], arg[1], arg[2]);
}

long sys_writev(const reg_t arg[6])
{
    return do_writev((unsigned)arg[0], arg[1], arg[2]);
}

/* The position is one register here; the next one is the high half of 32-bit callers, unused. */
long sys_preadv(const reg_t arg[6])
{
    return do_preadv((unsigned)arg[0], arg[1], arg[2], (int64_t)arg[3]);
}

long sys_pwritev(const reg_t arg[6])
{
    return do_pwritev((unsigned)arg[0], arg[1], arg[2], (int64_t)arg[3]);
}

long sys_preadv2(const reg_t arg[6])
{
    return do_preadv2((unsigned)arg[0], arg[1], arg[2], (int64_t)arg[3], (unsigned)arg[5]);
}

long sys_pwritev2(const reg_t arg[6])
{
    return do_pwritev2((unsigned)arg[0], arg[1], arg[2], (int64_t)arg[3], (unsigned)arg[5]);
}

long sys_lseek(const reg_t arg[6])
{
    return do_lseek((unsigned)arg[0], (int64_t)arg[1], (unsigned)arg[2]);
}
