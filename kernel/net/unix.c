/* SPDX-License-Identifier: MIT */
/* Local sockets (unix(7)): life, connections, state. unix_bind.c has names, unix_data.c moves
 * bytes. */
#include <arch/barrier.h>
#include <arch/uaccess.h>
#include <core/lock.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "unix.h"

#define BACKLOG_MAX 4096 /* net.core.somaxconn */

#define SO_PEERCRED   17
#define SO_ACCEPTCONN 30
#define SIOCINQ       0x541bu
#define SIOCOUTQ      0x5411u

static const struct socket_ops unix_ops;

/* ---- life ---- */

static struct unix_sock *sock_alloc(int type)
{
    struct unix_sock *sock = kzalloc(sizeof(*sock));

    if (sock == NULL)
        return NULL;
    atomic_set(&sock->refs, 1);
    sock->type = type;
    sock->peer_cred = (struct socket_cred){0, UINT32_MAX, UINT32_MAX};
    spin_init(&sock->lock, RANK_EVENT);
    list_init(&sock->queue);
    list_init(&sock->backlog);
    list_init(&sock->backlog_node);
    list_init(&sock->flight_node);
    waitq_init(&sock->readable);
    waitq_init(&sock->writable);
    return sock;
}

struct unix_sock *unix_sock_ref(struct unix_sock *sock)
{
    atomic_inc(&sock->refs);
    return sock;
}

void unix_sock_unref(struct unix_sock *sock)
{
    if (atomic_dec_and_test(&sock->refs)) {
        unix_name_unref(sock->name);
        kfree(sock);
    }
}

void unix_name_unref(struct unix_name *name)
{
    if (name != NULL && atomic_dec_and_test(&name->refs))
        kfree(name);
}

struct unix_sock *unix_peer(struct unix_sock *sock)
{
    struct unix_sock *peer;

    spin_lock(&sock->lock);
    peer = sock->peer != NULL ? unix_sock_ref(sock->peer) : NULL;
    spin_unlock(&sock->lock);
    return peer;
}

static void wake_both(struct unix_sock *sock)
{
    waitq_wake(&sock->readable, UINT32_MAX, 0);
    waitq_wake(&sock->writable, UINT32_MAX, 0);
}

/* The other end of a connection is gone: no more bytes either way. */
static void hang_up(struct unix_sock *sock, bool is_reset)
{
    spin_lock(&sock->lock);
    sock->shutdown = UNIX_SHUT_RD | UNIX_SHUT_WR;
    if (is_reset && sock->socket != NULL)
        atomic_set(&sock->socket->error, ECONNRESET);
    spin_unlock(&sock->lock);
    wake_both(sock);
}

static void close_sock(struct unix_sock *sock, bool was_accepted);

/* Connections that nobody accepted. */
static void close_backlog(struct list_node *backlog)
{
    while (!list_empty(backlog)) {
        struct unix_sock *waiting = list_first_entry(backlog, struct unix_sock, backlog_node);

        list_del(&waiting->backlog_node);
        close_sock(waiting, false);
    }
}

/* Drops the reference of the socket (or backlog) as well. */
static void close_sock(struct unix_sock *sock, bool was_accepted)
{
    struct list_node queue = LIST_INIT(queue), backlog = LIST_INIT(backlog);
    struct unix_retired *retired;
    struct unix_sock *peer;
    bool has_unread;

    unix_unbind(sock);
    spin_lock(&sock->lock);
    sock->state = UNIX_CLOSED;
    sock->socket = NULL;
    sock->shutdown = UNIX_SHUT_RD | UNIX_SHUT_WR;
    peer = sock->peer;
    sock->peer = NULL;
    retired = sock->retired;
    sock->retired = NULL;
    list_splice_tail(&queue, &sock->queue);
    list_splice_tail(&backlog, &sock->backlog);
    spin_unlock(&sock->lock);
    has_unread = !list_empty(&queue);
    wake_both(sock);
    if (peer != NULL && sock->type != SOCK_DGRAM)
        hang_up(peer, has_unread || !was_accepted);
    if (peer != NULL)
        unix_sock_unref(peer);
    while (retired != NULL) {
        struct unix_retired *next = retired->next;

        unix_sock_unref(retired->sock);
        kfree(retired);
        retired = next;
    }
    close_backlog(&backlog);
    unix_messages_free(&queue);
    unix_sock_unref(sock);
}

static void unix_release(struct socket *socket)
{
    if (socket->protocol == NULL)
        return;
    close_sock(socket->protocol, true);
    unix_rights_collect();
}

static int attach(struct socket *socket, struct unix_sock *sock)
{
    socket->ops = &unix_ops;
    socket->type = sock->type;
    socket->protocol = sock;
    spin_lock(&sock->lock);
    sock->socket = socket;
    spin_unlock(&sock->lock);
    return 0;
}

static int unix_create(struct socket *socket, int type, int protocol)
{
    struct unix_sock *sock;

    if (protocol != 0 && protocol != AF_UNIX)
        return -EPROTONOSUPPORT;
    if (type == SOCK_RAW) /* as Linux: raw means datagrams here */
        type = SOCK_DGRAM;
    if (type != SOCK_STREAM && type != SOCK_DGRAM && type != SOCK_SEQPACKET)
        return -ESOCKTNOSUPPORT;
    sock = sock_alloc(type);
    return sock == NULL ? -ENOMEM : attach(socket, sock);
}

static int unix_pair(struct socket *a, struct socket *b)
{
    struct unix_sock *left = a->protocol, *right = b->protocol;

    socket_current_cred(&left->cred);
    left->peer_cred = right->cred = right->peer_cred = left->cred;
    left->peer = unix_sock_ref(right);
    right->peer = unix_sock_ref(left);
    if (left->type != SOCK_DGRAM) {
        smp_store_release(&left->state, UNIX_CONNECTED);
        smp_store_release(&right->state, UNIX_CONNECTED);
    }
    return 0;
}

/* ---- connections ---- */

static int unix_listen(struct socket *socket, int backlog)
{
    struct unix_sock *sock = socket->protocol;
    struct socket_cred cred;
    int error = 0;

    if (sock->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    socket_current_cred(&cred);
    spin_lock(&sock->lock);
    if (sock->name == NULL || (sock->state != UNIX_NEW && sock->state != UNIX_LISTENING)) {
        error = -EINVAL;
    } else {
        sock->backlog_max = (unsigned)backlog > BACKLOG_MAX ? BACKLOG_MAX : (unsigned)backlog;
        sock->cred = cred;
        sock->state = UNIX_LISTENING;
    }
    spin_unlock(&sock->lock);
    if (error == 0) /* a longer backlog may admit who waits */
        waitq_wake(&sock->writable, UINT32_MAX, 0);
    return error;
}

static bool listens_with_room(struct unix_sock *target)
{
    bool may_go_on;

    spin_lock(&target->lock);
    may_go_on = target->state != UNIX_LISTENING || target->backlog_count <= target->backlog_max;
    spin_unlock(&target->lock);
    return may_go_on;
}

/* Queue `waiting`, the server's end, for accept. -ECONNREFUSED, -EAGAIN when the backlog is full.
 */
static int join_backlog(struct unix_sock *target, struct unix_sock *waiting)
{
    int error = 0;

    spin_lock(&target->lock);
    if (target->state != UNIX_LISTENING || (target->shutdown & UNIX_SHUT_RD)) {
        error = -ECONNREFUSED;
    } else if (target->backlog_count > target->backlog_max) {
        error = -EAGAIN;
    } else {
        waiting->cred = target->cred;
        waiting->name = unix_name_ref(target->name);
        waiting->peer->peer_cred = target->cred;
        waiting->peer->peer = unix_sock_ref(waiting);
        /* From here on the client, whose owner is in this very call, sends into `waiting`. */
        smp_store_release(&waiting->peer->state, UNIX_CONNECTED);
        list_add_tail(&target->backlog, &waiting->backlog_node);
        target->backlog_count++;
    }
    spin_unlock(&target->lock);
    if (error == 0)
        waitq_wake(&target->readable, 1, POLL_READABLE);
    return error;
}

static int join_or_wait(struct socket *socket, struct unix_sock *target, struct unix_sock *waiting,
                        bool nowait)
{
    int error;

    while ((error = join_backlog(target, waiting)) == -EAGAIN && !nowait) {
        error = wait_event_exclusive(&target->writable, listens_with_room(target),
                                     socket_deadline(socket->send_timeout_ns), WAIT_INTERRUPTIBLE);
        if (error != 0)
            return socket_wait_error(error, socket->send_timeout_ns);
    }
    return error;
}

/* Claim the socket for one connect at a time. */
static int begin_connect(struct unix_sock *sock)
{
    int error = 0;

    spin_lock(&sock->lock);
    if (sock->state == UNIX_CONNECTED)
        error = -EISCONN;
    else if (sock->state != UNIX_NEW)
        error = -EINVAL;
    else
        sock->state = UNIX_CONNECTING;
    spin_unlock(&sock->lock);
    return error;
}

static int connect_stream(struct socket *socket, struct unix_sock *target, bool nowait)
{
    struct unix_sock *sock = socket->protocol;
    struct unix_sock *waiting;
    int error = begin_connect(sock);

    if (error != 0)
        return error;
    waiting = sock_alloc(sock->type);
    if (waiting == NULL) {
        smp_store_release(&sock->state, UNIX_NEW);
        return -ENOMEM;
    }
    socket_current_cred(&sock->cred);
    waiting->peer_cred = sock->cred;
    waiting->peer = unix_sock_ref(sock);
    waiting->state = UNIX_CONNECTED;
    error = join_or_wait(socket, target, waiting, nowait);
    if (error == 0) {
        wake_both(sock);
        return 0;
    }
    smp_store_release(&sock->state, UNIX_NEW);
    unix_sock_unref(sock);
    kfree(waiting);
    return error;
}

/* Replaces the default destination of datagrams if it is `expected` (NULL: whatever it is). */
static int replace_peer(struct unix_sock *sock, struct unix_sock *peer,
                        const struct unix_sock *expected)
{
    struct unix_retired *retired = kmalloc(sizeof(*retired));
    struct unix_sock *old;

    if (retired == NULL)
        return -ENOMEM;
    spin_lock(&sock->lock);
    old = sock->peer;
    if (expected != NULL && old != expected)
        old = NULL;
    else
        sock->peer = peer != NULL ? unix_sock_ref(peer) : NULL;
    if (old != NULL && sock->peer_is_polled) {
        retired->sock = old;
        retired->next = sock->retired;
        sock->retired = retired;
        old = NULL;
        retired = NULL;
    }
    spin_unlock(&sock->lock);
    if (old != NULL)
        unix_sock_unref(old);
    kfree(retired);
    return 0;
}

static int set_peer(struct unix_sock *sock, struct unix_sock *peer)
{
    return replace_peer(sock, peer, NULL);
}

void unix_leave_peer(struct unix_sock *sock, struct unix_sock *peer)
{
    (void)replace_peer(sock, NULL, peer); /* no memory: the next send finds it closed again */
}

static int connect_datagram(struct unix_sock *sock, struct unix_sock *target)
{
    if (READ_ONCE(target->peer) != NULL && READ_ONCE(target->peer) != sock)
        return -EPERM; /* it talks to somebody else only */
    return set_peer(sock, target);
}

int unix_connect_to(struct socket *socket, struct unix_sock *target, unsigned file_flags)
{
    struct unix_sock *sock = socket->protocol;

    if (sock->type != target->type)
        return -EPROTOTYPE;
    if (sock->type == SOCK_DGRAM)
        return connect_datagram(sock, target);
    return connect_stream(socket, target, (file_flags & O_NONBLOCK) != 0);
}

static int unix_connect(struct socket *socket, const struct socket_name *name, unsigned file_flags)
{
    struct unix_sock *target;
    int error;

    if (socket->type == SOCK_DGRAM && name->len >= sizeof(uint16_t) && name->family == AF_UNSPEC)
        return set_peer(socket->protocol, NULL);
    error = unix_check_name(name);
    if (error != 0)
        return error;
    target = unix_find_abstract(name, socket->type);
    if (target == NULL)
        return -ECONNREFUSED;
    error = unix_connect_to(socket, target, file_flags);
    unix_sock_unref(target);
    return error;
}

/* Take the first connection off the backlog. */
static struct unix_sock *leave_backlog(struct unix_sock *sock)
{
    struct unix_sock *waiting = NULL;

    spin_lock(&sock->lock);
    if (!list_empty(&sock->backlog)) {
        waiting = list_first_entry(&sock->backlog, struct unix_sock, backlog_node);
        list_del(&waiting->backlog_node);
        sock->backlog_count--;
    }
    spin_unlock(&sock->lock);
    return waiting;
}

static int unix_accept(struct socket *socket, struct socket *to, bool nowait)
{
    struct unix_sock *sock = socket->protocol;
    struct unix_sock *waiting;
    int error;

    if (sock->type == SOCK_DGRAM)
        return -EOPNOTSUPP;
    if (READ_ONCE(sock->state) != UNIX_LISTENING)
        return -EINVAL;
    waiting = leave_backlog(sock);
    if (waiting == NULL) {
        if (READ_ONCE(sock->shutdown) & UNIX_SHUT_RD)
            return -EINVAL;
        if (nowait)
            return -EAGAIN;
        error = wait_event_exclusive(
            &sock->readable,
            (waiting = leave_backlog(sock)) != NULL || (READ_ONCE(sock->shutdown) & UNIX_SHUT_RD),
            socket_deadline(socket->receive_timeout_ns), WAIT_INTERRUPTIBLE);
        if (error != 0) {
            /* the wake may have been ours */
            waitq_wake(&sock->readable, 1, POLL_READABLE | POLL_QUIET);
            return socket_wait_error(error, socket->receive_timeout_ns);
        }
        if (waiting == NULL)
            return -EINVAL;
    }
    waitq_wake(&sock->writable, 1, POLL_WRITABLE | POLL_QUIET);
    return attach(to, waiting);
}

static int unix_shutdown(struct socket *socket, int how)
{
    static const unsigned mode_of[] = {UNIX_SHUT_RD, UNIX_SHUT_WR, UNIX_SHUT_RD | UNIX_SHUT_WR};
    struct unix_sock *sock = socket->protocol;
    struct unix_sock *peer;
    unsigned mode = mode_of[how];

    spin_lock(&sock->lock);
    sock->shutdown |= mode;
    spin_unlock(&sock->lock);
    wake_both(sock);
    peer = sock->type != SOCK_DGRAM ? unix_peer(sock) : NULL;
    if (peer == NULL)
        return 0;
    spin_lock(&peer->lock);
    peer->shutdown |=
        (mode & UNIX_SHUT_RD ? UNIX_SHUT_WR : 0) | (mode & UNIX_SHUT_WR ? UNIX_SHUT_RD : 0);
    spin_unlock(&peer->lock);
    wake_both(peer);
    unix_sock_unref(peer);
    return 0;
}

/* ---- state ---- */

/* Whether the peer of a datagram socket takes more; registers with the room in its queue. */
static bool peer_has_room(struct unix_sock *sock, struct poll_waiter *pw)
{
    struct unix_sock *peer;
    bool has_room;

    spin_lock(&sock->lock);
    if (pw != NULL)
        sock->peer_is_polled =
            true; /* so that set_peer() keeps it as long as the waiter may be there */
    spin_unlock(&sock->lock);
    peer = unix_peer(sock);
    if (peer == NULL)
        return true;
    poll_add(pw, &peer->writable);
    has_room = READ_ONCE(peer->peer) == sock || READ_ONCE(peer->queue_count) <= 10;
    unix_sock_unref(peer);
    return has_room;
}

static unsigned unix_poll(struct socket *socket, struct poll_waiter *pw)
{
    struct unix_sock *sock = socket->protocol;
    unsigned events = 0, shutdown;
    bool is_writable;

    poll_add(pw, &sock->readable);
    poll_add(pw, &sock->writable);
    is_writable = unix_is_writable(sock);
    if (sock->type == SOCK_DGRAM && is_writable)
        is_writable = peer_has_room(sock, pw);
    spin_lock(&sock->lock);
    shutdown = sock->shutdown;
    if (atomic_read(&socket->error) != 0)
        events |= POLLERR;
    if (shutdown == (UNIX_SHUT_RD | UNIX_SHUT_WR))
        events |= POLLHUP;
    if (shutdown & UNIX_SHUT_RD)
        events |= POLLRDHUP | POLL_READABLE;
    if (!list_empty(&sock->queue) || !list_empty(&sock->backlog))
        events |= POLL_READABLE;
    if (sock->type != SOCK_DGRAM && (sock->state == UNIX_NEW || sock->state == UNIX_CONNECTING))
        events |= POLLHUP;
    if (is_writable && sock->state != UNIX_LISTENING)
        events |= POLL_WRITABLE | POLLWRBAND;
    spin_unlock(&sock->lock);
    return events;
}

/* Bytes to be read: all of a stream, the first of the packets. */
static size_t bytes_waiting(struct unix_sock *sock)
{
    struct unix_message *message;
    size_t bytes = 0;

    spin_lock(&sock->lock);
    list_for_each_entry (message, &sock->queue, node) {
        bytes += message->length - message->offset;
        if (sock->type == SOCK_DGRAM)
            break;
    }
    spin_unlock(&sock->lock);
    return bytes;
}

static long unix_ioctl(struct socket *socket, unsigned cmd, reg_t arg)
{
    struct unix_sock *sock = socket->protocol;

    switch (cmd) {
    case SIOCINQ:
        if (READ_ONCE(sock->state) == UNIX_LISTENING)
            return -EINVAL;
        return put_user32(arg, (uint32_t)bytes_waiting(sock));
    case SIOCOUTQ:
        return put_user32(arg, (uint32_t)atomic_read(&sock->sent));
    default:
        return -ENOTTY;
    }
}

static int unix_get_option(struct socket *socket, int level, int option, void *value, size_t *size)
{
    struct unix_sock *sock = socket->protocol;
    int number;

    if (level != 1 /* SOL_SOCKET */)
        return -EOPNOTSUPP;
    switch (option) {
    case SO_PEERCRED:
        *size = min(*size, sizeof(sock->peer_cred));
        memcpy(value, &sock->peer_cred, *size);
        return 0;
    case SO_ACCEPTCONN:
        number = READ_ONCE(sock->state) == UNIX_LISTENING;
        *size = min(*size, sizeof(number));
        memcpy(value, &number, *size);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int unix_set_option(struct socket *socket, int level, int option, const void *value,
                           size_t size)
{
    (void)socket;
    (void)option;
    (void)value;
    (void)size;
    return level == 1 ? -ENOPROTOOPT : -EOPNOTSUPP;
}

static const struct socket_ops unix_ops = {
    .bind = unix_bind,
    .connect = unix_connect,
    .listen = unix_listen,
    .accept = unix_accept,
    .name = unix_name,
    .send = unix_send,
    .receive = unix_receive,
    .shutdown = unix_shutdown,
    .poll = unix_poll,
    .ioctl = unix_ioctl,
    .set_option = unix_set_option,
    .get_option = unix_get_option,
    .release = unix_release,
};

static const struct socket_family unix_family = {
    .family = AF_UNIX,
    .create = unix_create,
    .pair = unix_pair,
};

void unix_init(void)
{
    socket_family_register(&unix_family);
    unix_proc_init();
}
