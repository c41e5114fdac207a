/* SPDX-License-Identifier: MIT */
/* Between the files of the scheduler and its callers in core/ and arch/. */
#ifndef CORE_SCHED_INTERNAL_H
#define CORE_SCHED_INTERNAL_H

#include <core/percpu.h>

/* The CPU that a runnable thread should go to. Any locks: it only reads. */
struct cpu *sched_choose_cpu(const struct thread *thread);

/* Evens out this CPU's queue with the others'; interrupts masked, no queue lock held. */
void sched_balance(void);

/* A thread of another CPU for this idle one; interrupts masked. Returns whether one came. */
bool sched_pull(unsigned least_count);

void sched_slice_ended(void);

/* At the first switch of threads after loadavg_due_ns, interrupts masked. */
extern uint64_t loadavg_due_ns;
void loadavg_update(uint64_t now_ns, bool was_idle);

/* First code of a new thread; called by arch. */
void sched_thread_entered(void);

/* Runs `change` on a thread out of its queue, so that no order depends on what changes. */
void sched_change(struct thread *thread, void (*change)(struct thread *, const void *),
                  const void *with);

/* The thread is off its CPU for good: frees it once no reader can see it. */
void thread_retire(struct thread *thread);

/* Waits for an interrupt and takes it, on this CPU, which has nothing to do. Interrupts masked. */
void cpu_rest(struct cpu *cpu);

/* What the idle thread does for ever. */
_Noreturn void idle_loop(void);

#endif
