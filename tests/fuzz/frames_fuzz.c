/* SPDX-License-Identifier: MIT */
/*
 * The console frame parser: however the stream is cut, the result is the same, and what is neither
 * frame nor kept comes out unchanged and in order. The first byte of the input chooses the cuts.
 */
#include <stdlib.h>
#include <string.h>

#include <kernel/device/frame_parser.h>

#define NONCE "0123456789abcdef0123456789abcdef"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct outcome {
    uint8_t *program;
    size_t length;
    unsigned frames;
    size_t payload_bytes;
};

static void feed(const uint8_t *data, size_t size, size_t piece, size_t room,
                 struct outcome *outcome)
{
    static struct frame_parser parser;
    size_t at = 0;

    frame_parser_init(&parser, (const uint8_t *)NONCE);
    memset(outcome, 0, sizeof *outcome);
    outcome->program = malloc(size + 1);
    while (at < size) {
        const uint8_t *from = data + at;
        size_t left = size - at < piece ? size - at : piece, before = left;

        for (;;) {
            struct frame frame = {0};
            size_t given = left;
            size_t written =
                frame_parse(&parser, &from, &left, outcome->program + outcome->length,
                            room < size - outcome->length ? room : size - outcome->length, &frame);

            outcome->length += written;
            if (outcome->length > size)
                abort();
            if (frame.type != 0) {
                volatile uint8_t last = frame.length > 0 ? frame.payload[frame.length - 1] : 0;

                (void)last;
                outcome->frames++;
                outcome->payload_bytes += frame.length;
            }
            if (frame.type == 0 && written == 0 && given == left)
                break;
        }
        if (left != 0)
            abort();
        at += before;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct outcome whole, cut;

    if (size < 1 || size > 20000)
        return 0;
    feed(data + 1, size - 1, size, size, &whole);
    feed(data + 1, size - 1, data[0] % 64 + 1, data[0] % 7 + 1, &cut);
    if (whole.length != cut.length || whole.frames != cut.frames ||
        whole.payload_bytes != cut.payload_bytes ||
        memcmp(whole.program, cut.program, whole.length) != 0)
        abort();
    if (whole.frames == 0 && memcmp(whole.program, data + 1, whole.length) != 0)
        abort();
    free(whole.program);
    free(cut.program);
    return 0;
}
