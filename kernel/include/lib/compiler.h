/* SPDX-License-Identifier: MIT */
/* Words for what GCC and clang offer beyond C11. */
#ifndef LIB_COMPILER_H
#define LIB_COMPILER_H

#include <lib/types.h>

#define likely(x)   __builtin_expect(!!(x), 1)
#define unlikely(x) __builtin_expect(!!(x), 0)

#undef __packed
#undef __aligned
#undef __must_check
#undef __printf
#undef __section
#undef __used
#undef __unused
#undef __noinline
#undef __always_inline
#undef __cold
#undef __noreturn
#define __packed              __attribute__((packed))
#define __aligned(n)          __attribute__((__aligned__(n)))
#define __must_check          __attribute__((warn_unused_result))
#define __printf(text, first) __attribute__((__format__(printf, text, first)))
#define __section(name)       __attribute__((__section__(name)))
#define __used                __attribute__((used))
#define __unused              __attribute__((unused))
#define __noinline            __attribute__((noinline))
#define __always_inline       inline __attribute__((always_inline))
#define __cold                __attribute__((cold))
#define __noreturn            __attribute__((noreturn))
#define fallthrough           __attribute__((fallthrough))

/* For functions that implement memcpy and memset: their loops must not become calls to themselves.
 */
#if defined(__clang__)
#define __no_loop_idiom
#else
#define __no_loop_idiom __attribute__((optimize("no-tree-loop-distribute-patterns")))
#endif

#define ARRAY_SIZE(array) (sizeof(array) / sizeof((array)[0]))
#define BIT64(n)          ((uint64_t)1 << (n))
#define CONCAT_(a, b)     a##b
#define CONCAT(a, b)      CONCAT_(a, b)

/* The structure that holds `member` at `pointer`. A wrong member type is an error. */
#define container_of(pointer, type, member)                                  \
    ({                                                                       \
        const __typeof__(((type *)0)->member) *member_pointer_ = (pointer);  \
        (type *)((char *)(vaddr_t)member_pointer_ - offsetof(type, member)); \
    })

/* One access of the natural size that the compiler neither splits, repeats nor leaves out. */
#define READ_ONCE(x) (*(const volatile __typeof__(x) *)&(x))
#define WRITE_ONCE(x, value)                       \
    do {                                           \
        *(volatile __typeof__(x) *)&(x) = (value); \
    } while (0)

#endif
