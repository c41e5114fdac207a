/* SPDX-License-Identifier: MIT
 *
 * Keys, buckets and waiters of futexes, shared by futex.c and futex_pi.c.
 *
 * A bucket's lock guards its list and what is said of each waiter below. User memory is read under
 * it only without faults; a fault drops the lock and starts over.
 */
#ifndef LINUX_FUTEX_INTERNAL_H
#define LINUX_FUTEX_INTERNAL_H

#include <core/lock.h>
#include <lib/list.h>
#include <lib/types.h>

struct vm_object;
struct task;
struct thread;

/* Private futexes: the address space and the address. Shared ones: object and byte in it. */
struct futex_key {
    uintptr_t space;
    uint64_t offset;
    struct vm_object *object; /* a reference, or NULL */
};

struct futex_bucket {
    struct spinlock lock;
    struct list_node waiters;
};

struct futex_waiter {
    struct list_node node;
    struct futex_bucket *bucket; /* NULL once woken; READ_ONCE without its lock */
    struct futex_key key;
    struct thread *thread;
    uint32_t bitset;
    bool woken;
    bool is_pi;       /* waits for a lock, which is handed to it */
    bool is_orphaned; /* woken because the owner died: the lock is not handed to it */
    uint32_t owner;   /* of the lock, a tid */
};

#define FUTEX_BITSET_ANY 0xffffffffu
#define FUTEX_TID_MASK   0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS    0x80000000u

int futex_key_get(struct futex_key *key, vaddr_t address, bool is_private);
void futex_key_put(struct futex_key *key);
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
void futex_lock_bucket(struct futex_bucket *bucket);

/* Takes the waiter off its locked bucket and wakes its thread; its memory may then be gone. */
void futex_wake_locked(struct futex_waiter *waiter);

/* Queues the waiter if the word holds `expected`; else -EAGAIN. -EFAULT. */
int futex_queue_if_equal(struct futex_waiter *waiter, vaddr_t address, uint32_t expected);

/* 0 when woken, -ETIMEDOUT, -ERESTARTSYS; the waiter is on no queue afterwards. */
int futex_sleep_until_woken(struct futex_waiter *waiter, uint64_t deadline);

/* Takes the waiter off its bucket, which a requeue may change meanwhile. False: it was woken. */
bool futex_unqueue(struct futex_waiter *waiter);

/* The first bucket, or the one behind; NULL at the end. */
struct futex_bucket *futex_bucket_next(struct futex_bucket *bucket);

/* futex_pi.c */
/* The task ends: who waits for its locks takes them over. task->has_left_locks is set. */
void futex_pi_exit(const struct task *task);
long futex_lock_pi(vaddr_t address, bool is_private, uint64_t deadline, bool try_only);
long futex_unlock_pi(vaddr_t address, bool is_private);

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
    return a->offset == b->offset && a->space == b->space;
}

#endif
