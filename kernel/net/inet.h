/* SPDX-License-Identifier: MIT */
/*
 * Internet sockets, inside. inet.c is the half that knows the Linux ABI and waits; a transport
 * (net/lwip/) is the half that knows the protocol, and never waits.
 *
 * Locks: one lock around the stack (net_lock in net/lwip/lwip_stack.c) guards all of struct
 * inet_sock but what is said to be read without it. A transport takes it itself. User memory is
 * touched only without it; `read_lock` keeps readers of one stream apart meanwhile.
 */
#ifndef NET_INET_H
#define NET_INET_H

#include <core/wait.h>
#include <lib/list.h>
#include <net/socket.h>

/* An address and port in host byte order; family AF_UNSPEC: none. */
struct inet_address {
    uint16_t family;
    uint16_t port;
    uint32_t scope;    /* interface, for link-local IPv6 */
    uint8_t bytes[16]; /* network byte order; IPv4 uses 4 */
};

enum inet_state {
    INET_NEW,
    INET_BOUND,
    INET_LISTENING,
    INET_CONNECTING,
    INET_CONNECTED,
    INET_DEAD
};

#define INET_SHUT_RD 1u
#define INET_SHUT_WR 2u

/* Options that a transport looks at. */
struct inet_options {
    bool v6_only, no_delay, cork, packet_info;
    uint8_t ttl, tos;
    int keep_idle_s, keep_interval_s, keep_count;
};

struct inet_sock {
    atomic_t refs;         /* its socket, its protocol block, the list of those to wake */
    struct socket *socket; /* NULL: not accepted yet, or closed */
    const struct transport_ops *transport;
    void *pcb;             /* the transport's protocol block; NULL: none (any more) */
    enum inet_state state; /* read without the lock */
    unsigned ready;        /* POLL*: what holds now; read without the lock */
    unsigned shutdown;
    unsigned woken; /* POLL* to tell when the lock is given up */
    struct inet_sock *wake_next;
    struct inet_options options;
    struct inet_address local, peer;
    struct waitq readable, writable;

    /* received: the transport's buffers, a list with its tail */
    void *first, *last;
    size_t received; /* bytes; datagrams: with their overhead */
    size_t offset;   /* bytes of the first buffer that were read */
    struct mutex read_lock;

    /* sent and not acknowledged: memory that the transport refers to */
    struct inet_chunk *chunks, **chunks_end;
    uint64_t written, acked; /* positions in the stream */

    /* a listener's connections, oldest first; a connection's place among them */
    struct list_node backlog;
    unsigned backlog_count, backlog_max;
    struct list_node backlog_node;
    struct inet_sock *listener;
};

/* None waits; all take the lock. Errors are negative. */
struct transport_ops {
    int (*open)(struct inet_sock *sock);
    void (*close)(struct inet_sock *sock, bool abort);
    int (*bind)(struct inet_sock *sock, const struct inet_address *address);
    int (*connect)(struct inet_sock *sock, const struct inet_address *to); /* -EINPROGRESS */
    int (*listen)(struct inet_sock *sock, unsigned backlog);
    struct inet_sock *(*accept)(struct inet_sock *sock); /* the caller's reference; NULL: none */
    /* As much as there is room for; -EAGAIN. `to`: NULL for the peer. */
    ssize_t (*send)(struct inet_sock *sock, struct io *io, const struct inet_address *to,
                    unsigned flags);
    /* What is there; -EAGAIN. 0: end. Sets *from and *flags (MSG_TRUNC). */
    ssize_t (*receive)(struct inet_sock *sock, struct io *io, struct inet_address *from,
                       unsigned *flags);
    int (*shutdown)(struct inet_sock *sock, unsigned how);
    void (*options_changed)(struct inet_sock *sock);
};

extern const struct transport_ops tcp_transport, udp_transport;

/* net/lwip/lwip_stack.c: once, at boot. */
void net_stack_init(void);

/* inet.c; alloc and unref in any context */
struct inet_sock *inet_sock_alloc(const struct transport_ops *transport);
void inet_sock_ref(struct inet_sock *sock);
void inet_sock_unref(struct inet_sock *sock);

#endif
