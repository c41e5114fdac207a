/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs: a ring of pages, one reader and one writer side. Writes of up to PIPE_BUF bytes
 * are atomic; O_DIRECT writes are packets; a FIFO is the same thing found through an inode of the
 * file system.
 */
#ifndef FILE_PIPE_H
#define FILE_PIPE_H

#include <file/file.h>

#define PIPE_BUF          4096u
#define PIPE_SIZE_DEFAULT 65536u
#define PIPE_SIZE_MAX     1048576u

struct pipe;

/* pipe2: two files (read end, write end), one reference each. flags: O_NONBLOCK, O_DIRECT. 0 or
 * -errno. */
int pipe_create(struct file *ends[2], unsigned flags);

/* The pipe behind a file, or NULL. */
struct pipe *pipe_of(struct file *file);

/*
 * FIFOs. fs keeps one `struct pipe *` per inode, NULL at first, and calls fifo_open with a file
 * whose flags and path are set. It creates or joins the pipe in *slot (guarded inside), waits for
 * the other side as POSIX says, and makes the file an end of it: ops and data are set,
 * file_drop_path is called on release as always. When the last end closes, *slot becomes NULL and
 * the pipe is freed; each open file holds the inode, so there is nothing to destroy with the inode.
 * 0, -ENXIO (writer, O_NONBLOCK, no reader), -ERESTARTSYS, -ENOMEM; on error the file is as it was.
 */
int fifo_open(struct pipe **slot, struct file *file);

/* F_GETPIPE_SZ, F_SETPIPE_SZ (rounded up to a power of two of pages): size in bytes or -EBUSY,
 * -EPERM, -ENOMEM. */
int pipe_size(struct pipe *pipe);
int pipe_set_size(struct pipe *pipe, size_t size, bool privileged);

/*
 * splice from a pipe: up to len bytes of `in` are written to `out` (any file) at *pos, or at its
 * own position if pos is NULL. What was not written stays in the pipe. Bytes or -errno, 0 at the
 * end.
 */
ssize_t pipe_splice_out(struct file *in, struct file *out, uint64_t *pos, size_t len, bool nowait);

/* tee: copy up to len bytes from one pipe to another without consuming. Bytes or -errno. */
ssize_t pipe_tee(struct file *in, struct file *out, size_t len, bool nowait);

#endif
