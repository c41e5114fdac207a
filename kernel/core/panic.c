/* SPDX-License-Identifier: MIT */
/* The end of the kernel by its own decision. A second panic on the way only stops the CPU. */
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <core/ipi.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <lib/printf.h>

static atomic_t panicking = ATOMIC_INIT(0);
static void (*begin_report)(void), (*end_machine)(void);

_Noreturn void cpu_halt(void)
{
    irq_disable();
    for (;;)
        cpu_wait_for_interrupt();
}

void panic_set_handlers(void (*begin)(void), void (*end)(void))
{
    begin_report = begin;
    end_machine = end;
}

_Noreturn void panic(const char *format, ...)
{
    char text[200];
    va_list arguments;

    irq_disable();
    if (atomic_xchg(&panicking, 1) != 0)
        cpu_halt();
    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    ipi_stop_others();
    if (begin_report != NULL)
        begin_report();
    log_error("PANIC: %s", text);
    log_error("thread '%s' on CPU %u", current()->name, this_cpu()->id);
    backtrace_print();
    if (end_machine != NULL)
        end_machine();
    cpu_halt();
}

_Noreturn void __stack_chk_fail(void);
_Noreturn void __stack_chk_fail(void)
{
    panic("stack smashed in thread '%s'", current()->name);
}
