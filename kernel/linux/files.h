/* SPDX-License-Identifier: MIT */
/*
 * Shared by the system calls on files: names and vectors from user memory, and starting points of
 * path walks. All in the context of the calling task; may sleep.
 */
#ifndef LINUX_FILES_H
#define LINUX_FILES_H

#include <file/fdtable.h>
#include <file/io.h>
#include <fs/path.h>
#include <linux/process.h>

#define AT_FDCWD            (-100)
#define AT_SYMLINK_NOFOLLOW 0x100u
#define AT_REMOVEDIR        0x200u
#define AT_EACCESS          0x200u
#define AT_SYMLINK_FOLLOW   0x400u
#define AT_NO_AUTOMOUNT     0x800u
#define AT_EMPTY_PATH       0x1000u

/* RLIMIT_NOFILE of the caller. */
static inline unsigned fd_limit(void)
{
    uint64_t limit = process_limit(RLIMIT_NOFILE);

    return limit > INT32_MAX ? INT32_MAX : (unsigned)limit;
}

/* Gives a new file a descriptor; the reference is consumed in any case. Number or -errno. */
int fd_publish(struct file *file, bool cloexec);

/* A name copied from user memory. 0, -EFAULT, -ENAMETOOLONG, -ENOMEM. Free with kfree. */
int name_from_user(vaddr_t user, char **out);

/* The (dirfd, name) pair of the *at calls. */
#define NAME_INLINE 128u
struct at_name {
    char *name;              /* inline_name, or allocated */
    const struct path *base; /* NULL: the current directory */
    struct path path;        /* of the descriptor, borrowed */
    struct fd fd;            /* held while the structure is in use; file NULL if not needed */
    char inline_name[NAME_INLINE];
};

/*
 * 0, -EFAULT, -ENAMETOOLONG, -EBADF, -ENOTDIR (the descriptor is no place), -ENOMEM. With
 * allow_empty an empty name is accepted: the caller looks at name[0] and fd.file (any kind of file
 * then).
 */
int at_name_get(struct at_name *at, int dirfd, vaddr_t user_name, bool allow_empty);
void at_name_put(struct at_name *at);

/* at_name_get and path_lookup; *out owns references. `flags`: LOOKUP_*. */
int at_lookup(int dirfd, vaddr_t user_name, unsigned flags, struct path *out);

/* One more descriptor for a file, the lowest number from `min` on. Number or -errno. */
long fd_duplicate(struct file *file, unsigned min, bool cloexec);

/* Two new files get descriptors, written to `user` as two ints; the references are consumed. 0 or
 * -errno. */
int fd_publish_pair(struct file *files[2], bool cloexec, vaddr_t user);

/* An iovec array from user memory. */
#define IOV_INLINE 8
struct iov {
    struct io_segment *segments;
    unsigned count;
    size_t total;
    struct io_segment inline_segments[IOV_INLINE];
};

/* 0, -EINVAL, -EFAULT, -ENOMEM. The total is cut at IO_BYTES_MAX. */
int iov_get(struct iov *iov, vaddr_t user, unsigned long count);
void iov_put(struct iov *iov);

#endif
