/* SPDX-License-Identifier: MIT */
/*
 * The descriptor table: small integers to files. Threads of a process share one; execve unshares
 * it, fork copies it. Look-ups take no lock: the slot array is replaced whole when it grows and
 * freed by defer_free, and a file is taken with file_try_ref and checked against its slot again.
 * Changes take `lock`.
 */
#ifndef FILE_FDTABLE_H
#define FILE_FDTABLE_H

#include <arch/atomic.h>
#include <arch/barrier.h>
#include <core/defer.h>
#include <core/lock.h>
#include <file/file.h>
#include <lib/types.h>

struct fd_slots {
    struct deferred free;
    unsigned size;       /* a multiple of 64 */
    unsigned long *open; /* bit: descriptor in use or reserved */
    unsigned long *cloexec;
    struct file *slot[];
};

struct fd_table {
    atomic_t users;         /* tasks that share it (CLONE_FILES); 1 = the calling thread is alone */
    struct spinlock lock;   /* guards changes of all below */
    unsigned next;          /* no free descriptor below it */
    struct fd_slots *slots; /* read without lock */
};

/* A file found by number: borrowed from the table when nobody else can close it, else a reference.
 */
struct fd {
    struct file *file; /* NULL: no such descriptor */
    bool counted;
};

/* An empty table with one user; NULL when out of memory. */
struct fd_table *fd_table_create(void);

/* A copy for fork: every open file gets a reference. NULL when out of memory. */
struct fd_table *fd_table_copy(struct fd_table *from);

static inline void fd_table_ref(struct fd_table *table)
{
    atomic_inc(&table->users);
}

/* Drop one user; the last closes everything. May sleep. The caller's task no longer points to it.
 */
void fd_table_unref(struct fd_table *table);

/*
 * Whether the calling thread, which uses the table, is the only one that can change it. The acquire
 * pairs with the release of the other user's fd_table_unref().
 */
static inline bool fd_table_is_private(const struct fd_table *table)
{
    return smp_load_acquire(&table->users.v) == 1;
}

struct fd fd_get_shared(struct fd_table *table, unsigned number);

/*
 * The file of a descriptor, for the time of one system call of a thread that uses `table` itself.
 * O_PATH files are found too (callers check FILE_PATH or use file_read and others that do).
 */
static inline struct fd fd_get(struct fd_table *table, unsigned number)
{
    if (likely(fd_table_is_private(table))) {
        struct fd_slots *slots = table->slots;
        struct fd fd = {NULL, false};
        if (number < slots->size)
            fd.file = slots->slot[number];
        return fd;
    }
    return fd_get_shared(table, number);
}

static inline void fd_put(struct fd fd)
{
    if (fd.counted)
        file_unref(fd.file);
}

/* A counted reference from any thread's table (for /proc, pidfd_getfd, SCM_RIGHTS); NULL if not
 * open. */
struct file *fd_get_file(struct fd_table *table, unsigned number);

/*
 * Reserve the lowest free number >= min and < limit (RLIMIT_NOFILE): the number, -EMFILE, -ENOMEM,
 * -EINVAL when min >= limit. A reserved number is in use but finds no file until fd_install.
 */
int fd_reserve(struct fd_table *table, unsigned min, unsigned limit, bool cloexec);

/* Give a reserved number its file; takes over the caller's reference. Cannot fail. */
void fd_install(struct fd_table *table, unsigned number, struct file *file);

/* Give a reserved number back. */
void fd_cancel(struct fd_table *table, unsigned number);

/* fd_reserve and fd_install in one. On error the reference stays with the caller. */
int fd_add(struct fd_table *table, struct file *file, unsigned limit, bool cloexec);

/* Fills a table that is being set up, whose numbers below a small `number` are used and no others.
 * Takes over the reference. */
void fd_append(struct fd_table *table, unsigned number, struct file *file);

/* close: 0, -EBADF, or what flush said (the descriptor is gone in any case). May sleep. */
int fd_close(struct fd_table *table, unsigned number);

/* close_range: descriptors first..last that are open; with set_cloexec only mark them. */
int fd_close_range(struct fd_table *table, unsigned first, unsigned last, bool set_cloexec);

/* dup2/dup3: make `to` refer to `file`, closing what it was. Takes no reference over. `to` or
 * -errno. */
int fd_replace(struct fd_table *table, unsigned to, struct file *file, unsigned limit,
               bool cloexec);

/* execve: close what is marked. The table has one user. */
void fd_close_on_exec(struct fd_table *table);

/* FD_CLOEXEC: 0/1 or -EBADF. */
int fd_get_cloexec(struct fd_table *table, unsigned number);
int fd_set_cloexec(struct fd_table *table, unsigned number, bool on);

/* The lowest open descriptor >= from, or -1. For /proc/N/fd. */
int fd_next(struct fd_table *table, unsigned from);

#endif
