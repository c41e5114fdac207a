/* SPDX-License-Identifier: MIT */
/* The host's half of tree_test.c: its headers and the kernel's do not go together. */
#ifndef UNIT_FS_TREE_HOST_H
#define UNIT_FS_TREE_HOST_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct host_stat {
    uint32_t mode, nlink;
    uint64_t size;
};
int host_stat(const char *path, struct host_stat *out); /* does not follow */
ssize_t host_readlink(const char *path, char *buffer, size_t size);
void host_umask(unsigned mask);
char *host_mkdtemp(char *name);
/* The names in a directory, sorted, one a line. */
void host_list_names(const char *path, char *text);

extern const char *const names[6];
extern const unsigned rename_flags[7];
extern const unsigned falloc_modes[4];
/* What write number n writes where. */
size_t contents(unsigned n, char *data, uint64_t *position);

int host_mkdir(const char *a, const char *b, unsigned n);
int host_rmdir(const char *a, const char *b, unsigned n);
int host_unlink(const char *a, const char *b, unsigned n);
int host_link(const char *a, const char *b, unsigned n);
int host_symlink(const char *a, const char *b, unsigned n);
int host_rename(const char *a, const char *b, unsigned n);
int host_write(const char *a, const char *b, unsigned n);
int host_truncate(const char *a, const char *b, unsigned n);
int host_fallocate(const char *a, const char *b, unsigned n);
int host_chmod(const char *a, const char *b, unsigned n);
int host_list(const char *a, const char *b, unsigned n);

#endif
