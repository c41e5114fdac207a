/* SPDX-License-Identifier: MIT */
/* System calls on names: making, removing, renaming; mounts. */
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <lib/errno.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "files.h"

#define RENAME_FLAGS 7u /* NOREPLACE, EXCHANGE, WHITEOUT */

static long do_mkdirat(int dirfd, vaddr_t name, uint32_t mode)
{
    struct at_name at;
    long result = at_name_get(&at, dirfd, name, false);

    if (result == 0) {
        result = fs_mkdir(at.base, at.name, mode & (S_PERMISSIONS & ~(S_ISUID | S_ISGID)));
        at_name_put(&at);
    }
    return result;
}

long sys_mkdirat(const reg_t arg[6])
{
    return do_mkdirat((int)arg[0], arg[1], (uint32_t)arg[2]);
}

static long do_mknodat(int dirfd, vaddr_t name, uint32_t mode, unsigned dev)
{
    struct at_name at;
    long result;

    switch (mode & S_IFMT) {
    case 0:
        mode |= S_IFREG;
        break;
    case S_IFREG:
    case S_IFCHR:
    case S_IFBLK:
    case S_IFIFO:
    case S_IFSOCK:
        break;
    case S_IFDIR:
        return -EPERM;
    default:
        return -EINVAL;
    }
    result = at_name_get(&at, dirfd, name, false);
    if (result == 0) {
        result = fs_mknod(at.base, at.name, mode, dev);
        at_name_put(&at);
    }
    return result;
}

long sys_mknodat(const reg_t arg[6])
{
    return do_mknodat((int)arg[0], arg[1], (uint32_t)arg[2], (unsigned)arg[3]);
}

static long do_unlinkat(int dirfd, vaddr_t name, unsigned flags)
{
    struct at_name at;
    long result;

    if (flags & ~AT_REMOVEDIR)
        return -EINVAL;
    result = at_name_get(&at, dirfd, name, false);
    if (result == 0) {
        result = flags & AT_REMOVEDIR ? fs_rmdir(at.base, at.name) : fs_unlink(at.base, at.name);
        at_name_put(&at);
    }
    return result;
}

long sys_unlinkat(const reg_t arg[6])
{
    return do_unlinkat((int)arg[0], arg[1], (unsigned)arg[2]);
}

/* Two names for one operation. */
static int two_names(struct at_name *from, int from_fd, vaddr_t from_name, bool from_empty,
                     struct at_name *to, int to_fd, vaddr_t to_name)
{
    int error = at_name_get(from, from_fd, from_name, from_empty);

    if (error != 0)
        return error;
    error = at_name_get(to, to_fd, to_name, false);
    if (error != 0)
        at_name_put(from);
    return error;
}

static long do_renameat2(int from_fd, vaddr_t from_name, int to_fd, vaddr_t to_name, unsigned flags)
{
    struct at_name from, to;
    long result;

    if (flags & ~RENAME_FLAGS)
        return -EINVAL;
    result = two_names(&from, from_fd, from_name, false, &to, to_fd, to_name);
    if (result == 0) {
        result = fs_rename(from.base, from.name, to.base, to.name, flags);
        at_name_put(&to);
        at_name_put(&from);
    }
    return result;
}

long sys_renameat(const reg_t arg[6])
{
    return do_renameat2((int)arg[0], arg[1], (int)arg[2], arg[3], 0);
}

long sys_renameat2(const reg_t arg[6])
{
    return do_renameat2((int)arg[0], arg[1], (int)arg[2], arg[3], (unsigned)arg[4]);
}

static long do_linkat(int from_fd, vaddr_t from_name, int to_fd, vaddr_t to_name, unsigned flags)
{
    unsigned lookup = (flags & AT_SYMLINK_FOLLOW ? LOOKUP_FOLLOW : 0) |
                      (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
    struct at_name from, to;
    long result;

    if (flags & ~(AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if ((flags & AT_EMPTY_PATH) && !cred_capable(cred_current(), CAP_DAC_READ_SEARCH))
        return -ENOENT;
    result =
        two_names(&from, from_fd, from_name, (flags & AT_EMPTY_PATH) != 0, &to, to_fd, to_name);
    if (result == 0) {
        result = fs_link(from.base, from.name, to.base, to.name, lookup);
        at_name_put(&to);
        at_name_put(&from);
    }
    return result;
}

long sys_linkat(const reg_t arg[6])
{
    return do_linkat((int)arg[0], arg[1], (int)arg[2], arg[3], (unsigned)arg[4]);
}

static long do_symlinkat(vaddr_t user_target, int dirfd, vaddr_t name)
{
    struct at_name at;
    char *target;
    long result = name_from_user(user_target, &target);

    if (result != 0)
        return result;
    result = target[0] == '\0' ? -ENOENT : at_name_get(&at, dirfd, name, false);
    if (result == 0) {
        result = fs_symlink(target, at.base, at.name);
        at_name_put(&at);
    }
    kfree(target);
    return result;
}

long sys_symlinkat(const reg_t arg[6])
{
    return do_symlinkat(arg[0], (int)arg[1], arg[2]);
}

/* ---- mounts ---- */

/* An optional string argument. */
static int text_from_user(vaddr_t user, char **out)
{
    *out = NULL;
    return user != 0 ? name_from_user(user, out) : 0;
}

static long do_mount(vaddr_t user_source, vaddr_t user_target, vaddr_t user_type, unsigned flags,
                     vaddr_t user_options)
{
    char *source = NULL, *target = NULL, *type = NULL, *options = NULL;
    long result = text_from_user(user_source, &source);

    if (result == 0)
        result = name_from_user(user_target, &target);
    if (result == 0)
        result = text_from_user(user_type, &type);
    if (result == 0)
        result = text_from_user(user_options, &options);
    if (result == 0)
        result = fs_mount(source, NULL, target, type, flags, options);
    kfree(options);
    kfree(type);
    kfree(target);
    kfree(source);
    return result;
}

long sys_mount(const reg_t arg[6])
{
    return do_mount(arg[0], arg[1], arg[2], (unsigned)arg[3], arg[4]);
}

long sys_umount2(const reg_t arg[6])
{
    char *target;
    long result = name_from_user(arg[0], &target);

    if (result == 0) {
        result = fs_unmount(NULL, target, (unsigned)arg[1]);
        kfree(target);
    }
    return result;
}
