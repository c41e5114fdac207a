/* SPDX-License-Identifier: MIT
 *
 * Futexes that are locks (FUTEX_LOCK_PI and its relatives): the word holds the owner's tid, and the
 * kernel hands the lock to the first waiter of the highest priority. The owner inherits the
 * priority of those who wait: futex_inherit.c.
 */
#include <arch/uaccess.h>
#include <core/defer.h>
#include <core/sched.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>

#include "futex_internal.h"

static bool owner_lives(uint32_t word)
{
    struct task *owner;
    bool lives;

    defer_read_begin();
    owner = task_find((int)(word & FUTEX_TID_MASK));
    lives = owner && !READ_ONCE(owner->has_left_locks);
    defer_read_end();
    return lives;
}

/* What the word is when `tid` takes it over from a dead owner for whom it waited. */
static uint32_t inherited(uint32_t word, uint32_t tid)
{
    return (word & FUTEX_WAITERS) | FUTEX_OWNER_DIED | tid;
}

int futex_try_lock(vaddr_t address, uint32_t tid, bool try_only, bool is_heir, uint32_t *word)
{
    uint32_t value = 0;

    if (user_cmpxchg32(address, &value, tid))
        return -EFAULT;
    if (value == 0)
        return 0;
    if ((value & FUTEX_TID_MASK) == tid)
        return -EDEADLK;
    if ((value & FUTEX_TID_MASK) == 0 || (is_heir && !owner_lives(value))) {
        uint32_t seen = value;

        if (user_cmpxchg32(address, &seen, is_heir ? inherited(value, tid) : value | tid))
            return -EFAULT;
        return seen == value ? 0 : -EAGAIN;
    }
    if (try_only)
        return -EWOULDBLOCK;
    if (!owner_lives(value))
        return -ESRCH;
    *word = value | FUTEX_WAITERS;
    if (user_cmpxchg32(address, &value, *word))
        return -EFAULT;
    return (value | FUTEX_WAITERS) == *word ? 1 : -EAGAIN;
}

/* Waits until the lock is handed to us: 0. -EAGAIN: look at the word again, perhaps as heir. */
static int wait_turn(struct futex_waiter *waiter, vaddr_t address, uint32_t word, uint64_t deadline)
{
    struct futex_bucket *bucket = futex_bucket_of(&waiter->key);
    int error;

    waiter->state = FUTEX_WAITS;
    error = futex_lock_if_equal(waiter, address, word);
    if (error)
        return error;
    error = futex_inherit_begin(waiter, word & FUTEX_TID_MASK);
    if (!error)
        futex_queue_locked(waiter, bucket);
    spin_unlock(&bucket->lock);
    if (error == -ESRCH) {
        waiter->state = FUTEX_ORPHANED;
        return -EAGAIN;
    }
    return error ? error : futex_sleep_until_woken(waiter, deadline);
}

int futex_lock_or_wait(struct futex_waiter *waiter, vaddr_t address, uint64_t deadline,
                       bool try_only)
{
    uint32_t tid = (uint32_t)current_task()->tid, word;
    int result;

    do {
        result = futex_try_lock(address, tid, try_only, waiter->state == FUTEX_ORPHANED, &word);
        if (result == 1)
            result = wait_turn(waiter, address, word, deadline);
    } while (result == -EAGAIN && !try_only);
    return result;
}

long futex_lock_pi(vaddr_t address, bool is_private, uint64_t deadline, bool try_only)
{
    struct futex_waiter waiter = {.thread = current(),
                                  .bitset = FUTEX_BITSET_ANY,
                                  .priority = current()->sched.own_priority,
                                  .is_pi = true};
    int result = futex_key_get(&waiter.key, address, is_private);

    if (result)
        return result;
    result = futex_lock_or_wait(&waiter, address, deadline, try_only);
    futex_key_put(&waiter.key);
    return result == -ERESTARTSYS ? -ERESTARTNOINTR : result;
}

static unsigned priority_of(const struct thread *thread)
{
    return thread->sched.priority;
}

/* The next owner, and whether others wait behind it. */
static struct futex_waiter *next_owner(struct futex_bucket *bucket, const struct futex_key *key,
                                       bool *others)
{
    struct futex_waiter *waiter, *best = NULL;
    unsigned count = 0;

    list_for_each_entry (waiter, &bucket->waiters, node) {
        if (!waiter->is_pi || !futex_key_equal(&waiter->key, key))
            continue;
        count++;
        if (!best || priority_of(waiter->thread) > priority_of(best->thread))
            best = waiter;
    }
    *others = count > 1;
    return best;
}

/* With the bucket locked; -EFAULT: the page is not there, try again after touching it. */
static int hand_over(vaddr_t address, uint32_t owner, struct futex_bucket *bucket,
                     const struct futex_key *key)
{
    bool others;
    struct futex_waiter *next = next_owner(bucket, key, &others);
    uint32_t value = owner, desired = 0;
    int error;

    if (next)
        desired = (uint32_t)task_of(next->thread)->tid | (others ? FUTEX_WAITERS : 0);
    user_fault_disable();
    error = user_cmpxchg32(address, &value, desired);
    user_fault_enable();
    if (error)
        return error;
    if (value != owner)
        return -EAGAIN;
    if (next) {
        futex_inherit_from(bucket, key, next);
        futex_wake_locked(next);
    }
    return 0;
}

long futex_unlock_pi(vaddr_t address, bool is_private)
{
    uint32_t tid = (uint32_t)current_task()->tid, value;
    struct futex_bucket *bucket;
    struct futex_key key;
    long error = futex_key_get(&key, address, is_private);

    if (error)
        return error;
    bucket = futex_bucket_of(&key);
    do {
        /* Brings the page in, writable, and tells the owner. */
        error = -EFAULT;
        if (user_fetch_op32(address, USER_OR, 0, &value))
            break;
        error = -EPERM;
        if ((value & FUTEX_TID_MASK) != tid)
            break;
        futex_lock_bucket(bucket);
        error = hand_over(address, value, bucket, &key);
        spin_unlock(&bucket->lock);
    } while (error == -EAGAIN || error == -EFAULT);
    futex_key_put(&key);
    return error;
}
