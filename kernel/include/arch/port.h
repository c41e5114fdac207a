/* SPDX-License-Identifier: MIT */
/* What a CPU port supplies to core/, apart from the inline headers. What is missing does not link. */
#ifndef ARCH_PORT_H
#define ARCH_PORT_H

#include <lib/types.h>

struct thread;
struct trapframe;

/* Makes the first switch to `thread` call entry(argument) on its stack, interrupts masked. */
void context_prepare(struct thread *thread, void (*entry)(void *), void *argument);

/*
 * Saves the running context in `from`, resumes `to`. Interrupts masked. Returns when somebody
 * switches back to `from`. Address space and FP state are the caller's business.
 */
void context_switch(struct thread *from, struct thread *to);

/* Enters the program with this context; the kernel stack is empty afterwards. */
_Noreturn void user_enter(const struct trapframe *frame);

/* The frame of the thread's last entry from its program; valid while it is in the kernel. */
struct trapframe *thread_user_frame(const struct thread *thread);

#endif
