/* SPDX-License-Identifier: MIT */
/* <core/spinlock.h> for the host: functions of fakes.c, which complain about wrong use. */
#ifndef CORE_SPINLOCK_H
#define CORE_SPINLOCK_H

#include <arch/barrier.h>
#include <arch/irqflags.h>
#include <core/waitq.h>

void spin_init(struct spinlock *lock, enum lock_rank rank);
void spin_lock(struct spinlock *lock);
bool spin_trylock(struct spinlock *lock);
void spin_unlock(struct spinlock *lock);
reg_t spin_lock_irq(struct spinlock *lock);
void spin_unlock_irq(struct spinlock *lock, reg_t flags);
bool spin_held(const struct spinlock *lock);

#define spin_lock_call       spin_lock
#define spin_unlock_call     spin_unlock
#define spin_lock_irq_call   spin_lock_irq
#define spin_unlock_irq_call spin_unlock_irq

#endif
