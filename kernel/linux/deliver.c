/* SPDX-License-Identifier: MIT
 *
 * Taking signals, on the way back to the program: default actions, handlers, and what becomes of
 * the interrupted system call (signal(7), 'Interruption of system calls and library functions').
 */
#include <arch/trap.h>
#include <core/sched.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/signal.h>

#include "abi64/numbers.h"
#include "posix_timer.h"
#include "signal_internal.h"

#define SVC_SIZE 4 /* bytes of the svc instruction */

static void repeat_call(struct trapframe *frame)
{
    frame->x[0] = frame->orig_x0;
    frame->pc -= SVC_SIZE;
}

/* Without a handler every restart code restarts. */
static void restart_plainly(struct trapframe *frame)
{
    switch (-(long)frame->x[0]) {
    case ERESTARTSYS:
    case ERESTARTNOHAND:
    case ERESTARTNOINTR:
        repeat_call(frame);
        break;
    case ERESTART_RESTARTBLOCK:
        repeat_call(frame);
        frame->x[8] = __NR_restart_syscall;
        break;
    }
}

/* Before a handler runs: the call ends in -EINTR unless it is to be repeated after it. */
static void restart_for_handler(struct trapframe *frame, const struct signal_action *action)
{
    switch (-(long)frame->x[0]) {
    case ERESTARTSYS:
        if (action->flags & SA_RESTART)
            repeat_call(frame);
        else
            frame->x[0] = (reg_t)-EINTR;
        break;
    case ERESTARTNOINTR:
        repeat_call(frame);
        break;
    case ERESTARTNOHAND:
    case ERESTART_RESTARTBLOCK:
        frame->x[0] = (reg_t)-EINTR;
        break;
    }
}

static void restart_once(struct trapframe *frame, const struct signal_action *action)
{
    if (frame->syscall == NO_SYSCALL)
        return;
    if (action)
        restart_for_handler(frame, action);
    else
        restart_plainly(frame);
    frame->syscall = NO_SYSCALL;
}

/* The default action of a signal that ends the process. */
static void die(struct trapframe *frame, const struct signal_info *info)
{
    bool dumps = signal_default_action(info->signo) == SIGNAL_DUMP;

    if (dumps)
        crash_report(frame, info);
    process_exit(info->signo);
}

/* SIGSTOP. The terminal's stop signals find an orphaned process group and are dropped, as on Linux.
 */
static void stop(struct process *process, int signo)
{
    struct task *task;
    reg_t flags;

    if (signo != SIGSTOP)
        return;
    flags = spin_lock_irq(&process->signal_lock);
    process->stopped = true;
    list_for_each_entry (task, &process->tasks, sibling)
        thread_set_work(&task->thread, WORK_SIGNAL);
    spin_unlock_irq(&process->signal_lock, flags);
}

static void act_by_default(struct trapframe *frame, const struct signal_info *info)
{
    switch (signal_default_action(info->signo)) {
    case SIGNAL_IGNORE:
    case SIGNAL_CONTINUE:
        break;
    case SIGNAL_STOP:
        stop(current_process(), info->signo);
        break;
    case SIGNAL_TERMINATE:
    case SIGNAL_DUMP:
        die(frame, info);
        break;
    }
}

/* The mask in force while the handler runs; the old one is already in the frame. */
static void enter_handler_mask(struct task *task, const struct signal_action *action, int signo)
{
    sigset_t mask = task->blocked | action->mask;

    if (!(action->flags & SA_NODEFER))
        mask |= sigset_of(signo);
    task->has_saved_mask = false;
    signal_set_mask(mask);
}

static void run_handler(struct trapframe *frame, struct task *task,
                        const struct signal_action *action, const struct signal_info *info)
{
    sigset_t mask = task->has_saved_mask ? task->saved_mask : task->blocked;

    restart_once(frame, action);
    if (abi64_sigframe_push(frame, action, info, mask)) {
        struct signal_info fault = {.signo = SIGSEGV, .code = SI_KERNEL};

        /* No stack to tell it on: SIGSEGV, which cannot be handled if it is the one that failed. */
        if (info->signo == SIGSEGV)
            die(frame, &fault);
        signal_force(&fault);
        return;
    }
    enter_handler_mask(task, action, info->signo);
}

/* Takes one signal and copies its action. 0 if there is none. */
static int take(struct task *task, struct signal_info *info, struct signal_action *action)
{
    struct process *process = task->process;
    reg_t flags = spin_lock_irq(&process->signal_lock);
    int signo = signal_dequeue_locked(task, ~task->blocked, info);

    if (signo) {
        struct signal_action *live = &process->actions[signo - 1];

        *action = *live;
        if ((live->flags & SA_RESETHAND) && live->handler > SIG_IGN)
            live->handler = SIG_DFL;
    }
    signal_recalculate_locked(task);
    spin_unlock_irq(&process->signal_lock, flags);
    if (signo && unlikely(info->code == SI_TIMER))
        posix_timer_delivered(process, info);
    return signo;
}

/* Ends or holds the task if its process does. */
static void obey_process(struct task *task)
{
    struct process *process = task->process;

    if (READ_ONCE(process->exiting) ||
        (READ_ONCE(process->exec_task) && process->exec_task != task))
        task_exit(0);
    if (READ_ONCE(process->stopped))
        wait_event(&process->stop_wait, !READ_ONCE(process->stopped) || READ_ONCE(process->exiting),
                   WAIT_FOREVER, WAIT_KILLABLE);
}

void signal_deliver(struct trapframe *frame)
{
    struct task *task = current_task();
    struct signal_info info;
    struct signal_action action;

    for (;;) {
        obey_process(task);
        if (!take(task, &info, &action))
            break;
        if (action.handler == SIG_IGN)
            continue;
        if (action.handler == SIG_DFL)
            act_by_default(frame, &info);
        else
            run_handler(frame, task, &action, &info);
        if (!thread_has_work(&task->thread, WORK_SIGNAL | WORK_KILL))
            break;
    }
    restart_once(frame, NULL);
    if (task->has_saved_mask) {
        task->has_saved_mask = false;
        signal_set_mask(task->saved_mask);
    }
}
