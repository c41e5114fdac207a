/* SPDX-License-Identifier: MIT */
/*
 * epoll(7). Each item has a waiter on every queue that its file's poll names. A wake puts the item
 * on its set's ready list and wakes the set's own queue, on which poll, epoll_wait and outer sets
 * wait.
 *
 * Locks. epoll_mutex, one for all, orders what changes the shape: adding and removing items,
 * release of a file or a set. set->lock is a spinlock taken inside queues' locks; it guards the
 * ready list and the tree. Files are asked with neither held: a collector takes an item off the
 * ready list and pins it, whoever removes an item waits until it is not pinned.
 *
 * An item holds no reference to its file: it goes when the file is released.
 */
#include <arch/barrier.h>
#include <core/lock.h>
#include <core/wait.h>
#include <file/epoll.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/rbtree.h>
#include <mm/slab.h>

#define NESTING_MAX 5
#define MODE_BITS   (EPOLL_WAKEUP | EPOLL_ONESHOT | EPOLL_EDGE | EPOLL_EXCLUSIVE)
#define EXCLUSIVE_BITS \
    (POLLIN | POLLOUT | POLLERR | POLLHUP | EPOLL_WAKEUP | EPOLL_EDGE | EPOLL_EXCLUSIVE)
#define INLINE_SLOTS 2 /* a poll that names more queues gets more memory */

struct epoll_item;

struct epoll_slot {
    struct waiter waiter;
    struct epoll_item *item;
    struct epoll_slot *next;
};

struct epoll_item {
    struct rb_node node; /* epoll_mutex and set->lock to change, either to read */
    struct file *file;
    int number;
    struct epoll_set *set;
    struct list_node watch_node; /* file->watches; epoll_mutex */
    struct epoll_slot *slots;    /* epoll_mutex */
    struct epoll_slot inline_slots[INLINE_SLOTS];
    unsigned slots_used;

    /* set->lock */
    struct list_node ready_node;
    bool is_ready; /* on the ready list */
    bool is_dead;
    unsigned pins;
    unsigned events;
    uint64_t data;
};

struct epoll_set {
    struct file *file; /* not counted: it owns the set */
    struct spinlock lock;
    struct list_node ready; /* set->lock */
    unsigned ready_count;   /* set->lock */
    struct rb_root items;   /* epoll_mutex and set->lock to change, either to read */
    struct waitq waiters;   /* collectors (exclusive), poll and outer sets */
    struct waitq unpinned;
};

struct registration {
    struct poll_waiter pw;
    struct epoll_item *item;
    int error;
};

static const struct file_ops epoll_ops;
static struct mutex epoll_mutex = MUTEX_INIT(RANK_EPOLL);

/* ---- the ready list ---- */

static void make_ready_locked(struct epoll_set *set, struct epoll_item *item)
{
    if (item->is_ready || item->is_dead)
        return;
    item->is_ready = true;
    set->ready_count++;
    list_add_tail(&set->ready, &item->ready_node);
}

static void unready_locked(struct epoll_set *set, struct epoll_item *item)
{
    if (!item->is_ready)
        return;
    item->is_ready = false;
    set->ready_count--;
    list_del(&item->ready_node);
}

static inline void wake_set(struct epoll_set *set)
{
    smp_mb(); /* pairs with a collector's between queueing and testing */
    if (waitq_active(&set->waiters))
        waitq_wake(&set->waiters, 1, POLL_READABLE);
}

/* Any context; the lock of the file's queue is held. */
static bool item_notify(struct waiter *waiter, unsigned events)
{
    struct epoll_item *item = container_of(waiter, struct epoll_slot, waiter)->item;
    unsigned wanted = READ_ONCE(item->events);
    struct epoll_set *set = item->set;
    reg_t flags;

    if ((wanted & ~MODE_BITS) == 0 || (events != 0 && (events & wanted) == 0))
        return false;
    flags = spin_lock_irq(&set->lock);
    make_ready_locked(set, item);
    spin_unlock_irq(&set->lock, flags);
    wake_set(set);
    return true;
}

/* Let go of a pinned item, which may be freed by its remover at once. */
static void unpin(struct epoll_set *set, struct epoll_item *item, reg_t flags)
{
    bool is_awaited = --item->pins == 0 && item->is_dead;

    spin_unlock_irq(&set->lock, flags);
    if (is_awaited)
        waitq_wake_all(&set->unpinned);
}

/* Ask a pinned item's file what holds now; marks the item ready if something does. */
static __cold bool check_item(struct epoll_set *set, struct epoll_item *item)
{
    unsigned events = file_poll(item->file, NULL);
    bool is_ready;
    reg_t flags = spin_lock_irq(&set->lock);

    is_ready = (events & item->events & ~MODE_BITS) != 0;
    if (is_ready)
        make_ready_locked(set, item);
    unpin(set, item, flags);
    if (is_ready)
        wake_set(set);
    return is_ready;
}

/* Take the first item off the ready list, pinned. */
static struct epoll_item *pop_ready(struct epoll_set *set)
{
    struct epoll_item *item = NULL;
    reg_t flags = spin_lock_irq(&set->lock);

    if (!list_empty(&set->ready)) {
        item = list_first_entry(&set->ready, struct epoll_item, ready_node);
        unready_locked(set, item);
        item->pins++;
    }
    spin_unlock_irq(&set->lock, flags);
    return item;
}

/* ---- collecting ---- */

/* What an item reports of `events`. Level-triggered items with an event stay on the list. */
static unsigned report_locked(struct epoll_set *set, struct epoll_item *item, unsigned events,
                              struct epoll_event_data *out)
{
    events &= item->events & ~MODE_BITS;
    if (events == 0 || item->is_dead)
        return 0;
    out->events = events;
    out->zero = 0;
    out->data = item->data;
    if (item->events & EPOLL_ONESHOT)
        item->events &= MODE_BITS;
    else if (!(item->events & EPOLL_EDGE))
        make_ready_locked(set, item);
    return 1;
}

/* Each item of the ready list once. The lock is dropped while a file is asked. */
static unsigned harvest(struct epoll_set *set, struct epoll_event_data *out, unsigned max)
{
    bool is_awaited = false, has_more;
    unsigned found = 0;
    reg_t flags = spin_lock_irq(&set->lock);

    for (unsigned tries = set->ready_count; tries != 0 && found < max; tries--) {
        struct epoll_item *item;
        unsigned events;

        if (list_empty(&set->ready))
            break;
        item = list_first_entry(&set->ready, struct epoll_item, ready_node);
        unready_locked(set, item);
        item->pins++;
        spin_unlock_irq(&set->lock, flags);
        events = file_poll(item->file, NULL);
        flags = spin_lock_irq(&set->lock);
        found += report_locked(set, item, events, &out[found]);
        is_awaited |= --item->pins == 0 && item->is_dead;
    }
    has_more = set->ready_count != 0;
    spin_unlock_irq(&set->lock, flags);
    if (unlikely(is_awaited))
        waitq_wake_all(&set->unpinned);
    if (has_more) /* for another collector */
        wake_set(set);
    return found;
}

unsigned epoll_ready_count(struct file *file)
{
    struct epoll_set *set = file->data;

    return READ_ONCE(set->ready_count);
}

int epoll_collect(struct file *file, struct epoll_event_data *out, unsigned max,
                  uint64_t deadline_ns)
{
    struct epoll_set *set = file->data;

    for (;;) {
        unsigned found = harvest(set, out, max);
        int error;

        if (found != 0 || deadline_ns == 0)
            return (int)found;
        error = wait_event_exclusive(&set->waiters, READ_ONCE(set->ready_count) != 0, deadline_ns,
                                     WAIT_SERVING);
        if (error != 0) {
            if (READ_ONCE(set->ready_count) != 0) /* the wake is another collector's */
                wake_set(set);
            return error == -ETIMEDOUT ? 0 : -EINTR;
        }
    }
}

/* For poll and outer sets: is there an item whose event still holds? */
static unsigned epoll_poll(struct file *file, struct poll_waiter *pw)
{
    struct epoll_set *set = file->data;
    unsigned tries;

    poll_add(pw, &set->waiters);
    for (tries = READ_ONCE(set->ready_count); tries != 0; tries--) {
        struct epoll_item *item = pop_ready(set);

        if (item == NULL)
            break;
        if (check_item(set, item))
            return POLL_READABLE;
    }
    return 0;
}

/* ---- items ---- */

static struct epoll_item *find(struct epoll_set *set, struct file *file, int number)
{
    struct rb_node *node = set->items.node;

    while (node != NULL) {
        struct epoll_item *item = container_of(node, struct epoll_item, node);

        if (item->file == file && item->number == number)
            return item;
        if (file < item->file || (file == item->file && number < item->number))
            node = node->left;
        else
            node = node->right;
    }
    return NULL;
}

static void insert_locked(struct epoll_set *set, struct epoll_item *item)
{
    struct rb_node **link = &set->items.node, *parent = NULL;

    while (*link != NULL) {
        struct epoll_item *other = container_of(*link, struct epoll_item, node);

        parent = *link;
        if (item->file < other->file || (item->file == other->file && item->number < other->number))
            link = &parent->left;
        else
            link = &parent->right;
    }
    rb_insert(&set->items, &item->node, parent, link);
}

static void add_slot(struct poll_waiter *pw, struct waitq *queue)
{
    struct registration *registration = container_of(pw, struct registration, pw);
    struct epoll_item *item = registration->item;
    struct epoll_slot *slot;

    if (item->slots_used < INLINE_SLOTS) {
        slot = &item->inline_slots[item->slots_used++];
    } else {
        slot = kmalloc(sizeof(*slot));
        if (slot == NULL) {
            registration->error = -ENOMEM;
            return;
        }
    }
    waiter_init(&slot->waiter);
    slot->waiter.notify = item_notify;
    slot->waiter.exclusive = (item->events & EPOLL_EXCLUSIVE) != 0;
    slot->item = item;
    slot->next = item->slots;
    item->slots = slot;
    waitq_add(queue, &slot->waiter);
}

static void free_slots(struct epoll_item *item)
{
    while (item->slots != NULL) {
        struct epoll_slot *slot = item->slots;

        item->slots = slot->next;
        waitq_remove(&slot->waiter);
        if (slot < item->inline_slots || slot >= item->inline_slots + INLINE_SLOTS)
            kfree(slot);
    }
}

static bool is_unpinned(struct epoll_set *set, struct epoll_item *item)
{
    reg_t flags = spin_lock_irq(&set->lock);
    bool unpinned = item->pins == 0;

    spin_unlock_irq(&set->lock, flags);
    return unpinned;
}

/* Under epoll_mutex. */
static __cold void remove_item(struct epoll_item *item)
{
    struct epoll_set *set = item->set;
    reg_t flags;

    free_slots(item); /* from here on no notify */
    flags = spin_lock_irq(&set->lock);
    unready_locked(set, item);
    item->is_dead = true;
    rb_erase(&set->items, &item->node);
    spin_unlock_irq(&set->lock, flags);
    (void)wait_event(&set->unpinned, is_unpinned(set, item), WAIT_FOREVER, WAIT_UNINTERRUPTIBLE);
    list_del(&item->watch_node);
    kfree(item);
}

/* ---- nesting ---- */

static int depth_below(const struct file *file, const struct file *forbidden, int budget);

/* The deepest chain of sets from a set down, itself included; -ELOOP past the budget or at
 * `forbidden`. */
static __cold int deepest_item(struct epoll_set *set, const struct file *forbidden, int budget)
{
    int deepest = 0;

    for (struct rb_node *node = rb_first(&set->items); node != NULL; node = rb_next(node)) {
        struct epoll_item *item = container_of(node, struct epoll_item, node);
        int depth = depth_below(item->file, forbidden, budget - 1);

        if (depth < 0)
            return depth;
        if (depth > deepest)
            deepest = depth;
    }
    return deepest;
}

static int depth_below(const struct file *file, const struct file *forbidden, int budget)
{
    int below;

    if (!epoll_is(file))
        return 0;
    if (file == forbidden || budget == 0)
        return -ELOOP;
    below = deepest_item(file->data, forbidden, budget);
    return below < 0 ? below : below + 1;
}

/* The longest chain of sets that watch this one, itself included. */
static __cold int depth_above(const struct file *file, int budget)
{
    struct epoll_item *item;
    int highest = 0;

    if (budget == 0)
        return NESTING_MAX;
    list_for_each_entry (item, &file->watches, watch_node) {
        int depth = depth_above(item->set->file, budget - 1);

        if (depth > highest)
            highest = depth;
    }
    return highest + 1;
}

static int check_nesting(const struct file *set, const struct file *target)
{
    int below = depth_below(target, set, NESTING_MAX);

    if (below <= 0)
        return below;
    return below + depth_above(set, NESTING_MAX) > NESTING_MAX ? -ELOOP : 0;
}

/* ---- epoll_ctl ---- */

static struct epoll_item *item_alloc(struct epoll_set *set, struct file *target, int number,
                                     const struct epoll_event_data *event)
{
    struct epoll_item *item = kzalloc(sizeof(*item));

    if (item == NULL)
        return NULL;
    item->file = target;
    item->number = number;
    item->set = set;
    item->events = event->events | POLLERR | POLLHUP;
    item->data = event->data;
    list_init(&item->ready_node);
    return item;
}

/* Under epoll_mutex: make the item part of its set, register it, see whether it is ready already.
 */
static int attach_item(struct epoll_item *item)
{
    struct registration registration = {{add_slot, item->events}, item, 0};
    struct epoll_set *set = item->set;
    reg_t flags = spin_lock_irq(&set->lock);
    unsigned events;

    insert_locked(set, item);
    item->pins++;
    spin_unlock_irq(&set->lock, flags);
    list_add_tail(&item->file->watches, &item->watch_node);
    events = file_poll(item->file, &registration.pw);
    flags = spin_lock_irq(&set->lock);
    events &= item->events & ~MODE_BITS;
    if (events != 0)
        make_ready_locked(set, item);
    unpin(set, item, flags);
    if (registration.error != 0)
        remove_item(item);
    else if (events != 0)
        wake_set(set);
    return registration.error;
}

static int check_target(const struct file *set, const struct file *target)
{
    if (target->ops->poll == NULL)
        return -EPERM;
    if (target == set || !epoll_is(set))
        return -EINVAL;
    return 0;
}

__cold int epoll_add(struct file *set, struct file *target, int number,
                     const struct epoll_event_data *event)
{
    struct epoll_item *item;
    int error = check_target(set, target);

    if (error != 0)
        return error;
    if ((event->events & EPOLL_EXCLUSIVE) && (event->events & ~EXCLUSIVE_BITS || epoll_is(target)))
        return -EINVAL;
    mutex_lock(&epoll_mutex);
    if (find(set->data, target, number) != NULL) {
        error = -EEXIST;
        goto unlock;
    }
    error = check_nesting(set, target);
    if (error != 0)
        goto unlock;
    error = -ENOMEM;
    item = item_alloc(set->data, target, number, event);
    if (item != NULL)
        error = attach_item(item);
unlock:
    mutex_unlock(&epoll_mutex);
    return error;
}

/* The item, pinned, with its new events; or NULL and *error. */
static struct epoll_item *change_events(struct epoll_set *set, struct file *target, int number,
                                        const struct epoll_event_data *event, int *error)
{
    reg_t flags = spin_lock_irq(&set->lock);
    struct epoll_item *item = find(set, target, number);

    *error = item == NULL ? -ENOENT : item->events & EPOLL_EXCLUSIVE ? -EINVAL : 0;
    if (*error == 0) {
        item->events = event->events | POLLERR | POLLHUP;
        item->data = event->data;
        item->pins++;
    }
    spin_unlock_irq(&set->lock, flags);
    return *error == 0 ? item : NULL;
}

__cold int epoll_modify(struct file *set, struct file *target, int number,
                        const struct epoll_event_data *event)
{
    struct epoll_item *item;
    int error = check_target(set, target);

    if (error != 0)
        return error;
    if (event->events & EPOLL_EXCLUSIVE)
        return -EINVAL;
    item = change_events(set->data, target, number, event, &error);
    if (item != NULL) {
        smp_mb(); /* the new events before the state: pairs with the order of change and wake */
        check_item(set->data, item);
    }
    return error;
}

int epoll_remove(struct file *set, struct file *target, int number)
{
    struct epoll_item *item;
    int error = check_target(set, target);

    if (error != 0)
        return error;
    mutex_lock(&epoll_mutex);
    item = find(set->data, target, number);
    if (item != NULL)
        remove_item(item);
    mutex_unlock(&epoll_mutex);
    return item != NULL ? 0 : -ENOENT;
}

/* ---- life ---- */

void epoll_file_released(struct file *file)
{
    mutex_lock(&epoll_mutex);
    while (!list_empty(&file->watches))
        remove_item(list_first_entry(&file->watches, struct epoll_item, watch_node));
    mutex_unlock(&epoll_mutex);
}

static void epoll_release(struct file *file)
{
    struct epoll_set *set = file->data;

    mutex_lock(&epoll_mutex);
    while (!rb_empty(&set->items))
        remove_item(container_of(set->items.node, struct epoll_item, node));
    mutex_unlock(&epoll_mutex);
    kfree(set);
}

static void epoll_show(struct file *file, struct text_sink *sink)
{
    struct epoll_set *set = file->data;
    struct epoll_item *item;

    mutex_lock(&epoll_mutex);
    rb_for_each_entry(item, &set->items, node)
    {
        sink->print(sink, "tfd: %8d events: %8x data: %16llx  pos:%llu ino:%llx sdev:d\n",
                    item->number, item->events, (unsigned long long)item->data,
                    (unsigned long long)item->file->pos, (unsigned long long)item->file->id);
    }
    mutex_unlock(&epoll_mutex);
}

static const struct file_ops epoll_ops = {
    .name = "anon_inode:[eventpoll]",
    .mode = 0600,
    .flags = FILE_OPS_STREAM,
    .poll = epoll_poll,
    .show = epoll_show,
    .release = epoll_release,
};

struct file *epoll_create(void)
{
    struct epoll_set *set = kzalloc(sizeof(*set));

    if (set == NULL)
        return NULL;
    spin_init(&set->lock, RANK_EPOLL_READY);
    list_init(&set->ready);
    waitq_init(&set->waiters);
    waitq_init(&set->unpinned);
    set->items = RB_ROOT;
    set->file = file_create(&epoll_ops, set, O_RDWR);
    if (set->file == NULL) {
        kfree(set);
        return NULL;
    }
    return set->file;
}

bool epoll_is(const struct file *file)
{
    return file->ops == &epoll_ops;
}
