/* SPDX-License-Identifier: MIT
 *
 * What the files of the signal code share: signal.c (sending), sigcalls.c (system calls), deliver.c
 * (taking), abi64/sigframe.c (the frame on the program's stack).
 */
#ifndef LINUX_SIGNAL_INTERNAL_H
#define LINUX_SIGNAL_INTERNAL_H

#include <linux/process.h>
#include <linux/signal.h>

struct trapframe;

#define SIGNAL_UNBLOCKABLE ((1ull << (SIGKILL - 1)) | (1ull << (SIGSTOP - 1)))
#define SIGNAL_SYNCHRONOUS                                                       \
    ((1ull << (SIGSEGV - 1)) | (1ull << (SIGBUS - 1)) | (1ull << (SIGILL - 1)) | \
     (1ull << (SIGTRAP - 1)) | (1ull << (SIGFPE - 1)) | (1ull << (SIGSYS - 1)))

enum signal_default { SIGNAL_TERMINATE, SIGNAL_DUMP, SIGNAL_IGNORE, SIGNAL_STOP, SIGNAL_CONTINUE };

enum signal_default signal_default_action(int signo);

/* All with process->signal_lock held. */
bool signal_handler_ignores(const struct process *process, int signo);
void signal_recalculate_locked(struct task *task); /* sets or clears WORK_SIGNAL */
int signal_dequeue_locked(struct task *task, sigset_t set, struct signal_info *info);
void signal_begin_exit_locked(struct process *process, int wait_status);

/* Sets the mask of the running task and looks again at what is pending. */
void signal_set_mask(sigset_t mask);

/* abi64/siginfo.c: the 128 bytes of siginfo_t, and back. */
#define ABI64_SIGINFO_SIZE 128
void abi64_siginfo_pack(void *to, const struct signal_info *info);
void abi64_siginfo_unpack(struct signal_info *info, const void *from);

/*
 * abi64/sigframe.c: pushes a frame for `info` and points `frame` at the handler; `mask` is what
 * sigreturn restores. -EFAULT if the stack cannot take it.
 */
int abi64_sigframe_push(struct trapframe *frame, const struct signal_action *action,
                        const struct signal_info *info, sigset_t mask);

/* The largest frame: AT_MINSIGSTKSZ. */
size_t abi64_minsigstksz(void);

/* crash.c: tells on the console why the program ends, with registers and backtrace. */
void crash_report(const struct trapframe *frame, const struct signal_info *info);

#endif
