/* SPDX-License-Identifier: MIT */
/* Joining and leaving groups by IP_*, IPV6_* and MCAST_* options (ip(7), RFC 3678). Membership by
 * source is left out. */
#include "inet_group.h"

#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "net_link.h"

#define LEVEL_IP              0
#define LEVEL_IPV6            41
#define IP_MULTICAST_IF       32
#define IP_ADD_MEMBERSHIP     35
#define IP_DROP_MEMBERSHIP    36
#define IPV6_MULTICAST_IF     17
#define IPV6_ADD_MEMBERSHIP   20
#define IPV6_DROP_MEMBERSHIP  21
#define MCAST_JOIN_GROUP      42
#define MCAST_LEAVE_GROUP     45
#define GROUP_REQUEST_BYTES   136 /* struct group_req */
#define GROUP_REQUEST_ADDRESS 8

static bool link_with_address(const uint8_t *address, unsigned *index)
{
    static const uint8_t any[4];
    struct net_address found;

    *index = 0;
    if (memcmp(address, any, sizeof(any)) == 0)
        return true;
    for (unsigned i = 0; net_address_at(i, &found); i++) {
        if (found.family == AF_INET && memcmp(found.bytes, address, 4) == 0) {
            *index = found.link;
            return true;
        }
    }
    return false;
}

/* struct ip_mreq, or ip_mreqn, which has an index. 0, -EINVAL, -ENODEV. */
static int ip_request(const uint8_t *value, size_t size, struct inet_address *group,
                      unsigned *index)
{
    struct net_link link;

    if (size < 8)
        return -EINVAL;
    *group = (struct inet_address){.family = AF_INET};
    memcpy(group->bytes, value, 4);
    *index = 0;
    if (size >= 12)
        memcpy(index, value + 8, sizeof(*index));
    if (*index != 0)
        return net_link_find(*index, &link) ? 0 : -ENODEV;
    return link_with_address(value + 4, index) ? 0 : -ENODEV;
}

/* struct ipv6_mreq */
static int ipv6_request(const uint8_t *value, size_t size, struct inet_address *group,
                        unsigned *index)
{
    if (size < 20)
        return -EINVAL;
    *group = (struct inet_address){.family = AF_INET6};
    memcpy(group->bytes, value, 16);
    memcpy(index, value + 16, sizeof(*index));
    return 0;
}

/* struct group_req: index, then a sockaddr_storage */
static int group_request(const uint8_t *value, size_t size, int level, struct inet_address *group,
                         unsigned *index)
{
    const uint8_t *name = value + GROUP_REQUEST_ADDRESS;

    if (size < GROUP_REQUEST_BYTES)
        return -EINVAL;
    memcpy(index, value, sizeof(*index));
    *group = (struct inet_address){0};
    memcpy(&group->family, name, sizeof(group->family));
    if (group->family != (level == LEVEL_IP ? AF_INET : AF_INET6))
        return -EADDRNOTAVAIL;
    if (level == LEVEL_IP)
        memcpy(group->bytes, name + 4, 4);
    else
        memcpy(group->bytes, name + 8, 16);
    return 0;
}

static bool is_group(const struct inet_address *address)
{
    return address->family == AF_INET ? (address->bytes[0] & 0xf0) == 0xe0
                                      : address->bytes[0] == 0xff;
}

static int change(struct inet_sock *sock, const struct inet_address *group, unsigned index,
                  bool join)
{
    if (!is_group(group))
        return join || group->family == AF_INET6 ? -EINVAL : -EADDRNOTAVAIL;
    return join ? net_join_group(sock, group, index) : net_leave_group(sock, group, index);
}

static int set_ip_interface(struct inet_sock *sock, const uint8_t *value, size_t size)
{
    struct inet_address ignored;
    unsigned index;
    int error = 0;

    if (sock->socket->type == SOCK_STREAM)
        return -EINVAL;
    if (size >= 8)
        error = ip_request(value, size, &ignored, &index);
    else if (size < 4)
        return -EINVAL;
    else if (!link_with_address(value, &index))
        return -EADDRNOTAVAIL;
    if (error != 0)
        return -EADDRNOTAVAIL;
    sock->options.multicast_interface = (int)index;
    sock->transport->options_changed(sock);
    return 0;
}

static int set_ipv6_interface(struct inet_sock *sock, const uint8_t *value, size_t size)
{
    struct net_link link;
    unsigned index;

    if (size < sizeof(index))
        return -EINVAL;
    if (sock->socket->type == SOCK_STREAM)
        return -ENOPROTOOPT;
    memcpy(&index, value, sizeof(index));
    if (index != 0 && !net_link_find(index, &link))
        return -ENODEV;
    sock->options.multicast_interface = (int)index;
    sock->transport->options_changed(sock);
    return 0;
}

int inet_group_option(struct socket *socket, int level, int number, const void *value, size_t size)
{
    struct inet_sock *sock = socket->protocol;
    struct inet_address group;
    unsigned index;
    bool join;
    int error;

    if (level == LEVEL_IPV6 && socket->family != AF_INET6)
        return -ENOPROTOOPT;
    if (level == LEVEL_IP && number == IP_MULTICAST_IF)
        return set_ip_interface(sock, value, size);
    if (level == LEVEL_IPV6 && number == IPV6_MULTICAST_IF)
        return set_ipv6_interface(sock, value, size);
    if (number == MCAST_JOIN_GROUP || number == MCAST_LEAVE_GROUP) {
        join = number == MCAST_JOIN_GROUP;
        error = group_request(value, size, level, &group, &index);
    } else if (level == LEVEL_IP && (number == IP_ADD_MEMBERSHIP || number == IP_DROP_MEMBERSHIP)) {
        join = number == IP_ADD_MEMBERSHIP;
        error = ip_request(value, size, &group, &index);
    } else if (level == LEVEL_IPV6 &&
               (number == IPV6_ADD_MEMBERSHIP || number == IPV6_DROP_MEMBERSHIP)) {
        join = number == IPV6_ADD_MEMBERSHIP;
        error = ipv6_request(value, size, &group, &index);
    } else {
        return -ENOPROTOOPT;
    }
    if (error == 0 && socket->type == SOCK_STREAM)
        error = -EPROTO;
    return error != 0 ? error : change(sock, &group, index, join);
}

const uint8_t *inet_group_source(struct inet_sock *sock)
{
    static const uint8_t none[4];
    struct net_address found;

    if (sock->options.multicast_interface == 0 ||
        !net_address_of((unsigned)sock->options.multicast_interface, AF_INET, &found))
        return none;
    memcpy(sock->multicast_source, found.bytes, sizeof(sock->multicast_source));
    return sock->multicast_source;
}
