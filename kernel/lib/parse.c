/* SPDX-License-Identifier: MIT */
/* Numbers and options from text; the contracts are in lib/parse.h. */
#include <lib/ctype.h>
#include <lib/errno.h>
#include <lib/parse.h>
#include <lib/string.h>

static const char *skip_prefix(const char *s, unsigned *base)
{
    bool is_hex = s[0] == '0' && (s[1] == 'x' || s[1] == 'X') && char_digit_value(s[2]) >= 0 &&
                  char_digit_value(s[2]) < 16;

    if (is_hex && (*base == 0 || *base == 16)) {
        *base = 16;
        return s + 2;
    }
    if (*base == 0)
        *base = s[0] == '0' ? 8 : 10;
    return s;
}

int parse_u64(const char *s, unsigned base, uint64_t *value, const char **end)
{
    const char *first = s = skip_prefix(s, &base);
    uint64_t sum = 0;
    bool overflow = false;
    int digit;

    for (; (digit = char_digit_value(*s)) >= 0 && (unsigned)digit < base; s++) {
        overflow |= __builtin_mul_overflow(sum, (uint64_t)base, &sum);
        overflow |= __builtin_add_overflow(sum, (uint64_t)digit, &sum);
    }
    if (end != NULL)
        *end = s;
    if (s == first || (end == NULL && *s != '\0'))
        return -EINVAL;
    if (overflow)
        return -ERANGE;
    *value = sum;
    return 0;
}

int parse_u32(const char *s, unsigned base, uint32_t *value, const char **end)
{
    uint64_t wide;
    int error = parse_u64(s, base, &wide, end);

    if (error != 0)
        return error;
    if (wide > UINT32_MAX)
        return -ERANGE;
    *value = (uint32_t)wide;
    return 0;
}

int parse_i64(const char *s, unsigned base, int64_t *value, const char **end)
{
    bool negative = *s == '-';
    uint64_t magnitude;
    int error;

    if (*s == '-' || *s == '+')
        s++;
    error = parse_u64(s, base, &magnitude, end);
    if (error != 0)
        return error;
    if (magnitude > (uint64_t)INT64_MAX + negative)
        return -ERANGE;
    *value = (int64_t)(negative ? 0 - magnitude : magnitude);
    return 0;
}

/* The shift of a size suffix, or 0. */
static unsigned suffix_shift(char c)
{
    switch (char_to_upper(c)) {
    case 'K':
        return 10;
    case 'M':
        return 20;
    case 'G':
        return 30;
    case 'T':
        return 40;
    default:
        return 0;
    }
}

int parse_size(const char *s, uint64_t *bytes, const char **end)
{
    const char *rest;
    uint64_t value;
    unsigned shift;
    int error = parse_u64(s, 0, &value, &rest);

    if (error != 0)
        return error;
    shift = suffix_shift(*rest);
    if (shift != 0)
        rest++;
    if (end != NULL)
        *end = rest;
    else if (*rest != '\0')
        return -EINVAL;
    if (shift != 0 && (value >> (64 - shift)) != 0)
        return -ERANGE;
    *bytes = value << shift;
    return 0;
}

/* The end of the word at `s`: a space outside double quotes, or the end of the text. */
static const char *word_end(const char *s)
{
    bool quoted = false;

    for (; *s != '\0' && (quoted || !char_is_space(*s)); s++)
        quoted ^= *s == '"';
    return s;
}

const char *parse_option(const char *line, const char *key, size_t *length)
{
    size_t key_length = strlen(key);
    const char *found = NULL;

    for (;;) {
        const char *end;

        while (char_is_space(*line))
            line++;
        if (*line == '\0')
            return found;
        end = word_end(line);
        if (strncmp(line, key, key_length) == 0 &&
            (line + key_length == end || line[key_length] == '=')) {
            found = line + key_length + (line + key_length < end ? 1 : 0);
            *length = (size_t)(end - found);
            if (*length >= 2 && found[0] == '"' && found[*length - 1] == '"') {
                found++;
                *length -= 2;
            }
        }
        line = end;
    }
}
