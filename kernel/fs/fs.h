/* SPDX-License-Identifier: MIT */
/* What the files of kernel/fs share among themselves. */
#ifndef FS_FS_H
#define FS_FS_H

#include <fs/context.h>
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <fs/path.h>
#include <mm/object.h>
#include <mm/page.h>

struct file;

/* inode.c: stores what *change says, but for the size; ctime is now. lock held for writing. */
void inode_apply_attr_locked(struct inode *inode, const struct attr_change *change);

/* As inode_setattr for someone who may write by other right (an open file). */
int inode_truncate(struct inode *inode, const struct attr_change *change, const struct cred *cred);

/*
 * An object embedded with an inode lives as long as the inode does; its references are those of
 * mappings, and while there is one it holds the inode. Its release is inode_unref.
 */
void inode_object_init(struct inode *inode, struct vm_object *object,
                       const struct vm_object_ops *ops, uint32_t flags);
struct vm_object *inode_object_get(struct inode *inode);

/* The permission bits and capabilities alone, for an inode_ops.permission of one's own. */
int inode_permission_by_mode(struct inode *inode, unsigned may, const struct cred *cred);
/* atime after a read, as relatime and O_NOATIME want it. */
void inode_accessed(struct file *file);

/* icache.c: inodes by number, for file systems where one inode has several names. */
void icache_init(void);
struct inode *icache_find(struct superblock *sb, uint64_t ino); /* a reference, or NULL */
/* Enters a new inode; if another with its number came first, that one (with a reference) is
 * returned and the caller drops its own. */
struct inode *icache_add(struct inode *inode);
void icache_remove(struct inode *inode);

/* dcache.c */
void dcache_init(void);
/* The child called `name`, from the cache or the file system: a reference in *out; a dentry without
 * inode when there is none. -ENOENT in a removed directory; -EAGAIN if cached_only and unknown. */
int dentry_lookup(struct dentry *dir, const struct name *name, bool cached_only,
                  struct dentry **out);
/* The cached child without a reference, or NULL; within a reading section, to be checked with
 * rename_read_retry. */
struct dentry *dentry_peek(struct dentry *dir, const struct name *name);
/* The same with dir->inode->lock held. */
int dentry_lookup_locked(struct dentry *dir, const struct name *name, struct dentry **out);
/* The inode of a new name; takes over the reference. dir's lock held for writing. */
void dentry_instantiate(struct dentry *dentry, struct inode *inode);
/* The name is gone: out of the cache, shown as deleted. Directory's lock held for writing. */
void dentry_delete(struct dentry *dentry);
/* A move of `dentry` to the name and parent of `target`, which is deleted, or an exchange of the
 * two: what may fail comes first, then either of the others. Directories' and rename locks held. */
struct dentry_move {
    struct dentry *dentry, *target;
    struct dentry_name *new_name, *back_name;
};
int dentry_move_prepare(struct dentry_move *move, struct dentry *dentry, struct dentry *target);
void dentry_move_cancel(struct dentry_move *move);
void dentry_move(struct dentry_move *move, bool exchange);
/* A dentry that no look-up finds (O_TMPFILE), shown as deleted; takes over the inode reference. */
int dentry_make_unnamed(struct dentry *dir, struct inode *inode, struct dentry **out);
void dentry_set_mounted(struct dentry *dentry, bool mounted);
/* All unused dentries of a file system that goes away. */
void dcache_prune_super(struct superblock *sb);
/* True if `dentry` is `ancestor` or lies below it (same file system). */
bool dentry_is_below(struct dentry *dentry, const struct dentry *ancestor);
/* A reference to the parent. */
struct dentry *dentry_parent(struct dentry *dentry);
/* Readers of more than one name (path_name) retry when a rename came between. */
uint32_t rename_read_begin(void);
bool rename_read_retry(uint32_t sequence);

/* walk.c: a walk in steps, for those who treat the last component themselves. */
enum last_type { LAST_NAME, LAST_NONE, LAST_DOT, LAST_DOTDOT };
#define WALK_LINKS_MAX 40

struct walk_links;
struct walk {
    struct path path; /* where it is; own references once path_held, which walk_to_last sees to */
    struct path root;
    bool path_held, root_held;
    const struct cred *cred;
    const char *rest;
    struct walk_links *links; /* NULL until a link is met */
    unsigned flags, link_count;
    enum last_type last_type;
    struct name last;
    bool trailing_slash;
};
int walk_start(struct walk *walk, const struct path *at, const char *name, unsigned flags);
/* Up to the directory that holds the last component, which is left in last, last_type. */
int walk_to_last(struct walk *walk);
/* Steps to a looked-up child (whose reference it takes): crosses mounts. The child has an inode. */
void walk_enter(struct walk *walk, struct dentry *child);
/* walk->path is a symbolic link: goes to where its text starts; walk_to_last comes next unless the
 * walk has `jumped` to its end. The directory the link was in is *dir. */
int walk_follow(struct walk *walk, const struct path *dir, bool *jumped);
/* After walk_to_last: steps into what last_type names, following links if `follow`. */
int walk_finish(struct walk *walk, bool follow);
/* The same for one component: 1 when it was a link that is followed; walk_to_last was called. */
int walk_last_once(struct walk *walk, bool follow);
/* Hands the walk's references over to *out. */
void walk_take(struct walk *walk, struct path *out);
void walk_end(struct walk *walk);

/* mount.c */
void mount_init(void);
/* Goes from a mount point to what is mounted on it, as deep as it gets. */
void path_follow_mounts(struct path *path);
/* From a mount's root to its mount point; false at the top. */
bool path_leave_mount(struct path *path);
/* -EROFS for a read-only mount or file system. */
int mount_may_write(const struct path *path);
/* One reference; takes over a use of sb, even if there is no memory for it. `root` is its top, or
 * for a bind mount a directory or file of it. */
struct mount *mount_create(struct superblock *sb, struct dentry *root, const char *source,
                           unsigned flags);
/* Takes over the reference unless it fails; `where` NULL: the first mount of all. */
int mount_attach(struct mount *mount, const struct path *where);
/* A mount of sb's root; the caller keeps its own use of sb. */
int fs_mount_super(struct superblock *sb, const char *source, const struct path *where,
                   unsigned flags);
struct mount *mount_at_index(unsigned index); /* a reference, or NULL: in order of mounting */
const struct fs_type *fs_type_first(void);
void mount_register_proc(void);
/* True if the directory entry has something mounted on it here (rename, unlink: -EBUSY). */
static inline bool dentry_is_mounted(const struct dentry *dentry)
{
    return (READ_ONCE(dentry->flags) & DENTRY_MOUNTED) != 0;
}

/* entry.c: sticky directories and so on, unlink and rename. */
int may_create(struct inode *dir, const struct cred *cred);
int may_delete(struct inode *dir, struct dentry *victim, bool is_dir, const struct cred *cred);
/* Owner, group and mode of something new in dir. */
void inode_init_owner(struct inode_init *init, const struct inode *dir, const struct cred *cred);

/* The inode of a name just looked up and absent; dir's lock held for writing. */
int entry_create_locked(struct dentry *dir, struct dentry *dentry, struct inode_init *init,
                        const struct cred *cred);

/* open.c */
struct file;
int file_attach_path(struct file *file, const struct path *path);
extern const struct file_ops directory_file_ops; /* directory.c */

/* lock.c */
void file_locks_free(struct inode *inode);
void file_locks_released(struct file *file);
int file_lock_flush(struct file *file, const void *owner); /* file_ops.flush */

/* File systems */
struct blkdev;
int erofs_mount_ram(paddr_t image, uint64_t size, struct superblock **out);
int erofs_mount_disk(struct blkdev *disk, struct superblock **out);
int tmpfs_make(uint64_t limit_bytes, const struct inode_init *root, struct superblock **out);
#define TMPFS_MAGIC   0x01021994u /* of statfs(2) */
#define OVERLAY_MAGIC 0x794c7630u
/* A tmpfs over `lower`, whose use it takes over, even if it fails (tmpfs.h). */
int overlay_make(struct superblock *lower, const char *type, uint32_t magic, uint64_t limit_bytes,
                 struct superblock **out);
void tmpfs_register(void);
void pseudofs_register(void);
void devices_register(void);
void disks_register(void); /* block_file.c */
void p9_register(void);

#endif
