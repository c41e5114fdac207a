/* SPDX-License-Identifier: MIT
 *
 * Clocks by their Linux numbers, and deadlines on them.
 */
#ifndef LINUX_TIME_INTERNAL_H
#define LINUX_TIME_INTERNAL_H

#include <lib/types.h>

enum {
    CLOCK_REALTIME = 0,
    CLOCK_MONOTONIC = 1,
    CLOCK_PROCESS_CPUTIME_ID = 2,
    CLOCK_THREAD_CPUTIME_ID = 3,
    CLOCK_MONOTONIC_RAW = 4,
    CLOCK_REALTIME_COARSE = 5,
    CLOCK_MONOTONIC_COARSE = 6,
    CLOCK_BOOTTIME = 7,
    CLOCK_REALTIME_ALARM = 8,
    CLOCK_BOOTTIME_ALARM = 9,
    CLOCK_TAI = 11,
};

#define TIMER_ABSTIME 1
#define CLOCK_TICKS   100 /* USER_HZ */

/* The time of a clock, ns; -EINVAL for one that is not. Task context. */
int time_read(int clock, uint64_t *ns);

/* Is it one that runs with the wall clock or the monotonic one (not with CPU time)? */
bool time_is_steady(int clock);
bool time_is_real(int clock);

/* The monotonic deadline of an absolute real time, as the wall clock is set now. */
uint64_t time_from_realtime(uint64_t realtime_ns);

static inline uint64_t time_to_ticks(uint64_t ns)
{
    return ns / (1000000000u / CLOCK_TICKS);
}

#endif
