/* SPDX-License-Identifier: MIT */
/*
 * Local sockets (unix(7)). Names in the file system are resolved above (linux/socket.c): a bound
 * socket is known by the address of its inode.
 */
#ifndef NET_UNIX_H
#define NET_UNIX_H

#include <net/socket.h>

#define UNIX_PATH_MAX 108 /* of sun_path */

/* Registers the family (init/main.c, once). */
void unix_init(void);

/* Whether a name is a path (and not abstract or empty). */
bool unix_name_is_path(const struct socket_name *name);

/*
 * bind to a path: `inode` is the key for connects, `place` is kept and handed to `drop` when the
 * socket goes. 0, or -EINVAL when it is bound already (place stays the caller's).
 */
int unix_bind_place(struct socket *socket, const struct socket_name *name, const void *inode,
                    void *place, void (*drop)(void *place));

/* Whether the socket has a name: to be asked before an inode is made for it. */
bool unix_is_bound(struct socket *socket);

/* The bound socket behind an inode, as an opaque target with a reference; NULL: nobody listens
 * there. */
struct unix_sock *unix_find_place(const void *inode);
void unix_target_unref(struct unix_sock *target);

/* connect and sendto where the destination is a path: `target` as found, not consumed. */
int unix_connect_to(struct socket *socket, struct unix_sock *target, unsigned file_flags);
ssize_t unix_send_to(struct socket *socket, struct unix_sock *target, struct io *io,
                     struct socket_message *message);

#endif
