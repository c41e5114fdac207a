/* SPDX-License-Identifier: MIT */
/* BLAKE2s (RFC 7693) with a 32-byte digest: mixes seeds for the random number generator. */
#ifndef LIB_BLAKE2S_H
#define LIB_BLAKE2S_H

#include <lib/types.h>

#define BLAKE2S_DIGEST_BYTES 32
#define BLAKE2S_BLOCK_BYTES  64

struct blake2s {
    uint32_t state[8];
    uint64_t byte_count;
    size_t used;
    uint8_t block[BLAKE2S_BLOCK_BYTES];
};

void blake2s_init(struct blake2s *hash);
void blake2s_update(struct blake2s *hash, const void *from, size_t size);
/* Wipes the state. */
void blake2s_final(struct blake2s *hash, uint8_t digest[BLAKE2S_DIGEST_BYTES]);

#endif
