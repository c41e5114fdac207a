/* SPDX-License-Identifier: MIT */
/* The part of sockets that all protocols share: creation, and the file around a socket. */
#include <core/clock.h>
#include <core/panic.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <net/socket.h>

#define FAMILIES_MAX 8

static const struct socket_family *families[FAMILIES_MAX];
static const struct file_ops socket_file_ops;
static long (*device_ioctl)(struct socket *socket, unsigned cmd, reg_t arg);
SLAB_CACHE(socket_cache, struct socket);

void socket_family_register(const struct socket_family *family)
{
    for (unsigned i = 0; i < FAMILIES_MAX; i++) {
        if (families[i] == NULL) {
            families[i] = family;
            return;
        }
    }
    panic("socket: more than %d families", FAMILIES_MAX);
}

void socket_set_device_ioctl(long (*ioctl)(struct socket *, unsigned cmd, reg_t arg))
{
    device_ioctl = ioctl;
}

static const struct socket_family *family_find(int family)
{
    for (unsigned i = 0; i < FAMILIES_MAX && families[i] != NULL; i++) {
        if (families[i]->family == family)
            return families[i];
    }
    return NULL;
}

struct socket *socket_of(struct file *file)
{
    return file->ops == &socket_file_ops ? file->data : NULL;
}

/* A socket and its file; without a protocol yet. */
static struct socket *socket_alloc(int family, int type, unsigned flags)
{
    struct socket *socket = slab_zalloc(&socket_cache);

    if (socket == NULL)
        return NULL;
    socket->family = family;
    socket->type = type;
    socket->send_buffer = SOCKET_BUFFER_BYTES;
    socket->receive_buffer = SOCKET_BUFFER_BYTES;
    socket->receive_low = 1;
    socket->linger_seconds = -1;
    socket->file = file_create(&socket_file_ops, socket, O_RDWR | (flags & O_NONBLOCK));
    if (socket->file == NULL) {
        slab_free(&socket_cache, socket);
        return NULL;
    }
    return socket;
}

int socket_create(int family, int type, int protocol, unsigned flags, struct file **out)
{
    const struct socket_family *found = family_find(family);
    struct socket *socket;
    int error;

    if (found == NULL)
        return -EAFNOSUPPORT;
    socket = socket_alloc(family, type, flags);
    if (socket == NULL)
        return -ENOMEM;
    error = found->create(socket, type, protocol);
    if (error != 0) {
        file_unref(socket->file);
        return error;
    }
    *out = socket->file;
    return 0;
}

int socket_create_pair(int family, int type, int protocol, unsigned flags, struct file *out[2])
{
    const struct socket_family *found = family_find(family);
    int error;

    if (found == NULL)
        return -EAFNOSUPPORT;
    error = socket_create(family, type, protocol, flags, &out[0]);
    if (error != 0)
        return error;
    error = socket_create(family, type, protocol, flags, &out[1]);
    if (error == 0) {
        error = found->pair != NULL ? found->pair(out[0]->data, out[1]->data) : -EOPNOTSUPP;
        if (error == 0)
            return 0;
        file_unref(out[1]);
    }
    file_unref(out[0]);
    return error;
}

int socket_accept(struct file *file, unsigned flags, struct file **out, struct socket_name *peer)
{
    struct socket *socket = file->data;
    struct socket *to;
    int error;

    if (socket->ops->accept == NULL)
        return -EOPNOTSUPP;
    to = socket_alloc(socket->family, socket->type, flags);
    if (to == NULL)
        return -ENOMEM;
    to->protocol_number = socket->protocol_number;
    to->pass_cred = socket->pass_cred;
    error = socket->ops->accept(socket, to, (file->flags & O_NONBLOCK) != 0);
    if (error == 0 && peer != NULL && to->ops->name(to, peer, SOCKET_ACCEPTED) != 0)
        error = -ECONNABORTED;
    if (error != 0) {
        file_unref(to->file);
        return error;
    }
    *out = to->file;
    return 0;
}

/* ---- moving bytes ---- */

ssize_t socket_send(struct socket *socket, struct io *io, struct socket_message *message)
{
    if (READ_ONCE(socket->file->flags) & O_NONBLOCK)
        message->flags |= MSG_DONTWAIT;
    if (socket->ops->send == NULL)
        return -EOPNOTSUPP;
    return socket->ops->send(socket, io, message);
}

ssize_t socket_receive(struct socket *socket, struct io *io, struct socket_message *message)
{
    if (READ_ONCE(socket->file->flags) & O_NONBLOCK)
        message->flags |= MSG_DONTWAIT;
    if (socket->ops->receive == NULL)
        return -EOPNOTSUPP;
    return socket->ops->receive(socket, io, message);
}

/* Bytes and nothing else. Field by field: all of it would take a call of memset(). */
static void plain_message(struct socket_message *message, const struct io *io)
{
    message->flags = io->flags & IO_NOWAIT ? MSG_DONTWAIT : 0;
    message->name = NULL;
    message->files = NULL;
    message->file_count = 0;
    message->has_cred = false;
    message->records = NULL;
    message->record_count = 0;
}

static ssize_t socket_read(struct file *file, struct io *io)
{
    struct socket_message message;
    struct socket *socket = file->data;

    plain_message(&message, io);
    if (io_left(io) == 0) /* POSIX: no wait, and a datagram stays */
        return 0;
    return socket_receive(socket, io, &message);
}

static ssize_t socket_write(struct file *file, struct io *io)
{
    struct socket_message message;
    struct socket *socket = file->data;

    plain_message(&message, io);
    if (socket->type == SOCK_SEQPACKET)
        message.flags |= MSG_EOR;
    return socket_send(socket, io, &message);
}

uint64_t socket_deadline(uint64_t timeout_ns)
{
    return timeout_ns == 0 ? WAIT_FOREVER : clock_monotonic_ns() + timeout_ns;
}

/* A wait with a time-out is not restarted: it would begin anew (signal(7)). */
int socket_wait_error(int error, uint64_t timeout_ns)
{
    if (error == -ETIMEDOUT)
        return -EAGAIN;
    return error == -ERESTARTSYS && timeout_ns != 0 ? -EINTR : error;
}

/* ---- the file ---- */

static unsigned socket_poll(struct file *file, struct poll_waiter *pw)
{
    struct socket *socket = file->data;

    return socket->ops->poll(socket, pw);
}

static long socket_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    struct socket *socket = file->data;

    long result = socket->ops->ioctl != NULL ? socket->ops->ioctl(socket, cmd, arg) : -ENOTTY;

    return result == -ENOTTY && device_ioctl != NULL ? device_ioctl(socket, cmd, arg) : result;
}

static void socket_release(struct file *file)
{
    struct socket *socket = file->data;

    if (socket->ops != NULL)
        socket->ops->release(socket);
    slab_free(&socket_cache, socket);
}

static const struct file_ops socket_file_ops = {
    .name = "socket",
    .mode = S_IFSOCK | 0777,
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = socket_read,
    .write = socket_write,
    .ioctl = socket_ioctl,
    .poll = socket_poll,
    .release = socket_release,
};
