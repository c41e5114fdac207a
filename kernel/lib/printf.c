/* SPDX-License-Identifier: MIT */
/* Formatted text; lib/printf.h says which parts of C11 7.21.6.1 are here and what is added. */
#include <lib/ctype.h>
#include <lib/printf.h>
#include <lib/string.h>

struct output {
    char *to;
    size_t size;   /* of the buffer */
    size_t length; /* of the text so far, whether or not it fitted */
};

struct spec {
    bool left, plus, space, alternate, zero;
    bool upper;
    int width;
    int precision; /* -1: none */
    enum { LENGTH_INT, LENGTH_CHAR, LENGTH_SHORT, LENGTH_LONG, LENGTH_LONG_LONG } length;
};

static void put(struct output *out, char c)
{
    if (out->length < out->size)
        out->to[out->length] = c;
    out->length++;
}

static void put_repeated(struct output *out, char c, int count)
{
    while (count-- > 0)
        put(out, c);
}

static void put_string(struct output *out, const struct spec *spec, const char *s, size_t length)
{
    int padding = spec->width > (int)length ? spec->width - (int)length : 0;

    if (!spec->left)
        put_repeated(out, ' ', padding);
    for (size_t i = 0; i < length; i++)
        put(out, s[i]);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

/* Writes the digits backwards, ending at `end`; returns where they start. */
static char *digits_before(char *end, uint64_t value, unsigned base, bool upper)
{
    const char *digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";

    if (base == 10) {
        for (; value != 0; value /= 10)
            *--end = (char)('0' + value % 10);
    } else {
        unsigned shift = base == 16 ? 4 : 3;
        for (; value != 0; value >>= shift)
            *--end = digits[value & (base - 1)];
    }
    return end;
}

/* `prefix` is a sign, "0x" or "". */
static void put_number(struct output *out, const struct spec *spec, const char *prefix,
                       uint64_t value, unsigned base)
{
    char buffer[24], *end = buffer + sizeof(buffer);
    char *start = digits_before(end, value, base, spec->upper);
    int digits = (int)(end - start), prefix_length = (int)strlen(prefix);
    int zeroes = (spec->precision < 0 ? 1 : spec->precision) - digits;
    int padding;

    if (base == 8 && spec->alternate && zeroes <= 0 && (digits == 0 || *start != '0'))
        zeroes = 1;
    if (zeroes < 0)
        zeroes = 0;
    padding = spec->width - prefix_length - zeroes - digits;
    if (spec->zero && !spec->left && spec->precision < 0 && padding > 0) {
        zeroes += padding;
        padding = 0;
    }
    if (!spec->left)
        put_repeated(out, ' ', padding);
    while (*prefix != '\0')
        put(out, *prefix++);
    put_repeated(out, '0', zeroes);
    while (start < end)
        put(out, *start++);
    if (spec->left)
        put_repeated(out, ' ', padding);
}

static void put_symbol(struct output *out, const struct spec *spec, vaddr_t address)
{
    size_t offset = 0, length;
    char name[SYMBOL_SIZE], buffer[96];

    if (!symbol_name(address, name, &offset)) {
        put_number(out, spec, "0x", address, 16);
        return;
    }
    length = (size_t)scnprintf(buffer, sizeof(buffer), "%s+0x%zx", name, offset);
    put_string(out, spec, buffer, length);
}

static const char *parse_flags(const char *format, struct spec *spec)
{
    for (;; format++) {
        switch (*format) {
        case '-':
            spec->left = true;
            break;
        case '+':
            spec->plus = true;
            break;
        case ' ':
            spec->space = true;
            break;
        case '#':
            spec->alternate = true;
            break;
        case '0':
            spec->zero = true;
            break;
        default:
            return format;
        }
    }
}

/* Widths beyond any sensible text are cut, so that a wild '*' argument cannot hang the kernel. */
#define WIDTH_MAX 4096

static const char *parse_count(const char *format, int *count)
{
    int value = 0;

    for (; char_is_digit(*format); format++) {
        if (value < WIDTH_MAX)
            value = value * 10 + (*format - '0');
    }
    *count = value > WIDTH_MAX ? WIDTH_MAX : value;
    return format;
}

static const char *parse_length(const char *format, struct spec *spec)
{
    switch (*format) {
    case 'h':
        spec->length = format[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return format + (format[1] == 'h' ? 2 : 1);
    case 'l':
        spec->length = format[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
        return format + (format[1] == 'l' ? 2 : 1);
    case 'z':
    case 't':
        spec->length = LENGTH_LONG;
        return format + 1;
    case 'j':
        spec->length = LENGTH_LONG_LONG;
        return format + 1;
    default:
        return format;
    }
}

static const char *parse_width_and_precision(const char *format, struct spec *spec, va_list *args)
{
    if (*format == '*') {
        int width = va_arg(*args, int);
        spec->left |= width < 0;
        width = width < 0 && width > -WIDTH_MAX ? -width : width;
        spec->width = width < 0 || width > WIDTH_MAX ? WIDTH_MAX : width;
        format++;
    } else {
        format = parse_count(format, &spec->width);
    }
    if (*format != '.')
        return format;
    format++;
    if (*format != '*')
        return parse_count(format, &spec->precision);
    spec->precision = va_arg(*args, int);
    if (spec->precision < 0)
        spec->precision = -1;
    else if (spec->precision > WIDTH_MAX)
        spec->precision = WIDTH_MAX;
    return format + 1;
}

static int64_t signed_argument(const struct spec *spec, va_list *args)
{
    switch (spec->length) {
    case LENGTH_CHAR:
        return (signed char)va_arg(*args, int);
    case LENGTH_SHORT:
        return (short)va_arg(*args, int);
    case LENGTH_LONG:
        return va_arg(*args, long);
    case LENGTH_LONG_LONG:
        return va_arg(*args, long long);
    default:
        return va_arg(*args, int);
    }
}

static uint64_t unsigned_argument(const struct spec *spec, va_list *args)
{
    switch (spec->length) {
    case LENGTH_CHAR:
        return (unsigned char)va_arg(*args, int);
    case LENGTH_SHORT:
        return (unsigned short)va_arg(*args, int);
    case LENGTH_LONG:
        return va_arg(*args, unsigned long);
    case LENGTH_LONG_LONG:
        return va_arg(*args, unsigned long long);
    default:
        return va_arg(*args, unsigned);
    }
}

static void put_signed(struct output *out, const struct spec *spec, int64_t value)
{
    const char *sign = value < 0 ? "-" : spec->plus ? "+" : spec->space ? " " : "";

    put_number(out, spec, sign, value < 0 ? 0 - (uint64_t)value : (uint64_t)value, 10);
}

static void put_string_argument(struct output *out, const struct spec *spec, const char *s)
{
    if (s == NULL)
        s = "(null)";
    put_string(out, spec, s, spec->precision < 0 ? strlen(s) : strnlen(s, (size_t)spec->precision));
}

static void put_hex(struct output *out, struct spec *spec, uint64_t value, bool upper)
{
    const char *prefix = "";

    spec->upper = upper;
    if (spec->alternate && value != 0)
        prefix = upper ? "0X" : "0x";
    put_number(out, spec, prefix, value, 16);
}

/* Handles one conversion; `format` is at its letter. Returns what follows. */
static const char *convert(struct output *out, struct spec *spec, const char *format, va_list *args)
{
    char c;

    switch (*format) {
    case 'd':
    case 'i':
        put_signed(out, spec, signed_argument(spec, args));
        break;
    case 'u':
        put_number(out, spec, "", unsigned_argument(spec, args), 10);
        break;
    case 'o':
        put_number(out, spec, "", unsigned_argument(spec, args), 8);
        break;
    case 'x':
    case 'X':
        put_hex(out, spec, unsigned_argument(spec, args), *format == 'X');
        break;
    case 'c':
        c = (char)va_arg(*args, int);
        put_string(out, spec, &c, 1);
        break;
    case 's':
        put_string_argument(out, spec, va_arg(*args, const char *));
        break;
    case 'p':
        if (format[1] == 'S') {
            put_symbol(out, spec, (vaddr_t)va_arg(*args, void *));
            return format + 2;
        }
        put_number(out, spec, "0x", (vaddr_t)va_arg(*args, void *), 16);
        break;
    case '\0':
        return format;
    default: /* '%' and what is unknown print themselves */
        put(out, *format);
        break;
    }
    return format + 1;
}

int vsnprintf(char *to, size_t size, const char *format, va_list args)
{
    struct output out = {to, size, 0};
    va_list rest;

    va_copy(rest, args); /* a va_list parameter may be an array: its address needs a real object */
    while (*format != '\0') {
        struct spec spec = {.precision = -1};

        if (*format != '%') {
            put(&out, *format++);
            continue;
        }
        format = parse_flags(format + 1, &spec);
        format = parse_width_and_precision(format, &spec, &rest);
        format = parse_length(format, &spec);
        format = convert(&out, &spec, format, &rest);
    }
    va_end(rest);
    if (size > 0)
        to[out.length < size ? out.length : size - 1] = '\0';
    return (int)out.length;
}

int snprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vsnprintf(to, size, format, args);
    va_end(args);
    return length;
}

int vscnprintf(char *to, size_t size, const char *format, va_list args)
{
    int length = vsnprintf(to, size, format, args);

    if (size == 0)
        return 0;
    return (size_t)length < size ? length : (int)(size - 1);
}

int scnprintf(char *to, size_t size, const char *format, ...)
{
    va_list args;
    int length;

    va_start(args, format);
    length = vscnprintf(to, size, format, args);
    va_end(args);
    return length;
}
