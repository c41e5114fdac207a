/* SPDX-License-Identifier: MIT
 *
 * The report of a fatal signal: what, where, registers, backtrace by frame pointers.
 */
#include <arch/pointer_auth.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <core/log.h>
#include <lib/types.h>
#include <linux/process.h>
#include <linux/program.h>
#include <linux/signal.h>

#include "signal_internal.h"

#define FRAMES_MAX 24

static void print_registers(const struct trapframe *frame)
{
    for (unsigned i = 0; i < 30; i += 3)
        log_error("  x%-2u %016lx  x%-2u %016lx  x%-2u %016lx", i, frame->x[i], i + 1,
                  frame->x[i + 1], i + 2, frame->x[i + 2]);
    log_error("  x30 %016lx  sp  %016lx  pc  %016lx  pstate %08lx", frame->x[30], frame->sp,
              frame->pc, frame->pstate);
}

static void print_place(unsigned number, vaddr_t address)
{
    char text[128];

    program_describe_address(address, text, sizeof(text));
    log_error("  #%-2u %012lx %s", number, (unsigned long)address, text);
}

/* Frame records: the caller's record and the return address, which may be signed, at ever higher
 * addresses (AAPCS64). */
static void print_backtrace(const struct trapframe *frame)
{
    vaddr_t record = frame->x[29];
    unsigned number = 0;

    print_place(number++, frame->pc);
    if (frame->x[30])
        print_place(number++, pac_strip(frame->x[30]) - 4);
    while (number < FRAMES_MAX) {
        uint64_t link[2];

        if (record % 8 || copy_from_user(link, record, sizeof(link)) || !link[1])
            break;
        if (number != 2 || link[1] != frame->x[30])
            print_place(number++, pac_strip(link[1]) - 4);
        if (link[0] <= record)
            break;
        record = link[0];
    }
}

void crash_report(const struct trapframe *frame, const struct signal_info *info)
{
    const struct task *task = current_task();

    if (info->esr)
        log_error("%s (process %d, thread %d) ended by SIG%s, code %d, at address 0x%lx, syndrome "
                  "0x%lx",
                  task->thread.name, task->process->pid, task->tid, signal_name(info->signo),
                  info->code, (unsigned long)info->addr, (unsigned long)info->esr);
    else
        log_error("%s (process %d, thread %d) ended by SIG%s, code %d", task->thread.name,
                  task->process->pid, task->tid, signal_name(info->signo), info->code);
    if (info->esr)
        print_registers(frame);
    print_backtrace(frame);
}
