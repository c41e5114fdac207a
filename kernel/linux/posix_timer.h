/* SPDX-License-Identifier: MIT
 *
 * POSIX timers as the rest of the process code sees them.
 */
#ifndef LINUX_POSIX_TIMER_H
#define LINUX_POSIX_TIMER_H

#include <core/clock.h>

/* Periodic timers of programs fire at most this often, whatever their interval. */
#define TIMER_PERIOD_MIN_NS (100 * NS_PER_US)

struct process;
struct signal_info;

/* Deletes all timers of the process; task context. */
void posix_timers_delete(struct process *process);

/* A signal was taken: if a timer sent it, its overrun is what timer_getoverrun() tells. */
void posix_timer_delivered(struct process *process, const struct signal_info *info);

#endif
