/* SPDX-License-Identifier: MIT */
/*
 * Opening by name, and what the file system calls need of an open file. Every function may sleep.
 */
#ifndef FS_OPEN_H
#define FS_OPEN_H

#include <file/flags.h>
#include <fs/path.h>
#include <lib/types.h>

struct file;

struct open_request {
    unsigned flags;  /* O_* */
    uint32_t mode;   /* with O_CREAT and O_TMPFILE, before the umask */
    unsigned lookup; /* LOOKUP_NO_XDEV ... LOOKUP_CACHED, from openat2's resolve */
};

/* A new file with one reference. Errors of open(2); flags that openat rejects are the caller's. */
int fs_open(const struct path *at, const char *name, const struct open_request *request,
            struct file **out);
/* A file of what path_lookup has found, without asking whether the caller may; takes the path's
 * references over, also on an error. */
int fs_open_found(struct path *path, unsigned flags, struct file **out);
/* What a file holds (up to `limit` bytes, else -EFBIG) as a string to be freed, looked at in its
 * pages without opening it; -EINVAL for what cannot be mapped. */
int fs_read_text(const char *name, size_t limit, char **out);
/* For execve: a regular file, executable by the caller, not on a noexec mount; writers are denied
 * (-ETXTBSY) until fs_close_exec. */
int fs_open_exec(const struct path *at, const char *name, unsigned lookup, struct file **out);
void fs_close_exec(struct file *file); /* allows writers and drops the reference */

/* An unnamed tmpfs file for memfd_create and shared anonymous memory. */
int fs_memfd(const char *name, unsigned flags, struct file **out);

/* Borrowed from the file: valid while its reference is held. -EBADF if it has none (pipe, socket).
 */
int path_of_file(struct file *file, struct path *out);
/* As above, for a file of any kind: makes up a place ("pipe:[12]") if it has none. Own references.
 */
int path_for_file(struct file *file, struct path *out);

/* What mounted file systems and opened disks hold back goes to where it stays, also when one of
 * them fails. 0 or an error of one. May sleep. */
int fs_sync_all(void);
/* Everything else (seek, readdir, truncate, allocate, sync) is in file->ops. */
int fs_file_stat(struct file *file, struct inode_stat *stat);

/* F_ADD_SEALS, F_GET_SEALS of memfd_create files: -EINVAL for others. */
int fs_add_seals(struct file *file, unsigned seals);
int fs_get_seals(struct file *file);

#endif
