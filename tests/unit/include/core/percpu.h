/* SPDX-License-Identifier: MIT */
/* <core/percpu.h> for the host: one CPU. */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include <lib/cpumask.h>
#include <lib/types.h>

struct page_cpu;
struct slab_cpu;
struct vmspace;

struct cpu {
    unsigned id;
    struct vmspace *vmspace;
    struct page_cpu *pages;
    struct slab_cpu *slabs;
};

extern struct cpu unit_cpu; /* fakes.c */

static inline struct cpu *this_cpu(void)
{
    return &unit_cpu;
}

#define for_each_cpu(cpu) for (bool once_ = ((cpu) = &unit_cpu, true); once_; once_ = false)

#endif
