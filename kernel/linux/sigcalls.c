/* SPDX-License-Identifier: MIT
 *
 * System calls on signals: actions, masks, waiting, kill and its relatives.
 */
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/thread.h>
#include <core/wait.h>
#include <fs/cred.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/signal.h>
#include <linux/syscalls.h>

#include "abi64/time.h"
#include "posix_timer.h"
#include "sigcalls.h"
#include "signal_internal.h"

/* struct kernel_sigaction of arm64. */
struct abi64_sigaction {
    uint64_t handler, flags, restorer, mask;
};

struct abi64_stack {
    uint64_t sp;
    int32_t flags;
    uint32_t pad;
    uint64_t size;
};

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM ((int)(1u << 31))
#define MINSIGSTKSZ   5120

#define SA_KNOWN                                                                              \
    (SA_NOCLDSTOP | SA_NOCLDWAIT | SA_SIGINFO | SA_EXPOSE_TAGBITS | SA_ONSTACK | SA_RESTART | \
     SA_NODEFER | SA_RESETHAND | SA_RESTORER)

static bool valid_signal(int signo)
{
    return signo >= 1 && signo <= SIGNALS;
}

/* An action that ignores throws away what is pending (POSIX 2.4.3). */
static void drop_ignored_locked(struct process *process, int signo)
{
    struct task *task;

    if (!signal_handler_ignores(process, signo))
        return;
    signal_pending_flush_locked(process, &process->pending, sigset_of(signo));
    list_for_each_entry (task, &process->tasks, sibling)
        signal_pending_flush_locked(process, &task->pending, sigset_of(signo));
}

static void action_set(struct process *process, int signo, const struct signal_action *next,
                       struct signal_action *old)
{
    reg_t flags = spin_lock_irq(&process->signal_lock);

    *old = process->actions[signo - 1];
    if (next) {
        process->actions[signo - 1] = *next;
        drop_ignored_locked(process, signo);
    }
    spin_unlock_irq(&process->signal_lock, flags);
}

long sys_rt_sigaction(const reg_t arg[6])
{
    int signo = (int)arg[0];
    vaddr_t next_at = arg[1], old_at = arg[2];
    struct abi64_sigaction user;
    struct signal_action next, old;

    if (arg[3] != sizeof(sigset_t))
        return -EINVAL;
    if (next_at && copy_from_user(&user, next_at, sizeof(user)))
        return -EFAULT;
    if (!valid_signal(signo) || (next_at && (signo == SIGKILL || signo == SIGSTOP)))
        return -EINVAL;
    if (next_at)
        next = (struct signal_action){.handler = user.handler,
                                      .restorer = user.restorer,
                                      .flags = (uint32_t)user.flags & SA_KNOWN,
                                      .mask = user.mask & ~SIGNAL_UNBLOCKABLE};
    action_set(current_process(), signo, next_at ? &next : NULL, &old);
    if (!old_at)
        return 0;
    user = (struct abi64_sigaction){old.handler, old.flags, old.restorer, old.mask};
    return copy_to_user(old_at, &user, sizeof(user));
}

enum { SIG_BLOCK, SIG_UNBLOCK, SIG_SETMASK };

long sys_rt_sigprocmask(const reg_t arg[6])
{
    struct task *task = current_task();
    sigset_t old = task->blocked, set;

    if (arg[3] != sizeof(sigset_t))
        return -EINVAL;
    if (arg[1]) {
        if (get_user64(&set, arg[1]))
            return -EFAULT;
        switch ((int)arg[0]) {
        case SIG_BLOCK:
            set |= old;
            break;
        case SIG_UNBLOCK:
            set = old & ~set;
            break;
        case SIG_SETMASK:
            break;
        default:
            return -EINVAL;
        }
        signal_set_mask(set);
    }
    return arg[2] ? put_user64(arg[2], old) : 0;
}

long sys_rt_sigpending(const reg_t arg[6])
{
    sigset_t set = signal_pending_set() & current_task()->blocked;

    if (arg[1] > sizeof(set))
        return -EINVAL;
    return copy_to_user(arg[0], &set, arg[1]);
}

long sys_rt_sigsuspend(const reg_t arg[6])
{
    int error;

    if (arg[1] != sizeof(sigset_t))
        return -EINVAL;
    if (!arg[0])
        return -EFAULT;
    error = signal_mask_temporary(arg[0], sizeof(sigset_t));
    if (error)
        return error;
    while (!signal_is_pending())
        thread_sleep_until(WAIT_FOREVER, WAIT_INTERRUPTIBLE);
    return -ERESTARTNOHAND;
}

static __cold int take_waited(struct task *task, sigset_t set, struct signal_info *info)
{
    struct process *process = task->process;
    reg_t flags = spin_lock_irq(&process->signal_lock);
    int signo = signal_dequeue_locked(task, set, info);

    task->waiting_for = signo ? 0 : set;
    signal_recalculate_locked(task);
    spin_unlock_irq(&process->signal_lock, flags);
    if (signo)
        posix_timer_delivered(process, info);
    return signo;
}

static void stop_waiting(struct task *task)
{
    reg_t flags = spin_lock_irq(&task->process->signal_lock);

    task->waiting_for = 0;
    signal_recalculate_locked(task);
    spin_unlock_irq(&task->process->signal_lock, flags);
}

/*
 * sigtimedwait: the senders set WORK_SIGNAL for a signal that is waited for even if it is blocked,
 * which ends the sleep; a look under the lock then tells whether it was that or another signal.
 */
static int wait_for_signal(sigset_t set, uint64_t deadline, struct signal_info *info)
{
    struct task *task = current_task();
    int signo;

    for (;;) {
        int error;

        signo = take_waited(task, set, info);
        if (signo)
            return signo;
        error = thread_sleep_until(deadline, WAIT_INTERRUPTIBLE);
        if (error == 0) {
            signo = take_waited(task, set, info);
            stop_waiting(task);
            return signo ? signo : -EAGAIN;
        }
        signo = take_waited(task, set, info);
        if (signo)
            return signo;
        if (signal_is_pending()) {
            stop_waiting(task);
            return -EINTR;
        }
    }
}

__cold long sys_rt_sigtimedwait(const reg_t arg[6])
{
    uint8_t user[ABI64_SIGINFO_SIZE];
    struct signal_info info;
    uint64_t deadline = WAIT_FOREVER;
    sigset_t set;
    int signo;

    if (arg[3] != sizeof(set))
        return -EINVAL;
    if (get_user64(&set, arg[0]))
        return -EFAULT;
    if (arg[2]) {
        uint64_t timeout;
        int error = abi64_get_timespec(arg[2], &timeout);

        if (error)
            return error;
        deadline = abi64_deadline(clock_monotonic_ns(), timeout);
    }
    signo = wait_for_signal(set & ~SIGNAL_UNBLOCKABLE, deadline, &info);
    if (signo < 0 || !arg[1])
        return signo;
    abi64_siginfo_pack(user, &info);
    return copy_to_user(arg[1], user, sizeof(user)) ? -EFAULT : signo;
}

/* --- sending --- */

struct signal_info sigcalls_info_of_kill(int signo, int code)
{
    return (struct signal_info){
        .signo = signo, .code = code, .pid = current_process()->pid, .uid = cred_current()->uid};
}

/* kill(2): same user, or CAP_KILL. */
bool sigcalls_may_signal(const struct process *target)
{
    const struct cred *mine = cred_current(), *other = NULL;
    struct task *task;

    if (target == current_process() || cred_capable(mine, CAP_KILL))
        return true;
    list_for_each_entry (task, &target->tasks, sibling) {
        other = task->cred;
        break;
    }
    return other && (mine->euid == other->suid || mine->euid == other->uid ||
                     mine->uid == other->suid || mine->uid == other->uid);
}

static long send_to_pid(int pid, const struct signal_info *info)
{
    struct process *process = process_find(pid);
    long error = 0;

    if (!process)
        return -ESRCH;
    if (!sigcalls_may_signal(process))
        error = -EPERM;
    else if (info->signo)
        error = signal_send_process(process, info);
    process_unref(process);
    return error;
}

struct broadcast {
    const struct signal_info *info;
    int count;
};

static int send_to_others(struct process *process, void *arg)
{
    struct broadcast *broadcast = arg;

    if (process->pid > 1 && process != current_process() && sigcalls_may_signal(process)) {
        broadcast->count++;
        if (broadcast->info->signo)
            signal_send_process(process, broadcast->info);
    }
    return 0;
}

long sys_kill(const reg_t arg[6])
{
    int pid = (int)arg[0], signo = (int)arg[1];
    struct signal_info info = sigcalls_info_of_kill(signo, SI_USER);
    struct broadcast broadcast = {&info, 0};

    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    if (pid > 0)
        return send_to_pid(pid, &info);
    if (pid == 0)
        return signal_send_group(current_process()->pgid, &info);
    if (pid == INT32_MIN)
        return -ESRCH;
    if (pid < -1)
        return signal_send_group(-pid, &info);
    process_for_each(send_to_others, &broadcast);
    return broadcast.count ? 0 : -ESRCH;
}

static long send_to_tid(int tgid, int tid, const struct signal_info *info)
{
    struct task *task;
    long error;

    if (info->signo < 0 || info->signo > SIGNALS)
        return -EINVAL;
    defer_read_begin();
    task = task_find(tid);
    if (!task || (tgid > 0 && task->process->pid != tgid))
        error = -ESRCH;
    else if (!sigcalls_may_signal(task->process))
        error = -EPERM;
    else
        error = info->signo ? signal_send_task(task, info) : 0;
    defer_read_end();
    return error;
}

long sys_tgkill(const reg_t arg[6])
{
    struct signal_info info = sigcalls_info_of_kill((int)arg[2], SI_TKILL);

    if ((int)arg[0] <= 0 || (int)arg[1] <= 0)
        return -EINVAL;
    return send_to_tid((int)arg[0], (int)arg[1], &info);
}

long sys_tkill(const reg_t arg[6])
{
    struct signal_info info = sigcalls_info_of_kill((int)arg[1], SI_TKILL);

    if ((int)arg[0] <= 0)
        return -EINVAL;
    return send_to_tid(0, (int)arg[0], &info);
}

/* What a program may claim in siginfo: nothing that looks like the kernel's, except to itself. */
int sigcalls_get_info(vaddr_t at, int signo, int target_pid, struct signal_info *info)
{
    uint8_t user[ABI64_SIGINFO_SIZE];

    if (copy_from_user(user, at, sizeof(user)))
        return -EFAULT;
    abi64_siginfo_unpack(info, user);
    info->signo = signo;
    if ((info->code >= 0 || info->code == SI_TKILL) && target_pid != current_process()->pid)
        return -EPERM;
    return 0;
}

long sys_rt_sigqueueinfo(const reg_t arg[6])
{
    struct signal_info info;
    int signo = (int)arg[1];
    int error = sigcalls_get_info(arg[2], signo, (int)arg[0], &info);

    if (error)
        return error;
    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    return send_to_pid((int)arg[0], &info);
}

long sys_rt_tgsigqueueinfo(const reg_t arg[6])
{
    struct signal_info info;
    int error = sigcalls_get_info(arg[3], (int)arg[2], (int)arg[0], &info);

    if (error)
        return error;
    if ((int)arg[0] <= 0 || (int)arg[1] <= 0)
        return -EINVAL;
    return send_to_tid((int)arg[0], (int)arg[1], &info);
}

/* --- alternate stack --- */

static bool on_altstack(const struct signal_stack *stack, vaddr_t sp)
{
    return stack->size && !(stack->flags & SS_AUTODISARM) && sp > stack->sp &&
           sp - stack->sp <= stack->size;
}

static long set_altstack(struct task *task, const struct abi64_stack *user, vaddr_t sp)
{
    int mode = user->flags & ~SS_AUTODISARM;

    if (on_altstack(&task->altstack, sp))
        return -EPERM;
    if (mode != 0 && mode != SS_ONSTACK && mode != SS_DISABLE)
        return -EINVAL;
    if (mode == SS_DISABLE) {
        task->altstack = (struct signal_stack){.flags = user->flags};
        task->altstack.size = 0;
        return 0;
    }
    if (user->size < MINSIGSTKSZ)
        return -ENOMEM;
    task->altstack = (struct signal_stack){user->sp, user->size, user->flags & SS_AUTODISARM};
    return 0;
}

__cold long sys_sigaltstack(const reg_t arg[6])
{
    const struct trapframe *frame = container_of((const reg_t(*)[31])arg, struct trapframe, x);
    struct task *task = current_task();
    struct abi64_stack next, old = {.sp = task->altstack.sp, .size = task->altstack.size};
    long error = 0;

    old.flags = task->altstack.size == 0                  ? SS_DISABLE
                : on_altstack(&task->altstack, frame->sp) ? SS_ONSTACK
                                                          : 0;
    old.flags |= task->altstack.flags & SS_AUTODISARM;
    if (arg[0]) {
        if (copy_from_user(&next, arg[0], sizeof(next)))
            return -EFAULT;
        error = set_altstack(task, &next, frame->sp);
    }
    if (error || !arg[1])
        return error;
    return copy_to_user(arg[1], &old, sizeof(old));
}

long sys_restart_syscall(const reg_t arg[6])
{
    struct restart *restart = &current_task()->restart;
    long (*fn)(struct restart *) = restart->fn;

    (void)arg;
    restart->fn = NULL;
    return fn ? fn(restart) : -EINTR;
}
