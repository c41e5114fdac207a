/* SPDX-License-Identifier: MIT */
/* /proc/net and /sys/class/net in Linux's formats (proc(5)). What is not counted shows as 0. */
#include "inet_proc.h"

#include <file/pseudo.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "inet_table.h"
#include "net_link.h"

#define ROWS 32u /* taken from the stack at once */

/* ---- sockets ---- */

static bool is_shown(const struct inet_row *row, bool v6)
{
    return row->is_v6 == v6;
}

/* An address as /proc/net/tcp has it: words in the order of the CPU's bytes. */
static void print_address(struct pseudo_text *text, const struct inet_address *address, bool v6)
{
    struct inet_address shown = *address;

    if (v6 && address->family == AF_INET) { /* ::ffff:a.b.c.d */
        memset(shown.bytes, 0, 16);
        shown.bytes[10] = shown.bytes[11] = 0xff;
        memcpy(shown.bytes + 12, address->bytes, 4);
    }
    for (unsigned i = 0; i < (v6 ? 16 : 4); i += 4)
        pseudo_printf(text, "%08X", load_u32(shown.bytes + i));
    pseudo_printf(text, ":%04X", address->port);
}

static void print_row(struct pseudo_text *text, const struct inet_row *row, unsigned number,
                      enum inet_table table, bool v6)
{
    pseudo_printf(text, table == INET_TABLE_TCP ? "%4u: " : "%5u: ", number);
    print_address(text, &row->local, v6);
    pseudo_puts(text, " ");
    print_address(text, &row->peer, v6);
    pseudo_printf(text, " %02X %08X:%08X 00:00000000 00000000     0        0 %llu", row->state,
                  row->send_queue, row->receive_queue, (unsigned long long)row->inode);
    if (table == INET_TABLE_TCP)
        pseudo_puts(text, " 1 0000000000000000 100 0 0 10 0\n");
    else
        pseudo_puts(text, " 2 0000000000000000 0\n");
}

static int table_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    enum inet_table table = (enum inet_table)((uintptr_t)entry->data >> 1);
    bool v6 = (uintptr_t)entry->data & 1;
    struct inet_row *rows = kmalloc_array(ROWS, sizeof(*rows));
    unsigned count, skip = 0, shown = 0;

    if (rows == NULL)
        return -ENOMEM;
    pseudo_printf(text,
                  "%s local_address %sremote_address %sst tx_queue rx_queue tr tm->when "
                  "retrnsmt   uid  timeout inode%s\n",
                  table == INET_TABLE_TCP ? "  sl " : "   sl ",
                  v6 ? "                        " : "", v6 ? "                       " : "",
                  table == INET_TABLE_TCP ? "" : " ref pointer drops");
    while ((count = net_rows(table, rows, ROWS, skip)) != 0) {
        for (unsigned i = 0; i < count; i++) {
            if (is_shown(&rows[i], v6))
                print_row(text, &rows[i], shown++, table, v6);
        }
        skip += count;
    }
    kfree(rows);
    return 0;
}

/* ---- interfaces, addresses, routes ---- */

static int dev_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct netdev_stats s;
    struct net_link link;

    (void)entry;
    pseudo_puts(text,
                "Inter-|   Receive                                                |  Transmit\n"
                " face |bytes    packets errs drop fifo frame compressed multicast|bytes    "
                "packets errs drop fifo colls carrier compressed\n");
    for (unsigned i = 0; net_link_at(i, &link); i++) {
        net_link_stats(&link, &s);
        pseudo_printf(text,
                      "%6s: %7llu %7llu %4llu %4llu    0     0          0 %9llu %8llu %7llu %4llu "
                      "%4llu    0     0       0          0\n",
                      link.name, (unsigned long long)s.rx_bytes, (unsigned long long)s.rx_packets,
                      (unsigned long long)s.rx_errors, (unsigned long long)s.rx_dropped,
                      (unsigned long long)s.multicast, (unsigned long long)s.tx_bytes,
                      (unsigned long long)s.tx_packets, (unsigned long long)s.tx_errors,
                      (unsigned long long)s.tx_dropped);
    }
    return 0;
}

static const char *link_name(unsigned index, struct net_link *link)
{
    return net_link_find(index, link) ? link->name : "?";
}

static int route_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct net_route route;
    struct net_link link;

    (void)entry;
    pseudo_printf(
        text, "%-127s\n",
        "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT");
    for (unsigned i = 0; net_route_at(i, &route); i++) {
        uint8_t mask[4];

        if (route.family != AF_INET)
            continue;
        store_be32(mask, route.prefix == 0 ? 0 : UINT32_MAX << (32 - route.prefix));
        pseudo_printf(text, "%s\t%08X\t%08X\t%04X\t0\t0\t%u\t%08X\t0\t0\t0\n",
                      link_name(route.link, &link), load_u32(route.destination),
                      load_u32(route.gateway), route.has_gateway ? 3 : 1, route.metric,
                      load_u32(mask));
    }
    return 0;
}

static void print_hex(struct pseudo_text *text, const uint8_t *bytes)
{
    for (unsigned i = 0; i < 16; i++)
        pseudo_printf(text, "%02x", bytes[i]);
}

static int route6_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    static const uint8_t any[16];
    struct net_route route;
    struct net_link link;

    (void)entry;
    for (unsigned i = 0; net_route_at(i, &route); i++) {
        if (route.family != AF_INET6)
            continue;
        print_hex(text, route.destination);
        pseudo_printf(text, " %02x ", route.prefix);
        print_hex(text, any);
        pseudo_puts(text, " 00 ");
        print_hex(text, route.gateway);
        pseudo_printf(text, " %08x 00000001 00000000 %08x %8s\n", route.metric,
                      route.has_gateway ? 3 : 1, link_name(route.link, &link));
    }
    return 0;
}

static int inet6_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct net_address address;
    struct net_link link;

    (void)entry;
    for (unsigned i = 0; net_address_at(i, &address); i++) {
        if (address.family != AF_INET6)
            continue;
        print_hex(text, address.bytes);
        pseudo_printf(text, " %02x %02x %02x %02x %8s\n", address.link, address.prefix,
                      address.scope == 253   ? 0x20
                      : address.scope == 254 ? 0x10
                                             : 0,
                      address.flags, link_name(address.link, &link));
    }
    return 0;
}

static int arp_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct net_neighbour n;
    struct net_link link;
    char address[16];

    (void)entry;
    pseudo_puts(text,
                "IP address       HW type     Flags       HW address            Mask     Device\n");
    for (unsigned i = 0; net_neighbour_at(i, &n); i++) {
        if (n.family != AF_INET)
            continue;
        snprintf(address, sizeof(address), "%u.%u.%u.%u", n.address[0], n.address[1], n.address[2],
                 n.address[3]);
        pseudo_printf(
            text, "%-16s 0x1         0x2         %02x:%02x:%02x:%02x:%02x:%02x     *        %s\n",
            address, n.mac[0], n.mac[1], n.mac[2], n.mac[3], n.mac[4], n.mac[5],
            link_name(n.link, &link));
    }
    return 0;
}

static unsigned count_rows(enum inet_table table, bool v6)
{
    struct inet_row *rows = kmalloc_array(ROWS, sizeof(*rows));
    unsigned count, skip = 0, found = 0;

    while (rows != NULL && (count = net_rows(table, rows, ROWS, skip)) != 0) {
        for (unsigned i = 0; i < count; i++)
            found += is_shown(&rows[i], v6);
        skip += count;
    }
    kfree(rows);
    return found;
}

static int sockstat_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    pseudo_printf(text,
                  "TCP: inuse %u orphan 0 tw 0 alloc %u mem 0\nUDP: inuse %u mem 0\n"
                  "UDPLITE: inuse 0\nRAW: inuse %u\nFRAG: inuse 0 memory 0\n",
                  count_rows(INET_TABLE_TCP, false),
                  count_rows(INET_TABLE_TCP, false) + count_rows(INET_TABLE_TCP, true),
                  count_rows(INET_TABLE_UDP, false), count_rows(INET_TABLE_RAW, false));
    return 0;
}

/* The servers that DHCP or a router named, as resolv.conf(5) has them. */
static int resolver_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    char line[64];

    (void)entry;
    for (unsigned i = 0; net_resolver_line(i, line, sizeof(line)); i++)
        pseudo_printf(text, "%s\n", line);
    return 0;
}

/* ---- /sys/class/net ---- */

enum link_fact {
    FACT_ADDRESS,
    FACT_BROADCAST,
    FACT_CARRIER,
    FACT_FLAGS,
    FACT_INDEX,
    FACT_MTU,
    FACT_STATE,
    FACT_SPEED,
    FACT_TYPE,
    FACT_EVENT,
    FACT_STATS, /* and on: fields of struct netdev_stats */
};

static const struct link_file {
    const char *name;
    uint8_t fact, offset;
} link_files[] = {
    {"address", FACT_ADDRESS, 0},
    {"broadcast", FACT_BROADCAST, 0},
    {"carrier", FACT_CARRIER, 0},
    {"flags", FACT_FLAGS, 0},
    {"ifindex", FACT_INDEX, 0},
    {"iflink", FACT_INDEX, 0},
    {"mtu", FACT_MTU, 0},
    {"operstate", FACT_STATE, 0},
    {"speed", FACT_SPEED, 0},
    {"type", FACT_TYPE, 0},
    {"uevent", FACT_EVENT, 0},
    {"statistics/rx_packets", FACT_STATS, offsetof(struct netdev_stats, rx_packets)},
    {"statistics/rx_bytes", FACT_STATS, offsetof(struct netdev_stats, rx_bytes)},
    {"statistics/rx_errors", FACT_STATS, offsetof(struct netdev_stats, rx_errors)},
    {"statistics/rx_dropped", FACT_STATS, offsetof(struct netdev_stats, rx_dropped)},
    {"statistics/tx_packets", FACT_STATS, offsetof(struct netdev_stats, tx_packets)},
    {"statistics/tx_bytes", FACT_STATS, offsetof(struct netdev_stats, tx_bytes)},
    {"statistics/tx_errors", FACT_STATS, offsetof(struct netdev_stats, tx_errors)},
    {"statistics/tx_dropped", FACT_STATS, offsetof(struct netdev_stats, tx_dropped)},
    {"statistics/multicast", FACT_STATS, offsetof(struct netdev_stats, multicast)},
};

static void print_stat(struct pseudo_text *text, const struct net_link *link, unsigned offset)
{
    struct netdev_stats stats;
    uint64_t value;

    net_link_stats(link, &stats);
    memcpy(&value, (const char *)&stats + offset, sizeof(value));
    pseudo_printf(text, "%llu\n", (unsigned long long)value);
}

static int link_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const struct link_file *file = &link_files[(uintptr_t)entry->data & 0xff];
    struct net_link link;
    bool runs, is_loopback;

    if (!net_link_find((unsigned)((uintptr_t)entry->data >> 8), &link))
        return -ENODEV;
    runs = (link.flags & LINK_RUNNING) != 0;
    is_loopback = link.device == NULL;
    switch (file->fact) {
    case FACT_BROADCAST:
        memset(link.mac, is_loopback ? 0 : 0xff, sizeof(link.mac));
        fallthrough;
    case FACT_ADDRESS:
        pseudo_printf(text, "%02x:%02x:%02x:%02x:%02x:%02x\n", link.mac[0], link.mac[1],
                      link.mac[2], link.mac[3], link.mac[4], link.mac[5]);
        return 0;
    case FACT_CARRIER:
        if (!(link.flags & LINK_UP))
            return -EINVAL;
        pseudo_printf(text, "%d\n", runs);
        return 0;
    case FACT_FLAGS:
        pseudo_printf(text, "0x%x\n", link.flags & 0xffff & ~LINK_RUNNING);
        return 0;
    case FACT_INDEX:
        pseudo_printf(text, "%u\n", link.index);
        return 0;
    case FACT_MTU:
        pseudo_printf(text, "%u\n", link.mtu);
        return 0;
    case FACT_STATE:
        pseudo_puts(text, is_loopback ? "unknown\n" : runs ? "up\n" : "down\n");
        return 0;
    case FACT_SPEED:
        if (is_loopback)
            return -EINVAL;
        pseudo_printf(text, "%d\n",
                      link.device->speed_mbit != 0 ? (int)link.device->speed_mbit : -1);
        return 0;
    case FACT_TYPE:
        pseudo_puts(text, is_loopback ? "772\n" : "1\n");
        return 0;
    case FACT_EVENT:
        pseudo_printf(text, "INTERFACE=%s\nIFINDEX=%u\n", link.name, link.index);
        return 0;
    default:
        print_stat(text, &link, file->offset);
        return 0;
    }
}

static void fill_sys(void)
{
    struct net_link link;
    char path[64];

    for (unsigned i = 0; net_link_at(i, &link); i++) {
        for (uintptr_t k = 0; k < ARRAY_SIZE(link_files); k++) {
            snprintf(path, sizeof(path), "class/net/%s/%s", link.name, link_files[k].name);
            sys_register(path, link_show, (void *)((uintptr_t)link.index << 8 | k));
        }
    }
}

/* ---- registration ---- */

#define TABLE(table, v6) (void *)((uintptr_t)(table) << 1 | (v6))

static const struct {
    const char *path;
    int (*show)(struct pseudo_text *, const struct pseudo_entry *);
    void *data;
} entries[] = {
    {"net/tcp", table_show, TABLE(INET_TABLE_TCP, 0)},
    {"net/tcp6", table_show, TABLE(INET_TABLE_TCP, 1)},
    {"net/udp", table_show, TABLE(INET_TABLE_UDP, 0)},
    {"net/udp6", table_show, TABLE(INET_TABLE_UDP, 1)},
    {"net/raw", table_show, TABLE(INET_TABLE_RAW, 0)},
    {"net/raw6", table_show, TABLE(INET_TABLE_RAW, 1)},
    {"net/icmp", table_show, TABLE(INET_TABLE_ECHO, 0)},
    {"net/icmp6", table_show, TABLE(INET_TABLE_ECHO, 1)},
    {"net/dev", dev_show, NULL},
    {"net/route", route_show, NULL},
    {"net/ipv6_route", route6_show, NULL},
    {"net/if_inet6", inet6_show, NULL},
    {"net/arp", arp_show, NULL},
    {"net/sockstat", sockstat_show, NULL},
    {"net/pnp", resolver_show, NULL},
};

/* Settings that programs read, as they are here: name and text in turn, below /proc/sys/net. */
static const char settings[] = "core/somaxconn\0"
                               "4096\n\0"
                               "core/rmem_max\0"
                               "212992\n\0"
                               "core/rmem_default\0"
                               "212992\n\0"
                               "core/wmem_max\0"
                               "212992\n\0"
                               "core/wmem_default\0"
                               "212992\n\0"
                               "ipv4/ip_forward\0"
                               "0\n\0"
                               "ipv4/ip_local_port_range\0"
                               "49152\t65535\n\0"
                               "ipv4/ping_group_range\0"
                               "0\t2147483647\n\0"
                               "ipv4/tcp_congestion_control\0"
                               "reno\n\0"
                               "ipv4/tcp_available_congestion_control\0"
                               "reno\n\0"
                               "ipv4/tcp_fastopen\0"
                               "0\n\0"
                               "ipv4/tcp_keepalive_time\0"
                               "7200\n\0"
                               "ipv4/tcp_keepalive_intvl\0"
                               "75\n\0"
                               "ipv4/tcp_keepalive_probes\0"
                               "9\n\0"
                               "ipv6/conf/all/disable_ipv6\0"
                               "0\n\0"
                               "ipv6/conf/default/disable_ipv6\0"
                               "0\n\0"
                               "ipv6/bindv6only\0"
                               "0\n\0";

/* Not Linux's: what the CPU moved, which is one copy each way but for short frames. */
static int copies_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    struct net_copies copies;

    (void)entry;
    net_get_copies(&copies);
    pseudo_printf(text,
                  "packets_received %llu\npackets_sent %llu\nbytes_from_programs %llu\n"
                  "bytes_to_programs %llu\nbytes_copied_inside %llu\n",
                  (unsigned long long)copies.packets_in, (unsigned long long)copies.packets_out,
                  (unsigned long long)copies.in, (unsigned long long)copies.out,
                  (unsigned long long)copies.inside);
    return 0;
}

static void fill_proc(void)
{
    char path[64];

    for (unsigned i = 0; i < ARRAY_SIZE(entries); i++)
        proc_register(entries[i].path, entries[i].show, entries[i].data);
    proc_register("net/copies", copies_show, NULL);
    for (const char *name = settings; *name != '\0';) {
        const char *text = name + strlen(name) + 1;

        snprintf(path, sizeof(path), "sys/net/%s", name);
        pseudo_register_text(PSEUDO_PROC, path, text);
        name = text + strlen(text) + 1;
    }
}

void inet_proc_init(void)
{
    static struct pseudo_filler proc = {.fill = fill_proc}, sys = {.fill = fill_sys};

    pseudo_fill_later(PSEUDO_PROC, &proc);
    pseudo_fill_later(PSEUDO_SYS, &sys);
}
