/* SPDX-License-Identifier: MIT */
/* One struct per CPU, found through the current thread. */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include <arch/thread.h>
#include <core/thread.h>
#include <core/waitq.h>
#include <lib/compiler.h>
#include <lib/cpumask.h>
#include <lib/types.h>

struct run_queue; /* core/sched.c */
struct page_cpu;  /* mm/page.c: this CPU's free pages */
struct slab_cpu;

struct cpu {
    unsigned id;    /* 0..cpu_count()-1, the boot CPU is 0 */
    uint64_t mpidr; /* affinity fields */
    bool online;
    struct thread *idle;
    struct thread *fpu_owner; /* whose FP state is in the registers, if still so; see arch/fpu.h */
    uint8_t fpu_access;       /* what of FP and SVE CPACR_EL1 lets EL0 use; fpu.c */
    uint8_t sve_vq;           /* the vector length in ZCR_EL1, 0: unknown */
    struct vmspace *vmspace;  /* whose tables TTBR0 holds, NULL for none */
    uint64_t asid_generation;

    struct run_queue *queue;
    struct thread *queue_running; /* whom its run queue has on the CPU now */

    struct { /* core/timer.c */
        struct spinlock lock;
        struct rb_root tree;
        struct timer *running;
        uint64_t programmed_ns; /* deadline the hardware is set to, UINT64_MAX for none */
        uint64_t slice_end_ns;  /* when the running thread's slice is up, UINT64_MAX: never */
    } timers;

    struct {           /* core/defer.c */
        uint64_t seen; /* grace period whose end this CPU has passed; written by itself */
        bool idle;     /* asleep: counts as quiescent */
    } defer;

    unsigned interrupt_depth;
    uint64_t interrupt_count, timer_interrupt_count, ipi_count;
    uint64_t idle_ns, idle_since_ns;
    struct page_cpu *pages;
    struct slab_cpu *slabs;
    void *emergency_stack; /* top of the stack for overflow of another one */
    uint64_t work_ipi;     /* core/ipi.c: bits of pending inter-processor work, atomic */
    uint32_t held_count;   /* spinlocks held; debug builds keep which */
    const struct spinlock *held[16];
};

/* The CPU this runs on: stable only with preemption or interrupts off. */
static inline struct cpu *this_cpu(void)
{
    return current()->cpu;
}

extern struct cpu *cpu_table[MAX_CPUS];

/* CPUs that the machine has and that came up; ids are dense. */
unsigned cpu_count(void);
extern struct cpumask cpu_online_mask;

#define for_each_cpu(cpu) \
    for (unsigned i_ = 0; i_ < cpu_count() && ((cpu) = cpu_table[i_], true); i_++)

#endif
