/* SPDX-License-Identifier: MIT */
/* Strings and comparisons of memory in portable C; see lib/memory_ops.c for the copies. */
#include <lib/ctype.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/string.h>

#undef memcmp
#undef strlen
#undef strcmp

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *p = a, *q = b;

    while (size >= 8 && load_u64(p) == load_u64(q)) {
        p += 8;
        q += 8;
        size -= 8;
    }
    for (; size > 0; size--, p++, q++) {
        if (*p != *q)
            return *p - *q;
    }
    return 0;
}

void *memchr(const void *from, int byte, size_t size)
{
    for (const uint8_t *p = from; size > 0; size--, p++) {
        if (*p == (uint8_t)byte)
            return (void *)(vaddr_t)p;
    }
    return NULL;
}

void memzero_explicit(void *to, size_t size)
{
    memset(to, 0, size);
    __asm__ volatile("" : : "r"(to) : "memory"); /* the zeroes are 'read' here */
}

__no_loop_idiom size_t strlen(const char *s)
{
    const char *end = s;

    while (*end != '\0')
        end++;
    return (size_t)(end - s);
}

size_t strnlen(const char *s, size_t max)
{
    size_t length = 0;

    while (length < max && s[length] != '\0')
        length++;
    return length;
}

int strcmp(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return (unsigned char)*a - (unsigned char)*b;
}

int strncmp(const char *a, const char *b, size_t max)
{
    for (; max > 0; max--, a++, b++) {
        if (*a != *b || *a == '\0')
            return (unsigned char)*a - (unsigned char)*b;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (;; s++) {
        if (*s == (char)c)
            return (char *)(vaddr_t)s;
        if (*s == '\0')
            return NULL;
    }
}

char *strrchr(const char *s, int c)
{
    const char *last = NULL;

    for (;; s++) {
        if (*s == (char)c)
            last = s;
        if (*s == '\0')
            return (char *)(vaddr_t)last;
    }
}

size_t strspn(const char *s, const char *accept)
{
    size_t length = 0;

    while (s[length] != '\0' && strchr(accept, s[length]) != NULL)
        length++;
    return length;
}

size_t strcspn(const char *s, const char *reject)
{
    size_t length = 0;

    if (reject[0] == '\0' || reject[1] == '\0') { /* one character to look for: most uses */
        while (s[length] != '\0' && s[length] != reject[0])
            length++;
        return length;
    }
    while (s[length] != '\0' && strchr(reject, s[length]) == NULL)
        length++;
    return length;
}

ssize_t strscpy(char *to, const char *from, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        to[i] = from[i];
        if (to[i] == '\0')
            return (ssize_t)i;
    }
    if (size > 0)
        to[size - 1] = '\0';
    return -E2BIG;
}

bool str_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_equal_n(const char *counted, size_t length, const char *terminated)
{
    return strlen(terminated) == length && memcmp(counted, terminated, length) == 0;
}
