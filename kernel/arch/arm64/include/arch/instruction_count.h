/* SPDX-License-Identifier: MIT */
/* How many instructions the first CPU took to boot, where it has a counter for them. */
#ifndef ARCH_INSTRUCTION_COUNT_H
#define ARCH_INSTRUCTION_COUNT_H

#include <lib/types.h>

/* On the first CPU, once: stops the count that boot.S began and returns it, modulo 2^32; 0 if there
 * is none. */
uint64_t instruction_count_end(void);

#endif
