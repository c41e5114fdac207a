/* SPDX-License-Identifier: MIT */
/* The ChaCha20 block function, RFC 8439 section 2.3. */
#include <lib/chacha20.h>
#include <lib/endian.h>

static inline uint32_t rotate_left(uint32_t x, unsigned count)
{
    return x << count | x >> (32 - count);
}

static inline void quarter_round(uint32_t x[16], unsigned a, unsigned b, unsigned c, unsigned d)
{
    x[a] += x[b];
    x[d] = rotate_left(x[d] ^ x[a], 16);
    x[c] += x[d];
    x[b] = rotate_left(x[b] ^ x[c], 12);
    x[a] += x[b];
    x[d] = rotate_left(x[d] ^ x[a], 8);
    x[c] += x[d];
    x[b] = rotate_left(x[b] ^ x[c], 7);
}

void chacha20_init(struct chacha20 *state, const uint8_t key[CHACHA20_KEY_BYTES])
{
    static const uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

    for (unsigned i = 0; i < 4; i++) {
        state->word[i] = constants[i];
        state->word[12 + i] = 0;
    }
    for (unsigned i = 0; i < 8; i++)
        state->word[4 + i] = load_le32(key + 4 * i);
}

void chacha20_block(struct chacha20 *state, uint8_t block[CHACHA20_BLOCK_BYTES])
{
    struct chacha20 turned = *state;
    uint32_t *x = turned.word;

    /* Columns, then diagonals. A loop: at boot code that runs once costs more by its length. */
    for (unsigned round = 0; round < 80; round++) {
        unsigned i = round & 3, turn = round >> 2 & 1;

        quarter_round(x, i, 4 + ((i + turn) & 3), 8 + ((i + 2 * turn) & 3),
                      12 + ((i + 3 * turn) & 3));
    }
    for (unsigned i = 0; i < 16; i++)
        store_le32(block + 4 * i, x[i] + state->word[i]);
    if (++state->word[12] == 0)
        state->word[13]++;
}
