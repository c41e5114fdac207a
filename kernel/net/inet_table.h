/* SPDX-License-Identifier: MIT */
/* The sockets of the stack as rows of a table, for /proc/net (net/lwip/lwip_info.c). */
#ifndef NET_INET_TABLE_H
#define NET_INET_TABLE_H

#include "inet.h"

enum inet_table { INET_TABLE_TCP, INET_TABLE_UDP, INET_TABLE_RAW, INET_TABLE_ECHO };

struct inet_row {
    struct inet_address local, peer;
    uint8_t state; /* Linux's number */
    bool is_v6;    /* of the socket */
    uint32_t send_queue, receive_queue;
    uint64_t inode;
};

/* Rows from number `skip` on; how many. What changes meanwhile may be missed or seen twice. */
unsigned net_rows(enum inet_table table, struct inet_row *rows, unsigned room, unsigned skip);

#endif
