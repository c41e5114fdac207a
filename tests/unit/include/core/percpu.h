/* SPDX-License-Identifier: MIT */
/* <core/percpu.h> for the host: one CPU. */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include <core/lock.h>
#include <lib/cpumask.h>
#include <lib/rbtree.h>
#include <lib/types.h>

struct page_cpu;
struct slab_cpu;
struct thread;
struct timer;
struct vmspace;

struct cpu {
    unsigned id;
    struct vmspace *vmspace;
    struct page_cpu *pages;
    struct slab_cpu *slabs;
    struct { /* core/timer.c */
        struct spinlock lock;
        struct rb_root tree;
        struct timer *running;
        uint64_t programmed_ns, slice_end_ns;
    } timers;
    uint64_t timer_interrupt_count;
};

extern struct cpu unit_cpu; /* fakes.c */
extern struct cpumask cpu_online_mask;

static inline struct cpu *this_cpu(void)
{
    return &unit_cpu;
}

#define for_each_cpu(cpu) for (bool once_ = ((cpu) = &unit_cpu, true); once_; once_ = false)

#endif
