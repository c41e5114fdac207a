/* SPDX-License-Identifier: MIT
 *
 * Who waits for whose futex: the owner of a lock runs at the highest real-time priority of those
 * who wait for it, and so does the owner of what that one waits for, and so on (futex(2), priority
 * inheritance). Fair threads wait without lending: nice levels are not inherited, as on Linux.
 *
 * One lock for the whole graph; it is taken only when a thread has to wait for such a lock, or
 * ends.
 */
#include <core/lock.h>
#include <core/sched.h>
#include <core/thread.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>

#include "futex_internal.h"
#include "process_internal.h"

#define CHAIN_MAX 1024 /* owners; Linux's max_lock_depth */

static struct spinlock graph_lock = SPINLOCK_INIT(RANK_FUTEX_OWNER);

static unsigned highest_of_waiters(const struct task *task)
{
    const struct futex_waiter *waiter;
    unsigned highest = 0;

    list_for_each_entry (waiter, &task->lock_waiters, sibling)
        highest = max(highest, (unsigned)waiter->thread->sched.priority);
    return highest;
}

/* The waiters of `task` are others, or have other priorities. */
static void pass_on_locked(struct task *task)
{
    while (task) {
        unsigned highest = highest_of_waiters(task);

        if (task->thread.sched.inherited_priority == highest)
            return;
        sched_set_inherited(&task->thread, highest);
        task = task->lock_wait ? task->lock_wait->owner : NULL;
    }
}

/* Would a wait for `owner` close a circle, or make a chain that is too long? */
static bool leads_to(const struct task *owner, const struct task *task)
{
    for (unsigned i = 0; owner; i++) {
        if (owner == task || i == CHAIN_MAX)
            return true;
        owner = owner->lock_wait ? owner->lock_wait->owner : NULL;
    }
    return false;
}

static void attach_locked(struct futex_waiter *waiter, struct task *owner)
{
    waiter->owner = owner;
    list_add_tail(&owner->lock_waiters, &waiter->sibling);
}

static struct task *detach_locked(struct futex_waiter *waiter)
{
    struct task *owner = waiter->owner;

    if (owner)
        list_del(&waiter->sibling);
    waiter->owner = NULL;
    return owner;
}

int futex_inherit_begin(struct futex_waiter *waiter, uint32_t tid)
{
    struct task *task = task_of(waiter->thread), *owner;
    int error = 0;

    spin_lock(&graph_lock);
    owner = task_find((int)tid);
    if (!owner || owner->has_left_locks) {
        error = -ESRCH;
    } else if (leads_to(owner, task)) {
        error = -EDEADLK;
    } else {
        attach_locked(waiter, owner);
        task->lock_wait = waiter;
        pass_on_locked(owner);
    }
    spin_unlock(&graph_lock);
    return error;
}

void futex_inherit_end(struct futex_waiter *waiter)
{
    spin_lock(&graph_lock);
    task_of(waiter->thread)->lock_wait = NULL;
    pass_on_locked(detach_locked(waiter));
    spin_unlock(&graph_lock);
}

void futex_inherit_from(struct futex_bucket *bucket, const struct futex_key *key,
                        struct futex_waiter *next)
{
    struct task *heir = task_of(next->thread), *owner;
    struct futex_waiter *waiter;

    spin_lock(&graph_lock);
    owner = detach_locked(next);
    heir->lock_wait = NULL;
    list_for_each_entry (waiter, &bucket->waiters, node) {
        if (waiter == next || !waiter->is_pi || !waiter->owner ||
            !futex_key_equal(&waiter->key, key))
            continue;
        detach_locked(waiter);
        attach_locked(waiter, heir);
    }
    pass_on_locked(owner);
    pass_on_locked(heir);
    spin_unlock(&graph_lock);
}

/* The waiters stay in their buckets; each takes itself off and looks at the word. */
void futex_inherit_exit(struct task *task)
{
    struct futex_waiter *waiter, *next;

    spin_lock(&graph_lock);
    task->has_left_locks = true;
    list_for_each_entry_safe (waiter, next, &task->lock_waiters, sibling) {
        struct thread *thread = waiter->thread;

        detach_locked(waiter);
        smp_store_release(&waiter->state,
                          FUTEX_ORPHANED); /* its memory is there: it needs our lock */
        thread_wake(thread);
    }
    pass_on_locked(task);
    spin_unlock(&graph_lock);
}

void futex_priority_changed(struct task *task)
{
    spin_lock(&graph_lock);
    pass_on_locked(task->lock_wait ? task->lock_wait->owner : NULL);
    spin_unlock(&graph_lock);
}
