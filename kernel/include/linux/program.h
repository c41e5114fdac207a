/* SPDX-License-Identifier: MIT
 *
 * Addresses of the running program in words.
 */
#ifndef LINUX_PROGRAM_H
#define LINUX_PROGRAM_H

#include <lib/types.h>

/*
 * "function+0x1c in /usr/bin/name" where the mapped file has symbols, else "/usr/bin/name+0x5a1c",
 * else the bare number; always terminated. Task context, may sleep.
 */
void program_describe_address(vaddr_t address, char *to, size_t size);

#endif
