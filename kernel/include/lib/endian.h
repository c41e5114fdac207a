/* SPDX-License-Identifier: MIT */
/*
 * Byte order, and loads and stores at any address. The kernel is little-endian on every CPU; the
 * conversions are spelled out so that a reader sees which format a field has.
 */
#ifndef LIB_ENDIAN_H
#define LIB_ENDIAN_H

#include <lib/compiler.h>

typedef uint16_t le16_t;
typedef uint32_t le32_t;
typedef uint64_t le64_t;
typedef uint16_t be16_t;
typedef uint32_t be32_t;
typedef uint64_t be64_t;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "big-endian CPUs are not supported");

#define ENDIAN_CONVERSIONS(bits)                                   \
    static inline uint##bits##_t be##bits##_to_cpu(be##bits##_t x) \
    {                                                              \
        return __builtin_bswap##bits(x);                           \
    }                                                              \
    static inline be##bits##_t cpu_to_be##bits(uint##bits##_t x)   \
    {                                                              \
        return __builtin_bswap##bits(x);                           \
    }                                                              \
    static inline uint##bits##_t le##bits##_to_cpu(le##bits##_t x) \
    {                                                              \
        return x;                                                  \
    }                                                              \
    static inline le##bits##_t cpu_to_le##bits(uint##bits##_t x)   \
    {                                                              \
        return x;                                                  \
    }                                                              \
    static inline uint##bits##_t load_u##bits(const void *from)    \
    {                                                              \
        uint##bits##_t x;                                          \
        __builtin_memcpy(&x, from, sizeof(x));                     \
        return x;                                                  \
    }                                                              \
    static inline void store_u##bits(void *to, uint##bits##_t x)   \
    {                                                              \
        __builtin_memcpy(to, &x, sizeof(x));                       \
    }                                                              \
    static inline uint##bits##_t load_be##bits(const void *from)   \
    {                                                              \
        return be##bits##_to_cpu(load_u##bits(from));              \
    }                                                              \
    static inline void store_be##bits(void *to, uint##bits##_t x)  \
    {                                                              \
        store_u##bits(to, cpu_to_be##bits(x));                     \
    }                                                              \
    static inline uint##bits##_t load_le##bits(const void *from)   \
    {                                                              \
        return le##bits##_to_cpu(load_u##bits(from));              \
    }                                                              \
    static inline void store_le##bits(void *to, uint##bits##_t x)  \
    {                                                              \
        store_u##bits(to, cpu_to_le##bits(x));                     \
    }

ENDIAN_CONVERSIONS(16)
ENDIAN_CONVERSIONS(32)
ENDIAN_CONVERSIONS(64)
#undef ENDIAN_CONVERSIONS

#endif
