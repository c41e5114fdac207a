/* SPDX-License-Identifier: MIT
 *
 * The guest's network: none, QEMU's user network with ports of the host forwarded into it, or a tap
 * device that somebody has set up.
 */
#ifndef TOOL_NETWORK_H
#define TOOL_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "buffer.h"
#include "options.h"

/* -p [ADDRESS:]HOST:GUEST[/udp] */
struct port {
    char address[16]; /* of the host, IPv4; "" is every address */
    uint16_t host;    /* 0: any that is free, until network_claim_ports() */
    uint16_t guest;
    bool udp;
};

enum network_kind { NETWORK_NONE, NETWORK_USER, NETWORK_TAP };

struct network {
    enum network_kind kind;
    bool out;        /* NETWORK_USER: the guest may open connections, those to the host included */
    const char *tap; /* NETWORK_TAP: the interface */
    struct port *ports;
    size_t port_count;
    char mac[18];
};

/* False if text is no such value. */
bool port_parse(struct port *port, const char *text);

/* What --net, -p and --name ask for. Without --net: user where a port is forwarded, else none.
 * Nothing of the host is looked at. Reports; then there is nothing to free. */
int network_choose(struct network *network, const struct options *options);
void network_free(struct network *network);

/* Looks whether the host's side can be had: ports free and permitted (and chooses those given as 0,
 * and says which), the tap there, ours and not in use. Reports. */
int network_check_host(struct network *network);

/* The address of a guest of that name: 52:54:00 and three bytes of the name's digest. */
void network_mac(const char *name, char mac[18]);

/* QEMU's arguments; -net none where there is no network. */
void network_arguments(const struct network *network, struct words *arguments);

#endif
