/* SPDX-License-Identifier: MIT */
/* The part of sockets that all protocols share: creation, the file around a socket, SOL_SOCKET. */
#include <core/clock.h>
#include <core/panic.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>
#include <net/socket.h>

#define FAMILIES_MAX 8
#define BUFFER_BYTES 212992 /* net.core.wmem_default, rmem_default and their maxima */
#define SEND_MIN     4608
#define RECEIVE_MIN  2304

static const struct socket_family *families[FAMILIES_MAX];
static const struct file_ops socket_file_ops;
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
    socket->send_buffer = BUFFER_BYTES;
    socket->receive_buffer = BUFFER_BYTES;
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
    if (error == 0 && peer != NULL && to->ops->name(to, peer, true) != 0)
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

static ssize_t socket_read(struct file *file, struct io *io)
{
    struct socket_message message = {.flags = io->flags & IO_NOWAIT ? MSG_DONTWAIT : 0};
    struct socket *socket = file->data;

    if (io_left(io) == 0) /* POSIX: no wait, and a datagram stays */
        return 0;
    return socket_receive(socket, io, &message);
}

static ssize_t socket_write(struct file *file, struct io *io)
{
    struct socket_message message = {.flags = io->flags & IO_NOWAIT ? MSG_DONTWAIT : 0};
    struct socket *socket = file->data;

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

    return socket->ops->ioctl != NULL ? socket->ops->ioctl(socket, cmd, arg) : -ENOTTY;
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
    .flags = FILE_OPS_STREAM,
    .read = socket_read,
    .write = socket_write,
    .ioctl = socket_ioctl,
    .poll = socket_poll,
    .release = socket_release,
};

/* ---- SOL_SOCKET ---- */

enum {
    SO_REUSEADDR = 2,
    SO_TYPE,
    SO_ERROR,
    SO_DONTROUTE,
    SO_BROADCAST,
    SO_SNDBUF,
    SO_RCVBUF,
    SO_KEEPALIVE,
    SO_OOBINLINE,
    SO_PRIORITY = 12,
    SO_LINGER,
    SO_REUSEPORT = 15,
    SO_PASSCRED,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SO_TIMESTAMP = 29,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE,
    SO_MARK = 36,
    SO_PROTOCOL = 38,
    SO_DOMAIN,
};

#define SOL_SOCKET 1

struct abi_time {
    int64_t sec, usec;
};

struct abi_linger {
    int32_t on, seconds;
};

static int set_timeout(uint64_t *timeout_ns, const void *value, size_t size)
{
    struct abi_time time;

    if (size < sizeof(time))
        return -EINVAL;
    memcpy(&time, value, sizeof(time));
    if (time.usec < 0 || time.usec >= 1000000)
        return -EDOM;
    if (time.sec < 0) /* Linux: expired already */
        *timeout_ns = 1;
    else if ((uint64_t)time.sec > INT64_MAX / NS_PER_SECOND - 1)
        *timeout_ns = 0;
    else
        *timeout_ns = (uint64_t)time.sec * NS_PER_SECOND + (uint64_t)time.usec * NS_PER_US;
    return 0;
}

static int set_linger(struct socket *socket, const void *value, size_t size)
{
    struct abi_linger linger;

    if (size < sizeof(linger))
        return -EINVAL;
    memcpy(&linger, value, sizeof(linger));
    socket->linger_seconds = linger.on ? linger.seconds : -1;
    return 0;
}

/* Linux doubles what is asked for, to cover its own overhead; programs read the double back. */
static int buffer_size(int asked, int min_bytes, bool force)
{
    if (asked < 0)
        asked = 0;
    if (!force)
        asked = min(asked, BUFFER_BYTES);
    return max(min(asked, INT32_MAX / 2) * 2, min_bytes);
}

static int set_int_option(struct socket *socket, int option, int value, bool privileged)
{
    switch (option) {
    case SO_REUSEADDR:
        socket->reuse_address = value != 0;
        return 0;
    case SO_REUSEPORT:
        socket->reuse_port = value != 0;
        return 0;
    case SO_BROADCAST:
        socket->broadcast = value != 0;
        return 0;
    case SO_KEEPALIVE:
        socket->keep_alive = value != 0;
        return 0;
    case SO_PASSCRED:
        socket->pass_cred = value != 0;
        return 0;
    case SO_TIMESTAMP:
        socket->timestamp = value != 0;
        return 0;
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        if (option == SO_SNDBUFFORCE && !privileged)
            return -EPERM;
        socket->send_buffer = buffer_size(value, SEND_MIN, option == SO_SNDBUFFORCE);
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        if (option == SO_RCVBUFFORCE && !privileged)
            return -EPERM;
        socket->receive_buffer = buffer_size(value, RECEIVE_MIN, option == SO_RCVBUFFORCE);
        return 0;
    case SO_RCVLOWAT:
        socket->receive_low = value < 0 ? INT32_MAX : max(value, 1);
        return 0;
    case SO_PRIORITY:
        if (!privileged && (value < 0 || value > 6))
            return -EPERM;
        socket->priority = value;
        return 0;
    case SO_MARK:
        if (!privileged)
            return -EPERM;
        socket->mark = value;
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int socket_set_option(struct socket *socket, int option, const void *value, size_t size,
                      bool privileged)
{
    int number, error;

    if (size < sizeof(number))
        return -EINVAL;
    memcpy(&number, value, sizeof(number));
    switch (option) {
    case SO_RCVTIMEO:
        return set_timeout(&socket->receive_timeout_ns, value, size);
    case SO_SNDTIMEO:
        return set_timeout(&socket->send_timeout_ns, value, size);
    case SO_LINGER:
        return set_linger(socket, value, size);
    default:
        error = set_int_option(socket, option, number, privileged);
        break;
    }
    if (error == -ENOPROTOOPT && socket->ops->set_option != NULL)
        error = socket->ops->set_option(socket, SOL_SOCKET, option, value, size);
    return error;
}

static int give(void *value, size_t *size, const void *from, size_t from_size)
{
    *size = min(*size, from_size);
    memcpy(value, from, *size);
    return 0;
}

static int give_timeout(void *value, size_t *size, uint64_t timeout_ns)
{
    struct abi_time time = {(int64_t)(timeout_ns / NS_PER_SECOND),
                            (int64_t)(timeout_ns % NS_PER_SECOND / NS_PER_US)};

    return give(value, size, &time, sizeof(time));
}

static int get_int_option(struct socket *socket, int option, int *number)
{
    switch (option) {
    case SO_REUSEADDR:
        *number = socket->reuse_address;
        return 0;
    case SO_REUSEPORT:
        *number = socket->reuse_port;
        return 0;
    case SO_BROADCAST:
        *number = socket->broadcast;
        return 0;
    case SO_KEEPALIVE:
        *number = socket->keep_alive;
        return 0;
    case SO_PASSCRED:
        *number = socket->pass_cred;
        return 0;
    case SO_TIMESTAMP:
        *number = socket->timestamp;
        return 0;
    case SO_SNDBUF:
        *number = socket->send_buffer;
        return 0;
    case SO_RCVBUF:
        *number = socket->receive_buffer;
        return 0;
    case SO_RCVLOWAT:
        *number = socket->receive_low;
        return 0;
    case SO_SNDLOWAT:
        *number = 1;
        return 0;
    case SO_PRIORITY:
        *number = socket->priority;
        return 0;
    case SO_MARK:
        *number = socket->mark;
        return 0;
    case SO_DONTROUTE:
    case SO_OOBINLINE:
        *number = 0;
        return 0;
    case SO_TYPE:
        *number = socket->type;
        return 0;
    case SO_DOMAIN:
        *number = socket->family;
        return 0;
    case SO_PROTOCOL:
        *number = socket->protocol_number;
        return 0;
    case SO_ERROR:
        *number = atomic_xchg(&socket->error, 0);
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

int socket_get_option(struct socket *socket, int option, void *value, size_t *size)
{
    struct abi_linger linger = {socket->linger_seconds >= 0, max(socket->linger_seconds, 0)};
    int number;

    switch (option) {
    case SO_RCVTIMEO:
        return give_timeout(value, size, socket->receive_timeout_ns);
    case SO_SNDTIMEO:
        return give_timeout(value, size, socket->send_timeout_ns);
    case SO_LINGER:
        return give(value, size, &linger, sizeof(linger));
    default:
        if (get_int_option(socket, option, &number) == 0)
            return give(value, size, &number, sizeof(number));
        break;
    }
    return socket->ops->get_option != NULL
               ? socket->ops->get_option(socket, SOL_SOCKET, option, value, size)
               : -ENOPROTOOPT;
}
