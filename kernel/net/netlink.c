/* SPDX-License-Identifier: MIT */
/* Netlink sockets (netlink(7)): requests are answered within the call that sends them. Only
 * NETLINK_ROUTE is there. */
#include "netlink.h"

#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "inet_option.h"

#define AF_NETLINK          16
#define NETLINK_ROUTE       0
#define SOL_NETLINK         270
#define ADD_MEMBERSHIP      1
#define DROP_MEMBERSHIP     2
#define LIST_MEMBERSHIPS    9
#define NLMSG_ERROR         2
#define NLMSG_DONE          3
#define NLMSG_MIN_TYPE      16
#define NLM_F_REQUEST       1
#define PACKET_BYTES        3584u
#define REQUEST_MAX         32768u
#define PORT_FIRST          0x40000000u /* of sockets beyond the first, as no process ID */
#define NETLINK_CAP_ACK     10
#define NETLINK_OPTIONS_MAX 13

#define ALIGN4(size) (((size) + 3) & ~(size_t)3)

struct netlink_name {
    uint16_t family, pad;
    uint32_t port, groups;
};

struct netlink_sock {
    struct netlink_sock *next; /* the list's lock */
    struct socket *socket;
    struct packet_queue queue;
    uint32_t port; /* 0: none yet */
    uint32_t peer_groups;
    uint64_t groups;  /* bit n: group n + 1 */
    uint32_t options; /* bit n: option n of SOL_NETLINK */
};

static struct mutex list_lock = MUTEX_INIT(RANK_SOCKET);
static struct netlink_sock *all;
static const struct socket_ops netlink_ops;

/* ---- life and names ---- */

static int netlink_create(struct socket *socket, int type, int protocol)
{
    struct netlink_sock *sock;

    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    if (protocol != NETLINK_ROUTE)
        return -EPROTONOSUPPORT;
    sock = kzalloc(sizeof(*sock));
    if (sock == NULL)
        return -ENOMEM;
    packet_queue_init(&sock->queue);
    sock->socket = socket;
    socket->ops = &netlink_ops;
    socket->protocol = sock;
    mutex_lock(&list_lock);
    sock->next = all;
    all = sock;
    mutex_unlock(&list_lock);
    return 0;
}

static void netlink_release(struct socket *socket)
{
    struct netlink_sock *sock = socket->protocol, **link = &all;

    mutex_lock(&list_lock);
    while (*link != sock)
        link = &(*link)->next;
    *link = sock->next;
    mutex_unlock(&list_lock);
    packet_queue_close(&sock->queue);
    kfree(sock);
}

/* Messages to a group skip a socket without a port. */
static bool is_member(const struct netlink_sock *sock, unsigned group)
{
    return sock->port != 0 && (sock->groups >> (group - 1) & 1);
}

static bool is_port_free(uint32_t port)
{
    const struct netlink_sock *sock = all;

    while (sock != NULL && sock->port != port)
        sock = sock->next;
    return sock == NULL;
}

/* The process' ID for its first socket, another number for each further one. */
static int set_port(struct netlink_sock *sock, uint32_t wanted)
{
    static uint32_t last = PORT_FIRST;
    struct socket_cred cred;
    int error = 0;

    socket_current_cred(&cred);
    mutex_lock(&list_lock);
    if (sock->port != 0) {
        error = wanted != 0 && wanted != sock->port ? -EINVAL : 0;
    } else if (wanted != 0) {
        error = is_port_free(wanted) ? 0 : -EADDRINUSE;
    } else {
        wanted = (uint32_t)cred.pid;
        while (!is_port_free(wanted))
            wanted = ++last;
    }
    if (error == 0 && sock->port == 0)
        sock->port = wanted;
    mutex_unlock(&list_lock);
    return error;
}

static int read_name(const struct socket_name *from, struct netlink_name *out)
{
    if (from->len < sizeof(*out) || from->family != AF_NETLINK)
        return -EINVAL;
    memcpy(out, from->bytes, sizeof(*out));
    return 0;
}

static int netlink_bind(struct socket *socket, const struct socket_name *from)
{
    struct netlink_sock *sock = socket->protocol;
    struct netlink_name name;
    int error = read_name(from, &name);

    if (error == 0)
        error = set_port(sock, name.port);
    if (error == 0)
        sock->groups = name.groups;
    return error;
}

/* A default destination: only the kernel, which is port 0, answers. */
static int netlink_connect(struct socket *socket, const struct socket_name *from,
                           unsigned file_flags)
{
    struct netlink_name name;
    int error;

    (void)file_flags;
    if (from->len >= sizeof(uint16_t) && from->family == AF_UNSPEC)
        return 0;
    error = read_name(from, &name);
    if (error == 0 && name.port != 0)
        error = -ECONNREFUSED;
    return error == 0 ? set_port(socket->protocol, 0) : error;
}

static int netlink_name(struct socket *socket, struct socket_name *out, enum socket_end end)
{
    const struct netlink_sock *sock = socket->protocol;
    struct netlink_name name = {.family = AF_NETLINK};

    if (end == SOCKET_OWN) {
        name.port = sock->port;
        name.groups = (uint32_t)sock->groups;
    }
    memcpy(out->bytes, &name, sizeof(name));
    out->len = sizeof(name);
    return 0;
}

/* ---- making messages ---- */

static uint8_t *end_of(const struct netlink_reply *reply)
{
    return (uint8_t *)reply->message + ALIGN4(reply->message->length);
}

/* Ends the open message. */
static void finish(struct netlink_reply *reply)
{
    if (reply->message != NULL)
        reply->packet->length = (unsigned)(end_of(reply) - reply->packet->data);
    reply->message = NULL;
}

static struct queued_packet *packet_alloc(unsigned group)
{
    struct queued_packet *packet = kmalloc(sizeof(*packet) + PACKET_BYTES);
    struct netlink_name name = {.family = AF_NETLINK,
                                .groups = group != 0 && group <= 32 ? 1u << (group - 1) : 0};

    if (packet == NULL)
        return NULL;
    *packet = (struct queued_packet){.name_len = sizeof(name)};
    memcpy(packet->name, &name, sizeof(name));
    return packet;
}

void *netlink_begin(struct netlink_reply *reply, uint16_t type, size_t size)
{
    finish(reply);
    if (reply->packet != NULL && reply->packet->length + NETLINK_MESSAGE_MAX > PACKET_BYTES)
        netlink_flush(reply);
    if (reply->packet == NULL)
        reply->packet = packet_alloc(reply->group);
    if (reply->packet == NULL) {
        reply->error = -ENOBUFS;
        return NULL;
    }
    reply->message = (struct netlink_header *)(reply->packet->data + reply->packet->length);
    *reply->message = (struct netlink_header){.length = (uint32_t)(sizeof(*reply->message) + size),
                                              .type = type,
                                              .flags = reply->flags,
                                              .sequence = reply->sequence,
                                              .port = reply->port};
    memset(reply->message + 1, 0, ALIGN4(size));
    return reply->message + 1;
}

void netlink_add(struct netlink_reply *reply, uint16_t type, const void *value, size_t size)
{
    struct netlink_attribute *attribute = (struct netlink_attribute *)end_of(reply);
    size_t used = (size_t)((uint8_t *)attribute - (uint8_t *)reply->message);

    if (used + sizeof(*attribute) + ALIGN4(size) > NETLINK_MESSAGE_MAX)
        return;
    *attribute = (struct netlink_attribute){(uint16_t)(sizeof(*attribute) + size), type};
    memset(attribute + 1, 0, ALIGN4(size));
    if (size != 0)
        memcpy(attribute + 1, value, size);
    reply->message->length = (uint32_t)(used + sizeof(*attribute) + size);
}

void netlink_add_u32(struct netlink_reply *reply, uint16_t type, uint32_t value)
{
    netlink_add(reply, type, &value, sizeof(value));
}

void netlink_add_string(struct netlink_reply *reply, uint16_t type, const char *value)
{
    netlink_add(reply, type, value, strlen(value) + 1);
}

bool netlink_has_listeners(unsigned group)
{
    const struct netlink_sock *sock;

    mutex_lock(&list_lock);
    for (sock = all; sock != NULL && !is_member(sock, group); sock = sock->next)
        ;
    mutex_unlock(&list_lock);
    return sock != NULL;
}

static void deliver(struct netlink_sock *sock, struct queued_packet *packet)
{
    if (!packet_queue_add(&sock->queue, packet, (size_t)sock->socket->receive_buffer)) {
        atomic_set(&sock->socket->error, ENOBUFS);
        waitq_wake(&sock->queue.readable, UINT32_MAX, POLL_READABLE | POLLERR);
    }
}

static void deliver_to_group(const struct queued_packet *packet, unsigned group)
{
    size_t size = sizeof(*packet) + packet->length;

    mutex_lock(&list_lock);
    for (struct netlink_sock *sock = all; sock != NULL; sock = sock->next) {
        struct queued_packet *copy = is_member(sock, group) ? kmalloc(size) : NULL;

        if (copy != NULL) {
            memcpy(copy, packet, size);
            deliver(sock, copy);
        }
    }
    mutex_unlock(&list_lock);
}

void netlink_flush(struct netlink_reply *reply)
{
    finish(reply);
    if (reply->packet == NULL)
        return;
    if (reply->group != 0) {
        deliver_to_group(reply->packet, reply->group);
        kfree(reply->packet);
    } else {
        deliver(reply->to, reply->packet);
    }
    reply->packet = NULL;
}

/* ---- requests ---- */

const void *netlink_find(const struct netlink_header *request, size_t header_size, uint16_t type,
                         size_t *size)
{
    size_t at = sizeof(*request) + ALIGN4(header_size);

    while (at + sizeof(struct netlink_attribute) <= request->length) {
        const struct netlink_attribute *attribute = (const void *)((const char *)request + at);

        if (attribute->length < sizeof(*attribute) || attribute->length > request->length - at)
            break;
        if ((attribute->type & 0x3fff) == type) {
            *size = attribute->length - sizeof(*attribute);
            return attribute + 1;
        }
        at += ALIGN4(attribute->length);
    }
    return NULL;
}

/* NLMSG_ERROR: the errno and the request it is about; an errno of 0 is an acknowledgement. */
static void put_error(struct netlink_reply *reply, const struct netlink_header *request, int error,
                      bool is_short)
{
    size_t quoted =
        is_short || error == 0 ? sizeof(*request) : min((size_t)request->length, (size_t)512);
    char *body;

    reply->flags = is_short || error == 0 ? 0x100 /* NLM_F_CAPPED */ : 0;
    if (error == 0 && !is_short)
        reply->flags = 0;
    body = netlink_begin(reply, NLMSG_ERROR, sizeof(int32_t) + quoted);
    if (body == NULL)
        return;
    memcpy(body, &error, sizeof(error));
    memcpy(body + sizeof(error), request, quoted);
}

static void answer(struct netlink_sock *sock, const struct netlink_header *request)
{
    struct netlink_reply reply = {.to = sock, .sequence = request->sequence, .port = sock->port};
    bool is_dump = false, is_short = sock->options >> NETLINK_CAP_ACK & 1;
    int error = 0;
    void *done;

    if (!(request->flags & NLM_F_REQUEST))
        return;
    if (request->type >= NLMSG_MIN_TYPE)
        error = netlink_route_request(request, &reply, &is_dump);
    if (is_dump && error == 0) {
        reply.flags = NLM_F_MULTI;
        done = netlink_begin(&reply, NLMSG_DONE, sizeof(int32_t));
        (void)done;
    } else if (error != 0 || (request->flags & NLM_F_ACK)) {
        netlink_flush(&reply);
        put_error(&reply, request, error, is_short);
    }
    netlink_flush(&reply);
    if (reply.error != 0) {
        atomic_set(&sock->socket->error, -reply.error);
        waitq_wake(&sock->queue.readable, UINT32_MAX, POLL_READABLE | POLLERR);
    }
}

static void answer_all(struct netlink_sock *sock, const char *bytes, size_t length)
{
    size_t at = 0;

    while (length - at >= sizeof(struct netlink_header)) {
        const struct netlink_header *request = (const void *)(bytes + at);

        if (request->length < sizeof(*request) || request->length > length - at)
            return;
        answer(sock, request);
        at += min(ALIGN4((size_t)request->length), length - at);
    }
}

static ssize_t netlink_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct netlink_sock *sock = socket->protocol;
    size_t length = io_left(io);
    struct netlink_name name;
    char *bytes;
    int error = 0;

    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (message->name != NULL && message->name->len != 0) {
        error = read_name(message->name, &name);
        if (error == 0 && (name.port != 0 || name.groups != 0))
            error = name.groups != 0 && !socket_current_capable(SOCKET_CAP_NET_ADMIN)
                        ? -EPERM
                        : -ECONNREFUSED;
    }
    if (error == 0 && sock->port == 0)
        error = set_port(sock, 0);
    if (error == 0 && length > REQUEST_MAX)
        error = -EMSGSIZE;
    if (error != 0)
        return error;
    bytes = kmalloc(length != 0 ? length : 1);
    if (bytes == NULL)
        return -ENOBUFS;
    if (length != 0 && io_copy_from(io, bytes, length) != (ssize_t)length)
        error = -EFAULT;
    else
        answer_all(sock, bytes, length);
    kfree(bytes);
    return error != 0 ? error : (ssize_t)length;
}

static ssize_t netlink_receive(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct netlink_sock *sock = socket->protocol;

    return packet_queue_receive(socket, &sock->queue, io, message, SOL_NETLINK);
}

/* ---- the rest ---- */

static unsigned netlink_poll(struct socket *socket, struct poll_waiter *pw)
{
    struct netlink_sock *sock = socket->protocol;
    unsigned events = POLL_WRITABLE;

    poll_add(pw, &sock->queue.readable);
    if (READ_ONCE(sock->queue.first) != NULL)
        events |= POLL_READABLE;
    if (atomic_read(&socket->error) != 0)
        events |= POLLERR;
    return events;
}

static int netlink_set_option(struct socket *socket, int level, int option, const void *value,
                              size_t size)
{
    struct netlink_sock *sock = socket->protocol;
    uint32_t number;

    if (level != SOL_NETLINK || option < 1 || option >= NETLINK_OPTIONS_MAX)
        return -ENOPROTOOPT;
    if (size < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    if (option == ADD_MEMBERSHIP || option == DROP_MEMBERSHIP) {
        if (number == 0 || number > 64)
            return -EINVAL;
        if (option == ADD_MEMBERSHIP)
            sock->groups |= 1ull << (number - 1);
        else
            sock->groups &= ~(1ull << (number - 1));
        return 0;
    }
    if (option == LIST_MEMBERSHIPS || (option >= 6 && option <= 7))
        return -ENOPROTOOPT;
    sock->options = number != 0 ? sock->options | 1u << option : sock->options & ~(1u << option);
    return 0;
}

static int netlink_get_option(struct socket *socket, int level, int option, void *value,
                              size_t *size)
{
    const struct netlink_sock *sock = socket->protocol;
    uint32_t number;

    if (level == 1 && option == 30) { /* SO_ACCEPTCONN */
        number = 0;
    } else if (level != SOL_NETLINK || option < 3 || option >= NETLINK_OPTIONS_MAX) {
        return -ENOPROTOOPT;
    } else if (option == LIST_MEMBERSHIPS) {
        memcpy(value, &sock->groups, min(*size, sizeof(sock->groups)));
        *size = sizeof(sock->groups);
        return 0;
    } else {
        number = sock->options >> option & 1;
    }
    if (*size < sizeof(number))
        return -EINVAL;
    memcpy(value, &number, sizeof(number));
    *size = sizeof(number);
    return 0;
}

static long netlink_ioctl(struct socket *socket, unsigned cmd, reg_t arg)
{
    struct netlink_sock *sock = socket->protocol;

    return cmd == 0x541b ? inet_give_int(arg, (int)packet_queue_next(&sock->queue)) : -ENOTTY;
}

static int netlink_listen(struct socket *socket, int backlog)
{
    (void)socket;
    (void)backlog;
    return -EOPNOTSUPP;
}

static int netlink_shutdown(struct socket *socket, int how)
{
    (void)socket;
    (void)how;
    return -EOPNOTSUPP;
}

static const struct socket_ops netlink_ops = {
    .bind = netlink_bind,
    .connect = netlink_connect,
    .listen = netlink_listen,
    .name = netlink_name,
    .send = netlink_send,
    .receive = netlink_receive,
    .shutdown = netlink_shutdown,
    .poll = netlink_poll,
    .ioctl = netlink_ioctl,
    .set_option = netlink_set_option,
    .get_option = netlink_get_option,
    .release = netlink_release,
};

static const struct socket_family netlink_family = {.family = AF_NETLINK, .create = netlink_create};

void netlink_init(void)
{
    socket_family_register(&netlink_family);
}
