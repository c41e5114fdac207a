/* SPDX-License-Identifier: MIT */
/* What system calls on files have in common; see files.h. */
#include <arch/uaccess.h>
#include <fs/open.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <mm/slab.h>

#include "files.h"

int fd_publish(struct file *file, bool cloexec)
{
    int number = fd_add(current_files(), file, fd_limit(), cloexec);

    if (number < 0)
        file_unref(file);
    return number;
}

int name_from_user(vaddr_t user, char **out)
{
    char *name = kmalloc(PATH_MAX);
    ssize_t length;

    if (name == NULL)
        return -ENOMEM;
    length = strncpy_from_user(name, user, PATH_MAX);
    if (length >= 0 && length < PATH_MAX) {
        *out = name;
        return 0;
    }
    kfree(name);
    return length < 0 ? (int)length : -ENAMETOOLONG;
}

/* Into the structure if it fits, which most names do. */
static int at_copy_name(struct at_name *at, vaddr_t user_name)
{
    ssize_t length = strncpy_from_user(at->inline_name, user_name, NAME_INLINE);

    at->name = at->inline_name;
    if (likely(length >= 0 && length < (ssize_t)NAME_INLINE))
        return 0;
    return length < 0 ? (int)length : name_from_user(user_name, &at->name);
}

static void at_free_name(struct at_name *at)
{
    if (at->name != at->inline_name)
        kfree(at->name);
}

int at_name_get(struct at_name *at, int dirfd, vaddr_t user_name, bool allow_empty)
{
    int error = at_copy_name(at, user_name);

    at->base = NULL;
    at->fd = (struct fd){NULL, false};
    if (error != 0)
        return error;
    if (at->name[0] == '/' || dirfd == AT_FDCWD)
        return 0;
    if (at->name[0] == '\0' && !allow_empty) {
        error = -ENOENT;
        goto free_name;
    }
    at->fd = fd_get(current_files(), (unsigned)dirfd);
    error = -EBADF;
    if (at->fd.file == NULL)
        goto free_name;
    if (path_of_file(at->fd.file, &at->path) == 0) {
        at->base = &at->path;
    } else if (at->name[0] != '\0') {
        error = -ENOTDIR;
        goto put_fd;
    }
    return 0;

put_fd:
    fd_put(at->fd);
free_name:
    at_free_name(at);
    return error;
}

void at_name_put(struct at_name *at)
{
    fd_put(at->fd);
    at_free_name(at);
}

int at_lookup(int dirfd, vaddr_t user_name, unsigned flags, struct path *out)
{
    struct at_name at;
    int error = at_name_get(&at, dirfd, user_name, (flags & LOOKUP_EMPTY) != 0);

    if (error != 0)
        return error;
    if (at.name[0] == '\0' && at.fd.file != NULL)
        error = path_for_file(at.fd.file, out);
    else
        error = path_lookup(at.base, at.name, flags, out);
    at_name_put(&at);
    return error;
}

/* Lengths as writev(2) wants them; what exceeds IO_BYTES_MAX in all is cut off. */
static int iov_check(struct iov *iov)
{
    iov->total = 0;
    for (unsigned i = 0; i < iov->count; i++) {
        struct io_segment *segment = &iov->segments[i];

        if ((ssize_t)segment->len < 0)
            return -EINVAL;
        if (!user_access_ok(segment->base, segment->len))
            return -EFAULT;
        segment->len = min(segment->len, IO_BYTES_MAX - iov->total);
        iov->total += segment->len;
    }
    return 0;
}

int iov_get(struct iov *iov, vaddr_t user, unsigned long count)
{
    int error;

    if (count > IO_SEGMENTS_MAX)
        return -EINVAL;
    iov->segments = iov->inline_segments;
    iov->count = (unsigned)count;
    if (count > IOV_INLINE) {
        iov->segments = kmalloc_array(count, sizeof(struct io_segment));
        if (iov->segments == NULL)
            return -ENOMEM;
    }
    error = copy_from_user(iov->segments, user, count * sizeof(struct io_segment));
    if (error == 0)
        error = iov_check(iov);
    if (error != 0)
        iov_put(iov);
    return error;
}

void iov_put(struct iov *iov)
{
    if (iov->segments != iov->inline_segments)
        kfree(iov->segments);
}
