/* SPDX-License-Identifier: MIT */
/* Whom the signals of a file go to (O_ASYNC): the calls, for fcntl.c and file.c. */
#ifndef LINUX_SIGIO_H
#define LINUX_SIGIO_H

#include <lib/types.h>

struct file;

/* fcntl commands */
enum {
    F_SETOWN = 8,
    F_GETOWN,
    F_SETSIG,
    F_GETSIG,
    F_SETOWN_EX = 15,
    F_GETOWN_EX,
};

/* ioctl commands of sockets (asm-generic/sockios.h) */
#define FIOSETOWN 0x8901u
#define SIOCSPGRP 0x8902u
#define FIOGETOWN 0x8903u
#define SIOCGPGRP 0x8904u

long sigio_fcntl(struct file *file, unsigned cmd, reg_t arg);
long sigio_socket_ioctl(struct file *file, unsigned cmd, vaddr_t user);

#endif
