/* SPDX-License-Identifier: MIT */
/*
 * Atomic read-modify-write of 32- and 64-bit words. Those that return a value order like a full
 * barrier on that word (acquire and release); those that return nothing order nothing. The code
 * uses LDXR/STXR; boot rewrites it to the LSE instructions where every CPU has them.
 */
#ifndef ARCH_ATOMIC_H
#define ARCH_ATOMIC_H

#include <arch/alternative.h>
#include <lib/compiler.h>
#include <lib/types.h>

typedef struct {
    int32_t v;
} atomic_t;

typedef struct {
    int64_t v;
} atomic64_t;

#define ATOMIC_INIT(value) \
    {                      \
        (value)            \
    }

/* fetch_OP: the value before. `w` is the register width letter, `lse` the single instruction. */
#define ATOMIC_FETCH(prefix, type, field, name, op, lse, operand, w)                            \
    static inline field prefix##_fetch_##name(field value, type *atomic)                        \
    {                                                                                           \
        field old, result;                                                                      \
        uint32_t failed;                                                                        \
        __asm__ volatile inline(                                                                \
            ALTERNATIVE("1: ldaxr %" w "0, %3\n" op " %" w "1, %" w "0, %" w "4\n"              \
                        "stlxr %w2, %" w "1, %3\n cbnz %w2, 1b\n",                              \
                        operand " %" w "1, %" w "4\n" lse "al %" w "1, %" w "0, %3\n", CAP_LSE) \
            : "=&r"(old), "=&r"(result), "=&r"(failed), "+Q"(atomic->v)                         \
            : "r"(value)                                                                        \
            : "memory");                                                                        \
        return old;                                                                             \
    }

ATOMIC_FETCH(atomic, atomic_t, int32_t, add, "add", "ldadd", "mov", "w")
ATOMIC_FETCH(atomic, atomic_t, int32_t, or, "orr", "ldset", "mov", "w")
ATOMIC_FETCH(atomic, atomic_t, int32_t, and, "and", "ldclr", "mvn", "w")
ATOMIC_FETCH(atomic64, atomic64_t, int64_t, add, "add", "ldadd", "mov", "x")
ATOMIC_FETCH(atomic64, atomic64_t, int64_t, or, "orr", "ldset", "mov", "x")
ATOMIC_FETCH(atomic64, atomic64_t, int64_t, and, "and", "ldclr", "mvn", "x")

#undef ATOMIC_FETCH

#define ATOMIC_EXCHANGE(prefix, type, field, w)                                               \
    static inline field prefix##_read(const type *atomic)                                     \
    {                                                                                         \
        return READ_ONCE(atomic->v);                                                          \
    }                                                                                         \
    static inline void prefix##_set(type *atomic, field value)                                \
    {                                                                                         \
        WRITE_ONCE(atomic->v, value);                                                         \
    }                                                                                         \
    static inline field prefix##_xchg(type *atomic, field value)                              \
    {                                                                                         \
        field old;                                                                            \
        uint32_t failed;                                                                      \
        __asm__ volatile inline(ALTERNATIVE("1: ldaxr %" w "0, %2\n stlxr %w1, %" w "3, %2\n" \
                                            "cbnz %w1, 1b\n",                                 \
                                            "swpal %" w "3, %" w "0, %2\n", CAP_LSE)          \
                                : "=&r"(old), "=&r"(failed), "+Q"(atomic->v)                  \
                                : "r"(value)                                                  \
                                : "memory");                                                  \
        return old;                                                                           \
    }                                                                                         \
    /* Stores `value` if the word holds `expected`; returns what it held. */                  \
    static inline field prefix##_cmpxchg(type *atomic, field expected, field value)           \
    {                                                                                         \
        field old;                                                                            \
        uint32_t failed;                                                                      \
        __asm__ volatile inline(                                                              \
            ALTERNATIVE("1: ldaxr %" w "0, %2\n cmp %" w "0, %" w "3\n b.ne 2f\n"             \
                        "stlxr %w1, %" w "4, %2\n cbnz %w1, 1b\n 2:\n",                       \
                        "mov %" w "0, %" w "3\n casal %" w "0, %" w "4, %2\n", CAP_LSE)       \
            : "=&r"(old), "=&r"(failed), "+Q"(atomic->v)                                      \
            : "r"(expected), "r"(value)                                                       \
            : "memory", "cc");                                                                \
        return old;                                                                           \
    }                                                                                         \
    static inline void prefix##_add(field value, type *atomic)                                \
    {                                                                                         \
        (void)prefix##_fetch_add(value, atomic);                                              \
    }                                                                                         \
    static inline void prefix##_sub(field value, type *atomic)                                \
    {                                                                                         \
        (void)prefix##_fetch_add(-value, atomic);                                             \
    }                                                                                         \
    static inline void prefix##_inc(type *atomic)                                             \
    {                                                                                         \
        prefix##_add(1, atomic);                                                              \
    }                                                                                         \
    static inline void prefix##_dec(type *atomic)                                             \
    {                                                                                         \
        prefix##_sub(1, atomic);                                                              \
    }                                                                                         \
    static inline field prefix##_add_return(field value, type *atomic)                        \
    {                                                                                         \
        return prefix##_fetch_add(value, atomic) + value;                                     \
    }                                                                                         \
    static inline bool prefix##_dec_and_test(type *atomic)                                    \
    {                                                                                         \
        return prefix##_fetch_add(-1, atomic) == 1;                                           \
    }                                                                                         \
    /* Adds one unless the word is 0, the state of an object on its way out. */               \
    static inline bool prefix##_inc_not_zero(type *atomic)                                    \
    {                                                                                         \
        field seen = prefix##_read(atomic);                                                   \
        while (seen != 0) {                                                                   \
            field old = prefix##_cmpxchg(atomic, seen, seen + 1);                             \
            if (old == seen)                                                                  \
                return true;                                                                  \
            seen = old;                                                                       \
        }                                                                                     \
        return false;                                                                         \
    }

ATOMIC_EXCHANGE(atomic, atomic_t, int32_t, "w")
ATOMIC_EXCHANGE(atomic64, atomic64_t, int64_t, "x")

#undef ATOMIC_EXCHANGE

#endif
