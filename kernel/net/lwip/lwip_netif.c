/* SPDX-License-Identifier: MIT */
/*
 * Network devices as lwIP's interfaces. Received buffers are wrapped, not copied: the pbuf lies in
 * the buffer's own room. What is sent: lwip_frame.c.
 */
#include <core/log.h>
#include <device/netdev.h>
#include <lib/string.h>
#include <mm/slab.h>

#include <lwip/dhcp.h>
#include <lwip/dns.h>
#include <lwip/etharp.h>
#include <lwip/ethip6.h>
#include <lwip/ip4.h>
#include <lwip/ip6_addr.h>
#include <lwip/prot/ethernet.h>
#include <lwip/prot/ieee.h>
#include <lwip/prot/ip4.h>
#include <netif/ethernet.h>

#include "lwip_checksum.h"
#include "lwip_demux.h"
#include "lwip_frame.h"
#include "lwip_port.h"

static struct interface *interfaces[8]; /* net_lock */
static unsigned interface_count;

struct netdev *net_interface_device(const struct netif *netif)
{
    return ((const struct interface *)netif->state)->device;
}

/* ---- out ---- */

void net_devices_kick(void)
{
    net_kick_wanted = false;
    for (unsigned i = 0; i < interface_count; i++) {
        if (interfaces[i]->kick) {
            interfaces[i]->kick = false;
            netdev_kick(interfaces[i]->device, 0);
        }
    }
}

void net_forget_neighbours(void)
{
    for (unsigned i = 0; i < interface_count; i++)
        frame_forget_neighbours(interfaces[i]);
}

/* ---- in ---- */

static void rx_free(struct pbuf *p)
{
    netbuf_free(container_of((uint8_t(*)[NETBUF_STACK_BYTES])(void *)p, struct netbuf, stack));
}

_Static_assert(sizeof(struct pbuf_custom) <= NETBUF_STACK_BYTES, "room in a netbuf");

/* A frame's buffers as a chain of pbufs; what lwIP cannot carry (over 64 KiB) is dropped. */
static struct pbuf *wrap(struct netbuf *first)
{
    struct pbuf *head = NULL, **link = &head;
    uint32_t left = first->total;

    if (left > UINT16_MAX) {
        netbuf_free_chain(first);
        return NULL;
    }
    while (first != NULL) {
        struct pbuf_custom *custom = (struct pbuf_custom *)first->stack;
        struct netbuf *rest = first->rest;

        custom->custom_free_function = rx_free;
        *link = pbuf_alloced_custom(PBUF_RAW, (u16_t)first->size, PBUF_REF, custom, first->data,
                                    (u16_t)first->size);
        (*link)->tot_len = (u16_t)left;
        left -= first->size;
        link = &(*link)->next;
        first->rest = NULL;
        first = rest;
    }
    return head;
}

/* What ethernet_input() does, without its questions where the answers are plain: an IPv4 packet to
 * this machine's hardware address. */
static err_t input_frame(struct interface *interface, struct pbuf *p)
{
    struct netif *netif = &interface->netif;
    const struct eth_hdr *header = p->payload;

    if (header->type == PP_HTONS(ETHTYPE_ARP))
        frame_forget_neighbours(interface);
    if (header->type != PP_HTONS(ETHTYPE_IP) || (header->dest.addr[0] & 1) ||
        netif->input != ethernet_input || p->len < SIZEOF_ETH_HDR + IP_HLEN)
        return netif->input(p, netif);
    p->if_idx = netif_get_index(netif);
    p->payload = (uint8_t *)p->payload + SIZEOF_ETH_HDR;
    p->len -= SIZEOF_ETH_HDR;
    p->tot_len -= SIZEOF_ETH_HDR;
    return ip4_input(p, netif);
}

static void input_one(struct interface *interface, struct netbuf *frame)
{
    bool is_checked = (frame->flags & (NETBUF_CSUM_VALID | NETBUF_CSUM_PARTIAL)) != 0;
    struct pbuf *p = wrap(frame);

    if (p == NULL)
        return;
    if (is_checked)
        interface->netif.chksum_flags &= (u16_t)~TRANSPORT_CHECKS;
    else
        interface->netif.chksum_flags |= TRANSPORT_CHECKS;
    net_copies.packets_in++;
    if (input_frame(interface, p) != ERR_OK)
        pbuf_free(p);
    demux_done();
}

static void input(struct netdev *device, unsigned queue, struct netbuf *frames)
{
    struct interface *interface = device->stack;

    (void)queue;
    net_lock();
    while (frames != NULL) {
        struct netbuf *next = frames->next;

        if (interface == NULL)
            netbuf_free_chain(frames);
        else
            input_one(interface, frames);
        frames = next;
    }
    net_active();
    net_unlock();
}

/* ---- interfaces come up ---- */

/* lwIP tells changes of IPv6 addresses in the same way. */
static __cold void status_changed(struct netif *netif)
{
    struct interface *interface = netif->state;
    const struct dhcp *dhcp = netif_dhcp_data(netif);
    const ip4_addr_t *address = netif_ip4_addr(netif), *gateway = netif_ip4_gw(netif);
    char text[IP4ADDR_STRLEN_MAX], gateway_text[IP4ADDR_STRLEN_MAX];

    if (ip4_addr_isany(address) || (ip4_addr_cmp(address, &interface->logged_address) &&
                                    ip4_addr_cmp(gateway, &interface->logged_gateway)))
        return;
    interface->logged_address = *address;
    interface->logged_gateway = *gateway;
    ip4addr_ntoa_r(address, text, sizeof(text));
    ip4addr_ntoa_r(gateway, gateway_text, sizeof(gateway_text));
    log_info("%s: address %s, %s%s%s", interface->device->name, text,
             ip4_addr_isany(gateway) ? "no gateway" : "gateway ",
             ip4_addr_isany(gateway) ? "" : gateway_text, dhcp != NULL ? ", by DHCP" : "");
}

static err_t interface_init(struct netif *netif)
{
    struct netdev *device = ((struct interface *)netif->state)->device;

    netif->name[0] = 'e';
    netif->name[1] = 'n';
    netif->output = frame_output_ip4;
    netif->output_ip6 = ethip6_output;
    netif->linkoutput = frame_output;
    netif->mtu = (u16_t)device->mtu;
    if (device->features & NETDEV_TX_CSUM)
        netif->chksum_flags &= (u16_t) ~(NETIF_CHECKSUM_GEN_TCP | NETIF_CHECKSUM_GEN_UDP);
    netif->hwaddr_len = 6;
    memcpy(netif->hwaddr, device->mac, 6);
    netif->flags = NETIF_FLAG_BROADCAST | NETIF_FLAG_ETHARP | NETIF_FLAG_ETHERNET |
                   NETIF_FLAG_IGMP | NETIF_FLAG_MLD6;
    return ERR_OK;
}

static __cold void added(struct netdev *device)
{
    struct interface *interface = kzalloc(sizeof(*interface));
    int error;

    if (interface == NULL || interface_count == sizeof(interfaces) / sizeof(interfaces[0])) {
        log_warn("%s: no room for another interface: it is not used", device->name);
        kfree(interface);
        return;
    }
    interface->device = device;
    error = netdev_open(device);
    if (error != 0) {
        log_warn("%s: does not start (%d): it is not used", device->name, error);
        kfree(interface);
        return;
    }
    net_lock();
    netif_add(&interface->netif, IP4_ADDR_ANY4, IP4_ADDR_ANY4, IP4_ADDR_ANY4, interface,
              interface_init, ethernet_input);
    if (netif_default == NULL)
        netif_set_default(&interface->netif);
    netif_set_status_callback(&interface->netif, status_changed);
    interface->netif.ip6_autoconfig_enabled = 1;
    netif_create_ip6_linklocal_address(&interface->netif, 1);
    interfaces[interface_count++] = interface;
    device->stack = interface;
    if (device->link_up)
        netif_set_link_up(&interface->netif);
    netif_set_up(&interface->netif);
    net_boot_configure(&interface->netif, device->name);
    net_active();
    net_unlock();
}

static void link_changed(struct netdev *device)
{
    struct interface *interface = device->stack;

    if (interface == NULL)
        return;
    net_lock();
    if (device->link_up)
        netif_set_link_up(&interface->netif);
    else
        netif_set_link_down(&interface->netif);
    net_active();
    net_unlock();
}

static void writable(struct netdev *device, unsigned queue)
{
    (void)device; /* what found no room counts as lost, and TCP sends it again */
    (void)queue;
}

static const struct netdev_stack stack = {
    .added = added, .input = input, .writable = writable, .link = link_changed};

void net_devices_init(void)
{
    netdev_set_stack(&stack);
}
