/* SPDX-License-Identifier: MIT
 *
 * Memory that is there or ends the command, a growing byte buffer, and a growing list of words.
 */
#ifndef TOOL_BUFFER_H
#define TOOL_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

void *memory_alloc(size_t size); /* zeroed */
void *memory_resize(void *old, size_t size);
void *memory_copy(const void *data, size_t size); /* with a NUL behind it */
char *text_copy(const char *text);
char *text_format(const char *format, ...) __attribute__((format(printf, 1, 2)));
bool text_starts(const char *text, const char *prefix);
bool text_ends(const char *text, const char *suffix);

/* data is NUL-terminated after any call that adds; all zero is an empty buffer. */
struct buffer {
    char *data;
    size_t length;
    size_t capacity;
};

void buffer_add(struct buffer *buffer, const void *data, size_t size);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_byte(struct buffer *buffer, char byte);
void buffer_format(struct buffer *buffer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void buffer_drop_front(struct buffer *buffer, size_t size);
void buffer_free(struct buffer *buffer);

/* Owned strings; `item` ends with a NULL, fit for execv. All zero is an empty list. */
struct words {
    char **item;
    size_t count;
};

void words_add(struct words *words, const char *text); /* copies */
void words_take(struct words *words, char *text);      /* takes over */
void words_add_all(struct words *words, const struct words *from);
bool words_hold(const struct words *words, const char *text);
void words_sort(struct words *words);
void words_clear(struct words *words);

/* Splits at any byte of `separators`, empty items dropped. */
void words_split(struct words *words, const char *text, const char *separators);

/* Splits as a shell does: blanks, '...', "..." and backslash. -1 if a quote stays open. */
int words_split_shell(struct words *words, const char *text);

#endif
