/* SPDX-License-Identifier: MIT
 *
 * From the trap to the function that answers a system call.
 */
#include <arch/trap.h>
#include <core/thread.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/ledger.h>
#include <linux/process.h>
#include <linux/syscalls.h>

#include "abi64/numbers.h"
#include "late_boot.h"

/* A result that asks for a restart is seen by signal_deliver(), also if no signal is left to take.
 */
static bool asks_for_restart(long result)
{
    return result <= -ERESTARTSYS && result >= -ERESTART_RESTARTBLOCK;
}

/* A call that is not there, or not yet. */
static __cold long call_absent(struct trapframe *frame, unsigned number)
{
    syscall_fn *call = number < SYSCALL_COUNT ? abi64_syscall_table[number] : NULL;
    int error;

    if (!call)
        return ledger_absent(number, frame->pc);
    error = late_boot_before_call(number);
    return error != 0 ? error : call(frame->x);
}

void trap_syscall(struct trapframe *frame)
{
    unsigned number = (unsigned)frame->x[8];
    syscall_fn *call = number < SYSCALL_COUNT ? late_boot_calls[number] : NULL;
    long result;

    frame->orig_x0 = frame->x[0];
    frame->syscall = (int32_t)number;
    if (unlikely(!call))
        result = call_absent(frame, number);
    else
        result = call(frame->x);
    frame->x[0] = (reg_t)result;
    if (unlikely(asks_for_restart(result)))
        thread_set_work(current(), WORK_SIGNAL);
}
