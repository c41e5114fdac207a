/* SPDX-License-Identifier: MIT */
/*
 * Reclamation by quiescent states: readers of a structure take no lock, a remover unlinks and hands
 * the memory to defer_free(), which calls back once every CPU has been seen outside a reading
 * section (switched threads, was in a program, or slept) since then.
 */
#ifndef CORE_DEFER_H
#define CORE_DEFER_H

#include <lib/types.h>

struct deferred {
    struct deferred *next;
    void (*run)(struct deferred *deferred);
};

/* A reading section: preemption off. What is found inside may be used until the end, or, with a
 * reference taken by atomic_inc_not_zero(), beyond. Nests. */
void defer_read_begin(void);
void defer_read_end(void);

/* `run` is called in kernel thread context when no reader can still hold a pointer. Any context. */
void defer_free(struct deferred *deferred, void (*run)(struct deferred *deferred));

/* Sleeps until all defer_free() calls made before are carried out. */
void defer_wait(void);

/* This CPU holds no reading section now: called by the scheduler and on entry from a program. */
void defer_quiescent(void);

/* Creates the reclaimer, which first runs when a batch is due; what was deferred before is due
 * then.
 */
int defer_init(void);

#endif
