/* SPDX-License-Identifier: MIT */
/*
 * Interfaces, their addresses, routes and neighbours, as netlink, ioctls, /proc/net and /sys tell
 * them (net/lwip/lwip_link.c). Indexes are Linux's: 1 is lo. A `position` counts from 0; false is
 * the end. Everything may sleep and returns -errno.
 */
#ifndef NET_LINK_H
#define NET_LINK_H

#include <device/netdev.h>
#include <lib/types.h>

/* if_flags of netdevice(7) */
#define LINK_UP          0x1u
#define LINK_BROADCAST   0x2u
#define LINK_LOOPBACK    0x8u
#define LINK_RUNNING     0x40u
#define LINK_PROMISCUOUS 0x100u
#define LINK_ALLMULTI    0x200u
#define LINK_MULTICAST   0x1000u
#define LINK_LOWER_UP    0x10000u

struct net_link {
    unsigned index, flags, mtu;
    char name[16];
    uint8_t mac[6];
    struct netdev *device; /* NULL: loopback */
};
bool net_link_at(unsigned position, struct net_link *out);
bool net_link_find(unsigned index, struct net_link *out);
bool net_link_by_name(const char *name, struct net_link *out);
/* Up or down; other flags stay. */
int net_link_set_up(unsigned index, bool up);
int net_link_set_mtu(unsigned index, unsigned mtu);
int net_link_set_mac(unsigned index, const uint8_t mac[6]);
void net_link_stats(const struct net_link *link, struct netdev_stats *out);

struct net_address {
    unsigned link;
    uint8_t family, prefix, scope, flags; /* RT_SCOPE_*, IFA_F_* */
    uint8_t bytes[16], broadcast[4];
    uint32_t valid_s, preferred_s; /* UINT32_MAX: for ever */
};
bool net_address_at(unsigned position, struct net_address *out);
/* IPv4: one an interface (-EEXIST for it, -ENOBUFS for another); IPv6: several. */
int net_address_add(const struct net_address *address);
int net_address_remove(const struct net_address *address); /* -EADDRNOTAVAIL */
/* The first address of a family on a link; false: none. */
bool net_address_of(unsigned link, unsigned family, struct net_address *out);

struct net_route {
    unsigned link, table, metric;
    uint8_t family, prefix, type, scope, protocol;
    bool has_gateway, has_source;
    bool is_lookup; /* how one address goes, no entry of a table */
    uint8_t destination[16], gateway[16], source[16];
};
bool net_route_at(unsigned position, struct net_route *out);
/* The route to an address: 0, -ENETUNREACH. */
int net_route_to(unsigned family, const uint8_t *address, struct net_route *out);
/* Only the default route over a gateway can be changed. -EOPNOTSUPP, -EEXIST, -ESRCH. */
int net_route_add(const struct net_route *route, bool replace);
int net_route_remove(const struct net_route *route);

struct net_neighbour {
    unsigned link;
    uint8_t family, state; /* NUD_* */
    uint8_t address[16], mac[6];
};
bool net_neighbour_at(unsigned position, struct net_neighbour *out);

/* A change: `what` is one bit, the link's index. Called without locks that matter to the callee. */
enum net_change { NET_CHANGE_LINK, NET_CHANGE_ADDRESS, NET_CHANGE_ROUTE };
/* netlink_route.c: tells who has subscribed; from any thread, not under the lock of the stack. */
void netlink_tell(enum net_change what, unsigned link);

#endif
