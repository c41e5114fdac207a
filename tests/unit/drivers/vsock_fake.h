/* SPDX-License-Identifier: MIT */
/*
 * A host over virtio_fake.h at the other end of AF_VSOCK, and sockets without files: what
 * net/vsock*.c and drivers/virtio/vsock.c need around them.
 */
#ifndef UNIT_VSOCK_FAKE_H
#define UNIT_VSOCK_FAKE_H

#include "virtio_fake.h"

#include <device/vsockdev.h>
#include <net/socket.h>

#define GUEST 42U
#define HOST  2U

enum { REQUEST = 1, RESPONSE, RESET, SHUTDOWN, DATA, CREDIT, ASK };

struct vsock_fake {
    struct virtio_fake virtio;
    unsigned signals; /* SIGPIPE */
    bool is_privileged;
    struct vsock_header sent; /* the last packet that the host has got, and its bytes */
    uint8_t bytes[70000];
};

extern struct vsock_fake host;

/* Gives the guest its context and features; -errno of the driver. The device stays for good. */
int host_start(uint64_t features, uint64_t cid);
/* A socket of a type, and its end. */
struct socket *host_socket(int type);
void host_close(struct socket *socket);
/* A packet from the host, with the header's length of bytes; false: there is no buffer. */
bool host_send(const struct vsock_header *header, const void *data);
/* The next packet that the guest sends, in `sent`; false: there is none. */
bool host_take(void);
/* Interrupt and worker. */
void host_run(void);

#endif
