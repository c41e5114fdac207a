/* SPDX-License-Identifier: MIT */
/* timerfd: a timer whose expirations are read from a descriptor. */
#ifndef FILE_TIMERFD_H
#define FILE_TIMERFD_H

#include <file/file.h>

struct timerfd_setting {
    uint64_t value_ns;    /* until, or time of, the first expiration; 0 = disarmed */
    uint64_t interval_ns; /* period, 0 = once */
};

/* On the monotonic clock or the real-time clock; flags: O_NONBLOCK. NULL when out of memory. */
struct file *timerfd_create(bool realtime, int clock_id, unsigned flags);

bool timerfd_is(const struct file *file);

/* Arm or disarm; `old` gets what was left. cancel_on_set: reads give -ECANCELED after the clock is
 * set. */
void timerfd_set(struct file *file, bool absolute, bool cancel_on_set,
                 const struct timerfd_setting *setting, struct timerfd_setting *old);
void timerfd_get(struct file *file, struct timerfd_setting *now);

/* The real-time clock was set: re-aim absolute timers, wake cancel_on_set ones. Called by who sets
 * it. */
void timerfd_clock_was_set(void);

#endif
