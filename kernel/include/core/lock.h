/* SPDX-License-Identifier: MIT */
/*
 * Locks. Spinlocks disable preemption while held, their `_irq` forms interrupts too: a lock that an
 * interrupt handler takes is taken with `_irq` everywhere. Mutexes and rwlocks sleep; they are for
 * thread context with no spinlock held. Ranks (lock_rank.h) are checked in debug builds.
 */
#ifndef CORE_LOCK_H
#define CORE_LOCK_H

#include <arch/atomic.h>
#include <core/lock_rank.h>
#include <core/preempt.h>
#include <core/spinlock.h>
#include <core/waitq.h>
#include <lib/types.h>

struct mutex {
    atomic64_t owner; /* struct thread *, bit 0: somebody waits */
    struct waitq waiters;
    enum lock_rank rank;
};

#define MUTEX_INIT(rank_)                                               \
    {                                                                   \
        .owner = ATOMIC_INIT(0), .waiters = WAITQ_INIT, .rank = (rank_) \
    }

void mutex_init(struct mutex *mutex, enum lock_rank rank);
void mutex_lock(struct mutex *mutex);
bool mutex_trylock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

/* Many readers or one writer; a waiting writer holds new readers back. Not recursive. */
struct rwlock {
    atomic_t state; /* readers, or RWLOCK_WRITER; RWLOCK_WAITING when a writer waits */
    struct waitq waiters;
    enum lock_rank rank;
};

void rwlock_init(struct rwlock *lock, enum lock_rank rank);
void rwlock_read_lock(struct rwlock *lock);
void rwlock_read_unlock(struct rwlock *lock);
void rwlock_write_lock(struct rwlock *lock);
void rwlock_write_unlock(struct rwlock *lock);

/* In debug builds: panics when the caller holds a lock that must not wait for memory of the program
 * (docs/locking.md), which may be read from a disk or from the host. */
#ifdef CONFIG_DEBUG_CHECKS
void lock_check_user_access(void);
#else
static inline void lock_check_user_access(void)
{
}
#endif

#endif
