/* SPDX-License-Identifier: MIT */
/*
 * Device registers. Every access is one load or store of one general register without write-back:
 * a hypervisor can emulate no other form (Arm ARM ESR_ELx.ISS.ISV). `_relaxed` forms order nothing
 * but accesses to the same device; the plain ones also order memory: reads before what follows,
 * what went before in front of writes.
 */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include <arch/barrier.h>
#include <lib/types.h>

#define MMIO_ACCESSORS(suffix, type, load, store, width)                           \
    static inline type read##suffix##_relaxed(const volatile void *address)        \
    {                                                                              \
        type value;                                                                \
        __asm__ volatile(load " %" width "0, [%1]" : "=r"(value) : "r"(address));  \
        return value;                                                              \
    }                                                                              \
    static inline void write##suffix##_relaxed(type value, volatile void *address) \
    {                                                                              \
        __asm__ volatile(store " %" width "0, [%1]" ::"rZ"(value), "r"(address));  \
    }                                                                              \
    static inline type read##suffix(const volatile void *address)                  \
    {                                                                              \
        type value = read##suffix##_relaxed(address);                              \
        dma_rmb();                                                                 \
        return value;                                                              \
    }                                                                              \
    static inline void write##suffix(type value, volatile void *address)           \
    {                                                                              \
        dma_wmb();                                                                 \
        write##suffix##_relaxed(value, address);                                   \
    }

MMIO_ACCESSORS(b, uint8_t, "ldrb", "strb", "w")
MMIO_ACCESSORS(w, uint16_t, "ldrh", "strh", "w")
MMIO_ACCESSORS(l, uint32_t, "ldr", "str", "w")
MMIO_ACCESSORS(q, uint64_t, "ldr", "str", "x")

#undef MMIO_ACCESSORS

#endif
