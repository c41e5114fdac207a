/* SPDX-License-Identifier: MIT */
/* Control data of datagrams (ip(7), ipv6(7), RFC 3542), and the queue of errors of IP_RECVERR. */
#include "inet_packet.h"

#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define SOL_IP        0
#define IP_TOS        1
#define IP_TTL        2
#define IP_PKTINFO    8
#define IP_RECVERR    11
#define SOL_IPV6      41
#define IPV6_RECVERR  25
#define IPV6_PKTINFO  50
#define IPV6_HOPLIMIT 52
#define IPV6_TCLASS   67

struct abi_pktinfo {
    uint32_t interface;
    uint8_t local[4], destination[4];
};

struct abi_pktinfo6 {
    uint8_t address[16];
    uint32_t interface;
};

/* ---- to send ---- */

static int number_of(const struct socket_record *record, int low, int high, int *out)
{
    int number;

    if (record->size == sizeof(number))
        memcpy(&number, record->data, sizeof(number));
    else if (record->size == 1 && record->level == SOL_IP && record->type == IP_TOS)
        number = record->data[0];
    else
        return -EINVAL;
    if (number < low || number > high)
        return -EINVAL;
    *out = number;
    return 0;
}

static int info_of(const struct socket_record *record, struct inet_packet *to)
{
    struct abi_pktinfo info;
    struct abi_pktinfo6 info6;
    static const uint8_t none[16];

    if (record->level == SOL_IP) {
        if (record->size != sizeof(info))
            return -EINVAL;
        memcpy(&info, record->data, sizeof(info));
        to->interface = info.interface;
        to->local.family = memcmp(info.local, none, 4) != 0 ? AF_INET : AF_UNSPEC;
        memcpy(to->local.bytes, info.local, sizeof(info.local));
    } else {
        if (record->size < sizeof(info6))
            return -EINVAL;
        memcpy(&info6, record->data, sizeof(info6));
        to->interface = info6.interface;
        to->local.family = memcmp(info6.address, none, 16) != 0 ? AF_INET6 : AF_UNSPEC;
        to->local.scope = info6.interface;
        memcpy(to->local.bytes, info6.address, sizeof(info6.address));
    }
    return 0;
}

static int take_record(const struct socket_record *record, struct inet_packet *to)
{
    switch (record->type | record->level << 8) {
    case IP_PKTINFO:
    case IPV6_PKTINFO | SOL_IPV6 << 8:
        return info_of(record, to);
    case IP_TTL:
        return number_of(record, 1, 255, &to->ttl);
    case IPV6_HOPLIMIT | SOL_IPV6 << 8:
        return number_of(record, -1, 255, &to->ttl);
    case IP_TOS:
        return number_of(record, 0, 255, &to->tos);
    case IPV6_TCLASS | SOL_IPV6 << 8:
        return number_of(record, -1, 255, &to->tos);
    default:
        return -EINVAL;
    }
}

int inet_packet_from_records(const struct socket *socket, const struct socket_message *message,
                             struct inet_packet *to)
{
    int level = socket->family == AF_INET ? SOL_IP : SOL_IPV6;

    for (unsigned i = 0; i < message->record_count; i++) {
        const struct socket_record *record = &message->records[i];
        int error = record->level == level ? take_record(record, to) : 0;

        if (error != 0)
            return error;
    }
    return 0;
}

/* ---- received ---- */

static void add_int(struct socket_message *message, int level, int type, int value)
{
    socket_add_record(message, level, type, &value, sizeof(value));
}

static void add_ipv4(uint32_t receive, const struct inet_packet *from,
                     struct socket_message *message)
{
    struct abi_pktinfo info = {.interface = from->interface};
    uint8_t tos = (uint8_t)from->tos;

    memcpy(info.local, from->local.bytes, 4);
    memcpy(info.destination, from->local.bytes, 4);
    if (receive & RECEIVE_INFO4)
        socket_add_record(message, SOL_IP, IP_PKTINFO, &info, sizeof(info));
    if (receive & RECEIVE_TTL4)
        add_int(message, SOL_IP, IP_TTL, from->ttl);
    if (receive & RECEIVE_TOS4)
        socket_add_record(message, SOL_IP, IP_TOS, &tos, sizeof(tos));
}

static void add_ipv6(uint32_t receive, const struct inet_packet *from,
                     struct socket_message *message)
{
    struct abi_pktinfo6 info = {.interface = from->interface};
    bool is_v4 = from->local.family == AF_INET;

    if (is_v4) {
        info.address[10] = info.address[11] = 0xff;
        memcpy(info.address + 12, from->local.bytes, 4);
    } else {
        memcpy(info.address, from->local.bytes, 16);
    }
    if (receive & RECEIVE_INFO6)
        socket_add_record(message, SOL_IPV6, IPV6_PKTINFO, &info, sizeof(info));
    if ((receive & RECEIVE_TTL6) && !is_v4)
        add_int(message, SOL_IPV6, IPV6_HOPLIMIT, from->ttl);
    if ((receive & RECEIVE_TOS6) && !is_v4)
        add_int(message, SOL_IPV6, IPV6_TCLASS, from->tos);
}

void inet_packet_to_records(const struct socket *socket, const struct inet_packet *from,
                            struct socket_message *message)
{
    const struct inet_sock *sock = socket->protocol;
    uint32_t receive = sock->options.receive;

    if (from->stamp_ns != 0)
        socket_add_stamp(socket, message, from->stamp_ns);
    if (from->local.family == AF_UNSPEC) /* nobody asked yet when it came */
        return;
    if (socket->family == AF_INET6)
        add_ipv6(receive, from, message);
    if (from->local.family == AF_INET)
        add_ipv4(receive, from, message);
}

/* ---- errors ---- */

struct abi_extended_error {
    uint32_t error;
    uint8_t origin, type, code, pad;
    uint32_t info, data;
};

ssize_t inet_receive_error(struct socket *socket, struct io *io, struct socket_message *message)
{
    struct inet_sock *sock = socket->protocol;
    struct inet_error *found = net_take_error(sock);
    struct abi_extended_error error;
    struct socket_name offender;
    uint8_t record[sizeof(error) + 28];
    size_t length;
    ssize_t copied;

    if (found == NULL)
        return -EAGAIN;
    error = (struct abi_extended_error){.error = (uint32_t)found->error,
                                        .origin = socket->family == AF_INET ? 2 : 3,
                                        .type = found->type,
                                        .code = found->code,
                                        .info = found->info};
    length = found->length;
    if (message->name != NULL)
        inet_address_to_name(socket, &found->to, message->name);
    inet_address_to_name(socket, &found->offender, &offender);
    memcpy(record, &error, sizeof(error));
    memcpy(record + sizeof(error), offender.bytes, min((size_t)offender.len, (size_t)28));
    socket_add_record(message, socket->family == AF_INET ? SOL_IP : SOL_IPV6,
                      socket->family == AF_INET ? IP_RECVERR : IPV6_RECVERR, record,
                      sizeof(error) + offender.len);
    copied = io_copy_to(io, found->data, min(length, io_left(io)));
    message->flags |= MSG_ERRQUEUE;
    if (copied >= 0 && (size_t)copied < length)
        message->flags |= MSG_TRUNC;
    kfree(found);
    return copied;
}
