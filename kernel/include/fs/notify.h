/* SPDX-License-Identifier: MIT */
/*
 * Watching files (inotify(7)). A watch belongs to a group, an inotify descriptor, and holds a
 * reference to its inode; what happens to that inode, or to a name in that directory, is queued in
 * the group. While there is no watch at all, telling costs one load (file_watches, <file/file.h>).
 *
 * One mutex guards all of it; it is taken with inodes' locks held. Thread context.
 */
#ifndef FS_NOTIFY_H
#define FS_NOTIFY_H

#include <core/waitq.h>
#include <file/file.h>
#include <fs/path.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>

/* Events and flags, as Linux numbers them. */
#define IN_ACCESS        0x00000001u
#define IN_MODIFY        0x00000002u
#define IN_ATTRIB        0x00000004u
#define IN_CLOSE_WRITE   0x00000008u
#define IN_CLOSE_NOWRITE 0x00000010u
#define IN_OPEN          0x00000020u
#define IN_MOVED_FROM    0x00000040u
#define IN_MOVED_TO      0x00000080u
#define IN_CREATE        0x00000100u
#define IN_DELETE        0x00000200u
#define IN_DELETE_SELF   0x00000400u
#define IN_MOVE_SELF     0x00000800u
#define IN_ALL_EVENTS    0x00000fffu
#define IN_UNMOUNT       0x00002000u
#define IN_Q_OVERFLOW    0x00004000u
#define IN_IGNORED       0x00008000u
#define IN_ONLYDIR       0x01000000u
#define IN_DONT_FOLLOW   0x02000000u
#define IN_EXCL_UNLINK   0x04000000u
#define IN_MASK_CREATE   0x10000000u
#define IN_MASK_ADD      0x20000000u
#define IN_ISDIR         0x40000000u
#define IN_ONESHOT       0x80000000u

struct notify_group;

/* One event as it is read. */
struct notify_told {
    int watch;
    uint32_t mask, cookie, name_bytes; /* of `name`, with NULs up to a multiple of 16; or 0 */
    char name[NAME_MAX + 1];
};

struct notify_limits {
    unsigned events;  /* a group's queue; what it was when the group was made */
    unsigned groups;  /* of all */
    unsigned watches; /* of all */
};
extern struct notify_limits notify_limits;

/* NULL with *error -EMFILE or -ENOMEM. */
struct notify_group *notify_group_create(int *error);
void notify_group_free(struct notify_group *group);

/* A new watch's number, or that of the one that changed; -EEXIST (IN_MASK_CREATE), -ENOSPC,
 * -ENOMEM. */
int notify_watch(struct notify_group *group, struct inode *inode, uint32_t mask);
int notify_unwatch(struct notify_group *group, int watch); /* -EINVAL: there is none */

/* The next event, if its header of 16 bytes and its name fit into `room`: their size. 0: none
 * there; -EINVAL: it does not fit. */
ssize_t notify_take(struct notify_group *group, struct notify_told *out, size_t room);
size_t notify_queued_bytes(struct notify_group *group);
struct waitq *notify_waitq(struct notify_group *group);

/* Calls fn for each watch of the group. */
void notify_each(struct notify_group *group,
                 void (*fn)(void *arg, int watch, const struct inode *inode, uint32_t mask),
                 void *arg);

/* ---- what happened; use the inline ones ---- */

void notify_tell_inode(struct inode *inode, uint32_t event);
void notify_tell_dentry(struct dentry *dentry, uint32_t event, bool is_by_file);
void notify_tell_entry(struct inode *dir, const struct name *name, uint32_t event, uint32_t cookie);
void notify_tell_gone(struct inode *inode);
void notify_tell_unmounted(struct superblock *sb);

static inline bool notify_wanted(void)
{
    return unlikely(READ_ONCE(file_watches) != 0);
}

/* To the inode itself: its number of links, its place. */
static inline void notify_inode(struct inode *inode, uint32_t event)
{
    if (notify_wanted())
        notify_tell_inode(inode, event);
}

/* To the file and, with its name, to the directory it is in. */
static inline void notify_dentry(struct dentry *dentry, uint32_t event)
{
    if (notify_wanted())
        notify_tell_dentry(dentry, event, false);
}

/* To the directory: a name came or went. event may have IN_ISDIR. */
static inline void notify_entry(struct inode *dir, const struct name *name, uint32_t event)
{
    if (notify_wanted())
        notify_tell_entry(dir, name, event, 0);
}

/* A number that the two events of a move share; never 0. */
uint32_t notify_cookie(void);

/* The inode has neither names nor users any more. */
static inline void notify_gone(struct inode *inode)
{
    if (notify_wanted() && inode != NULL && inode->watches != NULL &&
        (inode->nlink == 0 || (inode->flags & INODE_DEAD)))
        notify_tell_gone(inode);
}

static inline void notify_unmounted(struct superblock *sb)
{
    if (notify_wanted())
        notify_tell_unmounted(sb);
}

#endif
