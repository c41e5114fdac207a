/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks: flock(2); fcntl(2)'s record locks, owned by a process's descriptor table (POSIX)
 * or by an open file (OFD). All locks of an inode hang on one structure with one wait queue:
 * whoever gives something up wakes all who wait, and they try again. Mandatory locks and leases are
 * left out.
 */
#include <core/lock.h>
#include <core/wait.h>
#include <file/file.h>
#include <fs/lock.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#include "fs.h"

struct held_flock {
    struct list_node node;
    struct file *file;
    int type; /* LOCK_SH or LOCK_EX */
};

struct held_record {
    struct list_node node;
    const void *owner;
    int pid;
    struct record_lock range;
};

struct file_locks {
    struct spinlock lock;
    struct list_node flocks, records;
    struct waitq wait;
};

static struct file_locks *locks_of(struct inode *inode)
{
    struct file_locks *locks = READ_ONCE(inode->locks), *fresh;

    if (locks != NULL)
        return locks;
    fresh = kzalloc(sizeof(*fresh));
    if (fresh == NULL)
        return NULL;
    spin_init(&fresh->lock, RANK_DENTRY);
    list_init(&fresh->flocks);
    list_init(&fresh->records);
    waitq_init(&fresh->wait);
    locks = NULL;
    if (!__atomic_compare_exchange_n(&inode->locks, &locks, fresh, false, __ATOMIC_ACQ_REL,
                                     __ATOMIC_ACQUIRE)) {
        kfree(fresh);
        return locks;
    }
    return fresh;
}

void file_locks_free(struct inode *inode)
{
    kfree(inode->locks); /* every lock goes with its open file at the latest */
}

/* flock */

static bool flock_drop_locked(struct file_locks *locks, struct file *file)
{
    struct held_flock *held;

    list_for_each_entry (held, &locks->flocks, node) {
        if (held->file == file) {
            list_del(&held->node);
            kfree(held);
            return true;
        }
    }
    return false;
}

static bool flock_conflicts_locked(struct file_locks *locks, struct file *file, int type)
{
    struct held_flock *held;

    list_for_each_entry (held, &locks->flocks, node) {
        if (held->file != file && (type == LOCK_EX || held->type == LOCK_EX))
            return true;
    }
    return false;
}

/* Takes the lock if nobody stands against it, and *fresh with it. */
static bool flock_try(struct file_locks *locks, struct file *file, int type,
                      struct held_flock **fresh)
{
    bool taken;

    spin_lock(&locks->lock);
    taken = !flock_conflicts_locked(locks, file, type);
    if (taken) {
        flock_drop_locked(locks, file); /* another thread's, through the same file */
        (*fresh)->file = file;
        (*fresh)->type = type;
        list_add_tail(&locks->flocks, &(*fresh)->node);
        *fresh = NULL;
    }
    spin_unlock(&locks->lock);
    return taken;
}

/* A conversion gives the old lock up first, as flock(2) warns. True if the lock is held already. */
static bool flock_give_up(struct file_locks *locks, struct file *file, int type)
{
    struct held_flock *held;
    bool same = false, dropped = false;

    spin_lock(&locks->lock);
    list_for_each_entry (held, &locks->flocks, node) {
        if (held->file == file && held->type == type)
            same = true;
    }
    if (!same)
        dropped = flock_drop_locked(locks, file);
    spin_unlock(&locks->lock);
    if (dropped)
        waitq_wake_all(&locks->wait);
    return same;
}

int file_flock(struct file *file, int operation)
{
    int type = operation & ~LOCK_NB, error = 0;
    struct held_flock *fresh;
    struct file_locks *locks;

    if (type != LOCK_SH && type != LOCK_EX && type != LOCK_UN)
        return -EINVAL;
    if (file->inode == NULL)
        return -EBADF;
    locks = locks_of(file->inode);
    if (locks == NULL)
        return -ENOLCK;
    if (flock_give_up(locks, file, type) || type == LOCK_UN)
        return 0;
    fresh = kmalloc(sizeof(*fresh));
    if (fresh == NULL)
        return -ENOLCK;
    file->access |= FILE_LOCKS;
    if (operation & LOCK_NB)
        error = flock_try(locks, file, type, &fresh) ? 0 : -EAGAIN;
    else
        error = wait_event(&locks->wait, flock_try(locks, file, type, &fresh), WAIT_FOREVER,
                           WAIT_INTERRUPTIBLE);
    kfree(fresh);
    return error;
}

/* Record locks. */

struct request {
    struct file_locks *locks;
    const void *owner, *blocker;
    int pid;
    struct record_lock range;
    struct held_record *fresh[2]; /* the new one, and the rest of one that is split */
    int result;
    struct list_node waiting;
};

/* Requests that sleep, for deadlock detection. */
static struct spinlock waiting_lock = SPINLOCK_INIT(RANK_DENTRY);
static struct list_node waiting = LIST_INIT(waiting);

static bool overlap(const struct record_lock *a, const struct record_lock *b)
{
    return a->start <= b->end && b->start <= a->end;
}

static bool touch(const struct record_lock *a, const struct record_lock *b)
{
    return overlap(a, b) || (a->end != UINT64_MAX && a->end + 1 == b->start) ||
           (b->end != UINT64_MAX && b->end + 1 == a->start);
}

static struct held_record *record_conflict_locked(struct file_locks *locks, const void *owner,
                                                  const struct record_lock *range)
{
    struct held_record *held;

    list_for_each_entry (held, &locks->records, node) {
        if (held->owner != owner && overlap(&held->range, range) &&
            (range->type == F_WRLCK || held->range.type == F_WRLCK))
            return held;
    }
    return NULL;
}

static void record_delete(struct held_record *held)
{
    list_del(&held->node);
    kfree(held);
}

/* Cuts [start, end] out of a lock. */
static void record_cut_locked(struct request *request, struct held_record *held)
{
    const struct record_lock *cut = &request->range;
    bool left = held->range.start<cut->start, right = held->range.end> cut->end;

    if (left && right) {
        struct held_record *rest = request->fresh[1];

        request->fresh[1] = NULL;
        *rest = *held;
        rest->range.start = cut->end + 1;
        held->range.end = cut->start - 1;
        list_add(&held->node, &rest->node);
    } else if (left) {
        held->range.end = cut->start - 1;
    } else if (right) {
        held->range.start = cut->end + 1;
    } else {
        record_delete(held);
    }
}

static void record_apply_locked(struct request *request)
{
    struct file_locks *locks = request->locks;
    struct held_record *held, *next, *fresh;
    struct record_lock whole = request->range;

    list_for_each_entry_safe (held, next, &locks->records, node) {
        if (held->owner != request->owner)
            continue;
        if (held->range.type == request->range.type && touch(&held->range, &whole)) {
            whole.start = min(whole.start, held->range.start);
            whole.end = max(whole.end, held->range.end);
            record_delete(held);
        } else if (overlap(&held->range, &request->range)) {
            record_cut_locked(request, held);
        }
    }
    if (request->range.type == F_UNLCK)
        return;
    fresh = request->fresh[0];
    request->fresh[0] = NULL;
    fresh->owner = request->owner;
    fresh->pid = request->pid;
    fresh->range = whole;
    fresh->range.pid = request->pid;
    list_add_tail(&locks->records, &fresh->node);
}

/* True when it is decided; request->result tells how. */
static bool record_try(struct request *request)
{
    struct held_record *conflict = NULL;

    spin_lock(&request->locks->lock);
    if (request->range.type != F_UNLCK)
        conflict = record_conflict_locked(request->locks, request->owner, &request->range);
    request->blocker = conflict != NULL ? conflict->owner : NULL;
    if (conflict == NULL)
        record_apply_locked(request);
    spin_unlock(&request->locks->lock);
    request->result = conflict != NULL ? -EAGAIN : 0;
    return conflict == NULL;
}

/* Does whoever blocks us wait, over others perhaps, for us? */
static bool would_deadlock_locked(const struct request *request)
{
    const void *owner = request->blocker;

    for (unsigned depth = 0; depth < 32; depth++) {
        struct request *other;
        const void *next = NULL;

        list_for_each_entry (other, &waiting, waiting) {
            if (other->owner == owner)
                next = READ_ONCE(other->blocker);
        }
        if (next == NULL)
            return false;
        if (next == request->owner)
            return true;
        owner = next;
    }
    return false;
}

static int record_wait(struct request *request, bool detect)
{
    bool deadlock;
    int error;

    for (;;) {
        const void *blocker = request->blocker;

        spin_lock(&waiting_lock);
        deadlock = detect && would_deadlock_locked(request);
        if (!deadlock && detect)
            list_add_tail(&waiting, &request->waiting);
        spin_unlock(&waiting_lock);
        if (deadlock)
            return -EDEADLK;
        error =
            wait_event(&request->locks->wait, record_try(request) || request->blocker != blocker,
                       WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (detect) {
            spin_lock(&waiting_lock);
            list_del(&request->waiting);
            spin_unlock(&waiting_lock);
        }
        if (error != 0 || request->result == 0)
            return error;
    }
}

int file_lock_set(struct file *file, const void *owner, int pid, const struct record_lock *lock,
                  bool wait)
{
    struct request request = {.owner = owner, .pid = pid, .range = *lock};
    int error = -ENOLCK;

    if (file->inode == NULL)
        return -EBADF;
    request.locks = locks_of(file->inode);
    request.fresh[0] = kmalloc(sizeof(struct held_record));
    request.fresh[1] = kmalloc(sizeof(struct held_record));
    list_init(&request.waiting);
    if (request.locks != NULL && request.fresh[0] != NULL && request.fresh[1] != NULL) {
        file->access |= FILE_LOCKS;
        record_try(&request);
        error = request.result;
        if (error == -EAGAIN && wait)
            error = record_wait(&request, owner != file);
        if (error == 0)
            waitq_wake_all(&request.locks->wait); /* it may have given up or downgraded a part */
    }
    kfree(request.fresh[0]);
    kfree(request.fresh[1]);
    return error;
}

int file_lock_get(struct file *file, const void *owner, struct record_lock *lock)
{
    struct file_locks *locks;
    struct held_record *held;

    if (file->inode == NULL)
        return -EBADF;
    locks = READ_ONCE(file->inode->locks);
    if (locks == NULL) {
        lock->type = F_UNLCK;
        return 0;
    }
    spin_lock(&locks->lock);
    held = record_conflict_locked(locks, owner, lock);
    if (held != NULL)
        *lock = held->range;
    else
        lock->type = F_UNLCK;
    spin_unlock(&locks->lock);
    return 0;
}

static bool records_drop_locked(struct file_locks *locks, const void *owner)
{
    struct held_record *held, *next;
    bool dropped = false;

    list_for_each_entry_safe (held, next, &locks->records, node) {
        if (held->owner == owner) {
            record_delete(held);
            dropped = true;
        }
    }
    return dropped;
}

void file_lock_closed(struct file *file, const void *owner)
{
    struct file_locks *locks = file->inode != NULL ? READ_ONCE(file->inode->locks) : NULL;
    bool dropped;

    if (likely(locks == NULL))
        return;
    spin_lock(&locks->lock);
    dropped = records_drop_locked(locks, owner);
    spin_unlock(&locks->lock);
    if (dropped)
        waitq_wake_all(&locks->wait);
}

int file_lock_flush(struct file *file, const void *owner)
{
    file_lock_closed(file, owner);
    return 0;
}

void file_locks_released(struct file *file)
{
    struct file_locks *locks = file->inode->locks;
    bool dropped;

    if (locks == NULL)
        return;
    spin_lock(&locks->lock);
    dropped = flock_drop_locked(locks, file);
    dropped |= records_drop_locked(locks, file);
    spin_unlock(&locks->lock);
    if (dropped)
        waitq_wake_all(&locks->wait);
}
