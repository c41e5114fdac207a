/* SPDX-License-Identifier: MIT */
/* Spinlocks; lock.h, which includes this, tells how locks are used. */
#ifndef CORE_SPINLOCK_H
#define CORE_SPINLOCK_H

#include <arch/atomic.h>
#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <core/lock_rank.h>
#include <core/preempt.h>
#include <core/waitq.h>

static inline void spin_init(struct spinlock *lock, enum lock_rank rank)
{
    lock->locked = 0;
    lock->rank = rank;
}

/* Takes a lock that was seen taken: the slow half of spin_lock(). */
void spin_wait(struct spinlock *lock);

#ifdef CONFIG_DEBUG_CHECKS
/* Keep the list of locks that this CPU holds, and panic when one breaks the order. */
void spin_check_taken(const struct spinlock *lock);
void spin_check_tried(const struct spinlock *lock); /* in any order: nobody waited */
void spin_check_released(const struct spinlock *lock);
bool spin_held(const struct spinlock *lock);
#else
static inline void spin_check_taken(const struct spinlock *lock)
{
    (void)lock;
}

static inline void spin_check_tried(const struct spinlock *lock)
{
    (void)lock;
}

static inline void spin_check_released(const struct spinlock *lock)
{
    (void)lock;
}

/* For ASSERT: does this CPU hold it? Always true in builds without checks. */
static inline bool spin_held(const struct spinlock *lock)
{
    (void)lock;
    return true;
}
#endif

static inline bool spin_take(struct spinlock *lock)
{
    return likely(atomic_xchg((atomic_t *)&lock->locked, 1) == 0);
}

static inline void spin_lock(struct spinlock *lock)
{
    preempt_disable();
    if (!spin_take(lock))
        spin_wait(lock);
    spin_check_taken(lock);
}

static inline bool spin_trylock(struct spinlock *lock)
{
    preempt_disable();
    if (spin_take(lock)) {
        spin_check_tried(lock);
        return true;
    }
    preempt_enable();
    return false;
}

static inline void spin_unlock(struct spinlock *lock)
{
    spin_check_released(lock);
    smp_store_release(&lock->locked, 0); /* pairs with the exchange in spin_take() */
    preempt_enable();
}

/* Interrupts are masked first; hand the result to spin_unlock_irq(). */
static inline reg_t spin_lock_irq(struct spinlock *lock)
{
    reg_t flags = irq_save();

    spin_lock(lock);
    return flags;
}

static inline void spin_unlock_irq(struct spinlock *lock, reg_t flags)
{
    spin_check_released(lock);
    smp_store_release(&lock->locked, 0);
    preempt_enable_no_check();
    irq_restore(flags);
    if (unlikely(reschedule_wanted()) && *preempt_count() == 0)
        preempt_check();
}

/* The same as functions of their own: files compiled for size call them, and what runs rarely. */
void spin_lock_call(struct spinlock *lock);
void spin_unlock_call(struct spinlock *lock);
reg_t spin_lock_irq_call(struct spinlock *lock);
void spin_unlock_irq_call(struct spinlock *lock, reg_t flags);

#ifdef __OPTIMIZE_SIZE__
#define spin_lock       spin_lock_call
#define spin_unlock     spin_unlock_call
#define spin_lock_irq   spin_lock_irq_call
#define spin_unlock_irq spin_unlock_irq_call
#endif

#endif
