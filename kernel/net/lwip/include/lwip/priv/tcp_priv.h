/* SPDX-License-Identifier: MIT */
/* lwIP's own header of this name, but for the lists of connections: lwip_demux.c keeps them. */
#ifndef NET_LWIP_TCP_PRIV_H
#define NET_LWIP_TCP_PRIV_H

#include_next <lwip/priv/tcp_priv.h>

#undef TCP_REG
#undef TCP_RMV
#define TCP_REG(list, pcb) demux_register((list), (pcb))
#define TCP_RMV(list, pcb) demux_remove((list), (pcb))

void demux_register(struct tcp_pcb **list, struct tcp_pcb *pcb);
void demux_remove(struct tcp_pcb **list, struct tcp_pcb *pcb);

#endif
