/* SPDX-License-Identifier: MIT
 *
 * A root with its manifest, however it came about: the one thing that every SOURCE becomes.
 */
#ifndef TOOL_ROOT_H
#define TOOL_ROOT_H

#include "image.h"
#include "manifest.h"
#include "options.h"
#include "tree.h"

#define ROOT_DEFAULT_PATH "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct root {
    struct tree tree;
    struct manifest manifest;

    /* A root that lies ready in a file; the tree's nodes refer to it. fd -1: it is still to be
     * written from the tree. */
    int fd;
    uint64_t offset;
    uint64_t size;
    uint8_t digest[32];
    char *image; /* the boot image that holds it already; NULL: none */

    int spool; /* unpacked packages that the tree refers to; -1: none */
};

void root_init(struct root *root);
void root_free(struct root *root);

/* Loads SOURCE. Reports. */
int root_load(struct root *root, const struct options *options);

/* Puts another source's files into the root (--with, or the base of a directory). Reports. */
int root_add(struct root *root, const char *source, const struct options *options);

/* What every root has: folders, mount points, user database. Existing entries are kept. */
void root_add_skeleton(struct root *root);
void root_add_mount_points(struct root *root);

/* Applies ARGs, -e, -w, -u and --name to the manifest, and checks that what it names can run:
 * found, executable, arm64, with its interpreter and libraries. Reports, with 126 or 127. */
int root_choose_program(struct root *root, const struct options *options);

/* Sets the user by what the root's /etc/passwd and /etc/group say, and HOME. Reports. */
int root_set_user(struct root *root, const char *wanted);

/* Writes the manifest into the tree; the last step before the tree is written. Reports one that is
 * longer than the kernel reads. */
int root_seal(struct root *root);

/* Reads a root that lies in a file: its tree and manifest. Reports; name is for messages. */
int root_read(struct root *root, int fd, uint64_t offset, uint64_t size, const char *name);

/* The loaders, one for each kind of source. Each puts files into root->tree and fills the manifest
 * where it knows more. All report. */
int source_elf_load(struct root *root, const char *path, const struct options *options);
int source_directory_load(struct root *root, const char *path, const struct options *options);
int source_deb_load(struct root *root, const char *names, const struct options *options);
int source_deb_add(struct root *root, const char *names, const struct options *options);
int source_oci_load(struct root *root, const char *path, const struct options *options);

#endif
