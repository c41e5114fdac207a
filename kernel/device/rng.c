/* SPDX-License-Identifier: MIT */
/*
 * Random numbers. Seeds go into a pool key: xored into a ChaCha20 key 32 bytes at a time, which is
 * then replaced by its own output (as OpenBSD's arc4random rekeys). Each CPU has a generator of its
 * own, a key that every refill replaces by the first half of its output ('fast key erasure',
 * Bernstein 2017): who reads the memory later cannot tell what was given out before. A new seed
 * bumps the pool's generation, and each CPU takes a fresh key from it.
 */
#include <arch/cpu_random.h>
#include <arch/irqflags.h>
#include <arch/smccc.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/percpu.h>
#include <device/machine.h>
#include <device/rng.h>
#include <lib/chacha20.h>
#include <lib/endian.h>
#include <lib/hash.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define KEY_BYTES    CHACHA20_KEY_BYTES
#define SPARE_BYTES  (CHACHA20_BLOCK_BYTES - KEY_BYTES)
#define ENTROPY_BITS 128 /* enough for the output to be secret */

static struct {
    struct spinlock lock;
    uint8_t key[KEY_BYTES];
    uint64_t generation; /* 0: never seeded */
    unsigned entropy_bits;
} pool = {.lock = SPINLOCK_INIT(RANK_RNG)};

struct generator {
    uint64_t generation;
    uint8_t key[KEY_BYTES];
    uint8_t spare[SPARE_BYTES];
    unsigned spare_used; /* bytes of `spare` already given out */
};

/* Each by its CPU only, interrupts masked; those of further CPUs are made when first used. */
static struct generator boot_generator;
static struct generator *generators[MAX_CPUS] = {&boot_generator};

static struct generator *this_generator(void)
{
    struct generator **slot = &generators[this_cpu()->id];

    if (unlikely(*slot == NULL))
        *slot = kzalloc(sizeof(**slot));
    return *slot;
}

/* Replaces a key by the first half of its output, and gives the other half to `rest`. */
static void step_key(uint8_t key[KEY_BYTES], uint8_t rest[SPARE_BYTES])
{
    struct chacha20 chacha;
    uint8_t block[CHACHA20_BLOCK_BYTES];

    chacha20_init(&chacha, key);
    chacha20_block(&chacha, block);
    memcpy(key, block, KEY_BYTES);
    memcpy(rest, block + KEY_BYTES, SPARE_BYTES);
    memzero_explicit(block, sizeof(block));
    memzero_explicit(&chacha, sizeof(chacha));
}

/* One part of a seed, its length and the time. What is xored in is known to nobody through the
 * output. */
static void absorb(const uint8_t *from, size_t size)
{
    uint64_t count = clock_counter();
    uint8_t rest[SPARE_BYTES];

    for (unsigned i = 0; i < size; i++)
        pool.key[i] ^= from[i];
    step_key(pool.key, rest);
    store_le64(pool.key, load_le64(pool.key) ^ count);
    pool.key[KEY_BYTES - 1] ^= (uint8_t)size;
    memzero_explicit(rest, sizeof(rest));
}

void rng_mix(const void *from, size_t size, unsigned entropy_bits)
{
    reg_t flags = spin_lock_irq(&pool.lock);

    for (size_t at = 0; at < size; at += KEY_BYTES)
        absorb((const uint8_t *)from + at, min(size - at, (size_t)KEY_BYTES));
    pool.generation++;
    pool.entropy_bits = min(pool.entropy_bits + entropy_bits, 4U * ENTROPY_BITS);
    spin_unlock_irq(&pool.lock, flags);
}

/* A key for one generator; the pool's own moves on, so that no two are alike. */
static void take_key(struct generator *generator)
{
    spin_lock(&pool.lock);
    step_key(pool.key, generator->key);
    generator->generation = pool.generation;
    spin_unlock(&pool.lock);
    generator->spare_used = SPARE_BYTES;
}

/* Fills `to` from the generator's key, which is replaced first. */
static void generate(struct generator *generator, uint8_t *to, size_t size)
{
    struct chacha20 chacha;
    uint8_t block[CHACHA20_BLOCK_BYTES];

    chacha20_init(&chacha, generator->key);
    chacha20_block(&chacha, block);
    memcpy(generator->key, block, KEY_BYTES);
    memcpy(generator->spare, block + KEY_BYTES, SPARE_BYTES);
    generator->spare_used = 0;
    while (size > 0) {
        size_t part = min(size, sizeof(block));

        chacha20_block(&chacha, block);
        memcpy(to, block, part);
        to += part;
        size -= part;
    }
    memzero_explicit(block, sizeof(block));
    memzero_explicit(&chacha, sizeof(chacha));
}

/* At most this much with interrupts masked. */
#define RUN_MAX 1024

static void fill_run(uint8_t *to, size_t size)
{
    reg_t flags = irq_save();
    struct generator *generator = this_generator(), local;

    if (unlikely(generator == NULL)) {
        memset(&local, 0, sizeof(local));
        generator = &local; /* out of memory: a key for this once */
    }
    if (unlikely(generator->generation != READ_ONCE(pool.generation)))
        take_key(generator);
    if (size > SPARE_BYTES) {
        generate(generator, to, size);
    } else {
        if (size > SPARE_BYTES - generator->spare_used) {
            step_key(generator->key, generator->spare);
            generator->spare_used = 0;
        }
        memcpy(to, generator->spare + generator->spare_used, size);
        memzero_explicit(generator->spare + generator->spare_used, size);
        generator->spare_used += (unsigned)size;
    }
    irq_restore(flags);
}

void rng_bytes(void *to, size_t size)
{
    for (uint8_t *at = to; size > 0;) {
        size_t part = min(size, (size_t)RUN_MAX);

        fill_run(at, part);
        at += part;
        size -= part;
    }
}

uint64_t rng_u64(void)
{
    uint64_t value;

    rng_bytes(&value, sizeof(value));
    return value;
}

bool rng_is_seeded(void)
{
    return pool.entropy_bits >= ENTROPY_BITS;
}

/* The CPU's instruction (Arm ARM FEAT_RNG). */
static void mix_cpu(void)
{
    uint64_t word[4];

    for (unsigned i = 0; i < ARRAY_SIZE(word); i++) {
        if (!cpu_random_u64(&word[i]))
            return;
    }
    rng_mix(word, sizeof(word), 256);
}

/* The firmware's or hypervisor's (Arm DEN 0098). */
static void mix_firmware(void)
{
    machine_find_psci();
    if (smccc_conduit() == SMCCC_NONE)
        return;
    struct smccc_result result = smccc_call(smccc_conduit(), SMCCC_TRNG_VERSION, 0, 0, 0);

    if ((int32_t)result.x[0] < 0x10000)
        return;
    result = smccc_call(smccc_conduit(), SMCCC_TRNG_RND64, 192, 0, 0);
    if ((int64_t)result.x[0] != 0)
        return;
    rng_mix(&result.x[1], 3 * sizeof(reg_t), 192);
}

/* The last resort: how long the same few steps take. Counted at half a bit each. */
#define TIMING_ROUNDS 256

static void mix_timing(void)
{
    uint32_t delta[64];
    uint64_t before = clock_counter();

    for (unsigned i = 0; i < TIMING_ROUNDS; i++) {
        volatile uint8_t scratch[64];
        uint64_t now;

        for (unsigned j = 0; j < sizeof(scratch); j += 1 + (before & 7))
            scratch[j] = (uint8_t)before;
        now = clock_counter();
        delta[i % ARRAY_SIZE(delta)] = (uint32_t)(now - before);
        before = now;
        if ((i + 1) % ARRAY_SIZE(delta) == 0)
            rng_mix(delta, sizeof(delta), ARRAY_SIZE(delta) / 2);
    }
}

void rng_init(uint8_t *seed, size_t size)
{
    if (size > 0) {
        rng_mix(seed, size, (unsigned)min(size, (size_t)64) * 8);
        memzero_explicit(seed, size);
    }
    mix_cpu();
    if (!rng_is_seeded())
        mix_firmware();
    if (!rng_is_seeded()) {
        mix_timing();
        log_warn("No source of random numbers but timing: keys made now may be guessable");
    }
}

#define FIRST_SECRETS 16

/*
 * Those of the boot's threads are the generator's output. Then one secret and a keyed hash of a
 * counter: output for each thread would make its creation dearer by a tenth.
 */
reg_t thread_secret(void)
{
    static struct hash_key key;
    static atomic64_t count;
    static bool keyed;
    uint64_t number = (uint64_t)atomic64_fetch_add(1, &count);

    if (number < FIRST_SECRETS)
        return rng_u64();
    if (!keyed && rng_is_seeded()) {
        rng_bytes(&key, sizeof(key));
        keyed = true;
    }
    return hash_siphash(&key, &number, sizeof(number));
}
