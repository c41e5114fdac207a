/* SPDX-License-Identifier: MIT */
/* Packet sockets (packet(7)), raw and without link header. Rings, fanout and filters are left out.
 */
#include "packet.h"

#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "inet_option.h"
#include "net_link.h"

#define AF_PACKET         17
#define SOL_PACKET        263
#define SO_ACCEPTCONN     30
#define ADD_MEMBERSHIP    1
#define DROP_MEMBERSHIP   2
#define PACKET_STATISTICS 6
#define PACKET_AUXDATA    8
#define FIONREAD          0x541bu

static const struct socket_ops packet_ops;

_Static_assert(sizeof(struct packet_name) == PACKET_NAME_SIZE, "struct sockaddr_ll");

static int packet_create(struct socket *socket, int type, int protocol)
{
    struct packet_sock *sock;

    if (!socket_current_capable(SOCKET_CAP_NET_RAW))
        return -EPERM;
    if (type != SOCK_RAW && type != SOCK_DGRAM)
        return -ESOCKTNOSUPPORT;
    sock = kzalloc(sizeof(*sock));
    if (sock == NULL)
        return -ENOBUFS;
    packet_queue_init(&sock->queue);
    sock->socket = socket;
    sock->is_raw = type == SOCK_RAW;
    socket->ops = &packet_ops;
    socket->protocol = sock;
    socket->protocol_number = protocol;
    net_packet_listen(sock, 0, (uint16_t)((protocol & 0xff) << 8 | (protocol >> 8 & 0xff)));
    return 0;
}

static void packet_release(struct socket *socket)
{
    struct packet_sock *sock = socket->protocol;

    net_packet_listen(sock, 0, 0);
    packet_queue_close(&sock->queue);
    kfree(sock);
}

static int packet_bind(struct socket *socket, const struct socket_name *from)
{
    struct packet_sock *sock = socket->protocol;
    struct packet_name name;
    struct net_link link;
    uint16_t protocol;

    if (from->len < sizeof(name) || from->family != AF_PACKET)
        return -EINVAL;
    memcpy(&name, from->bytes, sizeof(name));
    if (name.link != 0 && !net_link_find(name.link, &link))
        return -ENODEV;
    protocol = (uint16_t)(name.protocol[0] << 8 | name.protocol[1]);
    net_packet_listen(sock, name.link, protocol != 0 ? protocol : sock->protocol);
    return 0;
}

static int packet_name(struct socket *socket, struct socket_name *out, enum socket_end end)
{
    const struct packet_sock *sock = socket->protocol;
    struct packet_name name = {.family = AF_PACKET, .link = sock->link, .address_size = 6};
    struct net_link link;

    if (end != SOCKET_OWN)
        return -EOPNOTSUPP;
    name.protocol[0] = (uint8_t)(sock->protocol >> 8);
    name.protocol[1] = (uint8_t)sock->protocol;
    if (sock->link != 0 && net_link_find(sock->link, &link)) {
        name.hardware = link.device == NULL ? 772 : 1;
        memcpy(name.address, link.mac, sizeof(link.mac));
    } else {
        name.address_size = 0;
    }
    memcpy(out->bytes, &name, sizeof(name));
    out->len = sizeof(name);
    return 0;
}

static ssize_t packet_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct packet_sock *sock = socket->protocol;
    struct packet_name to = {.link = sock->link};
    struct net_link link;

    to.protocol[0] = (uint8_t)(sock->protocol >> 8);
    to.protocol[1] = (uint8_t)sock->protocol;
    if (message->name != NULL && message->name->len != 0) {
        if (message->name->len < 12 || message->name->family != AF_PACKET)
            return -EINVAL;
        memset(&to, 0, sizeof(to));
        memcpy(&to, message->name->bytes, min((size_t)message->name->len, sizeof(to)));
    } else if (!sock->is_raw) {
        return -EDESTADDRREQ;
    }
    if (to.link == 0 || !net_link_find(to.link, &link))
        return -ENXIO;
    if (!(link.flags & LINK_UP))
        return -ENETDOWN;
    if (io_left(io) > link.mtu + (sock->is_raw ? 14 : 0))
        return -EMSGSIZE;
    if (sock->is_raw && io_left(io) < 14)
        return -EINVAL;
    return net_packet_send(sock, io, &to);
}

static ssize_t packet_receive(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct packet_sock *sock = socket->protocol;

    return packet_queue_receive(socket, &sock->queue, io, message, SOL_PACKET);
}

static unsigned packet_poll(struct socket *socket, struct poll_waiter *pw)
{
    struct packet_sock *sock = socket->protocol;
    unsigned events = POLL_WRITABLE;

    poll_add(pw, &sock->queue.readable);
    if (READ_ONCE(sock->queue.first) != NULL)
        events |= POLL_READABLE;
    return atomic_read(&socket->error) != 0 ? events | POLLERR : events;
}

static long packet_ioctl(struct socket *socket, unsigned cmd, reg_t arg)
{
    struct packet_sock *sock = socket->protocol;

    return cmd == FIONREAD ? inet_give_int(arg, (int)packet_queue_next(&sock->queue)) : -ENOTTY;
}

/* struct packet_mreq: index, kind, address. Devices hear everything that they are sent anyway. */
static int check_membership(const void *value, size_t size)
{
    struct net_link link;
    uint32_t index;

    if (size < 16)
        return -EINVAL;
    memcpy(&index, value, sizeof(index));
    return net_link_find(index, &link) ? 0 : -ENODEV;
}

static int packet_set_option(struct socket *socket, int level, int option, const void *value,
                             size_t size)
{
    struct packet_sock *sock = socket->protocol;
    int number;

    if (level != SOL_PACKET)
        return -ENOPROTOOPT;
    if (option == ADD_MEMBERSHIP || option == DROP_MEMBERSHIP)
        return check_membership(value, size);
    if (option != PACKET_AUXDATA)
        return -ENOPROTOOPT;
    if (size < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    sock->aux_data = number != 0;
    return 0;
}

static int packet_get_option(struct socket *socket, int level, int option, void *value,
                             size_t *size)
{
    struct packet_sock *sock = socket->protocol;
    uint32_t found[2] = {sock->aux_data, 0};
    size_t length = sizeof(found[0]);

    if (level == SOL_PACKET && option == PACKET_STATISTICS) {
        found[0] = sock->seen;
        found[1] = sock->queue.dropped;
        sock->seen = sock->queue.dropped = 0;
        length = sizeof(found);
    } else if (level == 1 && option == SO_ACCEPTCONN) {
        found[0] = 0;
    } else if (level != SOL_PACKET || option != PACKET_AUXDATA) {
        return -ENOPROTOOPT;
    }
    *size = min(*size, length);
    memcpy(value, found, *size);
    return 0;
}

static int packet_listen(struct socket *socket, int backlog)
{
    (void)socket;
    (void)backlog;
    return -EOPNOTSUPP;
}

static int packet_shutdown(struct socket *socket, int how)
{
    (void)socket;
    (void)how;
    return -EOPNOTSUPP;
}

static const struct socket_ops packet_ops = {
    .bind = packet_bind,
    .listen = packet_listen,
    .name = packet_name,
    .send = packet_send,
    .receive = packet_receive,
    .shutdown = packet_shutdown,
    .poll = packet_poll,
    .ioctl = packet_ioctl,
    .set_option = packet_set_option,
    .get_option = packet_get_option,
    .release = packet_release,
};

static const struct socket_family packet_family = {.family = AF_PACKET, .create = packet_create};

void packet_init(void)
{
    socket_family_register(&packet_family);
}
