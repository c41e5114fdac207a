/* SPDX-License-Identifier: MIT
 *
 * Console frames (abi/frame.h): telling them from program bytes, and writing them.
 */
#ifndef TOOL_FRAME_H
#define TOOL_FRAME_H

#include <stddef.h>

#include "buffer.h"

#include <abi/frame.h>

struct frame_sink {
    void (*bytes)(void *context, const char *data, size_t size);
    void (*frame)(void *context, char type, const char *payload, size_t size);
    void *context;
};

struct frame_parser {
    char intro[FRAME_INTRO_LENGTH + FRAME_NONCE_LENGTH + 1];
    char held[FRAME_HEADER_MAX + FRAME_PAYLOAD_MAX + FRAME_END_LENGTH];
    size_t held_size;
    size_t header_size; /* once the header is complete; 0 before */
    size_t payload_size;
};

/* nonce: FRAME_NONCE_LENGTH hexadecimal digits. */
void frame_parser_init(struct frame_parser *parser, const char *nonce);

/* Takes the next bytes of the stream in pieces of any size. */
void frame_parse(struct frame_parser *parser, const char *data, size_t size,
                 const struct frame_sink *sink);

/* End of the stream: what was held back as the possible start of a frame is program bytes. */
void frame_parse_end(struct frame_parser *parser, const struct frame_sink *sink);

void frame_add(struct buffer *buffer, const char *nonce, char type, const char *payload,
               size_t size);

#endif
