/* SPDX-License-Identifier: MIT */
/*
 * When Remora itself was entered at EL3, there is no firmware: boot.S leaves a monitor there with
 * one service, writes to secure registers, for the GIC's groups and priority mask. It is sealed
 * before programs run.
 */
#ifndef ARCH_EL3_H
#define ARCH_EL3_H

#include <arch/boot.h>
#include <arch/registers.h>

/* May el3_write32() be called? Known from the entry on; false once sealed. */
static inline bool el3_is_ours(void)
{
    return boot_entry.exception_level == 3;
}

static inline reg_t el3_call(reg_t function, paddr_t address, uint32_t value)
{
    register reg_t x0 __asm__("x0") = function;
    register reg_t x1 __asm__("x1") = address;
    register reg_t x2 __asm__("x2") = value;

    __asm__ volatile("smc #0" : "+r"(x0) : "r"(x1), "r"(x2) : "x3", "memory");
    return x0;
}

/* A 32-bit store to a physical address by this CPU in secure state. False: refused. */
static inline bool el3_write32(paddr_t address, uint32_t value)
{
    return el3_call(EL3_WRITE32, address, value) == 0;
}

/* This CPU's monitor serves nothing more. */
static inline void el3_seal(void)
{
    el3_call(EL3_SEAL, 0, 0);
}

#endif
