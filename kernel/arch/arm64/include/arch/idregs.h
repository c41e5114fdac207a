/* SPDX-License-Identifier: MIT */
/*
 * MRS of ID registers at EL0, which Linux emulates: the architecture traps it with FEAT_IDST, and
 * reports it as an undefined instruction without.
 */
#ifndef ARCH_IDREGS_H
#define ARCH_IDREGS_H

#include <arch/trap.h>

/* Both serve the instruction and step over it; false if it is not one that programs may use. */
bool idreg_emulate_trapped(struct trapframe *frame, uint64_t esr);
bool idreg_emulate_undefined(struct trapframe *frame);

#endif
