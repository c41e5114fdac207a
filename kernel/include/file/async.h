/* SPDX-License-Identifier: MIT */
/*
 * Signals for what happens to an open file (O_ASYNC, fcntl(2) F_SETOWN and F_SETSIG). The file's
 * queues are watched as epoll does; a wake is noted, in any context, and the signal is sent where
 * signals can be: by the thread that woke, on its way back to its program, or by the worker.
 *
 * Only files whose operations have FILE_OPS_ASYNC signal; with others the flag means nothing.
 */
#ifndef FILE_ASYNC_H
#define FILE_ASYNC_H

#include <lib/types.h>

struct file;

enum file_owner_kind { FILE_OWNER_TASK, FILE_OWNER_PROCESS, FILE_OWNER_GROUP };

struct file_owner {
    enum file_owner_kind kind;
    int id;             /* 0: nobody */
    uint32_t uid, euid; /* of who set it */
    int signal;         /* F_SETSIG; 0: SIGIO, without telling what happened */
};

/* All zero if it was never set. Thread context, as all of these. */
void file_get_owner(struct file *file, struct file_owner *owner);

/* Without `signal`, which stays; and that alone. 0, -ENOMEM. */
int file_set_owner(struct file *file, const struct file_owner *owner);
int file_set_owner_signal(struct file *file, int signal);

/* O_ASYNC of a file with FILE_OPS_ASYNC; `number` is the descriptor to tell. 0, -ENOMEM. */
int file_async_set(struct file *file, int number, bool on);

/* The last reference has gone. */
void file_async_release(struct file *file);

/* Sends what is noted. From the way back to the program, nothing held: may sleep. */
void file_async_flush(void);

/* si_code of what happened (sigaction(2)). */
enum file_async_code {
    ASYNC_IN = 1,
    ASYNC_OUT,
    ASYNC_MESSAGE,
    ASYNC_ERROR,
    ASYNC_PRIORITY,
    ASYNC_HUP
};

/* linux defines it: tells the owner. Thread context. */
void file_async_signal(const struct file_owner *owner, int number, enum file_async_code code);

#endif
