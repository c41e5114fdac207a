/* SPDX-License-Identifier: MIT */
/*
 * How lwIP is built (its opt.h tells what each means): the raw API without threads of its own,
 * under one lock (lwip_stack.c); memory from kmalloc; timers by lwip_stack.c.
 */
#ifndef LWIPOPTS_H
#define LWIPOPTS_H

#define LWIP_HOOK_FILENAME "lwip/hooks.h"

#define NO_SYS               1
#define SYS_LIGHTWEIGHT_PROT 0
#define LWIP_NETCONN         0
#define LWIP_SOCKET          0
#define LWIP_TIMERS          0
#define LWIP_STATS           0
#define LWIP_NOASSERT        1
#define LWIP_PROVIDE_ERRNO   0
#define LWIP_SINGLE_NETIF    0
#define LWIP_DNS             1 /* the servers' addresses only: lwip_dns.c */
#define DNS_MAX_SERVERS      5

#define MEM_LIBC_MALLOC 1
#define MEMP_MEM_MALLOC 1
#define MEM_ALIGNMENT   8

#define IP_DEFAULT_TTL                 64
#define LWIP_IPV4                      1
#define LWIP_IPV6                      1
#define LWIP_ARP                       1
#define LWIP_ETHERNET                  1
#define LWIP_ICMP                      1
#define LWIP_RAW                       1
#define LWIP_UDP                       1
#define LWIP_TCP                       1
#define LWIP_DHCP                      1
#define LWIP_IGMP                      1
#define LWIP_IPV6_MLD                  1
#define LWIP_IPV6_AUTOCONFIG           1
#define LWIP_IPV6_DUP_DETECT_ATTEMPTS  0 /* an address is used at once: a program would not wait */
#define LWIP_IPV6_DHCP6                0
#define LWIP_DHCP_DOES_ACD_CHECK       0
#define LWIP_DHCP_GET_NTP_SRV          0
#define DHCP_DOES_ARP_CHECK            0
#define LWIP_DHCP_MAX_DNS_SERVERS      3
#define LWIP_ND6_RDNSS_MAX_DNS_SERVERS 2
#define LWIP_HAVE_LOOPIF               1
#define LWIP_NETIF_LOOPBACK            1
#define LWIP_LOOPIF_MULTICAST          1
#define LWIP_NETIF_EXT_STATUS_CALLBACK 1
#define LWIP_NETIF_STATUS_CALLBACK     1
#define LWIP_NETIF_HOSTNAME            0
#define LWIP_CHECKSUM_CTRL_PER_NETIF   1
#define LWIP_INLINE_IP_CHKSUM          1
#define LWIP_SUPPORT_CUSTOM_PBUF       1
#define LWIP_BROADCAST_PING            0
#define IP_REASSEMBLY                  1
#define IP_FRAG                        0 /* lwip_fragment.c */
#define LWIP_IPV6_FRAG                 0
#define IP_REASS_MAX_PBUFS             128
#define IP_SOF_BROADCAST               1
#define IP_SOF_BROADCAST_RECV          0
#define LWIP_MULTICAST_TX_OPTIONS      1
#define SO_REUSE                       1
#define SO_REUSE_RXTOALL               1
#define ETHARP_TRUST_IP_MAC            0
#define ARP_TABLE_SIZE                 64
#define ARP_QUEUEING                   1
#define ARP_QUEUE_LEN                  16
#define PBUF_POOL_BUFSIZE              1536
#define PBUF_LINK_HLEN                 14

/* A segment is as large as the interface takes, and at most (loopback) what lwIP's counts allow. */
#define TCP_MSS                        32000
#define LWIP_DISABLE_TCP_SANITY_CHECKS 1 /* they are about the socket layer, which is not built */
#define TCP_WND                        (512 * 1024)
#define LWIP_WND_SCALE                 1
#define TCP_RCV_SCALE                  4
#define TCP_SND_BUF                    (512 * 1024)
#define TCP_SND_QUEUELEN               1024
#define TCP_SNDLOWAT                   32000
#define TCP_SNDQUEUELOWAT              512
#define TCP_OVERSIZE                   0
#define LWIP_TCP_CALC_INITIAL_CWND(mss) \
    LWIP_MIN(10U * (mss), LWIP_MAX(2U * (mss), 14600U)) /* RFC 6928 */
#define TCP_QUEUE_OOSEQ           1
#define LWIP_TCP_SACK_OUT         1
#define LWIP_TCP_MAX_SACK_NUM     4
#define LWIP_TCP_TIMESTAMPS       1
#define LWIP_TCP_KEEPALIVE        1
#define LWIP_TCP_PCB_NUM_EXT_ARGS 4
#define TCP_LISTEN_BACKLOG        0
#define TCP_MSL                   30000UL
#define TCP_TMR_INTERVAL                                                                         \
    40 /* acknowledgements are delayed by so much, and the least retransmission time-out is 6 of \
          it */
#define LWIP_TCP_RTO_TIME        1000
#define TCP_WND_UPDATE_THRESHOLD (8 * 1460)

#endif
