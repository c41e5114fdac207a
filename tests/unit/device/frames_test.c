/* SPDX-License-Identifier: MIT */
/* kernel/device/frame_parser.c: what is a frame, what is not, and that nothing is lost or moved. */
#include <unit.h>

#include <stdio.h>
#include <string.h>

#include <kernel/device/frame_parser.h>

#define NONCE "0123456789abcdef0123456789abcdef"
#define INTRO "\033_R"
#define END   "\033\\"

static struct frame_parser parser;

/* Feeds `text` in pieces; gives the plain bytes and a line of the frames' types and payloads. */
static void feed(const char *text, size_t size, size_t piece, char *plain, char *frames)
{
    size_t length = 0;

    frame_parser_init(&parser, (const uint8_t *)NONCE);
    frames[0] = '\0';
    for (size_t at = 0; at < size; at += piece) {
        const uint8_t *from = (const uint8_t *)text + at;
        size_t left = size - at < piece ? size - at : piece, before, written;
        struct frame frame;

        do {
            before = left;
            written = frame_parse(&parser, &from, &left, (uint8_t *)plain + length, 7, &frame);
            length += written;
            if (frame.type != 0)
                sprintf(frames + strlen(frames), "%c:%.*s;", frame.type, (int)frame.length,
                        (const char *)frame.payload);
        } while (written > 0 || frame.type != 0 || left != before);
        assert_int_equal(left, 0);
    }
    plain[length] = '\0';
}

static void expect(const char *text, const char *plain, const char *frames)
{
    for (size_t piece = 1; piece <= strlen(text); piece++) {
        char got_plain[1024], got_frames[1024];

        feed(text, strlen(text), piece, got_plain, got_frames);
        assert_string_equal(got_plain, plain);
        assert_string_equal(got_frames, frames);
    }
}

static void frames_are_taken_out(void **state)
{
    (void)state;
    expect("ab" INTRO NONCE "W5;24 80" END "cd", "abcd", "W:24 80;");
    expect(INTRO NONCE "Z0;" END INTRO NONCE "C0;" END, "", "Z:;C:;");
    expect(INTRO NONCE "Q3;" END "x" END, "", "Q:" END "x;"); /* any payload, unknown types too */
}

static void other_bytes_pass(void **state)
{
    static const char *const same[] = {
        "plain",
        "\033[A\033_Rx",
        INTRO "1123456789abcdef0123456789abcdef"
              "W0;" END, /* another nonce */
        INTRO NONCE "W;" END,
        INTRO NONCE "W00;" END,
        INTRO NONCE "W9999;" END,
        INTRO NONCE "W12345678;",
        INTRO NONCE "70;" END,
        INTRO NONCE "W2;ab"
                    "\033x",
        INTRO NONCE "W2;abc" END,
    };

    (void)state;
    for (size_t i = 0; i < sizeof same / sizeof same[0]; i++)
        expect(same[i], same[i], "");
}

static void a_broken_frame_may_end_in_a_whole_one(void **state)
{
    (void)state;
    expect(INTRO "0123" INTRO NONCE "Z0;" END "!", INTRO "0123!", "Z:;");
    expect("\033\033\033" INTRO NONCE "Z0;" END, "\033\033\033", "Z:;");
}

static void the_longest_payload_fits(void **state)
{
    static char text[FRAME_HOLD_MAX + 1], plain[FRAME_HOLD_MAX + 1], frames[FRAME_HOLD_MAX + 16];
    int head = sprintf(text, INTRO NONCE "L%u;", FRAME_PAYLOAD_MAX);

    (void)state;
    memset(text + head, 'x', FRAME_PAYLOAD_MAX);
    memcpy(text + head + FRAME_PAYLOAD_MAX, END, 2);
    feed(text, (size_t)head + FRAME_PAYLOAD_MAX + 2, 1000, plain, frames);
    assert_string_equal(plain, "");
    assert_int_equal(strlen(frames), FRAME_PAYLOAD_MAX + 3);
    text[head + FRAME_PAYLOAD_MAX] = 'y'; /* and comes out whole if it was none */
    feed(text, (size_t)head + FRAME_PAYLOAD_MAX + 2, 1000, plain, frames);
    assert_memory_equal(plain, text, (size_t)head + FRAME_PAYLOAD_MAX + 2);
    assert_string_equal(frames, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_taken_out),
        cmocka_unit_test(other_bytes_pass),
        cmocka_unit_test(a_broken_frame_may_end_in_a_whole_one),
        cmocka_unit_test(the_longest_payload_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
