/* SPDX-License-Identifier: MIT */
/*
 * Barriers (Arm ARM B2.3). smp_*: between CPUs of the inner shareable domain. dma_*: between CPUs
 * and devices that read memory (outer shareable). Every use names its partner.
 */
#ifndef ARCH_BARRIER_H
#define ARCH_BARRIER_H

#include <lib/types.h>

#define isb()      __asm__ volatile("isb" ::: "memory")
#define dsb(scope) __asm__ volatile("dsb " #scope ::: "memory")
#define dmb(scope) __asm__ volatile("dmb " #scope ::: "memory")

#define smp_mb()  dmb(ish)
#define smp_rmb() dmb(ishld)
#define smp_wmb() dmb(ishst)

#define dma_mb()  dmb(osh)
#define dma_rmb() dmb(oshld)
#define dma_wmb() dmb(oshst)

#define compiler_barrier() __asm__ volatile("" ::: "memory")

/* Pairs: what was written before a release is seen after an acquire that reads the released value.
 */
#define smp_load_acquire(pointer)         __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
#define smp_store_release(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)

/* One turn of a short busy wait. */
static inline void cpu_relax(void)
{
    __asm__ volatile("yield" ::: "memory");
}

/*
 * Waits until the word is zero, asleep between looks: the store that changes it clears the
 * exclusive monitor, which is an event (Arm ARM B2.9.2, D1.6.1). A hypervisor may run somebody else
 * meanwhile.
 */
static inline void wait_for_zero(const uint32_t *word)
{
    uint32_t value;

    __asm__ volatile("   sevl\n"
                     "1: wfe\n"
                     "   ldaxr %w0, %1\n"
                     "   cbnz %w0, 1b\n"
                     : "=&r"(value)
                     : "Q"(*word)
                     : "memory");
}

#endif
