/* SPDX-License-Identifier: MIT
 *
 * Descriptors of processes (pidfd_open(2)): readable when the process has ended, and a way to
 * signal it that no reuse of its number can mislead.
 */
#include <core/wait.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/syscalls.h>

#include "files.h"
#include "sigcalls.h"

#define PIDFD_NONBLOCK O_NONBLOCK

static unsigned pidfd_poll(struct file *file, struct poll_waiter *waiter)
{
    struct process *process = file->data;

    poll_add(waiter, &process->exit_wait);
    return READ_ONCE(process->task_count) == 0 ? POLL_READABLE : 0;
}

static void pidfd_show(struct file *file, struct text_sink *sink)
{
    const struct process *process = file->data;

    sink->print(sink, "Pid:\t%d\nNSpid:\t%d\n", process->pid, process->pid);
}

static void pidfd_release(struct file *file)
{
    process_unref(file->data);
}

static const struct file_ops pidfd_ops = {
    .name = "anon_inode:[pidfd]",
    .mode = 0600,
    .flags = FILE_OPS_STREAM,
    .poll = pidfd_poll,
    .show = pidfd_show,
    .release = pidfd_release,
};

long sys_pidfd_open(const reg_t arg[6])
{
    int pid = (int)arg[0];
    unsigned flags = (unsigned)arg[1];
    struct process *process;
    struct file *file;

    if ((flags & ~PIDFD_NONBLOCK) || pid <= 0)
        return -EINVAL;
    process = process_find(pid);
    if (!process)
        return -ESRCH;
    file = file_create(&pidfd_ops, process, O_RDWR | flags);
    if (!file) {
        process_unref(process);
        return -ENOMEM;
    }
    return fd_publish(file, true);
}

static long send(struct process *process, int signo, vaddr_t siginfo)
{
    struct signal_info info;
    long error = 0;

    if (siginfo)
        error = sigcalls_get_info(siginfo, signo, process->pid, &info);
    else
        info = sigcalls_info_of_kill(signo, SI_USER);
    if (error)
        return error;
    if (!sigcalls_may_signal(process))
        return -EPERM;
    if (READ_ONCE(process->task_count) == 0)
        return -ESRCH;
    return signo ? signal_send_process(process, &info) : 0;
}

long sys_pidfd_send_signal(const reg_t arg[6])
{
    struct fd fd = fd_get(current_files(), (unsigned)arg[0]);
    int signo = (int)arg[1];
    long result = -EBADF;

    if (arg[3])
        result = -EINVAL;
    else if (fd.file && fd.file->ops == &pidfd_ops)
        result = signo < 0 || signo > SIGNALS ? -EINVAL : send(fd.file->data, signo, arg[2]);
    if (fd.file)
        fd_put(fd);
    return result;
}

long sys_pidfd_getfd(const reg_t arg[6])
{
    struct fd fd = fd_get(current_files(), (unsigned)arg[0]);
    struct process *process = fd.file && fd.file->ops == &pidfd_ops ? fd.file->data : NULL;
    struct file *file = NULL;
    long result = -EBADF;

    if (arg[2])
        result = -EINVAL;
    else if (process && process != current_process())
        result = -EPERM;
    else if (process)
        file = fd_get_file(current_files(), (unsigned)arg[1]);
    if (fd.file)
        fd_put(fd);
    return file ? fd_publish(file, true) : result;
}
