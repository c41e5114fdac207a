/* SPDX-License-Identifier: MIT */
/*
 * Internet sockets by the Linux ABI: names, waiting, errors (ip(7), tcp(7), udp(7), raw(7),
 * icmp(7)). What moves bytes is a transport. Out-of-band data is left out.
 */
#include "inet.h"

#include <core/clock.h>
#include <core/sched.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <net/inet.h>

#include "inet_ioctl.h"
#include "inet_option.h"
#include "inet_packet.h"
#include "inet_proc.h"
#include "netlink.h"
#include "packet.h"

#define SIGPIPE         13
#define IPPROTO_ICMP    1
#define IPPROTO_TCP     6
#define IPPROTO_UDP     17
#define IPPROTO_ICMPV6  58
#define IPPROTO_RAW     255
#define BACKLOG_DEFAULT 4096 /* net.core.somaxconn */
#define FIONREAD        0x541bu
#define SIOCOUTQ        0x5411u
#define SIOCATMARK      0x8905u
#define SIOCOUTQNSD     0x894bu

static const struct socket_ops inet_ops;
SLAB_CACHE(sock_cache, struct inet_sock);

/* ---- life ---- */

struct inet_sock *inet_sock_alloc(const struct transport_ops *transport)
{
    struct inet_sock *sock = slab_zalloc(&sock_cache);

    if (sock == NULL)
        return NULL;
    atomic_set(&sock->refs, 1);
    sock->transport = transport;
    inet_options_init(&sock->options);
    list_init(&sock->backlog);
    list_init(&sock->backlog_node);
    waitq_init(&sock->readable);
    waitq_init(&sock->writable);
    mutex_init(&sock->read_lock, RANK_FILE_TEXT);
    return sock;
}

void inet_sock_ref(struct inet_sock *sock)
{
    atomic_inc(&sock->refs);
}

void inet_sock_unref(struct inet_sock *sock)
{
    if (!atomic_dec_and_test(&sock->refs))
        return;
    while (sock->errors != NULL) {
        struct inet_error *next = sock->errors->next;

        kfree(sock->errors);
        sock->errors = next;
    }
    slab_free(&sock_cache, sock);
}

/* What a socket of this type and protocol runs on; the protocol it then has. */
static int find_transport(const struct socket *socket, int type, int *protocol,
                          const struct transport_ops **out)
{
    int echo = socket->family == AF_INET ? IPPROTO_ICMP : IPPROTO_ICMPV6;

    if (type == SOCK_RAW) {
        if (*protocol <= 0 || *protocol > IPPROTO_RAW)
            return *protocol == 0 ? -EPROTONOSUPPORT : -EINVAL;
        *out = &raw_transport;
        return socket_current_capable(SOCKET_CAP_NET_RAW) ? 0 : -EPERM;
    }
    if (type != SOCK_STREAM && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (type == SOCK_DGRAM && *protocol == echo) {
        *out = &echo_transport;
        return 0;
    }
    if (*protocol == 0)
        *protocol = type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP;
    *out = type == SOCK_STREAM ? &tcp_transport : &udp_transport;
    return *protocol == (type == SOCK_STREAM ? IPPROTO_TCP : IPPROTO_UDP) ? 0 : -EPROTONOSUPPORT;
}

static int inet_create(struct socket *socket, int type, int protocol)
{
    const struct transport_ops *transport;
    struct inet_sock *sock;
    int error = find_transport(socket, type, &protocol, &transport);

    if (error != 0)
        return error;
    sock = inet_sock_alloc(transport);
    if (sock == NULL)
        return -ENOMEM;
    sock->socket = socket;
    sock->ip_protocol = (uint8_t)protocol;
    sock->options.header_included = type == SOCK_RAW && protocol == IPPROTO_RAW;
    error = transport->open(sock);
    if (error != 0) {
        inet_sock_unref(sock);
        return error;
    }
    socket->ops = &inet_ops;
    socket->protocol = sock;
    socket->type = type;
    socket->protocol_number = protocol;
    return 0;
}

/* SO_LINGER: close waits until what was sent is acknowledged, or the time is over. */
static void inet_linger(struct socket *socket)
{
    struct inet_sock *sock = socket->protocol;

    if (socket->linger_seconds <= 0 || socket->type != SOCK_STREAM ||
        READ_ONCE(sock->state) != INET_CONNECTED || (READ_ONCE(socket->file->flags) & O_NONBLOCK) ||
        sock->transport->shutdown(sock, INET_SHUT_WR) != 0)
        return;
    (void)wait_event(
        &sock->writable,
        READ_ONCE(sock->acked) == READ_ONCE(sock->written) || READ_ONCE(sock->state) == INET_DEAD,
        socket_deadline((uint64_t)socket->linger_seconds * NS_PER_SECOND), WAIT_SERVING);
}

static __cold void inet_release(struct socket *socket)
{
    struct inet_sock *sock = socket->protocol;

    inet_linger(socket);
    if (sock->memberships != NULL)
        net_leave_all_groups(sock);
    sock->transport->close(sock, socket->linger_seconds == 0);
    inet_sock_unref(sock);
}

/* ---- names ---- */

struct abi_sockaddr_in {
    uint16_t family;
    uint8_t port[2], address[4], zero[8];
};

struct abi_sockaddr_in6 {
    uint16_t family;
    uint8_t port[2];
    uint32_t flow;
    uint8_t address[16];
    uint32_t scope;
};

static int address_from_name(const struct socket *socket, const struct socket_name *name,
                             struct inet_address *out)
{
    *out = (struct inet_address){0};
    if (name->len < sizeof(uint16_t))
        return -EINVAL;
    if (name->family == AF_UNSPEC)
        return 0;
    if (name->family != socket->family &&
        !(name->family == AF_INET && socket->family == AF_INET6 && socket->type == SOCK_DGRAM &&
          socket->protocol_number == IPPROTO_UDP))
        return -EAFNOSUPPORT;
    if (name->family == AF_INET) {
        struct abi_sockaddr_in in;

        if (name->len < sizeof(in))
            return -EINVAL;
        memcpy(&in, name->bytes, sizeof(in));
        out->port = (uint16_t)(in.port[0] << 8 | in.port[1]);
        memcpy(out->bytes, in.address, sizeof(in.address));
    } else {
        struct abi_sockaddr_in6 in;

        if (name->len < sizeof(in) - sizeof(in.scope))
            return -EINVAL;
        in.scope = 0;
        memcpy(&in, name->bytes, min((size_t)name->len, sizeof(in)));
        out->port = (uint16_t)(in.port[0] << 8 | in.port[1]);
        out->scope = in.scope;
        memcpy(out->bytes, in.address, sizeof(in.address));
    }
    out->family = name->family;
    return 0;
}

/* In the family of the socket: IPv4 shows as ::ffff:a.b.c.d on an IPv6 socket. */
void inet_address_to_name(const struct socket *socket, const struct inet_address *from,
                          struct socket_name *name)
{
    uint8_t port[2] = {(uint8_t)(from->port >> 8), (uint8_t)from->port};

    if (socket->family == AF_INET) {
        struct abi_sockaddr_in in = {.family = AF_INET};

        memcpy(in.port, port, sizeof(port));
        memcpy(in.address, from->bytes, sizeof(in.address));
        memcpy(name->bytes, &in, sizeof(in));
        name->len = sizeof(in);
    } else {
        struct abi_sockaddr_in6 in = {.family = AF_INET6, .scope = from->scope};

        memcpy(in.port, port, sizeof(port));
        if (from->family == AF_INET) {
            in.address[10] = in.address[11] = 0xff;
            memcpy(in.address + 12, from->bytes, 4);
        } else {
            memcpy(in.address, from->bytes, sizeof(in.address));
        }
        memcpy(name->bytes, &in, sizeof(in));
        name->len = sizeof(in);
    }
}

static int inet_name(struct socket *socket, struct socket_name *out, enum socket_end end)
{
    struct inet_sock *sock = socket->protocol;

    if (end == SOCKET_PEER && sock->state != INET_CONNECTED)
        return -ENOTCONN;
    inet_address_to_name(socket, end != SOCKET_OWN ? &sock->peer : &sock->local, out);
    return 0;
}

static int inet_bind(struct socket *socket, const struct socket_name *name)
{
    struct inet_sock *sock = socket->protocol;
    struct inet_address address;
    int error = address_from_name(socket, name, &address);

    if (error == 0 && address.family == AF_UNSPEC) {
        static const uint8_t any[4];

        if (socket->family != AF_INET || name->len < sizeof(struct abi_sockaddr_in) ||
            memcmp(name->bytes + 4, any, sizeof(any)) != 0)
            return -EAFNOSUPPORT;
        address.family = AF_INET;
        address.port = (uint16_t)((uint8_t)name->bytes[2] << 8 | (uint8_t)name->bytes[3]);
    }
    return error == 0 ? sock->transport->bind(sock, &address) : error;
}

/* ---- connections ---- */

/* A connect has ended: how, told once. */
static int connect_result(struct socket *socket)
{
    struct inet_sock *sock = socket->protocol;
    int error;

    sock->is_connecting = false;
    if (READ_ONCE(sock->state) == INET_CONNECTED)
        return 0;
    error = atomic_xchg(&socket->error, 0);
    return error != 0 ? -error : -ECONNABORTED;
}

static int connect_and_wait(struct socket *socket, const struct socket_name *name,
                            unsigned file_flags)
{
    struct inet_sock *sock = socket->protocol;
    struct inet_address to;
    int error = address_from_name(socket, name, &to);

    if (error != 0)
        return error;
    if (!sock->is_connecting || to.family == AF_UNSPEC) {
        error = sock->transport->connect(sock, &to);
        if (error != -EINPROGRESS)
            return error;
        sock->is_connecting = true;
        if (file_flags & O_NONBLOCK) /* also if it is made already, over loopback: as Linux says */
            return -EINPROGRESS;
    } else if (READ_ONCE(sock->state) == INET_CONNECTING && (file_flags & O_NONBLOCK)) {
        return -EALREADY;
    }
    error = wait_event(&sock->writable, READ_ONCE(sock->state) != INET_CONNECTING,
                       socket_deadline(socket->send_timeout_ns), WAIT_SERVING);
    if (error == -ETIMEDOUT)
        return -EINPROGRESS;
    return error != 0 ? socket_wait_error(error, socket->send_timeout_ns) : connect_result(socket);
}

static int inet_connect(struct socket *socket, const struct socket_name *name, unsigned file_flags)
{
    int error;

    sched_begin_serving(); /* see inet_send() */
    error = connect_and_wait(socket, name, file_flags);
    sched_end_serving();
    return error;
}

static int inet_listen(struct socket *socket, int backlog)
{
    struct inet_sock *sock = socket->protocol;
    unsigned most =
        backlog < 0 ? BACKLOG_DEFAULT : min((unsigned)backlog, (unsigned)BACKLOG_DEFAULT);

    return sock->transport->listen != NULL ? sock->transport->listen(sock, most) : -EOPNOTSUPP;
}

static int inet_accept(struct socket *socket, struct socket *to, bool nowait)
{
    struct inet_sock *sock = socket->protocol, *child;
    int error;

    if (sock->transport->accept == NULL)
        return -EOPNOTSUPP;
    while ((child = sock->transport->accept(sock, to)) == NULL) {
        if (READ_ONCE(sock->state) != INET_LISTENING)
            return -EINVAL;
        if (nowait)
            return -EAGAIN;
        error = wait_event_exclusive(&sock->readable,
                                     (READ_ONCE(sock->ready) & POLLIN) ||
                                         READ_ONCE(sock->state) != INET_LISTENING,
                                     socket_deadline(socket->receive_timeout_ns), WAIT_SERVING);
        if (error != 0)
            return socket_wait_error(error, socket->receive_timeout_ns);
    }
    to->ops = &inet_ops;
    to->protocol = child;
    to->type = socket->type;
    to->send_timeout_ns = socket->send_timeout_ns;
    to->receive_timeout_ns = socket->receive_timeout_ns;
    to->linger_seconds = socket->linger_seconds;
    to->keep_alive = socket->keep_alive;
    to->send_buffer = socket->send_buffer;
    to->receive_buffer = socket->receive_buffer;
    to->receive_low = socket->receive_low;
    to->bound_interface = socket->bound_interface;
    if (to->keep_alive || to->bound_interface != 0)
        child->transport->options_changed(child);
    return 0;
}

static int inet_shutdown(struct socket *socket, int how)
{
    struct inet_sock *sock = socket->protocol;

    return sock->transport->shutdown(sock, (unsigned)how + 1);
}

/* ---- bytes ---- */

static ssize_t broken_pipe(const struct socket *socket, const struct io *io, unsigned flags)
{
    if (socket->type == SOCK_STREAM && !(flags & MSG_NOSIGNAL) && !(io->flags & IO_NOSIG))
        file_signal(SIGPIPE);
    return -EPIPE;
}

/* One step of a send that may have to wait for room. */
static ssize_t send_step(struct socket *socket, struct io *io, const struct inet_packet *to,
                         unsigned flags)
{
    struct inet_sock *sock = socket->protocol;
    ssize_t sent;
    int error;

    for (;;) {
        unsigned asks = POLLOUT | POLLERR | POLLHUP;

        sent = sock->transport->send(sock, io, to, flags);
        if (sent != -EAGAIN || (flags & MSG_DONTWAIT))
            return sent;
        error = wait_event(&sock->writable, READ_ONCE(sock->ready) & asks,
                           socket_deadline(socket->send_timeout_ns), WAIT_SERVING);
        if (error != 0)
            return socket_wait_error(error, socket->send_timeout_ns);
    }
}

static ssize_t send_message(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct inet_packet to;
    ssize_t done = 0, sent;
    int error;

    to.address.family = to.local.family = AF_UNSPEC; /* all of it would take a call of memset() */
    to.interface = 0;
    to.ttl = to.tos = -1;
    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (message->name != NULL && message->name->len != 0 && socket->type != SOCK_STREAM) {
        error = address_from_name(socket, message->name, &to.address);
        if (error != 0)
            return error;
        if (to.address.port == 0 && socket->protocol_number == IPPROTO_UDP)
            return -EINVAL;
    }
    if (message->record_count != 0 && socket->type != SOCK_STREAM) {
        error = inet_packet_from_records(socket, message, &to);
        if (error != 0)
            return error;
    }
    error = atomic_read(&socket->error) != 0 ? atomic_xchg(&socket->error, 0) : 0;
    if (error != 0)
        return error == EPIPE ? broken_pipe(socket, io, message->flags) : -error;
    do {
        sent = send_step(socket, io, &to, message->flags);
        if (sent < 0)
            break;
        done += sent;
    } while (io_left(io) != 0);
    if (done != 0 || sent >= 0)
        return done;
    return sent == -EPIPE ? broken_pipe(socket, io, message->flags) : sent;
}

static ssize_t receive_message(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct inet_sock *sock = socket->protocol;
    bool is_stream = socket->type == SOCK_STREAM;
    size_t target =
        !is_stream ? 1
                   : (message->flags & MSG_WAITALL ? io_left(io)
                                                   : min((size_t)socket->receive_low, io_left(io)));
    struct inet_packet from;
    ssize_t done = 0, got;
    int error;

    from.address.family = from.local.family = AF_UNSPEC; /* the rest counts with these only */
    from.stamp_ns = 0;
    if (message->flags & MSG_OOB)
        return is_stream ? -EINVAL : -EOPNOTSUPP;
    if (message->flags & MSG_ERRQUEUE)
        return inet_receive_error(socket, io, message);
    for (;;) {
        got = sock->transport->receive(sock, io, &from, &message->flags);
        if (got > 0 || (got == 0 && !is_stream)) {
            done += got;
            if (!is_stream || (size_t)done >= target || (message->flags & (MSG_PEEK | MSG_TRUNC)))
                break;
            continue;
        }
        if (got == 0 || done >= (ssize_t)target)
            break;
        error = atomic_read(&socket->error) != 0 && done == 0 ? atomic_xchg(&socket->error, 0) : 0;
        if (error != 0)
            return -error;
        if (got != -EAGAIN || (message->flags & MSG_DONTWAIT))
            return done != 0 ? done : got;
        error = wait_event(&sock->readable,
                           (READ_ONCE(sock->ready) & (POLLIN | POLLERR | POLLHUP)) ||
                               atomic_read(&socket->error) != 0,
                           socket_deadline(socket->receive_timeout_ns), WAIT_SERVING);
        if (error != 0)
            return done != 0 ? done : socket_wait_error(error, socket->receive_timeout_ns);
    }
    if (got == 0 && done == 0 && is_stream && atomic_read(&socket->error) != 0)
        return -atomic_xchg(&socket->error, 0);
    if (is_stream)
        message->flags &= ~MSG_TRUNC;
    if (message->name != NULL && from.address.family != AF_UNSPEC)
        inet_address_to_name(socket, &from.address, message->name);
    if (message->records != NULL && !is_stream && done >= 0)
        inet_packet_to_records(socket, &from, message);
    return done;
}

/* What comes in meanwhile is most likely the answer, or the next thing to read: this thread takes
 * it from the device, if it is not asleep for something else. */
static ssize_t inet_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    ssize_t done;

    sched_begin_serving();
    done = send_message(socket, io, message);
    sched_end_serving();
    return done;
}

static ssize_t inet_receive(struct socket *socket, struct io *io, struct socket_message *message)
{
    ssize_t done;

    sched_begin_serving();
    done = receive_message(socket, io, message);
    sched_end_serving();
    return done;
}

/* ---- the rest ---- */

static unsigned inet_poll(struct socket *socket, struct poll_waiter *pw)
{
    struct inet_sock *sock = socket->protocol;
    unsigned events;

    poll_add(pw, &sock->readable);
    poll_add(pw, &sock->writable);
    events = READ_ONCE(sock->ready);
    if (atomic_read(&socket->error) != 0 || READ_ONCE(sock->errors) != NULL)
        events |= POLLERR;
    else
        events &= ~POLLERR;
    return events;
}

static __cold long inet_ioctl(struct socket *socket, unsigned cmd, reg_t arg)
{
    struct inet_sock *sock = socket->protocol;

    switch (cmd) {
    case FIONREAD:
        if (READ_ONCE(sock->state) == INET_LISTENING)
            return -EINVAL;
        return inet_give_int(arg, sock->transport->waiting(sock));
    case SIOCOUTQ:
        if (READ_ONCE(sock->state) == INET_LISTENING)
            return -EINVAL;
        return inet_give_int(arg, (int)(READ_ONCE(sock->written) - READ_ONCE(sock->acked)));
    case SIOCOUTQNSD: {
        struct inet_tcp_info info;

        if (socket->type != SOCK_STREAM || READ_ONCE(sock->state) == INET_LISTENING)
            return -EINVAL;
        net_tcp_info(sock, &info);
        return inet_give_int(arg, (int)info.not_sent_bytes);
    }
    case SIOCATMARK:
        return socket->type == SOCK_STREAM ? inet_give_int(arg, 0) : -ENOTTY;
    default:
        return -ENOTTY; /* the devices' */
    }
}

static const struct socket_ops inet_ops = {
    .bind = inet_bind,
    .connect = inet_connect,
    .listen = inet_listen,
    .accept = inet_accept,
    .name = inet_name,
    .send = inet_send,
    .receive = inet_receive,
    .shutdown = inet_shutdown,
    .poll = inet_poll,
    .ioctl = inet_ioctl,
    .set_option = inet_set_option,
    .get_option = inet_get_option,
    .release = inet_release,
};

static const struct socket_family inet_family = {.family = AF_INET, .create = inet_create};
static const struct socket_family inet6_family = {.family = AF_INET6, .create = inet_create};

void inet_init(void)
{
    net_stack_init();
    socket_family_register(&inet_family);
    socket_family_register(&inet6_family);
    socket_set_device_ioctl(inet_device_ioctl);
    netlink_init();
    packet_init();
    inet_proc_init();
}
