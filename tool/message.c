/* SPDX-License-Identifier: MIT
 *
 * Messages and progress on standard error.
 */
#include "message.h"

#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

static enum message_level message_level = MESSAGE_NORMAL;
static const char *message_newline = "\n";
static bool progress_shown;

void message_set_level(enum message_level level)
{
    message_level = level;
}

void message_set_newline(const char *newline)
{
    message_newline = newline;
}

void message_progress_end(void)
{
    if (!progress_shown)
        return;
    fputs("\r\033[K", stderr);
    fflush(stderr);
    progress_shown = false;
}

static void print_line(const char *kind, const char *format, va_list list)
{
    char line[4096];

    message_progress_end();
    vsnprintf(line, sizeof(line), format, list);
    fprintf(stderr, "remora: %s%s%s", kind, line, message_newline);
    fflush(stderr);
}

int message_error(const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print_line("", format, list);
    va_end(list);
    return STATUS_ERROR;
}

int message_fail(int status, const char *format, ...)
{
    va_list list;

    va_start(list, format);
    print_line("", format, list);
    va_end(list);
    return status;
}

void message_warn(const char *format, ...)
{
    va_list list;

    if (message_level < MESSAGE_NORMAL)
        return;
    va_start(list, format);
    print_line("warning: ", format, list);
    va_end(list);
}

void message_note(const char *format, ...)
{
    va_list list;

    if (message_level < MESSAGE_NORMAL)
        return;
    va_start(list, format);
    print_line("", format, list);
    va_end(list);
}

void message_verbose(const char *format, ...)
{
    va_list list;

    if (message_level < MESSAGE_VERBOSE)
        return;
    va_start(list, format);
    print_line("", format, list);
    va_end(list);
}

void message_progress(const char *format, ...)
{
    va_list list;

    if (message_level < MESSAGE_NORMAL || !isatty(STDERR_FILENO))
        return;
    fputs("\r\033[K", stderr);
    va_start(list, format);
    vfprintf(stderr, format, list);
    va_end(list);
    fflush(stderr);
    progress_shown = true;
}
