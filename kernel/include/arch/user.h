/* SPDX-License-Identifier: MIT */
/* Entering the program, and the context that it was left with. */
#ifndef ARCH_USER_H
#define ARCH_USER_H

struct thread;
struct trapframe;

/* Enters the program with this context; the kernel stack is empty afterwards. */
_Noreturn void user_enter(const struct trapframe *frame);

/* The frame of the thread's last entry from its program; valid while it is in the kernel. */
struct trapframe *thread_user_frame(const struct thread *thread);

#endif
