/* SPDX-License-Identifier: MIT
 *
 * Parts of kill(2) and its relatives that other calls use.
 */
#ifndef LINUX_SIGCALLS_H
#define LINUX_SIGCALLS_H

#include <linux/process.h>
#include <linux/signal.h>

/* A signal from the calling process. */
struct signal_info sigcalls_info_of_kill(int signo, int code);

/* kill(2): same user, or CAP_KILL. */
bool sigcalls_may_signal(const struct process *target);

/* siginfo from user memory: nothing that looks like the kernel's, except to oneself. 0, -EFAULT,
 * -EPERM. */
int sigcalls_get_info(vaddr_t at, int signo, int target_pid, struct signal_info *info);

#endif
