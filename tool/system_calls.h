/* SPDX-License-Identifier: MIT
 *
 * Which system calls the kernel of this build answers, and which ones a program's code makes.
 */
#ifndef TOOL_SYSTEM_CALLS_H
#define TOOL_SYSTEM_CALLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SYSTEM_CALL_MAX 512

bool system_call_implemented(unsigned number);
const char *system_call_name(unsigned number); /* NULL: not a call of arm64 Linux */

/* Marks the numbers of the calls in code: svc #0 with a constant put into w8 or x8 shortly before
 * it. Calls by a number that is computed are not seen. */
void system_calls_find(const uint8_t *text, size_t size, bool used[SYSTEM_CALL_MAX]);

#endif
