/* SPDX-License-Identifier: MIT */
/*
 * How interfaces get their addresses at boot: by DHCP, unless bootargs have Linux's
 * ip=CLIENT:SERVER:GATEWAY:NETMASK:HOST:DEVICE:WAY:DNS:DNS (nfsroot.rst), of which SERVER and HOST
 * are not looked at; ip=off leaves them without.
 */
#include <arch/barrier.h>
#include <core/clock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/firmware.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <net/inet.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>

#include "lwip_port.h"

#define FIELDS   9
#define FIELD_IP 48 /* characters of one, with its NUL */
#define READY_NS (1000 * (uint64_t)NS_PER_MS)

enum { CLIENT, SERVER, GATEWAY, NETMASK, HOST, DEVICE, WAY, DNS_1, DNS_2 };

static char fields[FIELDS][FIELD_IP]; /* set before there are interfaces */
static bool is_static, is_off;
static struct waitq configured;

static void split(const char *text, size_t length)
{
    unsigned field = 0, at = 0;

    for (size_t i = 0; i < length && field < FIELDS; i++) {
        if (text[i] == ':') {
            field++;
            at = 0;
        } else if (at < FIELD_IP - 1) {
            fields[field][at++] = text[i];
        }
    }
}

static bool is_one_of(const char *text, const char *a, const char *b)
{
    return strcmp(text, a) == 0 || strcmp(text, b) == 0;
}

static void read_bootargs(const char *bootargs)
{
    const char *way = fields[CLIENT];
    size_t length;
    const char *value = parse_option(bootargs, "ip", &length);
    ip4_addr_t address;

    if (value == NULL)
        return;
    split(value, length);
    if (ip4addr_aton(fields[CLIENT], &address) && !ip4_addr_isany_val(address))
        is_static = true;
    else if (fields[WAY][0] != '\0')
        way = fields[WAY];
    is_off = !is_static && is_one_of(way, "off", "none");
    if (!is_static && !is_off && !is_one_of(way, "dhcp", "on") && !is_one_of(way, "any", ""))
        log_warn("ip=%.*s: found neither an address nor dhcp nor off; DHCP is used", (int)length,
                 value);
}

void net_boot_init(void)
{
    const struct fw_node *chosen = fw_find_path("/chosen");
    const char *bootargs = chosen != NULL ? fw_property_string(chosen, "bootargs") : NULL;

    waitq_init(&configured);
    if (bootargs != NULL)
        read_bootargs(bootargs);
}

static void set_static(struct netif *netif)
{
    ip4_addr_t address, mask, gateway = {0};
    ip_addr_t server;

    ip4addr_aton(fields[CLIENT], &address);
    if (!ip4addr_aton(fields[NETMASK], &mask) || ip4_addr_isany_val(mask))
        mask.addr = PP_HTONL(ip4_addr1(&address) < 128   ? 0xff000000u
                             : ip4_addr1(&address) < 192 ? 0xffff0000u
                                                         : 0xffffff00u);
    if (!ip4addr_aton(fields[GATEWAY], &gateway))
        gateway.addr = 0;
    netif_set_addr(netif, &address, &mask, &gateway);
    for (unsigned i = 0; i < 2; i++) {
        if (ipaddr_aton(fields[DNS_1 + i], &server))
            dns_setserver((u8_t)i, &server);
    }
}

void net_boot_configure(struct netif *netif, const char *name)
{
    if (is_off)
        return;
    if (is_static && (fields[DEVICE][0] == '\0' ? netif->num == 1 : !strcmp(fields[DEVICE], name)))
        set_static(netif);
    else if (!is_static && dhcp_start(netif) != ERR_OK)
        log_warn("%s: DHCP does not start for lack of memory", name);
}

void net_boot_changed(void)
{
    smp_mb(); /* the address, then who waits: pairs with waiter_enqueue() */
    if (waitq_active(&configured))
        waitq_wake(&configured, UINT32_MAX, 0);
}

/* Whether an interface with a link still waits for an answer; reads without the lock. */
static bool is_waiting(void)
{
    const struct netif *netif;

    NETIF_FOREACH(netif)
    {
        if (netif->num != 0 && netif_is_link_up(netif) &&
            ip4_addr_isany_val(*netif_ip4_addr(netif)))
            return true;
    }
    return false;
}

void inet_wait_ready(void)
{
    if (!is_off)
        (void)wait_event(&configured, !is_waiting(), clock_monotonic_ns() + READY_NS,
                         WAIT_UNINTERRUPTIBLE);
}
