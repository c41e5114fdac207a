/* SPDX-License-Identifier: MIT */
/* Frames to send: lwip_frame.c, lwip_fragment.c. Under net_lock(). */
#ifndef LWIP_FRAME_H
#define LWIP_FRAME_H

#include <device/netdev.h>

#include <lwip/netif.h>

#define NEIGHBOURS 16u

/* Where lwIP sent a packet for this address: the frame's header. ARP's timer, every ARP packet and
 * every change of the interface make it be asked anew. */
struct neighbour {
    u32_t address; /* IPv4; 0: none */
    uint8_t header[14];
};

/* One interface over a device. */
struct interface {
    struct netif netif;
    struct netdev *device;
    bool kick; /* something was sent since the last kick */
    ip4_addr_t logged_address, logged_gateway;
    struct neighbour neighbours[NEIGHBOURS];
};

/* lwIP's netif->output: etharp_output(), but for those that it has answered just now. */
err_t frame_output_ip4(struct netif *netif, struct pbuf *p, const ip4_addr_t *to);
void frame_forget_neighbours(struct interface *interface);

/* lwIP's netif->linkoutput: p begins with an Ethernet header. */
err_t frame_output(struct netif *netif, struct pbuf *p);

/* `size` bytes that fit the device, copied: headers (of `head_size` bytes) and a part of p. */
err_t frame_send_copy(struct interface *interface, const uint8_t *head, size_t head_size,
                      struct pbuf *p, size_t offset, size_t size);

/* An IP packet that is longer than the interface's MTU, and no TCP: in pieces. */
err_t frame_fragment(struct interface *interface, struct pbuf *p);

/* Most payload of a segment that this interface cuts into packets itself; 0: it does not. */
size_t frame_gso_limit(const struct netif *netif, bool is_v6);

#endif
