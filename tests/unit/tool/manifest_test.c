/* SPDX-License-Identifier: MIT
 *
 * Manifest, percent-encoding, environments, word splitting, SHA-256.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <tool/manifest.h>
#include <tool/percent.h>
#include <tool/sha256.h>

static void free_manifest(struct manifest *manifest)
{
    free(manifest->exec);
    free(manifest->cwd);
    free(manifest->user);
    free(manifest->hostname);
    free(manifest->name);
    words_clear(&manifest->args);
    words_clear(&manifest->env);
}

static void test_there_and_back(void **state)
{
    struct manifest out = {.memory_mib = 64, .cpus = 2}, back = {0};
    struct buffer text = {0};

    (void)state;
    out.exec = text_copy("/bin/a b");
    words_add(&out.args, "a=b");
    words_add(&out.args, "");
    words_add(&out.args, "100%\n\377\"");
    words_add(&out.env, "X=1,2");
    manifest_write(&out, &text);
    assert_non_null(strstr(text.data, "arg=100%25%0A%FF\"\n"));
    assert_int_equal(manifest_parse(&back, text.data), 0);
    assert_string_equal(back.exec, "/bin/a b");
    assert_int_equal(back.args.count, 3);
    for (size_t i = 0; i < 3; i++)
        assert_string_equal(back.args.item[i], out.args.item[i]);
    assert_string_equal(back.env.item[0], "X=1,2");
    assert_int_equal(back.memory_mib, 64);
    assert_int_equal(back.cpus, 2);
    buffer_free(&text);
    free_manifest(&out);
    free_manifest(&back);
}

static void test_damaged(void **state)
{
    static const char *const texts[] = {"",
                                        "remora-manifest=2\n",
                                        "remora-manifest=1\narg",
                                        "remora-manifest=1\narg=a",
                                        "remora-manifest=1\narg\n=a\n",
                                        "remora-manifest=1\narg=%4\n",
                                        "remora-manifest=1\narg=%00\n",
                                        "remora-manifest=1\narg=%zz\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct manifest manifest = {0};
        char *text = text_copy(texts[i]);

        assert_int_equal(manifest_parse(&manifest, text), -EINVAL);
        free(text);
        free_manifest(&manifest);
    }
}

static void test_bootargs_encoding(void **state)
{
    struct buffer text = {0};

    (void)state;
    percent_add_bootarg(&text, "a b,c\"%~\t\303");
    assert_string_equal(text.data, "a%20b%2Cc%22%25~%09%C3");
    assert_true(percent_decode(text.data));
    assert_string_equal(text.data, "a b,c\"%~\t\303");
    buffer_free(&text);
}

static void test_environment(void **state)
{
    struct words env = {0};

    (void)state;
    environment_set(&env, "A=1");
    environment_set(&env, "AB=2");
    environment_set(&env, "A=3");
    assert_int_equal(env.count, 2);
    assert_string_equal(environment_get(&env, "A"), "3");
    environment_set(&env, "A");
    assert_null(environment_get(&env, "A"));
    assert_string_equal(env.item[0], "AB=2");
    assert_null(env.item[1]);
    words_clear(&env);
}

static void test_shell_words(void **state)
{
    struct words words = {0};

    (void)state;
    assert_int_equal(words_split_shell(&words, " a 'b c'  \"d \\\" e\" '' f\\ g"), 0);
    assert_int_equal(words.count, 5);
    assert_string_equal(words.item[1], "b c");
    assert_string_equal(words.item[2], "d \" e");
    assert_string_equal(words.item[3], "");
    assert_string_equal(words.item[4], "f g");
    words_clear(&words);
    assert_int_equal(words_split_shell(&words, "'a"), -1);
    words_clear(&words);
}

/* FIPS 180-4 examples, and lengths around a block's edge against each other in pieces. */
static void test_sha256(void **state)
{
    char text[SHA256_TEXT], whole[SHA256_TEXT], data[200];
    uint8_t digest[SHA256_SIZE];
    struct sha256 hash;

    (void)state;
    sha256_start(&hash);
    sha256_add(&hash, "abc", 3);
    sha256_end(&hash, digest);
    sha256_text(digest, text);
    assert_string_equal(text, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    sha256_start(&hash);
    sha256_add(&hash, "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq", 56);
    sha256_end(&hash, digest);
    sha256_text(digest, text);
    assert_string_equal(text, "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
    memset(data, 'x', sizeof(data));
    for (size_t size = 0; size <= sizeof(data); size++) {
        sha256_start(&hash);
        sha256_add(&hash, data, size);
        sha256_end(&hash, digest);
        sha256_text(digest, whole);
        sha256_start(&hash);
        for (size_t at = 0; at < size; at += 7)
            sha256_add(&hash, data + at, size - at < 7 ? size - at : 7);
        sha256_end(&hash, digest);
        sha256_text(digest, text);
        assert_string_equal(text, whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),    cmocka_unit_test(test_damaged),
        cmocka_unit_test(test_bootargs_encoding), cmocka_unit_test(test_environment),
        cmocka_unit_test(test_shell_words),       cmocka_unit_test(test_sha256),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
