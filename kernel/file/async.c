/* SPDX-License-Identifier: MIT */
/*
 * Signal-driven input and output; file/async.h tells how. async_mutex orders everything but the
 * notes that wakers leave, which pending_lock guards.
 */
#include <core/lock.h>
#include <core/thread.h>
#include <core/wait.h>
#include <core/work.h>
#include <file/async.h>
#include <file/file.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define SLOTS   4          /* more queues than any file's poll names */
#define UNKNOWN 0x40000000 /* woken without telling for what: the file is asked */

struct async_slot {
    struct waiter waiter;
    struct file_async *async;
};

struct file_async {
    struct file *file;
    struct file_owner owner;
    int number; /* descriptor */
    unsigned slots_used;
    struct async_slot slots[SLOTS];

    /* pending_lock */
    struct list_node node;
    bool is_pending;
    unsigned events;
};

struct registration {
    struct poll_waiter pw;
    struct file_async *async;
};

static void run_flush(struct work *work);

static struct mutex async_mutex = MUTEX_INIT(RANK_FILE_ASYNC);
static struct spinlock pending_lock = SPINLOCK_INIT(RANK_EPOLL_READY);
static struct list_node pending = LIST_INIT(pending);
static struct work flush_work = {.run = run_flush};

/* Any context; the lock of the file's queue is held. */
static bool async_notify(struct waiter *waiter, unsigned events)
{
    struct file_async *async = container_of(waiter, struct async_slot, waiter)->async;
    reg_t flags;

    if (events & POLL_QUIET)
        return false;
    flags = spin_lock_irq(&pending_lock);
    async->events |= events ? events : UNKNOWN;
    if (!async->is_pending) {
        async->is_pending = true;
        list_add_tail(&pending, &async->node);
    }
    spin_unlock_irq(&pending_lock, flags);
    if (current()->vmspace != NULL)
        thread_set_work(current(), WORK_ASYNC);
    work_queue(&flush_work); /* who woke may sleep before it goes back to its program */
    return false;
}

static struct file_async *take_pending(unsigned *events)
{
    reg_t flags = spin_lock_irq(&pending_lock);
    struct file_async *async = NULL;

    if (!list_empty(&pending)) {
        async = list_first_entry(&pending, struct file_async, node);
        list_del(&async->node);
        async->is_pending = false;
        *events = async->events;
        async->events = 0;
    }
    spin_unlock_irq(&pending_lock, flags);
    return async;
}

static void tell(const struct file_async *async, enum file_async_code code)
{
    if (async->owner.id != 0)
        file_async_signal(&async->owner, async->number, code);
}

static void tell_events(const struct file_async *async, unsigned events)
{
    if (events & UNKNOWN) {
        events = file_poll(async->file, NULL) & ~POLL_WRITABLE;
        if (events & POLLHUP)
            events = POLLHUP;
    }
    if (events & (POLL_READABLE | POLLRDHUP))
        tell(async, ASYNC_IN);
    if (events & POLLPRI)
        tell(async, ASYNC_PRIORITY);
    if (events & POLL_WRITABLE)
        tell(async, ASYNC_OUT);
    if (events == POLLHUP)
        tell(async, ASYNC_HUP);
    else if (events == POLLERR)
        tell(async, ASYNC_ERROR);
}

void file_async_flush(void)
{
    struct file_async *async;
    unsigned events;

    thread_clear_work(current(), WORK_ASYNC);
    mutex_lock(&async_mutex); /* who finds nothing left waits until it was sent */
    while ((async = take_pending(&events)) != NULL)
        tell_events(async, events);
    mutex_unlock(&async_mutex);
}

static void run_flush(struct work *work)
{
    (void)work;
    file_async_flush();
}

/* ---- on and off; async_mutex held ---- */

static void add_queue(struct poll_waiter *pw, struct waitq *queue)
{
    struct file_async *async = container_of(pw, struct registration, pw)->async;
    struct async_slot *slot;

    if (async->slots_used == SLOTS)
        return;
    slot = &async->slots[async->slots_used++];
    waiter_init(&slot->waiter);
    slot->waiter.notify = async_notify;
    slot->async = async;
    waitq_add(queue, &slot->waiter);
}

static void watch(struct file_async *async)
{
    struct registration registration = {
        .pw = {.add = add_queue,
               .events = POLL_READABLE | POLL_WRITABLE | POLLPRI | POLLERR | POLLHUP},
        .async = async};

    if (async->slots_used == 0)
        (void)file_poll(async->file, &registration.pw);
}

static void unwatch(struct file_async *async)
{
    reg_t flags;

    for (unsigned i = 0; i < async->slots_used; i++)
        waitq_remove(&async->slots[i].waiter);
    async->slots_used = 0;
    flags = spin_lock_irq(&pending_lock);
    if (async->is_pending)
        list_del(&async->node);
    async->is_pending = false;
    async->events = 0;
    spin_unlock_irq(&pending_lock, flags);
}

static struct file_async *async_of(struct file *file)
{
    if (file->async == NULL) {
        file->async = kzalloc(sizeof(*file->async));
        if (file->async != NULL)
            file->async->file = file;
    }
    return file->async;
}

int file_async_set(struct file *file, int number, bool on)
{
    struct file_async *async;

    mutex_lock(&async_mutex);
    async = on ? async_of(file) : file->async;
    if (async != NULL && on) {
        async->number = number;
        watch(async);
    } else if (async != NULL) {
        unwatch(async);
    }
    mutex_unlock(&async_mutex);
    return on && async == NULL ? -ENOMEM : 0;
}

void file_async_release(struct file *file)
{
    mutex_lock(&async_mutex);
    unwatch(file->async);
    mutex_unlock(&async_mutex);
    kfree(file->async);
    file->async = NULL;
}

/* ---- owners ---- */

void file_get_owner(struct file *file, struct file_owner *owner)
{
    mutex_lock(&async_mutex);
    *owner = file->async != NULL ? file->async->owner : (struct file_owner){0};
    mutex_unlock(&async_mutex);
}

int file_set_owner(struct file *file, const struct file_owner *owner)
{
    struct file_async *async;

    mutex_lock(&async_mutex);
    async = async_of(file);
    if (async != NULL) {
        int signal = async->owner.signal;

        async->owner = *owner;
        async->owner.signal = signal;
    }
    mutex_unlock(&async_mutex);
    return async != NULL ? 0 : -ENOMEM;
}

int file_set_owner_signal(struct file *file, int signal)
{
    struct file_async *async;

    mutex_lock(&async_mutex);
    async = async_of(file);
    if (async != NULL)
        async->owner.signal = signal;
    mutex_unlock(&async_mutex);
    return async != NULL ? 0 : -ENOMEM;
}
