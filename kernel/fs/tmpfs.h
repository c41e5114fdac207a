/* SPDX-License-Identifier: MIT */
/*
 * tmpfs, and the overlay made of it. An overlay is a tmpfs whose inodes may stand over one of a
 * read-only file system: directories show the lower names that have no entry of their own, files
 * show the lower pages that have no page of their own. So a change copies a page, not a file, an
 * inode keeps its number and identity when it is changed, and a directory can be moved as it is.
 */
#ifndef FS_TMPFS_H
#define FS_TMPFS_H

#include <core/lock.h>
#include <lib/compiler.h>
#include <lib/list.h>
#include <lib/rbtree.h>
#include <mm/object.h>
#include <mm/pagecache.h>

#include "fs.h"

struct tmpfs {
    struct superblock sb;
    struct superblock *lower; /* NULL: plain tmpfs */
    uint64_t limit_pages;
    int64_t limit_inodes;
    atomic64_t used_pages, used_inodes, next_ino;
    uint32_t root_mode;
    bool show_limit;
    struct spinlock lock;
    struct list_node
        kept; /* inodes with `keep` linked in: directories with entries, changed ones */
};

struct tmpfs_entry {
    struct rb_node by_name, by_cookie;
    struct inode *inode; /* a reference; NULL: a whiteout, which hides a lower name */
    uint64_t cookie;     /* its position in readdir */
    uint32_t hash;
    uint32_t len;
    char text[];
};

struct tmpfs_xattr {
    struct tmpfs_xattr *next;
    size_t size;
    char *name; /* behind the value */
    uint8_t value[];
};

/* Fields below `inode` change under inode.lock held for writing, but for what get() does. */
struct tmpfs_inode {
    struct inode inode;
    struct list_node keep; /* tmpfs.lock */
    atomic_t changed;      /* over a lower inode and no longer like it: holds itself */
    struct inode *lower;   /* a reference, or NULL */
    uint64_t lower_size;   /* so much of the lower file still shows */
    struct tmpfs_xattr *xattrs;
    bool own_xattrs; /* the lower ones were copied */
    bool counted;    /* in used_inodes: not one that stands over a lower one */
    union {
        struct { /* directories */
            struct rb_root by_name, by_cookie;
            uint64_t next_cookie;
            uint64_t count; /* entries that are not whiteouts */
        };
        struct { /* files */
            struct vm_object object;
            uint64_t charged; /* pages counted in used_pages; object.lock */
            unsigned seals;
        };
        char *target; /* symbolic links; NULL: the lower one's */
    };
};

static inline struct tmpfs *tmpfs_of(const struct inode *inode)
{
    return container_of(inode->sb, struct tmpfs, sb);
}

static inline struct tmpfs_inode *tmpfs_inode_of(const struct inode *inode)
{
    return container_of(inode, struct tmpfs_inode, inode);
}

/* tmpfs.c */
int tmpfs_inode_new(struct tmpfs *fs, const struct inode_init *init, struct inode **out);
/* The inode that stands over `lower`, whose reference it takes over also on error. */
int tmpfs_inode_over(struct tmpfs *fs, struct inode *lower, struct inode **out);
/* The inode is about to differ from its lower one: it stays in memory from now on. */
void tmpfs_changed(struct tmpfs_inode *own);
/* A directory gets its first entry. */
void tmpfs_keep(struct tmpfs_inode *own);
/* nlink is 0: nothing keeps it but who has it open. */
void tmpfs_dropped(struct tmpfs_inode *own);

/* tmpfs_dir.c */
int tmpfs_lookup(struct inode *dir, const struct name *name, struct inode **out);
int tmpfs_create(struct inode *dir, const struct name *name, const struct inode_init *init,
                 struct inode **out);
int tmpfs_link(struct inode *dir, const struct name *name, struct inode *inode);
int tmpfs_unlink(struct inode *dir, const struct name *name, struct inode *inode);
int tmpfs_rename(const struct rename_op *op);
int tmpfs_readdir(struct inode *dir, uint64_t *position, struct dir_sink *sink);
void tmpfs_dir_free(struct tmpfs_inode *dir);

/* tmpfs_data.c */
/* The page at `index` of the inode itself, made if need be, filled from below. A reference. */
int tmpfs_page(struct tmpfs_inode *own, uint64_t index, struct page **page);
/* How many bytes from `position` come from the lower file (0: none). */
uint64_t tmpfs_lower_bytes(const struct tmpfs_inode *own, uint64_t position);
int tmpfs_truncate(struct tmpfs_inode *own, uint64_t size);
int tmpfs_fallocate(struct inode *inode, unsigned mode, uint64_t offset, uint64_t length);
int64_t tmpfs_seek_hole(struct inode *inode, uint64_t offset, bool hole);
void tmpfs_data_free(struct tmpfs_inode *own);
extern const struct vm_object_ops tmpfs_object_ops;
extern const struct file_ops tmpfs_file_ops; /* tmpfs_file.c */

/* tmpfs_xattr.c */
ssize_t tmpfs_getxattr(struct inode *inode, const char *name, void *value, size_t size);
int tmpfs_setxattr(struct inode *inode, const char *name, const void *value, size_t size,
                   unsigned flags);
int tmpfs_removexattr(struct inode *inode, const char *name);
ssize_t tmpfs_listxattr(struct inode *inode, char *list, size_t size);
void tmpfs_xattrs_free(struct tmpfs_inode *own);

#define F_SEAL_SEAL         1u
#define F_SEAL_SHRINK       2u
#define F_SEAL_GROW         4u
#define F_SEAL_WRITE        8u
#define F_SEAL_FUTURE_WRITE 16u

#endif
