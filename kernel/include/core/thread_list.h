/* SPDX-License-Identifier: MIT */
/* Every thread of the kernel, for the debugger, reports and the start of CPUs. */
#ifndef CORE_THREAD_LIST_H
#define CORE_THREAD_LIST_H

#include <core/lock.h>
#include <lib/list.h>

struct thread;

extern struct list_node thread_list; /* thread.all_node */
extern struct spinlock thread_list_lock;

/* Sets up a thread that did not come from thread_create(): a boot or idle thread. */
void thread_init(struct thread *thread, const char *name);

#endif
