/* SPDX-License-Identifier: MIT */
/*
 * AF_VSOCK as vsock(7) has it: streams and packets in sequence, between this guest and its host, or
 * within the guest (VMADDR_CID_LOCAL). Left out: datagrams, which no transport of Linux for guests
 * under QEMU has, and out-of-band data.
 */
#include "vsock.h"

#include <arch/barrier.h>
#include <arch/uaccess.h>
#include <core/clock.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <net/vsock.h>

#define SIGPIPE       13
#define NAME_SIZE     16U
#define FLAG_TO_HOST  1U
#define PORT_RESERVED 1023U
#define PIECE         8000U  /* bytes of a packet that is sent */
#define CREDIT_LATE   16384U /* the peer is told when it knows of so much less room */

/* struct sockaddr_vm */
struct abi_name {
    uint16_t family, reserved;
    uint32_t port, cid;
    uint8_t flags, zero[3];
};

_Static_assert(sizeof(struct abi_name) == NAME_SIZE, "struct sockaddr_vm");

enum {
    SO_BUFFER_SIZE,
    SO_BUFFER_MIN_SIZE,
    SO_BUFFER_MAX_SIZE,
    SO_CONNECT_TIMEOUT = 6,
    SO_CONNECT_TIMEOUT_NEW = 8,
};

static struct vsock *of(struct socket *socket)
{
    return socket->protocol;
}

static int parse_name(const struct socket_name *name, struct vsock_address *to)
{
    struct abi_name abi;

    if (name->len < NAME_SIZE)
        return -EINVAL;
    memcpy(&abi, name->bytes, sizeof(abi));
    if (abi.family != AF_VSOCK || (abi.flags & ~FLAG_TO_HOST) != 0)
        return -EINVAL;
    *to = (struct vsock_address){abi.cid, abi.port};
    return 0;
}

static int vsock_name(struct socket *socket, struct socket_name *name, enum socket_end end)
{
    const struct vsock *s = of(socket);
    const struct vsock_address *from = end != SOCKET_OWN ? &s->remote : &s->local;
    struct abi_name abi = {.family = AF_VSOCK, .port = from->port, .cid = from->cid};

    if (end != SOCKET_OWN && s->state != VSOCK_CONNECTED)
        return -ENOTCONN;
    memcpy(name->bytes, &abi, sizeof(abi));
    name->len = sizeof(abi);
    return 0;
}

/* --- connections --------------------------------------------------------------------------------
 */

static int vsock_bind(struct socket *socket, const struct socket_name *name)
{
    struct vsock_address address;
    int error = parse_name(name, &address);

    if (error != 0)
        return error;
    if (address.cid != VSOCK_CID_ANY && !vsock_is_local(address.cid))
        return -EADDRNOTAVAIL;
    if (address.port <= PORT_RESERVED && !socket_current_capable(SOCKET_CAP_NET_BIND))
        return -EACCES;
    spin_lock(&vsock_lock);
    error = of(socket)->is_in_table ? -EINVAL
                                    : vsock_take_port_locked(of(socket), address.cid, address.port);
    spin_unlock(&vsock_lock);
    return error;
}

static int vsock_listen(struct socket *socket, int backlog)
{
    struct vsock *s = of(socket);
    int error = 0;

    spin_lock(&vsock_lock);
    if ((s->state != VSOCK_IDLE && s->state != VSOCK_LISTENS) || !s->is_in_table)
        error = -EINVAL;
    else
        s->state = VSOCK_LISTENS;
    s->backlog = (unsigned)max(min(backlog, 4096), 0);
    spin_unlock(&vsock_lock);
    return error;
}

/* 0: a request is to be sent; -errno: as connect(2) says at once. */
static int begin_locked(struct vsock *s, const struct vsock_address *to)
{
    int error = 0;

    if (s->state == VSOCK_CONNECTED)
        return -EISCONN;
    if (s->state == VSOCK_CONNECTS)
        return -EALREADY;
    if (s->state != VSOCK_IDLE)
        return -EINVAL;
    if (!vsock_is_local(to->cid) && vsock_device == NULL)
        return -ENODEV;
    if (!vsock_is_local(to->cid) && s->type == VSOCK_PACKETS && !vsock_device->has_packets)
        return -ESOCKTNOSUPPORT;
    if (!s->is_in_table)
        error = vsock_take_port_locked(s, VSOCK_CID_ANY, VSOCK_PORT_ANY);
    if (error == 0) {
        s->remote = *to;
        s->state = VSOCK_CONNECTS;
        s->peer_shut = 0;
    }
    return error;
}

static int take_error(struct vsock *s)
{
    return -atomic_xchg(&s->socket->error, 0);
}

static bool has_error(const struct vsock *s)
{
    return atomic_read(&s->socket->error) != 0;
}

/* Of a connection that is being made: gives it up when time has run out. */
static int wait_connected(struct vsock *s)
{
    int error = wait_event(&s->wait, READ_ONCE(s->state) != VSOCK_CONNECTS,
                           clock_monotonic_ns() + s->timeout_ns, WAIT_INTERRUPTIBLE);

    if (error == 0)
        return take_error(s);
    (void)vsock_tell(s, VSOCK_RESET, 0);
    spin_lock(&vsock_lock);
    if (s->state == VSOCK_CONNECTS)
        s->state = VSOCK_IDLE;
    spin_unlock(&vsock_lock);
    return error == -ERESTARTSYS ? -EINTR : error;
}

static int vsock_connect(struct socket *socket, const struct socket_name *name, unsigned flags)
{
    struct vsock *s = of(socket);
    struct vsock_address to;
    int error = parse_name(name, &to);

    if (error != 0)
        return error;
    spin_lock(&vsock_lock);
    error = begin_locked(s, &to);
    spin_unlock(&vsock_lock);
    if (error == 0)
        error = vsock_tell(s, VSOCK_REQUEST, 0);
    else if (error != -EALREADY || (flags & O_NONBLOCK))
        return error;
    if (error == 0 && (flags & O_NONBLOCK) && READ_ONCE(s->state) == VSOCK_CONNECTS)
        return -EINPROGRESS;
    return wait_connected(s);
}

static bool has_waiting(const struct vsock *s)
{
    return READ_ONCE(s->waiting) != 0 || READ_ONCE(s->state) != VSOCK_LISTENS;
}

static const struct socket_ops vsock_ops;

static int vsock_accept(struct socket *socket, struct socket *to, bool nowait)
{
    struct vsock *s = of(socket), *child = NULL;
    int error = 0;

    while (child == NULL && error == 0) {
        spin_lock(&vsock_lock);
        if (s->state != VSOCK_LISTENS)
            error = -EINVAL;
        else if (s->waiting != 0)
            child = list_first_entry(&s->accepted, struct vsock, accepted);
        if (child != NULL) {
            list_del(&child->accepted);
            s->waiting--;
        }
        spin_unlock(&vsock_lock);
        if (child == NULL && error == 0)
            error = nowait ? -EAGAIN
                           : wait_event(&s->wait, has_waiting(s),
                                        socket_deadline(socket->receive_timeout_ns),
                                        WAIT_INTERRUPTIBLE);
    }
    if (child == NULL)
        return socket_wait_error(error, socket->receive_timeout_ns);
    child->socket = to;
    to->protocol = child;
    to->ops = &vsock_ops;
    return 0;
}

static int vsock_shutdown(struct socket *socket, int how)
{
    struct vsock *s = of(socket);
    unsigned flags = (unsigned)how + 1; /* SHUT_RD, SHUT_WR, SHUT_RDWR */
    bool was_connected;

    spin_lock(&vsock_lock);
    was_connected = s->state == VSOCK_CONNECTED;
    if (s->state >= VSOCK_CONNECTED)
        s->shut |= (uint8_t)flags;
    spin_unlock(&vsock_lock);
    if (s->state < VSOCK_CONNECTED)
        return -ENOTCONN;
    waitq_wake_all(&s->wait);
    if (was_connected)
        (void)vsock_tell(s, VSOCK_SHUTDOWN, flags);
    return 0;
}

static void drop(struct vsock *s, enum vsock_op op, uint32_t flags)
{
    if (s->state == VSOCK_CONNECTED || s->state == VSOCK_CONNECTS)
        (void)vsock_tell(s, op, flags);
    spin_lock(&vsock_lock);
    vsock_leave_locked(s);
    spin_unlock(&vsock_lock);
    vsock_free(s);
}

/* Connections that nobody has accepted are reset. */
static void vsock_release(struct socket *socket)
{
    struct vsock *s = of(socket);

    spin_lock(&vsock_lock);
    vsock_leave_locked(s); /* no child comes any more */
    spin_unlock(&vsock_lock);
    while (s->waiting > 0) {
        struct vsock *child = list_first_entry(&s->accepted, struct vsock, accepted);

        list_del(&child->accepted);
        s->waiting--;
        drop(child, VSOCK_RESET, 0);
    }
    drop(s, s->state == VSOCK_CONNECTS ? VSOCK_RESET : VSOCK_SHUTDOWN, VSOCK_SHUT);
}

/* --- sending ------------------------------------------------------------------------------------
 */

/* Bytes that may be sent now, of `wanted`; they are taken. -errno, 0: none. */
static ssize_t reserve(struct vsock *s, size_t wanted)
{
    ssize_t result = take_error(s);

    if (result != 0)
        return result;
    spin_lock(&vsock_lock);
    if ((s->shut & VSOCK_NO_SEND) || (s->peer_shut & VSOCK_NO_RECEIVE))
        result = -EPIPE;
    else if (s->state != VSOCK_CONNECTED)
        result = -ENOTCONN;
    else
        result = (ssize_t)min(wanted, (size_t)vsock_credit_locked(s));
    if (result > 0)
        s->sent += (uint32_t)result;
    spin_unlock(&vsock_lock);
    return result;
}

static bool can_send(struct vsock *s)
{
    bool can;

    spin_lock(&vsock_lock);
    can = s->state != VSOCK_CONNECTED || has_error(s) || (s->shut & VSOCK_NO_SEND) ||
          (s->peer_shut & VSOCK_NO_RECEIVE) || vsock_credit_locked(s) > 0;
    spin_unlock(&vsock_lock);
    return can;
}

/* One packet: bytes sent, -EAGAIN; `end`: its flags if it takes all that is left. */
static ssize_t send_piece(struct vsock *s, struct io *io, uint32_t end)
{
    size_t size = min(io_left(io), (size_t)PIECE);
    struct vsock_packet *packet = vsock_packet_make((uint32_t)size);
    ssize_t copied = packet != NULL ? io_copy_from(io, packet->data, size) : -ENOMEM, sent;

    if (copied != (ssize_t)size) {
        if (copied > 0)
            io_rewind(io, (size_t)copied);
        kfree(packet);
        return copied < 0 ? copied : -EFAULT;
    }
    sent = reserve(s, size);
    if (sent < (ssize_t)size)
        io_rewind(io, size - (size_t)max(sent, (ssize_t)0));
    if (sent <= 0 && size != 0) {
        kfree(packet);
        return sent < 0 ? sent : -EAGAIN;
    }
    spin_lock(&vsock_lock);
    vsock_fill_locked(s, packet, VSOCK_DATA, (uint32_t)sent, io_left(io) == 0 ? end : 0);
    spin_unlock(&vsock_lock);
    vsock_send_packet(packet);
    return sent;
}

static ssize_t send_all(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct vsock *s = of(socket);
    uint32_t end =
        s->type == VSOCK_STREAM ? 0 : VSOCK_END | (message->flags & MSG_EOR ? VSOCK_RECORD : 0);
    size_t whole = io_left(io);
    ssize_t done = 0, sent = 0;

    if (s->type == VSOCK_PACKETS && whole > READ_ONCE(s->peer_room) && s->state == VSOCK_CONNECTED)
        return -EMSGSIZE;
    while (io_left(io) > 0) {
        sent = send_piece(s, io, end);
        if (sent == -EAGAIN && !(message->flags & MSG_DONTWAIT)) {
            sent = wait_event(&s->wait, can_send(s), socket_deadline(socket->send_timeout_ns),
                              WAIT_INTERRUPTIBLE);
            if (sent == 0)
                continue;
            sent = socket_wait_error((int)sent, socket->send_timeout_ns);
        }
        if (sent < 0)
            break;
        done += sent;
    }
    return done > 0 && (s->type == VSOCK_STREAM || (size_t)done == whole) ? done : sent;
}

static ssize_t vsock_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    ssize_t result;

    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (message->name != NULL && message->name->len != 0)
        return of(socket)->state == VSOCK_CONNECTED ? -EISCONN : -EOPNOTSUPP;
    result = reserve(of(socket), 0);
    if (result == 0)
        result = send_all(socket, io, message);
    if (result == -EPIPE && socket->type == SOCK_STREAM && !(message->flags & MSG_NOSIGNAL) &&
        !(io->flags & IO_NOSIG))
        file_signal(SIGPIPE);
    return result;
}

/* --- receiving ----------------------------------------------------------------------------------
 */

static bool is_readable_locked(const struct vsock *s)
{
    return s->message_count > 0 || has_error(s) || s->state != VSOCK_CONNECTED ||
           (s->shut & VSOCK_NO_RECEIVE) || (s->peer_shut & VSOCK_NO_SEND);
}

static bool can_receive(struct vsock *s)
{
    bool can;

    spin_lock(&vsock_lock);
    can = !s->is_taken && is_readable_locked(s);
    spin_unlock(&vsock_lock);
    return can;
}

/* Makes the caller the one that reads: 1; 0: at the end; -errno. */
static int take_turn(struct socket *socket, unsigned flags)
{
    struct vsock *s = of(socket);
    uint64_t deadline = socket_deadline(socket->receive_timeout_ns);

    for (;;) {
        int result = -EAGAIN;

        spin_lock(&vsock_lock);
        if (s->state < VSOCK_CONNECTED)
            result = -ENOTCONN;
        else if (s->shut & VSOCK_NO_RECEIVE)
            result = 0;
        else if (s->message_count > 0 && !s->is_taken)
            result = s->is_taken = true;
        else if (s->message_count == 0 && is_readable_locked(s))
            result = take_error(s);
        spin_unlock(&vsock_lock);
        if (result != -EAGAIN || (flags & MSG_DONTWAIT))
            return result;
        result = wait_event(&s->wait, can_receive(s), deadline, WAIT_INTERRUPTIBLE);
        if (result != 0)
            return socket_wait_error(result, socket->receive_timeout_ns);
    }
}

/* Whether the piece's message ends with it; what was read of it is the caller's to free. */
static bool consume(struct vsock *s, struct vsock_piece *piece, size_t size,
                    struct vsock_piece **done)
{
    bool ends, tells;

    spin_lock(&vsock_lock);
    piece->offset += (uint32_t)size;
    s->unread -= (uint32_t)size;
    s->taken += (uint32_t)size;
    ends = piece->offset == piece->size && (s->type == VSOCK_STREAM || (piece->flags & VSOCK_END));
    *done = piece->offset == piece->size ? piece : NULL;
    if (*done != NULL) {
        list_del(&piece->node);
        s->charge -= piece->capacity + (uint32_t)sizeof(*piece);
        s->message_count -= ends;
    }
    tells = s->state == VSOCK_CONNECTED && s->taken - s->told >= min(s->room / 2, CREDIT_LATE);
    spin_unlock(&vsock_lock);
    if (tells)
        (void)vsock_tell(s, VSOCK_CREDIT, 0);
    return ends;
}

static struct vsock_piece *first_piece(struct vsock *s, size_t *left)
{
    struct vsock_piece *piece = NULL;

    spin_lock(&vsock_lock);
    if (!list_empty(&s->pieces)) {
        piece = list_first_entry(&s->pieces, struct vsock_piece, node);
        *left = piece->size - piece->offset;
    }
    spin_unlock(&vsock_lock);
    return piece;
}

static void give_turn(struct vsock *s)
{
    spin_lock(&vsock_lock);
    s->is_taken = false;
    spin_unlock(&vsock_lock);
    waitq_wake_all(&s->wait);
}

/* What is there of a stream. */
static ssize_t receive_bytes(struct vsock *s, struct io *io, bool peek)
{
    struct vsock_piece *piece, *done = NULL;
    ssize_t total = 0, moved;
    size_t left;

    while (io_left(io) > 0 && (piece = first_piece(s, &left)) != NULL) {
        moved = io_copy_to(io, piece->data + piece->offset, min(left, io_left(io)));
        if (moved < 0)
            return total > 0 ? total : moved;
        total += moved;
        if (peek)
            break;
        consume(s, piece, (size_t)moved, &done);
        kfree(done);
    }
    return total;
}

/* A whole message; what there is no room for is gone. Its length in *whole. */
static ssize_t receive_message(struct vsock *s, struct io *io, size_t *whole, uint32_t *flags)
{
    struct vsock_piece *piece, *done = NULL;
    ssize_t total = 0;
    bool ends = false;
    size_t left;

    *whole = 0;
    while (!ends && (piece = first_piece(s, &left)) != NULL) {
        ssize_t moved =
            total >= 0 ? io_copy_to(io, piece->data + piece->offset, min(left, io_left(io))) : 0;

        total = moved < 0 ? moved : total + moved;
        *whole += left;
        *flags = piece->flags;
        ends = consume(s, piece, left, &done);
        kfree(done);
    }
    return total;
}

static ssize_t receive_stream(struct socket *socket, struct io *io, struct socket_message *to)
{
    size_t target =
        to->flags & MSG_WAITALL ? io_left(io) : min((size_t)socket->receive_low, io_left(io));
    ssize_t done = 0, moved;

    do {
        int turn = take_turn(socket, to->flags);

        if (turn <= 0)
            return done > 0 ? done : turn;
        moved = receive_bytes(of(socket), io, to->flags & MSG_PEEK);
        give_turn(of(socket));
        if (moved < 0)
            return done > 0 ? done : moved;
        done += moved;
    } while ((size_t)done < target && !(to->flags & MSG_PEEK));
    return done;
}

static ssize_t vsock_receive(struct socket *socket, struct io *io, struct socket_message *to)
{
    bool wants_length = to->flags & MSG_TRUNC;
    uint32_t flags = 0;
    size_t whole;
    ssize_t done;
    int turn;

    if (to->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (to->name != NULL)
        to->name->len = 0;
    if (socket->type == SOCK_STREAM) {
        to->flags &= ~(MSG_TRUNC | MSG_EOR);
        return receive_stream(socket, io, to);
    }
    if (to->flags & MSG_PEEK)
        return -EOPNOTSUPP; /* as Linux 6.1 */
    turn = take_turn(socket, to->flags);
    if (turn <= 0)
        return turn;
    done = receive_message(of(socket), io, &whole, &flags);
    give_turn(of(socket));
    to->flags &= ~(MSG_TRUNC | MSG_EOR);
    to->flags |=
        (done >= 0 && whole > (size_t)done ? MSG_TRUNC : 0) | (flags & VSOCK_RECORD ? MSG_EOR : 0);
    return done >= 0 && wants_length ? (ssize_t)whole : done;
}

static unsigned vsock_poll(struct socket *socket, struct poll_waiter *pw)
{
    struct vsock *s = of(socket);
    unsigned events = 0;

    poll_add(pw, &s->wait);
    spin_lock(&vsock_lock);
    if (has_error(s))
        events |= POLLERR;
    if (s->shut == VSOCK_SHUT || (s->shut & s->peer_shut & VSOCK_NO_SEND))
        events |= POLLHUP;
    if ((s->shut & VSOCK_NO_RECEIVE) || (s->peer_shut & VSOCK_NO_SEND))
        events |= POLLRDHUP | POLL_READABLE;
    if (s->waiting > 0 || s->message_count > 0)
        events |= POLL_READABLE;
    if (!(s->shut & VSOCK_NO_SEND) && s->state != VSOCK_LISTENS && s->state != VSOCK_CONNECTS &&
        (s->state != VSOCK_CONNECTED || vsock_credit_locked(s) > 0))
        events |= POLL_WRITABLE;
    spin_unlock(&vsock_lock);
    return events;
}

/* --- options ------------------------------------------------------------------------------------
 */

static int set_timeout(struct vsock *s, const void *value, size_t size)
{
    int64_t time[2]; /* seconds, microseconds */

    if (size < sizeof(time))
        return -EINVAL;
    memcpy(time, value, sizeof(time));
    if (time[0] < 0 || time[0] >= INT32_MAX || time[1] < 0 || time[1] >= 1000000)
        return -ERANGE;
    s->timeout_ns = (uint64_t)time[0] * NS_PER_SECOND + (uint64_t)time[1] * NS_PER_US;
    if (s->timeout_ns == 0)
        s->timeout_ns = 2 * NS_PER_SECOND;
    return 0;
}

static int vsock_set_option(struct socket *socket, int level, int option, const void *value,
                            size_t size)
{
    struct vsock *s = of(socket);
    uint64_t number;

    if (level != AF_VSOCK)
        return -ENOPROTOOPT;
    if (option == SO_CONNECT_TIMEOUT || option == SO_CONNECT_TIMEOUT_NEW)
        return set_timeout(s, value, size);
    if (option < SO_BUFFER_SIZE || option > SO_BUFFER_MAX_SIZE)
        return -ENOPROTOOPT;
    if (size < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    number = min(number, (uint64_t)16 * VSOCK_BUFFER); /* memory is bounded */
    spin_lock(&vsock_lock);
    if (option == SO_BUFFER_MIN_SIZE)
        s->room_min = number;
    else if (option == SO_BUFFER_MAX_SIZE)
        s->room_max = number;
    else
        s->room = (uint32_t)number;
    s->room = (uint32_t)max(min((uint64_t)s->room, s->room_max), s->room_min);
    spin_unlock(&vsock_lock);
    return 0;
}

static int vsock_get_option(struct socket *socket, int level, int option, void *value, size_t *size)
{
    const struct vsock *s = of(socket);
    int64_t result[2] = {(int64_t)s->room};
    size_t length = sizeof(result[0]);

    if (level != AF_VSOCK)
        return -ENOPROTOOPT;
    if (option == SO_CONNECT_TIMEOUT || option == SO_CONNECT_TIMEOUT_NEW) {
        result[0] = (int64_t)(s->timeout_ns / NS_PER_SECOND);
        result[1] = (int64_t)(s->timeout_ns % NS_PER_SECOND / NS_PER_US);
        length = sizeof(result);
    } else if (option == SO_BUFFER_MIN_SIZE) {
        result[0] = (int64_t)s->room_min;
    } else if (option == SO_BUFFER_MAX_SIZE) {
        result[0] = (int64_t)s->room_max;
    } else if (option != SO_BUFFER_SIZE) {
        return -ENOPROTOOPT;
    }
    if (*size < length)
        return -EINVAL;
    memcpy(value, result, length);
    *size = length;
    return 0;
}

static const struct socket_ops vsock_ops = {
    .bind = vsock_bind,
    .connect = vsock_connect,
    .listen = vsock_listen,
    .accept = vsock_accept,
    .name = vsock_name,
    .send = vsock_send,
    .receive = vsock_receive,
    .shutdown = vsock_shutdown,
    .poll = vsock_poll,
    .set_option = vsock_set_option,
    .get_option = vsock_get_option,
    .release = vsock_release,
};

static int vsock_create(struct socket *socket, int type, int protocol)
{
    struct vsock *s;

    if (protocol != 0 && protocol != AF_VSOCK)
        return -EPROTONOSUPPORT;
    if (type != SOCK_STREAM && type != SOCK_SEQPACKET)
        return type == SOCK_DGRAM ? -ENODEV : -ESOCKTNOSUPPORT;
    s = vsock_make(type == SOCK_STREAM ? VSOCK_STREAM : VSOCK_PACKETS);
    if (s == NULL)
        return -ENOMEM;
    s->socket = socket;
    socket->protocol = s;
    socket->ops = &vsock_ops;
    return 0;
}

/* --- /dev/vsock ---------------------------------------------------------------------------------
 */

#define GET_LOCAL_CID 0x7b9U

static long device_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    (void)file;
    if (cmd != GET_LOCAL_CID)
        return -ENOTTY;
    return put_user32(arg, vsock_device != NULL ? vsock_device->cid : VSOCK_CID_LOCAL);
}

void vsock_init(void)
{
    static const struct socket_family family = {.family = AF_VSOCK, .create = vsock_create};
    static const struct file_ops ops = {.ioctl = device_ioctl};
    static const struct char_device device = {.ops = &ops, .major = 10, .minor = 123};

    socket_family_register(&family);
    (void)dev_register("vsock", 0666, &device);
}
