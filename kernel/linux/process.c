/* SPDX-License-Identifier: MIT
 *
 * The tables of processes and threads: numbers, look-up, lifetime; and the calls that tell them.
 */
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/lock.h>
#include <core/thread.h>
#include <file/fdtable.h>
#include <fs/context.h>
#include <fs/cred.h>
#include <fs/open.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "process_internal.h"

#define PID_MAX     32768
#define TID_BUCKETS 64

/* pids_lock guards changes of all three; the chains are read between defer_read_begin and _end. */
static struct spinlock pids_lock = SPINLOCK_INIT(RANK_PIDS);
static struct task *tid_table[TID_BUCKETS];
static struct list_node processes = {&processes, &processes};
static int last_tid;

static struct task **tid_bucket(int tid)
{
    return &tid_table[(unsigned)tid % TID_BUCKETS];
}

struct task *task_find(int tid)
{
    struct task *task = READ_ONCE(*tid_bucket(tid));

    while (task && task->tid != tid)
        task = READ_ONCE(task->tid_next);
    return task;
}

static bool number_is_used_locked(int number)
{
    struct process *process;

    if (task_find(number))
        return true;
    list_for_each_entry (process, &processes, all) {
        if (process->pid == number || process->pgid == number || process->sid == number)
            return true;
    }
    return false;
}

static int next_number_locked(void)
{
    for (int tries = 0; tries < PID_MAX; tries++) {
        last_tid = last_tid >= PID_MAX - 1 ? 2 : last_tid + 1;
        if (!number_is_used_locked(last_tid))
            return last_tid;
    }
    return -EAGAIN;
}

static void link_task_locked(struct task *task)
{
    struct task **bucket = tid_bucket(task->tid);

    task->tid_next = *bucket;
    smp_store_release(bucket, task);
}

static void unlink_task_locked(struct task *task)
{
    struct task **link = tid_bucket(task->tid);

    while (*link != task)
        link = &(*link)->tid_next;
    WRITE_ONCE(*link, task->tid_next);
}

int task_number(struct task *task)
{
    reg_t flags = spin_lock_irq(&pids_lock);
    int tid = next_number_locked();

    if (tid > 0) {
        task->tid = tid;
        link_task_locked(task);
    }
    spin_unlock_irq(&pids_lock, flags);
    return tid;
}

void task_forget_number(struct task *task)
{
    reg_t flags = spin_lock_irq(&pids_lock);

    unlink_task_locked(task);
    spin_unlock_irq(&pids_lock, flags);
}

/* exec by a thread that is not the first: it becomes the first and takes the process's number. */
void task_take_pid(struct task *task)
{
    reg_t flags = spin_lock_irq(&pids_lock);

    unlink_task_locked(task);
    task->tid = task->process->pid;
    link_task_locked(task);
    spin_unlock_irq(&pids_lock, flags);
}

static const struct rlimit first_limits[RLIMITS] = {
    [RLIMIT_CPU] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_FSIZE] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_DATA] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_STACK] = {8 << 20, RLIM_INFINITY},
    [RLIMIT_CORE] = {0, RLIM_INFINITY},
    [RLIMIT_RSS] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_NPROC] = {PID_MAX, PID_MAX},
    [RLIMIT_NOFILE] = {1024, 1 << 20},
    [RLIMIT_MEMLOCK] = {8 << 20, 8 << 20},
    [RLIMIT_AS] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_LOCKS] = {RLIM_INFINITY, RLIM_INFINITY},
    [RLIMIT_SIGPENDING] = {4096, 4096},
    [RLIMIT_MSGQUEUE] = {819200, 819200},
    [RLIMIT_NICE] = {0, 0},
    [RLIMIT_RTPRIO] = {0, 0},
    [RLIMIT_RTTIME] = {RLIM_INFINITY, RLIM_INFINITY},
};

struct process *process_create(void)
{
    struct process *process = kzalloc(sizeof(*process));

    if (!process)
        return NULL;
    spin_init(&process->lock, RANK_TASKS);
    spin_init(&process->signal_lock, RANK_SIGNAL);
    list_init(&process->tasks);
    list_init(&process->children);
    list_init(&process->posix_timers);
    waitq_init(&process->exec_wait);
    waitq_init(&process->child_wait);
    waitq_init(&process->exit_wait);
    waitq_init(&process->signal_waitq);
    waitq_init(&process->stop_wait);
    signal_pending_init(&process->pending);
    for (unsigned i = 0; i < RLIMITS; i++)
        process->limits[i] = first_limits[i];
    process->dumpable = true;
    process->start_ns = clock_monotonic_ns();
    timers_init(process);
    return process;
}

/* Makes a process and its first task findable under one number. */
int process_publish(struct process *process, struct task *first)
{
    reg_t flags = spin_lock_irq(&pids_lock);
    int pid = next_number_locked();

    if (pid > 0) {
        process->pid = process->pgid = process->sid = pid;
        first->tid = pid;
        link_task_locked(first);
        list_add_tail(&processes, &process->all);
    }
    spin_unlock_irq(&pids_lock, flags);
    return pid;
}

/* Both locks: senders of signals walk the list under signal_lock. */
void task_join_process(struct task *task)
{
    struct process *process = task->process;
    reg_t flags = spin_lock_irq(&process->lock);

    spin_lock(&process->signal_lock);
    list_add_tail(&process->tasks, &task->sibling);
    process->task_count++;
    spin_unlock(&process->signal_lock);
    spin_unlock_irq(&process->lock, flags);
}

void process_ref(struct process *process)
{
    atomic_inc(&process->refs);
}

static void process_free(struct deferred *deferred)
{
    kfree(container_of(deferred, struct process, free_later));
}

void process_unref(struct process *process)
{
    reg_t flags;

    if (!atomic_dec_and_test(&process->refs))
        return;
    flags = spin_lock_irq(&pids_lock);
    list_del(&process->all);
    spin_unlock_irq(&pids_lock, flags);
    if (process->vmspace)
        vmspace_unref(process->vmspace);
    if (process->executable)
        fs_close_exec(process->executable);
    defer_free(&process->free_later, process_free);
}

struct process *process_find(int pid)
{
    struct process *process, *found = NULL;
    reg_t flags = spin_lock_irq(&pids_lock);

    list_for_each_entry (process, &processes, all) {
        if (process->pid == pid && atomic_inc_not_zero(&process->refs)) {
            found = process;
            break;
        }
    }
    spin_unlock_irq(&pids_lock, flags);
    return found;
}

/* The process with the lowest number above `pid`, referenced. */
struct process *process_next(int pid)
{
    struct process *process, *best = NULL;
    reg_t flags = spin_lock_irq(&pids_lock);

    list_for_each_entry (process, &processes, all) {
        if (process->pid > pid && (!best || process->pid < best->pid))
            best = process;
    }
    if (best && !atomic_inc_not_zero(&best->refs))
        best = NULL;
    spin_unlock_irq(&pids_lock, flags);
    return best;
}

int process_for_each(int (*fn)(struct process *, void *), void *arg)
{
    struct process *process;
    int pid = 0, result = 0;

    while (!result && (process = process_next(pid)) != NULL) {
        pid = process->pid;
        result = fn(process, arg);
        process_unref(process);
    }
    return result;
}

uint64_t process_limit(unsigned resource)
{
    return READ_ONCE(current_process()->limits[resource].soft);
}

uint64_t file_size_limit(void)
{
    return thread_is_task(current()) ? process_limit(RLIMIT_FSIZE) : UINT64_MAX;
}

void process_times(struct process *process, uint64_t *user_ns, uint64_t *system_ns)
{
    struct task *task;
    reg_t flags = spin_lock_irq(&process->lock);

    *user_ns = process->dead_utime_ns;
    *system_ns = process->dead_stime_ns;
    list_for_each_entry (task, &process->tasks, sibling) {
        uint64_t user, kernel;

        thread_cpu_time(&task->thread, &user, &kernel);
        *user_ns += user;
        *system_ns += kernel;
    }
    spin_unlock_irq(&process->lock, flags);
}

/* What fs asks about the running thread. */
struct fs_context *fs_current(void)
{
    return thread_is_task(current()) ? current_task()->fs : &fs_init_context;
}

const struct cred *cred_current(void)
{
    return thread_is_task(current()) ? current_task()->cred : &cred_root;
}

/* --- calls --- */

long sys_getpid(const reg_t arg[6])
{
    (void)arg;
    return current_process()->pid;
}

long sys_gettid(const reg_t arg[6])
{
    (void)arg;
    return current_task()->tid;
}

long sys_getppid(const reg_t arg[6])
{
    const struct process *parent = current_process()->parent;

    (void)arg;
    return parent ? parent->pid : 0;
}

static struct process *process_of_arg(int pid)
{
    if (pid == 0 || pid == current_process()->pid) {
        process_ref(current_process());
        return current_process();
    }
    return pid < 0 ? NULL : process_find(pid);
}

long sys_getpgid(const reg_t arg[6])
{
    struct process *process = process_of_arg((int)arg[0]);
    long pgid;

    if (!process)
        return -ESRCH;
    pgid = process->pgid;
    process_unref(process);
    return pgid;
}

long sys_getsid(const reg_t arg[6])
{
    struct process *process = process_of_arg((int)arg[0]);
    long sid;

    if (!process)
        return -ESRCH;
    sid = process->sid;
    process_unref(process);
    return sid;
}

static int in_group_and_session(struct process *process, void *arg)
{
    const int *group_and_session = arg;

    return process->pgid == group_and_session[0] && process->sid == group_and_session[1];
}

static long set_group(struct process *process, int pgid)
{
    struct process *self = current_process();
    int wanted[2] = {pgid, self->sid};

    if (process != self && process->parent != self)
        return -ESRCH;
    if (process->sid != self->sid || process->pid == process->sid)
        return -EPERM;
    if (pgid != process->pid && !process_for_each(in_group_and_session, wanted))
        return -EPERM;
    process->pgid = pgid;
    return 0;
}

long sys_setpgid(const reg_t arg[6])
{
    struct process *process;
    int pgid = (int)arg[1];
    long error;

    if (pgid < 0)
        return -EINVAL;
    process = process_of_arg((int)arg[0]);
    if (!process)
        return -ESRCH;
    error = set_group(process, pgid ? pgid : process->pid);
    process_unref(process);
    return error;
}

long sys_setsid(const reg_t arg[6])
{
    struct process *process = current_process();

    (void)arg;
    if (process->pgid == process->pid)
        return -EPERM;
    process->sid = process->pgid = process->pid;
    return process->sid;
}

long sys_set_tid_address(const reg_t arg[6])
{
    current_task()->clear_child_tid = arg[0];
    return current_task()->tid;
}
