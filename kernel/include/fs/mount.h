/* SPDX-License-Identifier: MIT */
/*
 * Mounts: the tree of file systems. Every function may sleep.
 */
#ifndef FS_MOUNT_H
#define FS_MOUNT_H

#include <arch/atomic.h>
#include <fs/path.h>
#include <lib/list.h>
#include <lib/types.h>

/* mount(2) flags, as Linux numbers them. */
#define MS_RDONLY      1u
#define MS_NOSUID      2u
#define MS_NODEV       4u
#define MS_NOEXEC      8u
#define MS_SYNCHRONOUS 16u
#define MS_REMOUNT     32u
#define MS_NOSYMFOLLOW 256u
#define MS_NOATIME     1024u
#define MS_NODIRATIME  2048u
#define MS_BIND        4096u
#define MS_MOVE        8192u
#define MS_REC         16384u
#define MS_RELATIME    (1u << 21)
#define MS_STRICTATIME (1u << 24)
#define MS_PROPAGATION (0xfu << 17) /* MS_UNBINDABLE, PRIVATE, SLAVE, SHARED */

#define MOUNT_LOOSE (1u << 31) /* the kernel's own, for files without a place among the mounts */

struct mount {
    atomic_t refs;
    unsigned flags; /* MS_RDONLY.. MS_NOATIME */
    int id;
    struct superblock *sb;
    struct dentry *root;       /* what shows at the mount point */
    struct mount *parent;      /* NULL for the first, and when detached */
    struct dentry *mountpoint; /* in parent */
    struct list_node all;      /* every field from parent on: mount_lock */
    struct mount *hash_next;
    struct deferred deferred;
    char source[]; /* "none", "/dev/vda" */
};

/* A file system type: mount(2) finds it by name, /proc/filesystems lists it. */
struct fs_type {
    const char *name;
    bool needs_device; /* absence shows as "nodev" */
    int (*mount)(const char *source, const char *options, unsigned flags, struct superblock **out);
    struct fs_type *next;
};
void fs_type_register(struct fs_type *type); /* at start-up, before programs run */

/* Called once, first of all: the caches. */
void fs_init(void);

/*
 * The root: an EROFS image in RAM at [image, image + size), pinned and read-only from now on, under
 * a tmpfs overlay capped at `overlay_limit` bytes (0: half of RAM). Sets fs_init_context. A damaged
 * image: -EUCLEAN, -EINVAL or -EIO, after one line that says what was found where.
 */
int fs_mount_root(paddr_t image, uint64_t size, uint64_t overlay_limit);
/* The same with an EROFS image that a disk holds from its first byte on, read as it is needed. */
struct blkdev;
int fs_mount_root_disk(struct blkdev *disk, uint64_t overlay_limit);
/* Without an image: an empty tmpfs as root (a program handed over by itself). */
int fs_mount_empty_root(uint64_t overlay_limit);

/* Once there is a root and devices have been found: the types of file systems, what programs expect
 * in /dev, and /dev, /dev/shm, /proc and /sys, mounted where the image has these directories (or
 * they are made in the overlay). An error has been told. */
int fs_mount_system(void);

/* mount(2), umount2(2). options may be NULL. -EPERM without CAP_SYS_ADMIN. */
int fs_mount(const char *source, const struct path *at, const char *target, const char *type,
             unsigned flags, const char *options);
int fs_unmount(const struct path *at, const char *target, unsigned flags);

/* Texts of /proc/N/mounts and /proc/N/mountinfo as the running thread sees them. */
struct pseudo_text;
struct pseudo_entry;
int mounts_show(struct pseudo_text *text, const struct pseudo_entry *entry);
int mountinfo_show(struct pseudo_text *text, const struct pseudo_entry *entry);

void mount_ref(struct mount *mount);
void mount_unref(struct mount *mount);

#endif
