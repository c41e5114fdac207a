/* SPDX-License-Identifier: MIT */
/* Changes of interfaces and addresses, noted under the lock and told to netlink by a worker. */
#include <core/work.h>

#include "../net_link.h"
#include "lwip_port.h"

static uint32_t changed_links, changed_addresses; /* bits of indexes; the lock */
static struct work change_work;

static void tell_bits(enum net_change what, uint32_t bits)
{
    for (unsigned i = 0; i < 32; i++) {
        if (bits >> i & 1)
            netlink_tell(what, i);
    }
}

static void tell_changes(struct work *work)
{
    uint32_t links, addresses;

    (void)work;
    net_lock();
    links = changed_links;
    addresses = changed_addresses;
    changed_links = changed_addresses = 0;
    net_unlock();
    tell_bits(NET_CHANGE_LINK, links);
    tell_bits(NET_CHANGE_ADDRESS, addresses);
    tell_bits(NET_CHANGE_ROUTE, addresses);
}

static void on_change(struct netif *netif, netif_nsc_reason_t reason,
                      const netif_ext_callback_args_t *args)
{
    uint32_t bit = 1u << (netif_get_index(netif) & 31);

    (void)args;
    net_forget_neighbours();
    if (reason & (LWIP_NSC_STATUS_CHANGED | LWIP_NSC_LINK_CHANGED | LWIP_NSC_NETIF_ADDED))
        changed_links |= bit;
    if (reason &
        (LWIP_NSC_IPV4_SETTINGS_CHANGED | LWIP_NSC_IPV6_SET | LWIP_NSC_IPV6_ADDR_STATE_CHANGED))
        changed_addresses |= bit;
    work_queue(&change_work);
    net_boot_changed();
}

void net_links_init(void)
{
    static netif_ext_callback_t callback;

    work_init(&change_work, tell_changes);
    netif_add_ext_callback(&callback, on_change);
}
