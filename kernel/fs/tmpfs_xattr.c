/* SPDX-License-Identifier: MIT */
/* Extended attributes of tmpfs and overlay inodes: a list; the lower inode's until one changes. */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "tmpfs.h"

#define XATTR_CREATE    1u
#define XATTR_REPLACE   2u
#define XATTR_LIST_SIZE 65536u

static struct tmpfs_xattr **xattr_find(struct tmpfs_inode *own, const char *name)
{
    struct tmpfs_xattr **link = &own->xattrs;

    while (*link != NULL && strcmp((*link)->name, name) != 0)
        link = &(*link)->next;
    return link;
}

/* Attributes count against the instance's pages, each as whole ones. */
static uint64_t xattr_pages(size_t size)
{
    return (size + sizeof(struct tmpfs_xattr) + PAGE_SIZE) / PAGE_SIZE;
}

static void xattr_free(struct tmpfs *fs, struct tmpfs_xattr *xattr)
{
    atomic64_sub((int64_t)xattr_pages(xattr->size), &fs->used_pages);
    kfree(xattr);
}

static struct tmpfs_xattr *xattr_make(struct tmpfs *fs, const char *name, const void *value,
                                      size_t size)
{
    size_t length = strlen(name) + 1;
    struct tmpfs_xattr *xattr;

    if ((uint64_t)atomic64_read(&fs->used_pages) + xattr_pages(size) > fs->limit_pages)
        return NULL;
    xattr = kmalloc(sizeof(*xattr) + size + length);
    if (xattr == NULL)
        return NULL;
    atomic64_add((int64_t)xattr_pages(size), &fs->used_pages);
    xattr->next = NULL;
    xattr->size = size;
    xattr->name = (char *)xattr->value + size;
    memcpy(xattr->value, value, size);
    memcpy(xattr->name, name, length);
    return xattr;
}

void tmpfs_xattrs_free(struct tmpfs_inode *own)
{
    while (own->xattrs != NULL) {
        struct tmpfs_xattr *next = own->xattrs->next;

        xattr_free(tmpfs_of(&own->inode), own->xattrs);
        own->xattrs = next;
    }
}

static bool shows_lower(const struct tmpfs_inode *own)
{
    return own->lower != NULL && !own->own_xattrs && own->lower->ops->listxattr != NULL;
}

static int copy_one(struct tmpfs_inode *own, const char *name)
{
    ssize_t size = own->lower->ops->getxattr(own->lower, name, NULL, 0);
    struct tmpfs_xattr *xattr;
    void *value;

    if (size < 0)
        return (int)size;
    value = kmalloc((size_t)size + 1);
    if (value == NULL)
        return -ENOMEM;
    size = own->lower->ops->getxattr(own->lower, name, value, (size_t)size);
    xattr = size >= 0 ? xattr_make(tmpfs_of(&own->inode), name, value, (size_t)size) : NULL;
    kfree(value);
    if (xattr == NULL)
        return size < 0 ? (int)size : -ENOSPC;
    *xattr_find(own, name) = xattr;
    return 0;
}

static int copy_up(struct tmpfs_inode *own)
{
    ssize_t length;
    char *list;
    int error = 0;

    if (!shows_lower(own))
        return 0;
    list = kmalloc(XATTR_LIST_SIZE);
    if (list == NULL)
        return -ENOMEM;
    length = own->lower->ops->listxattr(own->lower, list, XATTR_LIST_SIZE);
    if (length < 0)
        error = (int)length;
    for (ssize_t at = 0; error == 0 && at < length; at += (ssize_t)strlen(list + at) + 1)
        error = copy_one(own, list + at);
    kfree(list);
    if (error != 0)
        tmpfs_xattrs_free(own);
    else
        own->own_xattrs = true;
    return error;
}

ssize_t tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    struct tmpfs_xattr *xattr;

    if (shows_lower(own))
        return own->lower->ops->getxattr(own->lower, name, value, size);
    xattr = *xattr_find(own, name);
    if (xattr == NULL)
        return -ENODATA;
    if (size == 0)
        return (ssize_t)xattr->size;
    if (xattr->size > size)
        return -ERANGE;
    memcpy(value, xattr->value, xattr->size);
    return (ssize_t)xattr->size;
}

int tmpfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size,
                   unsigned flags)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    struct tmpfs_xattr **link, *xattr;
    int error = copy_up(own);

    if (error != 0)
        return error;
    link = xattr_find(own, name);
    if ((flags & XATTR_CREATE) && *link != NULL)
        return -EEXIST;
    if ((flags & XATTR_REPLACE) && *link == NULL)
        return -ENODATA;
    xattr = xattr_make(tmpfs_of(inode), name, value, size);
    if (xattr == NULL)
        return -ENOSPC;
    if (*link != NULL) {
        xattr->next = (*link)->next;
        xattr_free(tmpfs_of(inode), *link);
    }
    *link = xattr;
    tmpfs_changed(own);
    inode->ctime = fs_time_now();
    return 0;
}

int tmpfs_removexattr(struct inode *inode, const char *name)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    struct tmpfs_xattr **link, *xattr;
    int error = copy_up(own);

    if (error != 0)
        return error;
    link = xattr_find(own, name);
    xattr = *link;
    if (xattr == NULL)
        return -ENODATA;
    *link = xattr->next;
    xattr_free(tmpfs_of(inode), xattr);
    tmpfs_changed(own);
    inode->ctime = fs_time_now();
    return 0;
}

ssize_t tmpfs_listxattr(struct inode *inode, char *list, size_t size)
{
    struct tmpfs_inode *own = tmpfs_inode_of(inode);
    size_t used = 0;

    if (shows_lower(own))
        return own->lower->ops->listxattr(own->lower, list, size);
    for (struct tmpfs_xattr *xattr = own->xattrs; xattr != NULL; xattr = xattr->next) {
        size_t length = strlen(xattr->name) + 1;

        if (size != 0 && length > size - used)
            return -ERANGE;
        if (size != 0)
            memcpy(list + used, xattr->name, length);
        used += length;
    }
    return (ssize_t)used;
}
