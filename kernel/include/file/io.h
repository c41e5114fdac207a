/* SPDX-License-Identifier: MIT */
/*
 * struct io: one read or write request. It says where the bytes are (user segments or kernel
 * memory), the position in the file, and how to behave (IO_NOWAIT...). Every file_ops read and
 * write takes one; blocking calls, vectored calls, sendfile and later io_uring differ only in how
 * they fill it in.
 *
 * The copy functions consume the iterator. On user memory they may fault and sleep: the caller
 * holds no lock of any kind and has interrupts on. A request belongs to one thread.
 */
#ifndef FILE_IO_H
#define FILE_IO_H

#include <arch/memory_map.h>
#include <lib/types.h>

#define IO_NOWAIT 0x01u /* never block: -EAGAIN instead (O_NONBLOCK, MSG_DONTWAIT, RWF_NOWAIT) */
#define IO_APPEND 0x02u /* write at the end of the file; the file system sets pos */
#define IO_DSYNC  0x04u /* the data is on stable storage before the call returns */
#define IO_SYNC   0x08u /* and so is the metadata */
#define IO_KERNEL 0x10u /* segments are kernel addresses */
#define IO_NOSIG  0x20u /* a broken pipe raises no signal */

/* Most segments and bytes of one request, as Linux: UIO_MAXIOV and MAX_RW_COUNT. */
#define IO_SEGMENTS_MAX 1024u
#define IO_BYTES_MAX    0x7ffff000ul

/* The layout is that of the 64-bit user `struct iovec`. */
struct io_segment {
    vaddr_t base;
    size_t len;
};

struct io {
    unsigned flags;
    unsigned segment_count; /* from *segment on */
    uint64_t pos;  /* byte offset in the file; reads and writes of seekable files advance it */
    size_t left;   /* bytes not yet transferred, over all segments */
    size_t done;   /* bytes transferred so far */
    size_t offset; /* into *segment */
    const struct io_segment *segment;
    struct io_segment single;
};

/* A request over one user buffer. The range need not be valid: a bad one shows as -EFAULT when
 * copied. */
static inline void io_init_user(struct io *io, vaddr_t base, size_t len, uint64_t pos,
                                unsigned flags)
{
    io->flags = flags;
    io->segment_count = 1;
    io->pos = pos;
    io->left = len;
    io->done = 0;
    io->offset = 0;
    io->single.base = base;
    io->single.len = len;
    io->segment = &io->single;
}

/* A request over one kernel buffer; copying never faults. For a write the buffer is only read. */
static inline void io_init_kernel(struct io *io, const void *buf, size_t len, uint64_t pos,
                                  unsigned flags)
{
    io_init_user(io, (vaddr_t)buf, len, pos, flags | IO_KERNEL);
}

/* A request over `count` segments that stay valid until it ends; `total` is the sum of their
 * lengths. */
void io_init_segments(struct io *io, const struct io_segment *segments, unsigned count,
                      size_t total, uint64_t pos, unsigned flags);

/*
 * Move up to n bytes between `buf` and the request and advance it by what was moved (left, done;
 * not pos). Returns the bytes moved: less than n when the request is full or a user address faulted
 * part way, -EFAULT when n and left are not 0 and nothing could be moved. So `ret < n && io->left`
 * means a fault.
 */
ssize_t io_copy_to(struct io *io, const void *buf, size_t n);
ssize_t io_copy_from(struct io *io, void *buf, size_t n);

/*
 * io_copy_from() for a caller that holds a lock: what would have to wait for memory of the
 * program's ends it like a bad address. The caller drops the lock and asks io_fault_in() which it
 * was.
 */
ssize_t io_copy_from_nofault(struct io *io, void *buf, size_t n);

/* Reads from every page of the request's next n bytes, no lock held. 0: the next byte is there, and
 * stays so unless memory is short; -EFAULT: it cannot be read. */
int io_fault_in(const struct io *io, size_t n);
/* Does what it can to have the pages there that follow the next byte's. */
void io_fault_in_ahead(const struct io *io, size_t n);

/* As io_copy_to with n bytes of zero. */
ssize_t io_zero(struct io *io, size_t n);

/*
 * Exactly n bytes or nothing: 0, or -EFAULT with the request where it was (bytes before the fault
 * may have been written to user memory). -EINVAL when fewer than n bytes are left. For records such
 * as an eventfd counter or a signalfd_siginfo.
 */
int io_put(struct io *io, const void *buf, size_t n);
int io_get(struct io *io, void *buf, size_t n);

/* Step over n bytes (at most left) without touching memory; io_rewind steps back over n bytes done.
 */
void io_skip(struct io *io, size_t n);
void io_rewind(struct io *io, size_t n);

/* Does the request end in the page of the program that it starts in? Then a missing page shows
 * before anything of it was copied. */
static inline bool io_is_within_page(const struct io *io)
{
    return (io->segment->base + io->offset) % PAGE_SIZE + io->left <= PAGE_SIZE &&
           io->left <= io->segment->len - io->offset;
}

static inline size_t io_left(const struct io *io)
{
    return io->left;
}

#endif
