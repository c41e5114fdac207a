/* SPDX-License-Identifier: MIT */
/*
 * What the CPUs can do, as far as all of them can: the ID registers (Arm ARM D19.2) with each field
 * at the lowest value found, and what is told to programs about it.
 */
#ifndef ARCH_FEATURES_H
#define ARCH_FEATURES_H

#include <lib/types.h>

enum id_register {
    ID_PFR0,
    ID_PFR1,
    ID_ZFR0,
    ID_ISAR0,
    ID_ISAR1,
    ID_ISAR2,
    ID_MMFR0,
    ID_MMFR1,
    ID_MMFR2,
    ID_DFR0,
    ID_COUNT,
};

/* Reads this CPU's registers and lowers what is known of all; every CPU once, before programs run.
 */
void features_cpu_init(void);

/* A four-bit field of a register, sanitised. */
unsigned id_field(enum id_register which, unsigned shift);

/* AT_HWCAP and AT_HWCAP2 (Linux elf_hwcaps.rst): true of every CPU, and enabled. */
#define HWCAP_PACG (1UL << 31)
uint64_t features_hwcap(void);
uint64_t features_hwcap2(void);

/* CAP_* of arch/alternative.h. */
bool cpu_has(unsigned capability);

/* Puts the better forms into place (alternative.h); once, when all CPUs have reported. */
void alternatives_apply(void);

/* On each CPU once all have reported: switches on what all of them have (BTI, PAN). */
void features_cpu_enable(void);

/* Registers as a program sees them through MRS (HWCAP_CPUID). */
uint64_t id_user_view(enum id_register which);

#endif
