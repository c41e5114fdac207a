/* SPDX-License-Identifier: MIT */
/* What lwIP asks of a compiler and a system (its doc/sys_arch.txt); types come from the compiler.
 */
#ifndef LWIP_ARCH_CC_H
#define LWIP_ARCH_CC_H

#include <lib/types.h>

#define LWIP_NO_INTTYPES_H 1
#define LWIP_NO_LIMITS_H   1
#define INT_MAX            0x7fffffff
#define SSIZE_MAX          INT64_MAX
#define LWIP_NO_UNISTD_H   1
#define LWIP_NO_CTYPE_H    1

#define X8_F  "02x"
#define U16_F "u"
#define S16_F "d"
#define X16_F "x"
#define U32_F "u"
#define S32_F "d"
#define X32_F "x"
#define SZT_F "zu"

#define BYTE_ORDER LITTLE_ENDIAN

/* Inline, where lwIP has functions. */
#define lwip_htons(x) __builtin_bswap16(x)
#define lwip_ntohs(x) __builtin_bswap16(x)
#define lwip_htonl(x) __builtin_bswap32(x)
#define lwip_ntohl(x) __builtin_bswap32(x)

/* The sum of 16-bit words in memory's order, folded and not complemented (RFC 1071). */
uint16_t lwip_port_checksum(const void *data, int size);
#define LWIP_CHKSUM lwip_port_checksum

/* lwIP's messages go nowhere; a broken invariant stops the machine. */
void lwip_port_assert(const char *message);
#define LWIP_PLATFORM_DIAG(x)
#define LWIP_PLATFORM_ASSERT(message) lwip_port_assert(message)
#define LWIP_PLATFORM_ERROR(message)

uint32_t lwip_port_random(void);
#define LWIP_RAND() lwip_port_random()

/* The C library's malloc, calloc, free, atoi (stdlib.h). */
void *lwip_port_malloc(size_t size);
void *lwip_port_calloc(size_t count, size_t size);
void lwip_port_free(void *block);
int lwip_port_number(const char *text);

#endif
