/* SPDX-License-Identifier: MIT */
/* The counter scaled to nanoseconds: 32.32 fixed point, so the error is under 2^-32 of the time. */
#include <arch/counter.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/panic.h>

static uint64_t frequency, scale, base_count;
static uint64_t realtime_offset_ns;
static uint32_t generation;
static void (*on_change)(void);
static struct spinlock clock_lock = SPINLOCK_INIT(RANK_TIMER);

void clock_set_frequency(uint64_t frequency_hz);

/* From the timer driver, once: time starts to pass. */
void clock_set_frequency(uint64_t frequency_hz)
{
    ASSERT(frequency_hz != 0);
    frequency = frequency_hz;
    scale = (NS_PER_SECOND << 32) / frequency_hz;
    generation++;
}

uint64_t clock_counter(void)
{
    return counter_read();
}

uint64_t clock_frequency_hz(void)
{
    return frequency;
}

uint64_t clock_count_to_ns(uint64_t count)
{
    return (uint64_t)(((unsigned __int128)(count - base_count) * scale) >> 32);
}

/* Rounded up by a step, so that a timer is not early. */
uint64_t clock_ns_to_count(uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_SECOND, rest = ns % NS_PER_SECOND;

    if (seconds > UINT64_MAX / frequency / 2)
        return UINT64_MAX;
    return base_count + seconds * frequency +
           (rest * frequency + NS_PER_SECOND - 1) / NS_PER_SECOND;
}

uint64_t clock_monotonic_ns(void)
{
    return clock_count_to_ns(counter_read());
}

uint64_t clock_realtime_ns(void)
{
    return clock_monotonic_ns() + READ_ONCE(realtime_offset_ns);
}

void clock_set_realtime_ns(uint64_t ns)
{
    reg_t flags = spin_lock_irq_call(&clock_lock);

    realtime_offset_ns = ns - clock_monotonic_ns();
    generation++;
    spin_unlock_irq_call(&clock_lock, flags);
    if (on_change != NULL)
        on_change();
}

void clock_parameters(struct clock_parameters *parameters)
{
    reg_t flags = spin_lock_irq(&clock_lock);

    *parameters = (struct clock_parameters){
        .base_count = base_count,
        .scale = scale,
        .realtime_offset_ns = realtime_offset_ns,
        .generation = generation,
    };
    spin_unlock_irq(&clock_lock, flags);
}

void clock_on_change(void (*changed)(void))
{
    on_change = changed;
}
