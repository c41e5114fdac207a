/* SPDX-License-Identifier: MIT */
/* Integer types that have a meaning; the compiler's own freestanding headers supply the rest. */
#ifndef LIB_TYPES_H
#define LIB_TYPES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint64_t paddr_t;    /* a physical address, 64 bits on every CPU */
typedef uintptr_t vaddr_t;   /* a virtual address, the kernel's or a program's */
typedef unsigned long reg_t; /* what a general register holds */
typedef long ssize_t;        /* a count of bytes or -errno */

#endif
