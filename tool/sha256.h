/* SPDX-License-Identifier: MIT
 *
 * SHA-256 (FIPS 180-4), for cache keys, root digests and pinned packages.
 */
#ifndef TOOL_SHA256_H
#define TOOL_SHA256_H

#include <stddef.h>
#include <stdint.h>

#define SHA256_SIZE 32
#define SHA256_TEXT (2 * SHA256_SIZE + 1)

struct sha256 {
    uint32_t state[8];
    uint64_t length;
    uint8_t block[64];
};

void sha256_start(struct sha256 *hash);
void sha256_add(struct sha256 *hash, const void *data, size_t size);
void sha256_end(struct sha256 *hash, uint8_t digest[SHA256_SIZE]);

/* Lower-case hexadecimal, NUL-terminated. */
void sha256_text(const uint8_t digest[SHA256_SIZE], char text[SHA256_TEXT]);

/* Digest of length bytes of a file from offset; length UINT64_MAX: to its end. 0 or -errno. */
int sha256_file(int fd, uint64_t offset, uint64_t length, uint8_t digest[SHA256_SIZE]);

#endif
