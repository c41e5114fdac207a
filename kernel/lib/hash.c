/* SPDX-License-Identifier: MIT */
/* FNV-1a and SipHash-1-3 (Aumasson and Bernstein, 'SipHash: a fast short-input PRF', 2012). */
#include <lib/endian.h>
#include <lib/hash.h>

uint32_t hash_bytes(const void *from, size_t size)
{
    const uint8_t *byte = from;
    uint32_t hash = HASH_FNV_START;

    for (size_t i = 0; i < size; i++)
        hash = hash_fnv_byte(hash, byte[i]);
    return hash;
}

static inline uint64_t rotate_left(uint64_t x, unsigned count)
{
    return x << count | x >> (64 - count);
}

static inline void sip_round(uint64_t v[4])
{
    v[0] += v[1];
    v[1] = rotate_left(v[1], 13) ^ v[0];
    v[0] = rotate_left(v[0], 32);
    v[2] += v[3];
    v[3] = rotate_left(v[3], 16) ^ v[2];
    v[0] += v[3];
    v[3] = rotate_left(v[3], 21) ^ v[0];
    v[2] += v[1];
    v[1] = rotate_left(v[1], 17) ^ v[2];
    v[2] = rotate_left(v[2], 32);
}

uint64_t hash_siphash(const struct hash_key *key, const void *from, size_t size)
{
    uint64_t v[4] = {
        key->word[0] ^ 0x736f6d6570736575ULL,
        key->word[1] ^ 0x646f72616e646f6dULL,
        key->word[0] ^ 0x6c7967656e657261ULL,
        key->word[1] ^ 0x7465646279746573ULL,
    };
    const uint8_t *p = from;
    uint64_t last = (uint64_t)size << 56;
    size_t rest = size;

    for (; rest >= 8; rest -= 8, p += 8) {
        uint64_t word = load_le64(p);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    for (size_t i = 0; i < rest; i++)
        last |= (uint64_t)p[i] << (8 * i);
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    for (int i = 0; i < 3; i++)
        sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}
