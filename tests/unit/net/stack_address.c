/* SPDX-License-Identifier: MIT */
/* The one part of stack_fake.c that knows lwIP: the interface's address, whatever DHCP did. */
#include <lwip/netif.h>

#include "../../../kernel/net/lwip/lwip_port.h"

void stack_fake_configure(void);

void stack_fake_configure(void)
{
    ip4_addr_t address, mask, gateway;
    struct netif *netif;

    IP4_ADDR(&address, 10, 0, 0, 2);
    IP4_ADDR(&mask, 255, 255, 255, 0);
    IP4_ADDR(&gateway, 10, 0, 0, 1);
    net_lock();
    netif = netif_default;
    if (netif != NULL) {
        netif_set_addr(netif, &address, &mask, &gateway);
        netif_ip6_addr_set_state(netif, 0, IP6_ADDR_PREFERRED);
    }
    net_unlock();
}
