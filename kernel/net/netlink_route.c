/* SPDX-License-Identifier: MIT */
/* NETLINK_ROUTE (rtnetlink(7)): dumps, single look-ups, changes as far as lwIP has them, and what
 * subscribers are told. */
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <net/socket.h>

#include "netlink.h"

enum {
    RTM_NEWLINK = 16,
    RTM_GETLINK = 18,
    RTM_SETLINK,
    RTM_NEWADDR,
    RTM_DELADDR,
    RTM_GETADDR,
    RTM_NEWROUTE = 24,
    RTM_DELROUTE,
    RTM_GETROUTE,
    RTM_GETNEIGH = 30,
    RTM_GETRULE = 34,
};

enum { GROUP_LINK = 1, GROUP_IPV4_ADDRESS = 5, GROUP_IPV4_ROUTE = 7, GROUP_IPV6_ADDRESS = 9 };

#define LINK_HEADER    16u
#define ADDRESS_HEADER 8u
#define ROUTE_HEADER   12u
#define IFLA_ADDRESS   1
#define IFLA_IFNAME    3
#define IFLA_MTU       4
#define IFLA_LINKINFO  18
#define IFLA_ALTNAME   53
#define IFA_ADDRESS    1
#define IFA_LOCAL      2
#define RTA_DST        1
#define RTA_OIF        4
#define RTA_GATEWAY    5
#define ROUTE_CACHED   0x200u

/* The headers of requests begin with the family; the fields that matter, by offset. */
static const uint8_t *header_of(const struct netlink_header *request)
{
    return (const uint8_t *)(request + 1);
}

static uint32_t u32_at(const uint8_t *header, unsigned offset)
{
    uint32_t value;

    memcpy(&value, header + offset, sizeof(value));
    return value;
}

static bool has_header(const struct netlink_header *request, size_t size)
{
    return request->length >= sizeof(*request) + size;
}

/* Copies an address of the family; false if it is not there or has another length. */
static bool find_address(const struct netlink_header *request, size_t header, uint16_t type,
                         unsigned family, uint8_t out[16])
{
    size_t size, wanted = family == AF_INET ? 4 : 16;
    const void *value = netlink_find(request, header, type, &size);

    if (value == NULL || size != wanted)
        return false;
    memcpy(out, value, wanted);
    return true;
}

/* ---- dumps ---- */

static void dump_links(struct netlink_reply *reply)
{
    struct net_link link;

    for (unsigned i = 0; net_link_at(i, &link); i++)
        netlink_put_link(reply, RTM_NEWLINK, &link);
}

static void dump_addresses(struct netlink_reply *reply, unsigned family, unsigned index)
{
    struct net_address address;

    for (unsigned i = 0; net_address_at(i, &address); i++) {
        if ((family == AF_UNSPEC || family == address.family) &&
            (index == 0 || index == address.link))
            netlink_put_address(reply, RTM_NEWADDR, &address);
    }
}

static void dump_routes(struct netlink_reply *reply, unsigned family)
{
    struct net_route route;

    for (unsigned i = 0; net_route_at(i, &route); i++) {
        if (family == AF_UNSPEC || family == route.family)
            netlink_put_route(reply, RTM_NEWROUTE, &route);
    }
}

static void dump_neighbours(struct netlink_reply *reply, unsigned family)
{
    struct net_neighbour neighbour;

    for (unsigned i = 0; net_neighbour_at(i, &neighbour); i++) {
        if (family == AF_UNSPEC || family == neighbour.family)
            netlink_put_neighbour(reply, &neighbour);
    }
}

static int dump(const struct netlink_header *request, struct netlink_reply *reply)
{
    unsigned family = *header_of(request);

    reply->flags = NLM_F_MULTI;
    switch (request->type) {
    case RTM_GETLINK:
        dump_links(reply);
        return 0;
    case RTM_GETADDR:
        dump_addresses(reply, family,
                       has_header(request, ADDRESS_HEADER) ? u32_at(header_of(request), 4) : 0);
        return 0;
    case RTM_GETROUTE:
        if (!has_header(request, ROUTE_HEADER) || !(u32_at(header_of(request), 8) & ROUTE_CACHED))
            dump_routes(reply, family);
        return 0;
    case RTM_GETNEIGH:
        dump_neighbours(reply, family);
        return 0;
    default:
        return -EOPNOTSUPP;
    }
}

/* ---- links ---- */

static int find_link(const struct netlink_header *request, struct net_link *out)
{
    unsigned index = u32_at(header_of(request), 4);
    char name[16] = "";
    const void *value;
    size_t size;

    if (index != 0)
        return net_link_find(index, out) ? 0 : -ENODEV;
    value = netlink_find(request, LINK_HEADER, IFLA_IFNAME, &size);
    if (value == NULL)
        value = netlink_find(request, LINK_HEADER, IFLA_ALTNAME, &size);
    if (value == NULL)
        return -EINVAL;
    memcpy(name, value, min(size, sizeof(name) - 1));
    return net_link_by_name(name, out) ? 0 : -ENODEV;
}

static int get_link(const struct netlink_header *request, struct netlink_reply *reply)
{
    struct net_link link;
    int error = has_header(request, LINK_HEADER) ? find_link(request, &link) : -EINVAL;

    if (error == 0)
        netlink_put_link(reply, RTM_NEWLINK, &link);
    return error;
}

static int change_link(const struct netlink_header *request)
{
    uint32_t flags, change;
    struct net_link link;
    const void *value;
    size_t size;
    int error = has_header(request, LINK_HEADER) ? find_link(request, &link) : -EINVAL;

    if (error == -ENODEV && netlink_find(request, LINK_HEADER, IFLA_LINKINFO, &size) != NULL)
        return -EOPNOTSUPP; /* a new device */
    if (error != 0)
        return error;
    value = netlink_find(request, LINK_HEADER, IFLA_IFNAME, &size);
    if (value != NULL && strncmp(value, link.name, min(size, sizeof(link.name))) != 0)
        return -EOPNOTSUPP; /* a new name */
    value = netlink_find(request, LINK_HEADER, IFLA_MTU, &size);
    if (value != NULL && size == sizeof(uint32_t))
        error = net_link_set_mtu(link.index, u32_at(value, 0));
    value = netlink_find(request, LINK_HEADER, IFLA_ADDRESS, &size);
    if (error == 0 && value != NULL)
        error = size == 6 ? net_link_set_mac(link.index, value) : -EINVAL;
    flags = u32_at(header_of(request), 8);
    change = u32_at(header_of(request), 12);
    if (error == 0 && (change & LINK_UP) && ((flags ^ link.flags) & LINK_UP))
        error = net_link_set_up(link.index, (flags & LINK_UP) != 0);
    return error;
}

/* ---- addresses and routes ---- */

static int change_address(const struct netlink_header *request)
{
    const uint8_t *header = header_of(request);
    struct net_address address = {0};
    struct netlink_reply reply = {0};
    int error;

    if (!has_header(request, ADDRESS_HEADER))
        return -EINVAL;
    address.family = header[0];
    address.prefix = header[1];
    address.link = u32_at(header, 4);
    if (address.family != AF_INET && address.family != AF_INET6)
        return -EAFNOSUPPORT;
    if (!find_address(request, ADDRESS_HEADER, IFA_LOCAL, address.family, address.bytes) &&
        !find_address(request, ADDRESS_HEADER, IFA_ADDRESS, address.family, address.bytes))
        return -EINVAL;
    if (request->type == RTM_NEWADDR)
        return net_address_add(&address);
    error = net_address_remove(&address);
    if (error == 0) { /* what is added is told by a worker: who looks then finds it */
        reply.group = address.family == AF_INET ? GROUP_IPV4_ADDRESS : GROUP_IPV6_ADDRESS;
        netlink_put_address(&reply, RTM_DELADDR, &address);
        netlink_flush(&reply);
    }
    return error;
}

static int read_route(const struct netlink_header *request, struct net_route *out)
{
    const uint8_t *header = header_of(request);
    const void *link;
    size_t size;

    *out = (struct net_route){0};
    if (!has_header(request, ROUTE_HEADER))
        return -EINVAL;
    out->family = header[0];
    out->prefix = header[1];
    if (out->family != AF_INET && out->family != AF_INET6)
        return -EAFNOSUPPORT;
    if (!find_address(request, ROUTE_HEADER, RTA_DST, out->family, out->destination) &&
        out->prefix != 0)
        return -EINVAL;
    out->has_gateway = find_address(request, ROUTE_HEADER, RTA_GATEWAY, out->family, out->gateway);
    link = netlink_find(request, ROUTE_HEADER, RTA_OIF, &size);
    if (link != NULL && size == sizeof(out->link))
        out->link = u32_at(link, 0);
    return 0;
}

static int get_route(const struct netlink_header *request, struct netlink_reply *reply)
{
    struct net_route asked, found;
    int error = read_route(request, &asked);

    if (error == 0)
        error = net_route_to(asked.family, asked.destination, &found);
    if (error == 0)
        netlink_put_route(reply, RTM_NEWROUTE, &found);
    return error;
}

static int change_route(const struct netlink_header *request)
{
    struct netlink_reply reply = {.group = GROUP_IPV4_ROUTE};
    struct net_route route;
    int error = read_route(request, &route);

    if (error != 0)
        return error;
    if (request->type == RTM_NEWROUTE)
        return net_route_add(&route, (request->flags & NLM_F_REPLACE) != 0);
    error = net_route_remove(&route);
    if (error == 0) {
        netlink_put_route(&reply, RTM_DELROUTE, &route);
        netlink_flush(&reply);
    }
    return error;
}

int netlink_route_request(const struct netlink_header *request, struct netlink_reply *reply,
                          bool *is_dump)
{
    unsigned kind = request->type & 3; /* new, delete, get, set */

    if (!has_header(request, 1))
        return 0;
    if (kind == 2 && (request->flags & NLM_F_DUMP)) {
        *is_dump = true;
        return dump(request, reply);
    }
    if (kind != 2 && !socket_current_capable(SOCKET_CAP_NET_ADMIN))
        return -EPERM;
    switch (request->type) {
    case RTM_GETLINK:
        return get_link(request, reply);
    case RTM_NEWLINK:
    case RTM_SETLINK:
        return change_link(request);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return change_address(request);
    case RTM_GETROUTE:
        return get_route(request, reply);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return change_route(request);
    default:
        return -EOPNOTSUPP;
    }
}

/* ---- telling ---- */

static void tell_addresses(unsigned link, unsigned family, unsigned group)
{
    struct netlink_reply reply = {.group = group};

    if (!netlink_has_listeners(group))
        return;
    dump_addresses(&reply, family, link);
    netlink_flush(&reply);
}

static void tell_routes(unsigned link)
{
    struct netlink_reply reply = {.group = GROUP_IPV4_ROUTE};
    struct net_route route;

    if (!netlink_has_listeners(GROUP_IPV4_ROUTE))
        return;
    for (unsigned i = 0; net_route_at(i, &route); i++) {
        if (route.link == link && route.family == AF_INET)
            netlink_put_route(&reply, RTM_NEWROUTE, &route);
    }
    netlink_flush(&reply);
}

void netlink_tell(enum net_change what, unsigned index)
{
    struct netlink_reply reply = {.group = GROUP_LINK};
    struct net_link link;

    if (what == NET_CHANGE_ADDRESS) {
        tell_addresses(index, AF_INET, GROUP_IPV4_ADDRESS);
        tell_addresses(index, AF_INET6, GROUP_IPV6_ADDRESS);
    } else if (what == NET_CHANGE_ROUTE) {
        tell_routes(index);
    } else if (netlink_has_listeners(GROUP_LINK) && net_link_find(index, &link)) {
        netlink_put_link(&reply, RTM_NEWLINK, &link);
        netlink_flush(&reply);
    }
}
