/* SPDX-License-Identifier: MIT
 *
 * Memory, byte buffers and lists of words of the command.
 */
#include "buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "message.h"

void *memory_resize(void *old, size_t size)
{
    void *memory = realloc(old, size ? size : 1);

    if (memory == NULL)
        exit(message_error("out of memory (%zu bytes asked for)", size));
    return memory;
}

void *memory_alloc(size_t size)
{
    return memset(memory_resize(NULL, size), 0, size);
}

void *memory_copy(const void *data, size_t size)
{
    char *copy = memory_resize(NULL, size + 1);

    if (size)
        memcpy(copy, data, size);
    copy[size] = '\0';
    return copy;
}

char *text_copy(const char *text)
{
    return memory_copy(text, strlen(text));
}

char *text_format(const char *format, ...)
{
    va_list list;
    char *text;
    int length;

    va_start(list, format);
    length = vasprintf(&text, format, list);
    va_end(list);
    if (length < 0)
        exit(message_error("out of memory"));
    return text;
}

bool text_starts(const char *text, const char *prefix)
{
    return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool text_ends(const char *text, const char *suffix)
{
    size_t length = strlen(text), tail = strlen(suffix);

    return length >= tail && strcmp(text + length - tail, suffix) == 0;
}

static void buffer_reserve(struct buffer *buffer, size_t more)
{
    size_t wanted = buffer->length + more + 1;

    if (wanted <= buffer->capacity)
        return;
    buffer->capacity = wanted < 256 ? 256 : wanted + wanted / 2;
    buffer->data = memory_resize(buffer->data, buffer->capacity);
}

void buffer_add(struct buffer *buffer, const void *data, size_t size)
{
    buffer_reserve(buffer, size);
    if (size)
        memcpy(buffer->data + buffer->length, data, size);
    buffer->length += size;
    buffer->data[buffer->length] = '\0';
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
    buffer_add(buffer, text, strlen(text));
}

void buffer_add_byte(struct buffer *buffer, char byte)
{
    buffer_add(buffer, &byte, 1);
}

void buffer_format(struct buffer *buffer, const char *format, ...)
{
    va_list list;
    int length;

    va_start(list, format);
    length = vsnprintf(NULL, 0, format, list);
    va_end(list);
    buffer_reserve(buffer, (size_t)length);
    va_start(list, format);
    vsnprintf(buffer->data + buffer->length, (size_t)length + 1, format, list);
    va_end(list);
    buffer->length += (size_t)length;
}

void buffer_drop_front(struct buffer *buffer, size_t size)
{
    buffer->length -= size;
    memmove(buffer->data, buffer->data + size, buffer->length);
}

void buffer_free(struct buffer *buffer)
{
    free(buffer->data);
    *buffer = (struct buffer){0};
}

void words_take(struct words *words, char *text)
{
    words->item = memory_resize(words->item, (words->count + 2) * sizeof(char *));
    words->item[words->count++] = text;
    words->item[words->count] = NULL;
}

void words_add(struct words *words, const char *text)
{
    words_take(words, text_copy(text));
}

void words_add_all(struct words *words, const struct words *from)
{
    for (size_t i = 0; i < from->count; i++)
        words_add(words, from->item[i]);
}

bool words_hold(const struct words *words, const char *text)
{
    for (size_t i = 0; i < words->count; i++)
        if (strcmp(words->item[i], text) == 0)
            return true;
    return false;
}

static int compare_words(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

void words_sort(struct words *words)
{
    if (words->count > 1)
        qsort(words->item, words->count, sizeof(char *), compare_words);
}

void words_clear(struct words *words)
{
    for (size_t i = 0; i < words->count; i++)
        free(words->item[i]);
    free(words->item);
    *words = (struct words){0};
}

void words_split(struct words *words, const char *text, const char *separators)
{
    while (*text) {
        size_t length = strcspn(text, separators);

        if (length)
            words_take(words, memory_copy(text, length));
        text += length;
        text += strspn(text, separators);
    }
}

int words_split_shell(struct words *words, const char *text)
{
    struct buffer word = {0};
    bool open = false;
    char quote = '\0';

    for (; *text; text++) {
        if (quote ? *text == quote : *text == '\'' || *text == '"') {
            quote = quote ? '\0' : *text;
            open = true;
        } else if (*text == '\\' && quote != '\'' && text[1]) {
            buffer_add_byte(&word, *++text);
            open = true;
        } else if (!quote && strchr(" \t\n", *text)) {
            if (open)
                words_add(words, word.data ? word.data : "");
            buffer_free(&word);
            open = false;
        } else {
            buffer_add_byte(&word, *text);
            open = true;
        }
    }
    if (open)
        words_add(words, word.data ? word.data : "");
    buffer_free(&word);
    return quote ? -1 : 0;
}
