/* SPDX-License-Identifier: MIT */
/* Callers, by the chain of frame records (AAPCS64 6.4.6). Any context. */
#ifndef ARCH_BACKTRACE_H
#define ARCH_BACKTRACE_H

#include <lib/types.h>

struct trapframe;

/* Prints the interrupted place and its callers. */
void backtrace_frame(const struct trapframe *frame);

/* The i-th return address from frame pointer `fp`, into `address`; returns how many were found. */
size_t backtrace_collect(vaddr_t fp, vaddr_t *address, size_t count);

#endif
