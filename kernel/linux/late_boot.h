/* SPDX-License-Identifier: MIT */
/*
 * The part of the boot that the first program's start does not need: devices, the network, file
 * systems that the kernel makes. It runs in a thread of its own, beside the program, whose calls
 * wait for its end unless they are known to touch nothing of it (late_boot.c has the list).
 */
#ifndef LINUX_LATE_BOOT_H
#define LINUX_LATE_BOOT_H

#include <lib/compiler.h>
#include <linux/syscalls.h>

/* What trap_syscall() looks into: an empty table until the program has what the boot did beside it,
 * then the table of calls. */
extern syscall_fn *const *late_boot_calls;

/* Here and now, or in a thread. One of them once; process 1's thread, before it is a program. */
void late_boot_run(void (*finish)(void));
void late_boot_start(void (*finish)(void));

bool late_boot_is_over(void);
int late_boot_wait(void); /* until it is over. May sleep. -ERESTARTSYS: the program is killed */

/* Before call `number` of the program, while late_boot_calls is the empty table. May sleep. An
 * error, that of late_boot_wait(), is what the call comes to. */
int late_boot_before_call(unsigned number);

#endif
