/* SPDX-License-Identifier: MIT */
/* What a CPU port supplies to core/, apart from the inline headers. What is missing does not link.
 */
#ifndef ARCH_PORT_H
#define ARCH_PORT_H

#include <lib/types.h>

struct thread;

/* Makes the first switch to `thread` call entry(argument) on its stack, interrupts masked. */
void context_prepare(struct thread *thread, void (*entry)(void *), void *argument);

/*
 * Saves the running context in `from`, resumes `to`. Interrupts masked. Returns when somebody
 * switches back to `from`. Address space and FP state are the caller's business.
 */
void context_switch(struct thread *from, struct thread *to);

/* Drops the current stack and calls `function`, which does not return, on the one that ends at
 * `top`. */
_Noreturn void stack_enter(void *top, void (*function)(void));

#endif
