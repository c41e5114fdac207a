/* SPDX-License-Identifier: MIT
 *
 * Facts about the system that calls and /proc tell alike.
 */
#ifndef LINUX_SYSTEM_H
#define LINUX_SYSTEM_H

#include <lib/types.h>

#define HOST_NAME_MAX 64

/* What uname says: programs look at the Linux version that is compatible, not at ours. */
#define SYSTEM_RELEASE "6.1.0-remora"
#define SYSTEM_VERSION "#1 SMP Remora"

void system_set_hostname(const char *name);
/* Copies of the names; `size` at least HOST_NAME_MAX + 1. */
void system_hostname(char *to, size_t size);
void system_domainname(char *to, size_t size);

#endif
