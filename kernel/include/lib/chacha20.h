/* SPDX-License-Identifier: MIT */
/* The ChaCha20 block function (RFC 8439 section 2.3), what the kernel's random numbers are made of.
 */
#ifndef LIB_CHACHA20_H
#define LIB_CHACHA20_H

#include <lib/types.h>

#define CHACHA20_KEY_BYTES   32
#define CHACHA20_BLOCK_BYTES 64

/* 0-3 the constants, 4-11 the key, 12-13 block counter, 14-15 nonce; all little-endian words. */
struct chacha20 {
    uint32_t word[16];
};

void chacha20_init(struct chacha20 *state, const uint8_t key[CHACHA20_KEY_BYTES]);
/* Writes one block of key stream and counts the block counter up. */
void chacha20_block(struct chacha20 *state, uint8_t block[CHACHA20_BLOCK_BYTES]);

#endif
