/* SPDX-License-Identifier: MIT */
/*
 * Requests of programs to NETLINK_ROUTE: whatever they are, answers are well-formed messages in
 * packets of bounded size, and what is changed is what can be. Interfaces are played: a loopback
 * and one Ethernet device with a few addresses and routes.
 */
#include <stdlib.h>
#include <string.h>

#include <kernel/net/inet_option.h>
#include <kernel/net/netlink.h>
#include <lib/errno.h>

#define MUST(condition)   \
    do {                  \
        if (!(condition)) \
            abort();      \
    } while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* ---- what netlink stands on ---- */

static const struct socket_family *family;
static struct file file;
static unsigned links_up;

void socket_family_register(const struct socket_family *registered)
{
    family = registered;
}

void socket_current_cred(struct socket_cred *cred)
{
    *cred = (struct socket_cred){.pid = 1};
}

bool socket_current_capable(unsigned capability)
{
    (void)capability;
    return true;
}

long inet_give_int(reg_t user, int value)
{
    (void)user;
    return value < 0 ? -EFAULT : 0;
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    (void)queue;
    (void)max;
    (void)events;
    return 0;
}

void packet_queue_init(struct packet_queue *queue)
{
    (void)queue;
}

void packet_queue_close(struct packet_queue *queue)
{
    (void)queue;
}

/* Every message lies in its packet, and every attribute of ours in its message. */
bool packet_queue_add(struct packet_queue *queue, struct queued_packet *packet, size_t limit)
{
    size_t at = 0;

    (void)queue;
    (void)limit;
    MUST(packet->length <= 3584 && packet->name_len == 12);
    while (at < packet->length) {
        const struct netlink_header *message = (const void *)(packet->data + at);

        MUST(message->length >= sizeof(*message) && message->length <= NETLINK_MESSAGE_MAX);
        MUST(message->length <= packet->length - at);
        at += (message->length + 3) & ~3u;
    }
    kfree(packet);
    return true;
}

ssize_t packet_queue_receive(struct socket *socket, struct packet_queue *queue, struct io *io,
                             struct socket_message *message, int extra_level)
{
    (void)socket;
    (void)queue;
    (void)io;
    (void)message;
    (void)extra_level;
    return -EAGAIN;
}

unsigned packet_queue_next(struct packet_queue *queue)
{
    (void)queue;
    return 0;
}

ssize_t io_copy_from(struct io *io, void *to, size_t size)
{
    memcpy(to, (const void *)io->single.base, size);
    return (ssize_t)size;
}

/* ---- interfaces ---- */

static struct netdev device = {.name = "eth0", .mtu = 1500, .mtu_max = 9000, .queue_count = 1};

bool net_link_find(unsigned index, struct net_link *out)
{
    if (index < 1 || index > 2)
        return false;
    *out = (struct net_link){.index = index,
                             .flags = links_up & 1u << index ? LINK_UP | LINK_RUNNING : 0,
                             .mtu = 1500,
                             .device = index == 2 ? &device : NULL};
    strcpy(out->name, index == 1 ? "lo" : "eth0");
    return true;
}

bool net_link_at(unsigned position, struct net_link *out)
{
    return net_link_find(position + 1, out);
}

bool net_link_by_name(const char *name, struct net_link *out)
{
    MUST(strlen(name) < 16);
    return net_link_find(strcmp(name, "lo") == 0 ? 1 : strcmp(name, "eth0") == 0 ? 2 : 0, out);
}

int net_link_set_up(unsigned index, bool up)
{
    MUST(index == 1 || index == 2);
    links_up = up ? links_up | 1u << index : links_up & ~(1u << index);
    return 0;
}

int net_link_set_mtu(unsigned index, unsigned mtu)
{
    return index == 2 && mtu <= 9000 ? 0 : -EINVAL;
}

int net_link_set_mac(unsigned index, const uint8_t mac[6])
{
    volatile uint8_t last = mac[5];

    (void)last;
    return index == 2 ? 0 : -EOPNOTSUPP;
}

void net_link_stats(const struct net_link *link, struct netdev_stats *out)
{
    memset(out, link->index, sizeof(*out));
}

bool net_address_at(unsigned position, struct net_address *out)
{
    *out = (struct net_address){.link = 1 + position % 2,
                                .family = position < 40 ? AF_INET : AF_INET6,
                                .prefix = 24,
                                .broadcast = {10, 0, 0, 255}};
    return position < 80;
}

static int change_address(const struct net_address *address)
{
    MUST(address->family == AF_INET || address->family == AF_INET6);
    return address->link == 2 ? 0 : -ENODEV;
}

int net_address_add(const struct net_address *address)
{
    return change_address(address);
}

int net_address_remove(const struct net_address *address)
{
    return change_address(address);
}

bool net_route_at(unsigned position, struct net_route *out)
{
    *out = (struct net_route){.link = 2,
                              .table = 254,
                              .family = position & 1 ? AF_INET : AF_INET6,
                              .prefix = position & 2 ? 64 : 0,
                              .has_gateway = position & 4,
                              .has_source = position & 8,
                              .metric = position};
    return position < 16;
}

int net_route_to(unsigned to_family, const uint8_t *address, struct net_route *out)
{
    MUST(to_family == AF_INET || to_family == AF_INET6);
    net_route_at(address[0] & 15, out);
    return address[0] & 16 ? -ENETUNREACH : 0;
}

int net_route_add(const struct net_route *route, bool replace)
{
    return route->has_gateway && replace ? 0 : -EEXIST;
}

int net_route_remove(const struct net_route *route)
{
    return route->has_gateway ? 0 : -ESRCH;
}

bool net_neighbour_at(unsigned position, struct net_neighbour *out)
{
    *out = (struct net_neighbour){.link = 2, .family = position & 1 ? AF_INET : AF_INET6};
    return position < 9;
}

/* ---- one input: two sockets, the second a member of all groups; requests from the first ---- */

static void make(struct socket *socket)
{
    *socket = (struct socket){.file = &file, .receive_buffer = 1 << 20};
    MUST(family->create(socket, SOCK_RAW, 0) == 0);
}

/* Everything but requests: names, options, what is not allowed. 14 bytes. */
static void other_calls(struct socket *socket, const uint8_t *data)
{
    const struct socket_ops *ops = socket->ops;
    struct socket_name name = {.len = data[0] & 15};
    uint8_t value[16];
    size_t size = sizeof(value);

    memcpy(name.bytes, data + 1, 12);
    if (data[0] & 1)
        (void)ops->bind(socket, &name);
    (void)ops->connect(socket, &name, 0);
    (void)ops->set_option(socket, 270, data[0] >> 4, data + 5, 4);
    (void)ops->set_option(socket, data[0], data[1], data, data[2] & 7);
    MUST(ops->get_option(socket, 270, data[0] >> 4, value, &size) != 0 || size <= 8);
    size = data[3] & 7;
    (void)ops->get_option(socket, data[0] & 1 ? 1 : 270, data[0] & 1 ? 30 : data[1] & 15, value,
                          &size);
    MUST(ops->name(socket, &name, data[0] & 2) == 0 && name.len == 12);
    MUST(ops->poll(socket, NULL) & POLL_WRITABLE);
    MUST(ops->ioctl(socket, 0x541b, 0) == 0 && ops->ioctl(socket, 1, 0) == -ENOTTY);
    MUST(ops->listen(socket, 1) < 0 && ops->shutdown(socket, 0) < 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct socket asking, listening;
    struct socket_name name = {.len = 12, .family = 16};
    struct socket_message message = {0};
    struct io io;

    if (family == NULL)
        netlink_init();
    if (size < 14 || size > 8192)
        return 0;
    make(&asking);
    make(&listening);
    memset(name.bytes + 2, 0, 10);
    memset(name.bytes + 8, 0xff, 4);
    MUST(listening.ops->bind(&listening, &name) == 0);
    other_calls(&asking, data);
    io = (struct io){.left = size - 14, .single = {.base = (vaddr_t)(data + 14), .len = size - 14}};
    (void)asking.ops->send(&asking, &io, &message);
    memcpy(name.bytes, data + 1, 12);
    message.name = &name;
    (void)asking.ops->send(&asking, &io, &message);
    (void)asking.ops->receive(&asking, &io, &message);
    netlink_tell((enum net_change)(data[0] % 3), data[0] >> 6);
    asking.ops->release(&asking);
    listening.ops->release(&listening);
    return 0;
}
