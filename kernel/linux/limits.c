/* SPDX-License-Identifier: MIT
 *
 * Resource limits (getrlimit(2), prlimit(2)).
 */
#include <arch/uaccess.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/vmspace.h>

#define NOFILE_MAX (1u << 20)

/* What mm keeps of its own for faults and maps. */
static void tell_mm(const struct process *process)
{
    struct vmspace *vs = process->vmspace;

    vs->limit_as = process->limits[RLIMIT_AS].soft;
    vs->limit_data = process->limits[RLIMIT_DATA].soft;
    vs->limit_stack = process->limits[RLIMIT_STACK].soft;
    vs->limit_memlock = process->limits[RLIMIT_MEMLOCK].soft;
}

static long set_limit(struct process *process, unsigned resource, const struct rlimit *next)
{
    struct rlimit *limit = &process->limits[resource];
    bool raises = next->hard > limit->hard;
    reg_t flags;

    if (next->soft > next->hard)
        return -EINVAL;
    if (resource == RLIMIT_NOFILE && next->hard > NOFILE_MAX)
        return -EPERM;
    if (raises && !cred_capable(cred_current(), CAP_SYS_RESOURCE))
        return -EPERM;
    flags = spin_lock_irq(&process->lock);
    *limit = *next;
    spin_unlock_irq(&process->lock, flags);
    tell_mm(process);
    return 0;
}

static long do_prlimit(struct process *process, unsigned resource, vaddr_t next_at, vaddr_t old_at)
{
    struct rlimit next, old;
    long error;

    if (resource >= RLIMITS)
        return -EINVAL;
    if (next_at && copy_from_user(&next, next_at, sizeof(next)))
        return -EFAULT;
    old = process->limits[resource];
    error = next_at ? set_limit(process, resource, &next) : 0;
    if (error || !old_at)
        return error;
    return copy_to_user(old_at, &old, sizeof(old));
}

long sys_prlimit64(const reg_t arg[6])
{
    struct process *process;
    int pid = (int)arg[0];
    long result;

    if (pid == 0)
        return do_prlimit(current_process(), (unsigned)arg[1], arg[2], arg[3]);
    process = process_find(pid);
    if (!process)
        return -ESRCH;
    if (process != current_process() && !cred_capable(cred_current(), CAP_SYS_RESOURCE))
        result = -EPERM;
    else
        result = do_prlimit(process, (unsigned)arg[1], arg[2], arg[3]);
    process_unref(process);
    return result;
}

long sys_getrlimit(const reg_t arg[6])
{
    return arg[1] ? do_prlimit(current_process(), (unsigned)arg[0], 0, arg[1]) : -EFAULT;
}

long sys_setrlimit(const reg_t arg[6])
{
    return arg[1] ? do_prlimit(current_process(), (unsigned)arg[0], arg[1], 0) : -EFAULT;
}
