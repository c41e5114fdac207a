/* SPDX-License-Identifier: MIT */
#ifndef NET_VSOCK_H
#define NET_VSOCK_H

/* Registers AF_VSOCK and /dev/vsock (init/main.c, once). */
void vsock_init(void);

#endif
