/* SPDX-License-Identifier: MIT */
/* Servers of names that DHCP and router advertisements (RFC 8106) tell: lwIP's resolver is left
 * out, programs have their own. */
#include <lib/printf.h>

#include <lwip/dns.h>
#include <lwip/ip_addr.h>

#include "../inet_proc.h"
#include "lwip_port.h"

/* IPv4 from DHCP first, then IPv6: lwIP numbers each kind from 0. Under the lock. */
#define IPV4_MAX LWIP_DHCP_MAX_DNS_SERVERS

static ip_addr_t servers[DNS_MAX_SERVERS];

void dns_init(void)
{
}

void dns_setserver(u8_t number, const ip_addr_t *server)
{
    unsigned slot = number;

    if (server != NULL && IP_IS_V6(server))
        slot += IPV4_MAX;
    if (slot >= DNS_MAX_SERVERS)
        return;
    if (server != NULL)
        ip_addr_copy(servers[slot], *server);
    else
        ip_addr_set_any(false, &servers[slot]);
}

const ip_addr_t *dns_getserver(u8_t number)
{
    return number < DNS_MAX_SERVERS ? &servers[number] : IP_ADDR_ANY;
}

/* lwIP's own text of an address that ends in one block of zeros reads behind it. */
static void write_address(const ip_addr_t *server, char *text, size_t size)
{
    const uint32_t *words = ip_2_ip6(server)->addr;

    if (IP_IS_V6(server) && (lwip_ntohl(words[3]) & 0xffff) == 0)
        snprintf(text, size, "%x:%x:%x:%x:%x:%x:%x:0", lwip_ntohl(words[0]) >> 16,
                 lwip_ntohl(words[0]) & 0xffff, lwip_ntohl(words[1]) >> 16,
                 lwip_ntohl(words[1]) & 0xffff, lwip_ntohl(words[2]) >> 16,
                 lwip_ntohl(words[2]) & 0xffff, lwip_ntohl(words[3]) >> 16);
    else
        ipaddr_ntoa_r(server, text, (int)size);
}

bool net_resolver_line(unsigned n, char *line, size_t size)
{
    char text[IPADDR_STRLEN_MAX];
    bool found = false;

    net_lock();
    for (unsigned i = 0; i < DNS_MAX_SERVERS && !found; i++) {
        if (ip_addr_isany(&servers[i]) || n-- != 0)
            continue;
        write_address(&servers[i], text, sizeof(text));
        snprintf(line, size, "nameserver %s", text);
        found = true;
    }
    net_unlock();
    return found;
}
