/* SPDX-License-Identifier: MIT */
/* eventfd: a 64-bit counter that can be waited for. */
#ifndef FILE_EVENTFD_H
#define FILE_EVENTFD_H

#include <file/file.h>

/* A new eventfd with one reference; flags: O_NONBLOCK. NULL when out of memory. */
struct file *eventfd_create(uint64_t initial, bool semaphore, unsigned flags);

#endif
