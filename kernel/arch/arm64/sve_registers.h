/* SPDX-License-Identifier: MIT */
/* sve.S, for C. All want SVE open in CPACR_EL1 and, but the first, ZCR_EL1 at the state's length.
 */
#ifndef ARCH_SVE_REGISTERS_H
#define ARCH_SVE_REGISTERS_H

#include <arch/fpu.h>

/* The length in force (RDVL). */
unsigned sve_vector_bytes(void);

/* Z, P, FFR to and from `state`; FPSR and FPCR to and from `regs`. */
void sve_save(void *state, struct fpsimd *regs);
void sve_load(const void *state, const struct fpsimd *regs);

/* Zeroes all but the V registers. */
void sve_clear(void);

#endif
