/* SPDX-License-Identifier: MIT */
/*
 * Grace periods. Periods are numbered; a CPU that is quiescent notes the number of the current one.
 * A batch of callbacks taken in period N is run by the reclaimer once every CPU has noted a number
 * above N or sleeps. CPUs that stay in a program are nudged: their way through the interrupt is
 * quiescent. With one CPU, the reclaimer running at all means that no reader is.
 */
#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <core/clock.h>
#include <core/defer.h>
#include <core/ipi.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <core/wait.h>

static struct spinlock queue_lock = SPINLOCK_INIT(RANK_DEFER);
static struct deferred *queue_first, **queue_last = &queue_first;
static uint64_t queued, done; /* callbacks ever; queue_lock */
static atomic64_t period = ATOMIC_INIT(1);
static struct waitq done_waitq = WAITQ_INIT;
static struct thread reclaimer; /* asleep from the start, until the first batch is due */
static struct timer batch_timer;
static bool started; /* queue_lock */
static bool batch_due;

#define BATCH_DELAY_NS (2 * NS_PER_MS)
#define BATCH_SIZE     32

void defer_read_begin(void)
{
    preempt_disable();
}

void defer_read_end(void)
{
    preempt_enable();
}

/* Preemption off and no reading section: noted with a release, after all reads of the last section;
 * read with an acquire, before those of the next, which then see what was unlinked before that
 * period. */
void defer_quiescent(void)
{
    struct cpu *cpu = this_cpu();
    uint64_t now = (uint64_t)smp_load_acquire(&period.v);

    if (cpu->defer.seen != now)
        smp_store_release(&cpu->defer.seen, now);
}

static void batch_timer_fired(struct timer *timer)
{
    (void)timer;
    WRITE_ONCE(batch_due, true);
    thread_wake(&reclaimer);
}

void defer_free(struct deferred *deferred, void (*run)(struct deferred *deferred))
{
    deferred->next = NULL;
    deferred->run = run;
    reg_t flags = spin_lock_irq(&queue_lock);
    bool was_empty = queue_first == NULL;

    *queue_last = deferred;
    queue_last = &deferred->next;
    queued++;
    bool many = queued - done >= BATCH_SIZE, waits = !started;

    spin_unlock_irq(&queue_lock, flags);
    if (waits)
        return;
    if (many && !READ_ONCE(batch_due))
        batch_timer_fired(NULL);
    else if (was_empty)
        timer_start(&batch_timer, clock_monotonic_ns() + BATCH_DELAY_NS);
}

static bool passed(const struct cpu *cpu, uint64_t number)
{
    return smp_load_acquire(&cpu->defer.seen) > number || smp_load_acquire(&cpu->defer.idle);
}

/* Waits until no reading section is left that began before now. */
static void wait_for_readers(void)
{
    if (cpu_count() == 1)
        return;
    uint64_t number = (uint64_t)atomic64_fetch_add(1, &period);
    struct cpu *cpu;

    smp_mb(); /* the unlinking came first; pairs with the release in defer_quiescent() */
    for_each_cpu (cpu) {
        for (unsigned turn = 0; cpu->online && !passed(cpu, number); turn++) {
            if (cpu == this_cpu()) {
                schedule();
            } else {
                thread_set_work(READ_ONCE(cpu->queue_running), WORK_RESCHEDULE);
                thread_sleep_until(clock_monotonic_ns() + NS_PER_MS, WAIT_UNINTERRUPTIBLE);
            }
        }
    }
}

static void reclaim(void *argument)
{
    (void)argument;
    for (;;) {
        thread_prepare_sleep(WAIT_UNINTERRUPTIBLE);
        if (!READ_ONCE(batch_due)) {
            thread_sleep(WAIT_FOREVER);
            continue;
        }
        thread_cancel_sleep();
        WRITE_ONCE(batch_due, false);
        reg_t flags = spin_lock_irq(&queue_lock);
        struct deferred *batch = queue_first, *next;
        unsigned count = 0;

        queue_first = NULL;
        queue_last = &queue_first;
        spin_unlock_irq(&queue_lock, flags);
        wait_for_readers();
        for (; batch != NULL; batch = next, count++) {
            next = batch->next;
            batch->run(batch);
        }
        flags = spin_lock_irq(&queue_lock);
        done += count;
        spin_unlock_irq(&queue_lock, flags);
        waitq_wake_all(&done_waitq);
    }
}

void defer_wait(void)
{
    uint64_t target = READ_ONCE(queued);

    if (READ_ONCE(done) >= target)
        return;
    batch_timer_fired(NULL);
    wait_event(&done_waitq, READ_ONCE(done) >= target, WAIT_FOREVER, WAIT_UNINTERRUPTIBLE);
}

int defer_init(void)
{
    timer_init(&batch_timer, batch_timer_fired);
    int error = thread_create(&reclaimer, "reclaim", reclaim, NULL);

    if (error != 0)
        return error;
    thread_start_asleep(&reclaimer);
    reg_t flags = spin_lock_irq(&queue_lock); /* who sees `started` sees timer and thread, too */
    bool waits = queue_first != NULL;

    started = true;
    spin_unlock_irq(&queue_lock, flags);
    if (waits)
        batch_timer_fired(NULL);
    return 0;
}
