/* SPDX-License-Identifier: MIT */
/*
 * Put before kernel/lib and the tests of it: the kernel's versions of what the C library has get
 * symbols of their own, so that both are there and the sanitizers keep the C library's.
 */
#ifndef LIBC_NAMES_H
#define LIBC_NAMES_H

#include <stdarg.h>
#include <stddef.h>

#define KERNEL_SYMBOL(name) __asm__("kernel_" #name)

void *memcpy(void *restrict to, const void *restrict from, size_t size) KERNEL_SYMBOL(memcpy);
void *memmove(void *to, const void *from, size_t size) KERNEL_SYMBOL(memmove);
void *memset(void *to, int byte, size_t size) KERNEL_SYMBOL(memset);
int memcmp(const void *a, const void *b, size_t size) KERNEL_SYMBOL(memcmp);
void *memchr(const void *from, int byte, size_t size) KERNEL_SYMBOL(memchr);
size_t strlen(const char *s) KERNEL_SYMBOL(strlen);
size_t strnlen(const char *s, size_t max) KERNEL_SYMBOL(strnlen);
int strcmp(const char *a, const char *b) KERNEL_SYMBOL(strcmp);
int strncmp(const char *a, const char *b, size_t max) KERNEL_SYMBOL(strncmp);
char *strchr(const char *s, int c) KERNEL_SYMBOL(strchr);
char *strrchr(const char *s, int c) KERNEL_SYMBOL(strrchr);
size_t strspn(const char *s, const char *accept) KERNEL_SYMBOL(strspn);
size_t strcspn(const char *s, const char *reject) KERNEL_SYMBOL(strcspn);
int vsnprintf(char *to, size_t size, const char *format, va_list args) KERNEL_SYMBOL(vsnprintf);
int snprintf(char *to, size_t size, const char *format, ...) KERNEL_SYMBOL(snprintf);

#undef KERNEL_SYMBOL

#endif
