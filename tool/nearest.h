/* SPDX-License-Identifier: MIT
 *
 * What a mistyped word was meant to be.
 */
#ifndef TOOL_NEAREST_H
#define TOOL_NEAREST_H

#include <stddef.h>

/* The name that differs least from word: at most two letters added, dropped or changed (neighbours
 * swapped count once), and less than half of the word. NULL if there is none. */
const char *text_nearest(const char *word, const char *const names[], size_t count);

#endif
