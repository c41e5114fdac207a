/* SPDX-License-Identifier: MIT */
/* <arch/barrier.h> for the host. */
#ifndef ARCH_BARRIER_H
#define ARCH_BARRIER_H

#define smp_mb()           __atomic_thread_fence(__ATOMIC_SEQ_CST)
#define smp_rmb()          __atomic_thread_fence(__ATOMIC_ACQUIRE)
#define smp_wmb()          __atomic_thread_fence(__ATOMIC_RELEASE)
#define dsb(scope)         smp_mb()
#define isb()              compiler_barrier()
#define dma_mb()           smp_mb()
#define dma_rmb()          smp_rmb()
#define dma_wmb()          smp_wmb()
#define compiler_barrier() __asm__ volatile("" ::: "memory")

#define smp_load_acquire(pointer)         __atomic_load_n((pointer), __ATOMIC_ACQUIRE)
#define smp_store_release(pointer, value) __atomic_store_n((pointer), (value), __ATOMIC_RELEASE)

static inline void cpu_relax(void)
{
}

#endif
