/* SPDX-License-Identifier: MIT
 *
 * What the command says on standard error: `remora: ` and one line that tells what, where and what
 * to do next. Functions "that report" return 0, or an exit status after they have said why.
 */
#ifndef TOOL_MESSAGE_H
#define TOOL_MESSAGE_H

#include <stdbool.h>

#include <abi/frame.h>

enum message_level { MESSAGE_QUIET, MESSAGE_NORMAL, MESSAGE_VERBOSE };

#define STATUS_TIMEOUT 124
#define STATUS_ERROR   FRAME_STATUS_ERROR

void message_set_level(enum message_level level);

/* Text that goes before each line but the first of a report when the terminal is raw: "\r\n". */
void message_set_newline(const char *newline);

/* Prints and returns STATUS_ERROR, so that `return message_error(...)` reads well. */
int message_error(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* As message_error, with a status of the caller's. */
int message_fail(int status, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Not with -q. */
void message_warn(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What the user has to know; not with -q. */
void message_note(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Only with -V. */
void message_verbose(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Long work: one line that is rewritten; shown on a terminal only, never with -q.
 * message_progress_end() wipes it; every other message does so by itself. */
void message_progress(const char *format, ...) __attribute__((format(printf, 1, 2)));
void message_progress_end(void);

#endif
