/* SPDX-License-Identifier: MIT */
/* Rounding. `align` is a power of two; the result has the type of `x`; align_up may wrap to 0. */
#ifndef LIB_ALIGN_H
#define LIB_ALIGN_H

#include <lib/types.h>

#define align_down(x, align)     ((x) & ~((__typeof__(x))(align)-1))
#define align_up(x, align)       align_down((x) + ((__typeof__(x))(align)-1), align)
#define is_aligned(x, align)     (((x) & ((__typeof__(x))(align)-1)) == 0)
#define div_round_up(x, divisor) (((x) + (divisor)-1) / (divisor))

static inline bool is_power_of_two(uint64_t x)
{
    return x != 0 && (x & (x - 1)) == 0;
}

/* The position of the highest set bit; x is not 0. */
static inline unsigned log2_floor(uint64_t x)
{
    return 63 - (unsigned)__builtin_clzll(x);
}

/* The smallest n with 1 << n >= x; x is not 0. */
static inline unsigned log2_ceil(uint64_t x)
{
    return x == 1 ? 0 : log2_floor(x - 1) + 1;
}

#endif
