/* SPDX-License-Identifier: MIT */
/*
 * Where a thread stands among files: root, current directory, umask. Shared by clone(CLONE_FS).
 * May sleep unless told otherwise.
 */
#ifndef FS_CONTEXT_H
#define FS_CONTEXT_H

#include <arch/atomic.h>
#include <core/lock.h>
#include <fs/path.h>

struct fs_context {
    atomic_t refs;
    struct spinlock lock; /* guards root and cwd; umask is one word */
    struct path root, cwd;
    uint32_t umask;
};

/* The kernel's own and the first program's: set up by fs_mount_root, umask 022. */
extern struct fs_context fs_init_context;

/* Of the running thread; defined by kernel/linux; &fs_init_context for kernel threads. */
struct fs_context *fs_current(void);

struct fs_context *fs_context_copy(struct fs_context *from); /* one reference, or NULL */
struct fs_context *fs_context_ref(struct fs_context *context);
void fs_context_unref(struct fs_context *context);

/* Own references in *out. Do not sleep. */
void fs_context_root(struct fs_context *context, struct path *out);
void fs_context_cwd(struct fs_context *context, struct path *out);

#endif
