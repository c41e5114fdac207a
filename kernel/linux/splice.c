/* SPDX-License-Identifier: MIT */
/* Calls that move bytes between two files: sendfile, copy_file_range, splice, tee, vmsplice. */
#include <arch/uaccess.h>
#include <file/pipe.h>
#include <fs/inode.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "files.h"

#define CHUNK_BYTES 32768u

#define SPLICE_F_NONBLOCK 2u
#define SPLICE_F_ALL      15u /* MOVE, NONBLOCK, MORE, GIFT: the others are hints */

/* Where one side of a copy is: at an explicit offset, or at the file's own. */
struct side {
    struct file *file;
    bool is_explicit;
    uint64_t pos;
};

static ssize_t side_read(struct side *side, void *buf, size_t len, unsigned flags)
{
    struct io io;
    ssize_t moved;

    io_init_kernel(&io, buf, len, side->pos, flags);
    moved = side->is_explicit ? file_read_at(side->file, &io) : file_read(side->file, &io);
    if (moved > 0)
        side->pos = io.pos;
    return moved;
}

static ssize_t side_write(struct side *side, const void *buf, size_t len, unsigned flags)
{
    struct io io;
    ssize_t moved;

    io_init_kernel(&io, buf, len, side->pos, flags);
    moved = side->is_explicit ? file_write_at(side->file, &io) : file_write(side->file, &io);
    if (moved > 0)
        side->pos = io.pos;
    return moved;
}

/* What was read but could not be written is read again later; streams cannot, and are not asked to.
 */
static void side_back(struct side *side, size_t bytes)
{
    if (bytes == 0)
        return;
    if (side->is_explicit)
        side->pos -= bytes;
    else
        (void)file_seek(side->file, -(int64_t)bytes, SEEK_CUR);
}

/* Copy through a kernel buffer. Bytes, or the first error if there are none. */
static long copy(struct side *from, struct side *to, size_t len, unsigned flags)
{
    size_t chunk = min(len, (size_t)CHUNK_BYTES);
    char *buf = kmalloc(chunk != 0 ? chunk : 1);
    long done = 0, result = 0;

    if (buf == NULL)
        return -ENOMEM;
    while ((size_t)done < len) {
        ssize_t got = side_read(from, buf, min(chunk, len - (size_t)done), flags);
        ssize_t put;

        result = got;
        if (got <= 0)
            break;
        put = side_write(to, buf, (size_t)got, flags);
        result = put;
        side_back(from, (size_t)(got - (put > 0 ? put : 0)));
        if (put <= 0)
            break;
        done += put;
        if (put < got || (from->file->ops->flags & FILE_OPS_STREAM)) /* what there is, once */
            break;
    }
    kfree(buf);
    return done != 0 ? done : result;
}

/* An offset argument: NULL leaves the side at the file's own position. 0, -EFAULT, -ESPIPE,
 * -EINVAL. */
static int side_init(struct side *side, struct file *file, vaddr_t user_offset)
{
    side->file = file;
    side->is_explicit = user_offset != 0;
    side->pos = 0;
    if (user_offset == 0)
        return 0;
    if (file->ops->flags & FILE_OPS_STREAM)
        return -ESPIPE;
    if (get_user64(&side->pos, user_offset) != 0)
        return -EFAULT;
    return (int64_t)side->pos < 0 ? -EINVAL : 0;
}

static long side_finish(const struct side *side, vaddr_t user_offset, long result)
{
    if (side->is_explicit && result > 0 && put_user64(user_offset, side->pos) != 0)
        return -EFAULT;
    return result;
}

/* Both descriptors of a call; -EBADF unless open for reading and for writing. */
static int pair_get(unsigned in_fd, unsigned out_fd, struct fd *in, struct fd *out)
{
    *in = fd_get(current_files(), in_fd);
    *out = fd_get(current_files(), out_fd);
    if (in->file != NULL && out->file != NULL && (in->file->access & FILE_READ) &&
        (out->file->access & FILE_WRITE))
        return 0;
    fd_put(*out);
    fd_put(*in);
    return -EBADF;
}

static void pair_put(struct fd in, struct fd out)
{
    fd_put(out);
    fd_put(in);
}

/* ---- sendfile ---- */

static bool is_regular(const struct file *file)
{
    return file->inode != NULL && S_ISREG(file->inode->mode);
}

static long send(struct file *in, struct file *out, vaddr_t user_offset, size_t count)
{
    struct side from, to;
    int error = side_init(&from, in, user_offset);

    if (error == 0)
        error = side_init(&to, out, 0);
    if (error != 0)
        return error;
    if (pipe_of(in) != NULL && pipe_of(out) != NULL)
        return pipe_splice_out(in, out, NULL, count, false);
    if (!is_regular(in) || in->ops->read == NULL || (out->flags & O_APPEND))
        return -EINVAL;
    return side_finish(&from, user_offset, copy(&from, &to, min(count, IO_BYTES_MAX), 0));
}

static long do_sendfile(unsigned out_fd, unsigned in_fd, vaddr_t user_offset, size_t count)
{
    struct fd in, out;
    long result = pair_get(in_fd, out_fd, &in, &out);

    if (result == 0) {
        result = (ssize_t)count < 0 ? -EINVAL : send(in.file, out.file, user_offset, count);
        pair_put(in, out);
    }
    return result;
}

long sys_sendfile(const reg_t arg[6])
{
    return do_sendfile((unsigned)arg[0], (unsigned)arg[1], arg[2], arg[3]);
}

/* ---- copy_file_range ---- */

static int check_range_copy(const struct side *from, const struct side *to, size_t len)
{
    uint64_t in = from->is_explicit ? from->pos : from->file->pos;
    uint64_t out = to->is_explicit ? to->pos : to->file->pos;

    if ((from->file->inode != NULL && S_ISDIR(from->file->inode->mode)) ||
        (to->file->inode != NULL && S_ISDIR(to->file->inode->mode)))
        return -EISDIR;
    if (!is_regular(from->file) || !is_regular(to->file))
        return -EINVAL;
    if (to->file->flags & O_APPEND)
        return -EBADF;
    if (in + len < in || out + len < out)
        return -EOVERFLOW;
    if (from->file->inode == to->file->inode && in < out + len && out < in + len)
        return -EINVAL;
    return 0;
}

static long do_copy_file_range(unsigned in_fd, vaddr_t in_offset, unsigned out_fd,
                               vaddr_t out_offset, size_t len, unsigned flags)
{
    struct side from, to;
    struct fd in, out;
    long result;

    if (flags != 0)
        return -EINVAL;
    result = pair_get(in_fd, out_fd, &in, &out);
    if (result != 0)
        return result;
    result = side_init(&from, in.file, in_offset);
    if (result == 0)
        result = side_init(&to, out.file, out_offset);
    if (result == 0)
        result = check_range_copy(&from, &to, len);
    if (result == 0) {
        result = copy(&from, &to, min(len, IO_BYTES_MAX), 0);
        result = side_finish(&from, in_offset, result);
        result = side_finish(&to, out_offset, result);
    }
    pair_put(in, out);
    return result;
}

long sys_copy_file_range(const reg_t arg[6])
{
    return do_copy_file_range((unsigned)arg[0], arg[1], (unsigned)arg[2], arg[3], arg[4],
                              (unsigned)arg[5]);
}

/* ---- splice, tee, vmsplice ---- */

/* From any file into a pipe: at most a page at a time, once there is room for it. */
static long splice_in(struct side *from, struct side *to, size_t len, bool nowait)
{
    struct poll_entry room = {to->file, POLLOUT, 0};

    if (from->file->ops->read == NULL)
        return -EINVAL;
    if (poll_wait(&room, 1, 0) == 0) {
        int ready;

        if (nowait || (to->file->flags & O_NONBLOCK))
            return -EAGAIN;
        ready = poll_wait(&room, 1, WAIT_FOREVER);
        if (ready < 0)
            return ready == -EINTR ? -ERESTARTSYS : ready;
    }
    if (room.revents & POLLERR) {
        file_signal(SIGPIPE);
        return -EPIPE;
    }
    return copy(from, to, min(len, (size_t)4096), nowait ? IO_NOWAIT : 0);
}

static long splice(struct side *from, struct side *to, size_t len, bool nowait)
{
    struct pipe *in = pipe_of(from->file), *out = pipe_of(to->file);

    if ((in == NULL && out == NULL) || (in != NULL && in == out))
        return -EINVAL;
    if (in != NULL) {
        if (to->file->flags & O_APPEND)
            return -EINVAL;
        return pipe_splice_out(from->file, to->file, to->is_explicit ? &to->pos : NULL, len,
                               nowait);
    }
    return splice_in(from, to, len, nowait);
}

/* 1: there is something to do, with the two files. */
static int splice_begin(unsigned in_fd, unsigned out_fd, size_t len, unsigned flags, struct fd *in,
                        struct fd *out)
{
    int error;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    if (len == 0)
        return 0;
    error = pair_get(in_fd, out_fd, in, out);
    return error != 0 ? error : 1;
}

static long do_splice(unsigned in_fd, vaddr_t in_offset, unsigned out_fd, vaddr_t out_offset,
                      size_t len, unsigned flags)
{
    struct side from, to;
    struct fd in, out;
    long result = splice_begin(in_fd, out_fd, len, flags, &in, &out);

    if (result <= 0)
        return result;
    result = side_init(&from, in.file, in_offset);
    if (result == 0)
        result = side_init(&to, out.file, out_offset);
    if (result == 0) {
        result = splice(&from, &to, min(len, IO_BYTES_MAX), (flags & SPLICE_F_NONBLOCK) != 0);
        result = side_finish(&from, in_offset, result);
        result = side_finish(&to, out_offset, result);
    }
    pair_put(in, out);
    return result;
}

long sys_splice(const reg_t arg[6])
{
    return do_splice((unsigned)arg[0], arg[1], (unsigned)arg[2], arg[3], arg[4], (unsigned)arg[5]);
}

static long do_tee(unsigned in_fd, unsigned out_fd, size_t len, unsigned flags)
{
    struct fd in, out;
    long result = splice_begin(in_fd, out_fd, len, flags, &in, &out);

    if (result <= 0)
        return result;
    if (pipe_of(in.file) == NULL || pipe_of(out.file) == NULL ||
        pipe_of(in.file) == pipe_of(out.file))
        result = -EINVAL;
    else
        result =
            pipe_tee(in.file, out.file, min(len, IO_BYTES_MAX), (flags & SPLICE_F_NONBLOCK) != 0);
    pair_put(in, out);
    return result;
}

long sys_tee(const reg_t arg[6])
{
    return do_tee((unsigned)arg[0], (unsigned)arg[1], arg[2], (unsigned)arg[3]);
}

/* The bytes are copied, which vmsplice(2) allows. */
static long do_vmsplice(unsigned fd, vaddr_t user, unsigned long count, unsigned flags)
{
    struct fd found;
    struct iov iov;
    struct io io;
    long result;

    if (flags & ~SPLICE_F_ALL)
        return -EINVAL;
    found = fd_get(current_files(), fd);
    if (found.file == NULL)
        return -EBADF;
    result = pipe_of(found.file) == NULL ? -EBADF : iov_get(&iov, user, count);
    if (result == 0) {
        io_init_segments(&io, iov.segments, iov.count, iov.total, 0,
                         flags & SPLICE_F_NONBLOCK ? IO_NOWAIT : 0);
        result = found.file->access & FILE_WRITE ? file_write(found.file, &io)
                                                 : file_read(found.file, &io);
        iov_put(&iov);
    }
    fd_put(found);
    return result;
}

long sys_vmsplice(const reg_t arg[6])
{
    return do_vmsplice((unsigned)arg[0], arg[1], arg[2], (unsigned)arg[3]);
}
