/* SPDX-License-Identifier: MIT */
/*
 * Advisory locks: flock(2), and fcntl(2)'s POSIX and open-file-description record locks.
 * May sleep; a blocking request waits interruptibly (-ERESTARTSYS).
 */
#ifndef FS_LOCK_H
#define FS_LOCK_H

#include <lib/types.h>

struct file;

#define LOCK_SH 1
#define LOCK_EX 2
#define LOCK_NB 4
#define LOCK_UN 8

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2

/* Absolute, inclusive range; end UINT64_MAX reaches to the end of the file whatever it will be. */
struct record_lock {
    int type; /* F_RDLCK ... */
    uint64_t start, end;
    int pid; /* of the holder, from file_lock_get; -1 for open-file-description locks */
};

int file_flock(struct file *file, int operation);
/* owner: the process's fd table for POSIX locks, the file itself for OFD. pid is what others see.
 * -EAGAIN (wait false), -EDEADLK (POSIX only), -ENOLCK. */
int file_lock_set(struct file *file, const void *owner, int pid, const struct record_lock *lock,
                  bool wait);
/* The first lock that stands against *lock, or type F_UNLCK. */
int file_lock_get(struct file *file, const void *owner, struct record_lock *lock);
/* A process closed a descriptor of this file: its POSIX locks on the inode go (fcntl(2)). Cheap if
 * there are none; does not sleep then. */
void file_lock_closed(struct file *file, const void *owner);

#endif
