/* SPDX-License-Identifier: MIT
 *
 * Percent-encoding.
 */
#include "percent.h"

#include <ctype.h>
#include <string.h>

static void add_encoded(struct buffer *buffer, const char *text, const char *also)
{
    for (; *text; text++) {
        unsigned char byte = (unsigned char)*text;

        if (byte < 0x20 || byte > 0x7e || strchr(also, byte))
            buffer_format(buffer, "%%%02X", byte);
        else
            buffer_add_byte(buffer, *text);
    }
}

void percent_add_manifest(struct buffer *buffer, const char *text)
{
    add_encoded(buffer, text, "%");
}

void percent_add_bootarg(struct buffer *buffer, const char *text)
{
    add_encoded(buffer, text, "%,\" ");
}

static int hex_value(char digit)
{
    if (isdigit((unsigned char)digit))
        return digit - '0';
    digit = (char)tolower((unsigned char)digit);
    return digit >= 'a' && digit <= 'f' ? digit - 'a' + 10 : -1;
}

bool percent_decode(char *text)
{
    char *to = text;

    for (; *text; text++) {
        if (*text == '%') {
            int high = hex_value(text[1]);
            int low = high < 0 ? -1 : hex_value(text[2]);

            if (low < 0 || (high | low) == 0)
                return false;
            *to++ = (char)(high << 4 | low);
            text += 2;
        } else {
            *to++ = *text;
        }
    }
    *to = '\0';
    return true;
}
