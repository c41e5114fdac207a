/* SPDX-License-Identifier: MIT */
/* eventfd: a 64-bit counter that can be waited for. */
#ifndef FILE_EVENTFD_H
#define FILE_EVENTFD_H

#include <file/file.h>

/* A new eventfd with one reference; flags: O_NONBLOCK. NULL when out of memory. */
struct file *eventfd_create(uint64_t initial, bool semaphore, unsigned flags);

bool eventfd_is(const struct file *file);

/* Add to the counter from inside the kernel, from any context; saturates at UINT64_MAX - 1. */
void eventfd_signal(struct file *file, uint64_t add);

#endif
