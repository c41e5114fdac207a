/* SPDX-License-Identifier: MIT */
/*
 * signalfd4: blocked signals read from a descriptor. A read takes the signals of whoever reads, so
 * a descriptor that fork or a socket passed on serves its new process. The wait queue is the
 * process's: every process that waited is held until the file is closed.
 */
#include <arch/uaccess.h>
#include <core/lock.h>
#include <core/wait.h>
#include <file/file.h>
#include <lib/errno.h>
#include <linux/signal.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "files.h"

struct abi64_signalfd_siginfo {
    uint32_t signo;
    int32_t error, code;
    uint32_t pid, uid;
    int32_t fd;
    uint32_t timer_id, band, overrun, trap_number;
    int32_t status, value_int;
    uint64_t value_ptr, utime, stime, addr;
    uint16_t addr_lsb, pad2;
    int32_t syscall;
    uint64_t call_addr;
    uint32_t arch;
    uint8_t pad[28];
};
_Static_assert(sizeof(struct abi64_signalfd_siginfo) == 128, "struct signalfd_siginfo");

struct watcher {
    struct watcher *next;
    struct process *process;
};

struct signalfd {
    struct spinlock lock;
    sigset_t mask;            /* one word, read without the lock */
    struct watcher *watchers; /* under lock */
};

static const struct file_ops signalfd_ops;

/* Hold the running process while the file lives; its queue is going to be waited on. 0 or -ENOMEM.
 */
static int hold_process(struct signalfd *sfd)
{
    struct process *process = current_process();
    struct watcher *watcher, *made = kmalloc(sizeof(*made));

    if (made == NULL)
        return -ENOMEM;
    made->process = process;
    spin_lock(&sfd->lock);
    for (watcher = sfd->watchers; watcher != NULL && watcher->process != process;)
        watcher = watcher->next;
    if (watcher == NULL) {
        process_ref(process);
        made->next = sfd->watchers;
        sfd->watchers = made;
    }
    spin_unlock(&sfd->lock);
    if (watcher != NULL)
        kfree(made);
    return 0;
}

static void fill(struct abi64_signalfd_siginfo *to, const struct signal_info *from)
{
    *to = (struct abi64_signalfd_siginfo){
        .signo = (uint32_t)from->signo,
        .error = from->error,
        .code = from->code,
    };
    switch (signal_info_kind(from)) {
    case SIGNAL_INFO_TIMER:
        to->timer_id = (uint32_t)from->timer_id;
        to->overrun = (uint32_t)from->overrun;
        to->value_int = (int32_t)from->value;
        to->value_ptr = from->value;
        break;
    case SIGNAL_INFO_IO:
        to->fd = from->fd;
        to->band = (uint32_t)from->band;
        break;
    case SIGNAL_INFO_FAULT:
        to->addr = from->addr;
        break;
    case SIGNAL_INFO_CHILD:
        to->status = from->status;
        to->pid = (uint32_t)from->pid;
        to->uid = from->uid;
        break;
    default:
        to->pid = (uint32_t)from->pid;
        to->uid = from->uid;
        to->value_int = (int32_t)from->value;
        to->value_ptr = from->value;
        break;
    }
}

/* One record into the request: 1, 0 if no signal waits, -EFAULT. */
static int read_one(struct signalfd *sfd, struct io *io)
{
    struct abi64_signalfd_siginfo record;
    struct signal_info info = {0};

    if (signal_take(sfd->mask, &info) == 0)
        return 0;
    fill(&record, &info);
    return io_put(io, &record, sizeof(record)) == 0 ? 1 : -EFAULT;
}

static ssize_t signalfd_read(struct file *file, struct io *io)
{
    struct signalfd *sfd = file->data;
    ssize_t done = 0;

    if (io_left(io) < sizeof(struct abi64_signalfd_siginfo))
        return -EINVAL;
    while (io_left(io) >= sizeof(struct abi64_signalfd_siginfo)) {
        int result = read_one(sfd, io);

        if (result < 0)
            return done != 0 ? done : result;
        if (result > 0) {
            done += (ssize_t)sizeof(struct abi64_signalfd_siginfo);
            continue;
        }
        if (done != 0)
            break;
        if (io->flags & IO_NOWAIT)
            return -EAGAIN;
        result = wait_event(signal_waitq(current_process()), signal_pending_set() & sfd->mask,
                            WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (result != 0)
            return result;
    }
    return done;
}

static unsigned signalfd_poll(struct file *file, struct poll_waiter *pw)
{
    struct signalfd *sfd = file->data;

    if (pw != NULL && hold_process(sfd) == 0)
        poll_add(pw, signal_waitq(current_process()));
    return signal_pending_set() & sfd->mask ? POLLIN : 0;
}

static void signalfd_show(struct file *file, struct text_sink *sink)
{
    struct signalfd *sfd = file->data;

    sink->print(sink, "sigmask:\t%016llx\n", (unsigned long long)sfd->mask);
}

static void signalfd_release(struct file *file)
{
    struct signalfd *sfd = file->data;

    while (sfd->watchers != NULL) {
        struct watcher *watcher = sfd->watchers;

        sfd->watchers = watcher->next;
        process_unref(watcher->process);
        kfree(watcher);
    }
    kfree(sfd);
}

static const struct file_ops signalfd_ops = {
    .name = "anon_inode:[signalfd]",
    .mode = 0600,
    .flags = FILE_OPS_STREAM,
    .read = signalfd_read,
    .poll = signalfd_poll,
    .show = signalfd_show,
    .release = signalfd_release,
};

static long create(sigset_t mask, unsigned flags)
{
    struct signalfd *sfd = kzalloc(sizeof(*sfd));
    struct file *file;

    if (sfd == NULL)
        return -ENOMEM;
    spin_init(&sfd->lock, RANK_EVENT);
    sfd->mask = mask;
    file = file_create(&signalfd_ops, sfd, O_RDWR | (flags & O_NONBLOCK));
    if (file == NULL) {
        kfree(sfd);
        return -ENOMEM;
    }
    return fd_publish(file, (flags & O_CLOEXEC) != 0);
}

static long change(unsigned fd, sigset_t mask)
{
    struct fd found = fd_get(current_files(), fd);
    long result = -EINVAL;

    if (found.file == NULL)
        return -EBADF;
    if (found.file->ops == &signalfd_ops) {
        WRITE_ONCE(((struct signalfd *)found.file->data)->mask, mask);
        waitq_wake_all(signal_waitq(current_process()));
        result = (long)fd;
    }
    fd_put(found);
    return result;
}

static long do_signalfd4(int fd, vaddr_t user_mask, size_t size, unsigned flags)
{
    sigset_t mask;

    if (flags & ~(O_CLOEXEC | O_NONBLOCK) || size != sizeof(mask))
        return -EINVAL;
    if (copy_from_user(&mask, user_mask, sizeof(mask)) != 0)
        return -EFAULT;
    mask &= ~(sigset_of(SIGKILL) | sigset_of(SIGSTOP));
    return fd == -1 ? create(mask, flags) : change((unsigned)fd, mask);
}

long sys_signalfd4(const reg_t arg[6])
{
    return do_signalfd4((int)arg[0], arg[1], arg[2], (unsigned)arg[3]);
}
