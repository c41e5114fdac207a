/* SPDX-License-Identifier: MIT */
/*
 * CPUs: their structures, interrupt entry, the idle loop, and the start of all but the first. The
 * boot CPU and its thread are static; they are the idle thread once init has started others.
 */
#include "run_queue.h"
#include "sched_internal.h"

#include <arch/boot.h>
#include <arch/cpu.h>
#include <arch/features.h>
#include <arch/irqflags.h>
#include <arch/offsets.h>
#include <arch/pagetable.h>
#include <arch/pointer_auth.h>
#include <arch/port.h>
#include <core/clock.h>
#include <core/clockevent.h>
#include <core/cpu.h>
#include <core/ipi.h>
#include <core/irq.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/thread_list.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <mm/kwindow.h>
#include <mm/memory.h>
#include <mm/slab.h>

struct cpu *cpu_table[MAX_CPUS];
struct cpumask cpu_online_mask;
static unsigned count = 1;

static struct cpu boot_cpu;
static struct run_queue boot_queue;

unsigned cpu_count(void)
{
    return count;
}

static void cpu_prepare(struct cpu *cpu, unsigned id, uint64_t mpidr, struct run_queue *queue,
                        struct thread *idle)
{
    cpu->id = id;
    cpu->mpidr = mpidr;
    cpu->idle = idle;
    cpu->queue = queue;
    cpu->queue_running = idle;
    timer_init_cpu(cpu);
    queue_init(queue, cpu);
    queue->running = idle;
    idle->cpu = cpu;
    idle->state = THREAD_RUNNABLE;
    cpu_table[id] = cpu;
}

void cpu_init_boot(void)
{
    boot_thread.cpu = &boot_cpu;
    cpu_prepare(&boot_cpu, 0, cpu_mpidr(), &boot_queue, &boot_thread);
    boot_cpu.online = true;
    cpumask_set(&cpu_online_mask, 0);
    features_cpu_init();
}

_Noreturn void cpu_leave_boot_stack(void (*go_on)(void))
{
    boot_thread.stack = kstack_alloc();
    if (boot_thread.stack == NULL)
        panic("no memory for the stack of the boot CPU");
    stack_enter((char *)boot_thread.stack + STACK_SIZE, go_on);
}

/* --- idle --- */

void cpu_rest(struct cpu *cpu)
{
    smp_store_release(&cpu->defer.idle, true);
    cpu->idle_since_ns = clock_monotonic_ns();
    cpu_wait_for_interrupt();
    cpu->idle_ns += clock_monotonic_ns() - cpu->idle_since_ns;
    WRITE_ONCE(cpu->defer.idle, false);
    smp_mb(); /* before any reading section that the interrupt begins */
    irq_enable();
    isb();
    irq_disable();
}

_Noreturn void idle_loop(void)
{
    struct cpu *cpu = this_cpu();

    cpu->queue->may_rest = true;
    for (;;) {
        irq_disable();
        if (!thread_has_work(current(), WORK_RESCHEDULE) && !sched_pull(2))
            cpu_rest(cpu);
        schedule();
        irq_enable();
    }
}

/* --- the other CPUs --- */

struct secondary {
    struct cpu cpu;
    struct run_queue queue;
    struct thread idle;
};

/* What boot.S gives a secondary before it has memory: its thread and stack. One starts at a time.
 */
extern struct {
    struct thread *thread;
    vaddr_t stack_top;
} secondary_boot;

static struct secondary *secondary_create(void)
{
    struct secondary *secondary = kzalloc(sizeof(*secondary));

    if (secondary == NULL)
        return NULL;
    secondary->idle.stack = kstack_alloc();
    if (secondary->idle.stack == NULL) {
        kfree(secondary);
        return NULL;
    }
    return secondary;
}

static bool wait_online(const struct cpu *cpu)
{
    uint64_t end = clock_monotonic_ns() + NS_PER_SECOND;

    while (!READ_ONCE(cpu->online)) {
        if (clock_monotonic_ns() > end)
            return false;
        cpu_relax();
    }
    return true;
}

int cpu_bring_up(uint64_t mpidr, int (*start)(uint64_t mpidr, paddr_t entry, void *argument),
                 void *argument)
{
    char name[16];

    if (mpidr == boot_cpu.mpidr)
        return 0;
    if (count == MAX_CPUS)
        return -ENOSPC;
    struct secondary *secondary = secondary_create();

    if (secondary == NULL)
        return -ENOMEM;
    cpu_prepare(&secondary->cpu, count, mpidr, &secondary->queue, &secondary->idle);
    snprintf(name, sizeof(name), "idle/%u", count);
    thread_init(&secondary->idle, name);
    secondary->idle.preempt_count = 0;
    if (memory_cpu_init(count) != 0) {
        cpu_table[count] = NULL;
        thread_destroy(&secondary->idle);
        kfree(secondary);
        return -ENOMEM;
    }
    secondary_boot.thread = &secondary->idle;
    secondary_boot.stack_top = (vaddr_t)secondary->idle.stack + STACK_SIZE;
    dcache_clean_poc(&secondary_boot, sizeof(secondary_boot));
    dcache_clean_poc(&boot_entry, sizeof(boot_entry));
    count++;
    int error = start(mpidr, image_phys(secondary_entry), argument);

    if (error == 0 && wait_online(&secondary->cpu))
        return 0;
    /* Its memory stays: the CPU may still come. It is not used, as it is not online. */
    log_warn("CPU %u (MPIDR %#lx) did not start (%d): going on without it", count - 1,
             (unsigned long)mpidr, error);
    return error != 0 ? error : -ETIMEDOUT;
}

/*
 * CPUs that are up wait here while the boot CPU patches code: they must not run what changes under
 * them (Arm ARM B2.2.5), and this loop is not patched.
 */
static bool released;

void cpu_release_all(void)
{
    struct cpumask others = cpu_online_mask;

    smp_store_release(&released, true);
    cpumask_clear(&others, this_cpu()->id);
    if (!cpumask_empty(&others))
        ipi_send(&others, IPI_RESCHED); /* pending, it ends their sleep; taken once they unmask */
}

static void wait_for_release(void)
{
    while (!smp_load_acquire(&released))
        cpu_wait_for_interrupt();
    isb(); /* what was fetched before the patches is dropped */
}

/* First C code of a secondary CPU, on its idle thread, interrupts masked. */
_Noreturn void secondary_main(void);
_Noreturn void secondary_main(void)
{
    struct cpu *cpu = this_cpu();

    features_cpu_init();
    pt_cpu_init();
    irq_cpu_init();
    clockevent_cpu_init();
    defer_quiescent();
    cpumask_set(&cpu_online_mask, cpu->id);
    smp_store_release(&cpu->online, true);
    wait_for_release();
    features_cpu_enable();
    pac_new_kernel_key(&current()->context);
    pac_cpu_start(&current()->context);
    irq_enable();
    idle_loop();
}
