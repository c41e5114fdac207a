/* SPDX-License-Identifier: MIT */
/*
 * Watches on inodes and the queues of what happened to them: <fs/notify.h>. The order in which
 * events come, and what is told to whom, is Linux's (inotify(7)); tests/linux/inotify.c compares.
 */
#include <fs/notify.h>

#include <core/defer.h>
#include <core/lock.h>
#include <core/wait.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "fs.h"

#define HEADER_BYTES 16u /* of an event as it is read; names are padded to this too */

struct notify_event {
    struct list_node node;
    int watch;
    uint32_t mask, cookie, name_len;
    char name[];
};

struct inode_watch {
    struct list_node sibling; /* group->watches */
    struct inode_watch *next; /* inode->watches; once removed, the next to be freed */
    struct notify_group *group;
    struct inode *inode; /* a reference */
    int number;
    uint32_t mask;
};

struct notify_group {
    struct list_node node; /* groups */
    struct list_node watches, events;
    unsigned event_count, event_max;
    size_t bytes;
    int last_number;
    struct notify_event *overflow;
    bool overflow_is_queued;
    struct waitq readable;
};

uint32_t file_watches;
struct notify_limits notify_limits = {.events = 16384, .groups = 128, .watches = 8192};

/* Guards everything here, and inode->watches. */
static struct mutex notify_mutex = MUTEX_INIT(RANK_NOTIFY);
static struct list_node groups = LIST_INIT(groups);
static unsigned group_count;
static atomic_t last_cookie;

uint32_t notify_cookie(void)
{
    uint32_t cookie = (uint32_t)atomic_add_return(1, &last_cookie);

    return cookie != 0 ? cookie : notify_cookie();
}

/* ---- queues; the mutex held ---- */

static uint32_t padded(uint32_t name_len)
{
    return name_len != 0 ? (uint32_t)align_up(name_len + 1, HEADER_BYTES) : 0;
}

static bool is_repeated(const struct notify_group *group, int watch, uint32_t mask,
                        const struct name *name)
{
    const struct notify_event *last;

    if (list_empty(&group->events) || (mask & IN_IGNORED))
        return false;
    last = container_of(group->events.prev, struct notify_event, node);
    return last->mask == mask && last->watch == watch &&
           last->name_len == (name != NULL ? name->len : 0) &&
           (name == NULL || memcmp(last->name, name->text, name->len) == 0);
}

static void append(struct notify_group *group, struct notify_event *event)
{
    list_add_tail(&group->events, &event->node);
    group->event_count++;
    group->bytes += HEADER_BYTES + padded(event->name_len);
    waitq_wake(&group->readable, UINT32_MAX, POLL_READABLE);
}

static void overflow(struct notify_group *group)
{
    if (group->overflow_is_queued)
        return;
    group->overflow_is_queued = true;
    append(group, group->overflow);
}

static void queue_event(struct notify_group *group, int watch, uint32_t mask, uint32_t cookie,
                        const struct name *name)
{
    uint32_t name_len = name != NULL ? name->len : 0;
    struct notify_event *event;

    if (is_repeated(group, watch, mask, name))
        return;
    event = group->event_count < group->event_max ? kmalloc(sizeof(*event) + name_len) : NULL;
    if (event == NULL) {
        overflow(group);
        return;
    }
    event->watch = watch;
    event->mask = mask;
    event->cookie = cookie;
    event->name_len = name_len;
    if (name_len != 0)
        memcpy(event->name, name->text, name_len);
    append(group, event);
}

/* ---- watches; the mutex held ---- */

/* Off its inode and group; free_watches() does the rest, without the mutex. */
static void remove_watch(struct inode_watch *watch, struct inode_watch **removed)
{
    struct inode_watch **link = &watch->inode->watches;

    while (*link != watch)
        link = &(*link)->next;
    *link = watch->next;
    list_del(&watch->sibling);
    WRITE_ONCE(file_watches, file_watches - 1);
    watch->next = *removed;
    *removed = watch;
}

static void end_watch(struct inode_watch *watch, struct inode_watch **removed)
{
    queue_event(watch->group, watch->number, IN_IGNORED, 0, NULL);
    remove_watch(watch, removed);
}

static void free_watches(struct inode_watch *removed)
{
    while (removed != NULL) {
        struct inode_watch *next = removed->next;

        inode_unref(removed->inode);
        kfree(removed);
        removed = next;
    }
}

struct happening {
    uint32_t event; /* one of IN_ALL_EVENTS, perhaps with IN_ISDIR */
    uint32_t cookie;
    bool is_unlinked; /* by an open file whose name is gone */
};

static void tell_locked(struct inode *inode, const struct happening *what, const struct name *name,
                        struct inode_watch **removed)
{
    struct inode_watch *watch, *next;

    for (watch = inode->watches; watch != NULL; watch = next) {
        next = watch->next;
        if (!(watch->mask & what->event & IN_ALL_EVENTS))
            continue;
        if (what->is_unlinked && (watch->mask & IN_EXCL_UNLINK))
            continue;
        queue_event(watch->group, watch->number, what->event, what->cookie, name);
        if (watch->mask & IN_ONESHOT)
            end_watch(watch, removed);
    }
}

/* ---- what happened ---- */

void notify_tell_inode(struct inode *inode, uint32_t event)
{
    struct happening what = {.event = event};
    struct inode_watch *removed = NULL;

    if (READ_ONCE(inode->watches) == NULL)
        return;
    if (S_ISDIR(inode->mode) && !(event & (IN_DELETE_SELF | IN_MOVE_SELF)))
        what.event |= IN_ISDIR;
    mutex_lock(&notify_mutex);
    tell_locked(inode, &what, NULL, &removed);
    mutex_unlock(&notify_mutex);
    free_watches(removed);
}

void notify_tell_entry(struct inode *dir, const struct name *name, uint32_t event, uint32_t cookie)
{
    struct happening what = {.event = event, .cookie = cookie};
    struct inode_watch *removed = NULL;

    if (READ_ONCE(dir->watches) == NULL)
        return;
    mutex_lock(&notify_mutex);
    tell_locked(dir, &what, name, &removed);
    mutex_unlock(&notify_mutex);
    free_watches(removed);
}

/* The directory that a dentry is in, if that is watched, with a reference, and its name there. */
static struct dentry *watched_parent(struct dentry *dentry, char text[static NAME_MAX + 1],
                                     struct name *name)
{
    struct dentry *parent;
    uint32_t sequence;

    do {
        const struct dentry_name *now;

        sequence = rename_read_begin();
        parent = dentry_parent(dentry);
        if (parent == dentry || READ_ONCE(parent->inode->watches) == NULL) {
            dentry_unref(parent);
            return NULL;
        }
        defer_read_begin();
        now = READ_ONCE(dentry->name);
        name->len = now->len;
        memcpy(text, now->text, now->len);
        defer_read_end();
        name->text = text;
        if (!rename_read_retry(sequence))
            return parent;
        dentry_unref(parent);
    } while (true);
}

void notify_tell_dentry(struct dentry *dentry, uint32_t event, bool is_by_file)
{
    char text[NAME_MAX + 1];
    struct name name = {.text = text};
    struct inode *inode = dentry->inode;
    struct dentry *parent = watched_parent(dentry, text, &name);
    struct happening what = {
        .event = event | (S_ISDIR(inode->mode) ? IN_ISDIR : 0),
        .is_unlinked = is_by_file && (READ_ONCE(dentry->flags) & DENTRY_DELETED),
    };
    struct inode_watch *removed = NULL;

    if (parent == NULL && READ_ONCE(inode->watches) == NULL)
        return;
    mutex_lock(&notify_mutex);
    if (parent != NULL)
        tell_locked(parent->inode, &what, &name, &removed);
    tell_locked(inode, &what, NULL, &removed);
    mutex_unlock(&notify_mutex);
    free_watches(removed);
    dentry_unref(parent);
}

void file_tell(struct file *file, unsigned event)
{
    if (file->inode != NULL && file->dentry != NULL)
        notify_tell_dentry(file->dentry, event, true);
}

void notify_tell_gone(struct inode *inode)
{
    struct happening what = {.event = IN_DELETE_SELF};
    struct inode_watch *removed = NULL;

    mutex_lock(&notify_mutex);
    tell_locked(inode, &what, NULL, &removed);
    while (inode->watches != NULL)
        end_watch(inode->watches, &removed);
    mutex_unlock(&notify_mutex);
    free_watches(removed);
}

void notify_tell_unmounted(struct superblock *sb)
{
    struct inode_watch *watch, *next, *removed = NULL;
    struct notify_group *group;

    mutex_lock(&notify_mutex);
    list_for_each_entry (group, &groups, node) {
        list_for_each_entry_safe (watch, next, &group->watches, sibling) {
            if (watch->inode->sb != sb)
                continue;
            queue_event(group, watch->number, IN_UNMOUNT, 0, NULL);
            end_watch(watch, &removed);
        }
    }
    mutex_unlock(&notify_mutex);
    free_watches(removed);
}

/* ---- groups ---- */

struct notify_group *notify_group_create(int *error)
{
    struct notify_group *group = kzalloc(sizeof(*group));
    struct notify_event *event = kzalloc(sizeof(*event));

    *error = -ENOMEM;
    if (group == NULL || event == NULL)
        goto fail;
    event->watch = -1;
    event->mask = IN_Q_OVERFLOW;
    group->overflow = event;
    list_init(&group->watches);
    list_init(&group->events);
    waitq_init(&group->readable);
    mutex_lock(&notify_mutex);
    if (group_count < READ_ONCE(notify_limits.groups)) {
        group->event_max = READ_ONCE(notify_limits.events);
        group_count++;
        list_add_tail(&groups, &group->node);
        *error = 0;
    } else {
        *error = -EMFILE;
    }
    mutex_unlock(&notify_mutex);
    if (*error == 0)
        return group;
fail:
    kfree(event);
    kfree(group);
    return NULL;
}

void notify_group_free(struct notify_group *group)
{
    struct inode_watch *watch, *next_watch, *removed = NULL;
    struct notify_event *event, *next;

    mutex_lock(&notify_mutex);
    list_for_each_entry_safe (watch, next_watch, &group->watches, sibling)
        remove_watch(watch, &removed);
    list_del(&group->node);
    group_count--;
    mutex_unlock(&notify_mutex);
    free_watches(removed);
    list_for_each_entry_safe (event, next, &group->events, node) {
        if (event != group->overflow)
            kfree(event);
    }
    kfree(group->overflow);
    kfree(group);
}

/* The group's watch of an inode, or NULL. */
static struct inode_watch *watch_of(const struct notify_group *group, const struct inode *inode)
{
    struct inode_watch *watch = inode->watches;

    while (watch != NULL && watch->group != group)
        watch = watch->next;
    return watch;
}

static int change_watch(struct inode_watch *watch, uint32_t mask)
{
    uint32_t kept = IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT;

    if (mask & IN_MASK_CREATE)
        return -EEXIST;
    watch->mask = (mask & IN_MASK_ADD ? watch->mask : 0) | (mask & kept);
    return watch->number;
}

static int number_for(struct notify_group *group)
{
    group->last_number = group->last_number == INT32_MAX ? 1 : group->last_number + 1;
    return group->last_number;
}

int notify_watch(struct notify_group *group, struct inode *inode, uint32_t mask)
{
    struct inode_watch *fresh = kzalloc(sizeof(*fresh)), *watch;
    int result;

    if (fresh == NULL)
        return -ENOMEM;
    mutex_lock(&notify_mutex);
    watch = watch_of(group, inode);
    if (watch != NULL) {
        result = change_watch(watch, mask);
    } else if (file_watches >= READ_ONCE(notify_limits.watches)) {
        result = -ENOSPC;
    } else {
        fresh->group = group;
        fresh->inode = inode_ref(inode);
        result = fresh->number = number_for(group);
        fresh->mask = mask & (IN_ALL_EVENTS | IN_EXCL_UNLINK | IN_ONESHOT);
        fresh->next = inode->watches;
        inode->watches = fresh;
        list_add_tail(&group->watches, &fresh->sibling);
        WRITE_ONCE(file_watches, file_watches + 1);
        fresh = NULL;
    }
    mutex_unlock(&notify_mutex);
    kfree(fresh);
    return result;
}

int notify_unwatch(struct notify_group *group, int number)
{
    struct inode_watch *watch, *next, *removed = NULL;

    mutex_lock(&notify_mutex);
    list_for_each_entry_safe (watch, next, &group->watches, sibling) {
        if (watch->number == number) {
            end_watch(watch, &removed);
            break;
        }
    }
    mutex_unlock(&notify_mutex);
    if (removed == NULL)
        return -EINVAL;
    free_watches(removed);
    return 0;
}

ssize_t notify_take(struct notify_group *group, struct notify_told *out, size_t room)
{
    struct notify_event *event;
    ssize_t size = 0;

    mutex_lock(&notify_mutex);
    if (!list_empty(&group->events)) {
        event = list_first_entry(&group->events, struct notify_event, node);
        size = (ssize_t)(HEADER_BYTES + padded(event->name_len));
        if ((size_t)size > room)
            size = -EINVAL;
    }
    if (size > 0) {
        list_del(&event->node);
        group->event_count--;
        group->bytes -= (size_t)size;
        out->watch = event->watch;
        out->mask = event->mask;
        out->cookie = event->cookie;
        out->name_bytes = padded(event->name_len);
        memset(out->name, 0, sizeof(out->name));
        memcpy(out->name, event->name, event->name_len);
        if (event == group->overflow)
            group->overflow_is_queued = false;
        else
            kfree(event);
    }
    mutex_unlock(&notify_mutex);
    return size;
}

size_t notify_queued_bytes(struct notify_group *group)
{
    return READ_ONCE(group->bytes);
}

struct waitq *notify_waitq(struct notify_group *group)
{
    return &group->readable;
}

void notify_each(struct notify_group *group,
                 void (*fn)(void *arg, int watch, const struct inode *inode, uint32_t mask),
                 void *arg)
{
    const struct inode_watch *watch;

    mutex_lock(&notify_mutex);
    list_for_each_entry (watch, &group->watches, sibling)
        fn(arg, watch->number, watch->inode, watch->mask);
    mutex_unlock(&notify_mutex);
}
