/* SPDX-License-Identifier: MIT
 *
 * POSIX timers as the rest of the process code sees them.
 */
#ifndef LINUX_POSIX_TIMER_H
#define LINUX_POSIX_TIMER_H

struct process;

/* Deletes all timers of the process; task context. */
void posix_timers_delete(struct process *process);

#endif
