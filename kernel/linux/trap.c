/* SPDX-License-Identifier: MIT
 *
 * Exceptions of programs: page faults to vm_fault(), what it cannot mend and all else to signals.
 */
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <file/async.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/signal.h>
#include <mm/vmspace.h>

#include "process_internal.h"
#include "signal_internal.h"

static void send_fault(const struct fault *fault, int error)
{
    struct signal_info info = {
        .signo = SIGSEGV, .addr = fault->addr, .tag = fault->tag, .esr = fault->esr};

    switch (error) {
    case -EACCES:
        info.code = SEGV_ACCERR;
        break;
    case -EIO:
        info.signo = SIGBUS;
        info.code = BUS_ADRERR;
        break;
    case -ENOMEM:
        process_out_of_memory();
        return;
    default:
        info.code = SEGV_MAPERR;
        break;
    }
    signal_force(&info);
}

static bool may_be_served(const struct trapframe *frame, const struct fault *fault)
{
    if (!current()->vmspace || fault->addr >= USER_TOP)
        return false;
    return trapframe_user(frame) || (fault->user && !user_faults_disabled());
}

void trap_fault(struct trapframe *frame, const struct fault *fault)
{
    int error = -EFAULT;

    if (likely(may_be_served(frame, fault))) {
        error = vm_fault(current()->vmspace, fault->addr, fault->access);
        if (likely(error == 0))
            return;
    }
    if (trapframe_user(frame))
        send_fault(fault, error);
    else if (!trap_fixup(frame))
        trap_fatal(frame, fault, "page fault in the kernel");
}

static const struct {
    int signo, code;
} signals[] = {
    [EXCEPTION_UNDEFINED] = {SIGILL, ILL_ILLOPC}, [EXCEPTION_BREAKPOINT] = {SIGTRAP, TRAP_BRKPT},
    [EXCEPTION_STEP] = {SIGTRAP, TRAP_TRACE},     [EXCEPTION_ALIGN_PC] = {SIGBUS, BUS_ADRALN},
    [EXCEPTION_ALIGN_SP] = {SIGBUS, BUS_ADRALN},  [EXCEPTION_ALIGN_DATA] = {SIGBUS, BUS_ADRALN},
    [EXCEPTION_FP] = {SIGFPE, FPE_FLTUNK},        [EXCEPTION_POINTER_AUTH] = {SIGILL, ILL_ILLOPN},
    [EXCEPTION_EXTERNAL] = {SIGBUS, BUS_OBJERR},  [EXCEPTION_SERROR] = {SIGBUS, BUS_OBJERR},
};

void trap_exception(struct trapframe *frame, const struct exception *exception)
{
    struct signal_info info = {.signo = signals[exception->kind].signo,
                               .code = signals[exception->kind].code,
                               .addr = exception->addr,
                               .esr = exception->esr};

    (void)frame;
    if (exception->kind == EXCEPTION_FP && exception->code)
        info.code = (int)exception->code;
    signal_force(&info);
}

void trap_user_work(struct trapframe *frame)
{
    struct thread *thread = current();

    if (thread_has_work(thread, WORK_RESCHEDULE))
        schedule();
    if (thread_has_work(thread, WORK_ASYNC))
        file_async_flush();
    if (thread_has_work(thread, WORK_SIGNAL | WORK_KILL))
        signal_deliver(frame);
}
