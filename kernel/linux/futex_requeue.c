/* SPDX-License-Identifier: MIT
 *
 * Moving those who wait for one word to another (FUTEX_REQUEUE, FUTEX_CMP_REQUEUE), and to a lock
 * (FUTEX_CMP_REQUEUE_PI), where they then are as if they had called FUTEX_LOCK_PI. See futex(2).
 */
#include <arch/uaccess.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/errno.h>
#include <linux/process.h>

#include "futex_internal.h"

/*
 * The waiter keeps its reference to the old object; the new one cannot be reused for another object
 * while it is mapped where this waiter's program waits next.
 */
static void move_locked(struct futex_waiter *waiter, struct futex_bucket *to,
                        const struct futex_key *key)
{
    list_del(&waiter->node);
    waiter->key.space = key->space;
    waiter->key.offset = key->offset;
    futex_queue_locked(waiter, to);
}

/* Both buckets locked. Wakes `wake` waiters, moves up to `move` others. */
static long requeue_locked(const struct futex_requeue *r, struct futex_bucket *from,
                           const struct futex_key *from_key, struct futex_bucket *to,
                           const struct futex_key *to_key)
{
    struct futex_waiter *waiter, *next;
    long count = 0;

    list_for_each_entry_safe (waiter, next, &from->waiters, node) {
        if (!futex_key_equal(&waiter->key, from_key))
            continue;
        if (waiter->is_pi || waiter->lock_key)
            return -EINVAL;
        if (count < r->wake)
            futex_wake_locked(waiter);
        else if (count < (long)r->wake + r->move)
            move_locked(waiter, to, to_key);
        else
            break;
        count++;
    }
    return count;
}

static long requeue_with_keys(const struct futex_requeue *r, const struct futex_key *from_key,
                              const struct futex_key *to_key)
{
    struct futex_bucket *from = futex_bucket_of(from_key), *to = futex_bucket_of(to_key);
    uint32_t value;
    long count;

    for (;;) {
        futex_lock_pair(from, to);
        if (!r->compare || get_user32_nofault(&value, r->from) == 0)
            break;
        futex_unlock_pair(from, to);
        if (get_user32(&value, r->from))
            return -EFAULT;
    }
    if (r->compare && value != r->expected)
        count = -EAGAIN;
    else
        count = requeue_locked(r, from, from_key, to, to_key);
    futex_unlock_pair(from, to);
    return count;
}

typedef long requeue_fn(const struct futex_requeue *r, const struct futex_key *from_key,
                        const struct futex_key *to_key);

static long with_keys(requeue_fn *requeue, const struct futex_requeue *r)
{
    struct futex_key from_key, to_key;
    long result;

    if (r->wake < 0 || r->move < 0)
        return -EINVAL;
    result = futex_key_get(&from_key, r->from, r->is_private);
    if (result)
        return result;
    result = futex_key_get(&to_key, r->to, r->is_private);
    if (!result) {
        result = requeue(r, &from_key, &to_key);
        futex_key_put(&to_key);
    }
    futex_key_put(&from_key);
    return result;
}

long futex_requeue(const struct futex_requeue *r)
{
    return with_keys(requeue_with_keys, r);
}

/* --- to a lock --- */

/* The lock, if it is free, or a place among those who wait for it. -EFAULT: its page is not there.
 */
static int move_to_lock_locked(struct futex_waiter *waiter, vaddr_t lock, struct futex_bucket *to,
                               const struct futex_key *to_key)
{
    uint32_t tid = (uint32_t)task_of(waiter->thread)->tid, word;
    int result;

    do
        result = futex_try_lock(lock, tid, false, false, &word);
    while (result == -EAGAIN);
    if (result < 0)
        return result;
    if (result == 0) {
        waiter->is_pi = true;
        futex_wake_locked(waiter);
        return 0;
    }
    result = futex_inherit_begin(waiter, word & FUTEX_TID_MASK);
    if (result)
        return result;
    waiter->is_pi = true;
    move_locked(waiter, to, to_key);
    return 0;
}

/* Both buckets locked. Goes on from *count, after a fault. */
static int requeue_to_lock_locked(const struct futex_requeue *r, struct futex_bucket *from,
                                  const struct futex_key *from_key, struct futex_bucket *to,
                                  const struct futex_key *to_key, long *count)
{
    struct futex_waiter *waiter, *next;
    uint32_t value;
    int error;

    if (*count == 0) {
        if (get_user32_nofault(&value, r->from))
            return -EFAULT;
        if (value != r->expected)
            return -EAGAIN;
    }
    list_for_each_entry_safe (waiter, next, &from->waiters, node) {
        if (*count > r->move)
            break;
        if (!futex_key_equal(&waiter->key, from_key))
            continue;
        if (!waiter->lock_key || waiter->is_pi || !futex_key_equal(waiter->lock_key, to_key))
            return -EINVAL;
        error = move_to_lock_locked(waiter, r->to, to, to_key);
        if (error)
            return error;
        ++*count;
    }
    return 0;
}

static long requeue_to_lock_with_keys(const struct futex_requeue *r,
                                      const struct futex_key *from_key,
                                      const struct futex_key *to_key)
{
    struct futex_bucket *from = futex_bucket_of(from_key), *to = futex_bucket_of(to_key);
    uint32_t value;
    long count = 0;
    int error;

    if (futex_key_equal(from_key, to_key))
        return -EINVAL;
    for (;;) {
        futex_lock_pair(from, to);
        user_fault_disable();
        error = requeue_to_lock_locked(r, from, from_key, to, to_key, &count);
        user_fault_enable();
        futex_unlock_pair(from, to);
        if (error != -EFAULT)
            return error ? error : count;
        if (get_user32(&value, r->from) || user_fetch_op32(r->to, USER_OR, 0, &value))
            return -EFAULT;
    }
}

long futex_requeue_to_lock(const struct futex_requeue *r)
{
    if (r->from == r->to || r->wake != 1)
        return -EINVAL;
    return with_keys(requeue_to_lock_with_keys, r);
}

static long wait_with_keys(struct futex_waiter *waiter, vaddr_t address, uint32_t expected,
                           uint64_t deadline, vaddr_t lock)
{
    int error;

    if (futex_key_equal(&waiter->key, waiter->lock_key))
        return -EINVAL;
    error = futex_queue_if_equal(waiter, address, expected);
    if (error)
        return error;
    error = futex_sleep_until_woken(waiter, deadline);
    if (error == -EAGAIN)
        error = futex_lock_or_wait(waiter, lock, deadline, false);
    if (error == -ERESTARTSYS)
        return waiter->is_pi ? -EAGAIN : -ERESTARTNOINTR; /* the word has changed since: look */
    return error;
}

long futex_wait_requeue(vaddr_t address, bool is_private, uint32_t expected, uint64_t deadline,
                        vaddr_t lock)
{
    struct futex_key lock_key;
    struct futex_waiter waiter = {.thread = current(),
                                  .bitset = FUTEX_BITSET_ANY,
                                  .priority = current()->sched.own_priority,
                                  .lock_key = &lock_key};
    long error;

    if (address == lock)
        return -EINVAL;
    error = futex_key_get(&waiter.key, address, is_private);
    if (error)
        return error;
    error = futex_key_get(&lock_key, lock, is_private);
    if (!error) {
        error = wait_with_keys(&waiter, address, expected, deadline, lock);
        futex_key_put(&lock_key);
    }
    futex_key_put(&waiter.key);
    return error;
}
