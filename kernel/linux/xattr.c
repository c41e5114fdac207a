/* SPDX-License-Identifier: MIT */
/* Extended attributes: xattr(7). Each call exists for a name, a name not followed, and a
 * descriptor. */
#include <arch/uaccess.h>
#include <fs/open.h>
#include <fs/path.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "files.h"

#define XATTR_NAME_MAX 255
#define XATTR_SIZE_MAX 65536u
#define XATTR_LIST_MAX 65536u
#define XATTR_FLAGS    3u /* CREATE, REPLACE */

/* The three ways to say which file; *out owns references. */
static int place_by_name(vaddr_t name, bool follow, struct path *out)
{
    return at_lookup(AT_FDCWD, name, follow ? LOOKUP_FOLLOW : 0, out);
}

static int place_by_fd(unsigned fd, struct path *out)
{
    struct fd found = fd_get(current_files(), fd);
    int error;

    if (found.file == NULL)
        return -EBADF;
    error = found.file->access & FILE_PATH ? -EBADF : path_for_file(found.file, out);
    fd_put(found);
    return error;
}

/* A namespace with nothing behind its dot. */
static bool is_bare_prefix(const char *name)
{
    return strcmp(name, "user.") == 0 || strcmp(name, "trusted.") == 0 ||
           strcmp(name, "security.") == 0;
}

static int attribute_name(char name[XATTR_NAME_MAX + 1], vaddr_t user)
{
    ssize_t length = strncpy_from_user(name, user, XATTR_NAME_MAX + 1);

    if (length < 0)
        return (int)length;
    if (length == 0 || length > XATTR_NAME_MAX)
        return -ERANGE;
    return is_bare_prefix(name) ? -EINVAL : 0;
}

static long set_attribute(const struct path *place, const reg_t arg[6])
{
    char name[XATTR_NAME_MAX + 1];
    size_t size = arg[3];
    void *value = NULL;
    long result = (unsigned)arg[4] & ~XATTR_FLAGS ? -EINVAL : attribute_name(name, arg[1]);

    if (result == 0 && size > XATTR_SIZE_MAX)
        result = -E2BIG;
    if (result == 0 && size != 0) {
        value = kmalloc(size);
        result = value == NULL ? -ENOMEM : copy_from_user(value, arg[2], size);
    }
    if (result == 0)
        result = fs_setxattr(place, name, value, size, (unsigned)arg[4]);
    kfree(value);
    return result;
}

static long get_attribute(const struct path *place, const reg_t arg[6])
{
    char name[XATTR_NAME_MAX + 1];
    size_t size = arg[3] < XATTR_SIZE_MAX ? arg[3] : XATTR_SIZE_MAX;
    void *value = NULL;
    long result = attribute_name(name, arg[1]);

    if (result == 0 && size != 0) {
        value = kmalloc(size);
        result = value == NULL ? -ENOMEM : 0;
    }
    if (result == 0)
        result = fs_getxattr(place, name, value, size);
    if (result > 0 && size != 0 && copy_to_user(arg[2], value, (size_t)result) != 0)
        result = -EFAULT;
    kfree(value);
    return result;
}

static long list_attributes(const struct path *place, const reg_t arg[6])
{
    size_t size = arg[2] < XATTR_LIST_MAX ? arg[2] : XATTR_LIST_MAX;
    char *list = NULL;
    long result = 0;

    if (size != 0) {
        list = kmalloc(size);
        result = list == NULL ? -ENOMEM : 0;
    }
    if (result == 0)
        result = fs_listxattr(place, list, size);
    if (result > 0 && size != 0 && copy_to_user(arg[1], list, (size_t)result) != 0)
        result = -EFAULT;
    kfree(list);
    return result;
}

static long remove_attribute(const struct path *place, const reg_t arg[6])
{
    char name[XATTR_NAME_MAX + 1];
    long result = attribute_name(name, arg[1]);

    if (result == 0)
        result = fs_removexattr(place, name);
    return result;
}

/* --- the same four for each way of naming --- */

enum way { BY_NAME, BY_LINK, BY_FD };

static long at_place(enum way way, const reg_t arg[6],
                     long (*call)(const struct path *, const reg_t arg[6]))
{
    struct path place;
    long result = way == BY_FD ? place_by_fd((unsigned)arg[0], &place)
                               : place_by_name(arg[0], way == BY_NAME, &place);

    if (result == 0) {
        result = call(&place, arg);
        path_unref(&place);
    }
    return result;
}

#define XATTR_CALLS(prefix, way)                       \
    long sys_##prefix##setxattr(const reg_t arg[6])    \
    {                                                  \
        return at_place(way, arg, set_attribute);      \
    }                                                  \
    long sys_##prefix##getxattr(const reg_t arg[6])    \
    {                                                  \
        return at_place(way, arg, get_attribute);      \
    }                                                  \
    long sys_##prefix##listxattr(const reg_t arg[6])   \
    {                                                  \
        return at_place(way, arg, list_attributes);    \
    }                                                  \
    long sys_##prefix##removexattr(const reg_t arg[6]) \
    {                                                  \
        return at_place(way, arg, remove_attribute);   \
    }

XATTR_CALLS(, BY_NAME)
XATTR_CALLS(l, BY_LINK)
XATTR_CALLS(f, BY_FD)
