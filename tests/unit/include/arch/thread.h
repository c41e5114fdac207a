/* SPDX-License-Identifier: MIT */
/* <arch/thread.h> for the host: one thread, whose struct a test may supply. */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

struct thread;

extern struct thread *unit_current;

static inline struct thread *current(void)
{
    return unit_current;
}

#endif
