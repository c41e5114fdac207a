/* SPDX-License-Identifier: MIT */
/*
 * Time. Monotonic time is the architected virtual counter from reset on, scaled; real time is that
 * plus an offset. The scale is exact to 2^-32 and needs no update, so that reading takes no lock.
 */
#ifndef CORE_CLOCK_H
#define CORE_CLOCK_H

#include <lib/types.h>

#define NS_PER_SECOND UINT64_C(1000000000)
#define NS_PER_MS     UINT64_C(1000000)
#define NS_PER_US     UINT64_C(1000)

/* The raw counter, read in program order. */
uint64_t clock_counter(void);
uint64_t clock_frequency_hz(void);

uint64_t clock_monotonic_ns(void);
uint64_t clock_realtime_ns(void);

/* ns = (count - base) * scale >> 32 */
uint64_t clock_count_to_ns(uint64_t count);
uint64_t clock_ns_to_count(uint64_t ns); /* rounds up, saturates */

/* Sets the wall clock; timers on it are told through `clock_realtime_changed`. */
void clock_set_realtime_ns(uint64_t ns);

/* What the vDSO's data page is filled from. A change bumps `generation`. */
struct clock_parameters {
    uint64_t base_count;
    uint64_t scale;              /* nanoseconds per count, 32.32 fixed point */
    uint64_t realtime_offset_ns; /* real time minus monotonic time */
    uint32_t generation;
};
void clock_parameters(struct clock_parameters *parameters);

/* Called, in the context of the setter, after each change; one listener (the vDSO). */
void clock_on_change(void (*changed)(void));

#endif
