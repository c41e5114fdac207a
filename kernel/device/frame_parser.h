/* SPDX-License-Identifier: MIT */
/*
 * Takes frames (abi/frame.h) out of a stream of bytes and passes the rest on unchanged. Pulls: it
 * stops when the output is full, a frame is complete, or the input is used up. No locks; the caller
 * has them. What arrives may be hostile.
 */
#ifndef DEVICE_FRAME_PARSER_H
#define DEVICE_FRAME_PARSER_H

#include <abi/frame.h>
#include <lib/types.h>

#define FRAME_PREFIX_LENGTH (FRAME_INTRO_LENGTH + FRAME_NONCE_LENGTH)
#define FRAME_HOLD_MAX      (FRAME_HEADER_MAX + FRAME_PAYLOAD_MAX + FRAME_END_LENGTH)

struct frame_parser {
    uint8_t prefix[FRAME_PREFIX_LENGTH];
    size_t held;      /* bytes of a possible frame in `hold` */
    size_t released;  /* of `releasing`, those already passed on */
    size_t releasing; /* bytes of `hold` that turned out to be no frame */
    size_t payload_start, payload_length;
    uint8_t hold[FRAME_HOLD_MAX];
};

struct frame {
    char type;
    const uint8_t *payload; /* in the parser: valid until the next call */
    size_t length;
};

void frame_parser_init(struct frame_parser *parser, const uint8_t nonce[FRAME_NONCE_LENGTH]);

/*
 * Reads from *from, *size (both moved on) and writes what is no frame to `to`, at most `room`.
 * Returns the bytes written; *frame.type is a letter if a frame came to its end, else 0.
 */
size_t frame_parse(struct frame_parser *parser, const uint8_t **from, size_t *size, uint8_t *to,
                   size_t room, struct frame *frame);

#endif
