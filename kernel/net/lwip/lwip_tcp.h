/* SPDX-License-Identifier: MIT */
/* Between lwip_tcp.c (connections) and lwip_tcp_data.c (their bytes). All under net_lock(), but
 * what transport_ops calls. */
#ifndef LWIP_TCP_H
#define LWIP_TCP_H

#include <lwip/tcp.h>

#include "lwip_port.h"

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

/* After a segment was received that may have acknowledged something, or again the same. */
void tcp_data_recover(struct tcp_pcb *pcb);

/* With TCP's tick: sends what was held back for long, or could not be sent. */
void tcp_data_tick(struct tcp_pcb *pcb, uint32_t now_ms);

/* A segment that does not fit the window, and waits for nothing else, is cut. */
void tcp_data_fit(struct tcp_pcb *pcb);

#endif
