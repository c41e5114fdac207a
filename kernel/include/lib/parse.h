/* SPDX-License-Identifier: MIT */
/* Numbers from text. Unlike C's strtoul these say what is wrong and never wrap. */
#ifndef LIB_PARSE_H
#define LIB_PARSE_H

#include <lib/compiler.h>

/*
 * Reads digits at `s` in `base` (2 to 36; 0: by the prefix 0x, 0 or none). No sign, no leading
 * space. *end, where not NULL, is the first character not used. -EINVAL: no digit (or, with end
 * NULL, something after them); -ERANGE: does not fit.
 */
int parse_u64(const char *s, unsigned base, uint64_t *value, const char **end);
int parse_u32(const char *s, unsigned base, uint32_t *value, const char **end);
/* A leading '-' or '+' is taken. */
int parse_i64(const char *s, unsigned base, int64_t *value, const char **end);
/* A decimal or 0x number with an optional suffix K, M, G or T (powers of 1024). */
int parse_size(const char *s, uint64_t *bytes, const char **end);

/*
 * Finds `key=value` (or `key` alone) among words parted by spaces; double quotes keep spaces
 * together. Returns the start of the value (of an empty string for `key` alone) and its length,
 * or NULL. The last occurrence wins.
 */
const char *parse_option(const char *line, const char *key, size_t *length);

#endif
