/* SPDX-License-Identifier: MIT */
/* Options of internet sockets beside those of SOL_SOCKET (inet_option.c). */
#ifndef NET_INET_OPTION_H
#define NET_INET_OPTION_H

#include "inet.h"

void inet_options_init(struct inet_options *options);

int inet_set_option(struct socket *socket, int level, int option, const void *value, size_t size);
int inet_get_option(struct socket *socket, int level, int option, void *value, size_t *size);

/* A number to a program's memory: 0 or -EFAULT. */
long inet_give_int(reg_t user, int value);

#endif
