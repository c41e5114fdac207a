/* SPDX-License-Identifier: MIT */
/* System calls on names: making, removing, renaming, changing attributes; the caller's directories.
 */
#include <arch/uaccess.h>
#include <fs/context.h>
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/stat.h"
#include "abi64/time.h"
#include "files.h"

#define UTIME_NOW  0x3fffffff
#define UTIME_OMIT 0x3ffffffe

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

/* ---- attributes ---- */

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

/* ---- where the caller stands ---- */

static long do_getcwd(vaddr_t user, size_t size)
{
    char *name = kmalloc(PATH_MAX);
    ssize_t length;

    if (name == NULL)
        return -ENOMEM;
    length = path_cwd(name, PATH_MAX);
    if (length >= 0) {
        length++; /* with its NUL, as the kernel's getcwd counts */
        if ((size_t)length > size)
            length = -ERANGE;
        else if (copy_to_user(user, name, (size_t)length) != 0)
            length = -EFAULT;
    }
    kfree(name);
    return length;
}

long sys_getcwd(const reg_t arg[6])
{
    return do_getcwd(arg[0], arg[1]);
}

long sys_chdir(const reg_t arg[6])
{
    struct path path;
    long result = at_lookup(AT_FDCWD, arg[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

    if (result == 0) {
        result = fs_chdir(&path);
        path_unref(&path);
    }
    return result;
}

long sys_fchdir(const reg_t arg[6])
{
    struct fd found = fd_get(current_files(), (unsigned)arg[0]);
    struct path path;
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = path_of_file(found.file, &path) == 0 ? fs_chdir(&path) : -ENOTDIR;
    fd_put(found);
    return result;
}

long sys_chroot(const reg_t arg[6])
{
    struct path path;
    long result = at_lookup(AT_FDCWD, arg[0], LOOKUP_FOLLOW | LOOKUP_DIRECTORY, &path);

    if (result == 0) {
        result = fs_chroot(&path);
        path_unref(&path);
    }
    return result;
}

long sys_umask(const reg_t arg[6])
{
    struct fs_context *context = fs_current();
    uint32_t old = context->umask;

    context->umask = (uint32_t)arg[0] & 0777;
    return old;
}

/* ---- directories ---- */

struct dirent_sink {
    struct dir_sink sink;
    char *buffer;
    size_t size, used;
    bool overflowed; /* the next entry did not fit */
};

static bool dirent_emit(struct dir_sink *sink, const char *name, size_t name_len, uint64_t ino,
                        unsigned type, uint64_t next)
{
    struct dirent_sink *to = container_of(sink, struct dirent_sink, sink);
    size_t length = (sizeof(struct abi64_dirent) - 5 + name_len + 1 + 7) & ~(size_t)7;
    struct abi64_dirent *entry = (struct abi64_dirent *)(to->buffer + to->used);

    _Static_assert(sizeof(struct abi64_dirent) == 24, "the header is 19 bytes and 5 of padding");
    if (length > to->size - to->used) {
        to->overflowed = true;
        return false;
    }
    memset(entry, 0, length);
    entry->ino = ino;
    entry->next = (int64_t)next;
    entry->length = (uint16_t)length;
    entry->type = (uint8_t)type;
    memcpy(entry->name, name, name_len);
    to->used += length;
    return true;
}

#define DIRENT_BUFFER_MAX 32768u

static long read_directory(struct file *file, vaddr_t user, size_t size)
{
    struct dirent_sink to = {.sink = {dirent_emit}, .size = size};
    uint64_t start;
    long result;

    if (file->access & FILE_PATH)
        return -EBADF;
    if (file->ops->readdir == NULL)
        return -ENOTDIR;
    if (to.size > DIRENT_BUFFER_MAX)
        to.size = DIRENT_BUFFER_MAX;
    to.buffer = kmalloc(to.size != 0 ? to.size : 1);
    if (to.buffer == NULL)
        return -ENOMEM;
    mutex_lock(&file->pos_lock);
    start = file->pos;
    result = file->ops->readdir(file, &to.sink);
    if (to.used != 0)
        result = copy_to_user(user, to.buffer, to.used) == 0 ? (long)to.used : -EFAULT;
    else if (result == 0 && to.overflowed)
        result = -EINVAL; /* no room for one entry */
    if (result < 0)
        file->pos = start;
    mutex_unlock(&file->pos_lock);
    kfree(to.buffer);
    return result;
}

long sys_getdents64(const reg_t arg[6])
{
    struct fd found = fd_get(current_files(), (unsigned)arg[0]);
    long result;

    if (found.file == NULL)
        return -EBADF;
    result = read_directory(found.file, arg[1], (unsigned)arg[2]);
    fd_put(found);
    return result;
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
