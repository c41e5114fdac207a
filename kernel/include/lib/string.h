/* SPDX-License-Identifier: MIT */
/*
 * The parts of C's <string.h> that a kernel needs, and safe copies. memcpy, memmove and memset live
 * apart (lib/memory_ops.c) so that a CPU port can build its own in their place.
 */
#ifndef LIB_STRING_H
#define LIB_STRING_H

#include <lib/compiler.h>

void *memcpy(void *restrict to, const void *restrict from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int byte, size_t size);
int memcmp(const void *a, const void *b, size_t size);
void *memchr(const void *from, int byte, size_t size);
/* Zeroes secrets: never optimised away. */
void memzero_explicit(void *to, size_t size);

size_t strlen(const char *s);
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t max);
char *strchr(const char *s, int c);
char *strrchr(const char *s, int c);
size_t strspn(const char *s, const char *accept);
size_t strcspn(const char *s, const char *reject);

/* Copies and always terminates (size > 0). Returns the length copied, or -E2BIG if it was cut. */
ssize_t strscpy(char *to, const char *from, size_t size);
bool str_starts_with(const char *s, const char *prefix);
/* Compares a counted string with a terminated one. */
bool str_equal_n(const char *counted, size_t length, const char *terminated);

/* Freestanding code still wants small copies inline; the C files that define these undo the names.
 */
#if __STDC_HOSTED__ == 0
#define memcpy(to, from, size)  __builtin_memcpy(to, from, size)
#define memset(to, byte, size)  __builtin_memset(to, byte, size)
#define memmove(to, from, size) __builtin_memmove(to, from, size)
#define memcmp(a, b, size)      __builtin_memcmp(a, b, size)
#define strlen(s)               __builtin_strlen(s)
#define strcmp(a, b)            __builtin_strcmp(a, b)
#endif

#endif
