/* SPDX-License-Identifier: MIT
 *
 * Futexes (futex(2), futex(7)): waiting for a word of the program's memory to change.
 */
#include <arch/barrier.h>
#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/object.h>
#include <mm/page.h>
#include <mm/vmspace.h>

#include "abi64/time.h"
#include "futex_internal.h"
#include "process_internal.h"
#include "time_internal.h"

enum {
    FUTEX_WAIT = 0,
    FUTEX_WAKE = 1,
    FUTEX_REQUEUE = 3,
    FUTEX_CMP_REQUEUE = 4,
    FUTEX_WAKE_OP = 5,
    FUTEX_LOCK_PI = 6,
    FUTEX_UNLOCK_PI = 7,
    FUTEX_TRYLOCK_PI = 8,
    FUTEX_WAIT_BITSET = 9,
    FUTEX_WAKE_BITSET = 10,
    FUTEX_WAIT_REQUEUE_PI = 11,
    FUTEX_CMP_REQUEUE_PI = 12,
    FUTEX_LOCK_PI2 = 13,
};
#define FUTEX_PRIVATE_FLAG   128u
#define FUTEX_CLOCK_REALTIME 256u

#define BUCKETS 256
static struct futex_bucket buckets[BUCKETS] = {
    [0 ... BUCKETS - 1] = {.lock = SPINLOCK_INIT(RANK_FUTEX)},
};

int futex_key_get(struct futex_key *key, vaddr_t address, bool is_private)
{
    struct vmspace *vs = current()->vmspace;
    uint64_t offset;
    int error;

    if (address % sizeof(uint32_t))
        return -EINVAL;
    if (!user_access_ok(address, sizeof(uint32_t)))
        return -EFAULT;
    key->object = NULL;
    if (!is_private) {
        error = vm_futex_key(vs, address, &key->object, &offset);
        if (error)
            return error;
    }
    if (key->object) {
        key->space = (uintptr_t)key->object;
        key->offset = offset;
    } else {
        key->space = (uintptr_t)vs;
        key->offset = address;
    }
    return 0;
}

void futex_key_put(struct futex_key *key)
{
    if (key->object)
        object_unref(key->object);
}

struct futex_bucket *futex_bucket_of(const struct futex_key *key)
{
    uint64_t mixed = (key->space >> 6 ^ key->offset >> 2) * 0x9e3779b97f4a7c15ull;

    return &buckets[mixed >> 56];
}

void futex_lock_bucket(struct futex_bucket *bucket)
{
    spin_lock(&bucket->lock);
    if (unlikely(!bucket->waiters.next))
        list_init(&bucket->waiters);
}

/* In order of address, so that two that lock the same pair cannot wait for each other. */
void futex_lock_pair(struct futex_bucket *a, struct futex_bucket *b)
{
    futex_lock_bucket(a < b ? a : b);
    if (a != b)
        futex_lock_bucket(a < b ? b : a);
}

void futex_unlock_pair(struct futex_bucket *a, struct futex_bucket *b)
{
    spin_unlock(&a->lock);
    if (a != b)
        spin_unlock(&b->lock);
}

/*
 * The waiter's memory is its stack: once its state is told it may be gone. Its thread is not,
 * because the lock holds preemption off, which is a reading section of defer_free().
 */
void futex_wake_locked(struct futex_waiter *waiter)
{
    struct thread *thread = waiter->thread;

    list_del(&waiter->node);
    smp_store_release(&waiter->state, FUTEX_WOKEN);
    thread_wake(thread);
}

/* -EINVAL: somebody waits for a lock there, or for one after this. */
static int wake_some_locked(struct futex_bucket *bucket, const struct futex_key *key, int count,
                            uint32_t bitset)
{
    struct futex_waiter *waiter, *next;
    int woken = 0;

    list_for_each_entry_safe (waiter, next, &bucket->waiters, node) {
        if (woken >= count)
            break;
        if (!futex_key_equal(&waiter->key, key))
            continue;
        if (unlikely(waiter->is_pi || waiter->lock_key))
            return -EINVAL;
        if (!(waiter->bitset & bitset))
            continue;
        futex_wake_locked(waiter);
        woken++;
    }
    return woken;
}

static long futex_wake(vaddr_t address, bool is_private, int count, uint32_t bitset)
{
    struct futex_bucket *bucket;
    struct futex_key key;
    long woken;
    int error;

    if (!bitset)
        return -EINVAL;
    error = futex_key_get(&key, address, is_private);
    if (error)
        return error;
    bucket = futex_bucket_of(&key);
    futex_lock_bucket(bucket);
    woken = wake_some_locked(bucket, &key, count < 1 ? 1 : count, bitset);
    spin_unlock(&bucket->lock);
    futex_key_put(&key);
    return woken;
}

int futex_wake_address(vaddr_t address, unsigned count)
{
    return (int)futex_wake(address, false, (int)count, FUTEX_BITSET_ANY);
}

/* What tells that it was woken is the last word that the waker writes: the caller may give up its
 * memory. */
bool futex_unqueue(struct futex_waiter *waiter)
{
    while (smp_load_acquire(&waiter->state) != FUTEX_WOKEN) {
        struct futex_bucket *bucket = READ_ONCE(waiter->bucket);
        bool waits;

        spin_lock(&bucket->lock);
        waits = waiter->bucket == bucket && waiter->state != FUTEX_WOKEN;
        if (waits) {
            list_del(&waiter->node);
            if (waiter->is_pi)
                futex_inherit_end(waiter);
        }
        spin_unlock(&bucket->lock);
        if (waits)
            return true;
    }
    return false;
}

void futex_queue_locked(struct futex_waiter *waiter, struct futex_bucket *bucket)
{
    struct list_node *before = &bucket->waiters;

    if (unlikely(waiter->priority)) {
        struct futex_waiter *other;

        list_for_each_entry (other, &bucket->waiters, node) {
            if (other->priority < waiter->priority) {
                before = &other->node;
                break;
            }
        }
    }
    list_add_tail(before, &waiter->node);
    WRITE_ONCE(waiter->bucket, bucket);
}

int futex_lock_if_equal(const struct futex_waiter *waiter, vaddr_t address, uint32_t expected)
{
    struct futex_bucket *bucket = futex_bucket_of(&waiter->key);
    uint32_t value;

    for (;;) {
        futex_lock_bucket(bucket);
        if (likely(get_user32_nofault(&value, address) == 0))
            break;
        spin_unlock(&bucket->lock);
        if (get_user32(&value, address))
            return -EFAULT;
    }
    if (value == expected)
        return 0;
    spin_unlock(&bucket->lock);
    return -EAGAIN;
}

int futex_queue_if_equal(struct futex_waiter *waiter, vaddr_t address, uint32_t expected)
{
    struct futex_bucket *bucket;
    int error = futex_lock_if_equal(waiter, address, expected);

    if (error)
        return error;
    bucket = futex_bucket_of(&waiter->key);
    futex_queue_locked(waiter, bucket);
    spin_unlock(&bucket->lock);
    return 0;
}

int futex_sleep_until_woken(struct futex_waiter *waiter, uint64_t deadline)
{
    int error = 0;

    for (;;) {
        unsigned state;

        thread_prepare_sleep(WAIT_INTERRUPTIBLE);
        state = smp_load_acquire(&waiter->state);
        if (state == FUTEX_WOKEN) {
            thread_cancel_sleep();
            return 0;
        }
        if (error || state == FUTEX_ORPHANED) {
            thread_cancel_sleep();
            if (!futex_unqueue(waiter))
                return 0;
            return error ? error : -EAGAIN;
        }
        error = thread_sleep(deadline);
    }
}

static int wait_on(vaddr_t address, bool is_private, uint32_t expected, uint32_t bitset,
                   uint64_t deadline)
{
    struct futex_waiter waiter = {
        .thread = current(), .bitset = bitset, .priority = current()->sched.own_priority};
    int error = futex_key_get(&waiter.key, address, is_private);

    if (error)
        return error;
    error = futex_queue_if_equal(&waiter, address, expected);
    if (!error)
        error = futex_sleep_until_woken(&waiter, deadline);
    futex_key_put(&waiter.key);
    return error;
}

#define RESTART_PRIVATE 1u

static long restart_wait(struct restart *restart)
{
    long error = wait_on(restart->user, restart->flags & RESTART_PRIVATE, restart->value,
                         restart->bitset, restart->deadline_ns);

    if (error == -ERESTARTSYS) {
        restart->fn = restart_wait;
        return -ERESTART_RESTARTBLOCK;
    }
    return error;
}

static long futex_wait(vaddr_t address, bool is_private, uint32_t expected, uint32_t bitset,
                       uint64_t deadline)
{
    long error;

    if (!bitset)
        return -EINVAL;
    error = wait_on(address, is_private, expected, bitset, deadline);
    if (error != -ERESTARTSYS || deadline == WAIT_FOREVER)
        return error;
    current_task()->restart = (struct restart){.fn = restart_wait,
                                               .deadline_ns = deadline,
                                               .user = address,
                                               .value = expected,
                                               .bitset = bitset,
                                               .flags = is_private ? RESTART_PRIVATE : 0};
    return -ERESTART_RESTARTBLOCK;
}

/* FUTEX_WAKE_OP's coded operation and comparison; see futex(2). */
static int decode_operation(uint32_t code, enum user_op *op, uint32_t *operand)
{
    static const enum user_op ops[] = {USER_SET, USER_ADD, USER_OR, USER_ANDN, USER_XOR};
    unsigned which = code >> 28 & 7;
    int32_t value = (int32_t)(code << 8) >> 20;

    if (which >= ARRAY_SIZE(ops))
        return -ENOSYS;
    *op = ops[which];
    *operand = code >> 31 ? 1u << (value & 31) : (uint32_t)value;
    return 0;
}

static int compare(uint32_t code, uint32_t old)
{
    int32_t value = (int32_t)(code << 20) >> 20, was = (int32_t)old;

    switch (code >> 24 & 15) {
    case 0:
        return was == value;
    case 1:
        return was != value;
    case 2:
        return was < value;
    case 3:
        return was <= value;
    case 4:
        return was > value;
    case 5:
        return was >= value;
    default:
        return -ENOSYS;
    }
}

struct wake_op {
    vaddr_t first, second;
    bool is_private;
    int wake_first, wake_second;
    uint32_t code;
};

static long wake_op_with_keys(const struct wake_op *w, const struct futex_key *first,
                              const struct futex_key *second)
{
    struct futex_bucket *a = futex_bucket_of(first), *b = futex_bucket_of(second);
    enum user_op op;
    uint32_t operand, old;
    long woken;
    int holds = decode_operation(w->code, &op, &operand);

    if (holds)
        return holds;
    for (;;) {
        int error;

        futex_lock_pair(a, b);
        user_fault_disable();
        error = user_fetch_op32(w->second, op, operand, &old);
        user_fault_enable();
        if (!error)
            break;
        futex_unlock_pair(a, b);
        if (user_fetch_op32(w->second, USER_OR, 0, &old)) /* brings the page in, writable */
            return -EFAULT;
    }
    holds = compare(w->code, old);
    woken = holds < 0 ? holds : wake_some_locked(a, first, w->wake_first, FUTEX_BITSET_ANY);
    if (holds > 0 && woken >= 0) {
        long more = wake_some_locked(b, second, w->wake_second, FUTEX_BITSET_ANY);

        woken = more < 0 ? more : woken + more;
    }
    futex_unlock_pair(a, b);
    return woken;
}

static long futex_wake_op(const struct wake_op *w)
{
    struct futex_key first, second;
    long result = futex_key_get(&first, w->first, w->is_private);

    if (result)
        return result;
    result = futex_key_get(&second, w->second, w->is_private);
    if (!result) {
        result = wake_op_with_keys(w, &first, &second);
        futex_key_put(&second);
    }
    futex_key_put(&first);
    return result;
}

int futex_get_deadline(vaddr_t at, bool realtime, uint64_t *deadline)
{
    uint64_t time;
    int error;

    *deadline = WAIT_FOREVER;
    if (!at)
        return 0;
    error = abi64_get_timespec(at, &time);
    if (error)
        return error;
    if (realtime)
        *deadline = time_from_realtime(time);
    else
        *deadline = time == INT64_MAX ? WAIT_FOREVER : time;
    return 0;
}

/* A time-out to a monotonic deadline. */
static int get_deadline(unsigned op, bool realtime, vaddr_t at, uint64_t *deadline)
{
    uint64_t time, now;
    int error;

    *deadline = WAIT_FOREVER;
    switch (op) {
    case FUTEX_WAIT:
        if (!at)
            return 0;
        now = clock_monotonic_ns();
        error = abi64_get_timespec(at, &time);
        if (!error)
            *deadline = abi64_deadline(now, time);
        return error;
    case FUTEX_WAIT_BITSET:
    case FUTEX_LOCK_PI2:
    case FUTEX_WAIT_REQUEUE_PI:
        return futex_get_deadline(at, realtime, deadline);
    case FUTEX_LOCK_PI:
        return futex_get_deadline(at, true, deadline);
    default:
        return 0;
    }
}

static long dispatch_pi(unsigned op, const reg_t arg[6], bool is_private, uint64_t deadline)
{
    vaddr_t address = arg[0];

    switch (op) {
    case FUTEX_LOCK_PI:
    case FUTEX_LOCK_PI2:
        return futex_lock_pi(address, is_private, deadline, false);
    case FUTEX_TRYLOCK_PI:
        return futex_lock_pi(address, is_private, 0, true);
    case FUTEX_UNLOCK_PI:
        return futex_unlock_pi(address, is_private);
    case FUTEX_WAIT_REQUEUE_PI:
        return futex_wait_requeue(address, is_private, (uint32_t)arg[2], deadline, arg[4]);
    case FUTEX_CMP_REQUEUE_PI:
        return futex_requeue_to_lock(&(struct futex_requeue){
            address, arg[4], is_private, true, (int)arg[2], (int)arg[3], (uint32_t)arg[5]});
    default:
        return -ENOSYS;
    }
}

static bool takes_realtime(unsigned op)
{
    return op == FUTEX_WAIT_BITSET || op == FUTEX_LOCK_PI2 || op == FUTEX_WAIT_REQUEUE_PI;
}

long sys_futex(const reg_t arg[6])
{
    vaddr_t address = arg[0];
    unsigned op = (unsigned)arg[1] & ~(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
    bool is_private = (arg[1] & FUTEX_PRIVATE_FLAG) != 0;
    bool realtime = (arg[1] & FUTEX_CLOCK_REALTIME) != 0;
    uint32_t value = (uint32_t)arg[2];
    uint64_t deadline;
    int error;

    if (op == FUTEX_WAKE && !realtime)
        return futex_wake(address, is_private, (int)value, FUTEX_BITSET_ANY);
    if (realtime && !takes_realtime(op))
        return -ENOSYS;
    error = get_deadline(op, realtime, arg[3], &deadline);
    if (error)
        return error;
    switch (op) {
    case FUTEX_WAIT:
        return futex_wait(address, is_private, value, FUTEX_BITSET_ANY, deadline);
    case FUTEX_WAIT_BITSET:
        return futex_wait(address, is_private, value, (uint32_t)arg[5], deadline);
    case FUTEX_WAKE_BITSET:
        return futex_wake(address, is_private, (int)value, (uint32_t)arg[5]);
    case FUTEX_REQUEUE:
    case FUTEX_CMP_REQUEUE:
        return futex_requeue(&(struct futex_requeue){address, arg[4], is_private,
                                                     op == FUTEX_CMP_REQUEUE, (int)value,
                                                     (int)arg[3], (uint32_t)arg[5]});
    case FUTEX_WAKE_OP:
        return futex_wake_op(&(struct wake_op){address, arg[4], is_private, (int)value, (int)arg[3],
                                               (uint32_t)arg[5]});
    default:
        return dispatch_pi(op, arg, is_private, deadline);
    }
}
