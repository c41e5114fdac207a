/* SPDX-License-Identifier: MIT */
/* <arch/mmio.h> for the host: a test is the device. */
#ifndef ARCH_MMIO_H
#define ARCH_MMIO_H

#include <arch/barrier.h>
#include <lib/types.h>

/* Defined by the test. */
uint64_t fake_mmio_read(uintptr_t address, unsigned size);
void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size);

#define MMIO_ACCESSORS(suffix, type)                                               \
    static inline type read##suffix##_relaxed(const volatile void *address)        \
    {                                                                              \
        return (type)fake_mmio_read((uintptr_t)address, sizeof(type));             \
    }                                                                              \
    static inline void write##suffix##_relaxed(type value, volatile void *address) \
    {                                                                              \
        fake_mmio_write((uintptr_t)address, value, sizeof(type));                  \
    }                                                                              \
    static inline type read##suffix(const volatile void *address)                  \
    {                                                                              \
        return read##suffix##_relaxed(address);                                    \
    }                                                                              \
    static inline void write##suffix(type value, volatile void *address)           \
    {                                                                              \
        write##suffix##_relaxed(value, address);                                   \
    }

MMIO_ACCESSORS(b, uint8_t)
MMIO_ACCESSORS(w, uint16_t)
MMIO_ACCESSORS(l, uint32_t)
MMIO_ACCESSORS(q, uint64_t)

#undef MMIO_ACCESSORS

#endif
