/* SPDX-License-Identifier: MIT */
/* <core/percpu.h> for the host: one CPU. */
#ifndef CORE_PERCPU_H
#define CORE_PERCPU_H

#include <lib/cpumask.h>
#include <lib/types.h>

struct cpu {
    unsigned id;
};

static inline struct cpu *this_cpu(void)
{
    static struct cpu cpu;
    return &cpu;
}

#endif
