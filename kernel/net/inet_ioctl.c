/* SPDX-License-Identifier: MIT */
/* ioctls on network devices (netdevice(7)) and the old ones on routes; any socket takes them. */
#include "inet_ioctl.h"

#include <arch/uaccess.h>
#include <lib/compiler.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "net_link.h"

#define NAME_SIZE       16u
#define ARPHRD_ETHER    1
#define ARPHRD_LOOPBACK 772
#define ROUTE_GATEWAY   0x2

enum {
    SIOCADDRT = 0x890b,
    SIOCDELRT,
    SIOCGIFNAME = 0x8910,
    SIOCGIFCONF = 0x8912,
    SIOCGIFFLAGS,
    SIOCSIFFLAGS,
    SIOCGIFADDR,
    SIOCSIFADDR,
    SIOCGIFDSTADDR,
    SIOCGIFBRDADDR = 0x8919,
    SIOCSIFBRDADDR,
    SIOCGIFNETMASK,
    SIOCSIFNETMASK,
    SIOCGIFMETRIC,
    SIOCGIFMTU = 0x8921,
    SIOCSIFMTU,
    SIOCSIFHWADDR = 0x8924,
    SIOCGIFHWADDR = 0x8927,
    SIOCGIFINDEX = 0x8933,
    SIOCGIFTXQLEN = 0x8942,
    SIOCETHTOOL = 0x8946,
    SIOCGIFMAP = 0x8970,
};

/* struct ifreq of 64-bit programs */
struct abi_ifreq {
    char name[NAME_SIZE];
    union {
        struct {
            uint16_t family;
            uint8_t port[2], address[4], pad[16];
        } in;
        struct {
            uint16_t type;
            uint8_t mac[14];
        } hardware;
        int16_t flags;
        int32_t number;
        uint8_t map[24];
    };
};
_Static_assert(sizeof(struct abi_ifreq) == 40, "struct ifreq");

struct abi_ifconf {
    int32_t length, pad;
    uint64_t requests;
};

struct abi_rtentry {
    uint64_t pad1;
    struct {
        uint16_t family;
        uint8_t port[2], address[4], pad[8];
    } destination, gateway, mask;
    uint16_t flags;
    int16_t pad2;
    uint64_t pad3, pad4;
    int16_t metric;
    uint64_t device;
    uint64_t mtu, window;
    uint16_t rtt;
};
_Static_assert(__builtin_offsetof(struct abi_rtentry, device) == 88, "struct rtentry");

static void put_mask(unsigned prefix, uint8_t out[4])
{
    store_be32(out, prefix == 0 ? 0 : UINT32_MAX << (32 - prefix));
}

static unsigned prefix_of(const uint8_t mask[4])
{
    unsigned bits = 0;

    while (bits < 32 && (mask[bits / 8] >> (7 - bits % 8) & 1))
        bits++;
    return bits;
}

static void put_address(struct abi_ifreq *request, const void *address)
{
    memset(&request->in, 0, sizeof(request->in));
    request->in.family = AF_INET;
    memcpy(request->in.address, address, 4);
}

/* ---- reading ---- */

static int get_address(const struct net_link *link, unsigned cmd, struct abi_ifreq *request)
{
    struct net_address address;
    uint8_t mask[4];

    if (!net_address_of(link->index, AF_INET, &address))
        return -EADDRNOTAVAIL;
    put_mask(address.prefix, mask);
    put_address(request, cmd == SIOCGIFNETMASK   ? mask
                         : cmd == SIOCGIFBRDADDR ? address.broadcast
                                                 : address.bytes);
    return 0;
}

static int get_fact(const struct net_link *link, unsigned cmd, struct abi_ifreq *request)
{
    switch (cmd) {
    case SIOCGIFFLAGS:
        request->flags = (int16_t)link->flags;
        return 0;
    case SIOCGIFINDEX:
        request->number = (int32_t)link->index;
        return 0;
    case SIOCGIFMTU:
        request->number = (int32_t)link->mtu;
        return 0;
    case SIOCGIFMETRIC:
        request->number = 0;
        return 0;
    case SIOCGIFTXQLEN:
        request->number = 1000;
        return 0;
    case SIOCGIFHWADDR:
        memset(&request->hardware, 0, sizeof(request->hardware));
        request->hardware.type = link->device == NULL ? ARPHRD_LOOPBACK : ARPHRD_ETHER;
        memcpy(request->hardware.mac, link->mac, sizeof(link->mac));
        return 0;
    case SIOCGIFMAP:
        memset(request->map, 0, sizeof(request->map));
        return 0;
    case SIOCGIFADDR:
    case SIOCGIFDSTADDR:
    case SIOCGIFBRDADDR:
    case SIOCGIFNETMASK:
        return get_address(link, cmd, request);
    default:
        return cmd == SIOCETHTOOL ? -EOPNOTSUPP : -ENOTTY;
    }
}

/* Each interface with its IPv4 address; without room: how much is needed. */
static long get_list(reg_t user)
{
    struct abi_ifconf list;
    struct net_address address;
    struct net_link link;
    int32_t used = 0;

    if (copy_from_user(&list, user, sizeof(list)) != 0)
        return -EFAULT;
    for (unsigned i = 0; net_address_at(i, &address) && address.family == AF_INET; i++) {
        struct abi_ifreq request = {0};

        if (!net_link_find(address.link, &link))
            continue;
        if (list.requests != 0) {
            if (list.length - used < (int32_t)sizeof(request))
                break;
            memcpy(request.name, link.name, sizeof(request.name));
            put_address(&request, address.bytes);
            if (copy_to_user(list.requests + (uint32_t)used, &request, sizeof(request)) != 0)
                return -EFAULT;
        }
        used += (int32_t)sizeof(request);
    }
    return put_user32(user, (uint32_t)used);
}

static long get_name(reg_t user)
{
    struct abi_ifreq request;
    struct net_link link;

    if (copy_from_user(&request, user, sizeof(request)) != 0)
        return -EFAULT;
    if (request.number <= 0 || !net_link_find((unsigned)request.number, &link))
        return -ENODEV;
    memcpy(request.name, link.name, sizeof(request.name));
    return copy_to_user(user, &request, sizeof(request));
}

/* ---- changing ---- */

static unsigned class_prefix(const uint8_t address[4])
{
    return address[0] < 128 ? 8 : address[0] < 192 ? 16 : 24;
}

/* The address of an interface (prefix by its class), or the prefix of the one it has. */
static int set_address(const struct net_link *link, unsigned cmd, const struct abi_ifreq *request)
{
    struct net_address old, new = {.link = link->index, .family = AF_INET};
    bool has_old = net_address_of(link->index, AF_INET, &old);
    static const uint8_t none[4];
    int error = 0;

    if (request->in.family != AF_INET)
        return -EINVAL;
    if (cmd == SIOCSIFNETMASK) {
        if (!has_old)
            return -EADDRNOTAVAIL;
        memcpy(new.bytes, old.bytes, 4);
        new.prefix = (uint8_t)prefix_of(request->in.address);
    } else {
        memcpy(new.bytes, request->in.address, 4);
        new.prefix = (uint8_t)class_prefix(new.bytes);
    }
    if (has_old)
        error = net_address_remove(&old);
    if (error != 0 || memcmp(new.bytes, none, sizeof(none)) == 0)
        return error;
    error = net_address_add(&new);
    return error == 0 ? net_link_set_up(link->index, true) : error;
}

static int set_fact(const struct net_link *link, unsigned cmd, const struct abi_ifreq *request)
{
    switch (cmd) {
    case SIOCSIFFLAGS:
        return net_link_set_up(link->index, (request->flags & (int)LINK_UP) != 0);
    case SIOCSIFMTU:
        return net_link_set_mtu(link->index, (unsigned)request->number);
    case SIOCSIFHWADDR:
        return net_link_set_mac(link->index, request->hardware.mac);
    case SIOCSIFBRDADDR: /* it follows from address and mask */
        return 0;
    default:
        return set_address(link, cmd, request);
    }
}

static bool is_setter(unsigned cmd)
{
    return cmd == SIOCSIFFLAGS || cmd == SIOCSIFADDR || cmd == SIOCSIFNETMASK ||
           cmd == SIOCSIFBRDADDR || cmd == SIOCSIFMTU || cmd == SIOCSIFHWADDR;
}

static long change_route(reg_t user, bool add)
{
    struct abi_rtentry entry;
    struct net_route route = {.family = AF_INET};
    struct net_link link;
    char name[NAME_SIZE] = "";

    if (!socket_current_capable(SOCKET_CAP_NET_ADMIN))
        return -EPERM;
    if (copy_from_user(&entry, user, sizeof(entry)) != 0)
        return -EFAULT;
    if (entry.destination.family != AF_INET)
        return -EAFNOSUPPORT;
    if (entry.device != 0) {
        if (strncpy_from_user(name, entry.device, sizeof(name) - 1) < 0)
            return -EFAULT;
        if (!net_link_by_name(name, &link))
            return -ENODEV;
        route.link = link.index;
    }
    route.prefix = (uint8_t)prefix_of(entry.mask.address);
    route.has_gateway = (entry.flags & ROUTE_GATEWAY) != 0;
    memcpy(route.destination, entry.destination.address, 4);
    memcpy(route.gateway, entry.gateway.address, 4);
    return add ? net_route_add(&route, false) : net_route_remove(&route);
}

long inet_device_ioctl(struct socket *socket, unsigned cmd, reg_t arg)
{
    struct abi_ifreq request;
    struct net_link link;
    int error;

    (void)socket;
    if (cmd < SIOCADDRT || cmd > SIOCGIFMAP)
        return -ENOTTY;
    if (cmd == SIOCADDRT || cmd == SIOCDELRT)
        return change_route(arg, cmd == SIOCADDRT);
    if (cmd == SIOCGIFCONF)
        return get_list(arg);
    if (cmd == SIOCGIFNAME)
        return get_name(arg);
    if (copy_from_user(&request, arg, sizeof(request)) != 0)
        return -EFAULT;
    request.name[NAME_SIZE - 1] = '\0';
    if (is_setter(cmd)) {
        if (!socket_current_capable(SOCKET_CAP_NET_ADMIN))
            return -EPERM;
        return net_link_by_name(request.name, &link) ? set_fact(&link, cmd, &request) : -ENODEV;
    }
    link.index = 0;
    if (!net_link_by_name(request.name, &link)) {
        error = get_fact(&(struct net_link){0}, cmd, &request);
        return error == -ENOTTY ? error : -ENODEV;
    }
    error = get_fact(&link, cmd, &request);
    return error != 0 ? error : copy_to_user(arg, &request, sizeof(request));
}
