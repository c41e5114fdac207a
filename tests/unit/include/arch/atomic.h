/* SPDX-License-Identifier: MIT */
/* <arch/atomic.h> for the host, by the compiler's builtins. */
#ifndef ARCH_ATOMIC_H
#define ARCH_ATOMIC_H

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

#define ATOMIC_OPERATIONS(prefix, type, field)                                             \
    static inline field prefix##_read(const type *atomic)                                  \
    {                                                                                      \
        return __atomic_load_n(&atomic->v, __ATOMIC_RELAXED);                              \
    }                                                                                      \
    static inline void prefix##_set(type *atomic, field value)                             \
    {                                                                                      \
        __atomic_store_n(&atomic->v, value, __ATOMIC_RELAXED);                             \
    }                                                                                      \
    static inline field prefix##_fetch_add(field value, type *atomic)                      \
    {                                                                                      \
        return __atomic_fetch_add(&atomic->v, value, __ATOMIC_SEQ_CST);                    \
    }                                                                                      \
    static inline field prefix##_fetch_or(field value, type *atomic)                       \
    {                                                                                      \
        return __atomic_fetch_or(&atomic->v, value, __ATOMIC_SEQ_CST);                     \
    }                                                                                      \
    static inline field prefix##_fetch_and(field value, type *atomic)                      \
    {                                                                                      \
        return __atomic_fetch_and(&atomic->v, value, __ATOMIC_SEQ_CST);                    \
    }                                                                                      \
    static inline field prefix##_xchg(type *atomic, field value)                           \
    {                                                                                      \
        return __atomic_exchange_n(&atomic->v, value, __ATOMIC_SEQ_CST);                   \
    }                                                                                      \
    static inline field prefix##_cmpxchg(type *atomic, field expected, field value)        \
    {                                                                                      \
        __atomic_compare_exchange_n(&atomic->v, &expected, value, false, __ATOMIC_SEQ_CST, \
                                    __ATOMIC_SEQ_CST);                                     \
        return expected;                                                                   \
    }                                                                                      \
    static inline void prefix##_add(field value, type *atomic)                             \
    {                                                                                      \
        (void)prefix##_fetch_add(value, atomic);                                           \
    }                                                                                      \
    static inline void prefix##_sub(field value, type *atomic)                             \
    {                                                                                      \
        (void)prefix##_fetch_add(-value, atomic);                                          \
    }                                                                                      \
    static inline void prefix##_inc(type *atomic)                                          \
    {                                                                                      \
        prefix##_add(1, atomic);                                                           \
    }                                                                                      \
    static inline void prefix##_dec(type *atomic)                                          \
    {                                                                                      \
        prefix##_sub(1, atomic);                                                           \
    }                                                                                      \
    static inline field prefix##_add_return(field value, type *atomic)                     \
    {                                                                                      \
        return prefix##_fetch_add(value, atomic) + value;                                  \
    }                                                                                      \
    static inline bool prefix##_dec_and_test(type *atomic)                                 \
    {                                                                                      \
        return prefix##_fetch_add(-1, atomic) == 1;                                        \
    }                                                                                      \
    static inline bool prefix##_inc_not_zero(type *atomic)                                 \
    {                                                                                      \
        field seen = prefix##_read(atomic);                                                \
        while (seen != 0) {                                                                \
            field old = prefix##_cmpxchg(atomic, seen, seen + 1);                          \
            if (old == seen)                                                               \
                return true;                                                               \
            seen = old;                                                                    \
        }                                                                                  \
        return false;                                                                      \
    }

ATOMIC_OPERATIONS(atomic, atomic_t, int32_t)
ATOMIC_OPERATIONS(atomic64, atomic64_t, int64_t)
#undef ATOMIC_OPERATIONS

#endif
