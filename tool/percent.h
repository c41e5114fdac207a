/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding of the manifest and of boot parameters (abi/manifest.h, abi/bootargs.h).
 */
#ifndef TOOL_PERCENT_H
#define TOOL_PERCENT_H

#include <stdbool.h>

#include "buffer.h"

void percent_add_manifest(struct buffer *buffer, const char *text); /* spaces, ',' and '"' stay */
void percent_add_bootarg(struct buffer *buffer, const char *text);

/* In place. False if a '%' is not followed by two hexadecimal digits, or stands for NUL. */
bool percent_decode(char *text);

#endif
