/* SPDX-License-Identifier: MIT
 *
 * The root file system being put together, in memory: names, owners, modes and links; the bytes of
 * regular files stay where they are (a file on the host, a part of an open spool file, or memory)
 * until the image is written. Nothing is unpacked on the host, so no root is needed to keep owners.
 *
 * Paths are absolute paths of the guest. Symbolic links in the folders of a path are followed
 * inside the tree, so that /bin/sh of a package lands in /usr/bin where /bin is a link to usr/bin.
 */
#ifndef TOOL_TREE_H
#define TOOL_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "buffer.h"

/* Time of all that has no time of its own, and of the image: 2024-01-01 00:00:00 UTC. */
#define TREE_EPOCH 1704067200

struct node {
    mode_t mode; /* type and permission bits */
    uint32_t uid;
    uint32_t gid;
    int64_t mtime;
    uint32_t rdev;  /* encoded as Linux's new_encode_dev */
    uint32_t links; /* names of a file; set by tree_count_links() */
    uint64_t size;  /* of a regular file or of a link's text */

    /* Regular file: exactly one of these; link: data is the target. */
    char *data;      /* owned */
    char *host_path; /* owned; opened when the image is written */
    int spool;       /* descriptor, not owned; -1: none */
    uint64_t offset; /* in spool */

    struct entry *entries; /* of a directory, sorted by name */
    size_t count;
    size_t references;

    /* Set and used by erofs_write.c. */
    uint64_t nid;
    uint32_t block;
    uint32_t inode_number;
};

struct entry {
    char *name;
    struct node *node;
};

struct tree {
    struct node *root;
};

void tree_init(struct tree *tree);
void tree_free(struct tree *tree);

struct node *node_create(mode_t mode, uint32_t uid, uint32_t gid, int64_t mtime);
void node_unref(struct node *node);

/* NULL if absent. follow: also the last part of the path, where it is a link. */
struct node *tree_find(const struct tree *tree, const char *path, bool follow);

/* The path with all links resolved, owned by the caller; NULL if it does not exist. */
char *tree_resolve(const struct tree *tree, const char *path);

/* Entry of a directory, or NULL. */
struct node *node_entry(const struct node *directory, const char *name);

/*
 * Puts node at path and takes over the caller's reference. Missing folders are made (root, 0755).
 * What is there is replaced, but: a directory onto a directory changes owner, mode and time only,
 * and a directory onto a link to a directory changes nothing. 0, or -ENOTDIR, -EISDIR, -ELOOP,
 * -EINVAL.
 */
int tree_put(struct tree *tree, const char *path, struct node *node);

/* Another name of the file at `target`. 0, or -ENOENT or as tree_put. */
int tree_put_link(struct tree *tree, const char *path, const char *target);

/* Removes path with all below it. 0 or -ENOENT. */
int tree_remove(struct tree *tree, const char *path);

/* Short forms, owned by root, with TREE_EPOCH. */
int tree_add_directory(struct tree *tree, const char *path, mode_t permissions);
int tree_add_text(struct tree *tree, const char *path, mode_t permissions, const char *text);
int tree_add_symlink(struct tree *tree, const char *path, const char *target);
int tree_add_host_file(struct tree *tree, const char *path, mode_t permissions,
                       const char *host_path);

/* Sets `links` of every node; needed before an image is written. */
void tree_count_links(struct tree *tree);

/* Bytes of a regular file, NUL-terminated and owned by the caller; NULL and errno when unreadable.
 */
char *node_read(const struct node *node, size_t *size);

/* Calls visit for each entry, folders first, in order of names. Stops at a value other than 0. */
typedef int tree_visit_fn(const char *path, struct node *node, void *context);
int tree_walk(const struct tree *tree, const char *path, tree_visit_fn *visit, void *context);

#endif
