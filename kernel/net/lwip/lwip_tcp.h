/* SPDX-License-Identifier: MIT */
/* Between lwip_tcp.c (connections) and lwip_tcp_data.c (their bytes). All under net_lock(), but
 * what transport_ops calls. */
#ifndef LWIP_TCP_H
#define LWIP_TCP_H

#include <lwip/tcp.h>

#include "lwip_port.h"

struct tcp_hdr;

/* lwip_tcp_data.c */
err_t tcp_data_sent(void *arg, struct tcp_pcb *pcb, u16_t length);
err_t tcp_data_received(void *arg, struct tcp_pcb *pcb, struct pbuf *p, err_t error);
void tcp_data_drop(struct inet_sock *sock);  /* what was received and not read */
void tcp_data_start(struct inet_sock *sock); /* the connection stands: sizes and windows */
ssize_t tcp_data_send(struct inet_sock *sock, struct io *io, const struct inet_packet *to,
                      unsigned flags);
ssize_t tcp_data_receive(struct inet_sock *sock, struct io *io, struct inet_packet *from,
                         unsigned *flags);

/* lwip_tcp.c: bytes or the end came for a connection that nobody has accepted yet. */
void tcp_child_heard(struct inet_sock *child);

/* A segment over a chunk (lwIP's tcp_create_segment()), which it consumes. NULL: no memory. */
struct tcp_seg *tcp_data_segment(struct tcp_pcb *pcb, struct pbuf *p, uint32_t sequence);
/* A segment keeps its `first` bytes; the rest, copied, follows it in its list in segments of `size`
 * bytes, with its flags and, at the end, its end. False: no memory, or the segment is in use. */
bool tcp_data_cut(struct tcp_pcb *pcb, struct tcp_seg *segment, size_t first, size_t size);

/* With TCP's tick: sends what was held back for long, or could not be sent, or was lost; ends what
 * was tried for too long: the block may be gone then. */
void tcp_data_tick(struct tcp_pcb *pcb, uint32_t now_ms);

/* lwip_loss.c. Before lwIP gets a segment that may tell of a loss, `size` bytes of it contiguous:
 * its options are kept, and tcp_loss_told is true, until tcp_loss_look(). */
extern bool tcp_loss_told;
void tcp_loss_hear(const struct tcp_hdr *header, size_t size);
/* After lwIP got a segment, if that was so or it repeats an acknowledgement. */
void tcp_loss_look(struct tcp_pcb *pcb);
void tcp_loss_start(struct inet_sock *sock, struct tcp_pcb *pcb); /* the connection stands */
/* While sock->is_recovering: something was acknowledged. */
void tcp_loss_acked(struct inet_sock *sock, struct tcp_pcb *pcb);
void tcp_loss_tick(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now_ms);

/* lwip_mtu.c: longer packets than this do not get through: what is sent again, and what comes, is
 * shorter. False: it was so already, or cannot be. */
bool tcp_mtu_take(struct tcp_pcb *pcb, unsigned mtu);
/* What waits to be sent, and the device does not cut, becomes segments of one packet. */
void tcp_mtu_cut(const struct inet_sock *sock, struct tcp_pcb *pcb);
/* An interface has another MTU. */
void tcp_mtu_changed(struct netif *netif);

/* Before lwIP gets a segment for a connection that sent its SYN: the other end's SYN crosses it
 * (RFC 9293, figure 7), and is answered; or that answer is acknowledged. */
void tcp_meet(struct tcp_pcb *pcb, uint32_t sequence);
void tcp_met(struct tcp_pcb *pcb);

/* lwip_tcp_time.c, with TCP's tick. True: it was tried for too long, and the block is gone. */
bool tcp_time_tick(struct inet_sock *sock, struct tcp_pcb *pcb, uint32_t now_ms);

/* Bytes that the other end may send ahead of the reader: SO_RCVBUF, if the program has set it, and
 * TCP_WINDOW_CLAMP. `sock`: the connection's, or its listener's. */
uint32_t tcp_data_window(const struct inet_sock *sock, const struct tcp_pcb *pcb);
/* It has changed. */
void tcp_data_window_changed(struct inet_sock *sock);

/* A segment that does not fit the window, and waits for nothing else, is cut. */
void tcp_data_fit(struct tcp_pcb *pcb);

#endif
