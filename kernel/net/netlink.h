/* SPDX-License-Identifier: MIT */
/* Inside of netlink (netlink(7)): sockets and building messages (netlink.c), NETLINK_ROUTE
 * (netlink_route.c, netlink_dump.c). */
#ifndef NET_NETLINK_H
#define NET_NETLINK_H

#include "net_link.h"
#include "packet_queue.h"

#define NLM_F_MULTI   0x2
#define NLM_F_ACK     0x4
#define NLM_F_ROOT    0x100
#define NLM_F_DUMP    0x300
#define NLM_F_REPLACE 0x100
#define NLM_F_EXCL    0x200

#define NETLINK_MESSAGE_MAX 1024u /* bytes of the largest message that is made */

struct netlink_header {
    uint32_t length;
    uint16_t type, flags;
    uint32_t sequence, port;
};

/* Attributes: 4 bytes of header, then a value, padded to 4. */
struct netlink_attribute {
    uint16_t length, type;
};

/* Messages in the making, packed into packets of a page. */
struct netlink_reply {
    struct netlink_sock *to; /* NULL: those of a group, who get copies */
    struct queued_packet *packet;
    struct netlink_header *message; /* the one that is open */
    uint32_t sequence, port;
    uint16_t flags;
    unsigned group; /* number from 1; 0: unicast */
    int error;
};

/* A message with a header of its own of `size` bytes, zeroed; NULL: no memory (reply->error). Ends
 * the one before. */
void *netlink_begin(struct netlink_reply *reply, uint16_t type, size_t size);
void netlink_add(struct netlink_reply *reply, uint16_t type, const void *value, size_t size);
void netlink_add_u32(struct netlink_reply *reply, uint16_t type, uint32_t value);
void netlink_add_string(struct netlink_reply *reply, uint16_t type, const char *value);
/* Delivers what was made. */
void netlink_flush(struct netlink_reply *reply);

/* The value of an attribute of a request, or NULL; *size is its length. */
const void *netlink_find(const struct netlink_header *request, size_t header_size, uint16_t type,
                         size_t *size);

/* Whether anybody listens to a group. */
bool netlink_has_listeners(unsigned group);

/* netlink_route.c: one request; 0 or -errno, which the answer tells. `is_dump`: it was a dump,
 * which ends by a message of its own. */
int netlink_route_request(const struct netlink_header *request, struct netlink_reply *reply,
                          bool *is_dump);

/* netlink_dump.c: objects as messages. */
void netlink_put_link(struct netlink_reply *reply, uint16_t type, const struct net_link *link);
void netlink_put_address(struct netlink_reply *reply, uint16_t type,
                         const struct net_address *address);
void netlink_put_route(struct netlink_reply *reply, uint16_t type, const struct net_route *route);
void netlink_put_neighbour(struct netlink_reply *reply, const struct net_neighbour *neighbour);

/* At boot. */
void netlink_init(void);

#endif
