/* SPDX-License-Identifier: MIT */
/*
 * Preemption of the current thread. Off while its count is not zero; spinlocks and interrupt
 * handlers count. Apart from thread.h because locks are part of a thread.
 */
#ifndef CORE_PREEMPT_H
#define CORE_PREEMPT_H

#include <arch/offsets.h>
#include <arch/thread.h>
#include <lib/compiler.h>
#include <lib/types.h>

/* Work to do before the thread returns to its program; bits of thread.work. */
#define WORK_RESCHEDULE 0x1U /* a better thread waits */
#define WORK_SIGNAL     0x2U /* a signal to deliver: ends interruptible sleeps */
#define WORK_KILL       0x4U /* the thread is to end: ends killable sleeps too */
#define WORK_FPU        0x8U /* its FP registers are not in the CPU */
#define WORK_TRACE      0x10U
#define WORK_SVE        0x20U /* has SVE registers, which a system call ends; no reason to turn */
#define WORK_ASYNC      0x40U /* it woke somebody who is told by a signal: file/async.h */

/* Fields of struct thread, before that is complete. */
static inline uint32_t *preempt_count(void)
{
    return (uint32_t *)((char *)current() + THREAD_PREEMPT_COUNT);
}

static inline bool reschedule_wanted(void)
{
    return READ_ONCE(*(uint32_t *)((char *)current() + THREAD_WORK)) & WORK_RESCHEDULE;
}

void preempt_check(void); /* core/sched.c: switches threads if interrupts are on */

/* The pair nests. The second may switch threads. */
static inline void preempt_disable(void)
{
    ++*preempt_count();
    __asm__ volatile("" ::: "memory");
}

static inline void preempt_enable_no_check(void)
{
    __asm__ volatile("" ::: "memory");
    --*preempt_count();
}

static inline void preempt_enable(void)
{
    preempt_enable_no_check();
    if (unlikely(reschedule_wanted()) && *preempt_count() == 0)
        preempt_check();
}

#endif
