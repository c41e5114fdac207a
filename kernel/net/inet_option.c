/* SPDX-License-Identifier: MIT */
/* Options of ip(7), ipv6(7), tcp(7), raw(7). Those that Linux has and these tables have not:
 * -ENOPROTOOPT. inet_group.c has those of multicast. */
#include "inet_option.h"

#include <arch/uaccess.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "inet.h"
#include "inet_group.h"
#include "net_link.h"

#define SOL_SOCKET      1
#define SO_BINDTODEVICE 25
#define SO_ACCEPTCONN   30
#define SO_BINDTOIF     62
#define IPPROTO_IP      0
#define IPPROTO_ICMP    1
#define IPPROTO_TCP     6
#define IPPROTO_IPV6    41
#define IPPROTO_ICMPV6  58
#define IPPROTO_RAW     255

#define WINDOW_CLAMP_MIN 1152 /* half of the least receive buffer */

enum option_kind {
    OPTION_BOOL,  /* any value is a truth */
    OPTION_BYTE,  /* a uint8_t field */
    OPTION_INT,   /* an int field */
    OPTION_BIT,   /* `low` is the mask in a uint32_t field */
    OPTION_FIXED, /* read only: `low` */
};

enum option_scope { SCOPE_ALL, SCOPE_NO_STREAM, SCOPE_RAW };

struct option {
    uint8_t level, number, kind, scope;
    int low, high; /* allowed values */
    int standard;  /* what -1 sets, if that is not allowed itself; -1: nothing */
    size_t offset; /* in struct inet_options */
};

#define FIELD(member) offsetof(struct inet_options, member)
#define ANY           INT32_MIN, INT32_MAX, -1
#define MASK(mask)    (int)(mask), 0, -1, FIELD(receive)

static const struct option options[] = {
    {IPPROTO_TCP, 1, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(no_delay)}, /* first: nearly all set it */
    {IPPROTO_IP, 1, OPTION_BYTE, SCOPE_ALL, 0, 255, -1, FIELD(tos)},
    {IPPROTO_IP, 2, OPTION_BYTE, SCOPE_ALL, 1, 255, 64, FIELD(ttl)},
    {IPPROTO_IP, 3, OPTION_BOOL, SCOPE_RAW, ANY, FIELD(header_included)},
    {IPPROTO_IP, 8, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_INFO4)},
    {IPPROTO_IP, 10, OPTION_INT, SCOPE_ALL, 0, 5, -1, FIELD(mtu_discover)},
    {IPPROTO_IP, 11, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_ERRORS4)},
    {IPPROTO_IP, 12, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_TTL4)},
    {IPPROTO_IP, 13, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_TOS4)},
    {IPPROTO_IP, 15, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(free_bind)},
    {IPPROTO_IP, 21, OPTION_INT, SCOPE_ALL, 0, 255, -1, FIELD(minimum_ttl)},
    {IPPROTO_IP, 33, OPTION_BYTE, SCOPE_NO_STREAM, 0, 255, 1, FIELD(multicast_ttl)},
    {IPPROTO_IP, 34, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(multicast_loop)},
    {IPPROTO_IP, 49, OPTION_BYTE, SCOPE_ALL, 0, 1, -1, FIELD(multicast_all)},
    {IPPROTO_IPV6, 16, OPTION_BYTE, SCOPE_ALL, 0, 255, 64, FIELD(ttl)},
    {IPPROTO_IPV6, 18, OPTION_BYTE, SCOPE_NO_STREAM, 0, 255, 1, FIELD(multicast_ttl)},
    {IPPROTO_IPV6, 19, OPTION_BYTE, SCOPE_ALL, 0, 1, -1, FIELD(multicast_loop)},
    {IPPROTO_IPV6, 23, OPTION_INT, SCOPE_ALL, 0, 5, -1, FIELD(mtu_discover)},
    {IPPROTO_IPV6, 25, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_ERRORS6)},
    {IPPROTO_IPV6, 26, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(v6_only)},
    {IPPROTO_IPV6, 29, OPTION_BYTE, SCOPE_ALL, 0, 1, -1, FIELD(multicast_all)},
    {IPPROTO_IPV6, 49, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_INFO6)},
    {IPPROTO_IPV6, 51, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_TTL6)},
    {IPPROTO_IPV6, 66, OPTION_BIT, SCOPE_ALL, MASK(RECEIVE_TOS6)},
    {IPPROTO_IPV6, 73, OPTION_INT, SCOPE_ALL, 0, 255, -1, FIELD(minimum_ttl)},
    {IPPROTO_IPV6, 67, OPTION_BYTE, SCOPE_ALL, 0, 255, 0, FIELD(tos)},
    {IPPROTO_IPV6, 78, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(free_bind)},
    {IPPROTO_TCP, 3, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(cork)},
    {IPPROTO_TCP, 4, OPTION_INT, SCOPE_ALL, 1, 32767, -1, FIELD(keep_idle_s)},
    {IPPROTO_TCP, 5, OPTION_INT, SCOPE_ALL, 1, 32767, -1, FIELD(keep_interval_s)},
    {IPPROTO_TCP, 6, OPTION_INT, SCOPE_ALL, 1, 127, -1, FIELD(keep_count)},
    {IPPROTO_TCP, 7, OPTION_INT, SCOPE_ALL, 1, 127, -1, FIELD(syn_count)},
    {IPPROTO_TCP, 8, OPTION_INT, SCOPE_ALL, ANY, FIELD(linger2_s)},
    {IPPROTO_TCP, 9, OPTION_INT, SCOPE_ALL, ANY, FIELD(defer_accept_s)},
    {IPPROTO_TCP, 10, OPTION_INT, SCOPE_ALL, ANY, FIELD(window_clamp)},
    {IPPROTO_TCP, 12, OPTION_BOOL, SCOPE_ALL, ANY, FIELD(quick_ack)},
    {IPPROTO_TCP, 18, OPTION_INT, SCOPE_ALL, 0, INT32_MAX, -1, FIELD(user_timeout_ms)},
    {IPPROTO_TCP, 23, OPTION_INT, SCOPE_ALL, 0, INT32_MAX, -1, FIELD(fast_open)},
    {IPPROTO_TCP, 25, OPTION_INT, SCOPE_ALL, ANY, FIELD(not_sent_low)},
    {IPPROTO_TCP, 30, OPTION_INT, SCOPE_ALL, 0, 1, -1, FIELD(fast_open_connect)},
};

void inet_options_init(struct inet_options *out)
{
    *out = (struct inet_options){.ttl = 64,
                                 .multicast_ttl = 1,
                                 .multicast_loop = 1,
                                 .multicast_all = true,
                                 .mtu_discover = 1,
                                 .quick_ack = true,
                                 .checksum_offset = -1,
                                 .keep_idle_s = 7200,
                                 .keep_interval_s = 75,
                                 .keep_count = 9,
                                 .syn_count = 6,
                                 .linger2_s = 60};
}

static const struct option *option_find(const struct socket *socket, int level, int number)
{
    if (level == IPPROTO_TCP && socket->type != SOCK_STREAM)
        return NULL;
    if (level == IPPROTO_IPV6 && socket->family != AF_INET6)
        return NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        if (options[i].level == level && options[i].number == number)
            return options[i].scope == SCOPE_RAW && socket->type != SOCK_RAW ? NULL : &options[i];
    }
    return NULL;
}

/* Linux counts retransmissions of the answer, each after twice the time: 1, 3, 7, 15 s ... */
static int defer_seconds(int asked)
{
    int period = 1, seconds = 1;

    if (asked <= 0)
        return 0;
    while (seconds < asked && seconds < 4096) {
        period *= 2;
        seconds += period;
    }
    return seconds;
}

static int set_field(struct inet_sock *sock, const struct option *option, int asked)
{
    char *field = (char *)&sock->options + option->offset;
    uint32_t bits;

    switch (option->kind) {
    case OPTION_INT:
        memcpy(field, &asked, sizeof(asked));
        break;
    case OPTION_BIT:
        memcpy(&bits, field, sizeof(bits));
        bits = asked != 0 ? bits | (uint32_t)option->low : bits & ~(uint32_t)option->low;
        memcpy(field, &bits, sizeof(bits));
        break;
    default:
        *(uint8_t *)field = option->kind == OPTION_BOOL ? asked != 0 : (uint8_t)asked;
        break;
    }
    sock->transport->options_changed(sock);
    return 0;
}

static int set_number(struct socket *socket, const struct option *option, int asked)
{
    struct inet_sock *sock = socket->protocol;
    bool is_new = READ_ONCE(sock->state) == INET_NEW;

    if (option->scope == SCOPE_NO_STREAM && socket->type == SOCK_STREAM)
        return option->level == IPPROTO_IP ? -EINVAL : -ENOPROTOOPT;
    if (asked == -1 && option->standard != -1)
        asked = option->standard;
    if (option->kind != OPTION_BIT && (asked < option->low || asked > option->high))
        return -EINVAL;
    if (option->offset == FIELD(v6_only) && (!is_new || sock->local.port != 0))
        return -EINVAL;
    if (option->offset == FIELD(fast_open_connect) && !is_new)
        return -EINVAL;
    if (option->offset == FIELD(defer_accept_s))
        asked = defer_seconds(asked);
    if (option->offset == FIELD(linger2_s))
        asked = asked < 0 ? -1 : min(asked, 60);
    if (option->offset == FIELD(window_clamp)) {
        if (asked == 0 && READ_ONCE(sock->state) > INET_BOUND)
            return -EINVAL;
        asked = asked != 0 ? max(asked, WINDOW_CLAMP_MIN) : 0;
    }
    return set_field(sock, option, asked);
}

/* ---- options that are no number ---- */

static const char congestion[] = "reno"; /* what lwIP does */

static int set_congestion(const void *value, size_t size)
{
    if (size < 1)
        return -EINVAL;
    return strncmp(value, congestion, min(size, sizeof(congestion))) == 0 ? 0 : -ENOENT;
}

static int bind_to_link(struct socket *socket, unsigned index)
{
    struct inet_sock *sock = socket->protocol;

    if (socket->bound_interface != 0 && !socket_current_capable(SOCKET_CAP_NET_RAW))
        return -EPERM;
    socket->bound_interface = index;
    sock->transport->options_changed(sock);
    return 0;
}

static int bind_to_name(struct socket *socket, const void *value, size_t size)
{
    struct net_link link;
    char name[16] = "";

    memcpy(name, value, min(size, sizeof(name) - 1));
    if (name[0] == '\0')
        return bind_to_link(socket, 0);
    return net_link_by_name(name, &link) ? bind_to_link(socket, link.index) : -ENODEV;
}

static int set_max_segment(struct socket *socket, int asked)
{
    struct inet_sock *sock = socket->protocol;

    if (asked != 0 && (asked < 88 || asked > 32767))
        return -EINVAL;
    sock->options.max_segment = asked;
    sock->transport->options_changed(sock);
    return 0;
}

static int set_icmp_filter(struct socket *socket, const void *value, size_t size)
{
    struct inet_sock *sock = socket->protocol;

    memcpy(sock->options.icmp_filter, value, min(size, sizeof(sock->options.icmp_filter)));
    return 0;
}

/* Whether (level, number) is the filter of a raw ICMP socket; its size. */
static size_t icmp_filter_size(const struct socket *socket, int level, int number)
{
    if (socket->type != SOCK_RAW || number != 1)
        return 0;
    if (level == IPPROTO_RAW && socket->protocol_number == IPPROTO_ICMP)
        return 4;
    return level == IPPROTO_ICMPV6 && socket->protocol_number == IPPROTO_ICMPV6 ? 32 : 0;
}

static int set_special(struct socket *socket, int level, int number, const void *value, size_t size)
{
    struct inet_sock *sock = socket->protocol;
    int asked = 0;

    if (level == IPPROTO_TCP && number == 13 && socket->type == SOCK_STREAM)
        return set_congestion(value, size);
    if (level == SOL_SOCKET && number == SO_BINDTODEVICE)
        return bind_to_name(socket, value, size);
    if (level == SOL_SOCKET && socket_option_is_told(number)) {
        sock->transport->options_changed(sock);
        return 0;
    }
    if (icmp_filter_size(socket, level, number) != 0)
        return set_icmp_filter(socket, value, size);
    if (level == IPPROTO_IP || level == IPPROTO_IPV6) {
        int result = inet_group_option(socket, level, number, value, size);

        if (result != -ENOPROTOOPT)
            return result;
    }
    if (size >= sizeof(asked))
        memcpy(&asked, value, sizeof(asked));
    if (level == SOL_SOCKET && number == SO_BINDTOIF) {
        return asked < 0 || asked > (int)UINT8_MAX ? -EINVAL
                                                   : bind_to_link(socket, (unsigned)asked);
    }
    if (level == IPPROTO_TCP && number == 2 && socket->type == SOCK_STREAM)
        return size >= sizeof(asked) ? set_max_segment(socket, asked) : -EINVAL;
    if (level == IPPROTO_IPV6 && number == 7 && socket->type == SOCK_RAW) {
        if (asked > 0 && (asked & 1))
            return -EINVAL;
        sock->options.checksum_offset = asked < 0 ? -1 : asked;
        return 0;
    }
    return -ENOPROTOOPT;
}

int inet_set_option(struct socket *socket, int level, int number, const void *value, size_t size)
{
    const struct option *option = option_find(socket, level, number);
    int asked = 0;

    if (option == NULL)
        return set_special(socket, level, number, value, size);
    if (size >= sizeof(asked))
        memcpy(&asked, value, sizeof(asked));
    else if (size >= 1 && level == IPPROTO_IP)
        asked = *(const uint8_t *)value;
    else
        return -EINVAL;
    return set_number(socket, option, asked);
}

/* ---- reading ---- */

static int get_field(const struct inet_sock *sock, const struct option *option)
{
    const char *field = (const char *)&sock->options + option->offset;
    uint32_t number;

    if (option->kind == OPTION_BOOL || option->kind == OPTION_BYTE)
        return *(const uint8_t *)field;
    memcpy(&number, field, sizeof(number));
    return option->kind == OPTION_BIT ? (number & (uint32_t)option->low) != 0 : (int)number;
}

static int give(void *value, size_t *size, const void *from, size_t from_size)
{
    *size = min(*size, from_size);
    memcpy(value, from, *size);
    return 0;
}

static int get_bound_name(const struct socket *socket, void *value, size_t *size)
{
    struct net_link link;

    if (socket->bound_interface == 0 || !net_link_find(socket->bound_interface, &link)) {
        *size = 0;
        return 0;
    }
    return *size < sizeof(link.name) ? -EINVAL
                                     : give(value, size, link.name, strlen(link.name) + 1);
}

static int get_path_mtu(const struct inet_sock *sock)
{
    struct net_route route;
    struct net_link link;

    if (READ_ONCE(sock->state) != INET_CONNECTED ||
        net_route_to(sock->peer.family, sock->peer.bytes, &route) != 0 ||
        !net_link_find(route.link, &link))
        return -ENOTCONN;
    return (int)link.mtu;
}

/* Those that are numbers but no field: the value or -errno. */
static int get_number(const struct socket *socket, int level, int number)
{
    const struct inet_sock *sock = socket->protocol;

    switch (level << 8 | number) {
    case SOL_SOCKET << 8 | SO_ACCEPTCONN:
        return READ_ONCE(sock->state) == INET_LISTENING;
    case SOL_SOCKET << 8 | SO_BINDTOIF:
        return (int)socket->bound_interface;
    case IPPROTO_IP << 8 | 14: /* IP_MTU */
    case IPPROTO_IPV6 << 8 | 24:
        return get_path_mtu(sock);
    case IPPROTO_IPV6 << 8 | 17: /* IPV6_MULTICAST_IF */
        return sock->options.multicast_interface;
    case IPPROTO_TCP << 8 | 2:
        return socket->type == SOCK_STREAM ? net_tcp_max_segment(socket->protocol) : -ENOPROTOOPT;
    default:
        return -ENOPROTOOPT;
    }
}

static int get_special(struct socket *socket, int level, int number, void *value, size_t *size)
{
    struct inet_sock *sock = socket->protocol;
    size_t filter = icmp_filter_size(socket, level, number);

    if (level == IPPROTO_TCP && socket->type == SOCK_STREAM && number == 13) {
        char name[16] = "reno";

        return give(value, size, name, sizeof(name));
    }
    if (level == IPPROTO_TCP && socket->type == SOCK_STREAM && number == 11) {
        struct inet_tcp_info info;

        net_tcp_info(sock, &info);
        return give(value, size, &info, sizeof(info));
    }
    if (level == SOL_SOCKET && number == SO_BINDTODEVICE)
        return get_bound_name(socket, value, size);
    if (filter != 0)
        return give(value, size, sock->options.icmp_filter, filter);
    if (level == IPPROTO_IP && number == 32) /* IP_MULTICAST_IF: an address */
        return give(value, size, inet_group_source(sock), 4);
    if (level == IPPROTO_IP && number == 4) { /* IP_OPTIONS: none */
        *size = 0;
        return 0;
    }
    /* Linux: the IPv4 layer has another errno for levels that it does not know */
    return socket->family == AF_INET && level != IPPROTO_IP && level != SOL_SOCKET &&
                   (level != IPPROTO_TCP || socket->type != SOCK_STREAM)
               ? -EOPNOTSUPP
               : -ENOPROTOOPT;
}

int inet_get_option(struct socket *socket, int level, int number, void *value, size_t *size)
{
    const struct option *option = option_find(socket, level, number);
    int found =
        option != NULL ? get_field(socket->protocol, option) : get_number(socket, level, number);

    if (option == NULL && found == -ENOPROTOOPT)
        return get_special(socket, level, number, value, size);
    if (option == NULL && found < 0)
        return found;
    if (level == IPPROTO_IP && *size > 0 && *size < sizeof(found) && found >= 0 && found <= 255) {
        *(uint8_t *)value = (uint8_t)found;
        *size = 1;
        return 0;
    }
    return give(value, size, &found, sizeof(found));
}

long inet_give_int(reg_t user, int value)
{
    return put_user32(user, (uint32_t)value);
}
