/* SPDX-License-Identifier: MIT */
/*
 * Inodes and superblocks: life, permissions and attributes, as path_resolution(7), chmod(2),
 * chown(2) and utimensat(2) tell. Access control lists are left out.
 */
#include <core/clock.h>
#include <file/file.h>
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/lock.h>
#include <fs/notify.h>
#include <fs/path.h>
#include <lib/errno.h>

#include "fs.h"

struct fs_time fs_time_now(void)
{
    uint64_t ns = clock_realtime_ns();

    return (struct fs_time){(int64_t)(ns / NS_PER_SECOND), (uint32_t)(ns % NS_PER_SECOND)};
}

void inode_init(struct inode *inode, struct superblock *sb, const struct inode_ops *ops,
                uint32_t mode, uint64_t ino)
{
    inode->ops = ops;
    inode->sb = sb;
    atomic_inc(&sb->refs);
    atomic_set(&inode->refs, 1);
    inode->mode = mode;
    inode->nlink = 1;
    inode->ino = ino;
    rwlock_init(&inode->lock, RANK_INODE);
}

void inode_times_now(struct inode *inode)
{
    inode->atime = inode->mtime = inode->ctime = inode->btime = fs_time_now();
}

/* st_dev of file systems without a device: major 0, minors counted up. */
static atomic_t next_minor;

void superblock_init(struct superblock *sb, const char *type, const struct super_ops *ops)
{
    sb->ops = ops;
    sb->type = type;
    sb->block_size = PAGE_SIZE;
    sb->dev = makedev(0, (unsigned)atomic_add_return(1, &next_minor));
    atomic_set(&sb->refs, 1);
    atomic_set(&sb->users, 1);
}

static void superblock_unref(struct superblock *sb)
{
    if (atomic_dec_and_test(&sb->refs))
        sb->ops->release(sb);
}

void superblock_use(struct superblock *sb)
{
    atomic_inc(&sb->users);
}

void superblock_unuse(struct superblock *sb)
{
    if (!atomic_dec_and_test(&sb->users))
        return;
    notify_unmounted(sb);
    dcache_prune_super(sb);
    if (sb->ops->shutdown != NULL)
        sb->ops->shutdown(sb);
    dentry_unref(sb->root);
    superblock_unref(sb);
}

void inode_unref(struct inode *inode)
{
    struct superblock *sb;

    if (inode == NULL || !atomic_dec_and_test(&inode->refs))
        return;
    sb = inode->sb;
    if (inode->flags & INODE_HASHED)
        icache_remove(inode);
    file_locks_free(inode);
    inode->ops->release(inode);
    superblock_unref(sb);
}

void inode_object_init(struct inode *inode, struct vm_object *object,
                       const struct vm_object_ops *ops, uint32_t flags)
{
    object_init(object, ops, flags);
    atomic_set(&object->refs, 0);
    inode->object = object;
}

struct vm_object *inode_object_get(struct inode *inode)
{
    if (atomic_fetch_add(1, &inode->object->refs) == 0)
        inode_ref(inode);
    return inode->object;
}

/* The classes of permission bits in order: owner, group, others. */
static bool permitted_by_mode(const struct inode *inode, unsigned may, const struct cred *cred)
{
    uint32_t mode = inode->mode;

    if (cred->fsuid == inode->uid)
        mode >>= 6;
    else if (((mode >> 3) ^ mode) & may && cred_in_group(cred, inode->gid))
        mode >>= 3;
    return (mode & may) == may;
}

static bool permitted_by_capability(const struct inode *inode, unsigned may,
                                    const struct cred *cred)
{
    if (S_ISDIR(inode->mode)) {
        if (!(may & MAY_WRITE) && cred_capable(cred, CAP_DAC_READ_SEARCH))
            return true;
        return cred_capable(cred, CAP_DAC_OVERRIDE);
    }
    if (may == MAY_READ && cred_capable(cred, CAP_DAC_READ_SEARCH))
        return true;
    if ((may & MAY_EXEC) && !(inode->mode & 0111))
        return false;
    return cred_capable(cred, CAP_DAC_OVERRIDE);
}

int inode_permission_by_mode(struct inode *inode, unsigned may, const struct cred *cred)
{
    if (permitted_by_mode(inode, may, cred) || permitted_by_capability(inode, may, cred))
        return 0;
    return -EACCES;
}

int inode_permission(struct inode *inode, unsigned may, const struct cred *cred)
{
    if (may & MAY_WRITE) {
        uint32_t mode = inode->mode;
        if ((inode->sb->flags & SB_RDONLY) && (S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode)))
            return -EROFS;
        if (inode->flags & INODE_IMMUTABLE)
            return -EPERM;
    }
    if (inode->ops->permission != NULL)
        return inode->ops->permission(inode, may, cred);
    return inode_permission_by_mode(inode, may, cred);
}

bool inode_owner(const struct inode *inode, const struct cred *cred)
{
    return cred->fsuid == inode->uid || cred_capable(cred, CAP_FOWNER);
}

int inode_getattr(struct inode *inode, struct inode_stat *stat)
{
    *stat = (struct inode_stat){
        .dev = inode->sb->dev,
        .ino = inode->ino,
        .rdev = inode->rdev,
        .size = inode->size,
        .blocks = inode->blocks,
        .mode = inode->mode,
        .nlink = inode->nlink,
        .uid = inode->uid,
        .gid = inode->gid,
        .block_size = inode->sb->block_size,
        .atime = inode->atime,
        .mtime = inode->mtime,
        .ctime = inode->ctime,
        .btime = inode->btime,
        .has_btime = true,
    };
    return inode->ops->getattr != NULL ? inode->ops->getattr(inode, stat) : 0;
}

/* chmod(2), chown(2), utimensat(2): who may change what. Set-id rules adjust *change. */
static int setattr_check(struct inode *inode, struct attr_change *change, const struct cred *cred)
{
    if ((inode->sb->flags & SB_RDONLY) != 0)
        return -EROFS;
    if (inode->flags & (INODE_IMMUTABLE | INODE_APPEND))
        return -EPERM;
    if (change->set & ATTR_UID) {
        bool same = cred->fsuid == inode->uid && change->uid == inode->uid;
        if (!same && !cred_capable(cred, CAP_CHOWN))
            return -EPERM;
    }
    if (change->set & ATTR_GID) {
        bool own = cred->fsuid == inode->uid &&
                   (change->gid == inode->gid || cred_in_group(cred, change->gid));
        if (!own && !cred_capable(cred, CAP_CHOWN))
            return -EPERM;
    }
    if (change->set & ATTR_MODE) {
        if (!inode_owner(inode, cred))
            return -EPERM;
        uint32_t gid = (change->set & ATTR_GID) ? change->gid : inode->gid;
        if (!cred_in_group(cred, gid) && !cred_capable(cred, CAP_FSETID))
            change->mode &= ~S_ISGID;
    }
    if (change->set & (ATTR_ATIME | ATTR_MTIME) && !inode_owner(inode, cred)) {
        unsigned now = ATTR_ATIME_NOW | ATTR_MTIME_NOW;
        if ((change->set & now) != now)
            return -EPERM;
        return inode_permission(inode, MAY_WRITE, cred);
    }
    return 0;
}

/* A change of owner, or of size by someone unprivileged, takes set-id bits away. */
static void setattr_drop_setid(struct inode *inode, struct attr_change *change,
                               const struct cred *cred)
{
    uint32_t mode = (change->set & ATTR_MODE) ? change->mode : inode->mode;
    uint32_t drop = S_ISUID | ((mode & S_IXGRP) ? S_ISGID : 0);

    if (S_ISDIR(inode->mode) || !(mode & drop))
        return;
    bool owner = (change->set & (ATTR_UID | ATTR_GID)) != 0;
    bool size = (change->set & ATTR_SIZE) && !cred_capable(cred, CAP_FSETID);
    if (!owner && !size)
        return;
    change->set |= ATTR_MODE;
    change->mode = (mode & S_PERMISSIONS) & ~drop;
}

static int setattr_locked(struct inode *inode, struct attr_change *change, const struct cred *cred)
{
    setattr_drop_setid(inode, change, cred);
    return inode->ops->setattr != NULL ? inode->ops->setattr(inode, change) : -EPERM;
}

__cold int inode_setattr(struct inode *inode, const struct attr_change *asked,
                         const struct cred *cred)
{
    struct attr_change change = *asked;
    int error;

    rwlock_write_lock(&inode->lock);
    error = setattr_check(inode, &change, cred);
    if (error == 0)
        error = setattr_locked(inode, &change, cred);
    rwlock_write_unlock(&inode->lock);
    return error;
}

int inode_truncate(struct inode *inode, const struct attr_change *asked, const struct cred *cred)
{
    struct attr_change change = *asked;
    int error;

    rwlock_write_lock(&inode->lock);
    error = setattr_locked(inode, &change, cred);
    rwlock_write_unlock(&inode->lock);
    return error;
}

__cold void inode_apply_attr_locked(struct inode *inode, const struct attr_change *change)
{
    struct fs_time now = fs_time_now();

    if (change->set & ATTR_MODE)
        inode->mode = (inode->mode & S_IFMT) | (change->mode & S_PERMISSIONS);
    if (change->set & ATTR_UID)
        inode->uid = change->uid;
    if (change->set & ATTR_GID)
        inode->gid = change->gid;
    if (change->set & ATTR_ATIME)
        inode->atime = (change->set & ATTR_ATIME_NOW) ? now : change->atime;
    if (change->set & ATTR_MTIME)
        inode->mtime = (change->set & ATTR_MTIME_NOW) ? now : change->mtime;
    inode->ctime = now;
}

void inode_drop_setid_locked(struct inode *inode, const struct cred *cred)
{
    uint32_t drop = S_ISUID | ((inode->mode & S_IXGRP) ? S_ISGID : 0);

    if ((inode->mode & drop) && !cred_capable(cred, CAP_FSETID))
        inode->mode &= ~drop;
}

static bool time_before(const struct fs_time *a, const struct fs_time *b)
{
    return a->sec < b->sec || (a->sec == b->sec && a->nsec <= b->nsec);
}

void inode_accessed(struct file *file)
{
    struct inode *inode = file->inode;

    if ((file->flags & O_NOATIME) || (file->mount->flags & (MS_NOATIME | MS_RDONLY)))
        return;
    if (time_before(&inode->atime, &inode->mtime) || time_before(&inode->atime, &inode->ctime))
        inode->atime = fs_time_now(); /* a day without is not looked for: that costs a clock read */
}

int inode_get_write(struct inode *inode)
{
    int seen = atomic_read(&inode->writers);

    while (seen >= 0) {
        int old = atomic_cmpxchg(&inode->writers, seen, seen + 1);
        if (old == seen)
            return 0;
        seen = old;
    }
    return -ETXTBSY;
}

void inode_put_write(struct inode *inode)
{
    atomic_dec(&inode->writers);
}

int inode_deny_write(struct inode *inode)
{
    int seen = atomic_read(&inode->writers);

    while (seen <= 0) {
        int old = atomic_cmpxchg(&inode->writers, seen, seen - 1);
        if (old == seen)
            return 0;
        seen = old;
    }
    return -ETXTBSY;
}

void inode_allow_write(struct inode *inode)
{
    atomic_inc(&inode->writers);
}
