/* SPDX-License-Identifier: MIT */
/* BLAKE2s, RFC 7693 section 3: unkeyed, 32-byte digest. */
#include <lib/blake2s.h>
#include <lib/endian.h>
#include <lib/minmax.h>
#include <lib/string.h>

static const uint32_t initial[8] = {
    0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
};

static const uint8_t schedule[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15},
    {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4},
    {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13},
    {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11},
    {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5},
    {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0},
};

static inline uint32_t rotate_right(uint32_t x, unsigned count)
{
    return x >> count | x << (32 - count);
}

static inline void mix(uint32_t v[16], unsigned a, unsigned b, unsigned c, unsigned d, uint32_t x,
                       uint32_t y)
{
    v[a] += v[b] + x;
    v[d] = rotate_right(v[d] ^ v[a], 16);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 12);
    v[a] += v[b] + y;
    v[d] = rotate_right(v[d] ^ v[a], 8);
    v[c] += v[d];
    v[b] = rotate_right(v[b] ^ v[c], 7);
}

static void compress(struct blake2s *hash, bool is_last)
{
    uint32_t v[16], m[16];

    for (unsigned i = 0; i < 8; i++) {
        v[i] = hash->state[i];
        v[8 + i] = initial[i];
    }
    v[12] ^= (uint32_t)hash->byte_count;
    v[13] ^= (uint32_t)(hash->byte_count >> 32);
    if (is_last)
        v[14] = ~v[14];
    for (unsigned i = 0; i < 16; i++)
        m[i] = load_le32(hash->block + 4 * i);
    for (unsigned round = 0; round < 10; round++) {
        const uint8_t *s = schedule[round];
        mix(v, 0, 4, 8, 12, m[s[0]], m[s[1]]);
        mix(v, 1, 5, 9, 13, m[s[2]], m[s[3]]);
        mix(v, 2, 6, 10, 14, m[s[4]], m[s[5]]);
        mix(v, 3, 7, 11, 15, m[s[6]], m[s[7]]);
        mix(v, 0, 5, 10, 15, m[s[8]], m[s[9]]);
        mix(v, 1, 6, 11, 12, m[s[10]], m[s[11]]);
        mix(v, 2, 7, 8, 13, m[s[12]], m[s[13]]);
        mix(v, 3, 4, 9, 14, m[s[14]], m[s[15]]);
    }
    for (unsigned i = 0; i < 8; i++)
        hash->state[i] ^= v[i] ^ v[8 + i];
}

void blake2s_init(struct blake2s *hash)
{
    memset(hash, 0, sizeof(*hash));
    memcpy(hash->state, initial, sizeof(initial));
    hash->state[0] ^= 0x01010000 ^ BLAKE2S_DIGEST_BYTES;
}

void blake2s_update(struct blake2s *hash, const void *from, size_t size)
{
    const uint8_t *p = from;

    while (size > 0) {
        size_t part;

        if (hash->used == BLAKE2S_BLOCK_BYTES) { /* more follows, so this is not the last block */
            hash->byte_count += BLAKE2S_BLOCK_BYTES;
            compress(hash, false);
            hash->used = 0;
        }
        part = min(size, BLAKE2S_BLOCK_BYTES - hash->used);
        memcpy(hash->block + hash->used, p, part);
        hash->used += part;
        p += part;
        size -= part;
    }
}

void blake2s_final(struct blake2s *hash, uint8_t digest[BLAKE2S_DIGEST_BYTES])
{
    hash->byte_count += hash->used;
    memset(hash->block + hash->used, 0, BLAKE2S_BLOCK_BYTES - hash->used);
    compress(hash, true);
    for (unsigned i = 0; i < 8; i++)
        store_le32(digest + 4 * i, hash->state[i]);
    memzero_explicit(hash, sizeof(*hash));
}
