/* SPDX-License-Identifier: MIT */
/* The end, for broken invariants of our own. Nothing a program or device does may lead here. */
#ifndef CORE_PANIC_H
#define CORE_PANIC_H

#include <lib/compiler.h>

/* Stops the other CPUs, prints the message, registers and a backtrace, ends the machine. */
_Noreturn void panic(const char *format, ...) __printf(1, 2);

/* For our own invariants; the expression has no side effects. */
#define ASSERT(condition)                                                              \
    do {                                                                               \
        if (unlikely(!(condition)))                                                    \
            panic("%s:%d: assertion failed: %s", __FILE_NAME__, __LINE__, #condition); \
    } while (0)

/* Prints the callers of the current function. */
void backtrace_print(void);

/* What readies the console for the report, and what ends the machine after it; called once each,
 * interrupts masked, other CPUs stopped. Set by init. */
void panic_set_handlers(void (*begin)(void), void (*end)(void));

#endif
