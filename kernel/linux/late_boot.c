/* SPDX-License-Identifier: MIT */
/*
 * The boot's end beside the first program. Until the program has seen that end, the table of calls
 * that trap_syscall() looks into is empty, which costs a call nothing later: the way of absent
 * calls comes here.
 *
 * Why the list is safe: while the boot goes on the program has one thread (clone waits), three
 * descriptors, all on a console that is there (what gives or changes descriptors waits), and no
 * handlers but for signals. So what is left to it is its memory, its signals and that console, none
 * of which late_boot_start()'s `finish` changes. What is the program's own, its descriptors and
 * the table of calls, is changed by its own thread.
 */
#include "late_boot.h"

#include <arch/atomic.h>
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/thread.h>
#include <core/timer.h>
#include <core/wait.h>

#include "abi64/numbers.h"
#include "proc.h"
#include "process_internal.h"

static syscall_fn *const no_calls[SYSCALL_COUNT];
syscall_fn *const *late_boot_calls = no_calls;

#define HEAD_START_NS (20 * NS_PER_MS)

static struct waitq over_waitq = WAITQ_INIT;
static bool over;
static struct thread thread;
static atomic_t begun = ATOMIC_INIT(0);
static struct file *terminal; /* /dev/console, for the descriptors that are terminals */

void late_boot_run(void (*finish)(void))
{
    int error;

    finish();
    proc_init();
    error = console_show(&terminal);
    if (error != 0)
        log_warn("no /dev/console for the program: error %d", -error);
    smp_store_release(&over, true); /* with the load in late_boot_is_over() */
    waitq_wake_all(&over_waitq);
}

static void late_boot(void *finish)
{
    late_boot_run((void (*)(void))finish);
}

static void begin(void)
{
    if (atomic_xchg(&begun, 1) == 0)
        thread_wake(&thread);
}

static void head_start_ended(struct timer *timer)
{
    (void)timer;
    begin();
}

/* The program comes first, unless it waits: on one CPU, its first words are not kept back. */
void late_boot_start(void (*finish)(void))
{
    static struct timer timer;

    if (thread_create(&thread, "boot", late_boot, (void *)finish) != 0)
        panic("no memory for the thread that ends the boot");
    thread_start_asleep(&thread);
    timer_init(&timer, head_start_ended);
    timer_start(&timer, clock_monotonic_ns() + HEAD_START_NS);
}

bool late_boot_is_over(void)
{
    return smp_load_acquire(&over);
}

int late_boot_wait(void)
{
    if (late_boot_is_over())
        return 0;
    begin();
    return wait_event(&over_waitq, late_boot_is_over(), WAIT_FOREVER, WAIT_KILLABLE);
}

/* Whether call `number` has to wait for the end. */
static bool is_guarded(unsigned number)
{
    switch (number) {
    case __NR_exit:
    case __NR_exit_group:
    case __NR_getrandom:
    case __NR_mprotect:
    case __NR_rt_sigaction:
    case __NR_rt_sigprocmask:
    case __NR_set_robust_list:
    case __NR_set_tid_address:
    case __NR_sigaltstack:
    case __NR_write:
    case __NR_writev:
        return false;
    default:
        return true;
    }
}

int late_boot_before_call(unsigned number)
{
    int error = is_guarded(number) ? late_boot_wait() : 0;

    if (error != 0 || !late_boot_is_over())
        return error;
    if (terminal != NULL)
        console_place_streams(current_files(), terminal);
    late_boot_calls = abi64_syscall_table;
    return 0;
}
