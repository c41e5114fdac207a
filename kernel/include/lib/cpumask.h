/* SPDX-License-Identifier: MIT */
/* A set of CPUs by logical number. Not atomic: callers lock or own the mask. */
#ifndef LIB_CPUMASK_H
#define LIB_CPUMASK_H

#include <lib/bitmap.h>

#ifdef CONFIG_CPUS_MAX
#define MAX_CPUS CONFIG_CPUS_MAX
#else
#define MAX_CPUS 64
#endif

struct cpumask {
    BITMAP(bits, MAX_CPUS);
};

#define CPUMASK_ALL                                   \
    {                                                 \
        {                                             \
            [0 ... BITMAP_WORDS(MAX_CPUS) - 1] = ~0UL \
        }                                             \
    }
#define CPUMASK_NONE ((struct cpumask){{0}})

static inline void cpumask_set(struct cpumask *mask, unsigned cpu)
{
    bitmap_set(mask->bits, cpu);
}

static inline void cpumask_clear(struct cpumask *mask, unsigned cpu)
{
    bitmap_clear(mask->bits, cpu);
}

static inline bool cpumask_test(const struct cpumask *mask, unsigned cpu)
{
    return cpu < MAX_CPUS && bitmap_test(mask->bits, cpu);
}

static inline struct cpumask cpumask_of(unsigned cpu)
{
    struct cpumask mask = CPUMASK_NONE;
    cpumask_set(&mask, cpu);
    return mask;
}

/* CPUs 0 to count - 1. */
static inline struct cpumask cpumask_first_n(unsigned count)
{
    struct cpumask mask = CPUMASK_NONE;
    for (unsigned cpu = 0; cpu < count && cpu < MAX_CPUS; cpu++)
        cpumask_set(&mask, cpu);
    return mask;
}

static inline bool cpumask_empty(const struct cpumask *mask)
{
    unsigned long any = 0;
    for (size_t i = 0; i < ARRAY_SIZE(mask->bits); i++)
        any |= mask->bits[i];
    return any == 0;
}

static inline struct cpumask cpumask_and(const struct cpumask *a, const struct cpumask *b)
{
    struct cpumask both;
    for (size_t i = 0; i < ARRAY_SIZE(both.bits); i++)
        both.bits[i] = a->bits[i] & b->bits[i];
    return both;
}

static inline unsigned cpumask_weight(const struct cpumask *mask)
{
    return (unsigned)bitmap_weight(mask->bits, MAX_CPUS);
}

/* The first member at or after `from`, or MAX_CPUS. */
static inline unsigned cpumask_next(const struct cpumask *mask, unsigned from)
{
    return (unsigned)bitmap_find_set(mask->bits, MAX_CPUS, from);
}

static inline unsigned cpumask_first(const struct cpumask *mask)
{
    return cpumask_next(mask, 0);
}

#define cpumask_for_each(cpu, mask) \
    for ((cpu) = cpumask_first(mask); (cpu) < MAX_CPUS; (cpu) = cpumask_next(mask, (cpu) + 1))

#endif
