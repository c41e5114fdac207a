/* SPDX-License-Identifier: MIT */
/* Root, current directory and umask of threads; chdir(2), chroot(2). */
#include <fs/context.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <mm/slab.h>

#include "fs.h"

struct fs_context fs_init_context = {
    .refs = ATOMIC_INIT(1),
    .lock = SPINLOCK_INIT(RANK_DENTRY),
    .umask = 022,
};

void fs_context_root(struct fs_context *context, struct path *out)
{
    spin_lock(&context->lock);
    *out = context->root;
    path_ref(out);
    spin_unlock(&context->lock);
}

void fs_context_cwd(struct fs_context *context, struct path *out)
{
    spin_lock(&context->lock);
    *out = context->cwd;
    path_ref(out);
    spin_unlock(&context->lock);
}

struct fs_context *fs_context_copy(struct fs_context *from)
{
    struct fs_context *copy = kzalloc(sizeof(*copy));

    if (copy == NULL)
        return NULL;
    atomic_set(&copy->refs, 1);
    spin_init(&copy->lock, RANK_DENTRY);
    fs_context_root(from, &copy->root);
    fs_context_cwd(from, &copy->cwd);
    copy->umask = READ_ONCE(from->umask);
    return copy;
}

struct fs_context *fs_context_ref(struct fs_context *context)
{
    atomic_inc(&context->refs);
    return context;
}

void fs_context_unref(struct fs_context *context)
{
    if (context == NULL || !atomic_dec_and_test(&context->refs))
        return;
    path_unref(&context->root);
    path_unref(&context->cwd);
    kfree(context);
}

static void replace(struct fs_context *context, struct path *slot, const struct path *path)
{
    struct path old;

    path_ref(path);
    spin_lock(&context->lock);
    old = *slot;
    *slot = *path;
    spin_unlock(&context->lock);
    path_unref(&old);
}

static int may_enter(const struct path *path)
{
    if (!S_ISDIR(path_inode(path)->mode))
        return -ENOTDIR;
    return inode_permission(path_inode(path), MAY_EXEC, cred_current());
}

int fs_chdir(const struct path *path)
{
    int error = may_enter(path);

    if (error == 0)
        replace(fs_current(), &fs_current()->cwd, path);
    return error;
}

int fs_chroot(const struct path *path)
{
    int error = may_enter(path);

    if (error == 0 && !cred_capable(cred_current(), CAP_SYS_CHROOT))
        error = -EPERM;
    if (error == 0)
        replace(fs_current(), &fs_current()->root, path);
    return error;
}
