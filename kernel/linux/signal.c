/* SPDX-License-Identifier: MIT
 *
 * Sending signals and keeping them until they are taken (signal(7)). Taking them is in deliver.c.
 */
#include <arch/barrier.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <core/wait.h>
#include <file/file.h>
#include <file/poll.h>
#include <fs/cred.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/signal.h>
#include <mm/slab.h>

#include "posix_timer.h"
#include "signal_internal.h"

SLAB_CACHE(entry_cache, struct signal_entry);

#define NSIGPOLL 6 /* si_code of what happens to files, 1 and on */

/* A queue shorter than this is kept whatever RLIMIT_SIGPENDING says about standard signals. */
#define STANDARD_SIGNALS 31

enum signal_default signal_default_action(int signo)
{
    switch (signo) {
    case SIGQUIT:
    case SIGILL:
    case SIGTRAP:
    case SIGABRT:
    case SIGBUS:
    case SIGFPE:
    case SIGSEGV:
    case SIGXCPU:
    case SIGXFSZ:
    case SIGSYS:
        return SIGNAL_DUMP;
    case SIGCHLD:
    case SIGURG:
    case SIGWINCH:
        return SIGNAL_IGNORE;
    case SIGCONT:
        return SIGNAL_CONTINUE;
    case SIGSTOP:
    case SIGTSTP:
    case SIGTTIN:
    case SIGTTOU:
        return SIGNAL_STOP;
    default:
        return SIGNAL_TERMINATE;
    }
}

void signal_pending_init(struct signal_pending *pending)
{
    pending->set = 0;
    pending->single.signo = 0;
    list_init(&pending->queue);
}

static void entry_free(struct process *process, struct signal_entry *entry)
{
    list_del(&entry->node);
    process->queued_count--;
    slab_free(&entry_cache, entry);
}

void signal_pending_flush_locked(struct process *process, struct signal_pending *pending,
                                 sigset_t set)
{
    struct signal_entry *entry, *next;

    if (!(pending->set & set))
        return;
    pending->set &= ~set;
    if (pending->single.signo && (sigset_of(pending->single.signo) & set))
        pending->single.signo = 0;
    list_for_each_entry_safe (entry, next, &pending->queue, node) {
        if (sigset_of(entry->info.signo) & set)
            entry_free(process, entry);
    }
}

bool signal_handler_ignores(const struct process *process, int signo)
{
    vaddr_t handler = process->actions[signo - 1].handler;
    enum signal_default action = signal_default_action(signo);

    if (handler == SIG_IGN)
        return true;
    return handler == SIG_DFL && (action == SIGNAL_IGNORE || action == SIGNAL_CONTINUE);
}

void signal_recalculate_locked(struct task *task)
{
    struct process *process = task->process;
    sigset_t ready = (task->pending.set | process->pending.set) & ~task->blocked;

    if (ready || process->exiting || process->stopped || process->exec_task)
        thread_set_work(&task->thread, WORK_SIGNAL);
    else
        thread_clear_work(&task->thread, WORK_SIGNAL);
}

/* Process exit from any context: every task is told; the first to end prints and powers off. */
void signal_begin_exit_locked(struct process *process, int wait_status)
{
    struct task *task;

    if (process->exiting)
        return;
    process->exiting = true;
    process->exit_status = wait_status;
    list_for_each_entry (task, &process->tasks, sibling)
        thread_set_work(&task->thread, WORK_SIGNAL | WORK_KILL);
    waitq_wake_all(&process->stop_wait);
}

/* SIGCONT undoes a stop and a stop undoes SIGCONT, whether they are blocked or not. */
static void stop_and_continue_locked(struct process *process, int signo)
{
    sigset_t stops =
        sigset_of(SIGSTOP) | sigset_of(SIGTSTP) | sigset_of(SIGTTIN) | sigset_of(SIGTTOU);
    sigset_t gone = 0;
    struct task *task;

    if (signal_default_action(signo) == SIGNAL_STOP)
        gone = sigset_of(SIGCONT);
    else if (signo == SIGCONT)
        gone = stops;
    if (!gone && signo != SIGKILL)
        return;
    signal_pending_flush_locked(process, &process->pending, gone);
    list_for_each_entry (task, &process->tasks, sibling)
        signal_pending_flush_locked(process, &task->pending, gone);
    if (signo == SIGCONT || signo == SIGKILL) {
        process->stopped = false;
        waitq_wake_all(&process->stop_wait);
    }
}

/* A timer whose signal is still queued adds to that one's overrun. */
static bool merge_timer(struct signal_pending *pending, const struct signal_info *info)
{
    struct signal_entry *entry;

    if (info->code != SI_TIMER || !(pending->set & sigset_of(info->signo)))
        return false;
    list_for_each_entry (entry, &pending->queue, node) {
        if (entry->info.code == SI_TIMER && entry->info.timer_id == info->timer_id) {
            if (__builtin_add_overflow(entry->info.overrun, info->overrun, &entry->info.overrun) ||
                __builtin_add_overflow(entry->info.overrun, 1, &entry->info.overrun))
                entry->info.overrun = INT32_MAX; /* as Linux tells it */
            return true;
        }
    }
    return false;
}

/* Queues one instance. Standard signals are pending once; without memory they lose their info. */
static int queue_locked(struct process *process, struct signal_pending *pending,
                        const struct signal_info *info)
{
    int signo = info->signo;
    bool standard = signo < SIGRTMIN;
    struct signal_entry *entry;

    if (merge_timer(pending, info) || (standard && (pending->set & sigset_of(signo))))
        return 0;
    if (standard && info->code != SI_TIMER && !pending->single.signo) {
        pending->single = *info;
        pending->set |= sigset_of(signo);
        return 0;
    }
    if (process->queued_count >= process->limits[RLIMIT_SIGPENDING].soft &&
        (!standard || info->code == SI_QUEUE) && info->code != SI_KERNEL)
        return -EAGAIN;
    entry = slab_alloc(&entry_cache);
    if (!entry && !standard)
        return -EAGAIN;
    if (entry) {
        entry->info = *info;
        process->queued_count++;
        list_add_tail(&pending->queue, &entry->node);
    }
    pending->set |= sigset_of(signo);
    return 0;
}

static bool task_wants(const struct task *task, int signo)
{
    return !(task->blocked & sigset_of(signo)) || (task->waiting_for & sigset_of(signo));
}

/* Whom a signal of the process wakes: the first thread if it can, else any that can. */
static struct task *choose_locked(struct process *process, int signo)
{
    struct task *task;

    list_for_each_entry (task, &process->tasks, sibling) {
        if (task_wants(task, signo))
            return task;
    }
    return NULL;
}

static bool is_fatal_now(const struct process *process, const struct task *target, int signo)
{
    if (signo == SIGKILL)
        return true;
    return target && process->actions[signo - 1].handler == SIG_DFL &&
           signal_default_action(signo) == SIGNAL_TERMINATE &&
           !(target->blocked & sigset_of(signo)) && !(target->waiting_for & sigset_of(signo));
}

static bool blocked_everywhere(const struct process *process, const struct task *only, int signo)
{
    const struct task *task = only;

    if (!task && !list_empty(&process->tasks))
        task = container_of(process->tasks.next, struct task, sibling);
    return task && (task->blocked & sigset_of(signo));
}

static int send_locked(struct process *process, struct task *only, const struct signal_info *info)
{
    int signo = info->signo;
    struct task *target;
    int error;

    if (process->exiting)
        return 0;
    stop_and_continue_locked(process, signo);
    target = only ? (task_wants(only, signo) ? only : NULL) : choose_locked(process, signo);
    if (signal_handler_ignores(process, signo) && !blocked_everywhere(process, only, signo) &&
        !(target && (target->waiting_for & sigset_of(signo))))
        return 0;
    error = queue_locked(process, only ? &only->pending : &process->pending, info);
    if (error)
        return error;
    smp_mb(); /* pairs with signal_set_mask() */
    target = only ? (task_wants(only, signo) ? only : NULL) : choose_locked(process, signo);
    if (is_fatal_now(process, target, signo))
        signal_begin_exit_locked(process, signo);
    else if (target)
        thread_set_work(&target->thread, WORK_SIGNAL);
    if (waitq_active(&process->signal_waitq))
        waitq_wake(&process->signal_waitq, UINT32_MAX, POLLIN);
    return 0;
}

int signal_send_process(struct process *process, const struct signal_info *info)
{
    reg_t flags = spin_lock_irq(&process->signal_lock);
    int error = send_locked(process, NULL, info);

    spin_unlock_irq(&process->signal_lock, flags);
    return error;
}

int signal_send_task(struct task *task, const struct signal_info *info)
{
    struct process *process = task->process;
    reg_t flags = spin_lock_irq(&process->signal_lock);
    int error = send_locked(process, task, info);

    spin_unlock_irq(&process->signal_lock, flags);
    return error;
}

/* The file layer's name for it. */
void file_signal(int signal)
{
    struct signal_info info = {.signo = signal, .code = SI_USER};

    if (!thread_is_task(current()))
        return;
    info.pid = current_process()->pid;
    info.uid = cred_current()->uid;
    signal_send_task(current_task(), &info);
}

void signal_force(const struct signal_info *info)
{
    struct task *task = current_task();
    struct process *process = task->process;
    struct signal_action *action = &process->actions[info->signo - 1];
    reg_t flags = spin_lock_irq(&process->signal_lock);

    if (action->handler == SIG_IGN || (task->blocked & sigset_of(info->signo))) {
        action->handler = SIG_DFL;
        task->blocked &= ~sigset_of(info->signo);
    }
    signal_pending_flush_locked(process, &task->pending, sigset_of(info->signo));
    queue_locked(process, &task->pending, info);
    thread_set_work(&task->thread, WORK_SIGNAL);
    spin_unlock_irq(&process->signal_lock, flags);
}

struct group_send {
    int pgid, count, error;
    const struct signal_info *info;
};

static int send_if_in_group(struct process *process, void *arg)
{
    struct group_send *group = arg;

    if (process->pgid == group->pgid) {
        group->count++;
        if (group->info->signo)
            group->error = signal_send_process(process, group->info);
    }
    return 0;
}

int signal_send_group(int pgid, const struct signal_info *info)
{
    struct group_send group = {.pgid = pgid, .info = info};

    process_for_each(send_if_in_group, &group);
    return group.count ? group.error : -ESRCH;
}

/* Takes the first queued instance of signo; the set bit stays while others of it are queued. */
static void take_entry(struct process *process, struct signal_pending *pending, int signo,
                       struct signal_info *info)
{
    struct signal_entry *entry, *next;
    bool taken = false, more = false;

    if (pending->single.signo == signo) {
        *info = pending->single;
        pending->single.signo = 0;
        pending->set &= ~sigset_of(signo);
        return;
    }
    list_for_each_entry_safe (entry, next, &pending->queue, node) {
        if (entry->info.signo != signo)
            continue;
        if (taken) {
            more = true;
            break;
        }
        *info = entry->info;
        entry_free(process, entry);
        taken = true;
    }
    if (!taken) /* there was no memory for it */
        *info = (struct signal_info){.signo = signo, .code = SI_USER};
    if (!more)
        pending->set &= ~sigset_of(signo);
}

static int lowest(sigset_t set)
{
    return set ? __builtin_ctzll(set) + 1 : 0;
}

int signal_dequeue_locked(struct task *task, sigset_t set, struct signal_info *info)
{
    struct process *process = task->process;
    sigset_t own = task->pending.set & set;
    int signo;

    if (own & SIGNAL_SYNCHRONOUS)
        own &= SIGNAL_SYNCHRONOUS;
    signo = lowest(own);
    if (signo) {
        take_entry(process, &task->pending, signo, info);
        return signo;
    }
    signo = lowest(process->pending.set & set);
    if (signo)
        take_entry(process, &process->pending, signo, info);
    return signo;
}

int signal_take(sigset_t set, struct signal_info *info)
{
    struct task *task = current_task();
    reg_t flags = spin_lock_irq(&task->process->signal_lock);
    int signo = signal_dequeue_locked(task, set, info);

    if (signo)
        signal_recalculate_locked(task);
    spin_unlock_irq(&task->process->signal_lock, flags);
    if (signo)
        posix_timer_delivered(task->process, info);
    return signo;
}

sigset_t signal_pending_set(void)
{
    struct task *task = current_task();

    return READ_ONCE(task->pending.set) | READ_ONCE(task->process->pending.set);
}

struct waitq *signal_waitq(struct process *process)
{
    return &process->signal_waitq;
}

bool signal_is_pending(void)
{
    return thread_has_work(current(), WORK_SIGNAL);
}

/* Signals of the process that we no longer take: wakes other tasks that can. */
static void retarget_locked(struct process *process, sigset_t set)
{
    set &= process->pending.set;
    while (set) {
        int signo = __builtin_ctzll(set) + 1;
        struct task *task = choose_locked(process, signo);

        if (task)
            thread_set_work(&task->thread, WORK_SIGNAL);
        set &= set - 1;
    }
}

/*
 * Only the task itself writes its mask, so the usual case takes no lock. Pairs with send_locked():
 * one of the two sees the other's write, of the mask or of the pending set.
 */
void signal_set_mask(sigset_t mask)
{
    struct task *task = current_task();
    struct process *process = task->process;
    sigset_t old = task->blocked;
    reg_t flags;

    WRITE_ONCE(task->blocked, mask & ~SIGNAL_UNBLOCKABLE);
    smp_mb();
    if (likely(!(READ_ONCE(task->pending.set) | READ_ONCE(process->pending.set))))
        return;
    flags = spin_lock_irq(&process->signal_lock);
    signal_recalculate_locked(task);
    retarget_locked(process, task->blocked & ~old);
    spin_unlock_irq(&process->signal_lock, flags);
}

int signal_mask_temporary(vaddr_t set, size_t size)
{
    struct task *task = current_task();
    sigset_t mask;

    if (!set)
        return 0;
    if (size != sizeof(sigset_t))
        return -EINVAL;
    if (get_user64(&mask, set))
        return -EFAULT;
    task->saved_mask = task->blocked;
    task->has_saved_mask = true;
    signal_set_mask(mask);
    return 0;
}

/* Restart codes and -EINTR leave the old mask to signal_deliver(), which knows if a handler runs.
 */
long signal_mask_restore(long result)
{
    struct task *task = current_task();

    if (!task->has_saved_mask)
        return result;
    if (result == -EINTR || (result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK)) {
        thread_set_work(current(), WORK_SIGNAL);
        return result;
    }
    task->has_saved_mask = false;
    signal_set_mask(task->saved_mask);
    return result;
}

void signal_exec(struct task *task)
{
    struct process *process = task->process;
    reg_t flags = spin_lock_irq(&process->signal_lock);

    for (unsigned i = 0; i < SIGNALS; i++) {
        struct signal_action *action = &process->actions[i];
        vaddr_t handler = action->handler == SIG_IGN ? SIG_IGN : SIG_DFL;

        *action = (struct signal_action){.handler = handler};
    }
    task->altstack = (struct signal_stack){0};
    spin_unlock_irq(&process->signal_lock, flags);
}

enum signal_info_kind signal_info_kind(const struct signal_info *info)
{
    if (info->code == SI_TIMER)
        return SIGNAL_INFO_TIMER;
    if (info->code == SI_SIGIO)
        return SIGNAL_INFO_IO;
    if (info->code <= 0 || info->code == SI_KERNEL)
        return SIGNAL_INFO_QUEUE;
    switch (info->signo) {
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
        return SIGNAL_INFO_FAULT;
    case SIGCHLD:
        return SIGNAL_INFO_CHILD;
    case SIGIO:
        return SIGNAL_INFO_IO;
    case SIGSYS:
        return SIGNAL_INFO_CALL;
    default: /* F_SETSIG chose the signal */
        return info->code <= NSIGPOLL ? SIGNAL_INFO_IO : SIGNAL_INFO_QUEUE;
    }
}

const char *signal_name(int signo)
{
    static const char names[][8] = {
        "",     "HUP",  "INT",  "QUIT", "ILL",    "TRAP",   "ABRT",  "BUS",  "FPE",  "KILL", "USR1",
        "SEGV", "USR2", "PIPE", "ALRM", "TERM",   "STKFLT", "CHLD",  "CONT", "STOP", "TSTP", "TTIN",
        "TTOU", "URG",  "XCPU", "XFSZ", "VTALRM", "PROF",   "WINCH", "IO",   "PWR",  "SYS",
    };

    return signo > 0 && signo < (int)ARRAY_SIZE(names) ? names[signo] : "RT";
}
