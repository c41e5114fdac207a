/* SPDX-License-Identifier: MIT */
/* System calls that change what stat tells: mode, owner, times, size. */
#include <arch/uaccess.h>
#include <fs/inode.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <linux/syscalls.h>

#include "abi64/time.h"
#include "files.h"

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

static long change_at(int dirfd, vaddr_t name, unsigned lookup, const struct attr_change *change)
{
    struct path path;
    long result = at_lookup(dirfd, name, lookup, &path);

    if (result == 0) {
        result = fs_setattr(&path, change);
        path_unref(&path);
    }
    return result;
}

static long change_file(unsigned fd, const struct attr_change *change, bool path_is_enough)
{
    struct fd found = fd_get(current_files(), fd);
    struct path path;
    long result;

    if (found.file == NULL)
        return -EBADF;
    if (!path_is_enough && (found.file->access & FILE_PATH)) {
        result = -EBADF;
    } else {
        result = path_for_file(found.file, &path);
        if (result == 0) {
            result = fs_setattr(&path, change);
            path_unref(&path);
        }
    }
    fd_put(found);
    return result;
}

long sys_fchmod(const reg_t arg[6])
{
    struct attr_change change = {.set = ATTR_MODE, .mode = (uint32_t)arg[1] & S_PERMISSIONS};

    return change_file((unsigned)arg[0], &change, false);
}

static unsigned lookup_of_at(unsigned flags)
{
    return (flags & AT_SYMLINK_NOFOLLOW ? 0 : LOOKUP_FOLLOW) |
           (flags & AT_EMPTY_PATH ? LOOKUP_EMPTY : 0);
}

static long do_fchmodat2(int dirfd, vaddr_t name, uint32_t mode, unsigned flags)
{
    struct attr_change change = {.set = ATTR_MODE, .mode = mode & S_PERMISSIONS};

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return change_at(dirfd, name, lookup_of_at(flags), &change);
}

long sys_fchmodat(const reg_t arg[6])
{
    return do_fchmodat2((int)arg[0], arg[1], (uint32_t)arg[2], 0);
}

long sys_fchmodat2(const reg_t arg[6])
{
    return do_fchmodat2((int)arg[0], arg[1], (uint32_t)arg[2], (unsigned)arg[3]);
}

/* -1 leaves an id as it is. */
static struct attr_change owner_change(uint32_t uid, uint32_t gid)
{
    return (struct attr_change){
        .set = (uid != UINT32_MAX ? ATTR_UID : 0) | (gid != UINT32_MAX ? ATTR_GID : 0),
        .uid = uid,
        .gid = gid,
    };
}

long sys_fchown(const reg_t arg[6])
{
    struct attr_change change = owner_change((uint32_t)arg[1], (uint32_t)arg[2]);

    return change_file((unsigned)arg[0], &change, false);
}

static long do_fchownat(int dirfd, vaddr_t name, uint32_t uid, uint32_t gid, unsigned flags)
{
    struct attr_change change = owner_change(uid, gid);

    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH))
        return -EINVAL;
    return change_at(dirfd, name, lookup_of_at(flags), &change);
}

long sys_fchownat(const reg_t arg[6])
{
    return do_fchownat((int)arg[0], arg[1], (uint32_t)arg[2], (uint32_t)arg[3], (unsigned)arg[4]);
}

/* One time of utimensat: adds to *change. 0 or -EINVAL. */
static int time_change(const struct abi64_timespec *from, unsigned attr, unsigned attr_now,
                       struct attr_change *change, struct fs_time *to)
{
    if (from->nanoseconds == UTIME_OMIT)
        return 0;
    change->set |= attr;
    if (from->nanoseconds == UTIME_NOW) {
        change->set |= attr_now;
        return 0;
    }
    if (from->nanoseconds < 0 || from->nanoseconds >= 1000000000)
        return -EINVAL;
    *to = (struct fs_time){.sec = from->seconds, .nsec = (uint32_t)from->nanoseconds};
    return 0;
}

static long do_utimensat(int dirfd, vaddr_t name, vaddr_t user_times, unsigned flags)
{
    struct abi64_timespec times[2] = {{0, UTIME_NOW}, {0, UTIME_NOW}};
    struct attr_change change = {.set = 0};

    if (user_times != 0 && copy_from_user(times, user_times, sizeof(times)) != 0)
        return -EFAULT;
    if (times[0].nanoseconds == UTIME_OMIT && times[1].nanoseconds == UTIME_OMIT)
        return 0;
    if (flags & ~(AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH) || (name == 0 && flags != 0))
        return -EINVAL;
    if (time_change(&times[0], ATTR_ATIME, ATTR_ATIME_NOW, &change, &change.atime) != 0 ||
        time_change(&times[1], ATTR_MTIME, ATTR_MTIME_NOW, &change, &change.mtime) != 0)
        return -EINVAL;
    if (name == 0 && dirfd != AT_FDCWD)
        return change_file((unsigned)dirfd, &change, false);
    return change_at(dirfd, name, lookup_of_at(flags), &change);
}

long sys_utimensat(const reg_t arg[6])
{
    return do_utimensat((int)arg[0], arg[1], arg[2], (unsigned)arg[3]);
}

static long do_truncate(vaddr_t name, int64_t size)
{
    struct path path;
    long result;

    if (size < 0)
        return -EINVAL;
    result = at_lookup(AT_FDCWD, name, LOOKUP_FOLLOW, &path);
    if (result != 0)
        return result;
    if ((uint64_t)size > file_size_limit()) {
        file_signal(SIGXFSZ);
        result = -EFBIG;
    } else {
        result = fs_truncate(&path, (uint64_t)size);
    }
    path_unref(&path);
    return result;
}

long sys_truncate(const reg_t arg[6])
{
    return do_truncate(arg[0], (int64_t)arg[1]);
}
