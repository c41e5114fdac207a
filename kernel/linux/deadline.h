/* SPDX-License-Identifier: MIT */
/* Time-outs of poll and its kin as absolute monotonic deadlines: 0 = do not wait, WAIT_FOREVER. */
#ifndef LINUX_DEADLINE_H
#define LINUX_DEADLINE_H

#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/wait.h>
#include <lib/errno.h>

#include "abi64/time.h"

static inline uint64_t deadline_after(uint64_t timeout_ns)
{
    uint64_t deadline;

    if (timeout_ns == 0)
        return 0;
    return __builtin_add_overflow(clock_monotonic_ns(), timeout_ns, &deadline) ? WAIT_FOREVER
                                                                               : deadline;
}

static inline uint64_t deadline_of_ms(int timeout_ms)
{
    return timeout_ms < 0 ? WAIT_FOREVER : deadline_after((uint64_t)timeout_ms * NS_PER_MS);
}

/* A relative struct timespec at `user`, NULL for no end. 0, -EFAULT, -EINVAL. */
static inline int deadline_from_user(vaddr_t user, uint64_t *deadline_ns)
{
    uint64_t ns;
    int error;

    *deadline_ns = WAIT_FOREVER;
    if (user == 0)
        return 0;
    error = abi64_get_timespec(user, &ns);
    if (error != 0)
        return error;
    *deadline_ns = deadline_after(ns);
    return 0;
}

/* Write what is left of a time-out back to the program, which may ignore that it cannot be written.
 */
static inline void deadline_to_user(vaddr_t user, uint64_t deadline_ns)
{
    uint64_t now = clock_monotonic_ns();

    if (user != 0 && deadline_ns != WAIT_FOREVER)
        (void)abi64_put_timespec(user, deadline_ns > now ? deadline_ns - now : 0);
}

#endif
