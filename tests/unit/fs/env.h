/* SPDX-License-Identifier: MIT */
/* What tests of kernel/fs share: a world in which it runs, and small helpers. */
#ifndef UNIT_FS_ENV_H
#define UNIT_FS_ENV_H

#include <unit.h>

#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/path.h>

struct file;
struct open_request;

/* Starts kernel/fs anew (once a process) with an empty tmpfs as root, or over an image in memory.
 */
void env_start(const void *image, size_t size);
void env_pages_init(void);
uint64_t env_pages_out(void);

/* Who acts from now on. */
void env_act_as(const struct cred *cred);

/* An EROFS image of a host directory, page-aligned: made by mkfs.erofs with these further options.
 */
void *env_make_image(const char *directory, const char *options, size_t *size);

/* By name from the root; all return 0 or -errno, or what is asked. */
int env_open(const char *name, unsigned flags, uint32_t mode, struct file **out);
ssize_t env_write(const char *name, uint64_t position, const void *data, size_t size);
ssize_t env_read(const char *name, uint64_t position, void *data, size_t size);
int env_stat(const char *name, struct inode_stat *stat); /* does not follow */
int env_truncate(const char *name, uint64_t size);
ssize_t env_readlink(const char *name, char *buffer, size_t size);
/* The names in a directory, sorted, one a line. */
int env_list(const char *name, char *buffer, size_t size);

/* tree_test.c */
int tree_test(bool overlay);

#endif
