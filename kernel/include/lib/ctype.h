/* SPDX-License-Identifier: MIT */
/* Classes of ASCII characters; no locale, any value of char is accepted. */
#ifndef LIB_CTYPE_H
#define LIB_CTYPE_H

#include <lib/types.h>

static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool char_is_upper(char c)
{
    return c >= 'A' && c <= 'Z';
}

static inline bool char_is_lower(char c)
{
    return c >= 'a' && c <= 'z';
}

static inline bool char_is_alpha(char c)
{
    return char_is_upper(c) || char_is_lower(c);
}

static inline bool char_is_alnum(char c)
{
    return char_is_alpha(c) || char_is_digit(c);
}

static inline bool char_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline char char_to_lower(char c)
{
    return char_is_upper(c) ? (char)(c + ('a' - 'A')) : c;
}

static inline char char_to_upper(char c)
{
    return char_is_lower(c) ? (char)(c - ('a' - 'A')) : c;
}

/* The value of a digit in any base up to 36, or -1. */
static inline int char_digit_value(char c)
{
    if (char_is_digit(c))
        return c - '0';
    c = char_to_lower(c);
    return char_is_lower(c) ? c - 'a' + 10 : -1;
}

#endif
