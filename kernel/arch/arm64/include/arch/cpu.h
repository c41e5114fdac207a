/* SPDX-License-Identifier: MIT */
/* This CPU: identity, sleep, and cache maintenance by virtual address (Arm ARM D7.5). */
#ifndef ARCH_CPU_H
#define ARCH_CPU_H

#include <arch/sysreg.h>
#include <lib/types.h>

#define MPIDR_AFFINITY_MASK 0xff00ffffffUL

/* The affinity fields of MPIDR_EL1, as a device tree's cpu `reg` gives them. */
static inline uint64_t cpu_mpidr(void)
{
    return sysreg_read(mpidr_el1) & MPIDR_AFFINITY_MASK;
}

/* Sleeps until an interrupt is pending, masked or not. Called with interrupts masked. */
static inline void cpu_wait_for_interrupt(void)
{
    dsb(sy);
    __asm__ volatile("wfi" ::: "memory");
}

/* Parks this CPU for good: interrupts masked, asleep. Any context. */
_Noreturn void cpu_halt(void);

/* Write back [start, start + length) to the point of coherency: for readers without caches. */
void dcache_clean_poc(const void *start, size_t length);

/* The same, and drop the lines: for memory that a reader or writer without caches also changes. */
void dcache_clean_invalidate_poc(const void *start, size_t length);

/*
 * Makes instructions written to [start, start + length) visible to instruction fetch on every CPU
 * of the inner shareable domain. The caller runs isb() on a CPU that was already executing there.
 */
void icache_sync(const void *start, size_t length);

/* Empties the instruction caches of all CPUs: for code that was put in memory before the kernel
 * ran. */
static inline void icache_invalidate_all(void)
{
    __asm__ volatile("ic ialluis" ::: "memory");
    dsb(ish);
    isb();
}

#endif
