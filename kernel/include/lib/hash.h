/* SPDX-License-Identifier: MIT */
/*
 * Hashes for tables. hash_u64 and hash_bytes are fast and predictable; where a program chooses the
 * keys use hash_siphash with a random key (SipHash-1-3, Aumasson and Bernstein 2012).
 */
#ifndef LIB_HASH_H
#define LIB_HASH_H

#include <lib/compiler.h>

/* Fibonacci hashing: the top `bits` bits (1 to 64) of x times 2^64 / golden ratio. */
static inline unsigned long hash_u64(uint64_t x, unsigned bits)
{
    return (unsigned long)((x * 0x9e3779b97f4a7c15ULL) >> (64 - bits));
}

static inline unsigned long hash_pointer(const void *pointer, unsigned bits)
{
    return hash_u64((vaddr_t)pointer >> 4, bits);
}

/* FNV-1a, 32 bits; start with HASH_FNV_START and go on with the result. */
#define HASH_FNV_START 0x811c9dc5U

static inline uint32_t hash_fnv_byte(uint32_t hash, uint8_t byte)
{
    return (hash ^ byte) * 0x01000193U;
}

uint32_t hash_bytes(const void *from, size_t size);

struct hash_key {
    uint64_t word[2];
};

uint64_t hash_siphash(const struct hash_key *key, const void *from, size_t size);

#endif
