/* SPDX-License-Identifier: MIT */
/* Internet sockets: AF_INET and AF_INET6 (ip(7), ipv6(7), tcp(7), udp(7)). */
#ifndef NET_INET_PUBLIC_H
#define NET_INET_PUBLIC_H

/*
 * Starts the stack with its loopback interface, takes the network devices that are there, and
 * registers the families. Thread context, once, after PROBE_DEVICE. Without CONFIG_INET not there.
 */
void inet_init(void);

/* Waits a second at most until the interfaces have their addresses: a program that starts finds a
 * network. */
void inet_wait_ready(void);

#endif
