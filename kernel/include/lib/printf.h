/* SPDX-License-Identifier: MIT */
/*
 * Formatted text into a buffer. As in C11: flags "-0+ #", width, precision, '*', lengths hh h l ll
 * z t j, conversions d i u x X o c s p %. No floating point, no %n. Beyond C: %pS  a code address
 * as name+0xoffset, or in hexadecimal when no symbol is known. Any context; takes no lock. The
 * kernel's pointers are printed as they are.
 */
#ifndef LIB_PRINTF_H
#define LIB_PRINTF_H

#include <lib/compiler.h>
#include <stdarg.h>

/* Write at most `size` bytes with the final NUL; return the length that the whole text has. */
int vsnprintf(char *to, size_t size, const char *format, va_list args) __printf(3, 0);
int snprintf(char *to, size_t size, const char *format, ...) __printf(3, 4);
/* Return the length that was written, without the NUL. */
int vscnprintf(char *to, size_t size, const char *format, va_list args) __printf(3, 0);
int scnprintf(char *to, size_t size, const char *format, ...) __printf(3, 4);

#define SYMBOL_SIZE 64 /* the longest name, NUL included */

/* Defined above (core/symbols.c): the name of the function that holds `address`, and how far into
 * it that is; false if none does. */
bool symbol_name(vaddr_t address, char name[SYMBOL_SIZE], size_t *offset);

#endif
