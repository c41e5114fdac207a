/* SPDX-License-Identifier: MIT */
/* Times as 64-bit programs pass them: struct timespec, timeval, itimerspec. */
#ifndef LINUX_ABI64_TIMESPEC_H
#define LINUX_ABI64_TIMESPEC_H

#include <lib/types.h>

struct abi64_timespec {
    int64_t sec;
    int64_t nsec;
};

struct abi64_timeval {
    int64_t sec;
    int64_t usec;
};

struct abi64_itimerspec {
    struct abi64_timespec interval;
    struct abi64_timespec value;
};

#endif
