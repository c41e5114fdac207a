/* SPDX-License-Identifier: MIT */
/* What tests of kernel/file share: user memory with an edge, sleeps that a test can fill, wait
 * queues. */
#ifndef UNIT_FILE_SUPPORT_H
#define UNIT_FILE_SUPPORT_H

#include <unit.h>

#include <lib/types.h>

/* "User memory" is any host memory, but accesses from user_edge to user_end fault. */
extern uintptr_t user_edge, user_end;

/* Called instead of sleeping; NULL: the sleep is interrupted by a signal. */
extern void (*while_asleep)(void);

/* Called before bytes go to "user memory", if set. */
extern void (*while_copying)(void);

extern int last_signal;       /* of file_signal() */
extern unsigned pages_in_use; /* by page_alloc() */
extern unsigned wakes;        /* of threads */

#endif
