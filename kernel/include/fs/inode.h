/* SPDX-License-Identifier: MIT */
/*
 * Inodes: what a name in a file system stands for, and the operations a file system supplies.
 * Every function here may sleep unless it says otherwise. Results are 0 or -errno.
 */
#ifndef FS_INODE_H
#define FS_INODE_H

#include <arch/atomic.h>
#include <core/defer.h>
#include <core/lock.h>
#include <file/flags.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/types.h>

struct cred;
struct file;
struct file_ops;
struct dentry;
struct dir_sink; /* <file/file.h> */
struct pipe;
struct inode;
struct path;
struct vm_object;
struct file_locks;
struct inode_watch;

#define S_IXGRP       0000010u
#define S_PERMISSIONS 07777

#define NAME_MAX 255
#define PATH_MAX 4096 /* with the final NUL */

/* Device numbers as userspace's makedev() packs them (64 bit). */
static inline uint64_t makedev(unsigned major, unsigned minor)
{
    return ((uint64_t)(major & 0xfffff000u) << 32) | ((uint64_t)(major & 0xfffu) << 8) |
           ((uint64_t)(minor & 0xffffff00u) << 12) | (minor & 0xffu);
}
static inline unsigned dev_major(uint64_t dev)
{
    return (unsigned)((dev >> 8) & 0xfffu) | (unsigned)((dev >> 32) & 0xfffff000u);
}
static inline unsigned dev_minor(uint64_t dev)
{
    return (unsigned)(dev & 0xffu) | (unsigned)((dev >> 12) & 0xffffff00u);
}

struct fs_time {
    int64_t sec; /* since 1970, UTC */
    uint32_t nsec;
};
struct fs_time fs_time_now(void);

/* One component: 1..NAME_MAX bytes without '/' or NUL, not necessarily terminated. */
struct name {
    const char *text;
    uint32_t len;
    uint32_t hash; /* name_hash(text, len) */
};
uint32_t name_hash(const char *text, size_t len);

/* What stat and statx tell. Sizes in bytes; blocks in units of 512 bytes. */
struct inode_stat {
    uint64_t dev, ino, rdev, size, blocks;
    uint32_t mode, nlink, uid, gid, block_size;
    struct fs_time atime, mtime, ctime, btime;
    bool has_btime;
    bool is_mount_root;
    uint64_t mount_id;
    uint64_t attributes, attributes_mask; /* STATX_ATTR_* */
};

/* A change of attributes; `set` tells which fields count. ctime follows by itself. */
enum {
    ATTR_MODE = 1,
    ATTR_UID = 2,
    ATTR_GID = 4,
    ATTR_SIZE = 8,
    ATTR_ATIME = 16,
    ATTR_MTIME = 32,
    ATTR_ATIME_NOW = 64, /* with ATTR_ATIME: the present, which needs only write permission */
    ATTR_MTIME_NOW = 128,
};
struct attr_change {
    unsigned set;
    uint32_t mode; /* permission bits */
    uint32_t uid, gid;
    uint64_t size;
    struct fs_time atime, mtime;
};

/* What a new inode is to be. The caller has applied umask and set-group-id inheritance. */
struct inode_init {
    uint32_t mode; /* type and permissions */
    uint32_t uid, gid;
    uint64_t rdev;
    const char *target; /* of a symbolic link */
};

/* linux/fs.h */
#define RENAME_NOREPLACE 1u
#define RENAME_EXCHANGE  2u
#define RENAME_WHITEOUT  4u

struct rename_op {
    struct inode *old_dir, *new_dir;
    const struct name *old_name, *new_name;
    struct inode *source;
    struct inode *target; /* what new_name is now, or NULL */
    unsigned flags;
};

/*
 * All optional: an absent directory operation is -ENOTDIR or -EPERM (creation), as fitting.
 * The core holds dir->lock for reading in lookup and readdir, for writing in what changes a
 * directory (both directories in rename), and the lock of a victim or link source for writing.
 * Permissions, names, mount points and existence are checked before the call.
 */
struct inode_ops {
    /* New reference in *out, or -ENOENT. Anything else is an error of the medium. */
    int (*lookup)(struct inode *dir, const struct name *name, struct inode **out);
    int (*create)(struct inode *dir, const struct name *name, const struct inode_init *init,
                  struct inode **out); /* name NULL: without a name (O_TMPFILE) */
    int (*link)(struct inode *dir, const struct name *name, struct inode *inode);
    int (*unlink)(struct inode *dir, const struct name *name, struct inode *inode); /* and rmdir */
    int (*rename)(const struct rename_op *op);
    /* Emits from *pos on, without "." and "..", and moves *pos. Positions 0 and 1 are theirs. */
    int (*readdir)(struct inode *dir, uint64_t *pos, struct dir_sink *sink);

    ssize_t (*readlink)(struct inode *inode, char *buffer,
                        size_t size); /* length, not terminated */
    int (*follow)(struct inode *inode,
                  struct path *out); /* links that are not text (/proc/N/exe) */

    int (*getattr)(struct inode *inode, struct inode_stat *stat); /* after the generic fill */
    int (*setattr)(struct inode *inode, const struct attr_change *change);
    int (*permission)(struct inode *inode, unsigned may, const struct cred *cred);
    int (*reopen)(struct inode *inode, unsigned flags,
                  struct file **out);                    /* open gives this file */
    int (*open)(struct inode *inode, struct file *file); /* may replace file->ops */

    int (*fallocate)(struct inode *inode, unsigned mode, uint64_t offset, uint64_t length);
    int64_t (*seek)(struct inode *inode, uint64_t offset, bool hole); /* SEEK_DATA, SEEK_HOLE */

    ssize_t (*getxattr)(struct inode *inode, const char *name, void *value, size_t size);
    int (*setxattr)(struct inode *inode, const char *name, const void *value, size_t size,
                    unsigned flags);
    int (*removexattr)(struct inode *inode, const char *name);
    ssize_t (*listxattr)(struct inode *inode, char *list, size_t size);

    void (*release)(struct inode *inode); /* last reference is gone; frees the memory */
};

struct statfs_info {
    uint64_t type, block_size, blocks, blocks_free, blocks_available, files, files_free;
    uint64_t fsid, name_max, fragment_size;
};

struct superblock;
struct super_ops {
    int (*statfs)(struct superblock *sb, struct statfs_info *info);
    int (*sync)(struct superblock *sb);
    void (*show_options)(struct superblock *sb, char *buffer, size_t size); /* ",size=..." or "" */
    void (*shutdown)(struct superblock *sb); /* the last user is gone: let go of what is kept */
    void (*release)(struct superblock *sb);  /* and the last inode too: frees the memory */
};

#define SB_RDONLY      1u
#define SB_NO_NEGATIVE 2u /* names may appear without a create: absence is never cached */

/*
 * A mounted instance. `users` are mounts and who made it; when none is left the root and what the
 * file system pins go. `refs` are the inodes and all users together.
 */
struct superblock {
    const struct super_ops *ops;
    const char *type; /* "tmpfs" */
    unsigned flags;
    uint32_t block_size;
    uint64_t dev; /* st_dev */
    uint64_t magic;
    atomic_t refs;
    atomic_t users;
    struct dentry *root; /* owns a reference */
    void *data;
};
/* One user: the caller. */
void superblock_init(struct superblock *sb, const char *type, const struct super_ops *ops);
void superblock_use(struct superblock *sb);
void superblock_unuse(struct superblock *sb);

/*
 * A file system embeds this at the start of its own inode. Owner, mode, times, size and nlink
 * change under `lock` held for writing; single words may be read without it.
 */
struct inode {
    const struct inode_ops *ops;
    const struct file_ops *file_ops; /* what an opened regular file or directory gets */
    struct superblock *sb;
    atomic_t refs;
    uint32_t mode;
    uint32_t uid, gid, nlink;
    uint64_t ino, size, blocks, rdev;
    struct fs_time atime, mtime, ctime, btime;
    unsigned flags; /* INODE_* */
    struct rwlock lock;
    atomic_t writers;            /* open for writing; < 0: that many deny it (running programs) */
    struct vm_object *object;    /* for mmap; NULL if it cannot be mapped */
    struct pipe *fifo;           /* S_IFIFO: kernel/file's, see <file/pipe.h> */
    void *bound;                 /* S_IFSOCK: the listening socket, see inode_bind */
    struct inode_watch *watches; /* inotify; <fs/notify.h> */
    struct file_locks *locks;    /* flock and fcntl, made on first use; <fs/lock.h> */
    struct inode *hash_next;     /* icache.c */
    struct deferred deferred;
};

#define INODE_HASHED      64u  /* in the table of inodes by number */
#define INODE_VOLATILE    1u   /* its name is never cached (/proc/N) */
#define INODE_NO_NEGATIVE 128u /* a directory where names may appear by themselves */
#define INODE_DEAD        2u   /* a removed directory: nothing can be created in it */
#define INODE_APPEND      4u   /* FS_APPEND_FL */
#define INODE_IMMUTABLE   8u   /* FS_IMMUTABLE_FL */
#define INODE_TMPFILE     32u  /* made by O_TMPFILE: may still be linked */
#define INODE_SEALS       16u  /* memfd: fcntl(F_ADD_SEALS) applies */

/* Sets what is generic of a zeroed inode; one reference; takes one of sb. nlink is 1. Does not
 * sleep. */
void inode_init(struct inode *inode, struct superblock *sb, const struct inode_ops *ops,
                uint32_t mode, uint64_t ino);
void inode_times_now(struct inode *inode);
static inline struct inode *inode_ref(struct inode *inode)
{
    atomic_inc(&inode->refs);
    return inode;
}
void inode_unref(struct inode *inode);

/* MAY_* bits of inode_permission. */
#define MAY_EXEC  1u
#define MAY_WRITE 2u
#define MAY_READ  4u
/* 0, -EACCES, or -EROFS for MAY_WRITE on a read-only file system. */
int inode_permission(struct inode *inode, unsigned may, const struct cred *cred);
/* True if cred owns the inode or has CAP_FOWNER. */
bool inode_owner(const struct inode *inode, const struct cred *cred);

int inode_getattr(struct inode *inode, struct inode_stat *stat);
/* With permission checks and set-id clearing of chmod(2), chown(2), utimensat(2), truncate(2). */
int inode_setattr(struct inode *inode, const struct attr_change *change, const struct cred *cred);
/* After a write by someone without CAP_FSETID: set-id bits go. inode->lock held for writing. */
void inode_drop_setid_locked(struct inode *inode, const struct cred *cred);

/* Writers against running programs (ETXTBSY). 0 or -ETXTBSY; undo with the put. */
int inode_get_write(struct inode *inode);
void inode_put_write(struct inode *inode);
int inode_deny_write(struct inode *inode);
void inode_allow_write(struct inode *inode);

#endif
