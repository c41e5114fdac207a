/* SPDX-License-Identifier: MIT */
/* Requests: moving bytes between kernel memory and the segments of a struct io. */
#include <arch/uaccess.h>
#include <file/io.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

enum io_move { IO_MOVE_TO, IO_MOVE_FROM, IO_MOVE_ZERO };

void io_init_segments(struct io *io, const struct io_segment *segments, unsigned count,
                      size_t total, uint64_t pos, unsigned flags)
{
    io->flags = flags;
    io->segment_count = count;
    io->pos = pos;
    io->left = total;
    io->done = 0;
    io->offset = 0;
    io->segment = segments;
}

/* One run within one segment: bytes not moved. */
static __always_inline size_t io_run(const struct io *io, vaddr_t at, void *buf, size_t n,
                                     enum io_move how)
{
    if (unlikely(io->flags & IO_KERNEL)) {
        if (how == IO_MOVE_TO)
            memcpy((void *)at, buf, n);
        else if (how == IO_MOVE_FROM)
            memcpy(buf, (const void *)at, n);
        else
            memset((void *)at, 0, n);
        return 0;
    }
    if (how == IO_MOVE_TO)
        return copy_to_user_partial(at, buf, n);
    if (how == IO_MOVE_FROM)
        return copy_from_user_partial(buf, at, n);
    return clear_user_partial(at, n);
}

static inline void io_advance(struct io *io, size_t n)
{
    io->offset += n;
    io->left -= n;
    io->done += n;
}

/* Over as many segments as it takes. */
static __always_inline ssize_t io_move_runs(struct io *io, void *buf, size_t n, enum io_move how)
{
    size_t moved = 0;

    n = min(n, io->left);
    while (moved < n) {
        size_t run = min(n - moved, io->segment->len - io->offset);
        size_t bad;

        if (run == 0) {
            io->segment++;
            io->segment_count--;
            io->offset = 0;
            continue;
        }
        bad = io_run(io, io->segment->base + io->offset, (char *)buf + moved, run, how);
        run -= bad;
        moved += run;
        io_advance(io, run);
        if (bad != 0)
            return moved != 0 ? (ssize_t)moved : -EFAULT;
    }
    return (ssize_t)moved;
}

static __noinline ssize_t io_move_to(struct io *io, void *buf, size_t n)
{
    return io_move_runs(io, buf, n, IO_MOVE_TO);
}

static __noinline ssize_t io_move_from(struct io *io, void *buf, size_t n)
{
    return io_move_runs(io, buf, n, IO_MOVE_FROM);
}

static __noinline ssize_t io_move_zero(struct io *io, void *buf, size_t n)
{
    return io_move_runs(io, buf, n, IO_MOVE_ZERO);
}

/* The usual case first: a piece of one segment of a program. */
static __always_inline ssize_t io_move(struct io *io, void *buf, size_t n, enum io_move how,
                                       ssize_t (*slow)(struct io *, void *, size_t))
{
    size_t bad;

    if (unlikely((io->flags & IO_KERNEL) || n > io->left || n > io->segment->len - io->offset))
        return slow(io, buf, n);
    bad = io_run(io, io->segment->base + io->offset, buf, n, how);
    io_advance(io, n - bad);
    return likely(bad == 0) ? (ssize_t)n : bad == n ? -EFAULT : (ssize_t)(n - bad);
}

ssize_t io_copy_to(struct io *io, const void *buf, size_t n)
{
    return io_move(io, (void *)(vaddr_t)buf, n, IO_MOVE_TO, io_move_to);
}

ssize_t io_copy_from(struct io *io, void *buf, size_t n)
{
    return io_move(io, buf, n, IO_MOVE_FROM, io_move_from);
}

ssize_t io_copy_from_nofault(struct io *io, void *buf, size_t n)
{
    ssize_t moved;

    user_fault_disable();
    moved = io_move(io, buf, n, IO_MOVE_FROM, io_move_from);
    user_fault_enable();
    return moved;
}

static __cold int fault_in_segments(const struct io *io, size_t n)
{
    const struct io_segment *segment = io->segment;
    size_t offset = io->offset, done = 0;

    while (done < n) {
        size_t run = min(n - done, segment->len - offset);
        vaddr_t at = segment->base + offset;
        uint8_t byte;

        if (!user_access_ok(at, run))
            return done != 0 ? 0 : -EFAULT;
        for (size_t i = 0; i < run; i += PAGE_SIZE - (at + i) % PAGE_SIZE) {
            if (get_user8(&byte, at + i) != 0)
                return done + i != 0 ? 0 : -EFAULT;
        }
        done += run;
        segment++;
        offset = 0;
    }
    return 0;
}

int io_fault_in(const struct io *io, size_t n)
{
    return io->flags & IO_KERNEL ? 0 : fault_in_segments(io, min(n, io->left));
}

void io_fault_in_ahead(const struct io *io, size_t n)
{
    uint8_t byte;

    n = min(n, io->left);
    if (n <= PAGE_SIZE && n <= io->segment->len - io->offset && !(io->flags & IO_KERNEL))
        (void)get_user8(&byte, io->segment->base + io->offset + n - 1);
    else
        (void)io_fault_in(io, n);
}

ssize_t io_zero(struct io *io, size_t n)
{
    return io_move(io, NULL, n, IO_MOVE_ZERO, io_move_zero);
}

/* Undo a short record transfer. */
static inline int io_whole(struct io *io, ssize_t moved, size_t n)
{
    if (likely(moved == (ssize_t)n))
        return 0;
    if (moved > 0)
        io_rewind(io, (size_t)moved);
    return -EFAULT;
}

int io_put(struct io *io, const void *buf, size_t n)
{
    if (io->left < n)
        return -EINVAL;
    return io_whole(io, io_move(io, (void *)(vaddr_t)buf, n, IO_MOVE_TO, io_move_to), n);
}

int io_get(struct io *io, void *buf, size_t n)
{
    if (io->left < n)
        return -EINVAL;
    return io_whole(io, io_move(io, buf, n, IO_MOVE_FROM, io_move_from), n);
}

void io_skip(struct io *io, size_t n)
{
    n = min(n, io->left);
    io->left -= n;
    io->done += n;
    while (n > io->segment->len - io->offset) {
        n -= io->segment->len - io->offset;
        io->segment++;
        io->segment_count--;
        io->offset = 0;
    }
    io->offset += n;
}

void io_rewind(struct io *io, size_t n)
{
    n = min(n, io->done);
    io->left += n;
    io->done -= n;
    while (n > io->offset) {
        n -= io->offset;
        io->segment--;
        io->segment_count++;
        io->offset = io->segment->len;
    }
    io->offset -= n;
}
