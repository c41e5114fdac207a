/* SPDX-License-Identifier: MIT */
/*
 * The reader's side of console frames. A candidate is held back byte by byte while it can still
 * become a frame; ESC occurs only at its start, so when a byte breaks the match, everything before
 * it is program data and the byte itself is looked at anew.
 */
#include "frame_parser.h"

#include <lib/ctype.h>
#include <lib/minmax.h>
#include <lib/string.h>

#define LENGTH_DIGITS_MAX 7

void frame_parser_init(struct frame_parser *parser, const uint8_t nonce[FRAME_NONCE_LENGTH])
{
    memset(parser, 0, sizeof(*parser));
    memcpy(parser->prefix, FRAME_INTRO, FRAME_INTRO_LENGTH);
    memcpy(parser->prefix + FRAME_INTRO_LENGTH, nonce, FRAME_NONCE_LENGTH);
}

enum verdict { MISMATCH, MORE, COMPLETE };

/* Digits and ';' after the type, at hold[FRAME_PREFIX_LENGTH + 1]. */
static enum verdict check_length(struct frame_parser *parser, uint8_t byte)
{
    size_t first = FRAME_PREFIX_LENGTH + 1, digits = parser->held - first, length = 0;

    if (char_is_digit((char)byte)) {
        bool leading_zero = digits > 0 && parser->hold[first] == '0';
        return digits < LENGTH_DIGITS_MAX && !leading_zero ? MORE : MISMATCH;
    }
    if (byte != FRAME_LENGTH_END || digits == 0)
        return MISMATCH;
    for (size_t i = 0; i < digits; i++)
        length = length * 10 + (size_t)(parser->hold[first + i] - '0');
    if (length > FRAME_PAYLOAD_MAX)
        return MISMATCH;
    parser->payload_start = parser->held + 1;
    parser->payload_length = length;
    return MORE;
}

/* Can `byte` follow what is held? */
static enum verdict check(struct frame_parser *parser, uint8_t byte)
{
    size_t at = parser->held, end;

    if (at < FRAME_PREFIX_LENGTH)
        return byte == parser->prefix[at] ? MORE : MISMATCH;
    if (at == FRAME_PREFIX_LENGTH) {
        parser->payload_start = 0;
        return char_is_alpha((char)byte) ? MORE : MISMATCH;
    }
    if (parser->payload_start == 0)
        return check_length(parser, byte);
    end = parser->payload_start + parser->payload_length;
    if (at < end)
        return MORE;
    if (byte != (uint8_t)FRAME_END[at - end])
        return MISMATCH;
    return at - end + 1 == FRAME_END_LENGTH ? COMPLETE : MORE;
}

/* Passes on what was held for nothing. */
static size_t release(struct frame_parser *parser, uint8_t *to, size_t room)
{
    size_t part = min(room, parser->releasing - parser->released);

    memcpy(to, parser->hold + parser->released, part);
    parser->released += part;
    if (parser->released == parser->releasing)
        parser->released = parser->releasing = 0;
    return part;
}

/* Copies up to the next byte that can begin a frame. */
static size_t copy_plain(const uint8_t **from, size_t *size, uint8_t *to, size_t room)
{
    size_t part = min(*size, room);
    const uint8_t *escape = memchr(*from, FRAME_INTRO[0], part);

    if (escape != NULL)
        part = (size_t)(escape - *from);
    memcpy(to, *from, part);
    *from += part;
    *size -= part;
    return part;
}

size_t frame_parse(struct frame_parser *parser, const uint8_t **from, size_t *size, uint8_t *to,
                   size_t room, struct frame *frame)
{
    size_t done = 0;

    frame->type = 0;
    for (;;) {
        enum verdict verdict;

        if (parser->releasing != 0)
            done += release(parser, to + done, room - done);
        if (parser->releasing != 0)
            return done; /* full */
        if (parser->held == 0)
            done += copy_plain(from, size, to + done, room - done);
        if (*size == 0 || (parser->held == 0 && **from != (uint8_t)FRAME_INTRO[0]))
            return done; /* used up, or full */
        verdict = check(parser, **from);
        if (verdict == MISMATCH) {
            parser->releasing = parser->held;
            parser->held = 0;
            continue;
        }
        parser->hold[parser->held++] = **from;
        ++*from;
        --*size;
        if (verdict == COMPLETE) {
            parser->held = 0;
            frame->type = (char)parser->hold[FRAME_PREFIX_LENGTH];
            frame->payload = parser->hold + parser->payload_start;
            frame->length = parser->payload_length;
            return done;
        }
    }
}
