/* SPDX-License-Identifier: MIT */
/* Sending and receiving on local sockets: streams, datagrams, and packets in sequence. */
#include <arch/barrier.h>
#include <core/lock.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "unix.h"

#define SIGPIPE          13
#define MESSAGE_OVERHEAD 512u   /* what a message is charged above its bytes */
#define STREAM_CHUNK     32512u /* bytes of one message of a stream */
#define DATAGRAMS_MAX    10u    /* net.unix.max_dgram_qlen */

/* ---- messages ---- */

static struct unix_message *message_alloc(struct unix_sock *sender, size_t length,
                                          const struct socket_message *from)
{
    struct unix_message *message = kmalloc(sizeof(*message) + length);

    if (message == NULL)
        return NULL;
    message->sender = unix_sock_ref(sender);
    message->from = unix_name_ref(READ_ONCE(sender->name));
    message->files = NULL;
    message->file_count = 0;
    message->length = length;
    message->offset = 0;
    message->charge = (unsigned)length + MESSAGE_OVERHEAD;
    atomic_add((int)message->charge, &sender->sent);
    if (from->has_cred)
        message->cred = from->cred;
    else
        socket_current_cred(&message->cred);
    return message;
}

/* Without descriptors: does not sleep. */
static void message_free(struct unix_message *message)
{
    struct unix_sock *sender = message->sender;

    atomic_sub((int)message->charge, &sender->sent);
    smp_mb(); /* pairs with a sender's between queueing and testing */
    if (waitq_active(&sender->writable) && unix_is_writable(sender)) {
        unsigned quiet = READ_ONCE(sender->lacks_room) ? 0 : POLL_QUIET;

        WRITE_ONCE(sender->lacks_room, false);
        waitq_wake(&sender->writable, 1, POLL_WRITABLE | quiet);
    }
    unix_name_unref(message->from);
    unix_sock_unref(sender);
    kfree(message);
}

static void drop_files(struct unix_message *message)
{
    struct socket_message landed = {0};

    (void)unix_rights_detach(message, &landed, false);
    for (unsigned i = 0; i < landed.file_count; i++)
        file_unref(landed.files[i]);
    kfree(landed.files);
    message_free(message);
}

/*
 * Messages with descriptors to be dropped. Releasing one may close a socket whose queue holds more:
 * those are added here and the one loop that runs takes them, so that the stack does not grow with
 * the chain.
 */
static struct spinlock doomed_lock = SPINLOCK_INIT(RANK_EVENT);
static struct list_node doomed = LIST_INIT(doomed);
static bool is_draining;

static void drain_doomed(void)
{
    spin_lock(&doomed_lock);
    if (is_draining) {
        spin_unlock(&doomed_lock);
        return;
    }
    is_draining = true;
    while (!list_empty(&doomed)) {
        struct unix_message *message = list_first_entry(&doomed, struct unix_message, node);

        list_del(&message->node);
        spin_unlock(&doomed_lock);
        drop_files(message);
        spin_lock(&doomed_lock);
    }
    is_draining = false;
    spin_unlock(&doomed_lock);
}

void unix_messages_free(struct list_node *list)
{
    struct unix_message *message, *next;
    bool has_files = false;

    list_for_each_entry_safe (message, next, list, node) {
        list_del(&message->node);
        if (message->file_count == 0) {
            message_free(message);
            continue;
        }
        has_files = true;
        spin_lock(&doomed_lock);
        list_add_tail(&doomed, &message->node);
        spin_unlock(&doomed_lock);
    }
    if (has_files)
        drain_doomed();
}

static void message_discard(struct unix_message *message)
{
    struct list_node list = LIST_INIT(list);

    list_add(&list, &message->node);
    unix_messages_free(&list);
}

/* ---- sending ---- */

static bool has_send_room(struct unix_sock *sock, int limit)
{
    return atomic_read(&sock->sent) < limit;
}

/* poll's idea of writable, which is stricter, so that wakes are worth it. */
bool unix_is_writable(struct unix_sock *sock)
{
    bool is_writable;

    spin_lock(&sock->lock);
    is_writable = sock->socket != NULL &&
                  (int64_t)atomic_read(&sock->sent) * 4 <= READ_ONCE(sock->socket->send_buffer);
    spin_unlock(&sock->lock);
    return is_writable;
}

static bool send_may_go_on(struct unix_sock *sock, struct socket *socket)
{
    return has_send_room(sock, socket->send_buffer) || (READ_ONCE(sock->shutdown) & UNIX_SHUT_WR);
}

/* Wait until the send buffer has room. */
static int wait_send_room(struct socket *socket, unsigned flags)
{
    struct unix_sock *sock = socket->protocol;
    int error;

    if (send_may_go_on(sock, socket))
        return 0;
    WRITE_ONCE(sock->lacks_room, true);
    smp_mb(); /* pairs with message_free() */
    if (send_may_go_on(sock, socket))
        return 0;
    if (flags & MSG_DONTWAIT)
        return -EAGAIN;
    error = wait_event(&sock->writable, send_may_go_on(sock, socket),
                       socket_deadline(socket->send_timeout_ns), WAIT_INTERRUPTIBLE);
    return error != 0 ? socket_wait_error(error, socket->send_timeout_ns) : 0;
}

/* A message with the next bytes of the request and its descriptors. */
static int make_message(struct unix_sock *sock, struct io *io, size_t length,
                        struct socket_message *from, bool with_files, struct unix_message **out)
{
    struct unix_message *message = message_alloc(sock, length, from);
    ssize_t copied;

    if (message == NULL)
        return -ENOMEM;
    copied = io_copy_from(io, message->data, length);
    if (copied != (ssize_t)length) {
        if (copied > 0)
            io_rewind(io, (size_t)copied);
        message_free(message);
        return -EFAULT;
    }
    if (with_files && from->file_count != 0)
        unix_rights_attach(message, from->files, from->file_count);
    *out = message;
    return 0;
}

/* The message was not sent after all: the descriptors go back to the caller. */
static void unmake_message(struct unix_message *message)
{
    struct socket_message back = {0};

    if (message->file_count != 0)
        (void)unix_rights_detach(message, &back, false);
    message_free(message);
}

/* 0, -EPIPE for a peer that does not read, -EAGAIN for a full queue (checked only with `limit`). */
static int enqueue(struct unix_sock *to, struct unix_message *message, bool limit)
{
    int error = 0;

    spin_lock(&to->lock);
    if (to->state == UNIX_CLOSED)
        error = -ECONNREFUSED;
    else if (to->shutdown & UNIX_SHUT_RD)
        error = -EPIPE;
    else if (limit && to->queue_count > DATAGRAMS_MAX && to->peer != message->sender)
        error = -EAGAIN;
    if (error == 0) {
        list_add_tail(&to->queue, &message->node);
        to->queue_count++;
    }
    spin_unlock(&to->lock);
    if (error == 0) {
        smp_mb(); /* pairs with a receiver's between queueing and testing */
        if (waitq_active(&to->readable))
            waitq_wake(&to->readable, 1, POLL_READABLE);
    }
    return error;
}

static ssize_t send_chunk(struct socket *socket, struct unix_sock *peer, struct io *io,
                          struct socket_message *from, bool with_files)
{
    struct unix_sock *sock = socket->protocol;
    size_t limit = min((size_t)socket->send_buffer / 2 - 64, (size_t)STREAM_CHUNK);
    size_t length = min(io_left(io), limit);
    struct unix_message *message;
    int error = wait_send_room(socket, from->flags);

    if (error != 0)
        return error;
    if (READ_ONCE(sock->shutdown) & UNIX_SHUT_WR)
        return -EPIPE;
    error = make_message(sock, io, length, from, with_files, &message);
    if (error != 0)
        return error;
    error = enqueue(peer, message, false);
    if (error == 0)
        return (ssize_t)length;
    unmake_message(message);
    io_rewind(io, length);
    return -EPIPE;
}

static ssize_t stream_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct unix_sock *sock = socket->protocol;
    bool is_connected = smp_load_acquire(&sock->state) == UNIX_CONNECTED;
    ssize_t done = 0;

    if (message->name != NULL && message->name->len != 0)
        return is_connected ? -EISCONN : -EOPNOTSUPP;
    if (!is_connected)
        return -ENOTCONN;
    while (io_left(io) != 0) {
        ssize_t sent = send_chunk(socket, sock->peer, io, message, done == 0);

        if (sent >= 0) {
            done += sent;
            continue;
        }
        if (sent == -EPIPE && done == 0 && !(message->flags & MSG_NOSIGNAL) &&
            !(io->flags & IO_NOSIG))
            file_signal(SIGPIPE);
        return done != 0 ? done : sent;
    }
    return done;
}

/* Room in the receiver's queue. */
static bool has_queue_room(struct unix_sock *to)
{
    bool has_room;

    spin_lock(&to->lock);
    has_room = to->queue_count <= DATAGRAMS_MAX || to->state == UNIX_CLOSED ||
               (to->shutdown & UNIX_SHUT_RD);
    spin_unlock(&to->lock);
    return has_room;
}

static ssize_t packet_send(struct socket *socket, struct unix_sock *to, struct io *io,
                           struct socket_message *from)
{
    struct unix_sock *sock = socket->protocol;
    size_t length = io_left(io);
    struct unix_message *message;
    int error;

    if (length > (size_t)socket->send_buffer - 32)
        return -EMSGSIZE;
    error = wait_send_room(socket, from->flags);
    if (error == 0 && (READ_ONCE(sock->shutdown) & UNIX_SHUT_WR))
        error = -EPIPE;
    if (error == 0)
        error = make_message(sock, io, length, from, true, &message);
    if (error != 0)
        return error;
    while ((error = enqueue(to, message, true)) == -EAGAIN && !(from->flags & MSG_DONTWAIT)) {
        error = wait_event(&to->writable, has_queue_room(to),
                           socket_deadline(socket->send_timeout_ns), WAIT_INTERRUPTIBLE);
        if (error != 0) {
            error = socket_wait_error(error, socket->send_timeout_ns);
            break;
        }
    }
    if (error == 0)
        return (ssize_t)length;
    unmake_message(message);
    return error;
}

ssize_t unix_send_to(struct socket *socket, struct unix_sock *target, struct io *io,
                     struct socket_message *message)
{
    if (socket->type != SOCK_DGRAM)
        return socket->type == SOCK_STREAM ? -EOPNOTSUPP : -EISCONN;
    if (target->type != socket->type)
        return -EPROTOTYPE;
    return packet_send(socket, target, io, message);
}

static ssize_t packet_send_peer(struct socket *socket, struct io *io,
                                struct socket_message *message)
{
    struct unix_sock *sock = socket->protocol;
    struct unix_sock *peer = unix_peer(sock);
    ssize_t result;

    if (peer == NULL)
        return -ENOTCONN;
    result = packet_send(socket, peer, io, message);
    if (result == -ECONNREFUSED && socket->type == SOCK_SEQPACKET)
        result = -EPIPE;
    else if (result == -ECONNREFUSED)
        unix_leave_peer(sock, peer);
    unix_sock_unref(peer);
    return result;
}

ssize_t unix_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct unix_sock *target;
    ssize_t result;

    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (socket->type == SOCK_STREAM)
        return stream_send(socket, io, message);
    if (message->name == NULL || message->name->len == 0 || socket->type == SOCK_SEQPACKET)
        return packet_send_peer(socket, io, message);
    target = unix_find_abstract(message->name, socket->type);
    if (target == NULL)
        return -ECONNREFUSED;
    result = unix_send_to(socket, target, io, message);
    unix_sock_unref(target);
    return result;
}

/* ---- receiving ---- */

static bool can_receive_locked(struct unix_sock *sock)
{
    if (list_empty(&sock->queue))
        return (sock->shutdown & UNIX_SHUT_RD) || atomic_read(&sock->socket->error) != 0;
    return !sock->is_taken;
}

static bool can_receive(struct unix_sock *sock)
{
    bool ready;

    spin_lock(&sock->lock);
    ready = can_receive_locked(sock);
    spin_unlock(&sock->lock);
    return ready;
}

/* Pass a wake on to the next receiver if there is something for it. */
static void wake_receiver(struct unix_sock *sock)
{
    smp_mb();
    if (waitq_active(&sock->readable) && can_receive(sock))
        waitq_wake(&sock->readable, 1, POLL_READABLE | POLL_QUIET);
}

/*
 * The first message, marked as taken; or NULL with *result: 0 at the end of the bytes, an error
 * that came in the background, -EAGAIN when there is nothing yet or another receiver is at it.
 */
static struct unix_message *try_take(struct socket *socket, int *result)
{
    struct unix_sock *sock = socket->protocol;
    struct unix_message *message = NULL;

    *result = -EAGAIN;
    spin_lock(&sock->lock);
    if (list_empty(&sock->queue)) {
        int error = atomic_xchg(&socket->error, 0);

        if (error != 0)
            *result = -error;
        else if (sock->shutdown & UNIX_SHUT_RD)
            *result = 0;
    } else if (!sock->is_taken) {
        message = list_first_entry(&sock->queue, struct unix_message, node);
        sock->is_taken = true;
    }
    spin_unlock(&sock->lock);
    return message;
}

/* The same, waiting for a message unless the flags or `is_enough` (something was received) forbid.
 */
static struct unix_message *take_first(struct socket *socket, unsigned flags, bool is_enough,
                                       int *result)
{
    struct unix_sock *sock = socket->protocol;
    uint64_t deadline_ns = 0;

    for (;;) {
        struct unix_message *message = try_take(socket, result);

        if (message != NULL || *result != -EAGAIN || is_enough || (flags & MSG_DONTWAIT))
            return message;
        if (deadline_ns == 0)
            deadline_ns = socket_deadline(socket->receive_timeout_ns);
        *result = wait_event_exclusive(&sock->readable, can_receive(sock), deadline_ns,
                                       WAIT_INTERRUPTIBLE);
        if (*result != 0) {
            *result = socket_wait_error(*result, socket->receive_timeout_ns);
            wake_receiver(sock);
            return NULL;
        }
    }
}

/* The mark goes; with `remove` the message leaves the queue and is the caller's. */
static void give_first(struct unix_sock *sock, struct unix_message *message, bool remove)
{
    spin_lock(&sock->lock);
    sock->is_taken = false;
    if (remove) {
        list_del(&message->node);
        sock->queue_count--;
    }
    spin_unlock(&sock->lock);
    if (remove) {
        smp_mb();
        if (sock->type != SOCK_STREAM && waitq_active(&sock->writable))
            waitq_wake(&sock->writable, 1, POLL_WRITABLE | POLL_QUIET);
    }
    wake_receiver(sock);
}

static void fill_source(const struct unix_message *message, struct socket_message *to)
{
    to->has_cred = true;
    to->cred = message->cred;
    if (to->name == NULL)
        return;
    to->name->len = 0;
    if (message->from != NULL)
        *to->name = message->from->name;
}

static bool same_writer(const struct socket_cred *a, const struct socket_cred *b)
{
    return a->pid == b->pid && a->uid == b->uid && a->gid == b->gid;
}

/*
 * Bytes of one message of a stream. Sets *ends when the call is to end with it: descriptors came
 * with it, it was only looked at, or memory failed.
 */
static ssize_t receive_piece(struct unix_sock *sock, struct unix_message *message, struct io *io,
                             struct socket_message *to, bool *ends)
{
    size_t n = min(message->length - message->offset, io_left(io));
    bool is_peek = (to->flags & MSG_PEEK) != 0, is_empty = false;
    ssize_t moved = io_copy_to(io, message->data + message->offset, n);

    *ends = is_peek || moved < (ssize_t)n;
    if (moved >= 0) {
        if (message->file_count != 0 && to->file_count == 0) {
            (void)unix_rights_detach(message, to, is_peek);
            *ends = true;
        }
        if (!is_peek) {
            message->offset += (size_t)moved;
            is_empty = message->offset == message->length;
        }
    }
    give_first(sock, message, is_empty);
    if (is_empty)
        message_discard(message);
    return moved;
}

static ssize_t stream_receive(struct socket *socket, struct io *io, struct socket_message *to)
{
    size_t target =
        to->flags & MSG_WAITALL ? io_left(io) : min((size_t)socket->receive_low, io_left(io));
    struct unix_sock *sock = socket->protocol;
    ssize_t done = 0;
    int result = 0;
    bool ends = false;

    if (smp_load_acquire(&sock->state) != UNIX_CONNECTED)
        return -EINVAL;
    while (io_left(io) != 0 && !ends) {
        struct unix_message *message =
            take_first(socket, to->flags, done != 0 && (size_t)done >= target, &result);
        ssize_t moved;

        if (message == NULL)
            break;
        if (done == 0) {
            fill_source(message, to);
        } else if (socket->pass_cred && !same_writer(&message->cred, &to->cred)) {
            give_first(sock, message, false);
            break;
        }
        moved = receive_piece(sock, message, io, to, &ends);
        if (moved < 0) {
            result = (int)moved;
            break;
        }
        done += moved;
    }
    if (done != 0 && result == -ECONNRESET) /* told by the next call */
        atomic_set(&socket->error, ECONNRESET);
    return done != 0 ? done : result;
}

static ssize_t packet_receive(struct socket *socket, struct io *io, struct socket_message *to)
{
    bool is_peek = (to->flags & MSG_PEEK) != 0;
    struct unix_sock *sock = socket->protocol;
    struct unix_message *message;
    unsigned asked = to->flags;
    ssize_t copied;
    size_t length;
    int result;

    message = take_first(socket, to->flags, false, &result);
    if (message == NULL) /* the end: a datagram socket that was shut down tells it the same way */
        return result;
    length = message->length;
    fill_source(message, to);
    copied = io_copy_to(io, message->data, min(length, io_left(io)));
    if (copied >= 0 && (size_t)copied < length)
        to->flags |= MSG_TRUNC;
    else
        to->flags &= ~MSG_TRUNC;
    if (copied < 0 || ((size_t)copied < length && io_left(io) != 0))
        copied = -EFAULT;
    else if (message->file_count != 0)
        (void)unix_rights_detach(message, to, is_peek);
    give_first(sock, message, !is_peek);
    if (!is_peek)
        message_discard(message);
    return copied >= 0 && (asked & MSG_TRUNC) ? (ssize_t)length : copied;
}

ssize_t unix_receive(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct unix_sock *sock = socket->protocol;

    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (socket->type == SOCK_STREAM) {
        message->flags &= ~(MSG_TRUNC | MSG_EOR);
        return stream_receive(socket, io, message);
    }
    if (socket->type == SOCK_SEQPACKET && smp_load_acquire(&sock->state) != UNIX_CONNECTED)
        return -ENOTCONN;
    return packet_receive(socket, io, message);
}
