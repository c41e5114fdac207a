/* SPDX-License-Identifier: MIT */
/* What is known of a file: stat, statx, statfs, access, readlink. */
#include <arch/uaccess.h>
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/stat.h"
#include "files.h"

#define STATX_TYPE            0x0001u
#define STATX_BASIC_STATS     0x07ffu
#define STATX_BTIME           0x0800u
#define STATX_MNT_ID          0x1000u
#define STATX_RESERVED        0x80000000u
#define STATX_ATTR_MOUNT_ROOT 0x2000u
#define AT_STATX_SYNC_TYPE    0x6000u

#define R_OK 4u
#define W_OK 2u
#define X_OK 1u

/* Files without inode all live on one nameless device. */
static void stat_without_inode(const struct file *file, struct inode_stat *stat)
{
    struct fs_time now = fs_time_now();

    *stat = (struct inode_stat){.dev = 13, .ino = file->id, .mode = file->ops->mode, .nlink = 1};
    stat->block_size = 4096;
    stat->atime = stat->mtime = stat->ctime = now;
}

static int stat_file(struct file *file, struct inode_stat *stat)
{
    if (file->inode != NULL)
        return fs_file_stat(file, stat);
    stat_without_inode(file, stat);
    return 0;
}

/* The common beginning of newfstatat and statx. */
static int stat_at(int dirfd, vaddr_t user_name, unsigned flags, struct inode_stat *stat)
{
    unsigned lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
    struct at_name at;
    int error;

    if (flags & AT_EMPTY_PATH)
        lookup |= LOOKUP_EMPTY;
    error = at_name_get(&at, dirfd, user_name, (flags & AT_EMPTY_PATH) != 0);
    if (error != 0)
        return error;
    if (at.name[0] == '\0' && at.fd.file != NULL) {
        error = stat_file(at.fd.file, stat);
    } else {
        struct path path;

        error = path_lookup(at.base, at.name, lookup, &path);
        if (error == 0) {
            error = fs_stat(&path, stat);
            path_unref(&path);
        }
    }
    at_name_put(&at);
    return error;
}

static long stat_to_user(const struct inode_stat *from, vaddr_t user)
{
    struct abi64_stat to = {
        .dev = from->dev,
        .ino = from->ino,
        .mode = from->mode,
        .nlink = from->nlink,
        .uid = from->uid,
        .gid = from->gid,
        .rdev = from->rdev,
        .size = (int64_t)from->size,
        .block_size = (int32_t)from->block_size,
        .blocks = (int64_t)from->blocks,
        .atime = from->atime.sec,
        .atime_nsec = from->atime.nsec,
        .mtime = from->mtime.sec,
        .mtime_nsec = from->mtime.nsec,
        .ctime = from->ctime.sec,
        .ctime_nsec = from->ctime.nsec,
    };
    return copy_to_user(user, &to, sizeof(to));
}

static long do_fstat(unsigned fd, vaddr_t user)
{
    struct fd found = fd_get(current_files(), fd);
    struct inode_stat stat;
    int error;

    if (found.file == NULL)
        return -EBADF;
    error = stat_file(found.file, &stat);
    fd_put(found);
    return error != 0 ? error : stat_to_user(&stat, user);
}

long sys_fstat(const reg_t arg[6])
{
    return do_fstat((unsigned)arg[0], arg[1]);
}

static long do_newfstatat(int dirfd, vaddr_t name, vaddr_t user, unsigned flags)
{
    struct inode_stat stat;
    uint8_t first;
    int error;

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH))
        return -EINVAL;
    /* glibc's fstat(): no name to copy. */
    if ((flags & AT_EMPTY_PATH) && dirfd >= 0 && get_user8(&first, name) == 0 && first == '\0')
        return do_fstat((unsigned)dirfd, user);
    error = stat_at(dirfd, name, flags, &stat);
    return error != 0 ? error : stat_to_user(&stat, user);
}

long sys_newfstatat(const reg_t arg[6])
{
    return do_newfstatat((int)arg[0], arg[1], arg[2], (unsigned)arg[3]);
}

static struct abi64_statx_time statx_time(struct fs_time time)
{
    return (struct abi64_statx_time){.sec = time.sec, .nsec = time.nsec};
}

static long statx_to_user(const struct inode_stat *from, vaddr_t user)
{
    struct abi64_statx to = {
        .mask = STATX_BASIC_STATS | STATX_MNT_ID | (from->has_btime ? STATX_BTIME : 0),
        .block_size = from->block_size,
        .attributes = from->attributes | (from->is_mount_root ? STATX_ATTR_MOUNT_ROOT : 0),
        .attributes_mask = from->attributes_mask | STATX_ATTR_MOUNT_ROOT,
        .nlink = from->nlink,
        .uid = from->uid,
        .gid = from->gid,
        .mode = (uint16_t)from->mode,
        .ino = from->ino,
        .size = from->size,
        .blocks = from->blocks,
        .atime = statx_time(from->atime),
        .btime = statx_time(from->btime),
        .ctime = statx_time(from->ctime),
        .mtime = statx_time(from->mtime),
        .rdev_major = dev_major(from->rdev),
        .rdev_minor = dev_minor(from->rdev),
        .dev_major = dev_major(from->dev),
        .dev_minor = dev_minor(from->dev),
        .mount_id = from->mount_id,
    };
    return copy_to_user(user, &to, sizeof(to));
}

static long do_statx(int dirfd, vaddr_t name, unsigned flags, unsigned mask, vaddr_t user)
{
    struct inode_stat stat = {0};
    int error;

    if (mask & STATX_RESERVED)
        return -EINVAL;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | AT_EMPTY_PATH | AT_STATX_SYNC_TYPE) ||
        (flags & AT_STATX_SYNC_TYPE) == AT_STATX_SYNC_TYPE)
        return -EINVAL;
    error = stat_at(dirfd, name, flags, &stat);
    return error != 0 ? error : statx_to_user(&stat, user);
}

long sys_statx(const reg_t arg[6])
{
    return do_statx((int)arg[0], arg[1], (unsigned)arg[2], (unsigned)arg[3], arg[4]);
}

static long statfs_to_user(const struct path *path, vaddr_t user)
{
    struct statfs_info info = {0};
    unsigned mount_flags = 0;
    int error = fs_statfs(path, &info, &mount_flags);

    if (error != 0)
        return error;
    struct abi64_statfs to = {
        .type = info.type,
        .block_size = info.block_size,
        .blocks = info.blocks,
        .blocks_free = info.blocks_free,
        .blocks_available = info.blocks_available,
        .files = info.files,
        .files_free = info.files_free,
        .fsid = {(uint32_t)info.fsid, (uint32_t)(info.fsid >> 32)},
        .name_max = info.name_max,
        .fragment_size = info.fragment_size,
        .flags = mount_flags | 0x20 /* ST_VALID */,
    };
    return copy_to_user(user, &to, sizeof(to));
}

long sys_statfs(const reg_t arg[6])
{
    struct path path;
    long result = at_lookup(AT_FDCWD, arg[0], LOOKUP_FOLLOW, &path);

    if (result == 0) {
        result = statfs_to_user(&path, arg[1]);
        path_unref(&path);
    }
    return result;
}

long sys_fstatfs(const reg_t arg[6])
{
    struct fd found = fd_get(current_files(), (unsigned)arg[0]);
    struct path path;
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = path_for_file(found.file, &path);
    if (result == 0) {
        result = statfs_to_user(&path, arg[1]);
        path_unref(&path);
    }
    fd_put(found);
    return result;
}

/*
 * access(2) asks for the real ids, on the way to the file as well; root's capabilities count only
 * if the real user is root. The task acts with *made until restore_credentials().
 */
static int assume_real_credentials(const struct cred **saved)
{
    const struct cred *now = current_task()->cred;
    struct cred *made;

    *saved = NULL;
    if (now->fsuid == now->uid && now->fsgid == now->gid)
        return 0;
    made = cred_copy(now);
    if (made == NULL)
        return -ENOMEM;
    made->fsuid = now->uid;
    made->fsgid = now->gid;
    made->cap_effective = now->uid == 0 ? now->cap_permitted : 0;
    *saved = task_swap_cred(made);
    return 0;
}

static void restore_credentials(const struct cred *saved)
{
    if (saved != NULL)
        cred_unref(task_swap_cred(saved));
}

static long do_faccessat(int dirfd, vaddr_t name, unsigned mode, unsigned flags)
{
    unsigned lookup = flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW;
    const struct cred *saved = NULL;
    struct path path;
    long result = 0;

    if (mode & ~(R_OK | W_OK | X_OK) || flags & ~(AT_EACCESS | AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    if (flags & AT_EMPTY_PATH)
        lookup |= LOOKUP_EMPTY;
    if (!(flags & AT_EACCESS))
        result = assume_real_credentials(&saved);
    if (result != 0)
        return result;
    result = at_lookup(dirfd, name, lookup, &path);
    if (result == 0) {
        result = fs_access(&path, mode, cred_current()); /* R_OK.. have the values of MAY_READ.. */
        path_unref(&path);
    }
    restore_credentials(saved);
    return result;
}

long sys_faccessat(const reg_t arg[6])
{
    return do_faccessat((int)arg[0], arg[1], (unsigned)arg[2], 0);
}

long sys_faccessat2(const reg_t arg[6])
{
    return do_faccessat((int)arg[0], arg[1], (unsigned)arg[2], (unsigned)arg[3]);
}

static long do_readlinkat(int dirfd, vaddr_t name, vaddr_t user, int size)
{
    struct path path;
    char *text;
    ssize_t length;
    int error;

    if (size <= 0)
        return -EINVAL;
    error = at_lookup(dirfd, name, LOOKUP_EMPTY, &path);
    if (error != 0)
        return error;
    length = -ENOMEM;
    text = kmalloc(PATH_MAX);
    if (text != NULL)
        length = fs_readlink(&path, text, PATH_MAX);
    path_unref(&path);
    if (length > 0) {
        length = min_t(ssize_t, length, size);
        if (copy_to_user(user, text, (size_t)length) != 0)
            length = -EFAULT;
    }
    kfree(text);
    return length;
}

long sys_readlinkat(const reg_t arg[6])
{
    return do_readlinkat((int)arg[0], arg[1], arg[2], (int)arg[3]);
}
