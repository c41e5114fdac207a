/* SPDX-License-Identifier: MIT
 *
 * process_vm_readv(2), process_vm_writev(2) and kcmp(2): looking into a process from outside.
 */
#include <arch/uaccess.h>
#include <file/fdtable.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "files.h"
#include "process_internal.h"

#define STEP 4096u

struct cursor {
    const struct io_segment *segment;
    unsigned count;
    size_t offset;
};

/* Bytes left in the segment, after stepping over empty ones; 0 at the end. */
static size_t cursor_left(struct cursor *c)
{
    while (c->count && c->offset == c->segment->len) {
        c->segment++;
        c->count--;
        c->offset = 0;
    }
    return c->count ? c->segment->len - c->offset : 0;
}

static ssize_t move(struct vmspace *vs, struct cursor *local, struct cursor *remote, bool write,
                    char *buffer, size_t size)
{
    vaddr_t here = local->segment->base + local->offset;
    vaddr_t there = remote->segment->base + remote->offset;
    ssize_t moved;

    if (write) {
        if (copy_from_user(buffer, here, size))
            return -EFAULT;
        return vm_write(vs, there, buffer, size);
    }
    moved = vm_read(vs, buffer, there, size);
    if (moved > 0 && copy_to_user(here, buffer, (size_t)moved))
        return -EFAULT;
    return moved;
}

static long move_all(struct vmspace *vs, const struct iov *local_iov, const struct iov *remote_iov,
                     bool write)
{
    struct cursor local = {local_iov->segments, local_iov->count, 0};
    struct cursor remote = {remote_iov->segments, remote_iov->count, 0};
    char *buffer = kmalloc(STEP);
    long done = 0;

    if (!buffer)
        return -ENOMEM;
    for (;;) {
        size_t size = min(min(cursor_left(&local), cursor_left(&remote)), (size_t)STEP);
        ssize_t moved = size ? move(vs, &local, &remote, write, buffer, size) : 0;

        if (moved <= 0) {
            done = done ? done : moved;
            break;
        }
        done += moved;
        local.offset += (size_t)moved;
        remote.offset += (size_t)moved;
        if ((size_t)moved < size)
            break;
    }
    kfree(buffer);
    return done;
}

int process_space(int pid, struct vmspace **out)
{
    struct process *process = process_find(pid);
    int error = 0;
    reg_t flags;

    if (!process)
        return -ESRCH;
    flags = spin_lock_irq(&process->lock);
    if (process != current_process() && !cred_capable(cred_current(), CAP_SYS_PTRACE))
        error = -EPERM;
    else if (!process->vmspace)
        error = -ESRCH;
    else
        vmspace_ref(*out = process->vmspace);
    spin_unlock_irq(&process->lock, flags);
    process_unref(process);
    return error;
}

static long process_vm(const reg_t arg[6], bool write)
{
    struct iov local, remote;
    struct vmspace *vs = NULL;
    long result;

    if (arg[5])
        return -EINVAL;
    result = iov_get(&local, arg[1], arg[2]);
    if (result)
        return result;
    result = iov_get(&remote, arg[3], arg[4]);
    if (!result) {
        result = process_space((int)arg[0], &vs);
        if (!result) {
            result = move_all(vs, &local, &remote, write);
            vmspace_unref(vs);
        }
        iov_put(&remote);
    }
    iov_put(&local);
    return result;
}

long sys_process_vm_readv(const reg_t arg[6])
{
    return process_vm(arg, false);
}

long sys_process_vm_writev(const reg_t arg[6])
{
    return process_vm(arg, true);
}

enum { KCMP_FILE, KCMP_VM, KCMP_FILES, KCMP_FS, KCMP_SIGHAND, KCMP_IO, KCMP_SYSVSEM };

static long compare(uintptr_t a, uintptr_t b)
{
    return a == b ? 0 : a < b ? 1 : 2;
}

static long compare_files(struct fd_table *table, unsigned first, unsigned second)
{
    struct file *a = fd_get_file(table, first), *b = fd_get_file(table, second);
    long result = a && b ? compare((uintptr_t)a, (uintptr_t)b) : -EBADF;

    if (a)
        file_unref(a);
    if (b)
        file_unref(b);
    return result;
}

/* Of the running process only; its threads share all but descriptors and directories. */
long sys_kcmp(const reg_t arg[6])
{
    int pid = current_process()->pid;

    if ((int)arg[0] != pid || (int)arg[1] != pid)
        return -ESRCH;
    switch ((int)arg[2]) {
    case KCMP_FILE:
        return compare_files(current_files(), (unsigned)arg[3], (unsigned)arg[4]);
    case KCMP_VM:
    case KCMP_FILES:
    case KCMP_FS:
    case KCMP_SIGHAND:
    case KCMP_IO:
    case KCMP_SYSVSEM:
        return 0;
    default:
        return -EINVAL;
    }
}
