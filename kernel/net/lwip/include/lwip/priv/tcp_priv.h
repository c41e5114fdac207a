/* SPDX-License-Identifier: MIT */
/* lwIP's own header of this name, but for the lists of connections, which lwip_demux.c keeps, for
 * the way of segments through IP, which lwip_short.c knows to shorten, and for a mistake: when
 * lwIP 2.2.1 cuts a segment it means to take FIN and PSH off the first part, and only adds flags
 * there (tcp_split_unsent_seg), so that the stream ended before its last bytes.
 */
#ifndef NET_LWIP_TCP_PRIV_H
#define NET_LWIP_TCP_PRIV_H

#include_next <lwip/priv/tcp_priv.h>

#undef TCP_REG
#undef TCP_RMV
#define TCP_REG(list, pcb) demux_register((list), (pcb))
#define TCP_RMV(list, pcb) demux_remove((list), (pcb))

/* Where the flags are no constant, they are meant to be all. */
#undef TCPH_SET_FLAG
#define TCPH_SET_FLAG(header, flags)                                                     \
    ((header)->_hdrlen_rsvd_flags =                                                      \
         ((header)->_hdrlen_rsvd_flags &                                                 \
          (__builtin_constant_p(flags) ? (u16_t)0xffff : PP_HTONS((u16_t)~TCP_FLAGS))) | \
         lwip_htons(flags))

/* lwip_tcp_time.c ends what is tried for too long. lwIP forbids more than the 12 steps of its table
 * of waiting times, and stays at the last one: no number that the preprocessor knows. */
enum { TCP_TRIES_MAX = 100, TCP_SYN_TRIES_MAX = 200 };
#undef TCP_MAXRTX
#undef TCP_SYNMAXRTX
#define TCP_MAXRTX    TCP_TRIES_MAX
#define TCP_SYNMAXRTX TCP_SYN_TRIES_MAX

/* tcp(7): tcp_fin_timeout */
#undef TCP_FIN_WAIT_TIMEOUT
#define TCP_FIN_WAIT_TIMEOUT 60000

#undef ip_output_if
#define ip_output_if short_output
err_t short_output(struct pbuf *p, const ip_addr_t *from, const ip_addr_t *to, u8_t ttl, u8_t tos,
                   u8_t protocol, struct netif *netif);

void demux_register(struct tcp_pcb **list, struct tcp_pcb *pcb);
void demux_remove(struct tcp_pcb **list, struct tcp_pcb *pcb);

#endif
