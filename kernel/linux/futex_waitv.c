/* SPDX-License-Identifier: MIT
 *
 * futex_waitv(2): waiting for the first of several words (Linux's futex2.rst).
 */
#include <arch/uaccess.h>
#include <core/thread.h>
#include <core/wait.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "futex_internal.h"
#include "time_internal.h"

#define WAITV_MAX     128
#define WAITV_32      2u
#define WAITV_PRIVATE 128u

struct abi64_futex_waitv {
    uint64_t value, address;
    uint32_t flags, reserved;
};

struct vector {
    unsigned count;
    struct {
        struct futex_waiter waiter;
        vaddr_t address;
        uint32_t expected;
        bool is_private;
    } at[];
};

static int read_entries(struct vector *vector, vaddr_t from)
{
    struct abi64_futex_waitv entry;

    for (unsigned i = 0; i < vector->count; i++) {
        if (copy_from_user(&entry, from + i * sizeof(entry), sizeof(entry)))
            return -EFAULT;
        if ((entry.flags & ~(WAITV_32 | WAITV_PRIVATE)) || !(entry.flags & WAITV_32) ||
            entry.reserved)
            return -EINVAL;
        vector->at[i].address = entry.address;
        vector->at[i].expected = (uint32_t)entry.value;
        vector->at[i].is_private = (entry.flags & WAITV_PRIVATE) != 0;
        vector->at[i].waiter = (struct futex_waiter){.thread = current(),
                                                     .bitset = FUTEX_BITSET_ANY,
                                                     .priority = current()->sched.own_priority};
    }
    return 0;
}

/* Takes the first `count` off their queues. The last that was woken, -1: none. */
static int unqueue(struct vector *vector, unsigned count)
{
    int woken = -1;

    for (unsigned i = 0; i < count; i++) {
        if (!futex_unqueue(&vector->at[i].waiter))
            woken = (int)i;
    }
    return woken;
}

static bool any_woken(const struct vector *vector)
{
    for (unsigned i = 0; i < vector->count; i++) {
        if (smp_load_acquire(&vector->at[i].waiter.state) == FUTEX_WOKEN)
            return true;
    }
    return false;
}

static int wait_for_any(struct vector *vector, uint64_t deadline)
{
    int error = 0, woken;

    for (unsigned i = 0; i < vector->count; i++) {
        error = futex_queue_if_equal(&vector->at[i].waiter, vector->at[i].address,
                                     vector->at[i].expected);
        if (error) {
            woken = unqueue(vector, i);
            return woken >= 0 ? woken : error;
        }
    }
    for (;;) {
        thread_prepare_sleep(WAIT_INTERRUPTIBLE);
        if (error || any_woken(vector))
            break;
        error = thread_sleep(deadline);
    }
    thread_cancel_sleep();
    woken = unqueue(vector, vector->count);
    return woken >= 0 ? woken : error;
}

static int wait_with_keys(struct vector *vector, uint64_t deadline)
{
    unsigned keys = 0;
    int result = 0;

    while (!result && keys < vector->count) {
        result = futex_key_get(&vector->at[keys].waiter.key, vector->at[keys].address,
                               vector->at[keys].is_private);
        keys += result == 0;
    }
    if (!result)
        result = wait_for_any(vector, deadline);
    while (keys > 0)
        futex_key_put(&vector->at[--keys].waiter.key);
    return result;
}

long sys_futex_waitv(const reg_t arg[6])
{
    unsigned count = (unsigned)arg[1];
    int clock = (int)arg[4];
    struct vector *vector;
    uint64_t deadline;
    int result;

    if ((unsigned)arg[2] || count == 0 || count > WAITV_MAX || !arg[0])
        return -EINVAL;
    if (arg[3] && clock != CLOCK_MONOTONIC && clock != CLOCK_REALTIME)
        return -EINVAL;
    result = futex_get_deadline(arg[3], clock == CLOCK_REALTIME, &deadline);
    if (result)
        return result;
    vector = kmalloc(sizeof(*vector) + count * sizeof(vector->at[0]));
    if (!vector)
        return -ENOMEM;
    vector->count = count;
    result = read_entries(vector, arg[0]);
    if (!result)
        result = wait_with_keys(vector, deadline);
    kfree(vector);
    return result;
}
