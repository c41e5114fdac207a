/* SPDX-License-Identifier: MIT */
/* /proc/net, /proc/sys/net and /sys/class/net (inet_proc.c). */
#ifndef NET_INET_PROC_H
#define NET_INET_PROC_H

#include <lib/types.h>

void inet_proc_init(void);

/* net/lwip/lwip_dns.c: the n-th line of resolv.conf(5) as DHCP and routers have it; false: the end.
 */
bool net_resolver_line(unsigned n, char *line, size_t size);

#endif
