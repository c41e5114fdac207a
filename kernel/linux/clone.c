/* SPDX-License-Identifier: MIT
 *
 * clone(2) and clone3(2): new threads of the running process. A new process is not offered yet:
 * such a call answers -ENOSYS and is counted in the ledger.
 */
#include <arch/fpu.h>
#include <arch/pointer_auth.h>
#include <arch/sysreg.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <arch/user.h>
#include <core/thread.h>
#include <file/fdtable.h>
#include <fs/context.h>
#include <fs/cred.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/ledger.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/numbers.h"
#include "process_internal.h"

#define CLONE_VM             0x00000100u
#define CLONE_FS             0x00000200u
#define CLONE_FILES          0x00000400u
#define CLONE_SIGHAND        0x00000800u
#define CLONE_PIDFD          0x00001000u
#define CLONE_VFORK          0x00004000u
#define CLONE_PARENT         0x00008000u
#define CLONE_THREAD         0x00010000u
#define CLONE_NEWNS          0x00020000u
#define CLONE_SYSVSEM        0x00040000u
#define CLONE_SETTLS         0x00080000u
#define CLONE_PARENT_SETTID  0x00100000u
#define CLONE_CHILD_CLEARTID 0x00200000u
#define CLONE_DETACHED       0x00400000u
#define CLONE_CHILD_SETTID   0x01000000u
#define CLONE_NAMESPACES     0x7e020080u
#define CSIGNAL              0xffu
#define UNSHARE_FLAGS                                                                   \
    (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | \
     CLONE_NAMESPACES)

SLAB_CACHE(task_cache, struct task);

struct clone_request {
    uint64_t flags;
    vaddr_t stack, parent_tid, child_tid, tls;
};

/* What the new task does before its program: held by the parent's stack until `taken`. */
struct clone_start {
    struct trapframe frame;
    vaddr_t child_tid; /* CLONE_CHILD_SETTID, else 0 */
};

static void task_release(struct thread *thread)
{
    struct task *task = task_of(thread);
    struct process *process = task->process;

    cred_unref(task->cred);
    slab_free(&task_cache, task);
    process_unref(process);
}

int task_create(struct process *process, struct fd_table *files, struct fs_context *fs,
                const struct cred *cred, void (*entry)(void *), void *arg, struct task **out)
{
    struct task *task = slab_zalloc(&task_cache);
    int error;

    if (!task)
        return -ENOMEM;
    error = thread_create(&task->thread, current()->name, entry, arg);
    if (error) {
        slab_free(&task_cache, task);
        return error;
    }
    task->thread.vmspace = process->vmspace;
    task->thread.is_task = true;
    task->thread.release = task_release;
    task->process = process;
    process_ref(process);
    task->files = files;
    task->fs = fs_context_ref(fs);
    task->cred = cred_ref(cred);
    task->timer_slack_ns = 50000;
    list_init(&task->lock_waiters);
    signal_pending_init(&task->pending);
    *out = task;
    return 0;
}

void task_destroy(struct task *task)
{
    fd_table_unref(task->files);
    fs_context_unref(task->fs);
    thread_destroy(&task->thread);
    task_release(&task->thread);
}

/* Others look at a task's files and folders under process->lock. */

int task_own_files(struct task *task)
{
    struct fd_table *shared = task->files, *own;
    reg_t flags;

    if (atomic_read(&shared->users) == 1)
        return 0;
    own = fd_table_copy(shared);
    if (!own)
        return -ENOMEM;
    flags = spin_lock_irq(&task->process->lock);
    task->files = own;
    spin_unlock_irq(&task->process->lock, flags);
    fd_table_unref(shared);
    return 0;
}

/* Either all or nothing: the folders' copy is made first, and kept once nothing can fail. */
static int own_files_and_folders(struct task *task, bool files, bool folders)
{
    struct fs_context *shared = task->fs, *own = folders ? fs_context_copy(shared) : NULL;
    int error = folders && !own ? -ENOMEM : 0;
    reg_t flags;

    if (!error && files)
        error = task_own_files(task);
    if (error || !folders) {
        if (own)
            fs_context_unref(own);
        return error;
    }
    flags = spin_lock_irq(&task->process->lock);
    task->fs = own;
    spin_unlock_irq(&task->process->lock, flags);
    fs_context_unref(shared);
    return 0;
}

/* unshare(2). There is one namespace of each kind. */
long sys_unshare(const reg_t arg[6])
{
    struct task *task = current_task();
    reg_t flags = arg[0];

    if (flags & ~(reg_t)UNSHARE_FLAGS)
        return -EINVAL;
    if ((flags & (CLONE_THREAD | CLONE_SIGHAND | CLONE_VM)) && task->process->task_count > 1)
        return -EINVAL;
    if (flags & CLONE_NAMESPACES)
        return -EPERM;
    return own_files_and_folders(task, flags & CLONE_FILES, flags & CLONE_FS);
}

static void thread_begins(void *arg)
{
    struct clone_start *start = arg;
    struct trapframe frame = start->frame;
    vaddr_t child_tid = start->child_tid;

    kfree(start);
    if (child_tid)
        put_user32(child_tid, (uint32_t)current_task()->tid);
    user_enter(&frame);
}

static struct clone_start *start_of(const struct trapframe *caller,
                                    const struct clone_request *request)
{
    struct clone_start *start = kmalloc(sizeof(*start));

    if (!start)
        return NULL;
    start->frame = *caller;
    start->frame.x[0] = 0;
    start->frame.syscall = NO_SYSCALL;
    if (request->stack)
        start->frame.sp = request->stack;
    start->child_tid = request->flags & CLONE_CHILD_SETTID ? request->child_tid : 0;
    return start;
}

/* What the new thread has of the running one's. */
static int inherit(struct task *task, const struct clone_request *request)
{
    const struct task *parent = current_task();

    task->blocked = parent->blocked;
    task->thread.context.tpidr_el0 =
        request->flags & CLONE_SETTLS ? request->tls : sysreg_read(tpidr_el0);
    task->thread.context.tpidrro_el0 = 0;
    task->clear_child_tid = request->flags & CLONE_CHILD_CLEARTID ? request->child_tid : 0;
    task->timer_slack_ns = parent->timer_slack_ns;
    task->policy = parent->policy;
    sched_inherit(&task->thread, &parent->thread);
    pac_inherit(&task->thread);
    task->thread.user_tags = parent->thread.user_tags;
    return fpu_inherit(&task->thread);
}

static int check_flags(const struct clone_request *request)
{
    uint64_t flags = request->flags;

    if ((flags & CLONE_THREAD) && !(flags & CLONE_SIGHAND))
        return -EINVAL;
    if ((flags & CLONE_SIGHAND) && !(flags & CLONE_VM))
        return -EINVAL;
    if ((flags & CLONE_NEWNS) && (flags & CLONE_FS))
        return -EINVAL;
    if ((flags & CLONE_PIDFD) && (flags & (CLONE_DETACHED | CLONE_THREAD)))
        return -EINVAL;
    if (flags & CLONE_NAMESPACES)
        return -EPERM;
    return 0;
}

/* Starts a task that has all but a number. */
static long start_task(struct task *task, const struct clone_request *request)
{
    int tid = task_number(task);

    if (tid < 0)
        return tid;
    if ((request->flags & CLONE_PARENT_SETTID) && put_user32(request->parent_tid, (uint32_t)tid)) {
        task_forget_number(task);
        return -EFAULT;
    }
    task_join_process(task);
    /* A kill that came before it joined has not reached it. */
    if (READ_ONCE(task->process->exiting) || READ_ONCE(task->process->exec_task))
        thread_set_work(&task->thread, WORK_SIGNAL | WORK_KILL);
    thread_start(&task->thread);
    return tid;
}

static long make_thread(const struct trapframe *frame, const struct clone_request *request)
{
    const struct task *parent = current_task();
    struct fd_table *files = parent->files;
    struct fs_context *fs = parent->fs;
    struct clone_start *start = start_of(frame, request);
    struct task *task;
    long result = -ENOMEM;

    if (request->flags & CLONE_FILES)
        fd_table_ref(files);
    else
        files = fd_table_copy(files);
    if (!(request->flags & CLONE_FS))
        fs = fs_context_copy(fs);
    if (start && files && fs)
        result = task_create(parent->process, files, fs, parent->cred, thread_begins, start, &task);
    if (result == 0) {
        result = inherit(task, request);
        if (result == 0)
            result = start_task(task, request);
        if (result < 0)
            task_destroy(task);
    } else if (files) {
        fd_table_unref(files);
    }
    if (result < 0)
        kfree(start);
    if (fs && fs != parent->fs)
        fs_context_unref(fs);
    return result;
}

static long do_clone(const struct trapframe *frame, const struct clone_request *request)
{
    int error = check_flags(request);

    if (error)
        return error;
    if (!(request->flags & CLONE_THREAD))
        return ledger_absent((unsigned)frame->syscall, frame->pc);
    return make_thread(frame, request);
}

long sys_clone(const reg_t arg[6])
{
    const struct trapframe *frame = (const struct trapframe *)(vaddr_t)arg;
    struct clone_request request = {
        .flags = arg[0] & ~(reg_t)CSIGNAL & 0xffffffffu,
        .stack = arg[1],
        .parent_tid = arg[2],
        .tls = arg[3],
        .child_tid = arg[4],
    };

    return do_clone(frame, &request);
}

struct abi64_clone_args {
    uint64_t flags, pidfd, child_tid, parent_tid, exit_signal, stack, stack_size, tls;
    uint64_t set_tid, set_tid_size, cgroup;
};

#define CLONE_ARGS_SIZE_VER0 64
#define PAGE                 4096u

/* A newer program's longer struct is fine if what we do not know is zero. */
static int get_clone_args(struct abi64_clone_args *args, vaddr_t from, size_t size)
{
    size_t known = size < sizeof(*args) ? size : sizeof(*args);

    if (size > PAGE)
        return -E2BIG;
    if (size < CLONE_ARGS_SIZE_VER0)
        return -EINVAL;
    memset(args, 0, sizeof(*args));
    if (copy_from_user(args, from, known))
        return -EFAULT;
    for (size_t at = known; at < size; at++) {
        uint8_t byte;

        if (get_user8(&byte, from + at))
            return -EFAULT;
        if (byte)
            return -E2BIG;
    }
    return 0;
}

__cold long sys_clone3(const reg_t arg[6])
{
    const struct trapframe *frame = (const struct trapframe *)(vaddr_t)arg;
    struct abi64_clone_args args;
    struct clone_request request;
    int error = get_clone_args(&args, arg[0], arg[1]);

    if (error)
        return error;
    if (args.flags & (CSIGNAL | CLONE_DETACHED) || (args.stack == 0) != (args.stack_size == 0) ||
        args.exit_signal > 64 || args.set_tid || args.set_tid_size)
        return -EINVAL;
    if ((args.flags & (CLONE_THREAD | CLONE_PARENT)) && args.exit_signal)
        return -EINVAL;
    request = (struct clone_request){.flags = args.flags & 0xffffffffu,
                                     .stack = args.stack + args.stack_size,
                                     .parent_tid = args.parent_tid,
                                     .child_tid = args.child_tid,
                                     .tls = args.tls};
    return do_clone(frame, &request);
}
