/* SPDX-License-Identifier: MIT */
/* Comparison macros that evaluate each argument once and refuse arguments of unlike types. */
#ifndef LIB_MINMAX_H
#define LIB_MINMAX_H

#include <lib/compiler.h>

/* Each use has names of its own, so that uses nest. */
#define MINMAX_(a, b, operator, x, y) \
    ({                                \
        __typeof__(a) x = (a);        \
        __typeof__(b) y = (b);        \
        (void)(&x == &y);             \
        x operator y ? x : y;         \
    })
#define MINMAX(a, b, operator, n) \
    MINMAX_(a, b, operator, CONCAT(minmax_a_, n), CONCAT(minmax_b_, n))

#define min(a, b) MINMAX(a, b, <, __COUNTER__)
#define max(a, b) MINMAX(a, b, >, __COUNTER__)

/* With both arguments converted to `type` first. */
#define min_t(type, a, b) min((type)(a), (type)(b))
#define max_t(type, a, b) max((type)(a), (type)(b))

#define clamp(x, low, high) min(max(x, low), high)

#define swap(a, b)                 \
    do {                           \
        __typeof__(a) swap_ = (a); \
        (a) = (b);                 \
        (b) = swap_;               \
    } while (0)

#endif
