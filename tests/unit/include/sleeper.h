/* SPDX-License-Identifier: MIT */
/*
 * The one thread of a test, its sleep and its clock: core/thread.h and core/clock.h as far as code
 * that waits needs them. What goes on while it sleeps is the test's.
 */
#ifndef UNIT_SLEEPER_H
#define UNIT_SLEEPER_H

#include <stdbool.h>
#include <stdint.h>

struct sleeper {
    void (*meanwhile)(void); /* called in each sleep; NULL: nothing happens */
    int ends_with;           /* a sleep that nobody ended; 0: -ETIMEDOUT, without a deadline
                                -ERESTARTSYS: a signal came */
    bool is_asleep;          /* it is about to sleep, and nobody has woken it */
    unsigned sleeps;         /* a test ends when there are too many */
    uint64_t now_ns;         /* a sleep that times out moves it on */
    uint64_t step_ns;        /* by which each look at the clock moves it on */
};

extern struct sleeper sleeper;

/* As a new test finds it; its thread is the current one. */
void sleeper_reset(void);

#endif
