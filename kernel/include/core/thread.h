/* SPDX-License-Identifier: MIT */
/*
 * Threads: a kernel stack and a saved context. A thread of a program is the same with an address
 * space and, in the linux layer, a struct around this one.
 */
#ifndef CORE_THREAD_H
#define CORE_THREAD_H

#include <arch/atomic.h>
#include <arch/context.h>
#include <arch/sve.h>
#include <arch/thread.h>
#include <core/defer.h>
#include <core/preempt.h>
#include <core/sched.h>
#include <core/timer.h>
#include <core/wait.h>
#include <lib/cpumask.h>
#include <lib/types.h>

struct cpu;
struct vmspace;

enum thread_state { THREAD_NEW, THREAD_RUNNABLE, THREAD_SLEEPING, THREAD_DEAD };

struct thread {
    /* --- offsets known to assembly: arch/offsets.h --- */
    reg_t stack_canary;
    atomic_t work;
    uint32_t preempt_count; /* 0: may be preempted */
    struct cpu *cpu;        /* where it runs or last ran; changed under the run queue's lock */
    void *stack;            /* lowest address; NULL for a boot thread */
    struct context context; /* callee-saved registers while it is not running */
    /* --- */

    char name[16];
    struct vmspace *vmspace; /* NULL: no program below 2^48 */
    bool is_task;            /* one of a process's, linux/process.h */
    struct fpu *fpu;         /* NULL until the program first uses FP */
    struct sve_length sve;   /* its vector length */
    bool user_tags;          /* system calls take the program's pointers with tags */

    uint8_t state; /* enum thread_state; written by itself, or under the run queue's lock */
    uint8_t sleep_how;
    uint8_t user_faults_disabled; /* depth; see arch/uaccess.h */
    bool on_queue;                /* running, or waiting for its CPU; run queue's lock */
    struct sched_entity sched;

    void (*entry)(void *argument);
    void *argument;
    /*
     * Called once the thread is off its CPU and stack for good and no look-up without lock can
     * still see it; kernel thread context. Frees the memory around `thread`.
     */
    void (*release)(struct thread *thread);
    struct deferred deferred;

#ifdef CONFIG_DEBUG_CHECKS
    struct {
        const void *lock;
        enum lock_rank rank;
    } sleeping[12]; /* mutexes and rwlocks held, lock.c */
    unsigned sleeping_count;
#endif
    struct timer sleep_timer;
    void (*serve)(void *argument); /* asked of it by an interrupt handler; see sched_serve() */
    void *serve_argument;
    struct thread *serve_other; /* who does it otherwise */
    bool may_serve;
    uint64_t user_ns, kernel_ns; /* CPU time; see thread_cpu_time() */
    bool found_in_kernel;        /* by the last interrupt: which of the two is charged */
    uint64_t voluntary_switches, involuntary_switches;
    struct list_node all_node; /* every thread, for the debugger and /proc; thread_list_lock */
};

/*
 * Prepares a thread in memory of the caller's (zeroed): allocates its stack, does not start it.
 * `release` may be NULL for memory that is not freed. -ENOMEM.
 */
int thread_create(struct thread *thread, const char *name, void (*entry)(void *), void *argument);

/* A secret for the new thread's stack protector or key. Supplied by device/rng.c. */
reg_t thread_secret(void);

/* Not while a function that never saw another one may return. */
static inline void thread_new_canary(struct thread *thread)
{
    thread->stack_canary = thread_secret() & ~(reg_t)0xff; /* a NUL ends strings */
}

/* That of the boot CPU, its idle thread later: TPIDR_EL1 points there from the start (boot.S). */
extern struct thread boot_thread;

/* Gives back what thread_create() took, for a thread that was never started. */
void thread_destroy(struct thread *thread);

/* Makes it runnable for the first time. */
void thread_start(struct thread *thread);

/* The same for the first of all, by the boot CPU's idle thread, which goes on when that CPU is
 * idle. */
void thread_start_first(struct thread *thread);

/* Or leaves it asleep until the first thread_wake(): no switch to a thread that has nothing to do
 * yet. */
void thread_start_asleep(struct thread *thread);

/* A kernel thread in one step, freed when `entry` returns. -ENOMEM. */
int thread_spawn(const char *name, void (*entry)(void *), void *argument, struct thread **out);

_Noreturn void thread_exit(void);

/* Adds work and makes the thread notice: wakes its sleep (as `how` allows), interrupts its CPU. */
void thread_set_work(struct thread *thread, uint32_t bits);
void thread_clear_work(struct thread *thread, uint32_t bits);

static inline bool thread_has_work(const struct thread *thread, uint32_t bits)
{
    return ((uint32_t)atomic_read(&thread->work) & bits) != 0;
}

/*
 * Nanoseconds of CPU time, the current slice included. The sum is exact; how it divides is sampled:
 * time is charged to the mode in which an interrupt last found the thread.
 */
void thread_cpu_time(const struct thread *thread, uint64_t *user_ns, uint64_t *kernel_ns);

void thread_set_name(struct thread *thread, const char *name);

#endif
