/* SPDX-License-Identifier: MIT */
/* Short jobs for a kernel thread, queued from contexts that may not sleep. */
#ifndef CORE_WORK_H
#define CORE_WORK_H

#include <lib/list.h>
#include <lib/types.h>

struct work {
    struct list_node node;
    void (*run)(struct work *work); /* may free `work` */
    bool queued;
};

void work_init(struct work *work, void (*run)(struct work *work));

/* Queues it unless it already is. Any context. Returns whether it was queued by this call. */
bool work_queue(struct work *work);

/* Creates the worker thread, which first runs when there is work. */
int work_init_worker(void);

#endif
