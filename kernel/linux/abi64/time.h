/* SPDX-License-Identifier: MIT
 *
 * Times as 64-bit programs pass them: struct timespec and timeval of two 64-bit words.
 */
#ifndef LINUX_ABI64_TIME_H
#define LINUX_ABI64_TIME_H

#include <lib/types.h>

struct abi64_timespec {
    int64_t seconds, nanoseconds;
};

struct abi64_timeval {
    int64_t seconds, microseconds;
};

struct abi64_itimerspec {
    struct abi64_timespec interval, value;
};

struct abi64_itimerval {
    struct abi64_timeval interval, value;
};

/* To nanoseconds, saturated at INT64_MAX; -EINVAL for negative or unnormalised values. */
int abi64_timespec_ns(const struct abi64_timespec *from, uint64_t *ns);
int abi64_timeval_ns(const struct abi64_timeval *from, uint64_t *ns);

/* The same from user memory; -EFAULT. */
int abi64_get_timespec(vaddr_t from, uint64_t *ns);
int abi64_get_timeval(vaddr_t from, uint64_t *ns);

int abi64_put_timespec(vaddr_t to, uint64_t ns);
int abi64_put_timeval(vaddr_t to, uint64_t ns);

/* now + timeout, saturated to 'for ever'. */
uint64_t abi64_deadline(uint64_t now, uint64_t timeout);

#endif
