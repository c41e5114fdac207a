/* SPDX-License-Identifier: MIT */
/*
 * Pipes and FIFOs (pipe(7), fifo(7)): a ring of pages.
 *
 * Bytes are never copied from or to a program under the lock. A writer copies into a buffer of its
 * own first and then appends it under the lock, which also makes writes of up to a page atomic. A
 * reader marks the front as taken (`is_taken`), copies out of it, and consumes what it copied;
 * other readers wait for the mark to go.
 */
#include <arch/barrier.h>
#include <arch/uaccess.h>
#include <core/panic.h>
#include <core/wait.h>
#include <file/pipe.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/page.h>
#include <mm/slab.h>

#define SIGPIPE     13
#define FIONREAD    0x541bu
#define SMALL_WRITE 256u /* goes through the stack instead of a page of its own */

struct pipe_buffer {
    struct page *page;
    unsigned offset, length;
    bool is_packet;
};

struct pipe {
    struct spinlock lock; /* guards all but the wait queues */
    struct pipe_buffer *ring;
    unsigned slots;      /* a power of two */
    unsigned head, tail; /* free-running: writers add at head, readers take at tail */
    bool is_taken;       /* a reader copies out of the buffers from tail on */
    bool was_full;       /* before that reader emptied a buffer: there may be who waits for room */
    struct page *spare;  /* of the last emptied buffer */
    unsigned readers, writers;
    unsigned reader_opens, writer_opens; /* ever, for FIFO opens and hang-ups */
    unsigned files;
    struct pipe **fifo; /* where fs keeps it; under fifo_lock */
    struct waitq readable, writable;
};

static const struct file_ops pipe_ops, fifo_ops;

/* Guards every FIFO's slot. */
static struct mutex fifo_lock = MUTEX_INIT(RANK_FILE);

/* ---- the ring, under the lock ---- */

static inline bool is_empty(const struct pipe *pipe)
{
    return pipe->head == pipe->tail;
}

static inline bool is_full(const struct pipe *pipe)
{
    return pipe->head - pipe->tail >= pipe->slots;
}

static inline struct pipe_buffer *buffer_at(struct pipe *pipe, unsigned index)
{
    return &pipe->ring[index & (pipe->slots - 1)];
}

static void drop_page_locked(struct pipe *pipe, struct page *page)
{
    if (pipe->spare == NULL)
        pipe->spare = page;
    else
        page_free(page, 0);
}

/* The buffer that n more bytes can be appended to, or NULL. */
static struct pipe_buffer *mergeable_locked(struct pipe *pipe, size_t n)
{
    struct pipe_buffer *last;

    if (is_empty(pipe))
        return NULL;
    last = buffer_at(pipe, pipe->head - 1);
    return !last->is_packet && last->offset + last->length + n <= PAGE_SIZE ? last : NULL;
}

/*
 * Append n bytes: to the last buffer if they fit, else as a new one, which takes over *page if
 * there is one. 0, -EAGAIN (full), -ENOMEM.
 */
static int append_locked(struct pipe *pipe, const void *data, size_t n, struct page **page,
                         bool is_packet)
{
    struct pipe_buffer *buffer = is_packet ? NULL : mergeable_locked(pipe, n);

    if (buffer != NULL) {
        memcpy((char *)page_virt(buffer->page) + buffer->offset + buffer->length, data, n);
        buffer->length += (unsigned)n;
        return 0;
    }
    if (is_full(pipe))
        return -EAGAIN;
    buffer = buffer_at(pipe, pipe->head);
    if (*page != NULL) {
        buffer->page = *page;
        *page = NULL;
    } else {
        buffer->page = pipe->spare != NULL ? pipe->spare : page_alloc(0, PAGE_ATOMIC);
        pipe->spare = NULL;
        if (buffer->page == NULL)
            return -ENOMEM;
        memcpy(page_virt(buffer->page), data, n);
    }
    buffer->offset = 0;
    buffer->length = (unsigned)n;
    buffer->is_packet = is_packet;
    pipe->head++;
    return 0;
}

/* ---- reading ---- */

/* Takes bytes out of the pipe: those taken, or -errno if none. */
typedef ssize_t take_fn(void *arg, const void *data, size_t n);

static bool can_read(struct pipe *pipe)
{
    bool ready;

    spin_lock(&pipe->lock);
    ready = is_empty(pipe) ? pipe->writers == 0 : !pipe->is_taken;
    spin_unlock(&pipe->lock);
    return ready;
}

/* Account for `taken` bytes of the first buffer; the rest of a packet is lost. */
static void consume_locked(struct pipe *pipe, size_t taken)
{
    struct pipe_buffer *buffer = buffer_at(pipe, pipe->tail);

    buffer->offset += (unsigned)taken;
    buffer->length -= (unsigned)taken;
    if (buffer->length != 0 && !buffer->is_packet)
        return;
    drop_page_locked(pipe, buffer->page);
    pipe->was_full |= is_full(pipe); /* writers go on while a reader copies */
    pipe->tail++;
}

/*
 * Hand what is there to `take`, up to len bytes. The lock is dropped around each call of it; the
 * mark keeps the buffers in place. Bytes, or -errno of the first call.
 */
static ssize_t take_locked(struct pipe *pipe, size_t len, take_fn *take, void *arg, bool consume)
{
    unsigned index = pipe->tail;
    ssize_t done = 0;

    pipe->is_taken = true;
    while ((size_t)done < len && index != pipe->head) {
        struct pipe_buffer *buffer = buffer_at(pipe, index);
        const void *data = (char *)page_virt(buffer->page) + buffer->offset;
        size_t n = min_t(size_t, buffer->length, len - (size_t)done);
        bool is_packet = buffer->is_packet;
        ssize_t taken;

        spin_unlock(&pipe->lock);
        taken = take(arg, data, n);
        spin_lock(&pipe->lock);
        if (taken < 0) {
            if (done == 0)
                done = taken;
            break;
        }
        done += taken;
        if (consume && taken != 0)
            consume_locked(pipe, (size_t)taken);
        if ((size_t)taken < n || is_packet)
            break;
        /* A partly read buffer that grew meanwhile is the next one again. */
        index = consume ? pipe->tail : index + 1;
    }
    pipe->is_taken = false;
    return done;
}

/* Sleep until can_read(). A reader that leaves with a signal passes its wake on. */
static int wait_readable(struct pipe *pipe)
{
    int error =
        wait_event_exclusive(&pipe->readable, can_read(pipe), WAIT_FOREVER, WAIT_INTERRUPTIBLE);

    if (error != 0 && can_read(pipe))
        waitq_wake(&pipe->readable, 1, POLL_READABLE | POLL_QUIET);
    return error;
}

/* Take at least one byte, waiting for it unless `nowait`. 0 at the end: no bytes and no writer. */
static ssize_t pipe_take(struct pipe *pipe, size_t len, take_fn *take, void *arg, bool consume,
                         bool nowait)
{
    bool wake_reader, wake_writer;
    ssize_t result;

    for (;;) {
        spin_lock(&pipe->lock);
        if (is_empty(pipe) ? pipe->writers == 0 : !pipe->is_taken)
            break;
        spin_unlock(&pipe->lock);
        if (nowait)
            return -EAGAIN;
        result = wait_readable(pipe);
        if (result != 0)
            return result;
    }
    pipe->was_full = false;
    result = take_locked(pipe, len, take, arg, consume);
    wake_writer = pipe->was_full && !is_full(pipe);
    wake_reader = !is_empty(pipe) || pipe->writers == 0;
    spin_unlock(&pipe->lock);
    smp_mb(); /* pairs with the one of a waiter between queueing and testing */
    if (wake_writer && waitq_active(&pipe->writable))
        waitq_wake(&pipe->writable, 1, POLL_WRITABLE);
    if (wake_reader && waitq_active(&pipe->readable))
        waitq_wake(&pipe->readable, 1, POLL_READABLE | POLL_QUIET);
    return result;
}

static ssize_t take_to_io(void *arg, const void *data, size_t n)
{
    return io_copy_to(arg, data, n);
}

static ssize_t pipe_read(struct file *file, struct io *io)
{
    if (io_left(io) == 0)
        return 0;
    return pipe_take(file->data, io_left(io), take_to_io, io, true, (io->flags & IO_NOWAIT) != 0);
}

/* ---- writing ---- */

static bool can_write(struct pipe *pipe, size_t n, bool is_packet)
{
    bool ready;

    spin_lock(&pipe->lock);
    ready =
        pipe->readers == 0 || !is_full(pipe) || (!is_packet && mergeable_locked(pipe, n) != NULL);
    spin_unlock(&pipe->lock);
    return ready;
}

static int wait_writable(struct pipe *pipe, size_t n, bool is_packet)
{
    int error = wait_event_exclusive(&pipe->writable, can_write(pipe, n, is_packet), WAIT_FOREVER,
                                     WAIT_INTERRUPTIBLE);

    if (error != 0)
        waitq_wake(&pipe->writable, 1, POLL_WRITABLE | POLL_QUIET);
    return error;
}

/* Append n bytes as one piece, waiting for room. 0, -EAGAIN, -EPIPE, -ENOMEM, -ERESTARTSYS. */
static int append(struct pipe *pipe, const void *data, size_t n, struct page **page, bool is_packet,
                  bool nowait)
{
    for (;;) {
        bool has_room;
        int error;

        spin_lock(&pipe->lock);
        error = pipe->readers == 0 ? -EPIPE : append_locked(pipe, data, n, page, is_packet);
        has_room = !is_full(pipe);
        spin_unlock(&pipe->lock);
        if (error == 0) {
            smp_mb(); /* as in pipe_take() */
            if (waitq_active(&pipe->readable))
                waitq_wake(&pipe->readable, 1, POLL_READABLE);
            if (has_room && waitq_active(&pipe->writable))
                waitq_wake(&pipe->writable, 1, POLL_WRITABLE | POLL_QUIET);
        }
        if (error != -EAGAIN || nowait)
            return error;
        error = wait_writable(pipe, n, is_packet);
        if (error != 0)
            return error;
    }
}

/*
 * One piece of up to a page: into the kernel first, then into the ring. Bytes, or an error with the
 * request where it was.
 */
static ssize_t write_piece(struct pipe *pipe, struct io *io, bool is_packet)
{
    size_t n = min(io_left(io), (size_t)PAGE_SIZE);
    char small[SMALL_WRITE];
    struct page *page = NULL;
    char *buffer = small;
    ssize_t copied;
    int error;

    if (n > sizeof(small)) {
        page = page_alloc(0, 0);
        if (page == NULL)
            return -ENOMEM;
        buffer = page_virt(page);
    }
    copied = io_copy_from(io, buffer, n);
    if (copied == (ssize_t)n) {
        error = append(pipe, buffer, n, &page, is_packet, (io->flags & IO_NOWAIT) != 0);
    } else { /* what was read of a piece that ends in a fault is not written, as on Linux */
        error = READ_ONCE(pipe->readers) == 0 ? -EPIPE : -EFAULT;
    }
    if (page != NULL)
        page_free(page, 0);
    if (error == 0)
        return copied;
    if (copied > 0)
        io_rewind(io, (size_t)copied);
    return error;
}

static ssize_t pipe_write(struct file *file, struct io *io)
{
    bool is_packet = (READ_ONCE(file->flags) & O_DIRECT) != 0;
    ssize_t done = 0;

    while (io_left(io) != 0) {
        ssize_t n = write_piece(file->data, io, is_packet);

        if (n < 0) {
            if (n == -EPIPE && !(io->flags & IO_NOSIG))
                file_signal(SIGPIPE);
            return done != 0 ? done : n;
        }
        done += n;
    }
    return done;
}

/* ---- the rest of the operations ---- */

static unsigned pipe_poll(struct file *file, struct poll_waiter *pw)
{
    struct pipe *pipe = file->data;
    unsigned events = 0;

    if (file->access & FILE_READ)
        poll_add(pw, &pipe->readable);
    if (file->access & FILE_WRITE)
        poll_add(pw, &pipe->writable);
    spin_lock(&pipe->lock);
    if (file->access & FILE_READ) {
        if (!is_empty(pipe))
            events |= POLL_READABLE;
        /* Not before the first writer of a FIFO that was opened without one. */
        if (pipe->writers == 0 && file->pos != pipe->writer_opens)
            events |= POLLHUP;
    }
    if (file->access & FILE_WRITE) {
        if (!is_full(pipe))
            events |= POLL_WRITABLE;
        if (pipe->readers == 0)
            events |= POLLERR;
    }
    spin_unlock(&pipe->lock);
    return events;
}

static __cold long pipe_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    struct pipe *pipe = file->data;
    uint32_t bytes = 0;

    if (cmd != FIONREAD)
        return -ENOTTY;
    spin_lock(&pipe->lock);
    for (unsigned i = pipe->tail; i != pipe->head; i++)
        bytes += buffer_at(pipe, i)->length;
    spin_unlock(&pipe->lock);
    return put_user32(arg, bytes);
}

static void pipe_free(struct pipe *pipe)
{
    for (unsigned i = pipe->tail; i != pipe->head; i++)
        page_free(buffer_at(pipe, i)->page, 0);
    if (pipe->spare != NULL)
        page_free(pipe->spare, 0);
    kfree(pipe->ring);
    kfree(pipe);
}

/* One end less; true if it was the last file. The pipe may be gone as soon as this file no longer
 * counts, so the others are told before. */
static bool leave(struct pipe *pipe, unsigned access)
{
    bool is_last;

    spin_lock(&pipe->lock);
    if (access & FILE_READ)
        pipe->readers--;
    if (access & FILE_WRITE)
        pipe->writers--;
    spin_unlock(&pipe->lock);
    waitq_wake(&pipe->readable, UINT32_MAX, POLL_READABLE | POLLHUP);
    waitq_wake(&pipe->writable, UINT32_MAX, POLL_WRITABLE | POLLERR);
    spin_lock(&pipe->lock);
    is_last = --pipe->files == 0;
    spin_unlock(&pipe->lock);
    return is_last;
}

static void pipe_release(struct file *file)
{
    if (leave(file->data, file->access))
        pipe_free(file->data);
}

static struct pipe *pipe_alloc(void)
{
    struct pipe *pipe = kzalloc(sizeof(*pipe));

    if (pipe == NULL)
        return NULL;
    pipe->slots = PIPE_SIZE_DEFAULT / PAGE_SIZE;
    pipe->ring = kmalloc_array(pipe->slots, sizeof(*pipe->ring));
    if (pipe->ring == NULL) {
        kfree(pipe);
        return NULL;
    }
    spin_init(&pipe->lock, RANK_EVENT);
    waitq_init(&pipe->readable);
    waitq_init(&pipe->writable);
    return pipe;
}

/* What an opener saw of the other side in the moment it joined. */
struct fifo_view {
    bool has_reader, has_writer;
    unsigned reader_opens, writer_opens;
};

static void join_locked(struct pipe *pipe, unsigned access, struct fifo_view *view)
{
    *view = (struct fifo_view){pipe->readers != 0, pipe->writers != 0, pipe->reader_opens,
                               pipe->writer_opens};
    pipe->files++;
    if (access & FILE_READ) {
        pipe->readers++;
        pipe->reader_opens++;
    }
    if (access & FILE_WRITE) {
        pipe->writers++;
        pipe->writer_opens++;
    }
}

/* Through /proc/N/fd: an end of its own, with the access asked for. Ends that exist are not waited
 * for. */
static __cold int pipe_reopen(struct file *file, unsigned flags, struct file **out)
{
    struct pipe *pipe = file->data;
    struct file *end = file_create(&pipe_ops, pipe, flags & (O_ACCMODE | O_NONBLOCK | O_DIRECT));
    struct fifo_view view;

    if (end == NULL)
        return -ENOMEM;
    end->id = file->id;
    spin_lock(&pipe->lock);
    join_locked(pipe, end->access, &view);
    spin_unlock(&pipe->lock);
    *out = end;
    return 0;
}

int pipe_create(struct file *ends[2], unsigned flags)
{
    struct pipe *pipe = pipe_alloc();

    if (pipe == NULL)
        return -ENOMEM;
    ends[0] = file_create(&pipe_ops, pipe, O_RDONLY | (flags & (O_NONBLOCK | O_DIRECT)));
    if (ends[0] == NULL)
        goto free_pipe;
    ends[1] = file_create(&pipe_ops, pipe, O_WRONLY | (flags & (O_NONBLOCK | O_DIRECT)));
    if (ends[1] == NULL)
        goto free_end;
    ends[1]->id = ends[0]->id;
    pipe->files = 2;
    pipe->readers = pipe->reader_opens = 1;
    pipe->writers = pipe->writer_opens = 1;
    return 0;

free_end:
    pipe->files = pipe->readers = 1; /* its release frees the pipe */
    file_unref(ends[0]);
    return -ENOMEM;
free_pipe:
    pipe_free(pipe);
    return -ENOMEM;
}

/* ---- FIFOs ---- */

static void fifo_release(struct file *file)
{
    struct pipe *pipe = file->data;
    bool is_last;

    mutex_lock(&fifo_lock);
    is_last = leave(pipe, file->access);
    if (is_last)
        *pipe->fifo = NULL;
    mutex_unlock(&fifo_lock);
    if (is_last)
        pipe_free(pipe);
}

/* Join the FIFO's pipe, made if nobody has it open. */
static struct pipe *fifo_join(struct pipe **slot, struct file *file, struct fifo_view *view)
{
    struct pipe *pipe;

    mutex_lock(&fifo_lock);
    pipe = *slot;
    if (pipe == NULL) {
        pipe = pipe_alloc();
        *slot = pipe;
        if (pipe != NULL)
            pipe->fifo = slot;
    }
    if (pipe != NULL) {
        spin_lock(&pipe->lock);
        join_locked(pipe, file->access, view);
        spin_unlock(&pipe->lock);
    }
    mutex_unlock(&fifo_lock);
    return pipe;
}

/* Wait for the other side to have been opened since; it may be gone again. */
static int fifo_wait_peer(struct pipe *pipe, struct file *file, const struct fifo_view *view)
{
    bool nowait = (file->flags & O_NONBLOCK) != 0;

    if (file->access == FILE_READ && !view->has_writer) {
        if (!nowait)
            return wait_event(&pipe->readable, READ_ONCE(pipe->writer_opens) != view->writer_opens,
                              WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        file->pos = view->writer_opens; /* no hang-up before the first writer; see pipe_poll() */
    }
    if (file->access == FILE_WRITE && !view->has_reader) {
        if (nowait)
            return -ENXIO;
        return wait_event(&pipe->writable, READ_ONCE(pipe->reader_opens) != view->reader_opens,
                          WAIT_FOREVER, WAIT_INTERRUPTIBLE);
    }
    return 0;
}

__cold int fifo_open(struct pipe **slot, struct file *file)
{
    const struct file_ops *old_ops = file->ops;
    struct fifo_view view;
    struct pipe *pipe = fifo_join(slot, file, &view);
    int error;

    if (pipe == NULL)
        return -ENOMEM;
    file->data = pipe;
    file->ops = &fifo_ops;
    waitq_wake(&pipe->readable, UINT32_MAX, 0);
    waitq_wake(&pipe->writable, UINT32_MAX, 0);
    error = fifo_wait_peer(pipe, file, &view);
    if (error != 0) {
        fifo_release(file);
        file->ops = old_ops;
        file->data = NULL;
    }
    return error;
}

/* ---- what fcntl and splice need ---- */

struct pipe *pipe_of(struct file *file)
{
    return file->ops == &pipe_ops || file->ops == &fifo_ops ? file->data : NULL;
}

int pipe_size(struct pipe *pipe)
{
    return (int)(READ_ONCE(pipe->slots) * PAGE_SIZE);
}

__cold int pipe_set_size(struct pipe *pipe, size_t size, bool privileged)
{
    struct pipe_buffer *ring, *old;
    unsigned slots = 1, used;

    if (size > (1u << 31))
        return -EINVAL;
    while (slots * PAGE_SIZE < size)
        slots *= 2;
    if (slots * PAGE_SIZE > PIPE_SIZE_MAX && slots > pipe->slots && !privileged)
        return -EPERM;
    ring = kmalloc_array(slots, sizeof(*ring));
    if (ring == NULL)
        return -ENOMEM;
    spin_lock(&pipe->lock);
    used = pipe->head - pipe->tail;
    if (used > slots) {
        spin_unlock(&pipe->lock);
        kfree(ring);
        return -EBUSY;
    }
    for (unsigned i = 0; i < used; i++)
        ring[(pipe->tail + i) & (slots - 1)] = *buffer_at(pipe, pipe->tail + i);
    old = pipe->ring;
    pipe->ring = ring;
    pipe->slots = slots;
    spin_unlock(&pipe->lock);
    kfree(old);
    waitq_wake(&pipe->writable, UINT32_MAX, POLL_WRITABLE);
    return (int)(slots * PAGE_SIZE);
}

struct file_sink {
    struct file *out;
    uint64_t *pos; /* NULL: the file's own */
    unsigned flags;
};

static ssize_t take_to_file(void *arg, const void *data, size_t n)
{
    struct file_sink *to = arg;
    struct io io;
    ssize_t moved;

    io_init_kernel(&io, data, n, to->pos != NULL ? *to->pos : 0, to->flags);
    moved = to->pos != NULL ? file_write_at(to->out, &io) : file_write(to->out, &io);
    if (moved > 0 && to->pos != NULL)
        *to->pos = io.pos;
    return moved;
}

ssize_t pipe_splice_out(struct file *in, struct file *out, uint64_t *pos, size_t len, bool nowait)
{
    struct file_sink to = {out, pos, nowait ? IO_NOWAIT : 0};

    return pipe_take(in->data, len, take_to_file, &to, true,
                     nowait || (in->flags & O_NONBLOCK) != 0);
}

__cold ssize_t pipe_tee(struct file *in, struct file *out, size_t len, bool nowait)
{
    /* What fits now: a blocking write could wait for the very bytes that we hold. */
    struct file_sink to = {out, NULL, IO_NOWAIT};
    bool out_nowait = nowait || (out->flags & O_NONBLOCK) != 0;
    ssize_t result;

    for (;;) {
        result = pipe_take(in->data, len, take_to_file, &to, false,
                           nowait || (in->flags & O_NONBLOCK) != 0);
        if (result != -EAGAIN || out_nowait || is_empty(in->data))
            return result;
        result = wait_writable(out->data, PAGE_SIZE, true);
        if (result != 0)
            return result;
    }
}

static const struct file_ops pipe_ops = {
    .name = "pipe",
    .mode = S_IFIFO | 0600,
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .reopen = pipe_reopen,
    .release = pipe_release,
};

static const struct file_ops fifo_ops = {
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = pipe_read,
    .write = pipe_write,
    .ioctl = pipe_ioctl,
    .poll = pipe_poll,
    .release = fifo_release,
};
