/* SPDX-License-Identifier: MIT */
/*
 * Inside of local sockets. unix.c: life, connections. unix_bind.c: names. unix_data.c: messages.
 * unix_rights.c: descriptors in flight.
 *
 * Locks: unix_sock.lock guards one socket; two are never held at once. The bind table has its own.
 * Bytes are copied from and to programs with no lock: a receiver marks the queue taken
 * (`is_taken`).
 */
#ifndef UNIX_INTERNAL_H
#define UNIX_INTERNAL_H

#include <core/wait.h>
#include <lib/list.h>
#include <net/socket.h>
#include <net/unix.h>

#define UNIX_SHUT_RD 1u
#define UNIX_SHUT_WR 2u

enum unix_state { UNIX_NEW, UNIX_CONNECTING, UNIX_CONNECTED, UNIX_LISTENING, UNIX_CLOSED };

/* A bound name; immutable. */
struct unix_name {
    atomic_t refs;
    struct socket_name name;
};

struct unix_message {
    struct list_node node;
    struct unix_sock *sender; /* reference; what it is charged with is `charge` */
    struct unix_name *from;   /* reference or NULL */
    struct socket_cred cred;
    struct file **files; /* under rights_lock while in a queue */
    unsigned file_count;
    unsigned charge;
    size_t length, offset; /* bytes in data, and how many of them were read */
    char data[];
};

struct unix_retired {
    struct unix_retired *next;
    struct unix_sock *sock;
};

struct unix_sock {
    atomic_t refs; /* its socket (or place in a backlog), peers, messages it sent */
    int type;
    struct spinlock lock;   /* guards down to `retired` */
    struct socket *socket;  /* NULL: not accepted yet, or closed */
    enum unix_state state;  /* CONNECTED is stored last and may be read without the lock */
    struct unix_sock *peer; /* reference; fixed while a stream is connected */
    struct unix_name *name; /* reference; set once */
    unsigned shutdown;
    struct socket_cred cred; /* who listened or connected */
    struct socket_cred peer_cred;
    struct list_node queue; /* of struct unix_message */
    unsigned queue_count;
    bool is_taken;            /* a receiver copies out of the first message */
    bool peer_is_polled;      /* somebody may sit on the peer's `writable` */
    struct list_node backlog; /* of connections not accepted yet */
    unsigned backlog_count, backlog_max;
    struct unix_retired *retired; /* former peers that may be polled: kept to the end */

    struct list_node backlog_node; /* under the listener's lock */
    atomic_t sent;                 /* bytes of ours, with overhead, in others' queues */
    bool lacks_room;               /* a send found too much of it, and nobody was told since */
    struct waitq readable;
    struct waitq writable; /* sender: less sent; receiver and listener: room in the queue */

    struct unix_sock *bind_next; /* the bind table's lock */
    bool is_in_table;
    const void *inode;
    void *place;
    void (*drop)(void *place);

    unsigned in_flight,
        outside; /* rights_lock: messages that carry it; garbage collector's count */
    bool is_alive;
    struct list_node flight_node;
};

struct unix_sock *unix_sock_ref(struct unix_sock *sock);
void unix_sock_unref(struct unix_sock *sock);

static inline struct unix_name *unix_name_ref(struct unix_name *name)
{
    if (name != NULL)
        atomic_inc(&name->refs);
    return name;
}
void unix_name_unref(struct unix_name *name);

/* Datagrams: the default destination is `peer` no more, if it was. */
void unix_leave_peer(struct unix_sock *sock, struct unix_sock *peer);

/* The present peer with a reference, or NULL. */
struct unix_sock *unix_peer(struct unix_sock *sock);

/* A bound socket of a type by abstract name, with a reference; NULL. */
struct unix_sock *unix_find_abstract(const struct socket_name *name, int type);

/* unix_bind.c. unix_check_name: 0 or -EINVAL for what is no local address. */
int unix_check_name(const struct socket_name *name);
int unix_bind(struct socket *socket, const struct socket_name *name);
int unix_name(struct socket *socket, struct socket_name *out, enum socket_end end);
void unix_unbind(struct unix_sock *sock);
void unix_proc_init(void); /* at boot */

/* unix_data.c */
ssize_t unix_send(struct socket *socket, struct io *io, struct socket_message *message);
ssize_t unix_receive(struct socket *socket, struct io *io, struct socket_message *message);
bool unix_is_writable(struct unix_sock *sock);
/* Frees every message of a list; descriptors in them are released without recursion. May sleep. */
void unix_messages_free(struct list_node *list);

/* unix_rights.c */
struct unix_sock *unix_sock_of_file(struct file *file);
void unix_rights_attach(struct unix_message *message, struct file **files, unsigned count);
/* Takes the descriptors off a message that is taken or out of its queue; with `copy` leaves them,
 * too. */
int unix_rights_detach(struct unix_message *message, struct socket_message *to, bool copy);
/* A socket was closed: releases sockets that only each other's queues refer to. */
void unix_rights_collect(void);

#endif
