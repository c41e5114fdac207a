/* SPDX-License-Identifier: MIT */
/* Multicast groups that sockets join, by lwIP's IGMP and MLD, which count members themselves. */
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/igmp.h>
#include <lwip/ip.h>
#include <lwip/mld6.h>

#include "lwip_port.h"

#define GROUPS_MAX 64u /* of one socket; Linux: 20 for IPv4 */

static struct netif *find_netif(const ip_addr_t *group, unsigned interface)
{
    struct netif *netif;

    if (interface != 0)
        return net_netif(interface);
    if (IP_IS_V4(group))
        return ip4_route(ip_2_ip4(group));
    NETIF_FOREACH(netif)
    {
        if (netif_get_index(netif) != 1 && netif_is_up(netif))
            return netif;
    }
    return netif_get_by_index(1);
}

static err_t change(struct netif *netif, ip_addr_t *group, bool join)
{
    if (IP_IS_V4(group))
        return join ? igmp_joingroup_netif(netif, ip_2_ip4(group))
                    : igmp_leavegroup_netif(netif, ip_2_ip4(group));
    ip6_addr_assign_zone(ip_2_ip6(group), IP6_MULTICAST, netif);
    return join ? mld6_joingroup_netif(netif, ip_2_ip6(group))
                : mld6_leavegroup_netif(netif, ip_2_ip6(group));
}

static bool is_same(const struct inet_membership *member, const struct inet_address *group,
                    unsigned interface)
{
    return member->interface == interface && member->group.family == group->family &&
           memcmp(member->group.bytes, group->bytes, group->family == AF_INET ? 4 : 16) == 0;
}

static int join_locked(struct inet_sock *sock, const struct inet_address *group, unsigned interface)
{
    struct inet_membership *member;
    unsigned count = 0;
    struct netif *netif;
    ip_addr_t ip;

    net_address_to_lwip(group, false, &ip);
    netif = find_netif(&ip, interface);
    if (netif == NULL)
        return -ENODEV;
    interface = netif_get_index(netif);
    for (member = sock->memberships; member != NULL; member = member->next, count++) {
        if (is_same(member, group, interface))
            return -EADDRINUSE;
    }
    member = count < GROUPS_MAX ? kmalloc(sizeof(*member)) : NULL;
    if (member == NULL)
        return -ENOBUFS;
    if (change(netif, &ip, true) != ERR_OK && !IP_IS_V4(&ip)) {
        kfree(member);
        return -ENOBUFS;
    } /* IPv4: all hosts' group needs no joining */
    *member = (struct inet_membership){sock->memberships, *group, interface};
    sock->memberships = member;
    net_active();
    return 0;
}

static void leave(struct inet_membership *member)
{
    struct netif *netif = net_netif(member->interface);
    ip_addr_t ip;

    net_address_to_lwip(&member->group, false, &ip);
    if (netif != NULL)
        (void)change(netif, &ip, false);
    kfree(member);
}

int net_join_group(struct inet_sock *sock, const struct inet_address *group, unsigned interface)
{
    int error;

    net_lock();
    error = join_locked(sock, group, interface);
    net_unlock();
    return error;
}

int net_leave_group(struct inet_sock *sock, const struct inet_address *group, unsigned interface)
{
    struct inet_membership **link = &sock->memberships;
    int error = -EADDRNOTAVAIL;

    net_lock();
    for (; *link != NULL; link = &(*link)->next) {
        struct inet_membership *member = *link;

        if (is_same(member, group, interface != 0 ? interface : member->interface)) {
            *link = member->next;
            leave(member);
            error = 0;
            break;
        }
    }
    net_unlock();
    return error;
}

void net_leave_all_groups(struct inet_sock *sock)
{
    net_lock();
    while (sock->memberships != NULL) {
        struct inet_membership *member = sock->memberships;

        sock->memberships = member->next;
        leave(member);
    }
    net_unlock();
}
