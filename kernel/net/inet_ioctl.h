/* SPDX-License-Identifier: MIT */
/* ioctls on network devices, for socket_set_device_ioctl() (inet_ioctl.c). */
#ifndef NET_INET_IOCTL_H
#define NET_INET_IOCTL_H

#include <net/socket.h>

/* -ENOTTY: not one of them. */
long inet_device_ioctl(struct socket *socket, unsigned cmd, reg_t arg);

#endif
