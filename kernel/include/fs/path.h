/* SPDX-License-Identifier: MIT */
/*
 * Names to places: dentries (the cache of names), struct path, and the walk of path_resolution(7).
 * Every function may sleep. `at` is where a relative name starts; NULL is the current directory.
 * Names are kernel strings (NUL-terminated, at most PATH_MAX with the NUL).
 */
#ifndef FS_PATH_H
#define FS_PATH_H

#include <arch/atomic.h>
#include <core/defer.h>
#include <fs/inode.h>
#include <lib/list.h>

struct mount;

/* The text of a dentry's name; replaced as a whole by rename, freed after a grace period. */
struct dentry_name {
    struct deferred deferred;
    uint32_t hash;
    uint32_t len;
    char text[]; /* NUL-terminated */
};

/*
 * A name in a directory. Found without a lock (kernel/fs/dcache.c); parent and name change only
 * under the rename lock and both directories' locks. Holds references to its parent and its inode;
 * the cache holds one to it while it is hashed. `inode` goes from NULL to its value once.
 */
struct dentry {
    struct dentry *parent; /* itself for a root */
    struct dentry_name *name;
    struct inode *inode; /* NULL: known not to exist */
    struct superblock *sb;
    atomic_t refs;
    unsigned flags; /* DENTRY_* under dcache_lock, as the rest */
    struct dentry *hash_next;
    struct list_node children;
    struct list_node sibling;
    struct list_node cached; /* every hashed dentry, oldest first */
    struct deferred deferred;
};

#define DENTRY_HASHED  1u
#define DENTRY_MOUNTED 2u /* something is mounted here, in some mount */
#define DENTRY_DELETED 4u /* its name was removed */
#define DENTRY_USED    8u /* looked up since the last pass of the pruner */

struct dentry *dentry_ref(struct dentry *dentry);
void dentry_unref(struct dentry *dentry);
/* A root dentry for an inode whose reference it takes over; also for files without a name. */
struct dentry *dentry_make_root(struct inode *inode, const char *name);
/* Drops unused dentries, oldest first, at most `count`; returns how many. For memory pressure. */
size_t dcache_prune(size_t count);

/* A place: both references are held by whoever owns the struct. */
struct path {
    struct mount *mount;
    struct dentry *dentry;
};
void path_ref(const struct path *path);
void path_unref(const struct path *path);
static inline struct inode *path_inode(const struct path *path)
{
    return path->dentry->inode;
}

/* Flags of path_lookup. The RESOLVE bits have openat2's meaning. */
#define LOOKUP_FOLLOW        1u /* follow a symbolic link in the last component */
#define LOOKUP_DIRECTORY     2u /* -ENOTDIR unless the result is a directory */
#define LOOKUP_EMPTY         4u /* "" means `at` itself (AT_EMPTY_PATH) */
#define LOOKUP_NO_XDEV       0x100u
#define LOOKUP_NO_MAGICLINKS 0x200u
#define LOOKUP_NO_SYMLINKS   0x400u
#define LOOKUP_BENEATH       0x800u
#define LOOKUP_IN_ROOT       0x1000u
#define LOOKUP_CACHED        0x2000u /* -EAGAIN when the file system would have to be asked */

/*
 * Resolves a name that must exist. On 0, *out owns references.
 * -ENOENT (also for ""), -ENOTDIR, -EACCES, -ELOOP (more than 40 links), -ENAMETOOLONG, -EXDEV.
 */
int path_lookup(const struct path *at, const char *name, unsigned flags, struct path *out);

/* The absolute name of a path, seen from `root` (NULL: the caller's), as /proc and getcwd tell it:
 * "(unreachable)" in front when it is not below root, " (deleted)" behind when it was removed.
 * Returns the length without NUL, or -ENAMETOOLONG. */
ssize_t path_name(const struct path *path, const struct path *root, char *buffer, size_t size);
/* getcwd(2): as path_name but -ENOENT for a removed directory. */
ssize_t path_cwd(char *buffer, size_t size);

/*
 * The operations behind the system calls of the same names, with their errors.
 * `mode` is the program's: the umask is applied here.
 */
int fs_mkdir(const struct path *at, const char *name, uint32_t mode);
int fs_mknod(const struct path *at, const char *name, uint32_t mode, uint64_t rdev);
int fs_symlink(const char *target, const struct path *at, const char *name);
int fs_unlink(const struct path *at, const char *name);
int fs_rmdir(const struct path *at, const char *name);
/* flags: LOOKUP_FOLLOW, LOOKUP_EMPTY for the old name. */
int fs_link(const struct path *old_at, const char *old_name, const struct path *new_at,
            const char *new_name, unsigned flags);
int fs_rename(const struct path *old_at, const char *old_name, const struct path *new_at,
              const char *new_name, unsigned flags);
/* bind(2) of a local socket: makes an S_IFSOCK inode; *out owns references. -EADDRINUSE if there.
 */
int fs_bind(const char *name, uint32_t mode, void *socket, struct path *out);

/* The same on a path already looked up. */
ssize_t fs_readlink(const struct path *path, char *buffer, size_t size);
int fs_stat(const struct path *path, struct inode_stat *stat);
int fs_setattr(const struct path *path, const struct attr_change *change);
int fs_truncate(const struct path *path, uint64_t size);
int fs_statfs(const struct path *path, struct statfs_info *info, unsigned *mount_flags);
/* may: MAY_*, 0 asks for existence only. */
int fs_access(const struct path *path, unsigned may, const struct cred *cred);
ssize_t fs_getxattr(const struct path *path, const char *name, void *value, size_t size);
int fs_setxattr(const struct path *path, const char *name, const void *value, size_t size,
                unsigned flags);
int fs_removexattr(const struct path *path, const char *name);
ssize_t fs_listxattr(const struct path *path, char *list, size_t size);
int fs_chdir(const struct path *path); /* takes its own references */
int fs_chroot(const struct path *path);

#endif
