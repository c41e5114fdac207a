/* SPDX-License-Identifier: MIT */
/*
 * open(2) and openat2(2): finding or making the file, checking what is asked of it, and giving the
 * struct file its operations by the type of the inode. Leases and O_ASYNC are left out.
 */
#include <file/file.h>
#include <file/pipe.h>
#include <file/pseudo.h>
#include <fs/notify.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/object.h>
#include <mm/slab.h>

#include "fs.h"

/* A file before its type is known, and one opened with O_PATH. */
static const struct file_ops bare_file_ops = {0};

int file_attach_path(struct file *file, const struct path *path)
{
    path_ref(path);
    file->mount = path->mount;
    file->dentry = path->dentry;
    file->inode = path->dentry->inode;
    return 0;
}

void file_drop_path(struct file *file)
{
    struct path path = {file->mount, file->dentry};

    if (file->access & FILE_LOCKS)
        file_locks_released(file);
    if (S_ISREG(file->inode->mode)) {
        if (file->access & FILE_EXEC)
            inode_allow_write(file->inode);
        else if (file->access & FILE_WRITE)
            inode_put_write(file->inode);
    }
    file->inode = NULL;
    path_unref(&path);
}

int path_of_file(struct file *file, struct path *out)
{
    if (file->inode == NULL)
        return -EBADF;
    *out = (struct path){file->mount, file->dentry};
    return 0;
}

static unsigned may_of_flags(unsigned flags)
{
    static const unsigned may[] = {MAY_READ, MAY_WRITE, MAY_READ | MAY_WRITE, MAY_READ | MAY_WRITE};

    return may[flags & O_ACCMODE] | ((flags & O_TRUNC) ? MAY_WRITE : 0);
}

/* Makes the last component, which was not there a moment ago. */
static int create_last(struct walk *walk, const struct open_request *request, bool *created)
{
    struct inode_init init = {
        .mode = S_IFREG | (request->mode & S_PERMISSIONS & ~READ_ONCE(fs_current()->umask))};
    struct inode *dir = path_inode(&walk->path);
    struct dentry *dentry;
    int error;

    rwlock_write_lock(&dir->lock);
    error = dentry_lookup_locked(walk->path.dentry, &walk->last, &dentry);
    if (error == 0 && dentry->inode == NULL) {
        error = mount_may_write(&walk->path);
        if (error == 0)
            error = may_create(dir, walk->cred);
        if (error == 0)
            error = entry_create_locked(walk->path.dentry, dentry, &init, walk->cred);
        *created = error == 0;
        if (error != 0)
            dentry_unref(dentry);
    } else if (error == 0) {
        dentry_unref(dentry);
        error = -EAGAIN; /* somebody else made it: look again */
    }
    rwlock_write_unlock(&dir->lock);
    if (error == 0)
        walk_enter(walk, dentry);
    return error;
}

static int find_or_create(struct walk *walk, const struct open_request *request, bool *created)
{
    struct dentry *dentry;
    bool exists;
    int error;

    if (walk->last_type != LAST_NAME)
        return walk_finish(walk, true);
    if (walk->trailing_slash)
        return -EISDIR;
    error =
        dentry_lookup(walk->path.dentry, &walk->last, (walk->flags & LOOKUP_CACHED) != 0, &dentry);
    if (error != 0)
        return error;
    exists = dentry->inode != NULL;
    if (exists && (request->flags & O_EXCL))
        error = -EEXIST;
    dentry_unref(dentry);
    if (error != 0)
        return error;
    if (!exists)
        return (walk->flags & LOOKUP_CACHED) ? -EAGAIN : create_last(walk, request, created);
    return walk_last_once(walk, !(request->flags & O_NOFOLLOW));
}

static int walk_to_create(struct walk *walk, const struct open_request *request, bool *created)
{
    int error;

    do {
        error = find_or_create(walk, request, created);
    } while (error == 1 || (error == -EAGAIN && !(walk->flags & LOOKUP_CACHED)));
    return error;
}

/* Checks that hold whether or not the file was made just now. */
static int check_type(const struct walk *walk, unsigned flags)
{
    const struct inode *inode = path_inode(&walk->path);

    if (S_ISLNK(inode->mode))
        return -ELOOP;
    if (S_ISDIR(inode->mode)) {
        if ((flags & O_CREAT) || (may_of_flags(flags) & MAY_WRITE))
            return -EISDIR;
        return 0;
    }
    if ((flags & O_DIRECTORY) || walk->trailing_slash)
        return -ENOTDIR;
    if ((S_ISCHR(inode->mode) || S_ISBLK(inode->mode)) && (walk->path.mount->flags & MS_NODEV))
        return -EACCES;
    return 0;
}

static int check_access(const struct walk *walk, unsigned flags)
{
    struct inode *inode = path_inode(&walk->path);
    unsigned may = may_of_flags(flags);
    int error;

    if ((may & MAY_WRITE) && S_ISREG(inode->mode) && mount_may_write(&walk->path) != 0)
        return -EROFS;
    error = inode_permission(inode, may, walk->cred);
    if (error != 0)
        return error;
    if (inode->flags & INODE_APPEND) {
        if ((flags & O_ACCMODE) != O_RDONLY && !(flags & O_APPEND))
            return -EPERM;
        if (flags & O_TRUNC)
            return -EPERM;
    }
    return (flags & O_NOATIME) && !inode_owner(inode, walk->cred) ? -EPERM : 0;
}

static int open_device(struct file *file)
{
    struct inode *inode = file->inode;
    struct char_device device;
    int error = char_device_find(S_ISBLK(inode->mode), dev_major(inode->rdev),
                                 dev_minor(inode->rdev), &device);

    if (error != 0)
        return error;
    file->ops = device.ops;
    file->data = device.data;
    if (device.open == NULL)
        return 0;
    error = device.open(file, device.data);
    if (error != 0)
        file->ops = &bare_file_ops;
    return error;
}

static int cut_to_nothing(struct file *file)
{
    struct attr_change cut = {.set = ATTR_SIZE | ATTR_MTIME | ATTR_MTIME_NOW, .size = 0};
    int error = inode_truncate(file->inode, &cut, cred_current());

    if (error == 0)
        file_notify(file, IN_MODIFY);
    return error;
}

static int open_regular(struct file *file, unsigned flags, bool created)
{
    struct inode *inode = file->inode;
    int error = 0;

    file->ops = inode->file_ops;
    if (inode->ops->open != NULL)
        error = inode->ops->open(inode, file);
    if (error == 0 && (flags & O_TRUNC) && !created && inode->ops->setattr != NULL)
        error = cut_to_nothing(file);
    return error;
}

static int open_by_type(struct file *file, unsigned flags, bool created)
{
    if (likely(S_ISREG(file->inode->mode)))
        return open_regular(file, flags, created);
    switch (file->inode->mode & S_IFMT) {
    case S_IFDIR:
        file->ops = &directory_file_ops;
        return 0;
    case S_IFCHR:
    case S_IFBLK:
        return open_device(file);
    case S_IFIFO:
        return fifo_open(&file->inode->fifo, file);
    default:
        return -ENXIO;
    }
}

/* The struct file of a path, whose references it takes over. */
static int make_file(struct path *path, unsigned flags, bool created, struct file **out)
{
    struct inode *inode = path_inode(path);
    bool writes = S_ISREG(inode->mode) && !(flags & O_PATH) && (flags & O_ACCMODE) != O_RDONLY;
    struct file *file = NULL;
    int error;

    if (inode->ops->reopen != NULL && !(flags & O_PATH)) {
        error = inode->ops->reopen(inode, flags, out);
        path_unref(path);
        return error;
    }
    error = writes ? inode_get_write(inode) : 0;
    if (error == 0) {
        file = file_create(&bare_file_ops, NULL, flags);
        error = file == NULL ? -ENOMEM : 0;
        if (file == NULL && writes)
            inode_put_write(inode);
    }
    if (error != 0) {
        path_unref(path);
        return error;
    }
    file->mount = path->mount;
    file->dentry = path->dentry;
    file->inode = inode;
    if (writes && !(file->access & FILE_WRITE))
        inode_put_write(inode); /* access mode 3: neither */
    error = (flags & O_PATH) ? 0 : open_by_type(file, flags, created);
    if (error != 0) {
        file_unref(file);
        return error;
    }
    *out = file;
    return 0;
}

static int make_walked(struct walk *walk, unsigned flags, bool created, struct file **out)
{
    struct path path;

    walk_take(walk, &path);
    return make_file(&path, flags, created, out);
}

static int open_walked(struct walk *walk, const struct open_request *request, struct file **out)
{
    unsigned flags = request->flags;
    bool created = false;
    int error;

    if (flags & O_CREAT) {
        error = walk_to_create(walk, request, &created);
        if (error == 0 && (flags & O_EXCL) && !created)
            error = -EEXIST; /* "." and such */
    } else {
        error = walk_finish(walk, !(flags & O_NOFOLLOW));
    }
    if (error == 0 && (flags & O_PATH)) {
        bool is_dir = S_ISDIR(path_inode(&walk->path)->mode);
        if (((flags & O_DIRECTORY) || walk->trailing_slash) && !is_dir)
            return -ENOTDIR;
    } else if (error == 0) {
        error = check_type(walk, flags);
        if (error == 0 && !created)
            error = check_access(walk, flags);
    }
    return error != 0 ? error : make_walked(walk, flags, created, out);
}

/* O_TMPFILE: `walk` ends at the directory. */
static int open_tmpfile(struct walk *walk, const struct open_request *request, struct file **out)
{
    struct inode_init init = {
        .mode = S_IFREG | (request->mode & S_PERMISSIONS & ~READ_ONCE(fs_current()->umask))};
    struct inode *dir, *inode;
    struct dentry *dentry;
    int error = walk_finish(walk, true);

    if (error != 0)
        return error;
    dir = path_inode(&walk->path);
    if (!S_ISDIR(dir->mode))
        return -ENOTDIR;
    if (dir->ops->create == NULL)
        return -EOPNOTSUPP;
    error = mount_may_write(&walk->path);
    if (error == 0)
        error = may_create(dir, walk->cred);
    if (error != 0)
        return error;
    inode_init_owner(&init, dir, walk->cred);
    rwlock_write_lock(&dir->lock);
    error = dir->ops->create(dir, NULL, &init, &inode);
    rwlock_write_unlock(&dir->lock);
    if (error != 0)
        return error;
    if (!(request->flags & O_EXCL))
        inode->flags |= INODE_TMPFILE; /* linkat may name it */
    error = dentry_make_unnamed(walk->path.dentry, inode, &dentry);
    if (error != 0)
        return error;
    walk_enter(walk, dentry);
    return make_walked(walk, request->flags, true, out);
}

int fs_open(const struct path *at, const char *name, const struct open_request *request,
            struct file **out)
{
    struct open_request own = *request;
    struct walk walk;
    int error;

    if (own.flags & O_PATH)
        own.flags &= O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    error = walk_start(&walk, at, name, own.lookup);
    if (error != 0)
        return error;
    error = walk_to_last(&walk);
    if (error == 0) {
        if ((own.flags & O_TMPFILE) == O_TMPFILE)
            error = open_tmpfile(&walk, &own, out);
        else
            error = open_walked(&walk, &own, out);
    }
    walk_end(&walk);
    if (error == 0 && !(own.flags & O_PATH))
        file_notify(*out, IN_OPEN);
    return error;
}

int fs_open_found(struct path *path, unsigned flags, struct file **out)
{
    int error = make_file(path, flags, false, out);

    if (error == 0)
        file_notify(*out, IN_OPEN);
    return error;
}

__cold int fs_read_text(const char *name, size_t limit, char **out)
{
    struct path path;
    struct inode *inode;
    uint64_t size;
    char *text;
    int error = path_lookup(NULL, name, LOOKUP_FOLLOW, &path);

    if (error != 0)
        return error;
    inode = path_inode(&path);
    size = READ_ONCE(inode->size);
    if (inode->object == NULL)
        error = -EINVAL;
    else if (size > limit)
        error = -EFBIG;
    text = error == 0 ? kzalloc(size + 1) : NULL;
    if (text != NULL) {
        ssize_t got = object_read(inode->object, text, size, 0); /* stays with the path */

        error = got < 0 ? (int)got : 0;
    } else if (error == 0) {
        error = -ENOMEM;
    }
    path_unref(&path);
    if (error == 0)
        *out = text;
    else
        kfree(text);
    return error;
}

void fs_close_exec(struct file *file)
{
    file_unref(file); /* file_drop_path lets writers in again */
}

static int exec_check(const struct path *path)
{
    struct inode *inode = path_inode(path);

    if (S_ISLNK(inode->mode))
        return -ELOOP;
    if (!S_ISREG(inode->mode) || (path->mount->flags & MS_NOEXEC))
        return -EACCES;
    return inode_permission(inode, MAY_EXEC, cred_current());
}

int fs_open_exec(const struct path *at, const char *name, unsigned lookup, struct file **out)
{
    struct file *file;
    struct path path;
    int error = path_lookup(at, name, lookup, &path);

    if (error != 0)
        return error;
    error = exec_check(&path);
    if (error != 0) {
        path_unref(&path);
        return error;
    }
    error = fs_open_found(&path, O_RDONLY, &file);
    if (error != 0)
        return error;
    error = inode_deny_write(file->inode);
    if (error != 0) {
        file_unref(file);
        return error;
    }
    file->access |= FILE_EXEC;
    *out = file;
    return 0;
}
