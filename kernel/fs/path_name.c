/* SPDX-License-Identifier: MIT */
/* From a place to its name: getcwd(2), /proc/N/fd, /proc/N/maps. Written from the end backwards. */
#include <core/defer.h>
#include <lib/errno.h>
#include <lib/string.h>

#include "fs.h"

struct backwards {
    char *start, *at; /* what is written stands from `at` on */
    bool full;
};

static void put_before(struct backwards *out, const char *text, size_t len)
{
    if ((size_t)(out->at - out->start) < len) {
        out->full = true;
        return;
    }
    out->at -= len;
    memcpy(out->at, text, len);
}

/* From `from` up to `root`; false when the top of all mounts came first. In a reading section. */
static bool put_components(struct backwards *out, const struct path *from, const struct path *root)
{
    const struct dentry *dentry = from->dentry;
    const struct mount *mount = from->mount;

    while (dentry != root->dentry || mount != root->mount) {
        const struct dentry_name *name = READ_ONCE(dentry->name);

        if (dentry == mount->root || dentry == READ_ONCE(dentry->parent)) {
            const struct mount *parent = READ_ONCE(mount->parent);
            if (parent == NULL || dentry != mount->root)
                return false;
            dentry = READ_ONCE(mount->mountpoint);
            mount = parent;
            continue;
        }
        put_before(out, name->text, name->len);
        put_before(out, "/", 1);
        dentry = READ_ONCE(dentry->parent);
    }
    return true;
}

static ssize_t finish(struct backwards *out, char *buffer, size_t size)
{
    size_t len = size - (size_t)(out->at - buffer);

    if (out->full)
        return -ENAMETOOLONG;
    memmove(buffer, out->at, len);
    return (ssize_t)len - 1;
}

/* A file without a place among the mounts: "pipe:[5]", "/memfd:x (deleted)". */
static ssize_t name_of_loose(const struct path *path, char *buffer, size_t size)
{
    size_t len = path->dentry->name->len;

    if (len >= size)
        return -ENAMETOOLONG;
    memcpy(buffer, path->dentry->name->text, len + 1);
    return (ssize_t)len;
}

static __cold ssize_t name_below(const struct path *path, const struct path *root, char *buffer,
                                 size_t size)
{
    struct backwards out;
    uint32_t sequence;
    bool reached;

    if (path->mount->flags & MOUNT_LOOSE)
        return name_of_loose(path, buffer, size);
    defer_read_begin();
    do {
        sequence = rename_read_begin();
        out = (struct backwards){buffer, buffer + size, false};
        put_before(&out, "", 1);
        if (path->dentry->flags & DENTRY_DELETED)
            put_before(&out, " (deleted)", 10);
        char *end = out.at;
        reached = put_components(&out, path, root);
        if (out.at == end && !out.full)
            put_before(&out, "/", 1);
        if (!reached)
            put_before(&out, "(unreachable)", 13);
    } while (rename_read_retry(sequence));
    defer_read_end();
    return finish(&out, buffer, size);
}

ssize_t path_name(const struct path *path, const struct path *root, char *buffer, size_t size)
{
    struct path own;
    ssize_t len;

    if (root != NULL)
        return name_below(path, root, buffer, size);
    fs_context_root(fs_current(), &own);
    len = name_below(path, &own, buffer, size);
    path_unref(&own);
    return len;
}

ssize_t path_cwd(char *buffer, size_t size)
{
    struct path cwd;
    ssize_t len;

    fs_context_cwd(fs_current(), &cwd);
    if (cwd.dentry->flags & DENTRY_DELETED)
        len = -ENOENT;
    else
        len = path_name(&cwd, NULL, buffer, size);
    path_unref(&cwd);
    return len;
}
