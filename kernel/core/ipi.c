/* SPDX-License-Identifier: MIT */
/*
 * Interrupts between CPUs. One function call is under way at a time; its caller keeps interrupts
 * enabled while it waits for its turn, so that two callers that call each other both get on.
 */
#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/cpu.h>
#include <arch/irqflags.h>
#include <core/clock.h>
#include <core/ipi.h>
#include <core/irqchip.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <lib/string.h>

static struct {
    atomic_t busy; /* a call is being set up or under way */
    void (*fn)(void *);
    void *arg;
    atomic_t remaining;  /* CPUs that have not ended it */
    uint32_t generation; /* calls that have ended */
} call;

static atomic_t stopping = ATOMIC_INIT(0);
static atomic_t stopped = ATOMIC_INIT(0);

void ipi_send(const struct cpumask *mask, enum ipi ipi)
{
    struct irqchip *chip = irqchip_root();

    if (chip != NULL && !cpumask_empty(mask))
        chip->ops->send_ipi(chip, mask, ipi);
}

void ipi_send_cpu(unsigned cpu, enum ipi ipi)
{
    struct cpumask mask = cpumask_of(cpu);

    ipi_send(&mask, ipi);
}

static void run_call(void)
{
    void (*fn)(void *) = call.fn;

    fn(call.arg);
    if (atomic_dec_and_test(&call.remaining)) {
        uint32_t ended = call.generation + 1;

        smp_store_release(&call.generation, ended); /* pairs with the wait in ipi_call */
        smp_store_release(&call.busy.v, 0);         /* pairs with the next caller's cmpxchg */
    }
}

void ipi_call(const struct cpumask *mask, void (*fn)(void *), void *arg, bool wait)
{
    struct cpumask others = cpumask_and(mask, &cpu_online_mask);
    uint32_t generation = 0;
    unsigned self;
    bool here;

    ASSERT(irqs_enabled());
    preempt_disable();
    self = this_cpu()->id;
    here = cpumask_test(&others, self);
    cpumask_clear(&others, self);
    if (!cpumask_empty(&others)) {
        while (atomic_cmpxchg(&call.busy, 0, 1) != 0)
            cpu_relax();
        generation = call.generation;
        call.fn = fn;
        call.arg = arg;
        atomic_set(&call.remaining, (int32_t)cpumask_weight(&others));
        ipi_send(&others, IPI_CALL); /* orders the stores above for the targets */
    }
    if (here) {
        reg_t flags = irq_save();
        fn(arg);
        irq_restore(flags);
    }
    if (wait && !cpumask_empty(&others)) {
        while (smp_load_acquire(&call.generation) == generation)
            cpu_relax();
    }
    preempt_enable();
}

#define STOP_WAIT_NS (100 * NS_PER_MS)

void ipi_stop_others(void)
{
    struct cpumask others = cpu_online_mask;
    int32_t expected;
    uint64_t deadline;

    if (atomic_xchg(&stopping, 1) != 0)
        cpu_halt(); /* two CPUs die at once: the first one tells the story */
    cpumask_clear(&others, this_cpu()->id);
    if (cpumask_empty(&others))
        return;
    expected = (int32_t)cpumask_weight(&others);
    ipi_send(&others, IPI_STOP);
    deadline = clock_monotonic_ns() + STOP_WAIT_NS;
    while (atomic_read(&stopped) < expected && clock_monotonic_ns() < deadline)
        cpu_relax();
}

void ipi_dispatch(unsigned ipi)
{
    this_cpu()->ipi_count++;
    switch (ipi) {
    case IPI_RESCHED: /* the way out of the interrupt looks at the work bits */
        break;
    case IPI_CALL:
        run_call();
        break;
    case IPI_STOP:
        atomic_inc(&stopped);
        cpu_halt();
    default:
        irq_count_spurious();
        break;
    }
}
