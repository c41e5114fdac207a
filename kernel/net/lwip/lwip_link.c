/* SPDX-License-Identifier: MIT */
/* Interfaces, addresses, routes and neighbours of lwIP in the terms of net_link.h. */
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include <lwip/dhcp.h>
#include <lwip/etharp.h>
#include <lwip/ip.h>
#include <lwip/nd6.h>
#include <lwip/priv/nd6_priv.h>

#include "../net_link.h"
#include "lwip_port.h"
#include "lwip_tcp.h"

#define MTU_MIN            68u
#define SCOPE_UNIVERSE     0
#define SCOPE_LINK         253
#define SCOPE_HOST         254
#define ADDRESS_TENTATIVE  0x40
#define ADDRESS_DEPRECATED 0x20
#define ADDRESS_PERMANENT  0x80
#define TABLE_MAIN         254
#define TYPE_UNICAST       1
#define TYPE_LOCAL         2
#define PROTOCOL_KERNEL    2
#define PROTOCOL_BOOT      3
#define PROTOCOL_RA        9
#define PROTOCOL_DHCP      16

static bool is_loopback(const struct netif *netif)
{
    return netif->num == 0;
}

/* ---- links ---- */

static void fill_link(struct netif *netif, struct net_link *out)
{
    struct netdev *device = is_loopback(netif) ? NULL : net_interface_device(netif);

    *out =
        (struct net_link){.index = netif_get_index(netif), .device = device, .mtu = net_mtu(netif)};
    if (netif_is_up(netif))
        out->flags |= LINK_UP;
    if (netif_is_link_up(netif) && netif_is_up(netif))
        out->flags |= LINK_RUNNING | LINK_LOWER_UP;
    if (device == NULL) {
        memcpy(out->name, "lo", 3);
        out->flags |= LINK_LOOPBACK;
        return;
    }
    memcpy(out->name, device->name, sizeof(out->name));
    memcpy(out->mac, netif->hwaddr, sizeof(out->mac));
    out->flags |= LINK_BROADCAST | LINK_MULTICAST;
}

bool net_link_find(unsigned index, struct net_link *out)
{
    struct netif *netif;

    net_lock();
    netif = net_netif(index);
    if (netif != NULL)
        fill_link(netif, out);
    net_unlock();
    return netif != NULL;
}

bool net_link_at(unsigned position, struct net_link *out)
{
    return net_link_find(position + 1, out); /* none is ever taken away */
}

bool net_link_by_name(const char *name, struct net_link *out)
{
    for (unsigned i = 0; net_link_at(i, out); i++) {
        if (strcmp(out->name, name) == 0)
            return true;
    }
    return false;
}

int net_link_set_up(unsigned index, bool up)
{
    struct netif *netif;

    net_lock();
    netif = netif_get_by_index((u8_t)index);
    if (netif != NULL && up)
        netif_set_up(netif);
    else if (netif != NULL)
        netif_set_down(netif);
    net_active();
    net_unlock();
    return netif != NULL ? 0 : -ENODEV;
}

int net_link_set_mtu(unsigned index, unsigned mtu)
{
    struct netif *netif;
    struct net_link link;
    unsigned most;

    if (!net_link_find(index, &link))
        return -ENODEV;
    if (link.device == NULL)
        most = NET_LOOPBACK_MTU;
    else
        most = link.device->mtu_max;
    if (mtu < MTU_MIN || mtu > most)
        return -EINVAL;
    net_lock();
    netif = netif_get_by_index((u8_t)index);
    netif->mtu = (u16_t)mtu; /* 0: that of loopback */
    tcp_mtu_changed(netif);
    net_unlock();
    return 0;
}

int net_link_set_mac(unsigned index, const uint8_t mac[6])
{
    struct net_link link;
    int error;

    if (!net_link_find(index, &link))
        return -ENODEV;
    if (link.device == NULL || link.device->ops->set_mac == NULL)
        return -EOPNOTSUPP;
    error = link.device->ops->set_mac(link.device, mac);
    if (error != 0)
        return error;
    net_lock();
    memcpy(netif_get_by_index((u8_t)index)->hwaddr, mac, 6);
    net_unlock();
    return 0;
}

void net_link_stats(const struct net_link *link, struct netdev_stats *out)
{
    *out = (struct netdev_stats){0};
    if (link->device != NULL)
        netdev_get_stats(link->device, out);
}

/* ---- addresses ---- */

static unsigned prefix_of(uint32_t mask_be)
{
    uint32_t mask = lwip_ntohl(mask_be);
    unsigned bits = 0;

    for (; mask & 0x80000000u; mask <<= 1)
        bits++;
    return bits;
}

static void fill_ipv4(struct netif *netif, struct net_address *out)
{
    uint32_t address = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr;
    uint32_t broadcast = address | ~mask;

    *out = (struct net_address){.link = netif_get_index(netif),
                                .family = AF_INET,
                                .prefix = (uint8_t)prefix_of(mask),
                                .scope = is_loopback(netif) ? SCOPE_HOST : SCOPE_UNIVERSE,
                                .flags = ADDRESS_PERMANENT,
                                .valid_s = UINT32_MAX,
                                .preferred_s = UINT32_MAX};
    memcpy(out->bytes, &address, 4);
    if (!is_loopback(netif))
        memcpy(out->broadcast, &broadcast, 4);
    if (dhcp_supplied_address(netif)) {
        out->flags = 0;
        out->valid_s = out->preferred_s = netif_dhcp_data(netif)->offered_t0_lease;
    }
}

static void fill_ipv6(struct netif *netif, unsigned slot, struct net_address *out)
{
    const ip6_addr_t *address = netif_ip6_addr(netif, slot);
    u8_t state = netif_ip6_addr_state(netif, slot);

    *out = (struct net_address){.link = netif_get_index(netif),
                                .family = AF_INET6,
                                .prefix = is_loopback(netif) ? 128 : 64,
                                .scope = ip6_addr_islinklocal(address) ? SCOPE_LINK
                                         : is_loopback(netif)          ? SCOPE_HOST
                                                                       : SCOPE_UNIVERSE,
                                .flags = ADDRESS_PERMANENT,
                                .valid_s = UINT32_MAX,
                                .preferred_s = UINT32_MAX};
    memcpy(out->bytes, address->addr, 16);
    if (!netif_ip6_addr_isstatic(netif, slot)) {
        out->flags = 0;
        out->valid_s = netif_ip6_addr_valid_life(netif, slot);
        out->preferred_s = netif_ip6_addr_pref_life(netif, slot);
    }
    if (ip6_addr_istentative(state))
        out->flags |= ADDRESS_TENTATIVE;
    else if (!ip6_addr_ispreferred(state))
        out->flags |= is_loopback(netif) ? 0 : ADDRESS_DEPRECATED;
}

/* IPv4 first, then IPv6, each in the order of links. */
bool net_address_at(unsigned position, struct net_address *out)
{
    struct netif *netif;
    bool found = false;

    net_lock();
    for (unsigned i = 1; !found && (netif = netif_get_by_index((u8_t)i)) != NULL; i++) {
        if (ip4_addr_isany_val(*netif_ip4_addr(netif)) || position-- != 0)
            continue;
        fill_ipv4(netif, out);
        found = true;
    }
    for (unsigned i = 1; !found && (netif = netif_get_by_index((u8_t)i)) != NULL; i++) {
        for (unsigned slot = 0; !found && slot < LWIP_IPV6_NUM_ADDRESSES; slot++) {
            if (ip6_addr_isinvalid(netif_ip6_addr_state(netif, slot)) || position-- != 0)
                continue;
            fill_ipv6(netif, slot, out);
            found = true;
        }
    }
    net_unlock();
    return found;
}

bool net_address_of(unsigned link, unsigned family, struct net_address *out)
{
    for (unsigned i = 0; net_address_at(i, out); i++) {
        if (out->link == link && out->family == family)
            return true;
    }
    return false;
}

static int add_ipv4(struct netif *netif, const struct net_address *address)
{
    ip4_addr_t ip, mask, gateway = *netif_ip4_gw(netif);

    memcpy(&ip.addr, address->bytes, 4);
    mask.addr = address->prefix == 0 ? 0 : lwip_htonl(UINT32_MAX << (32 - address->prefix));
    if (!ip4_addr_isany_val(*netif_ip4_addr(netif)))
        return ip4_addr_eq(&ip, netif_ip4_addr(netif)) ? -EEXIST : -ENOBUFS;
    dhcp_release_and_stop(netif);
    netif_set_addr(netif, &ip, &mask, &gateway);
    return 0;
}

static int add_ipv6(struct netif *netif, const struct net_address *address)
{
    ip6_addr_t ip;
    s8_t slot;

    memcpy(ip.addr, address->bytes, 16);
    ip6_addr_clear_zone(&ip);
    ip6_addr_assign_zone(&ip, IP6_UNICAST, netif);
    if (netif_get_ip6_addr_match(netif, &ip) >= 0)
        return -EEXIST;
    if (netif_add_ip6_address(netif, &ip, &slot) != ERR_OK)
        return -ENOBUFS;
    if (is_loopback(netif))
        netif_ip6_addr_set_state(netif, slot, IP6_ADDR_PREFERRED);
    return 0;
}

static int remove_address(struct netif *netif, const struct net_address *address)
{
    ip6_addr_t ip;
    s8_t slot;

    if (address->family == AF_INET) {
        if (memcmp(&netif_ip4_addr(netif)->addr, address->bytes, 4) != 0)
            return -EADDRNOTAVAIL;
        dhcp_release_and_stop(netif);
        netif_set_addr(netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4);
        return 0;
    }
    memcpy(ip.addr, address->bytes, 16);
    ip6_addr_clear_zone(&ip);
    ip6_addr_assign_zone(&ip, IP6_UNICAST, netif);
    slot = netif_get_ip6_addr_match(netif, &ip);
    if (slot < 0)
        return -EADDRNOTAVAIL;
    netif_ip6_addr_set_state(netif, slot, IP6_ADDR_INVALID);
    return 0;
}

static int change_address(const struct net_address *address, bool add)
{
    struct netif *netif;
    int error = -ENODEV;

    if (address->prefix > (address->family == AF_INET ? 32 : 128))
        return -EINVAL;
    net_lock();
    netif = net_netif(address->link);
    if (netif != NULL && !add)
        error = remove_address(netif, address);
    else if (netif != NULL)
        error = address->family == AF_INET ? add_ipv4(netif, address) : add_ipv6(netif, address);
    net_active();
    net_unlock();
    return error;
}

int net_address_add(const struct net_address *address)
{
    return change_address(address, true);
}

int net_address_remove(const struct net_address *address)
{
    return change_address(address, false);
}

/* ---- routes ---- */

/* What a netif's address and gateway mean, one after another; false: that was all. */
static bool route_of_ipv4(struct netif *netif, unsigned which, struct net_route *out)
{
    uint32_t address = netif_ip4_addr(netif)->addr, mask = netif_ip4_netmask(netif)->addr;
    bool has_gateway = !ip4_addr_isany_val(*netif_ip4_gw(netif)) && !is_loopback(netif);

    if (address == 0 || is_loopback(netif) || !netif_is_up(netif) || which > has_gateway)
        return false;
    *out = (struct net_route){.link = netif_get_index(netif),
                              .table = TABLE_MAIN,
                              .family = AF_INET,
                              .type = TYPE_UNICAST};
    if (has_gateway && which == 0) {
        out->has_gateway = true;
        out->protocol = dhcp_supplied_address(netif) ? PROTOCOL_DHCP : PROTOCOL_BOOT;
        memcpy(out->gateway, &netif_ip4_gw(netif)->addr, 4);
    } else {
        uint32_t network = address & mask;

        out->prefix = (uint8_t)prefix_of(mask);
        out->scope = SCOPE_LINK;
        out->protocol = PROTOCOL_KERNEL;
        out->has_source = true;
        memcpy(out->destination, &network, 4);
        memcpy(out->source, &address, 4);
    }
    return true;
}

static bool ipv4_route_at(unsigned *position, struct net_route *out)
{
    struct netif *netif;

    for (unsigned i = 1; (netif = netif_get_by_index((u8_t)i)) != NULL; i++) {
        for (unsigned which = 0; route_of_ipv4(netif, which, out); which++) {
            if ((*position)-- == 0)
                return true;
        }
    }
    return false;
}

static void ipv6_route(struct netif *netif, const ip6_addr_t *network, unsigned prefix,
                       unsigned protocol, struct net_route *out)
{
    *out = (struct net_route){.link = netif_get_index(netif),
                              .table = TABLE_MAIN,
                              .metric = protocol == PROTOCOL_RA ? 1024 : 256,
                              .family = AF_INET6,
                              .prefix = (uint8_t)prefix,
                              .type = TYPE_UNICAST,
                              .protocol = (uint8_t)protocol};
    if (network != NULL)
        memcpy(out->destination, network->addr, 16);
}

static bool ipv6_route_at(unsigned *position, struct net_route *out)
{
    static const ip6_addr_t link_local = {.addr = {PP_HTONL(0xfe800000u)}};
    struct netif *netif;

    for (unsigned i = 0; i < LWIP_ND6_NUM_PREFIXES; i++) {
        if (prefix_list[i].netif == NULL || (*position)-- != 0)
            continue;
        ipv6_route(prefix_list[i].netif, &prefix_list[i].prefix, 64, PROTOCOL_KERNEL, out);
        return true;
    }
    for (unsigned i = 2; (netif = netif_get_by_index((u8_t)i)) != NULL; i++) {
        if (ip6_addr_isinvalid(netif_ip6_addr_state(netif, 0)) || (*position)-- != 0)
            continue;
        ipv6_route(netif, &link_local, 64, PROTOCOL_KERNEL, out);
        return true;
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_ROUTERS; i++) {
        const struct nd6_neighbor_cache_entry *router = default_router_list[i].neighbor_entry;

        if (router == NULL || (*position)-- != 0)
            continue;
        ipv6_route(router->netif, NULL, 0, PROTOCOL_RA, out);
        out->has_gateway = true;
        memcpy(out->gateway, router->next_hop_address.addr, 16);
        return true;
    }
    return false;
}

bool net_route_at(unsigned position, struct net_route *out)
{
    bool found;

    net_lock();
    found = ipv4_route_at(&position, out) || ipv6_route_at(&position, out);
    net_unlock();
    return found;
}

static bool is_own(struct netif *netif, const ip_addr_t *ip)
{
    if (IP_IS_V4(ip))
        return ip4_addr_eq(netif_ip4_addr(netif), ip_2_ip4(ip)) || is_loopback(netif);
    return netif_get_ip6_addr_match(netif, ip_2_ip6(ip)) >= 0;
}

int net_route_to(unsigned family, const uint8_t *address, struct net_route *out)
{
    struct inet_address to = {.family = (uint16_t)family};
    size_t size = family == AF_INET ? 4 : 16;
    const ip_addr_t *source;
    struct netif *netif;
    ip_addr_t ip;
    int error = -ENETUNREACH;

    memcpy(to.bytes, address, size);
    net_lock();
    net_address_to_lwip(&to, family == AF_INET6, &ip);
    netif = ip_route(IP_IS_V6(&ip) ? IP6_ADDR_ANY : IP4_ADDR_ANY, &ip);
    source = netif != NULL ? ip_netif_get_local_ip(netif, &ip) : NULL;
    if (source != NULL) {
        error = 0;
        *out = (struct net_route){.link = netif_get_index(netif),
                                  .table = TABLE_MAIN,
                                  .family = (uint8_t)family,
                                  .prefix = (uint8_t)(size * 8),
                                  .type = TYPE_UNICAST,
                                  .has_source = true,
                                  .is_lookup = true};
        memcpy(out->destination, address, size);
        memcpy(out->source,
               IP_IS_V4(source) ? (const void *)&ip_2_ip4(source)->addr
                                : (const void *)ip_2_ip6(source)->addr,
               size);
        if (is_own(netif, &ip)) {
            out->type = TYPE_LOCAL;
            out->link = 1;
        } else if (IP_IS_V4(&ip) && !ip4_addr_net_eq(ip_2_ip4(&ip), netif_ip4_addr(netif),
                                                     netif_ip4_netmask(netif))) {
            out->has_gateway = true;
            memcpy(out->gateway, &netif_ip4_gw(netif)->addr, 4);
        }
    }
    net_unlock();
    return error;
}

static bool is_connected_route(const struct net_route *route)
{
    struct net_route at;

    for (unsigned i = 0; net_route_at(i, &at); i++) {
        if (at.family == route->family && at.prefix == route->prefix && !at.has_gateway &&
            memcmp(at.destination, route->destination, 16) == 0)
            return true;
    }
    return false;
}

static int set_gateway(const struct net_route *route, bool add, bool replace)
{
    struct netif *netif;
    ip4_addr_t gateway;
    int error = -ENODEV;

    memcpy(&gateway.addr, route->gateway, 4);
    net_lock();
    netif = net_netif(route->link);
    if (netif == NULL && route->link == 0)
        netif = add ? ip4_route(&gateway) : netif_default;
    if (netif != NULL) {
        bool has_one = !ip4_addr_isany_val(*netif_ip4_gw(netif));

        error = 0;
        if (add && has_one && !replace)
            error = -EEXIST;
        else if (add && !ip4_addr_net_eq(&gateway, netif_ip4_addr(netif), netif_ip4_netmask(netif)))
            error = -ENETUNREACH;
        else if (!add &&
                 (!has_one || (route->has_gateway && !ip4_addr_eq(&gateway, netif_ip4_gw(netif)))))
            error = -ESRCH;
        if (error == 0) {
            netif_set_gw(netif, add ? &gateway : IP4_ADDR_ANY4);
            if (add)
                netif_set_default(netif);
        }
    }
    net_unlock();
    return error;
}

int net_route_add(const struct net_route *route, bool replace)
{
    if (is_connected_route(route))
        return replace ? 0 : -EEXIST;
    if (route->family != AF_INET || route->prefix != 0 || !route->has_gateway)
        return -EOPNOTSUPP;
    return set_gateway(route, true, replace);
}

int net_route_remove(const struct net_route *route)
{
    if (route->family != AF_INET || route->prefix != 0)
        return is_connected_route(route) ? -EOPNOTSUPP : -ESRCH;
    return set_gateway(route, false, false);
}

/* ---- neighbours ---- */

bool net_neighbour_at(unsigned position, struct net_neighbour *out)
{
    static const uint8_t nud[] = {[ND6_INCOMPLETE] = 1,
                                  [ND6_REACHABLE] = 2,
                                  [ND6_STALE] = 4,
                                  [ND6_DELAY] = 8,
                                  [ND6_PROBE] = 16};
    struct eth_addr *mac;
    struct netif *netif;
    ip4_addr_t *ip;
    bool found = false;

    net_lock();
    for (unsigned i = 0; i < ARP_TABLE_SIZE && !found; i++) {
        if (!etharp_get_entry(i, &ip, &netif, &mac) || position-- != 0)
            continue;
        *out =
            (struct net_neighbour){.link = netif_get_index(netif), .family = AF_INET, .state = 2};
        memcpy(out->address, &ip->addr, 4);
        memcpy(out->mac, mac->addr, 6);
        found = true;
    }
    for (unsigned i = 0; i < LWIP_ND6_NUM_NEIGHBORS && !found; i++) {
        const struct nd6_neighbor_cache_entry *entry = &neighbor_cache[i];

        if (entry->state == ND6_NO_ENTRY || entry->state == ND6_INCOMPLETE || position-- != 0)
            continue;
        *out = (struct net_neighbour){
            .link = netif_get_index(entry->netif), .family = AF_INET6, .state = nud[entry->state]};
        memcpy(out->address, entry->next_hop_address.addr, 16);
        memcpy(out->mac, entry->lladdr, 6);
        found = true;
    }
    net_unlock();
    return found;
}
