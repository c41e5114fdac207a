/* SPDX-License-Identifier: MIT */
/*
 * Kernel messages: kept in a ring that can be read back, and sent to the sinks at or above their
 * level. A message says what was found, what was expected, where, and what was done about it.
 * Any context.
 */
#ifndef CORE_LOG_H
#define CORE_LOG_H

#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

void log_message(enum log_level level, const char *format, ...) __printf(2, 3);

#define log_error(...) log_message(LOG_ERROR, __VA_ARGS__)
#define log_warn(...)  log_message(LOG_WARN, __VA_ARGS__)
#define log_info(...)  log_message(LOG_INFO, __VA_ARGS__)
#define log_debug(...) log_message(LOG_DEBUG, __VA_ARGS__)

struct log_sink {
    struct list_node node;
    enum log_level level; /* messages above this are not sent */
    /* One line with its newline; called with the log's lock held and interrupts masked. */
    void (*write)(struct log_sink *sink, const char *line, size_t length);
};

/* Adds a sink and replays to it what the ring still holds, if `replay`. */
void log_add_sink(struct log_sink *sink, bool replay);

/* From the command line's `loglevel=`: what sinks get by default. LOG_WARN unless set. */
enum log_level log_level(void);
void log_set_level(enum log_level level);

/* Copies the last `size` bytes of the ring; returns how many. For syslog(2) and crash reports. */
size_t log_read(char *buffer, size_t size);

#endif
