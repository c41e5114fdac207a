/* SPDX-License-Identifier: MIT */
/*
 * An open file: what a descriptor refers to. Shared by every descriptor that dup, fork or
 * SCM_RIGHTS made of it; released when the last reference goes. This layer knows neither file
 * systems nor sockets: they supply a struct file_ops and their own `data`.
 */
#ifndef FILE_FILE_H
#define FILE_FILE_H

#include <arch/atomic.h>
#include <core/defer.h>
#include <core/lock.h>
#include <file/flags.h>
#include <file/io.h>
#include <file/poll.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>

struct file;
struct inode;
struct dentry;
struct mount;
struct vm_object;
struct file_async;

/*
 * Receives directory entries. emit returns false when it takes no more; that entry was not taken
 * and the reader's position stays before it. `next` is the position of the entry that follows. emit
 * copies to kernel memory only and does not sleep, so a directory lock may be held over it.
 */
struct dir_sink {
    bool (*emit)(struct dir_sink *, const char *name, size_t name_len, uint64_t ino, unsigned type,
                 uint64_t next);
};

/* Receives text for /proc/N/fdinfo. */
struct text_sink {
    void (*print)(struct text_sink *, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
};

/*
 * Any operation may be NULL; what happens then stands beside it. All run in thread context and may
 * sleep; the caller holds a reference (or borrows the descriptor's) and no spinlock.
 */
struct file_ops {
    const char *
        name; /* "pipe" -> pipe:[id], "anon_inode:[eventfd]" ...; NULL when the file has an inode */
    uint32_t mode;  /* st_mode of a file without inode */
    unsigned flags; /* FILE_OPS_* */

    /* Bytes moved, 0 at the end, -errno. Advance io, and io->pos if seekable. NULL: -EINVAL. */
    ssize_t (*read)(struct file *, struct io *);
    ssize_t (*write)(struct file *, struct io *);
    long (*ioctl)(struct file *, unsigned cmd, reg_t arg); /* NULL: -ENOTTY */
    unsigned (*poll)(struct file *, struct poll_waiter *); /* NULL: always readable and writable */
    struct vm_object *(*object)(struct file *); /* a new reference; NULL: -ENODEV from mmap */
    int64_t (*seek)(struct file *, int64_t offset,
                    int whence); /* new position; caller stores it. NULL: -ESPIPE */
    int (*readdir)(struct file *,
                   struct dir_sink *); /* from file->pos, which it advances. NULL: -ENOTDIR */
    int (*sync)(struct file *, bool data_only); /* NULL: -EINVAL */
    int (*allocate)(struct file *, int mode, uint64_t offset,
                    uint64_t len);                 /* fallocate. NULL: -EOPNOTSUPP */
    int (*truncate)(struct file *, uint64_t size); /* NULL: -EINVAL */
    int (*set_flags)(struct file *,
                     unsigned flags); /* before F_SETFL takes effect. NULL: allowed */
    int (*flush)(struct file *,
                 const void *owner); /* each close of a descriptor; owner = the fd table */
    void (*show)(struct file *, struct text_sink *); /* extra lines of fdinfo */
    int (*reopen)(struct file *, unsigned flags,
                  struct file **out); /* open of /proc/N/fd/M without inode. NULL: -ENXIO */
    void (*release)(struct file *);   /* last reference; frees data, leaves the path */
};

#define FILE_OPS_STREAM \
    0x01u                    /* no position: no pos lock; pread and pwrite and lseek give -ESPIPE */
#define FILE_OPS_ASYNC 0x04u /* O_ASYNC has a meaning: file/async.h */
#define FILE_OPS_NOPOS \
    0x02u /* seekable in name only (/dev/zero): pread works, position stays 0, no pos lock */

struct file {
    atomic_t refs;
    unsigned flags;  /* O_* status flags; changed by file_set_flags only, read without a lock */
    unsigned access; /* FILE_READ ...; constant once the file is published */
    const struct file_ops *ops;
    void *data;            /* of ops */
    struct inode *inode;   /* set and dropped by fs; NULL for pipes, sockets, anonymous files */
    struct dentry *dentry; /* where it was opened; fs */
    struct mount *mount;
    uint64_t pos; /* under pos_lock */
    struct mutex
        pos_lock; /* held over a whole read, write, seek or readdir at the file's own position;
                     it is the outermost lock of all, the one that is held over user access */
    uint64_t id;  /* inode number of a file without inode; unique */
    struct file_async *async; /* whom signals go to; NULL: was never set; file/async.c */
    struct list_node watches; /* epoll items on this file; under epoll's lock (file/epoll.c) */
    struct deferred free;
};

#define FILE_READ  0x01u /* opened for reading */
#define FILE_WRITE 0x02u
#define FILE_EXEC  0x04u /* opened by execve: writes to the inode are denied */
#define FILE_PATH  0x08u /* O_PATH: only a name */
#define FILE_LOCKS 0x10u /* flock or fcntl locks may exist; fs sets and looks */

/*
 * A new file with one reference, access from flags & O_ACCMODE (nothing for O_PATH). O_CREAT,
 * O_EXCL, O_NOCTTY, O_TRUNC and O_CLOEXEC are not kept. NULL: out of memory (release is not called
 * then).
 */
struct file *file_create(const struct file_ops *ops, void *data, unsigned flags);

void file_ref(struct file *file);

/* Drop a reference. The last one leaves epoll sets, calls release and frees: may sleep, no lock
 * held. */
void file_unref(struct file *file);

/* A reference unless the last one is gone already. Between defer_read_begin and _end. */
bool file_try_ref(struct file *file);

/*
 * Read and write at the file's position, or at io->pos (`_at`). They check access (-EBADF), the
 * position
 * (-EINVAL, -ESPIPE for streams) and clip the length to IO_BYTES_MAX; io->flags gets IO_NOWAIT,
 * IO_APPEND, IO_DSYNC from the file's flags. May sleep.
 */
ssize_t file_read(struct file *file, struct io *io);
ssize_t file_write(struct file *file, struct io *io);
ssize_t file_read_at(struct file *file, struct io *io);
ssize_t file_write_at(struct file *file, struct io *io);

/* Whole transfers between kernel memory and a position: bytes moved (short at the end of file) or
 * -errno. */
ssize_t file_read_kernel(struct file *file, void *buf, size_t len, uint64_t pos);
ssize_t file_write_kernel(struct file *file, const void *buf, size_t len, uint64_t pos);

/* lseek: the new position or -errno. */
int64_t file_seek(struct file *file, int64_t offset, int whence);

/* For ops.seek of a file of `size` bytes, holes unknown: position or -EINVAL, -ENXIO, -EOVERFLOW.
 */
int64_t file_seek_sized(struct file *file, int64_t offset, int whence, uint64_t size, uint64_t max);

/* Events that hold now; registers pw if not NULL. */
static inline unsigned file_poll(struct file *file, struct poll_waiter *pw)
{
    return file->ops->poll ? file->ops->poll(file, pw) : POLL_READABLE | POLL_WRITABLE;
}

/*
 * For ops.write of a regular file, position known (IO_APPEND applied): cuts the request at
 * RLIMIT_FSIZE and max_bytes. 0, or -EFBIG when it begins beyond (SIGXFSZ is sent for the limit).
 * Does not sleep.
 */
int file_limit_write(struct io *io, uint64_t max_bytes);

/* F_SETFL, by descriptor `number`: replace O_APPEND, O_NONBLOCK, O_DIRECT, O_NOATIME, O_ASYNC. 0 or
 * -errno of ops.set_flags or file_async_set(). */
int file_set_flags(struct file *file, int number, unsigned flags);

/* Numbers for files without inode, also used by fs for FIFO and socket inodes of its own. Never 0.
 */
uint64_t file_new_id(void);

/*
 * What this layer needs of those above; linux defines the first two.
 * file_size_limit: RLIMIT_FSIZE of the calling thread, UINT64_MAX for none.
 * file_signal: send `signal` to the calling thread (SIGPIPE 13, SIGXFSZ 25).
 */
uint64_t file_size_limit(void);
void file_signal(int signal);

/*
 * Watched files (inotify), fs defines both: how many watches there are, and telling who watches the
 * file, or the directory it is in, what was done with it. Thread context.
 */
extern uint32_t file_watches;
void file_tell(struct file *file, unsigned event);
#define FILE_EVENT_READ        0x01u /* as inotify(7) has them */
#define FILE_EVENT_WRITE       0x02u
#define FILE_EVENT_CLOSE_WRITE 0x08u
#define FILE_EVENT_CLOSE       0x10u

static inline void file_notify(struct file *file, unsigned event)
{
    if (unlikely(READ_ONCE(file_watches) != 0))
        file_tell(file, event);
}

/* fs defines: drop what inode, dentry and mount hold. Called after ops.release when inode is not
 * NULL. */
void file_drop_path(struct file *file);

#endif
