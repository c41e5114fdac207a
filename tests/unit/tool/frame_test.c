/* SPDX-License-Identifier: MIT
 *
 * Console frames: found in any cutting of the stream, and nothing else taken for one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <tool/frame.h>

#define NONCE "0123456789abcdef0123456789abcdef"

struct heard {
    struct buffer bytes;
    struct buffer frames; /* type, payload, '|' */
};

static void take_bytes(void *context, const char *data, size_t size)
{
    buffer_add(&((struct heard *)context)->bytes, data, size);
}

static void take_frame(void *context, char type, const char *payload, size_t size)
{
    struct heard *heard = context;

    buffer_add_byte(&heard->frames, type);
    buffer_add(&heard->frames, payload, size);
    buffer_add_byte(&heard->frames, '|');
}

static void parse(const char *stream, size_t size, size_t piece, const char *bytes,
                  size_t bytes_size, const char *frames)
{
    struct heard heard = {0};
    const struct frame_sink sink = {take_bytes, take_frame, &heard};
    struct frame_parser parser;

    frame_parser_init(&parser, NONCE);
    for (size_t at = 0; at < size; at += piece)
        frame_parse(&parser, stream + at, size - at < piece ? size - at : piece, &sink);
    frame_parse_end(&parser, &sink);
    assert_int_equal(heard.bytes.length, bytes_size);
    if (bytes_size)
        assert_memory_equal(heard.bytes.data, bytes, bytes_size);
    assert_string_equal(heard.frames.data ? heard.frames.data : "", frames);
    buffer_free(&heard.bytes);
    buffer_free(&heard.frames);
}

static void check(const char *stream, size_t size, const char *bytes, size_t bytes_size,
                  const char *frames)
{
    for (size_t piece = 1; piece <= size; piece++)
        parse(stream, size, piece, bytes, bytes_size, frames);
}

#define CHECK(stream, bytes, frames) \
    check(stream, sizeof(stream) - 1, bytes, sizeof(bytes) - 1, frames)

static void test_frames_between_bytes(void **state)
{
    (void)state;
    CHECK("abc", "abc", "");
    CHECK("a\033_R" NONCE "X1;3\033\\b", "ab", "X3|");
    CHECK("\033_R" NONCE "Z0;\033\\\033_R" NONCE "E4;a\033\\b\033\\", "", "Z|Ea\033\\b|");
    CHECK("\0\377\033_R" NONCE "W5;24 80\033\\\0", "\0\377\0", "W24 80|");
}

static void test_what_is_no_frame(void **state)
{
    (void)state;
    CHECK("\033_R0000", "\033_R0000", "");
    CHECK("\033\033_R" NONCE "X1;0\033\\", "\033", "X0|");
    CHECK("\033_R" NONCE "X01;0\033\\", "\033_R" NONCE "X01;0\033\\", "");
    CHECK("\033_R" NONCE "X;0\033\\", "\033_R" NONCE "X;0\033\\", "");
    CHECK("\033_R" NONCE "X9999;0", "\033_R" NONCE "X9999;0", "");
    CHECK("\033_R" NONCE "?1;0\033\\", "\033_R" NONCE "?1;0\033\\", "");
    CHECK("\033_R" NONCE "X1;00\033\\", "\033_R" NONCE "X1;00\033\\", "");
    CHECK("\033_R1123456789abcdef0123456789abcdefX1;0\033\\",
          "\033_R1123456789abcdef0123456789abcdefX1;0\033\\", "");
    CHECK("\033_\033_R\033_R" NONCE "X1;1\033\\", "\033_\033_R", "X1|");
}

static void test_largest_payload(void **state)
{
    struct buffer stream = {0}, expected = {0};
    char payload[FRAME_PAYLOAD_MAX];

    (void)state;
    memset(payload, '\033', sizeof(payload));
    frame_add(&stream, NONCE, FRAME_STDERR, payload, sizeof(payload));
    buffer_add_byte(&expected, FRAME_STDERR);
    buffer_add(&expected, payload, sizeof(payload));
    buffer_add_byte(&expected, '|');
    parse(stream.data, stream.length, stream.length, "", 0, expected.data);
    parse(stream.data, stream.length, 7, "", 0, expected.data);
    buffer_free(&stream);
    buffer_free(&expected);
}

static void test_random_bytes_pass(void **state)
{
    static const char alphabet[] = "\033_R01X;\\";
    char stream[4000];

    (void)state;
    srand(1);
    for (int round = 0; round < 50; round++) {
        for (size_t i = 0; i < sizeof(stream); i++)
            stream[i] = alphabet[rand() % (int)(sizeof(alphabet) - 1)];
        parse(stream, sizeof(stream), (size_t)(1 + rand() % 100), stream, sizeof(stream), "");
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_frames_between_bytes),
        cmocka_unit_test(test_what_is_no_frame),
        cmocka_unit_test(test_largest_payload),
        cmocka_unit_test(test_random_bytes_pass),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
