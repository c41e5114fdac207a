/* SPDX-License-Identifier: MIT
 *
 * Signals: state, sending, masks, delivery (signal(7), sigaction(2); Linux's numbers for arm64).
 *
 * A signal is pending either for a process (any thread takes it) or for one thread. Standard
 * signals are pending at most once; real-time ones (SIGRTMIN..SIGRTMAX) queue. All of this state is
 * guarded by process->signal_lock, a spinlock taken with interrupts off, because timers send
 * signals.
 */
#ifndef LINUX_SIGNAL_H
#define LINUX_SIGNAL_H

#include <lib/list.h>
#include <lib/types.h>

struct process;
struct task;
struct trapframe;
struct waitq;

#define SIGHUP    1
#define SIGINT    2
#define SIGQUIT   3
#define SIGILL    4
#define SIGTRAP   5
#define SIGABRT   6
#define SIGBUS    7
#define SIGFPE    8
#define SIGKILL   9
#define SIGUSR1   10
#define SIGSEGV   11
#define SIGUSR2   12
#define SIGPIPE   13
#define SIGALRM   14
#define SIGTERM   15
#define SIGSTKFLT 16
#define SIGCHLD   17
#define SIGCONT   18
#define SIGSTOP   19
#define SIGTSTP   20
#define SIGTTIN   21
#define SIGTTOU   22
#define SIGURG    23
#define SIGXCPU   24
#define SIGXFSZ   25
#define SIGVTALRM 26
#define SIGPROF   27
#define SIGWINCH  28
#define SIGIO     29
#define SIGPWR    30
#define SIGSYS    31
#define SIGRTMIN  32
#define SIGRTMAX  64
#define SIGNALS   64

/* si_code */
#define SI_USER      0
#define SI_KERNEL    0x80
#define SI_QUEUE     (-1)
#define SI_TIMER     (-2)
#define SI_MESGQ     (-3)
#define SI_ASYNCIO   (-4)
#define SI_SIGIO     (-5)
#define SI_TKILL     (-6)
#define ILL_ILLOPC   1
#define ILL_ILLOPN   2
#define ILL_PRVOPC   5
#define FPE_INTDIV   1
#define FPE_FLTDIV   3
#define FPE_FLTOVF   4
#define FPE_FLTUND   5
#define FPE_FLTRES   6
#define FPE_FLTINV   7
#define FPE_FLTUNK   14
#define SEGV_MAPERR  1
#define SEGV_ACCERR  2
#define SEGV_MTEAERR 8
#define BUS_ADRALN   1
#define BUS_ADRERR   2
#define BUS_OBJERR   3
#define TRAP_BRKPT   1
#define TRAP_TRACE   2
#define TRAP_HWBKPT  4
#define CLD_EXITED   1
#define CLD_KILLED   2
#define CLD_DUMPED   3

/* sa_flags */
#define SA_NOCLDSTOP      0x00000001u
#define SA_NOCLDWAIT      0x00000002u
#define SA_SIGINFO        0x00000004u
#define SA_UNSUPPORTED    0x00000400u
#define SA_EXPOSE_TAGBITS 0x00000800u
#define SA_RESTORER       0x04000000u
#define SA_ONSTACK        0x08000000u
#define SA_RESTART        0x10000000u
#define SA_NODEFER        0x40000000u
#define SA_RESETHAND      0x80000000u

#define SIG_DFL 0
#define SIG_IGN 1

/* A set of signals: bit n-1 is signal n, as in the ABI. */
typedef uint64_t sigset_t;

static inline sigset_t sigset_of(int signo)
{
    return (sigset_t)1 << (signo - 1);
}

/*
 * What is known about one signal; the ABI's siginfo_t is made from it (abi64/siginfo.c). Which
 * fields count follows from signo and code as siginfo's union does.
 */
struct signal_info {
    int signo, error, code;
    union {
        int pid;      /* sender; child for SIGCHLD */
        int timer_id; /* SI_TIMER */
        int fd;       /* SIGIO */
    };
    union {
        uint32_t uid; /* of pid */
        int overrun;  /* SI_TIMER */
        int band;     /* SIGIO */
    };
    union {
        int status;   /* SIGCHLD; number of the call for SIGSYS */
        unsigned tag; /* faults: bits 56 to 63 of the pointer */
    };
    union {
        uint64_t value; /* sigval */
        vaddr_t addr;   /* faults; call address for SIGSYS */
    };
    uint64_t esr; /* syndrome of a fault, 0 for others: for the ESR record */
};

/* Which of the unions' fields count. */
enum signal_info_kind {
    SIGNAL_INFO_QUEUE, /* pid, uid, value */
    SIGNAL_INFO_TIMER, /* timer_id, overrun, value */
    SIGNAL_INFO_CHILD, /* pid, uid, status */
    SIGNAL_INFO_FAULT, /* addr */
    SIGNAL_INFO_IO,    /* fd, band */
    SIGNAL_INFO_CALL,  /* addr, status */
};
enum signal_info_kind signal_info_kind(const struct signal_info *info);

/* One queued signal. */
struct signal_entry {
    struct list_node node;
    struct signal_info info;
};

struct signal_pending {
    sigset_t set;
    struct signal_info
        single;             /* of one standard signal, single.signo; 0: none. Saves a queue entry */
    struct list_node queue; /* of struct signal_entry */
};

struct signal_action {
    vaddr_t handler; /* SIG_DFL, SIG_IGN or an address */
    vaddr_t restorer;
    uint32_t flags;
    sigset_t mask;
};

struct signal_stack {
    vaddr_t sp;
    size_t size;
    int flags;
};

/*
 * Sending. Any context, interrupts included; never sleeps. 0, or -EAGAIN when a real-time signal
 * found no room in the queue (RLIMIT_SIGPENDING). Ignored signals are dropped. `info->signo` says
 * which. The target must be kept alive by the caller.
 */
int signal_send_process(struct process *process, const struct signal_info *info);
int signal_send_task(struct task *task, const struct signal_info *info);

/*
 * A fault of the running thread: cannot be blocked or ignored; if it is, the default action is
 * taken. Called on the way from the exception, delivered on return to EL0.
 */
void signal_force(const struct signal_info *info);

/* To all processes of a group (pgid > 0) or the foreground one; for the terminal. Any context. */
int signal_send_group(int pgid, const struct signal_info *info);

/*
 * ppoll, pselect6, epoll_pwait: takes the set at user address `set` (size must be 8; set 0: nothing
 * is done) as the mask until the call ends. If the call ends in -EINTR or a restart code the old
 * mask comes back after the handler was chosen, otherwise call signal_mask_restore() with the
 * result: it returns `result` unchanged. 0, -EINVAL, -EFAULT. Calling thread only.
 */
int signal_mask_temporary(vaddr_t set, size_t size);
long signal_mask_restore(long result);

/* Is an unblocked signal waiting for the running thread? (The reason of -ERESTARTSYS.) */
bool signal_is_pending(void);

/*
 * signalfd: takes the next pending signal of the running thread or its process that is in `set`.
 * Returns its number and fills *info, or 0. The wait queue is woken with POLLIN at every send.
 */
int signal_take(sigset_t set, struct signal_info *info);
sigset_t signal_pending_set(void);
struct waitq *signal_waitq(struct process *process);

/* On the way to EL0: takes pending signals, builds a frame or ends the process, restarts calls. */
void signal_deliver(struct trapframe *tf);

/* execve: handlers become SIG_DFL, the alternate stack goes; the mask and ignored signals stay. */
void signal_exec(struct task *task);

void signal_pending_init(struct signal_pending *pending);
/* Drops the signals of `set` that are queued; process->signal_lock held. */
void signal_pending_flush_locked(struct process *process, struct signal_pending *pending,
                                 sigset_t set);

/* "SIGSEGV" etc.; "SIGRT" for the real-time ones. */
const char *signal_name(int signo);

#endif
