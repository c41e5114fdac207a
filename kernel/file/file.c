/* SPDX-License-Identifier: MIT */
/* Open files: life, positioned and plain transfers, flags. */
#include <arch/barrier.h>
#include <core/percpu.h>
#include <core/preempt.h>
#include <file/async.h>
#include <file/epoll.h>
#include <file/file.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

/* Not kept in file->flags: they only matter to open itself. */
#define OPEN_ONLY_FLAGS (O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_CLOEXEC)
#define SETTABLE_FLAGS  (O_APPEND | O_NONBLOCK | O_DIRECT | O_NOATIME | O_ASYNC)

#define STOCK_MAX 32u /* a CPU */

#define POSITIONLESS (FILE_OPS_STREAM | FILE_OPS_NOPOS)

SLAB_CACHE(file_cache, struct file);
static atomic64_t last_id;

uint64_t file_new_id(void)
{
    return (uint64_t)atomic64_add_return(1, &last_id);
}

static unsigned access_of(unsigned flags)
{
    if (flags & O_PATH)
        return FILE_PATH;
    switch (flags & O_ACCMODE) {
    case O_RDONLY:
        return FILE_READ;
    case O_WRONLY:
        return FILE_WRITE;
    case O_RDWR:
        return FILE_READ | FILE_WRITE;
    default: /* 3: ioctl only */
        return 0;
    }
}

/*
 * Released files wait here for the next open: fd_get_file() may look at the count of a file that is
 * gone, so memory that stays a file needs no grace period. What is too much for the stock gets one
 * and is freed.
 */
static struct {
    struct file *first; /* linked by `data`; refs 0 */
    unsigned count;
} stock[MAX_CPUS];

static struct file *stock_take(void)
{
    struct file *file;

    preempt_disable();
    file = stock[this_cpu()->id].first;
    if (file != NULL) {
        stock[this_cpu()->id].first = file->data;
        stock[this_cpu()->id].count--;
    }
    preempt_enable();
    return file;
}

static bool stock_give(struct file *file)
{
    bool has_room;

    preempt_disable();
    has_room = stock[this_cpu()->id].count < STOCK_MAX;
    if (has_room) {
        file->data = stock[this_cpu()->id].first;
        stock[this_cpu()->id].first = file;
        stock[this_cpu()->id].count++;
    }
    preempt_enable();
    return has_room;
}

/* Memory for a file; what is the same for all of them is set up. */
static struct file *file_alloc(void)
{
    struct file *file = stock_take();

    if (file != NULL)
        return file;
    file = slab_alloc(&file_cache);
    if (file != NULL) {
        atomic_set(&file->refs, 0);
        list_init(&file->watches);
        mutex_init(&file->pos_lock, RANK_FILE);
    }
    return file;
}

struct file *file_create(const struct file_ops *ops, void *data, unsigned flags)
{
    struct file *file = file_alloc();

    if (file == NULL)
        return NULL;
    file->flags = flags & ~OPEN_ONLY_FLAGS;
    file->access = access_of(flags);
    file->ops = ops;
    file->data = data;
    file->inode = NULL;
    file->dentry = NULL;
    file->mount = NULL;
    file->pos = 0;
    file->id = ops != NULL && ops->name != NULL ? file_new_id() : 0;
    file->async = NULL;
    smp_store_release(&file->refs.v, 1); /* pairs with file_try_ref() */
    return file;
}

static void file_free(struct deferred *deferred)
{
    slab_free(&file_cache, container_of(deferred, struct file, free));
}

static void file_release(struct file *file)
{
    if (!(file->access & FILE_PATH))
        file_notify(file, file->access & FILE_WRITE ? FILE_EVENT_CLOSE_WRITE : FILE_EVENT_CLOSE);
    if (!list_empty(&file->watches))
        epoll_file_released(file);
    if (file->async != NULL)
        file_async_release(file);
    if (file->ops->release != NULL)
        file->ops->release(file);
    if (file->inode != NULL)
        file_drop_path(file);
    if (!stock_give(file))
        defer_free(&file->free, file_free);
}

void file_ref(struct file *file)
{
    atomic_inc(&file->refs);
}

bool file_try_ref(struct file *file)
{
    return atomic_inc_not_zero(&file->refs);
}

void file_unref(struct file *file)
{
    if (atomic_dec_and_test(&file->refs))
        file_release(file);
}

/* What the file's status flags ask of a request. */
static __always_inline unsigned request_flags(const struct file *file)
{
    unsigned flags = READ_ONCE(file->flags);

    if (likely((flags & (O_NONBLOCK | O_APPEND | O_DSYNC)) == 0))
        return 0;
    return (flags & O_NONBLOCK ? IO_NOWAIT : 0) | (flags & O_APPEND ? IO_APPEND : 0) |
           (flags & O_DSYNC ? IO_DSYNC : 0) | ((flags & O_SYNC) == O_SYNC ? IO_SYNC : 0);
}

typedef ssize_t transfer_fn(struct file *, struct io *);

static __always_inline ssize_t moved(struct file *file, ssize_t result, unsigned event)
{
    if (unlikely(READ_ONCE(file_watches) != 0) && result > 0)
        file_tell(file, event);
    return result;
}

/* At the file's own position. The only reference is the caller's: nobody else can move it. */
static ssize_t transfer(struct file *file, struct io *io, transfer_fn *fn, unsigned event)
{
    bool is_shared = atomic_read(&file->refs) > 1;
    ssize_t result;

    if (is_shared)
        mutex_lock(&file->pos_lock);
    io->pos = file->pos;
    result = fn(file, io);
    if (result > 0)
        file->pos = io->pos;
    if (is_shared)
        mutex_unlock(&file->pos_lock);
    return moved(file, result, event);
}

ssize_t file_read(struct file *file, struct io *io)
{
    const struct file_ops *ops = file->ops;

    if (unlikely(!(file->access & FILE_READ)))
        return -EBADF;
    if (unlikely(ops->read == NULL))
        return -EINVAL;
    io->flags |= request_flags(file) & ~IO_APPEND;
    if ((ops->flags & POSITIONLESS) && likely(READ_ONCE(file_watches) == 0))
        return ops->read(file, io);
    if (ops->flags & POSITIONLESS)
        return moved(file, ops->read(file, io), FILE_EVENT_READ);
    return transfer(file, io, ops->read, FILE_EVENT_READ);
}

ssize_t file_write(struct file *file, struct io *io)
{
    const struct file_ops *ops = file->ops;

    if (unlikely(!(file->access & FILE_WRITE)))
        return -EBADF;
    if (unlikely(ops->write == NULL))
        return -EINVAL;
    io->flags |= request_flags(file);
    if ((ops->flags & POSITIONLESS) && likely(READ_ONCE(file_watches) == 0))
        return ops->write(file, io);
    if (ops->flags & POSITIONLESS)
        return moved(file, ops->write(file, io), FILE_EVENT_WRITE);
    return transfer(file, io, ops->write, FILE_EVENT_WRITE);
}

static int check_position(const struct file *file, const struct io *io)
{
    if (file->ops->flags & FILE_OPS_STREAM)
        return -ESPIPE;
    return (int64_t)io->pos < 0 ? -EINVAL : 0;
}

ssize_t file_read_at(struct file *file, struct io *io)
{
    int error = check_position(file, io);

    if (error != 0)
        return error;
    if (!(file->access & FILE_READ))
        return -EBADF;
    if (file->ops->read == NULL)
        return -EINVAL;
    io->flags |= request_flags(file) & ~IO_APPEND;
    return moved(file, file->ops->read(file, io), FILE_EVENT_READ);
}

/* Linux appends with O_APPEND even here (pwrite(2), BUGS). */
ssize_t file_write_at(struct file *file, struct io *io)
{
    int error = check_position(file, io);

    if (error != 0)
        return error;
    if (!(file->access & FILE_WRITE))
        return -EBADF;
    if (file->ops->write == NULL)
        return -EINVAL;
    io->flags |= request_flags(file);
    return moved(file, file->ops->write(file, io), FILE_EVENT_WRITE);
}

static ssize_t kernel_transfer(struct file *file, const void *buf, size_t len, uint64_t pos,
                               transfer_fn *fn)
{
    struct io io;

    io_init_kernel(&io, buf, len, pos, 0);
    if (fn == NULL)
        return -EINVAL;
    while (io_left(&io) != 0) {
        ssize_t moved = fn(file, &io);

        if (moved < 0 && io.done == 0)
            return moved;
        if (moved <= 0)
            break;
    }
    return (ssize_t)io.done;
}

ssize_t file_read_kernel(struct file *file, void *buf, size_t len, uint64_t pos)
{
    return kernel_transfer(file, buf, len, pos, file->ops->read);
}

ssize_t file_write_kernel(struct file *file, const void *buf, size_t len, uint64_t pos)
{
    return kernel_transfer(file, buf, len, pos, file->ops->write);
}

int64_t file_seek(struct file *file, int64_t offset, int whence)
{
    int64_t position;

    if (file->access & FILE_PATH)
        return -EBADF;
    if (whence < SEEK_SET || whence > SEEK_HOLE)
        return -EINVAL;
    if (file->ops->flags & FILE_OPS_NOPOS)
        return 0;
    if (file->ops->seek == NULL)
        return -ESPIPE;
    mutex_lock(&file->pos_lock);
    position = file->ops->seek(file, offset, whence);
    if (position >= 0)
        file->pos = (uint64_t)position;
    mutex_unlock(&file->pos_lock);
    return position;
}

int64_t file_seek_sized(struct file *file, int64_t offset, int whence, uint64_t size, uint64_t max)
{
    int64_t base = 0;

    switch (whence) {
    case SEEK_CUR:
        base = (int64_t)file->pos;
        break;
    case SEEK_END:
        base = (int64_t)size;
        break;
    case SEEK_DATA: /* all of the file is data */
    case SEEK_HOLE:
        if (offset < 0 || (uint64_t)offset >= size)
            return -ENXIO;
        return whence == SEEK_DATA ? offset : (int64_t)size;
    default:
        break;
    }
    if (__builtin_add_overflow(base, offset, &base))
        return -EOVERFLOW;
    if (base < 0 || (uint64_t)base > max)
        return -EINVAL;
    return base;
}

int file_set_flags(struct file *file, int number, unsigned flags)
{
    unsigned updated;

    if (file->ops->set_flags != NULL) {
        int error = file->ops->set_flags(file, flags);
        if (error != 0)
            return error;
    }
    if (((flags | file->flags) & O_ASYNC) && (file->ops->flags & FILE_OPS_ASYNC)) {
        int error = file_async_set(file, number, (flags & O_ASYNC) != 0);
        if (error != 0)
            return error;
    }
    updated = (file->flags & ~SETTABLE_FLAGS) | (flags & SETTABLE_FLAGS);
    WRITE_ONCE(file->flags, updated);
    return 0;
}

int file_limit_write(struct io *io, uint64_t max_bytes)
{
    uint64_t limit = file_size_limit();

    if (io->left == 0)
        return 0;
    if (io->pos >= limit) {
        file_signal(25 /* SIGXFSZ */);
        return -EFBIG;
    }
    limit = min(limit, max_bytes);
    if (io->pos >= limit)
        return -EFBIG;
    io->left = min_t(uint64_t, io->left, limit - io->pos);
    return 0;
}
