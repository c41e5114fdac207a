/* SPDX-License-Identifier: MIT */
/* Links, addresses, routes and neighbours as messages of rtnetlink(7). */
#include <net/socket.h>

#include "netlink.h"

#define ARPHRD_ETHER    1
#define ARPHRD_LOOPBACK 772
#define OPER_UNKNOWN    0
#define OPER_DOWN       2
#define OPER_UP         6
#define RTM_NEWNEIGH    28

enum { IFLA_ADDRESS = 1, IFLA_BROADCAST, IFLA_IFNAME, IFLA_MTU, IFLA_QDISC = 6, IFLA_STATS };
enum { IFLA_TXQLEN = 13, IFLA_OPERSTATE = 16, IFLA_LINKMODE, IFLA_STATS64 = 23, IFLA_GROUP = 27 };
enum { IFLA_PROMISCUITY = 30, IFLA_TX_QUEUES, IFLA_RX_QUEUES, IFLA_CARRIER };
enum { IFLA_MIN_MTU = 50, IFLA_MAX_MTU };
enum { IFA_ADDRESS = 1, IFA_LOCAL, IFA_LABEL, IFA_BROADCAST, IFA_CACHEINFO = 6, IFA_FLAGS = 8 };
enum { RTA_DST = 1, RTA_OIF = 4, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_TABLE = 15 };
enum { NDA_DST = 1, NDA_LLADDR };

struct abi_ifinfomsg {
    uint8_t family, pad;
    uint16_t type;
    uint32_t index, flags, change;
};

struct abi_ifaddrmsg {
    uint8_t family, prefix, flags, scope;
    uint32_t index;
};

struct abi_rtmsg {
    uint8_t family, destination_prefix, source_prefix, tos, table, protocol, scope, type;
    uint32_t flags;
};

struct abi_ndmsg {
    uint8_t family, pad1;
    uint16_t pad2;
    uint32_t index;
    uint16_t state;
    uint8_t flags, type;
};

static void put_u8(struct netlink_reply *reply, uint16_t type, uint8_t value)
{
    netlink_add(reply, type, &value, sizeof(value));
}

static void put_stats(struct netlink_reply *reply, const struct net_link *link)
{
    struct netdev_stats stats;
    uint64_t wide[24] = {0};
    uint32_t narrow[24];

    net_link_stats(link, &stats);
    wide[0] = stats.rx_packets;
    wide[1] = stats.tx_packets;
    wide[2] = stats.rx_bytes;
    wide[3] = stats.tx_bytes;
    wide[4] = stats.rx_errors;
    wide[5] = stats.tx_errors;
    wide[6] = stats.rx_dropped;
    wide[7] = stats.tx_dropped;
    wide[8] = stats.multicast;
    for (unsigned i = 0; i < 24; i++)
        narrow[i] = (uint32_t)wide[i];
    netlink_add(reply, IFLA_STATS64, wide, sizeof(wide));
    netlink_add(reply, IFLA_STATS, narrow, sizeof(narrow));
}

void netlink_put_link(struct netlink_reply *reply, uint16_t type, const struct net_link *link)
{
    static const uint8_t all_ones[6] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}, zeros[6];
    struct abi_ifinfomsg *header = netlink_begin(reply, type, sizeof(*header));
    bool is_loopback = link->device == NULL, runs = (link->flags & LINK_RUNNING) != 0;

    if (header == NULL)
        return;
    header->type = is_loopback ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
    header->index = link->index;
    header->flags = link->flags;
    netlink_add_string(reply, IFLA_IFNAME, link->name);
    netlink_add_u32(reply, IFLA_TXQLEN, 1000);
    put_u8(reply, IFLA_OPERSTATE, is_loopback ? OPER_UNKNOWN : runs ? OPER_UP : OPER_DOWN);
    put_u8(reply, IFLA_LINKMODE, 0);
    netlink_add_u32(reply, IFLA_MTU, link->mtu);
    netlink_add_u32(reply, IFLA_MIN_MTU, is_loopback ? 0 : 68);
    netlink_add_u32(reply, IFLA_MAX_MTU, is_loopback ? 0 : link->device->mtu_max);
    netlink_add_u32(reply, IFLA_GROUP, 0);
    netlink_add_u32(reply, IFLA_PROMISCUITY, 0);
    netlink_add_u32(reply, IFLA_TX_QUEUES, is_loopback ? 1 : link->device->queue_count);
    netlink_add_u32(reply, IFLA_RX_QUEUES, is_loopback ? 1 : link->device->queue_count);
    put_u8(reply, IFLA_CARRIER, runs);
    netlink_add_string(reply, IFLA_QDISC, "noqueue");
    netlink_add(reply, IFLA_ADDRESS, link->mac, 6);
    netlink_add(reply, IFLA_BROADCAST, is_loopback ? zeros : all_ones, 6);
    put_stats(reply, link);
}

void netlink_put_address(struct netlink_reply *reply, uint16_t type,
                         const struct net_address *address)
{
    struct abi_ifaddrmsg *header = netlink_begin(reply, type, sizeof(*header));
    size_t size = address->family == AF_INET ? 4 : 16;
    uint32_t cache[4] = {address->preferred_s, address->valid_s, 0, 0};
    struct net_link link;

    if (header == NULL)
        return;
    header->family = address->family;
    header->prefix = address->prefix;
    header->flags = address->flags;
    header->scope = address->scope;
    header->index = address->link;
    netlink_add(reply, IFA_ADDRESS, address->bytes, size);
    if (address->family == AF_INET) {
        netlink_add(reply, IFA_LOCAL, address->bytes, size);
        if (address->broadcast[0] != 0)
            netlink_add(reply, IFA_BROADCAST, address->broadcast, 4);
        if (net_link_find(address->link, &link))
            netlink_add_string(reply, IFA_LABEL, link.name);
    }
    netlink_add_u32(reply, IFA_FLAGS, address->flags);
    netlink_add(reply, IFA_CACHEINFO, cache, sizeof(cache));
}

void netlink_put_route(struct netlink_reply *reply, uint16_t type, const struct net_route *route)
{
    struct abi_rtmsg *header = netlink_begin(reply, type, sizeof(*header));
    size_t size = route->family == AF_INET ? 4 : 16;

    if (header == NULL)
        return;
    header->family = route->family;
    header->destination_prefix = route->prefix;
    header->table = (uint8_t)route->table;
    header->protocol = route->protocol;
    header->scope = route->scope;
    header->type = route->type;
    header->flags = route->is_lookup ? 0x200 /* RTM_F_CLONED */ : 0;
    netlink_add_u32(reply, RTA_TABLE, route->table);
    if (route->prefix != 0)
        netlink_add(reply, RTA_DST, route->destination, size);
    if (route->metric != 0)
        netlink_add_u32(reply, RTA_PRIORITY, route->metric);
    if (route->has_source)
        netlink_add(reply, RTA_PREFSRC, route->source, size);
    if (route->has_gateway)
        netlink_add(reply, RTA_GATEWAY, route->gateway, size);
    netlink_add_u32(reply, RTA_OIF, route->link);
}

void netlink_put_neighbour(struct netlink_reply *reply, const struct net_neighbour *neighbour)
{
    struct abi_ndmsg *header = netlink_begin(reply, RTM_NEWNEIGH, sizeof(*header));

    if (header == NULL)
        return;
    header->family = neighbour->family;
    header->index = neighbour->link;
    header->state = neighbour->state;
    header->type = 1; /* unicast */
    netlink_add(reply, NDA_DST, neighbour->address, neighbour->family == AF_INET ? 4 : 16);
    netlink_add(reply, NDA_LLADDR, neighbour->mac, 6);
}
