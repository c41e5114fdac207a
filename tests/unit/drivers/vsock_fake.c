/* SPDX-License-Identifier: MIT */
#include "vsock_fake.h"

#include <sleeper.h>
#include <stdlib.h>
#include <string.h>

#include <core/clock.h>
#include <core/thread.h>
#include <core/wait.h>
#include <core/work.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <net/vsock.h>

extern const struct driver *const driver_entry_virtio_vsock;

struct vsock_fake host;
static const struct socket_family *family;
static struct work *queued;

/* --- what the kernel has around it --------------------------------------------------------------
 */

void work_init(struct work *work, void (*run)(struct work *work))
{
    work->run = run;
}

bool work_queue(struct work *work)
{
    queued = work;
    return true;
}

void rng_bytes(void *to, size_t size)
{
    memset(to, 0, size);
}

void socket_family_register(const struct socket_family *f)
{
    family = f;
}

int dev_register(const char *name, uint32_t mode, const struct char_device *device)
{
    (void)name, (void)mode, (void)device;
    return 0;
}

uint64_t socket_deadline(uint64_t timeout_ns)
{
    return timeout_ns == 0 ? WAIT_FOREVER : timeout_ns;
}

int socket_wait_error(int error, uint64_t timeout_ns)
{
    (void)timeout_ns;
    return error == -ETIMEDOUT ? -EAGAIN : error;
}

bool socket_current_capable(unsigned capability)
{
    (void)capability;
    return host.is_privileged;
}

void file_signal(int signal)
{
    (void)signal;
    host.signals++;
}

int put_user32(vaddr_t to, uint32_t value)
{
    (void)to, (void)value;
    return 0;
}

/* --- the host -----------------------------------------------------------------------------------
 */

int host_start(uint64_t features, uint64_t cid)
{
    memset(&host, 0, sizeof(host));
    sleeper_reset();
    if (family == NULL)
        vsock_init();
    fake_start(&host.virtio, VIRTIO_ID_VSOCK, features | BIT64(VIRTIO_F_VERSION_1));
    memcpy(host.virtio.config, &cid, sizeof(cid));
    return fake_probe(&host.virtio, driver_entry_virtio_vsock);
}

struct socket *host_socket(int type)
{
    struct socket *socket = calloc(1, sizeof(*socket));

    socket->family = AF_VSOCK;
    socket->type = type;
    socket->receive_low = 1;
    if (family->create(socket, type, 0) == 0)
        return socket;
    free(socket);
    return NULL;
}

void host_close(struct socket *socket)
{
    socket->ops->release(socket);
    free(socket);
}

void host_run(void)
{
    host.virtio.device.interrupt(&host.virtio.device);
    for (unsigned i = 0; queued != NULL && i < 100; i++) {
        struct work *work = queued;

        queued = NULL;
        work->run(work);
    }
}

bool host_send(const struct vsock_header *header, const void *data)
{
    int head = fake_next(&host.virtio, 0);
    uint8_t packet[4096];
    uint32_t size = min(header->length, 4000U);

    if (head < 0)
        return false;
    memcpy(packet, header, sizeof(*header));
    if (data != NULL)
        memcpy(packet + sizeof(*header), data, size);
    size += (uint32_t)sizeof(*header);
    fake_write(&host.virtio, 0, (unsigned)head, packet, size);
    fake_use(&host.virtio, 0, (uint32_t)head, size);
    host_run();
    return true;
}

bool host_take(void)
{
    static uint8_t packet[70000];
    int head = fake_next(&host.virtio, 1);
    uint32_t size;

    if (head < 0)
        return false;
    size = fake_read(&host.virtio, 1, (unsigned)head, packet, sizeof(packet));
    memcpy(&host.sent, packet, sizeof(host.sent));
    memcpy(host.bytes, packet + sizeof(host.sent), size - sizeof(host.sent));
    fake_use(&host.virtio, 1, (uint32_t)head, 0);
    host_run();
    return true;
}
