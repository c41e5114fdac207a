/* SPDX-License-Identifier: MIT */
/* The current thread: TPIDR_EL1 holds its address for as long as it runs. */
#ifndef ARCH_THREAD_H
#define ARCH_THREAD_H

struct thread;

/*
 * The running thread. Any context, interrupts included (they run on the interrupted thread's
 * behalf). Not volatile: within one function of a thread the value cannot change.
 */
static inline struct thread *current(void)
{
    struct thread *thread;

    __asm__("mrs %0, tpidr_el1" : "=r"(thread));
    return thread;
}

#endif
