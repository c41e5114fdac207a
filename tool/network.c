/* SPDX-License-Identifier: MIT
 *
 * Choosing the network, looking at the host's side of it, and telling QEMU.
 *
 * A guest is not to reach what listens on the host's loopback, and QEMU's user network maps that to
 * the gateway's address and cannot leave it out. So a guest on the user network reaches nothing
 * (restrict=on) and is reached through -p, unless `--net user,out` asks for the way out.
 */
#include "network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <unistd.h>

#include "message.h"
#include "sha256.h"

#define TAP_PREFIX "tap:"

/* --- What is asked for. ------------------------------------------------------------------------
 */

/* A decimal number up to 65535 at *text, which then stands behind it. */
static bool parse_number(const char **text, uint16_t *number)
{
    unsigned long value = 0;
    const char *digit = *text;

    for (; *digit >= '0' && *digit <= '9' && value <= UINT16_MAX; digit++)
        value = 10 * value + (unsigned long)(*digit - '0');
    if (digit == *text || value > UINT16_MAX)
        return false;
    *number = (uint16_t)value;
    *text = digit;
    return true;
}

bool port_parse(struct port *port, const char *text)
{
    const char *first = strchr(text, ':');
    const char *second = first ? strchr(first + 1, ':') : NULL;
    struct in_addr address;

    *port = (struct port){0};
    if (second) {
        size_t length = (size_t)(first - text);

        if (length >= sizeof(port->address))
            return false;
        memcpy(port->address, text, length);
        if (inet_pton(AF_INET, port->address, &address) != 1)
            return false;
        text = first + 1;
    }
    if (!parse_number(&text, &port->host) || *text++ != ':' || !parse_number(&text, &port->guest))
        return false;
    port->udp = strcmp(text, "/udp") == 0;
    return port->guest && (*text == '\0' || port->udp || strcmp(text, "/tcp") == 0);
}

static int parse_kind(struct network *network, const char *text)
{
    if (text == NULL) {
        network->kind = network->port_count ? NETWORK_USER : NETWORK_NONE;
    } else if (strcmp(text, "none") == 0) {
        network->kind = NETWORK_NONE;
    } else if (strcmp(text, "user") == 0 || strcmp(text, "user,out") == 0) {
        network->kind = NETWORK_USER;
        network->out = text[strlen("user")] == ',';
    } else if (text_starts(text, TAP_PREFIX)) {
        network->kind = NETWORK_TAP;
        network->tap = text + strlen(TAP_PREFIX);
        if (*network->tap == '\0' || strlen(network->tap) >= IFNAMSIZ ||
            network->tap[strcspn(network->tap, "/, \t\n")])
            return message_error("--net %s: %s is no name of an interface", text, network->tap);
    } else {
        return message_error("--net %s: choose user, user,out, tap:NAME or none", text);
    }
    return 0;
}

void network_mac(const char *name, char mac[18])
{
    struct sha256 hash;
    uint8_t digest[SHA256_SIZE];

    sha256_start(&hash);
    sha256_add(&hash, name, strlen(name));
    sha256_end(&hash, digest);
    snprintf(mac, 18, "52:54:00:%02x:%02x:%02x", digest[0], digest[1], digest[2]);
}

/* Guests without a name must not meet on one link with one address. */
static void choose_mac(struct network *network, const char *name)
{
    uint64_t number = 0;
    char *random;

    if (name || network->kind != NETWORK_TAP ||
        getrandom(&number, sizeof(number), 0) != (ssize_t)sizeof(number)) {
        network_mac(name ? name : "remora", network->mac);
        return;
    }
    random = text_format("%llx", (unsigned long long)number);
    network_mac(random, network->mac);
    free(random);
}

int network_choose(struct network *network, const struct options *options)
{
    int status;

    *network = (struct network){.port_count = options->ports.count};
    network->ports = memory_alloc((network->port_count + 1) * sizeof(struct port));
    status = parse_kind(network, options->net);
    for (size_t i = 0; status == 0 && i < network->port_count; i++)
        if (!port_parse(&network->ports[i], options->ports.item[i]))
            status =
                message_error("-p %s: give HOST:GUEST as in -p 8080:80", options->ports.item[i]);
    if (status == 0 && network->port_count && network->kind != NETWORK_USER)
        status = message_error("-p forwards into the user network; with --net %s %s", options->net,
                               network->kind == NETWORK_TAP
                                   ? "the guest is reached by its own address, so leave -p away"
                                   : "there is none: leave one of the two away");
    for (size_t i = 0; status == 0 && i < network->port_count && !network->out; i++)
        if (network->ports[i].udp)
            message_warn("-p %s: QEMU's network drops what the guest answers by UDP, unless it may "
                         "open connections too: add --net user,out",
                         options->ports.item[i]);
    if (status)
        network_free(network);
    else
        choose_mac(network, options->name);
    return status;
}

void network_free(struct network *network)
{
    free(network->ports);
    *network = (struct network){0};
}

/* --- The host's side. --------------------------------------------------------------------------
 */

static int report_port(const struct port *port, int error)
{
    switch (error) {
    case EADDRINUSE:
        return message_error(
            "-p %u:%u: port %u of the host is in use; choose another, or 0 for any "
            "that is free",
            port->host, port->guest, port->host);
    case EACCES:
        return message_error(
            "-p %u:%u: this user may not have port %u of the host; choose one from "
            "1024 up",
            port->host, port->guest, port->host);
    case EADDRNOTAVAIL:
        return message_error("-p %s:%u:%u: %s is no address of this host", port->address,
                             port->host, port->guest, port->address);
    default:
        return message_error("-p %u:%u: port %u of the host: %s", port->host, port->guest,
                             port->host, strerror(error));
    }
}

/* Binds the port as QEMU will and leaves the socket open, so that no two ports get one number. */
static int claim_port(struct port *port, int *fd)
{
    struct sockaddr_in name = {.sin_family = AF_INET, .sin_port = htons(port->host)};
    socklen_t size = sizeof(name);
    bool is_free_choice = port->host == 0;

    if (port->address[0])
        inet_pton(AF_INET, port->address, &name.sin_addr);
    *fd = socket(AF_INET, (port->udp ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
    if (*fd < 0)
        return message_error("-p: no socket: %s", strerror(errno));
    if (!port->udp)
        setsockopt(*fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (bind(*fd, (struct sockaddr *)&name, sizeof(name)) < 0 ||
        (!port->udp && listen(*fd, 1) < 0) || getsockname(*fd, (struct sockaddr *)&name, &size) < 0)
        return report_port(port, errno);
    port->host = ntohs(name.sin_port);
    if (is_free_choice)
        message_note("%s:%u is the guest's port %u%s",
                     port->address[0] ? port->address : "localhost", port->host, port->guest,
                     port->udp ? "/udp" : "");
    return 0;
}

static int claim_ports(struct network *network)
{
    int *sockets = memory_alloc((network->port_count + 1) * sizeof(int));
    size_t count = 0;
    int status = 0;

    while (status == 0 && count < network->port_count) {
        status = claim_port(&network->ports[count], &sockets[count]);
        count++;
    }
    while (count--)
        if (sockets[count] >= 0)
            close(sockets[count]);
    free(sockets);
    return status;
}

static int report_tap(const char *name, int error)
{
    if (error == EBUSY)
        return message_error("--net tap:%s: another program has it open; give each guest its own",
                             name);
    if (error == EPERM || error == EACCES)
        return message_error(
            "--net tap:%s: this user may not open it; make it anew for this user:\n"
            "    sudo ip tuntap del dev %s mode tap\n"
            "    sudo ip tuntap add dev %s mode tap user $USER",
            name, name, name);
    if (error == EINVAL)
        return message_error("--net tap:%s: an interface, but no tap with a single queue", name);
    return message_error("--net tap:%s: %s", name, strerror(error));
}

/* Opens the tap once: what is wrong with it is told here better than by QEMU. */
static int check_tap(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR};
    int status = 0;
    int fd;

    if (if_nametoindex(name) == 0)
        return message_error("--net tap:%s: there is no such interface; make it with\n"
                             "    sudo ip tuntap add dev %s mode tap user $USER\n"
                             "    sudo ip link set %s up",
                             name, name, name);
    fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return message_error("--net tap:%s: /dev/net/tun: %s", name, strerror(errno));
    strncpy(request.ifr_name, name, IFNAMSIZ - 1);
    if (ioctl(fd, TUNSETIFF, &request) < 0)
        status = report_tap(name, errno);
    close(fd);
    return status;
}

int network_check_host(struct network *network)
{
    if (network->kind == NETWORK_TAP)
        return check_tap(network->tap);
    return claim_ports(network);
}

/* --- QEMU's arguments. -------------------------------------------------------------------------
 */

static void add_user(const struct network *network, struct buffer *text)
{
    buffer_format(text, "user,id=net0%s", network->out ? "" : ",restrict=on");
    for (size_t i = 0; i < network->port_count; i++) {
        const struct port *port = &network->ports[i];

        buffer_format(text, ",hostfwd=%s:%s:%u-:%u", port->udp ? "udp" : "tcp", port->address,
                      port->host, port->guest);
    }
}

void network_arguments(const struct network *network, struct words *arguments)
{
    struct buffer text = {0};

    if (network->kind == NETWORK_NONE) {
        words_add(arguments, "-nic");
        words_add(arguments, "none");
        return;
    }
    if (network->kind == NETWORK_USER)
        add_user(network, &text);
    else
        buffer_format(&text, "tap,id=net0,ifname=%s,script=no,downscript=no", network->tap);
    words_add(arguments, "-netdev");
    words_take(arguments, text.data);
    words_add(arguments, "-device");
    words_take(arguments, text_format("virtio-net-device,netdev=net0,mac=%s", network->mac));
}
