/* SPDX-License-Identifier: MIT
 *
 * Whom a file's signals go to (fcntl(2): F_SETOWN, F_SETOWN_EX, F_SETSIG; the same by ioctl for
 * sockets), and sending them.
 */
#include <arch/uaccess.h>
#include <core/defer.h>
#include <file/async.h>
#include <file/file.h>
#include <fs/cred.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/signal.h>

#include "abi64/stat.h"
#include "sigio.h"

enum { F_OWNER_TID, F_OWNER_PID, F_OWNER_PGRP };

/* --- sending --- */

static const int bands[] = {
    [ASYNC_IN] = POLL_READABLE,
    [ASYNC_OUT] = POLL_WRITABLE | POLLWRBAND,
    [ASYNC_MESSAGE] = POLL_READABLE | POLLMSG,
    [ASYNC_ERROR] = POLLERR,
    [ASYNC_PRIORITY] = POLLPRI | POLLRDBAND,
    [ASYNC_HUP] = POLLHUP | POLLERR,
};

/* As kill(2) judges, for who set the owner. */
static bool may_tell(const struct file_owner *owner, const struct task *task)
{
    const struct cred *cred = task->cred;

    return owner->euid == 0 || owner->euid == cred->suid || owner->euid == cred->uid ||
           owner->uid == cred->suid || owner->uid == cred->uid;
}

static bool may_tell_process(const struct file_owner *owner, struct process *process)
{
    reg_t flags = spin_lock_irq(&process->lock);
    bool may = !list_empty(&process->tasks) &&
               may_tell(owner, list_first_entry(&process->tasks, struct task, sibling));

    spin_unlock_irq(&process->lock, flags);
    return may;
}

struct group_tell {
    const struct file_owner *owner;
    const struct signal_info *info;
    int error;
};

static int tell_if_in_group(struct process *process, void *arg)
{
    struct group_tell *group = arg;

    if (process->pgid == group->owner->id && may_tell_process(group->owner, process) &&
        signal_send_process(process, group->info))
        group->error = -EAGAIN;
    return 0;
}

static int tell_process(const struct file_owner *owner, const struct signal_info *info)
{
    struct process *process = process_find(owner->id);
    int error = 0;

    if (!process)
        return 0;
    if (may_tell_process(owner, process))
        error = signal_send_process(process, info);
    process_unref(process);
    return error;
}

static int tell_task(const struct file_owner *owner, const struct signal_info *info)
{
    struct task *task;
    int error = 0;

    defer_read_begin();
    task = task_find(owner->id);
    if (task && may_tell_process(owner, task->process))
        error = signal_send_task(task, info);
    defer_read_end();
    return error;
}

/* 0, -EAGAIN: its queue is full. Somebody who is gone is not told. */
static int tell_owner(const struct file_owner *owner, const struct signal_info *info)
{
    struct group_tell group = {.owner = owner, .info = info};

    switch (owner->kind) {
    case FILE_OWNER_TASK:
        return tell_task(owner, info);
    case FILE_OWNER_PROCESS:
        return tell_process(owner, info);
    default:
        process_for_each(tell_if_in_group, &group);
        return group.error;
    }
}

static bool has_codes_of_its_own(int signo)
{
    return signo == SIGILL || signo == SIGFPE || signo == SIGSEGV || signo == SIGBUS ||
           signo == SIGTRAP || signo == SIGCHLD || signo == SIGSYS;
}

void file_async_signal(const struct file_owner *owner, int number, enum file_async_code code)
{
    struct signal_info info = {.signo = SIGIO, .code = SI_KERNEL}, told = {.signo = owner->signal};

    if (owner->signal) {
        told.code = has_codes_of_its_own(owner->signal) ? SI_SIGIO : (int)code;
        told.fd = number;
        told.band = bands[code];
        if (tell_owner(owner, &told) == 0)
            return;
    }
    tell_owner(owner, &info);
}

/* --- owners --- */

static int has_group(struct process *process, void *arg)
{
    return process->pgid == *(int *)arg;
}

static bool exists(enum file_owner_kind kind, int id)
{
    bool found;

    if (kind == FILE_OWNER_GROUP)
        return process_for_each(has_group, &id);
    defer_read_begin();
    found = task_find(id) != NULL;
    defer_read_end();
    return found;
}

static long set_owner(struct file *file, enum file_owner_kind kind, int id)
{
    const struct cred *cred = cred_current();
    struct file_owner owner = {.kind = kind, .id = id, .uid = cred->uid, .euid = cred->euid};

    if (id != 0 && !exists(kind, id))
        return -ESRCH;
    return file_set_owner(file, &owner);
}

static long set_owner_number(struct file *file, int number)
{
    if (number == INT32_MIN)
        return -EINVAL;
    return number < 0 ? set_owner(file, FILE_OWNER_GROUP, -number)
                      : set_owner(file, FILE_OWNER_PROCESS, number);
}

/* The owner as it is now: nobody, once it has ended. */
static void owner_now(struct file *file, struct file_owner *owner)
{
    file_get_owner(file, owner);
    if (owner->id != 0 && !exists(owner->kind, owner->id))
        owner->id = 0;
}

static int owner_number(struct file *file)
{
    struct file_owner owner;

    owner_now(file, &owner);
    return owner.kind == FILE_OWNER_GROUP ? -owner.id : owner.id;
}

static long get_owner_ex(struct file *file, vaddr_t user)
{
    static const uint8_t types[] = {[FILE_OWNER_TASK] = F_OWNER_TID,
                                    [FILE_OWNER_PROCESS] = F_OWNER_PID,
                                    [FILE_OWNER_GROUP] = F_OWNER_PGRP};
    struct file_owner owner;
    struct abi64_owner_ex told;

    owner_now(file, &owner);
    told = (struct abi64_owner_ex){types[owner.kind], owner.id};
    return copy_to_user(user, &told, sizeof(told));
}

static long set_owner_ex(struct file *file, vaddr_t user)
{
    struct abi64_owner_ex owner;

    if (copy_from_user(&owner, user, sizeof(owner)) != 0)
        return -EFAULT;
    switch (owner.type) {
    case F_OWNER_TID:
        return set_owner(file, FILE_OWNER_TASK, owner.pid);
    case F_OWNER_PID:
        return set_owner(file, FILE_OWNER_PROCESS, owner.pid);
    case F_OWNER_PGRP:
        return set_owner(file, FILE_OWNER_GROUP, owner.pid);
    default:
        return -EINVAL;
    }
}

long sigio_fcntl(struct file *file, unsigned cmd, reg_t arg)
{
    struct file_owner owner;

    switch (cmd) {
    case F_SETOWN:
        return set_owner_number(file, (int)arg);
    case F_GETOWN:
        return owner_number(file);
    case F_SETSIG:
        return arg > SIGNALS ? -EINVAL : file_set_owner_signal(file, (int)arg);
    case F_GETSIG:
        file_get_owner(file, &owner);
        return owner.signal;
    case F_SETOWN_EX:
        return set_owner_ex(file, arg);
    default:
        return get_owner_ex(file, arg);
    }
}

long sigio_socket_ioctl(struct file *file, unsigned cmd, vaddr_t user)
{
    uint32_t number;

    if (cmd == FIOGETOWN || cmd == SIOCGPGRP)
        return put_user32(user, (uint32_t)owner_number(file));
    if (get_user32(&number, user))
        return -EFAULT;
    return set_owner_number(file, (int)number);
}
