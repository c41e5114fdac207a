/* SPDX-License-Identifier: MIT */
/* System calls on sockets: making, naming, connecting, options. message.c sends and receives. */
#include <arch/uaccess.h>
#include <fs/cred.h>
#include <fs/inode.h>
#include <fs/path.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <linux/syscalls.h>
#include <mm/slab.h>
#include <net/unix.h>

#include "socket_calls.h"

#define SOCK_TYPE_MASK 0xf
#define SOCK_FLAGS     (O_NONBLOCK | O_CLOEXEC) /* SOCK_NONBLOCK, SOCK_CLOEXEC have these values */
#define FAMILY_COUNT   46
#define SOL_SOCKET     1
#define OPTION_MAX     256u

void socket_current_cred(struct socket_cred *cred)
{
    const struct cred *now = cred_current();

    *cred = (struct socket_cred){current_process()->pid, now->euid, now->egid};
}

bool socket_current_capable(unsigned capability)
{
    return cred_capable(cred_current(), capability);
}

int socket_get(unsigned number, struct socket_ref *out)
{
    out->fd = fd_get(current_files(), number);
    if (out->fd.file == NULL)
        return -EBADF;
    out->socket = socket_of(out->fd.file);
    if (out->socket != NULL)
        return 0;
    fd_put(out->fd);
    return -ENOTSOCK;
}

/* ---- names ---- */

int socket_name_from_user(vaddr_t user, int len, struct socket_name *name)
{
    if (len < 0 || len > SOCKET_NAME_MAX)
        return -EINVAL;
    name->len = (unsigned)len;
    name->family = AF_UNSPEC;
    if (copy_from_user(name->bytes, user, name->len) != 0)
        return -EFAULT;
    if (unix_name_is_path(name) && name->len <= sizeof(uint16_t) + UNIX_PATH_MAX) {
        name->bytes[name->len] = '\0';
        name->len = (unsigned)(sizeof(uint16_t) + strlen(name->bytes + sizeof(uint16_t)) + 1);
    }
    return 0;
}

int socket_name_to_user(const struct socket_name *name, vaddr_t user, vaddr_t user_len)
{
    uint32_t room;

    if (user == 0)
        return 0;
    if (get_user32(&room, user_len) != 0)
        return -EFAULT;
    if ((int32_t)room < 0)
        return -EINVAL;
    if (copy_to_user(user, name->bytes, min(room, name->len)) != 0)
        return -EFAULT;
    return put_user32(user_len, name->len);
}

static void drop_place(void *place)
{
    path_unref(place);
    kfree(place);
}

/* bind to a path: makes the socket's inode. */
static int bind_path(struct socket *socket, const struct socket_name *name)
{
    const char *text = name->bytes + sizeof(uint16_t);
    struct path *place;
    int error;

    if (name->len > sizeof(uint16_t) + UNIX_PATH_MAX + 1 || unix_is_bound(socket))
        return -EINVAL;
    place = kmalloc(sizeof(*place));
    if (place == NULL)
        return -ENOMEM;
    error = fs_bind(text, 0777, socket, place);
    if (error != 0) {
        kfree(place);
        return error == -EEXIST ? -EADDRINUSE : error;
    }
    error = unix_bind_place(socket, name, path_inode(place), place, drop_place);
    if (error != 0) {
        (void)fs_unlink(NULL, text);
        drop_place(place);
    }
    return error;
}

int unix_target_of_path(const struct socket_name *name, struct unix_sock **out)
{
    struct path path;
    int error;

    if (name->len > sizeof(uint16_t) + UNIX_PATH_MAX + 1)
        return -EINVAL;
    error = path_lookup(NULL, name->bytes + sizeof(uint16_t), LOOKUP_FOLLOW, &path);
    if (error != 0)
        return error;
    error = fs_access(&path, MAY_WRITE, cred_current());
    if (error == 0) {
        *out = S_ISSOCK(path_inode(&path)->mode) ? unix_find_place(path_inode(&path)) : NULL;
        error = *out == NULL ? -ECONNREFUSED : 0;
    }
    path_unref(&path);
    return error;
}

/* ---- calls ---- */

static int check_type(int family, int type)
{
    if (type & ~(SOCK_TYPE_MASK | (int)SOCK_FLAGS))
        return -EINVAL;
    if (family < 0 || family >= FAMILY_COUNT)
        return -EAFNOSUPPORT;
    return (type & SOCK_TYPE_MASK) > 10 ? -EINVAL : 0;
}

static long do_socket(int family, int type, int protocol)
{
    struct file *file;
    int error = check_type(family, type);

    if (error == 0)
        error = socket_create(family, type & SOCK_TYPE_MASK, protocol, (unsigned)type & O_NONBLOCK,
                              &file);
    return error != 0 ? error : fd_publish(file, ((unsigned)type & O_CLOEXEC) != 0);
}

long sys_socket(const reg_t arg[6])
{
    return do_socket((int)arg[0], (int)arg[1], (int)arg[2]);
}

static long do_socketpair(int family, int type, int protocol, vaddr_t user)
{
    struct file *files[2];
    int error = check_type(family, type);

    if (error == 0)
        error = socket_create_pair(family, type & SOCK_TYPE_MASK, protocol,
                                   (unsigned)type & O_NONBLOCK, files);
    return error != 0 ? error : fd_publish_pair(files, ((unsigned)type & O_CLOEXEC) != 0, user);
}

long sys_socketpair(const reg_t arg[6])
{
    return do_socketpair((int)arg[0], (int)arg[1], (int)arg[2], arg[3]);
}

static int bind_socket(struct socket *socket, const struct socket_name *name)
{
    if (socket->family == AF_UNIX && unix_name_is_path(name))
        return bind_path(socket, name);
    return socket->ops->bind != NULL ? socket->ops->bind(socket, name) : -EOPNOTSUPP;
}

/* bind and connect: a socket and a name that the program gives. */
static long with_name(unsigned fd, vaddr_t user, int len,
                      int (*apply)(struct socket *socket, const struct socket_name *name))
{
    struct socket_name name;
    struct socket_ref ref;
    long result = socket_get(fd, &ref);

    if (result != 0)
        return result;
    result = socket_name_from_user(user, len, &name);
    if (result == 0)
        result = apply(ref.socket, &name);
    fd_put(ref.fd);
    return result;
}

long sys_bind(const reg_t arg[6])
{
    return with_name((unsigned)arg[0], arg[1], (int)arg[2], bind_socket);
}

static int connect_socket(struct socket *socket, const struct socket_name *name)
{
    struct unix_sock *target;
    int error;

    if (socket->family != AF_UNIX || !unix_name_is_path(name))
        return socket->ops->connect != NULL
                   ? socket->ops->connect(socket, name, socket->file->flags)
                   : -EOPNOTSUPP;
    error = unix_target_of_path(name, &target);
    if (error == 0) {
        error = unix_connect_to(socket, target, socket->file->flags);
        unix_target_unref(target);
    }
    return error;
}

long sys_connect(const reg_t arg[6])
{
    return with_name((unsigned)arg[0], arg[1], (int)arg[2], connect_socket);
}

static long do_listen(unsigned fd, int backlog)
{
    struct socket_ref ref;
    long result = socket_get(fd, &ref);

    if (result != 0)
        return result;
    result = ref.socket->ops->listen != NULL ? ref.socket->ops->listen(ref.socket, backlog)
                                             : -EOPNOTSUPP;
    fd_put(ref.fd);
    return result;
}

long sys_listen(const reg_t arg[6])
{
    return do_listen((unsigned)arg[0], (int)arg[1]);
}

/* The number is reserved first: a connection is not lost for the lack of one. */
static long accept_into(struct file *listener, vaddr_t user, vaddr_t user_len, unsigned flags)
{
    int number = fd_reserve(current_files(), 0, fd_limit(), (flags & O_CLOEXEC) != 0);
    struct socket_name peer;
    struct file *file;
    int error;

    if (number < 0)
        return number;
    error = socket_accept(listener, flags & O_NONBLOCK, &file, user != 0 ? &peer : NULL);
    if (error == 0) {
        error = user != 0 ? socket_name_to_user(&peer, user, user_len) : 0;
        if (error == 0) {
            fd_install(current_files(), (unsigned)number, file);
            return number;
        }
        file_unref(file);
    }
    fd_cancel(current_files(), (unsigned)number);
    return error;
}

static long do_accept4(unsigned fd, vaddr_t user, vaddr_t user_len, unsigned flags)
{
    struct socket_ref ref;
    long result;

    if (flags & ~SOCK_FLAGS)
        return -EINVAL;
    result = socket_get(fd, &ref);
    if (result == 0) {
        result = accept_into(ref.fd.file, user, user_len, flags);
        fd_put(ref.fd);
    }
    return result;
}

long sys_accept(const reg_t arg[6])
{
    return do_accept4((unsigned)arg[0], arg[1], arg[2], 0);
}

long sys_accept4(const reg_t arg[6])
{
    return do_accept4((unsigned)arg[0], arg[1], arg[2], (unsigned)arg[3]);
}

static long tell_name(unsigned fd, vaddr_t user, vaddr_t user_len, enum socket_end end)
{
    struct socket_name name;
    struct socket_ref ref;
    long result = socket_get(fd, &ref);

    if (result != 0)
        return result;
    result = ref.socket->ops->name(ref.socket, &name, end);
    if (result == 0)
        result = user != 0 ? socket_name_to_user(&name, user, user_len) : -EFAULT;
    fd_put(ref.fd);
    return result;
}

long sys_getsockname(const reg_t arg[6])
{
    return tell_name((unsigned)arg[0], arg[1], arg[2], SOCKET_OWN);
}

long sys_getpeername(const reg_t arg[6])
{
    return tell_name((unsigned)arg[0], arg[1], arg[2], SOCKET_PEER);
}

static long do_shutdown(unsigned fd, int how)
{
    struct socket_ref ref;
    long result = socket_get(fd, &ref);

    if (result != 0)
        return result;
    if (how < SHUT_RD || how > SHUT_RDWR)
        result = -EINVAL;
    else
        result = ref.socket->ops->shutdown(ref.socket, how);
    fd_put(ref.fd);
    return result;
}

long sys_shutdown(const reg_t arg[6])
{
    return do_shutdown((unsigned)arg[0], (int)arg[1]);
}

/* ---- options ---- */

static long set_option(struct socket *socket, int level, int option, const void *value, size_t size)
{
    if (level == SOL_SOCKET)
        return socket_set_option(socket, option, value, size,
                                 cred_capable(cred_current(), CAP_NET_ADMIN));
    return socket->ops->set_option != NULL
               ? socket->ops->set_option(socket, level, option, value, size)
               : -ENOPROTOOPT;
}

static long do_setsockopt(unsigned fd, int level, int option, vaddr_t user, int len)
{
    char value[OPTION_MAX];
    size_t size = min((size_t)(unsigned)len, sizeof(value));
    struct socket_ref ref;
    long result;

    if (len < 0)
        return -EINVAL;
    result = socket_get(fd, &ref);
    if (result != 0)
        return result;
    result = copy_from_user(value, user, size);
    if (result == 0)
        result = set_option(ref.socket, level, option, value, size);
    fd_put(ref.fd);
    return result;
}

long sys_setsockopt(const reg_t arg[6])
{
    return do_setsockopt((unsigned)arg[0], (int)arg[1], (int)arg[2], arg[3], (int)arg[4]);
}

static long get_option(struct socket *socket, int level, int option, void *value, size_t *size)
{
    if (level == SOL_SOCKET)
        return socket_get_option(socket, option, value, size);
    return socket->ops->get_option != NULL
               ? socket->ops->get_option(socket, level, option, value, size)
               : -ENOPROTOOPT;
}

static long do_getsockopt(unsigned fd, int level, int option, vaddr_t user, vaddr_t user_len)
{
    char value[OPTION_MAX];
    size_t size = sizeof(value);
    struct socket_ref ref;
    uint32_t room = 0;
    long result = socket_get(fd, &ref);

    if (result != 0)
        return result;
    if (get_user32(&room, user_len) != 0) {
        result = -EFAULT;
    } else if ((int32_t)room < 0) {
        result = -EINVAL;
    } else {
        size = min(size, (size_t)room);
        result = get_option(ref.socket, level, option, value, &size);
    }
    fd_put(ref.fd);
    if (result == 0)
        result = copy_to_user(user, value, min(size, (size_t)room)); /* some tell of more */
    return result != 0 ? result : put_user32(user_len, (uint32_t)size);
}

long sys_getsockopt(const reg_t arg[6])
{
    return do_getsockopt((unsigned)arg[0], (int)arg[1], (int)arg[2], arg[3], arg[4]);
}
