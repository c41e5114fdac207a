/* SPDX-License-Identifier: MIT
 *
 * Keys, buckets and waiters of futexes, shared by the files of that name.
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
    struct list_node waiters; /* by priority, then in the order in which they came */
};

enum futex_state {
    FUTEX_WAITS,
    FUTEX_ORPHANED, /* the owner of the lock ended: the waiter is to look at the word again */
    FUTEX_WOKEN,    /* off its bucket; it has the lock, if it waited for one */
};

struct futex_waiter {
    struct list_node node;
    struct futex_bucket *bucket; /* where it is or was last; READ_ONCE without its lock */
    struct futex_key key;
    struct thread *thread;
    uint32_t bitset;
    uint8_t priority; /* real-time, when it began to wait */
    uint8_t state;    /* enum futex_state; read without the lock */
    bool is_pi;       /* waits for a lock, which is handed to it */

    const struct futex_key *lock_key; /* FUTEX_WAIT_REQUEUE_PI: of the lock to come; else NULL */

    /* futex_inherit.c's, under its lock */
    struct task *owner;       /* of the lock; NULL: none, or it ended */
    struct list_node sibling; /* owner->lock_waiters */
};

#define FUTEX_BITSET_ANY 0xffffffffu
#define FUTEX_TID_MASK   0x3fffffffu
#define FUTEX_OWNER_DIED 0x40000000u
#define FUTEX_WAITERS    0x80000000u

int futex_key_get(struct futex_key *key, vaddr_t address, bool is_private);
void futex_key_put(struct futex_key *key);
struct futex_bucket *futex_bucket_of(const struct futex_key *key);
void futex_lock_bucket(struct futex_bucket *bucket);
void futex_lock_pair(struct futex_bucket *a, struct futex_bucket *b); /* may be the same */
void futex_unlock_pair(struct futex_bucket *a, struct futex_bucket *b);

/* Takes the waiter off its locked bucket and wakes its thread; its memory may then be gone. */
void futex_wake_locked(struct futex_waiter *waiter);

/* Puts it into the locked bucket. */
void futex_queue_locked(struct futex_waiter *waiter, struct futex_bucket *bucket);

/* 0 with the waiter's bucket locked if the word holds `expected`; else -EAGAIN, -EFAULT. */
int futex_lock_if_equal(const struct futex_waiter *waiter, vaddr_t address, uint32_t expected);

/* The same, and queues the waiter; nothing is locked afterwards. */
int futex_queue_if_equal(struct futex_waiter *waiter, vaddr_t address, uint32_t expected);

/* 0 when woken, -ETIMEDOUT, -ERESTARTSYS, -EAGAIN when orphaned; the waiter is on no queue
 * afterwards. */
int futex_sleep_until_woken(struct futex_waiter *waiter, uint64_t deadline);

/* Takes the waiter off its bucket, which a requeue may change meanwhile. False: it was woken. */
bool futex_unqueue(struct futex_waiter *waiter);

/* A time-out at `at` in user memory (0: none) to a monotonic deadline; -EFAULT, -EINVAL. */
int futex_get_deadline(vaddr_t at, bool realtime, uint64_t *deadline);

/* futex_requeue.c */
struct futex_requeue {
    vaddr_t from, to;
    bool is_private, compare;
    int wake, move;
    uint32_t expected;
};
long futex_requeue(const struct futex_requeue *r);
/* To a lock: who waits there is to come from FUTEX_WAIT_REQUEUE_PI. */
long futex_requeue_to_lock(const struct futex_requeue *r);
long futex_wait_requeue(vaddr_t address, bool is_private, uint32_t expected, uint64_t deadline,
                        vaddr_t lock);

/* futex_pi.c */
long futex_lock_pi(vaddr_t address, bool is_private, uint64_t deadline, bool try_only);
long futex_unlock_pi(vaddr_t address, bool is_private);
/* One try to make `tid` the owner: 0 it is, 1 the word is `*word` with FUTEX_WAITERS set and the
 * thread is to wait, -EAGAIN: try again, -errno. is_heir: the owner died while the thread waited.
 */
int futex_try_lock(vaddr_t address, uint32_t tid, bool try_only, bool is_heir, uint32_t *word);
/* Until it has the lock: 0, -errno. */
int futex_lock_or_wait(struct futex_waiter *waiter, vaddr_t address, uint64_t deadline,
                       bool try_only);

/* futex_inherit.c */
/* With its bucket locked: the waiter, in no list yet, waits for a lock of task `tid`. -ESRCH: that
 * has ended. -EDEADLK: it waits, itself or through others, for a lock of the waiter's. */
int futex_inherit_begin(struct futex_waiter *waiter, uint32_t tid);
/* It waits no more, or has the lock. Bucket locked. */
void futex_inherit_end(struct futex_waiter *waiter);
/* Those in the locked bucket who wait for the lock `key` wait for `next` now, which itself does not
 * wait any more. */
void futex_inherit_from(struct futex_bucket *bucket, const struct futex_key *key,
                        struct futex_waiter *next);
/* The task ends, its locks are left: who waits for them looks again, and nobody comes anew. */
void futex_inherit_exit(struct task *task);

static inline bool futex_key_equal(const struct futex_key *a, const struct futex_key *b)
{
    return a->offset == b->offset && a->space == b->space;
}

#endif
