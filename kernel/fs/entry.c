/* SPDX-License-Identifier: MIT */
/*
 * Names made, removed and moved: mkdir(2), mknod(2), symlink(2), link(2), unlink(2), rmdir(2),
 * rename(2). Order of locks: rename lock, directories (ancestor first, else by address), victim.
 */
#include <core/lock.h>
#include <file/file.h>
#include <fs/notify.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "fs.h"

static struct mutex rename_lock = MUTEX_INIT(RANK_FS_RENAME);

int may_create(struct inode *dir, const struct cred *cred)
{
    if (dir->flags & INODE_DEAD)
        return -ENOENT;
    return inode_permission(dir, MAY_WRITE | MAY_EXEC, cred);
}

int may_delete(struct inode *dir, struct dentry *victim, bool is_dir, const struct cred *cred)
{
    struct inode *inode = victim->inode;
    int error = inode_permission(dir, MAY_WRITE | MAY_EXEC, cred);

    if (error != 0)
        return error;
    if ((dir->flags & INODE_APPEND) || (inode->flags & (INODE_APPEND | INODE_IMMUTABLE)))
        return -EPERM;
    if ((dir->mode & S_ISVTX) && cred->fsuid != inode->uid && cred->fsuid != dir->uid &&
        !cred_capable(cred, CAP_FOWNER))
        return -EPERM;
    if (is_dir && !S_ISDIR(inode->mode))
        return -ENOTDIR;
    if (!is_dir && S_ISDIR(inode->mode))
        return -EISDIR;
    return dentry_is_mounted(victim) ? -EBUSY : 0;
}

void inode_init_owner(struct inode_init *init, const struct inode *dir, const struct cred *cred)
{
    init->uid = cred->fsuid;
    init->gid = cred->fsgid;
    if (!(dir->mode & S_ISGID))
        return;
    init->gid = dir->gid;
    if (S_ISDIR(init->mode))
        init->mode |= S_ISGID;
    else if ((init->mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP) &&
             !cred_in_group(cred, dir->gid) && !cred_capable(cred, CAP_FSETID))
        init->mode &= ~S_ISGID;
}

static int walk_to_parent(struct walk *walk, const struct path *at, const char *name)
{
    int error = walk_start(walk, at, name, 0);

    if (error != 0)
        return error;
    error = walk_to_last(walk);
    if (error != 0)
        walk_end(walk);
    return error;
}

/* A name that may be made: directory locked for writing, *out has no inode. On error, nothing held
 * but the walk. */
static int lock_new_name(struct walk *walk, bool is_dir, struct dentry **out)
{
    struct inode *dir = path_inode(&walk->path);
    int error;

    if (walk->last_type != LAST_NAME)
        return -EEXIST;
    rwlock_write_lock(&dir->lock);
    error = dentry_lookup_locked(walk->path.dentry, &walk->last, out);
    if (error != 0)
        goto fail;
    if ((*out)->inode != NULL)
        error = -EEXIST;
    else if (walk->trailing_slash && !is_dir)
        error = -ENOENT;
    else
        error = mount_may_write(&walk->path);
    if (error == 0)
        error = may_create(dir, walk->cred);
    if (error == 0)
        return 0;
    dentry_unref(*out);
fail:
    rwlock_write_unlock(&dir->lock);
    return error;
}

int entry_create_locked(struct dentry *dir, struct dentry *dentry, struct inode_init *init,
                        const struct cred *cred)
{
    struct name name = {dentry->name->text, dentry->name->len, dentry->name->hash};
    struct inode *inode = NULL;
    int error;

    if (dir->inode->ops->create == NULL) /* in /proc nothing but what is registered ever exists */
        return dir->inode->flags & INODE_NO_NEGATIVE ? -ENOENT : -EPERM;
    inode_init_owner(init, dir->inode, cred);
    error = dir->inode->ops->create(dir->inode, &name, init, &inode);
    if (error == 0) {
        notify_entry(dir->inode, &name, IN_CREATE | (S_ISDIR(inode->mode) ? IN_ISDIR : 0));
        dentry_instantiate(dentry, inode);
    }
    return error;
}

static int create_entry(const struct path *at, const char *name, struct inode_init *init,
                        struct path *out)
{
    struct dentry *dentry;
    struct walk walk;
    int error = walk_to_parent(&walk, at, name);

    if (error != 0)
        return error;
    error = lock_new_name(&walk, S_ISDIR(init->mode), &dentry);
    if (error == 0) {
        error = entry_create_locked(walk.path.dentry, dentry, init, walk.cred);
        rwlock_write_unlock(&path_inode(&walk.path)->lock);
        if (error == 0 && out != NULL) {
            *out = (struct path){walk.path.mount, dentry};
            path_ref(out);
        }
        dentry_unref(dentry);
    }
    walk_end(&walk);
    return error;
}

static uint32_t masked(uint32_t mode)
{
    return mode & ~READ_ONCE(fs_current()->umask);
}

int fs_mkdir(const struct path *at, const char *name, uint32_t mode)
{
    struct inode_init init = {.mode = S_IFDIR | masked(mode & (S_ISVTX | 0777))};

    return create_entry(at, name, &init, NULL);
}

__cold int fs_mknod(const struct path *at, const char *name, uint32_t mode, uint64_t rdev)
{
    struct inode_init init = {.mode = (mode & S_IFMT) | masked(mode & S_PERMISSIONS), .rdev = rdev};
    bool device = S_ISCHR(mode) || S_ISBLK(mode);

    if ((mode & S_IFMT) == 0)
        init.mode |= S_IFREG;
    else if (S_ISDIR(mode))
        return -EPERM;
    else if (!device && !S_ISREG(mode) && !S_ISFIFO(mode) && !S_ISSOCK(mode))
        return -EINVAL;
    if (device && !cred_capable(cred_current(), CAP_MKNOD))
        return -EPERM;
    return create_entry(at, name, &init, NULL);
}

int fs_symlink(const char *target, const struct path *at, const char *name)
{
    struct inode_init init = {.mode = S_IFLNK | 0777, .target = target};

    if (target[0] == '\0')
        return -ENOENT;
    return create_entry(at, name, &init, NULL);
}

int fs_bind(const char *name, uint32_t mode, void *socket, struct path *out)
{
    struct inode_init init = {.mode = S_IFSOCK | masked(mode & 0777)};
    int error = create_entry(NULL, name, &init, out);

    if (error == 0)
        path_inode(out)->bound = socket;
    return error == -EEXIST ? -EADDRINUSE : error;
}

/* Removal. */

static int remove_locked(struct walk *walk, struct dentry *victim, bool is_dir)
{
    struct inode *dir = path_inode(&walk->path), *inode = victim->inode;
    struct name name = {victim->name->text, victim->name->len, victim->name->hash};
    int error = mount_may_write(&walk->path);

    if (error == 0)
        error = may_delete(dir, victim, is_dir, walk->cred);
    if (error != 0)
        return error;
    if (dir->ops->unlink == NULL)
        return -EPERM;
    rwlock_write_lock(&inode->lock);
    error = dir->ops->unlink(dir, &name, inode);
    if (error == 0 && is_dir)
        inode->flags |= INODE_DEAD;
    rwlock_write_unlock(&inode->lock);
    if (error != 0)
        return error;
    if (!is_dir)
        notify_inode(inode, IN_ATTRIB); /* its number of links */
    dentry_delete(victim);
    return 0;
}

static int remove_entry(struct walk *walk, bool is_dir)
{
    struct inode *dir = path_inode(&walk->path), *inode = NULL;
    struct dentry *victim;
    int error;

    rwlock_write_lock(&dir->lock);
    error = dentry_lookup_locked(walk->path.dentry, &walk->last, &victim);
    if (error != 0) {
        rwlock_write_unlock(&dir->lock);
        return error;
    }
    if (victim->inode == NULL)
        error = -ENOENT;
    else if (!is_dir && walk->trailing_slash)
        error = S_ISDIR(victim->inode->mode) ? -EISDIR : -ENOTDIR;
    else
        error = remove_locked(walk, victim, is_dir);
    if (error == 0 && notify_wanted()) { /* the file is told of its end before the directory */
        inode = inode_ref(victim->inode);
        dentry_unref(victim);
        victim = NULL;
        notify_entry(dir, &walk->last, IN_DELETE | (is_dir ? IN_ISDIR : 0));
    }
    rwlock_write_unlock(&dir->lock);
    dentry_unref(victim);
    inode_unref(inode);
    return error;
}

int fs_unlink(const struct path *at, const char *name)
{
    struct walk walk;
    int error = walk_to_parent(&walk, at, name);

    if (error != 0)
        return error;
    error = walk.last_type == LAST_NAME ? remove_entry(&walk, false) : -EISDIR;
    walk_end(&walk);
    return error;
}

int fs_rmdir(const struct path *at, const char *name)
{
    static const int errors[] = {
        [LAST_NONE] = -EBUSY, [LAST_DOT] = -EINVAL, [LAST_DOTDOT] = -ENOTEMPTY};
    struct walk walk;
    int error = walk_to_parent(&walk, at, name);

    if (error != 0)
        return error;
    error = walk.last_type == LAST_NAME ? remove_entry(&walk, true) : errors[walk.last_type];
    walk_end(&walk);
    return error;
}

/* Links. */

static int link_locked(struct inode *dir, struct dentry *dentry, struct inode *inode)
{
    struct name name = {dentry->name->text, dentry->name->len, dentry->name->hash};
    int error;

    if (S_ISDIR(inode->mode) || dir->ops->link == NULL ||
        (inode->flags & (INODE_APPEND | INODE_IMMUTABLE)))
        return -EPERM;
    rwlock_write_lock(&inode->lock);
    if (inode->nlink == 0 && !(inode->flags & INODE_TMPFILE))
        error = -ENOENT;
    else
        error = dir->ops->link(dir, &name, inode);
    if (error == 0)
        inode->flags &= ~INODE_TMPFILE;
    rwlock_write_unlock(&inode->lock);
    if (error == 0) {
        dentry_instantiate(dentry, inode_ref(inode));
        notify_inode(inode, IN_ATTRIB);
        notify_entry(dir, &name, IN_CREATE);
    }
    return error;
}

__cold int fs_link(const struct path *old_at, const char *old_name, const struct path *new_at,
                   const char *new_name, unsigned flags)
{
    struct dentry *dentry;
    struct path old;
    struct walk walk;
    int error = path_lookup(old_at, old_name, flags, &old);

    if (error != 0)
        return error;
    error = walk_to_parent(&walk, new_at, new_name);
    if (error != 0)
        goto out;
    error = lock_new_name(&walk, false, &dentry);
    if (error == 0) {
        error = walk.path.mount == old.mount
                    ? link_locked(path_inode(&walk.path), dentry, path_inode(&old))
                    : -EXDEV;
        rwlock_write_unlock(&path_inode(&walk.path)->lock);
        dentry_unref(dentry);
    }
    walk_end(&walk);
out:
    path_unref(&old);
    return error;
}

/* Rename. */

struct renaming {
    struct walk from, to;
    struct dentry *source, *target;
    unsigned flags;
};

static void lock_directories(struct dentry *a, struct dentry *b)
{
    if (a == b) {
        rwlock_write_lock(&a->inode->lock);
        return;
    }
    mutex_lock(&rename_lock);
    if (dentry_is_below(a, b) || (!dentry_is_below(b, a) && b < a))
        swap(a, b);
    rwlock_write_lock(&a->inode->lock);
    rwlock_write_lock(&b->inode->lock);
}

static void unlock_directories(struct dentry *a, struct dentry *b)
{
    rwlock_write_unlock(&a->inode->lock);
    if (a == b)
        return;
    rwlock_write_unlock(&b->inode->lock);
    mutex_unlock(&rename_lock);
}

static int rename_lookup(struct renaming *r)
{
    int error = dentry_lookup_locked(r->from.path.dentry, &r->from.last, &r->source);

    if (error != 0)
        return error;
    if (r->source->inode == NULL)
        return -ENOENT;
    error = dentry_lookup_locked(r->to.path.dentry, &r->to.last, &r->target);
    if (error != 0)
        return error;
    if ((r->flags & RENAME_NOREPLACE) && r->target->inode != NULL)
        return -EEXIST;
    if ((r->flags & RENAME_EXCHANGE) && r->target->inode == NULL)
        return -ENOENT;
    return 0;
}

static int rename_check_names(struct renaming *r)
{
    bool target_must_be_dir = (r->flags & RENAME_EXCHANGE) && r->to.trailing_slash;

    if (!S_ISDIR(r->source->inode->mode)) {
        if (r->from.trailing_slash)
            return -ENOTDIR;
        if (!(r->flags & RENAME_EXCHANGE) && r->to.trailing_slash)
            return -ENOTDIR;
    }
    if (target_must_be_dir && !S_ISDIR(r->target->inode->mode))
        return -ENOTDIR;
    if (dentry_is_below(r->to.path.dentry, r->source))
        return -EINVAL;
    if (dentry_is_below(r->from.path.dentry, r->target))
        return (r->flags & RENAME_EXCHANGE) ? -EINVAL : -ENOTEMPTY;
    return 0;
}

static int rename_check(struct renaming *r)
{
    struct inode *old_dir = path_inode(&r->from.path), *new_dir = path_inode(&r->to.path);
    bool is_dir = S_ISDIR(r->source->inode->mode);
    const struct cred *cred = r->from.cred;
    int error = may_delete(old_dir, r->source, is_dir, cred);

    if (error != 0)
        return error;
    if (r->target->inode == NULL)
        error = may_create(new_dir, cred);
    else if (r->flags & RENAME_EXCHANGE)
        error = may_delete(new_dir, r->target, S_ISDIR(r->target->inode->mode), cred);
    else
        error = may_delete(new_dir, r->target, is_dir, cred);
    if (error != 0 || old_dir == new_dir)
        return error;
    /* ".." changes: that is a write to the directory moved */
    if (is_dir)
        error = inode_permission(r->source->inode, MAY_WRITE, cred);
    if (error == 0 && (r->flags & RENAME_EXCHANGE) && S_ISDIR(r->target->inode->mode))
        error = inode_permission(r->target->inode, MAY_WRITE, cred);
    return error;
}

static void tell_move(const struct walk *from, const struct walk *to, struct inode *inode)
{
    uint32_t dir = S_ISDIR(inode->mode) ? IN_ISDIR : 0, cookie = notify_cookie();

    notify_tell_entry(path_inode(&from->path), &from->last, IN_MOVED_FROM | dir, cookie);
    notify_tell_entry(path_inode(&to->path), &to->last, IN_MOVED_TO | dir, cookie);
}

static void tell_rename(const struct renaming *r, struct inode *source, struct inode *target)
{
    tell_move(&r->from, &r->to, source);
    if (target != NULL && !(r->flags & RENAME_EXCHANGE))
        notify_tell_inode(target, IN_ATTRIB);
    notify_tell_inode(source, IN_MOVE_SELF);
    if (r->flags & RENAME_EXCHANGE) {
        tell_move(&r->to, &r->from, target);
        notify_tell_inode(target, IN_MOVE_SELF);
    }
}

static int rename_carry_out(struct renaming *r)
{
    struct rename_op op = {
        .old_dir = path_inode(&r->from.path),
        .new_dir = path_inode(&r->to.path),
        .old_name = &r->from.last,
        .new_name = &r->to.last,
        .source = r->source->inode,
        .target = r->target->inode,
        .flags = r->flags,
    };
    struct inode *victim = (r->flags & RENAME_EXCHANGE) ? NULL : op.target;
    struct dentry_move move;
    int error;

    if (op.source == op.target)
        return 0; /* two names of one file: nothing is to be done, rename(2) */
    if (op.old_dir->ops->rename == NULL)
        return -EPERM;
    error = dentry_move_prepare(&move, r->source, r->target);
    if (error != 0)
        return error;
    if (victim != NULL)
        rwlock_write_lock(&victim->lock);
    error = op.old_dir->ops->rename(&op);
    if (error == 0 && victim != NULL && S_ISDIR(victim->mode))
        victim->flags |= INODE_DEAD;
    if (victim != NULL)
        rwlock_write_unlock(&victim->lock);
    if (error != 0) {
        dentry_move_cancel(&move);
        return error;
    }
    dentry_move(&move, (r->flags & RENAME_EXCHANGE) != 0);
    if (notify_wanted())
        tell_rename(r, op.source, op.target);
    return 0;
}

static int rename_walked(struct renaming *r)
{
    struct dentry *old_dir = r->from.path.dentry, *new_dir = r->to.path.dentry;
    int error;

    if (r->from.path.mount != r->to.path.mount)
        return -EXDEV;
    if (r->from.last_type != LAST_NAME)
        return -EBUSY;
    if (r->to.last_type != LAST_NAME)
        return (r->flags & RENAME_NOREPLACE) ? -EEXIST : -EBUSY;
    error = mount_may_write(&r->from.path);
    if (error != 0)
        return error;
    lock_directories(old_dir, new_dir);
    error = rename_lookup(r);
    if (error == 0)
        error = rename_check_names(r);
    if (error == 0)
        error = rename_check(r);
    if (error == 0)
        error = rename_carry_out(r);
    unlock_directories(old_dir, new_dir);
    dentry_unref(r->source);
    dentry_unref(r->target);
    return error;
}

__cold int fs_rename(const struct path *old_at, const char *old_name, const struct path *new_at,
                     const char *new_name, unsigned flags)
{
    struct renaming r = {.flags = flags};
    int error;

    if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
        return -EINVAL;
    if ((flags & RENAME_EXCHANGE) && (flags & (RENAME_NOREPLACE | RENAME_WHITEOUT)))
        return -EINVAL;
    if ((flags & RENAME_WHITEOUT) && !cred_capable(cred_current(), CAP_MKNOD))
        return -EPERM;
    error = walk_to_parent(&r.from, old_at, old_name);
    if (error != 0)
        return error;
    error = walk_to_parent(&r.to, new_at, new_name);
    if (error == 0) {
        error = rename_walked(&r);
        walk_end(&r.to);
    }
    walk_end(&r.from);
    return error;
}
