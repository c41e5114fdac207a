/* SPDX-License-Identifier: MIT
 *
 * Processes and their threads as Linux programs know them.
 *
 * A task is one thread of a program; it embeds the kernel thread that runs it. A process is what
 * its tasks share: address space, descriptors, directory context and credentials, signal state,
 * limits. Nothing here assumes that there is one process only.
 *
 * Lifetime: a process is reference counted; each of its tasks, the pid table and whoever looked it
 * up hold one. A task is freed after its stack is off-CPU, through defer_free(): task_find()
 * results are valid within defer_read_begin/end.
 */
#ifndef LINUX_PROCESS_H
#define LINUX_PROCESS_H

#include <arch/atomic.h>
#include <arch/thread.h>
#include <core/defer.h>
#include <core/lock.h>
#include <core/thread.h>
#include <core/timer.h>
#include <core/wait.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>
#include <linux/signal.h>

struct fd_table;
struct file;
struct fs_context;
struct cred;
struct inode;
struct io;
struct vmspace;
struct posix_timer;
struct futex_waiter;

enum {
    RLIMIT_CPU,
    RLIMIT_FSIZE,
    RLIMIT_DATA,
    RLIMIT_STACK,
    RLIMIT_CORE,
    RLIMIT_RSS,
    RLIMIT_NPROC,
    RLIMIT_NOFILE,
    RLIMIT_MEMLOCK,
    RLIMIT_AS,
    RLIMIT_LOCKS,
    RLIMIT_SIGPENDING,
    RLIMIT_MSGQUEUE,
    RLIMIT_NICE,
    RLIMIT_RTPRIO,
    RLIMIT_RTTIME,
    RLIMITS
};
#define RLIM_INFINITY UINT64_MAX

struct rlimit {
    uint64_t soft, hard;
};

/* setitimer(2). Changed by the process's own tasks and by the timer's interrupt. */
struct interval_timer {
    struct timer timer;
    uint64_t interval_ns;
    uint64_t expires_ns; /* on its clock; 0: not armed */
};

/* Where exec put things, for /proc and prctl; written by exec and prctl(PR_SET_MM) only. */
struct exec_layout {
    vaddr_t arg_start, arg_end, env_start, env_end;
    vaddr_t code_start, code_end, data_start, data_end, brk_start, stack_start;
    vaddr_t vdso, entry;
    unsigned auxv_count;
    uint64_t auxv[2 * 32];
};

struct process {
    atomic_t refs;
    int pid, pgid, sid;
    struct process *parent; /* NULL for the first */
    struct deferred free_later;
    struct list_node all; /* every process, under pids_lock */

    struct vmspace *vmspace; /* replaced by exec under `lock` */
    struct file *executable; /* /proc/self/exe; replaced by exec under `lock` */
    struct exec_layout layout;

    struct spinlock lock;   /* guards tasks, task_count, limits, children */
    struct list_node tasks; /* struct task.sibling */
    unsigned task_count;
    struct list_node children;
    struct list_node sibling;
    struct waitq exec_wait; /* exec and exit wait here for the other tasks to go */
    struct waitq child_wait;
    struct waitq exit_wait; /* pidfd: woken when the last task has gone */
    struct rlimit limits[RLIMITS];

    struct spinlock signal_lock; /* guards the rest of this block and each task's signal state */
    struct signal_action actions[SIGNALS];
    struct signal_pending pending;
    struct waitq signal_waitq; /* signalfd, sigtimedwait */
    unsigned queued_count;
    bool exiting; /* all tasks must end; exit_status is final */
    bool stopped; /* SIGSTOP, until SIGCONT or SIGKILL */
    struct waitq stop_wait;
    struct task *exec_task; /* the one task that stays during an exec */
    int exit_status;        /* as wait(2) has it: code << 8 | signal */

    struct interval_timer itimer[3]; /* ITIMER_REAL, _VIRTUAL, _PROF */
    struct list_node posix_timers;
    int next_timer_id;

    uint64_t start_ns;
    uint64_t dead_utime_ns, dead_stime_ns; /* of tasks that ended */
    bool dumpable, no_new_privs, child_subreaper, thp_disabled;
    bool private_barriers, core_barriers; /* what membarrier(2) was told to expect */
    uint32_t personality;
    uint32_t oom_score_adj;
};

/* A restartable sleep: what restart_syscall() continues. */
struct restart {
    long (*fn)(struct restart *);
    uint64_t deadline_ns;
    vaddr_t user;
    unsigned clock, value, flags, bitset;
};

/* set_mempolicy(2); linux/mempolicy.c */
struct memory_policy {
    unsigned mode;  /* with its flags */
    uint64_t nodes; /* a mask */
};

struct task {
    struct thread thread;
    struct process *process;
    struct list_node sibling; /* process->tasks */
    int tid;
    struct task *tid_next; /* chain of the tid table */

    sigset_t blocked; /* own thread writes, under signal_lock */
    sigset_t saved_mask;
    bool has_saved_mask;
    struct signal_pending pending;
    struct signal_stack altstack;
    sigset_t waiting_for; /* sigtimedwait */
    struct restart restart;

    struct fd_table *files; /* this task is one of its users; NULL only while it ends */

    struct fs_context *fs; /* cwd, root, umask; a reference */
    /* A reference. Replaced by the task itself, under process->lock; others read it under that. */
    const struct cred *cred;

    vaddr_t clear_child_tid;
    vaddr_t robust_list;
    /* Futexes that are locks (linux/futex_inherit.c); changed under its lock. */
    struct list_node lock_waiters;  /* who waits for a lock of this task */
    struct futex_waiter *lock_wait; /* its own wait for one; NULL: none */
    bool has_left_locks;            /* it is ending, and its locks go to others */
    int parent_death_signal;
    uint64_t timer_slack_ns;
    struct memory_policy policy; /* its own thread's alone */
};

static inline struct task *task_of(struct thread *thread)
{
    return container_of(thread, struct task, thread);
}

/* Of the running thread: descriptors, address space. Only in a thread that runs a program. */
static inline struct fd_table *current_files(void)
{
    return task_of(current())->files;
}

/* The running task. Only in a thread that runs a program (system calls, faults). */
static inline struct task *current_task(void)
{
    return task_of(current());
}

static inline struct process *current_process(void)
{
    return current_task()->process;
}

/* False in kernel threads. */
static inline bool thread_is_task(const struct thread *thread)
{
    return thread->is_task;
}

void process_ref(struct process *process);
void process_unref(struct process *process);

/* Looks a process up and takes a reference; NULL if there is none. */
struct process *process_find(int pid);

/* Calls fn for every process until it returns non-zero, which is then the result. */
int process_for_each(int (*fn)(struct process *, void *), void *arg);

/* A task by tid; valid until defer_read_end(). */
struct task *task_find(int tid);

/* The soft limit of the running process. */
uint64_t process_limit(unsigned resource);

/* CPU time of all tasks, dead ones included, ns. */
void process_times(struct process *process, uint64_t *user_ns, uint64_t *system_ns);

/* Replaces the current task's credentials; takes that reference over, returns the old one. */
const struct cred *task_swap_cred(const struct cred *cred);

/*
 * init/main.c, last step of the boot thread: starts process 1. It calls `prepare`, reads the
 * manifest and bootargs, opens descriptors 0, 1, 2 on the console, and execs the program; until
 * then it has no address space. A failure there ends the guest with status 126 or 127 and a
 * message. -ENOMEM.
 */
struct first_program {
    void (*prepare)(void);   /* what its start needs: the root */
    bool (*needs_all)(void); /* after `prepare`: its start needs what `finish` brings, too */
    void (*finish)(void);    /* devices, network, mounts; else beside it (linux/late_boot.h) */
};
int process_start_init(const struct first_program *first);

/* Ends the running process (all tasks) with a status as wait(2) has it; does not return. */
_Noreturn void process_exit(int wait_status);

/* Ends the running task; the process with it if it was the last. Called with nothing held. */
_Noreturn void task_exit(int code);

#endif
