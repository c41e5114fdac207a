/* SPDX-License-Identifier: MIT */
/* openat, openat2 and memfd_create. */
#include <arch/uaccess.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#include "abi64/stat.h"
#include "files.h"

#define OPEN_FLAGS                                                                         \
    (O_ACCMODE | O_CREAT | O_EXCL | O_NOCTTY | O_TRUNC | O_APPEND | O_NONBLOCK | O_SYNC |  \
     O_ASYNC | O_DIRECTORY | O_NOFOLLOW | O_DIRECT | O_LARGEFILE | O_NOATIME | O_CLOEXEC | \
     O_PATH | O_TMPFILE)
#define OPEN_PATH_FLAGS (O_DIRECTORY | O_NOFOLLOW | O_PATH | O_CLOEXEC)
#define TMPFILE_BIT     (O_TMPFILE & ~O_DIRECTORY)

#define RESOLVE_NO_XDEV       0x01u
#define RESOLVE_NO_MAGICLINKS 0x02u
#define RESOLVE_NO_SYMLINKS   0x04u
#define RESOLVE_BENEATH       0x08u
#define RESOLVE_IN_ROOT       0x10u
#define RESOLVE_CACHED        0x20u

#define MFD_CLOEXEC       0x01u
#define MFD_ALLOW_SEALING 0x02u
#define MFD_HUGETLB       0x04u
#define MFD_NOEXEC_SEAL   0x08u
#define MFD_EXEC          0x10u
#define MFD_NAME_MAX      249u

static long open_file(int dirfd, vaddr_t user_name, const struct open_request *request)
{
    struct file *file;
    struct at_name at;
    int number;
    int error = at_name_get(&at, dirfd, user_name, false);

    if (error != 0)
        return error;
    number = fd_reserve(current_files(), 0, fd_limit(), (request->flags & O_CLOEXEC) != 0);
    error = number;
    if (number < 0)
        goto out;
    error = fs_open(at.base, at.name, request, &file);
    if (error != 0) {
        fd_cancel(current_files(), (unsigned)number);
        goto out;
    }
    fd_install(current_files(), (unsigned)number, file);
    error = number;
out:
    at_name_put(&at);
    return error;
}

/* open(2) ignores what it does not know; so do we. */
static long do_openat(int dirfd, vaddr_t name, unsigned flags, uint32_t mode)
{
    struct open_request request = {.flags = (flags & OPEN_FLAGS) | O_LARGEFILE,
                                   .mode = mode & 07777};

    if (flags & O_PATH)
        request.flags &= OPEN_PATH_FLAGS;
    if (flags & TMPFILE_BIT) {
        if ((flags & O_TMPFILE) != O_TMPFILE || (flags & O_CREAT) ||
            (flags & O_ACCMODE) == O_RDONLY)
            return -EINVAL;
    } else if (!(flags & O_CREAT)) {
        request.mode = 0;
    }
    return open_file(dirfd, name, &request);
}

long sys_openat(const reg_t arg[6])
{
    return do_openat((int)arg[0], arg[1], (unsigned)arg[2], (uint32_t)arg[3]);
}

static unsigned lookup_of_resolve(uint64_t resolve)
{
    return (resolve & RESOLVE_NO_XDEV ? LOOKUP_NO_XDEV : 0) |
           (resolve & RESOLVE_NO_MAGICLINKS ? LOOKUP_NO_MAGICLINKS : 0) |
           (resolve & RESOLVE_NO_SYMLINKS ? LOOKUP_NO_SYMLINKS : 0) |
           (resolve & RESOLVE_BENEATH ? LOOKUP_BENEATH : 0) |
           (resolve & RESOLVE_IN_ROOT ? LOOKUP_IN_ROOT : 0) |
           (resolve & RESOLVE_CACHED ? LOOKUP_CACHED : 0);
}

/* A structure that may be longer than ours if the rest is zero (openat2(2), Extensibility). */
static int how_from_user(struct abi64_open_how *how, vaddr_t user, size_t size)
{
    if (size < sizeof(*how))
        return -EINVAL;
    if (size > 4096)
        return -E2BIG;
    for (size_t at = sizeof(*how); at < size; at++) {
        uint8_t byte;

        if (get_user8(&byte, user + at) != 0)
            return -EFAULT;
        if (byte != 0)
            return -E2BIG;
    }
    return copy_from_user(how, user, sizeof(*how));
}

/* openat2 refuses what openat ignores. */
static int check_how(const struct abi64_open_how *how)
{
    bool creates = (how->flags & O_CREAT) || (how->flags & O_TMPFILE) == O_TMPFILE;

    if (how->flags & ~(uint64_t)OPEN_FLAGS || how->resolve > 0x3f)
        return -EINVAL;
    if ((how->resolve & RESOLVE_BENEATH) && (how->resolve & RESOLVE_IN_ROOT))
        return -EINVAL;
    if (creates ? how->mode & ~07777ul : how->mode != 0)
        return -EINVAL;
    if ((how->flags & O_PATH) && (how->flags & ~(uint64_t)OPEN_PATH_FLAGS))
        return -EINVAL;
    if ((how->flags & TMPFILE_BIT) &&
        ((how->flags & O_TMPFILE) != O_TMPFILE || (how->flags & O_CREAT) ||
         (how->flags & O_ACCMODE) == O_RDONLY))
        return -EINVAL;
    if ((how->resolve & RESOLVE_CACHED) && (how->flags & (O_TRUNC | O_CREAT | TMPFILE_BIT)))
        return -EAGAIN;
    return 0;
}

static long do_openat2(int dirfd, vaddr_t name, vaddr_t user_how, size_t size)
{
    struct open_request request;
    struct abi64_open_how how;
    int error = how_from_user(&how, user_how, size);

    if (error == 0)
        error = check_how(&how);
    if (error != 0)
        return error;
    request.flags = (unsigned)how.flags;
    if (!(request.flags & O_PATH))
        request.flags |= O_LARGEFILE;
    request.mode = (uint32_t)how.mode;
    request.lookup = lookup_of_resolve(how.resolve);
    return open_file(dirfd, name, &request);
}

__cold long sys_openat2(const reg_t arg[6])
{
    return do_openat2((int)arg[0], arg[1], arg[2], arg[3]);
}

static __cold long do_memfd_create(vaddr_t user_name, unsigned flags)
{
    char name[MFD_NAME_MAX + 1];
    struct file *file;
    ssize_t length;
    int error;

    if (flags & ~(MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL | MFD_EXEC) ||
        ((flags & MFD_EXEC) && (flags & MFD_NOEXEC_SEAL)))
        return -EINVAL; /* MFD_HUGETLB too: there is no pool of huge pages */
    length = strncpy_from_user(name, user_name, sizeof(name));
    if (length < 0)
        return length;
    if (length >= (ssize_t)sizeof(name))
        return -EINVAL;
    error = fs_memfd(name, flags, &file);
    return error != 0 ? error : fd_publish(file, (flags & MFD_CLOEXEC) != 0);
}

long sys_memfd_create(const reg_t arg[6])
{
    return do_memfd_create(arg[0], (unsigned)arg[1]);
}
