/* SPDX-License-Identifier: MIT */
/* MRS of ID registers at EL0, which the architecture traps and Linux emulates. */
#ifndef ARCH_IDREGS_H
#define ARCH_IDREGS_H

#include <arch/trap.h>

/* Serves the trapped instruction and steps over it; false if it is not one that programs may use.
 */
bool idreg_emulate(struct trapframe *frame, uint64_t esr);

#endif
