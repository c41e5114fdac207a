/* SPDX-License-Identifier: MIT */
/*
 * Random numbers: per-CPU ChaCha20 generators with fast key erasure (Bernstein, 2017), keyed from
 * one pool that seeds are mixed into with ChaCha20. Any context, no sleep. Before the first good
 * seed the output is not secret: rng_is_seeded() says.
 */
#ifndef DEVICE_RNG_H
#define DEVICE_RNG_H

#include <lib/types.h>

/* Boot CPU, before anything asks for numbers: mixes the firmware's seed (wiping it), the CPU's own
 * generator where there is one, and counters. */
void rng_init(uint8_t *seed, size_t size);
/* More entropy: devices, interrupts, a resumed snapshot (then every CPU takes a new key). */
void rng_mix(const void *from, size_t size, unsigned entropy_bits);
bool rng_is_seeded(void);

void rng_bytes(void *to, size_t size);
uint64_t rng_u64(void);

#endif
