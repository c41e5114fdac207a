// SPDX-License-Identifier: MIT
// What the checks of Unix sockets share: a pair.
#pragma once

#include "check.h"
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <sys/un.h>

static int a, b;

static void make_pair(int type)
{
    int fds[2] = {-1, -1};
    socketpair(AF_UNIX, type, 0, fds);
    a = fds[0];
    b = fds[1];
}

static void close_pair(void)
{
    close(a);
    close(b);
}
