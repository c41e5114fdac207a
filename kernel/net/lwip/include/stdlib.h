/* SPDX-License-Identifier: MIT */
/* The part of the C library that lwIP takes its memory from: lwip_stack.c has it. */
#ifndef LWIP_STDLIB_H
#define LWIP_STDLIB_H

#include <lib/string.h>

#define malloc lwip_port_malloc
#define calloc lwip_port_calloc
#define free   lwip_port_free
#define atoi   lwip_port_number

#endif
