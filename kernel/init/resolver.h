/* SPDX-License-Identifier: MIT */
/* Name servers for programs (resolver.c). */
#ifndef INIT_RESOLVER_H
#define INIT_RESOLVER_H

/* Once the root is mounted: /etc/resolv.conf leads to what DHCP told, unless the root has its own.
 */
void resolver_link(void);

#endif
