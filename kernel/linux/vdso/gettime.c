/* SPDX-License-Identifier: MIT
 *
 * The vDSO's clocks, in the program's own context: the virtual counter and one multiplication, as
 * core/clock.c does it. Clocks of CPU time go to the kernel.
 */
#include "data.h"

typedef struct {
    int64_t seconds, fraction;
} vdso_time;

extern const struct vdso_data vdso_data __attribute__((visibility("hidden")));

#define NS_PER_SECOND    1000000000u
#define NR_clock_gettime 113
#define NR_clock_getres  114

/* Bits of clock numbers: REALTIME(_COARSE); MONOTONIC, _RAW, _COARSE, BOOTTIME. */
#define REAL_CLOCKS      ((1u << 0) | (1u << 5))
#define MONOTONIC_CLOCKS ((1u << 1) | (1u << 4) | (1u << 6) | (1u << 7))
#define COARSE_CLOCKS    ((1u << 5) | (1u << 6))

static inline int system_call(long number, long a, void *b)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register void *x1 __asm__("x1") = b;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1) : "memory");
    return (int)x0;
}

static inline uint64_t counter(void)
{
    uint64_t count;

    __asm__ volatile("isb\n\tmrs %0, cntvct_el0" : "=r"(count)::"memory");
    return count;
}

static inline uint64_t scaled(uint64_t count, uint64_t scale)
{
    return (uint64_t)((unsigned __int128)count * scale >> 32);
}

static inline uint64_t now(int real)
{
    const struct vdso_data *d = &vdso_data;
    uint32_t sequence;
    uint64_t ns;

    do {
        do
            sequence = __atomic_load_n(&d->sequence, __ATOMIC_ACQUIRE);
        while (__builtin_expect(sequence & 1, 0));
        ns = scaled(counter() - d->base_count, d->scale);
        if (real)
            ns += d->realtime_offset_ns;
        __asm__ volatile("dmb ishld" ::: "memory"); /* pairs with vdso_update()'s barriers */
    } while (__builtin_expect(d->sequence != sequence, 0));
    return ns;
}

int __kernel_clock_gettime(int clock, vdso_time *time);
int __kernel_clock_getres(int clock, vdso_time *time);
int __kernel_gettimeofday(vdso_time *time, int32_t zone[2]);

int __kernel_clock_gettime(int clock, vdso_time *time)
{
    uint32_t bit = (uint32_t)clock < 32 ? 1u << clock : 0;
    uint64_t ns;

    if (bit & MONOTONIC_CLOCKS)
        ns = now(0);
    else if (bit & REAL_CLOCKS)
        ns = now(1);
    else
        return system_call(NR_clock_gettime, clock, time);
    time->seconds = (int64_t)(ns / NS_PER_SECOND);
    time->fraction = (int64_t)(ns % NS_PER_SECOND);
    return 0;
}

int __kernel_clock_getres(int clock, vdso_time *time)
{
    uint32_t bit = (uint32_t)clock < 32 ? 1u << clock : 0;

    if (!(bit & (MONOTONIC_CLOCKS | REAL_CLOCKS)))
        return system_call(NR_clock_getres, clock, time);
    if (time) {
        time->seconds = 0;
        time->fraction = bit & COARSE_CLOCKS ? 4000000 : 1;
    }
    return 0;
}

int __kernel_gettimeofday(vdso_time *time, int32_t zone[2])
{
    if (time) {
        uint64_t ns = now(1);

        time->seconds = (int64_t)(ns / NS_PER_SECOND);
        time->fraction = (int64_t)(ns % NS_PER_SECOND / 1000);
    }
    if (zone)
        zone[0] = zone[1] = 0;
    return 0;
}
