/* SPDX-License-Identifier: MIT */
/* What is asked and changed of a place already found: stat, access, chmod, truncate, xattrs. */
#include <file/file.h>
#include <fs/notify.h>
#include <lib/errno.h>
#include <lib/string.h>

#include "block_cache.h"
#include "fs.h"

ssize_t fs_readlink(const struct path *path, char *buffer, size_t size)
{
    struct inode *inode = path_inode(path);
    struct path target;
    ssize_t len;

    if (!S_ISLNK(inode->mode))
        return -EINVAL;
    if (inode->ops->readlink != NULL)
        return inode->ops->readlink(inode, buffer, size);
    if (inode->ops->follow == NULL)
        return -EINVAL;
    len = inode->ops->follow(inode, &target);
    if (len != 0)
        return len;
    len = path_name(&target, NULL, buffer, size);
    path_unref(&target);
    return len;
}

int fs_stat(const struct path *path, struct inode_stat *stat)
{
    int error = inode_getattr(path_inode(path), stat);

    stat->mount_id = (uint64_t)path->mount->id;
    stat->is_mount_root = path->dentry == path->mount->root;
    return error;
}

int fs_file_stat(struct file *file, struct inode_stat *stat)
{
    struct path path;

    if (path_of_file(file, &path) == 0)
        return fs_stat(&path, stat);
    *stat = (struct inode_stat){
        .dev = makedev(0, 15), /* one number for all that has no file system */
        .ino = file->id,
        .mode = file->ops->mode,
        .nlink = 1,
        .block_size = PAGE_SIZE,
        .uid = cred_current()->fsuid,
        .gid = cred_current()->fsgid,
    };
    return 0;
}

int fs_sync_all(void)
{
    struct mount *mount;
    int result = 0, disks;

    for (unsigned i = 0; (mount = mount_at_index(i)) != NULL; i++) {
        int error = mount->sb->ops->sync != NULL ? mount->sb->ops->sync(mount->sb) : 0;

        if (error != 0)
            result = error;
        mount_unref(mount);
    }
    disks = block_cache_sync_all();
    return result != 0 ? result : disks;
}

/* As Linux judges what a change is to who watches. */
static uint32_t event_of(unsigned set)
{
    unsigned times = set & (ATTR_ATIME | ATTR_MTIME);
    uint32_t event = set & (ATTR_UID | ATTR_GID | ATTR_MODE) ? IN_ATTRIB : 0;

    if (set & ATTR_SIZE)
        event |= IN_MODIFY;
    if (times == (ATTR_ATIME | ATTR_MTIME))
        return event | IN_ATTRIB;
    return event | (times == ATTR_ATIME ? IN_ACCESS : times == ATTR_MTIME ? IN_MODIFY : 0);
}

int fs_setattr(const struct path *path, const struct attr_change *change)
{
    int error = mount_may_write(path);

    if (error != 0)
        return error;
    if ((change->set & ATTR_MODE) && S_ISLNK(path_inode(path)->mode))
        return -EOPNOTSUPP;
    error = inode_setattr(path_inode(path), change, cred_current());
    if (error == 0 && event_of(change->set) != 0)
        notify_dentry(path->dentry, event_of(change->set));
    return error;
}

int fs_truncate(const struct path *path, uint64_t size)
{
    struct attr_change change = {.set = ATTR_SIZE, .size = size};
    struct inode *inode = path_inode(path);
    int error;

    if (S_ISDIR(inode->mode))
        return -EISDIR;
    if (!S_ISREG(inode->mode))
        return -EINVAL;
    error = mount_may_write(path);
    if (error == 0)
        error = inode_permission(inode, MAY_WRITE, cred_current());
    if (error == 0)
        error = inode_get_write(inode);
    if (error != 0)
        return error;
    error = inode_setattr(inode, &change, cred_current());
    inode_put_write(inode);
    if (error == 0)
        notify_dentry(path->dentry, IN_MODIFY);
    return error;
}

int fs_statfs(const struct path *path, struct statfs_info *info, unsigned *mount_flags)
{
    struct superblock *sb = path->dentry->sb;

    *info = (struct statfs_info){
        .type = sb->magic,
        .block_size = sb->block_size,
        .fragment_size = sb->block_size,
        .name_max = NAME_MAX,
        .fsid = sb->dev,
    };
    *mount_flags = path->mount->flags | ((sb->flags & SB_RDONLY) ? MS_RDONLY : 0);
    return sb->ops->statfs != NULL ? sb->ops->statfs(sb, info) : 0;
}

int fs_access(const struct path *path, unsigned may, const struct cred *cred)
{
    struct inode *inode = path_inode(path);

    if (may == 0)
        return 0;
    if ((may & MAY_EXEC) && S_ISREG(inode->mode) && (path->mount->flags & MS_NOEXEC))
        return -EACCES;
    if (may & MAY_WRITE) {
        bool data = S_ISREG(inode->mode) || S_ISDIR(inode->mode) || S_ISLNK(inode->mode);
        if (data && mount_may_write(path) != 0)
            return -EROFS;
    }
    return inode_permission(inode, may, cred);
}

/* Extended attributes, xattr(7): which name spaces a file system keeps is decided here. */

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536

static int xattr_check(const struct path *path, const char *name, bool write)
{
    struct inode *inode = path_inode(path);
    const struct cred *cred = cred_current();
    size_t len = strlen(name);

    if (len == 0 || len > XATTR_NAME_MAX)
        return -ERANGE;
    if (write && mount_may_write(path) != 0)
        return -EROFS;
    if (name[len - 1] == '.' && strchr(name, '.') == name + len - 1)
        return -EINVAL; /* a name space and no name */
    if (strncmp(name, "trusted.", 8) == 0)
        return cred_capable(cred, CAP_SYS_ADMIN) ? 0 : write ? -EPERM : -ENODATA;
    if (strncmp(name, "security.", 9) == 0)
        return write && !cred_capable(cred, CAP_SYS_ADMIN) ? -EPERM : 0;
    if (strncmp(name, "user.", 5) != 0)
        return -EOPNOTSUPP;
    if (!S_ISREG(inode->mode) && !S_ISDIR(inode->mode))
        return write ? -EPERM : -ENODATA;
    if (write && S_ISDIR(inode->mode) && (inode->mode & S_ISVTX) && !inode_owner(inode, cred))
        return -EPERM;
    return inode_permission(inode, write ? MAY_WRITE : MAY_READ, cred);
}

ssize_t fs_getxattr(const struct path *path, const char *name, void *value, size_t size)
{
    struct inode *inode = path_inode(path);
    ssize_t result = xattr_check(path, name, false);

    if (result != 0)
        return result;
    if (inode->ops->getxattr == NULL)
        return -EOPNOTSUPP;
    rwlock_read_lock(&inode->lock);
    result = inode->ops->getxattr(inode, name, value, size);
    rwlock_read_unlock(&inode->lock);
    return result;
}

int fs_setxattr(const struct path *path, const char *name, const void *value, size_t size,
                unsigned flags)
{
    struct inode *inode = path_inode(path);
    int error;

    if (flags & ~3u)
        return -EINVAL;
    if (size > XATTR_SIZE_MAX)
        return -E2BIG;
    error = xattr_check(path, name, true);
    if (error != 0)
        return error;
    if (inode->ops->setxattr == NULL)
        return -EOPNOTSUPP;
    rwlock_write_lock(&inode->lock);
    error = inode->ops->setxattr(inode, name, value, size, flags);
    rwlock_write_unlock(&inode->lock);
    if (error == 0)
        notify_dentry(path->dentry, IN_ATTRIB);
    return error;
}

int fs_removexattr(const struct path *path, const char *name)
{
    struct inode *inode = path_inode(path);
    int error = xattr_check(path, name, true);

    if (error != 0)
        return error;
    if (inode->ops->removexattr == NULL)
        return -EOPNOTSUPP;
    rwlock_write_lock(&inode->lock);
    error = inode->ops->removexattr(inode, name);
    rwlock_write_unlock(&inode->lock);
    if (error == 0)
        notify_dentry(path->dentry, IN_ATTRIB);
    return error;
}

ssize_t fs_listxattr(const struct path *path, char *list, size_t size)
{
    struct inode *inode = path_inode(path);
    ssize_t result;

    if (inode->ops->listxattr == NULL)
        return 0;
    rwlock_read_lock(&inode->lock);
    result = inode->ops->listxattr(inode, list, size);
    rwlock_read_unlock(&inode->lock);
    return result;
}
