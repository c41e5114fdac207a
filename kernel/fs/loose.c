/* SPDX-License-Identifier: MIT */
/*
 * Files without a place among the mounts: memfd_create(2), and the made-up places of pipes, sockets
 * and the like that /proc/N/fd leads to ("pipe:[12]"). They belong to a mount of the kernel's own.
 */
#include <core/lock.h>
#include <file/file.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "tmpfs.h"

#define MFD_ALLOW_SEALING 2u /* linux/memfd.h */

static struct mutex loose_lock = MUTEX_INIT(RANK_FS_MOUNT);
static struct mount *loose; /* made on first use */

static int loose_mount(struct mount **out)
{
    struct inode_init root = {.mode = S_IFDIR | 0700};
    struct superblock *sb;
    int error = 0;

    mutex_lock(&loose_lock);
    if (loose == NULL)
        error = tmpfs_make(0, &root, &sb);
    if (loose == NULL && error == 0) {
        loose = mount_create(sb, sb->root, "none", MOUNT_LOOSE);
        error = loose != NULL ? 0 : -ENOMEM;
    }
    mutex_unlock(&loose_lock);
    *out = loose;
    return error;
}

int fs_memfd(const char *name, unsigned flags, struct file **out)
{
    char text[300];
    struct inode_init init = {
        .mode = S_IFREG | 0777, .uid = cred_current()->fsuid, .gid = cred_current()->fsgid};
    struct inode *inode;
    struct path path;
    int error = loose_mount(&path.mount);

    if (error == 0)
        error = tmpfs_inode_new(container_of(path.mount->sb, struct tmpfs, sb), &init, &inode);
    if (error != 0)
        return error;
    inode->nlink = 0;
    inode->flags |= INODE_SEALS;
    tmpfs_inode_of(inode)->seals = (flags & MFD_ALLOW_SEALING) ? 0 : F_SEAL_SEAL;
    snprintf(text, sizeof(text), "/memfd:%s (deleted)", name);
    path.dentry = dentry_make_root(inode, text);
    if (path.dentry == NULL)
        return -ENOMEM;
    *out = file_create(&tmpfs_file_ops, NULL, O_RDWR | O_LARGEFILE);
    if (*out != NULL && inode_get_write(inode) == 0)
        file_attach_path(*out, &path);
    dentry_unref(path.dentry);
    return *out != NULL ? 0 : -ENOMEM;
}

/* The inode of an open file that has none. Opening it is what the file makes of it: a pipe has one
 * more end then, most others cannot be opened. */
struct held_inode {
    struct inode inode;
    struct file *file;
};

static int held_reopen(struct inode *inode, unsigned flags, struct file **out)
{
    struct file *file = container_of(inode, struct held_inode, inode)->file;

    return file->ops->reopen != NULL ? file->ops->reopen(file, flags, out) : -ENXIO;
}

static void held_free(struct deferred *deferred)
{
    kfree(container_of(deferred, struct held_inode, inode.deferred));
}

static void held_release(struct inode *inode)
{
    file_unref(container_of(inode, struct held_inode, inode)->file);
    defer_free(&inode->deferred, held_free);
}

static int held_getattr(struct inode *inode, struct inode_stat *stat)
{
    struct file *file = container_of(inode, struct held_inode, inode)->file;

    return fs_file_stat(file, stat);
}

static const struct inode_ops held_ops = {
    .reopen = held_reopen,
    .getattr = held_getattr,
    .release = held_release,
};

int path_for_file(struct file *file, struct path *out)
{
    char text[64];
    struct held_inode *held;
    int error;

    if (path_of_file(file, out) == 0) {
        path_ref(out);
        return 0;
    }
    error = loose_mount(&out->mount);
    if (error != 0)
        return error;
    held = kzalloc(sizeof(*held));
    if (held == NULL)
        return -ENOMEM;
    inode_init(&held->inode, out->mount->sb, &held_ops,
               file->ops->mode != 0 ? file->ops->mode : S_IFREG | 0600, file->id);
    inode_times_now(&held->inode);
    held->inode.uid = cred_current()->fsuid;
    held->inode.gid = cred_current()->fsgid;
    held->file = file;
    file_ref(file);
    if (file->ops->name != NULL && strchr(file->ops->name, ':') != NULL)
        snprintf(text, sizeof(text), "%s", file->ops->name);
    else
        snprintf(text, sizeof(text), "%s:[%lu]", file->ops->name != NULL ? file->ops->name : "?",
                 (unsigned long)file->id);
    out->dentry = dentry_make_root(&held->inode, text);
    if (out->dentry == NULL)
        return -ENOMEM;
    mount_ref(out->mount);
    return 0;
}
