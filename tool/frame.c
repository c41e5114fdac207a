/* SPDX-License-Identifier: MIT
 *
 * Console frames. The bytes of a possible frame are held back until it is complete or cannot become
 * one any more.
 */
#include "frame.h"

#include <ctype.h>
#include <string.h>

#define INTRO_SIZE (FRAME_INTRO_LENGTH + FRAME_NONCE_LENGTH)

void frame_parser_init(struct frame_parser *parser, const char *nonce)
{
    *parser = (struct frame_parser){0};
    memcpy(parser->intro, FRAME_INTRO, FRAME_INTRO_LENGTH);
    memcpy(parser->intro + FRAME_INTRO_LENGTH, nonce, FRAME_NONCE_LENGTH);
}

static void give_up(struct frame_parser *parser, const struct frame_sink *sink)
{
    if (parser->held_size)
        sink->bytes(sink->context, parser->held, parser->held_size);
    parser->held_size = parser->header_size = parser->payload_size = 0;
}

/* The length digits: false if byte cannot stand here. */
static bool take_length(struct frame_parser *parser, char byte)
{
    size_t digits = parser->held_size - INTRO_SIZE - 1;

    if (byte == FRAME_LENGTH_END && digits) {
        parser->header_size = parser->held_size + 1;
        return true;
    }
    if (!isdigit((unsigned char)byte) || digits == 7)
        return false;
    if (digits && parser->payload_size == 0)
        return false; /* leading zero */
    parser->payload_size = parser->payload_size * 10 + (size_t)(byte - '0');
    return parser->payload_size <= FRAME_PAYLOAD_MAX;
}

static bool byte_fits(struct frame_parser *parser, char byte)
{
    size_t at = parser->held_size;

    if (at < INTRO_SIZE)
        return byte == parser->intro[at];
    if (at == INTRO_SIZE)
        return isalpha((unsigned char)byte);
    if (parser->header_size == 0)
        return take_length(parser, byte);
    if (at < parser->header_size + parser->payload_size)
        return true;
    return byte == FRAME_END[at - parser->header_size - parser->payload_size];
}

static void take_byte(struct frame_parser *parser, char byte, const struct frame_sink *sink)
{
    if (!byte_fits(parser, byte)) {
        give_up(parser, sink);
        if (byte != parser->intro[0]) {
            sink->bytes(sink->context, &byte, 1);
            return;
        }
    }
    parser->held[parser->held_size++] = byte;
    if (parser->header_size &&
        parser->held_size == parser->header_size + parser->payload_size + FRAME_END_LENGTH) {
        sink->frame(sink->context, parser->held[INTRO_SIZE], parser->held + parser->header_size,
                    parser->payload_size);
        parser->held_size = parser->header_size = parser->payload_size = 0;
    }
}

void frame_parse(struct frame_parser *parser, const char *data, size_t size,
                 const struct frame_sink *sink)
{
    while (size) {
        if (parser->held_size == 0) {
            const char *start = memchr(data, parser->intro[0], size);
            size_t plain = start ? (size_t)(start - data) : size;

            if (plain)
                sink->bytes(sink->context, data, plain);
            data += plain;
            size -= plain;
            if (size == 0)
                return;
        }
        take_byte(parser, *data++, sink);
        size--;
    }
}

void frame_parse_end(struct frame_parser *parser, const struct frame_sink *sink)
{
    give_up(parser, sink);
}

void frame_add(struct buffer *buffer, const char *nonce, char type, const char *payload,
               size_t size)
{
    buffer_format(buffer, FRAME_INTRO "%s%c%zu%c", nonce, type, size, FRAME_LENGTH_END);
    buffer_add(buffer, payload, size);
    buffer_add_text(buffer, FRAME_END);
}
