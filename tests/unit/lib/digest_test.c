/* SPDX-License-Identifier: MIT */
/* Published vectors: RFC 8439 2.3.2 (ChaCha20), RFC 3720 B.4 (CRC-32C), FNV. */
#include <unit.h>

#include <string.h>

#include <lib/chacha20.h>
#include <lib/crc32.h>
#include <lib/hash.h>

static void chacha20_vector(void **state)
{
    static const uint8_t expected[64] = {
        0x10, 0xf1, 0xe7, 0xe4, 0xd1, 0x3b, 0x59, 0x15, 0x50, 0x0f, 0xdd, 0x1f, 0xa3,
        0x20, 0x71, 0xc4, 0xc7, 0xd1, 0xf4, 0xc7, 0x33, 0xc0, 0x68, 0x03, 0x04, 0x22,
        0xaa, 0x9a, 0xc3, 0xd4, 0x6c, 0x4e, 0xd2, 0x82, 0x64, 0x46, 0x07, 0x9f, 0xaa,
        0x09, 0x14, 0xc2, 0xd7, 0x05, 0xd9, 0x8b, 0x02, 0xa2, 0xb5, 0x12, 0x9c, 0xd1,
        0xde, 0x16, 0x4e, 0xb9, 0xcb, 0xd0, 0x83, 0xe8, 0xa2, 0x50, 0x3c, 0x4e,
    };
    struct chacha20 cipher;
    uint8_t key[32], block[64];

    for (unsigned i = 0; i < 32; i++)
        key[i] = (uint8_t)i;
    chacha20_init(&cipher, key);
    cipher.word[12] = 1;
    cipher.word[13] = 0x09000000;
    cipher.word[14] = 0x4a000000;
    cipher.word[15] = 0;
    chacha20_block(&cipher, block);
    assert_memory_equal(block, expected, 64);
    assert_int_equal(cipher.word[12], 2);
}

static void crc32c_vectors(void **state)
{
    uint8_t zeroes[32] = {0};

    assert_int_equal(~crc32c(~0U, "123456789", 9), 0xe3069283);
    assert_int_equal(~crc32c(~0U, zeroes, 32), 0x8a9136aa);
    assert_int_equal(crc32c(crc32c(~0U, "1234", 4), "56789", 5), crc32c(~0U, "123456789", 9));
}

static void hash_vectors(void **state)
{
    struct hash_key one = {{1, 2}}, other = {{1, 3}};

    assert_int_equal(hash_bytes("", 0), HASH_FNV_START);
    assert_int_equal(hash_bytes("a", 1), 0xe40c292c);
    assert_int_equal(hash_bytes("foobar", 6), 0xbf9cf968);
    assert_true(hash_siphash(&one, "x", 1) != hash_siphash(&other, "x", 1));
    assert_true(hash_siphash(&one, "x", 1) == hash_siphash(&one, "x", 1));
    assert_true(hash_u64(1, 8) < 256);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chacha20_vector),
        cmocka_unit_test(crc32c_vectors),
        cmocka_unit_test(hash_vectors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
