/* SPDX-License-Identifier: MIT */
/*
 * The tree of mounts: mount(2), umount2(2), and what the walk needs of it. mount_lock, a spinlock,
 * guards the tree; crossings are rare enough for the walk to take it. Propagation and mount
 * namespaces are left out: there is one tree.
 */
#include <core/lock.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "fs.h"

static struct spinlock mount_lock = SPINLOCK_INIT(RANK_DENTRY);
static struct list_node mounts; /* in order of mounting */
static struct fs_type *types, **types_end = &types;
static int next_id = 1;

#define MS_PER_MOUNT                                                                           \
    (MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC | MS_NOATIME | MS_NODIRATIME | MS_RELATIME | \
     MS_NOSYMFOLLOW)
#define MNT_FORCE       1u
#define MNT_DETACH      2u
#define UMOUNT_NOFOLLOW 8u

void mount_init(void)
{
    list_init(&mounts);
}

void fs_type_register(struct fs_type *type)
{
    type->next = NULL;
    *types_end = type;
    types_end = &type->next;
}

const struct fs_type *fs_type_first(void)
{
    return types;
}

void mount_ref(struct mount *mount)
{
    atomic_inc(&mount->refs);
}

static void mount_free_deferred(struct deferred *deferred)
{
    kfree(container_of(deferred, struct mount, deferred));
}

void mount_unref(struct mount *mount)
{
    if (mount == NULL || !atomic_dec_and_test(&mount->refs))
        return;
    dentry_unref(mount->root);
    superblock_unuse(mount->sb);
    defer_free(&mount->deferred, mount_free_deferred);
}

void path_ref(const struct path *path)
{
    mount_ref(path->mount);
    dentry_ref(path->dentry);
}

void path_unref(const struct path *path)
{
    dentry_unref(path->dentry);
    mount_unref(path->mount);
}

struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source,
                           unsigned flags)
{
    size_t bytes = strlen(source) + 1;
    struct mount *mount = kzalloc(sizeof(*mount) + bytes);

    if (mount == NULL) {
        superblock_unuse(sb);
        return NULL;
    }
    memcpy(mount->source, source, bytes);
    atomic_set(&mount->refs, 1);
    list_init(&mount->all);
    mount->flags = flags;
    mount->sb = sb;
    mount->root = dentry_ref(root);
    return mount;
}

/* What is mounted on this very place, or NULL. The last mounted wins. */
static struct mount *mounted_on_locked(const struct path *path)
{
    struct mount *mount;

    list_for_each_entry_reverse (mount, &mounts, all) {
        if (mount->mountpoint == path->dentry && mount->parent == path->mount)
            return mount;
    }
    return NULL;
}

void path_follow_mounts(struct path *path)
{
    while (dentry_is_mounted(path->dentry)) {
        struct path to = {NULL, NULL};
        struct mount *mount;

        spin_lock(&mount_lock);
        mount = mounted_on_locked(path);
        if (mount != NULL) {
            to = (struct path){mount, mount->root};
            path_ref(&to);
        }
        spin_unlock(&mount_lock);
        if (mount == NULL)
            return;
        path_unref(path);
        *path = to;
    }
}

bool path_leave_mount(struct path *path)
{
    struct path to = {NULL, NULL};

    spin_lock(&mount_lock);
    if (path->mount->parent != NULL) {
        to = (struct path){path->mount->parent, path->mount->mountpoint};
        path_ref(&to);
    }
    spin_unlock(&mount_lock);
    if (to.mount == NULL)
        return false;
    path_unref(path);
    *path = to;
    return true;
}

int mount_may_write(const struct path *path)
{
    return (path->mount->flags & MS_RDONLY) || (path->mount->sb->flags & SB_RDONLY) ? -EROFS : 0;
}

/* Takes over the caller's reference to `mount`; `where` NULL: the first mount of all. */
int mount_attach(struct mount *mount, const struct path *where)
{
    if (where != NULL) {
        if (S_ISDIR(path_inode(where)->mode) != S_ISDIR(mount->root->inode->mode))
            return -ENOTDIR;
        if (where->dentry->flags & DENTRY_DELETED)
            return -ENOENT;
        dentry_set_mounted(where->dentry, true);
        path_ref(where);
    }
    spin_lock(&mount_lock);
    mount->id = next_id++;
    if (where != NULL) {
        mount->parent = where->mount;
        mount->mountpoint = where->dentry;
    }
    list_add_tail(&mounts, &mount->all);
    spin_unlock(&mount_lock);
    return 0;
}

static bool has_children_locked(const struct mount *mount)
{
    const struct mount *other;

    list_for_each_entry (other, &mounts, all) {
        if (other->parent == mount)
            return true;
    }
    return false;
}

static bool point_in_use_locked(const struct dentry *dentry)
{
    const struct mount *other;

    list_for_each_entry (other, &mounts, all) {
        if (other->mountpoint == dentry)
            return true;
    }
    return false;
}

/* Takes a mount out of the tree. -EBUSY while it is in use, unless `lazy`. `refs`: of the caller.
 */
static int mount_detach(struct mount *mount, bool lazy, int refs)
{
    struct path where;
    bool last;

    spin_lock(&mount_lock);
    if (mount->parent == NULL) {
        spin_unlock(&mount_lock);
        return list_empty(&mount->all) ? -EINVAL : -EBUSY;
    }
    if (!lazy && (has_children_locked(mount) || atomic_read(&mount->refs) > 1 + refs)) {
        spin_unlock(&mount_lock);
        return -EBUSY;
    }
    where = (struct path){mount->parent, mount->mountpoint};
    mount->parent = NULL;
    mount->mountpoint = NULL;
    list_del(&mount->all);
    last = !point_in_use_locked(where.dentry);
    spin_unlock(&mount_lock);
    if (last)
        dentry_set_mounted(where.dentry, false);
    path_unref(&where);
    mount_unref(mount);
    return 0;
}

/* The mounts below a lazily unmounted one go with it. */
static void detach_children(struct mount *mount)
{
    for (;;) {
        struct mount *other, *child = NULL;

        spin_lock(&mount_lock);
        list_for_each_entry (other, &mounts, all) {
            if (other->parent == mount) {
                child = other;
                mount_ref(child);
                break;
            }
        }
        spin_unlock(&mount_lock);
        if (child == NULL)
            return;
        detach_children(child);
        mount_detach(child, true, 1);
        mount_unref(child);
    }
}

static const struct fs_type *type_find(const char *name)
{
    const struct fs_type *type;

    for (type = types; type != NULL; type = type->next) {
        if (strcmp(type->name, name) == 0)
            return type;
    }
    return NULL;
}

int fs_mount_super(struct superblock *sb, const char *source, const struct path *where,
                   unsigned flags)
{
    struct mount *mount;
    int error;

    superblock_use(sb);
    mount = mount_create(sb, sb->root, source, flags & MS_PER_MOUNT);
    if (mount == NULL)
        return -ENOMEM;
    error = mount_attach(mount, where);
    if (error != 0)
        mount_unref(mount);
    return error;
}

static int mount_new(const char *source, const struct path *where, const char *name, unsigned flags,
                     const char *options)
{
    const struct fs_type *type = name != NULL ? type_find(name) : NULL;
    struct superblock *sb;
    int error;

    if (name == NULL)
        return -EINVAL;
    if (type == NULL)
        return -ENODEV;
    error = type->mount(source, options, flags, &sb);
    if (error != 0)
        return error;
    error = fs_mount_super(sb, source != NULL ? source : "none", where, flags);
    superblock_unuse(sb);
    return error;
}

static int mount_bind(const char *source, const struct path *where, unsigned flags)
{
    struct path from;
    struct mount *mount;
    int error;

    if (source == NULL)
        return -EINVAL;
    error = path_lookup(NULL, source, LOOKUP_FOLLOW, &from);
    if (error != 0)
        return error;
    superblock_use(from.mount->sb);
    mount = mount_create(from.mount->sb, from.dentry, from.mount->source,
                         from.mount->flags & ~MOUNT_LOOSE);
    error = mount != NULL ? mount_attach(mount, where) : -ENOMEM;
    if (error != 0)
        mount_unref(mount);
    else if (flags & MS_RDONLY)
        mount->flags |= flags & MS_RDONLY;
    path_unref(&from);
    return error;
}

static int mount_change(const struct path *where, unsigned flags)
{
    if (where->dentry != where->mount->root)
        return -EINVAL;
    where->mount->flags = (where->mount->flags & ~MS_PER_MOUNT) | (flags & MS_PER_MOUNT);
    return 0;
}

static int mount_move(const char *source, const struct path *where)
{
    struct path from, old = {NULL, NULL};
    bool last;
    int error;

    if (source == NULL)
        return -EINVAL;
    error = path_lookup(NULL, source, LOOKUP_FOLLOW, &from);
    if (error != 0)
        return error;
    if (from.dentry != from.mount->root || from.mount->parent == NULL)
        error = -EINVAL;
    for (struct mount *up = where->mount; error == 0 && up != NULL; up = up->parent) {
        if (up == from.mount)
            error = -ELOOP;
    }
    if (error == 0) {
        path_ref(where);
        dentry_set_mounted(where->dentry, true);
        spin_lock(&mount_lock);
        old = (struct path){from.mount->parent, from.mount->mountpoint};
        from.mount->parent = where->mount;
        from.mount->mountpoint = where->dentry;
        last = !point_in_use_locked(old.dentry);
        spin_unlock(&mount_lock);
        if (last)
            dentry_set_mounted(old.dentry, false);
        path_unref(&old);
    }
    path_unref(&from);
    return error;
}

int fs_mount(const char *source, const struct path *at, const char *target, const char *type,
             unsigned flags, const char *options)
{
    struct path where;
    int error;

    if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
        return -EPERM;
    error = path_lookup(at, target, LOOKUP_FOLLOW, &where);
    if (error != 0)
        return error;
    if (flags & MS_REMOUNT)
        error = mount_change(&where, flags);
    else if (flags & MS_BIND)
        error = mount_bind(source, &where, flags);
    else if (flags & MS_MOVE)
        error = mount_move(source, &where);
    else if (flags & MS_PROPAGATION)
        error = where.dentry == where.mount->root ? 0 : -EINVAL; /* one name space: no peers */
    else
        error = mount_new(source, &where, type, flags, options);
    path_unref(&where);
    return error;
}

int fs_unmount(const struct path *at, const char *target, unsigned flags)
{
    struct path where;
    int error;

    if (flags & ~(MNT_FORCE | MNT_DETACH | UMOUNT_NOFOLLOW))
        return -EINVAL;
    if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
        return -EPERM;
    error = path_lookup(at, target, (flags & UMOUNT_NOFOLLOW) ? 0 : LOOKUP_FOLLOW, &where);
    if (error != 0)
        return error;
    if (where.dentry != where.mount->root) {
        error = -EINVAL;
    } else {
        struct mount *mount = where.mount;
        dentry_unref(where.dentry);
        if (!(flags & MNT_DETACH))
            dcache_prune_super(mount->sb);
        else
            detach_children(mount);
        error = mount_detach(mount, (flags & MNT_DETACH) != 0, 1);
        where.dentry = NULL;
    }
    path_unref(&where);
    return error;
}

struct mount *mount_at_index(unsigned index)
{
    struct mount *mount;

    spin_lock(&mount_lock);
    list_for_each_entry (mount, &mounts, all) {
        if (index-- == 0) {
            mount_ref(mount);
            spin_unlock(&mount_lock);
            return mount;
        }
    }
    spin_unlock(&mount_lock);
    return NULL;
}
