/* SPDX-License-Identifier: MIT */
/* poll and select, the waiting part: one waiter per queue of every file, for the time of the call.
 */
#include <arch/barrier.h>
#include <arch/thread.h>
#include <core/wait.h>
#include <file/file.h>
#include <file/poll.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define INLINE_SLOTS 8
#define CHUNK_SLOTS  62 /* of about a page */

struct poll_set;

struct poll_slot {
    struct waiter waiter;
    struct poll_set *set;
    unsigned events;
};

struct poll_chunk {
    struct poll_chunk *next;
    unsigned used;
    struct poll_slot slots[CHUNK_SLOTS];
};

/* Of one call, on its stack. */
struct poll_set {
    struct poll_waiter pw;
    struct thread *thread;
    bool is_triggered; /* written by wakers */
    bool is_armed;     /* every file was registered with: poll without a waiter from now on */
    int error;
    unsigned inline_used;
    struct poll_chunk *chunks;
    struct poll_slot slots[INLINE_SLOTS];
};

/* Any context; the queue's lock held. */
static bool poll_notify(struct waiter *waiter, unsigned events)
{
    struct poll_slot *slot = container_of(waiter, struct poll_slot, waiter);

    if (events != 0 && (events & slot->events) == 0)
        return false;
    WRITE_ONCE(slot->set->is_triggered, true);
    thread_wake(slot->set->thread);
    return true;
}

static struct poll_slot *slot_alloc(struct poll_set *set)
{
    struct poll_chunk *chunk = set->chunks;

    if (set->inline_used < INLINE_SLOTS)
        return &set->slots[set->inline_used++];
    if (chunk == NULL || chunk->used == CHUNK_SLOTS) {
        chunk = kmalloc(sizeof(*chunk));
        if (chunk == NULL)
            return NULL;
        chunk->used = 0;
        chunk->next = set->chunks;
        set->chunks = chunk;
    }
    return &chunk->slots[chunk->used++];
}

static void poll_set_add(struct poll_waiter *pw, struct waitq *queue)
{
    struct poll_set *set = container_of(pw, struct poll_set, pw);
    struct poll_slot *slot = slot_alloc(set);

    if (slot == NULL) {
        set->error = -ENOMEM;
        return;
    }
    waiter_init(&slot->waiter);
    slot->waiter.notify = poll_notify;
    slot->set = set;
    slot->events = pw->events;
    waitq_add(queue, &slot->waiter);
}

static void poll_set_free(struct poll_set *set)
{
    for (unsigned i = 0; i < set->inline_used; i++)
        waitq_remove(&set->slots[i].waiter);
    while (set->chunks != NULL) {
        struct poll_chunk *chunk = set->chunks;

        for (unsigned i = 0; i < chunk->used; i++)
            waitq_remove(&chunk->slots[i].waiter);
        set->chunks = chunk->next;
        kfree(chunk);
    }
}

/* Ask every file. Once one is ready there is no need to register with the rest. */
static int poll_scan(struct poll_set *set, struct poll_entry *entries, unsigned count, bool wait)
{
    int ready = 0;

    for (unsigned i = 0; i < count; i++) {
        struct poll_entry *entry = &entries[i];
        bool registers = wait && ready == 0 && !set->is_armed;

        if (entry->file == NULL) {
            ready += entry->revents != 0; /* POLLNVAL was found by the caller */
            continue;
        }
        set->pw.events = entry->events | POLLERR | POLLHUP;
        entry->revents = file_poll(entry->file, registers ? &set->pw : NULL) & set->pw.events;
        ready += entry->revents != 0;
    }
    set->is_armed = true;
    return ready;
}

int poll_wait(struct poll_entry *entries, unsigned count, uint64_t deadline_ns)
{
    struct poll_set set;
    int result, error = 0;

    set.pw.add = poll_set_add;
    set.thread = current();
    set.is_triggered = false;
    set.is_armed = false;
    set.error = 0;
    set.inline_used = 0;
    set.chunks = NULL;
    for (;;) {
        result = poll_scan(&set, entries, count, deadline_ns != 0);
        if (result != 0 || deadline_ns == 0)
            break;
        if (set.error != 0 || error != 0) {
            result = set.error != 0 ? set.error : error == -ETIMEDOUT ? 0 : -EINTR;
            break;
        }
        thread_prepare_sleep(WAIT_SERVING);
        if (READ_ONCE(set.is_triggered))
            thread_cancel_sleep();
        else
            error = thread_sleep(deadline_ns);
        WRITE_ONCE(set.is_triggered, false);
        smp_mb(); /* before the files are asked again: pairs with the waker's change of state */
    }
    poll_set_free(&set);
    return result;
}
