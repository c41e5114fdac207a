/* SPDX-License-Identifier: MIT
 *
 * The end of threads and processes. Whatever ends a process marks it; each task sees the mark on
 * its way to the program (signal_deliver) and ends itself, so that nothing is torn from under a
 * call.
 */
#include <arch/uaccess.h>
#include <core/thread.h>
#include <core/wait.h>
#include <file/fdtable.h>
#include <file/poll.h>
#include <fs/context.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/syscalls.h>

#include "process_internal.h"
#include "signal_internal.h"

/* Takes the task off its process; says whether it was the last. */
static bool leave_process(struct task *task)
{
    struct process *process = task->process;
    reg_t flags = spin_lock_irq(&process->lock);
    reg_t inner = spin_lock_irq(&process->signal_lock);
    uint64_t user, kernel;
    bool last;

    thread_cpu_time(&task->thread, &user, &kernel);
    process->dead_utime_ns += user;
    process->dead_stime_ns += kernel;
    task->thread.vmspace = NULL; /* an execve() that waits for this one frees it next */
    signal_pending_flush_locked(process, &task->pending, ~(sigset_t)0);
    list_del(&task->sibling);
    last = --process->task_count == 0;
    spin_unlock_irq(&process->signal_lock, inner);
    spin_unlock_irq(&process->lock, flags);
    waitq_wake_all(&process->exec_wait);
    return last;
}

static void drop_files(struct task *task)
{
    struct fd_table *files = task->files;
    struct fs_context *fs = task->fs;
    reg_t flags = spin_lock_irq(&task->process->lock); /* others look at them under it */

    task->files = NULL;
    task->fs = &fs_init_context;
    spin_unlock_irq(&task->process->lock, flags);
    fd_table_unref(files);
    fs_context_unref(fs);
}

_Noreturn void task_exit(int code)
{
    struct task *task = current_task();
    struct process *process = task->process;
    bool last;

    futex_exit(task);
    drop_files(task);
    last = leave_process(task);
    task_forget_number(task);
    if (last) {
        waitq_wake(&process->exit_wait, UINT32_MAX, POLLIN);
        if (!process->exiting)
            process->exit_status = (code & 0xff) << 8;
        timers_exit(process);
        if (process->pid == 1)
            guest_end(process->exit_status);
    }
    thread_exit();
}

_Noreturn void process_exit(int wait_status)
{
    struct process *process = current_process();
    reg_t flags = spin_lock_irq(&process->signal_lock);

    signal_begin_exit_locked(process, wait_status);
    spin_unlock_irq(&process->signal_lock, flags);
    task_exit(0);
}

/* For exec: claims the process, so that only one task does, and waits for the others to end. */
int process_kill_others(void)
{
    struct task *self = current_task(), *task;
    struct process *process = self->process;
    reg_t flags;
    int error = 0;

    if (READ_ONCE(process->task_count) == 1 && self->tid == process->pid)
        return 0;
    flags = spin_lock_irq(&process->signal_lock);
    if (process->exec_task || process->exiting)
        error = -EAGAIN;
    else
        process->exec_task = self;
    list_for_each_entry (task, &process->tasks, sibling) {
        if (!error && task != self)
            thread_set_work(&task->thread, WORK_SIGNAL | WORK_KILL);
    }
    spin_unlock_irq(&process->signal_lock, flags);
    if (error)
        return error;
    wait_event(&process->exec_wait, READ_ONCE(process->task_count) == 1, WAIT_FOREVER,
               WAIT_UNINTERRUPTIBLE);
    if (self->tid != process->pid)
        task_take_pid(self);
    WRITE_ONCE(process->exec_task, NULL);
    return 0;
}

long sys_exit(const reg_t arg[6])
{
    task_exit((int)arg[0]);
}

long sys_exit_group(const reg_t arg[6])
{
    process_exit(((int)arg[0] & 0xff) << 8);
}

#define WAIT4_OPTIONS (1u | 2u | 8u | 0x20000000u | 0x40000000u | 0x80000000u)

/* There are no child processes yet. */
long sys_wait4(const reg_t arg[6])
{
    if ((unsigned)arg[2] & ~WAIT4_OPTIONS)
        return -EINVAL;
    return -ECHILD;
}

long sys_waitid(const reg_t arg[6])
{
    if (arg[0] > 3 || !(arg[3] & 0xe) || (arg[3] & ~0xe100000ful & 0xffffffffu))
        return -EINVAL;
    return -ECHILD;
}
