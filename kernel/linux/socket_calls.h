/* SPDX-License-Identifier: MIT */
/* Shared by socket.c (state) and message.c (bytes): sockets by descriptor, names from and to
 * programs. */
#ifndef LINUX_SOCKET_CALLS_H
#define LINUX_SOCKET_CALLS_H

#include <net/socket.h>

#include "files.h"

struct unix_sock;

/* A socket and what keeps it alive. -EBADF, -ENOTSOCK. Undo with fd_put(out->fd). */
struct socket_ref {
    struct fd fd;
    struct socket *socket;
};
int socket_get(unsigned number, struct socket_ref *out);

/* 0, -EINVAL, -EFAULT. A local path is cut at its NUL and counted with it, as Linux does. */
int socket_name_from_user(vaddr_t user, int len, struct socket_name *name);

/* To a program: at most *user_len bytes, and the true length there. Nothing if user is NULL. */
int socket_name_to_user(const struct socket_name *name, vaddr_t user, vaddr_t user_len);

/* The local socket that a path names, with a reference. -ECONNREFUSED, errors of the path walk. */
int unix_target_of_path(const struct socket_name *name, struct unix_sock **out);

#endif
