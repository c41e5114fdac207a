/* SPDX-License-Identifier: MIT */
/* Names of local sockets: abstract ones, and places in the file system known by their inode; those
 * in /proc/net/unix. */
#include <arch/barrier.h>
#include <core/lock.h>
#include <file/pseudo.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "unix.h"

#define BIND_BUCKETS 64u
#define AUTOBINDS    0x100000u

/* Bound sockets, by inode or by abstract name. */
static struct spinlock bind_lock = SPINLOCK_INIT(RANK_EVENT);
static struct unix_sock *bound[BIND_BUCKETS];
static atomic_t last_autobind;

static const char *path_of(const struct socket_name *name)
{
    return name->bytes + sizeof(uint16_t);
}

static unsigned path_length(const struct socket_name *name)
{
    return name->len - (unsigned)sizeof(uint16_t);
}

bool unix_name_is_path(const struct socket_name *name)
{
    return name->len > sizeof(uint16_t) && name->family == AF_UNIX && path_of(name)[0] != '\0';
}

int unix_check_name(const struct socket_name *name)
{
    if (name->len < sizeof(uint16_t) || name->len > sizeof(uint16_t) + UNIX_PATH_MAX ||
        name->family != AF_UNIX)
        return -EINVAL;
    return 0;
}

static struct unix_sock **bucket_of_inode(const void *inode)
{
    return &bound[hash_pointer(inode, 6)];
}

static struct unix_sock **bucket_of_name(const struct socket_name *name)
{
    return &bound[hash_bytes(path_of(name), path_length(name)) % BIND_BUCKETS];
}

static bool same_name(const struct socket_name *a, const struct socket_name *b)
{
    return a->len == b->len && memcmp(a->bytes, b->bytes, a->len) == 0;
}

/* Each type of socket has names of its own. */
static struct unix_sock *find_abstract_locked(const struct socket_name *name, int type)
{
    struct unix_sock *sock = *bucket_of_name(name);

    while (sock != NULL &&
           (sock->inode != NULL || sock->type != type || !same_name(&sock->name->name, name)))
        sock = sock->bind_next;
    return sock;
}

struct unix_sock *unix_find_abstract(const struct socket_name *name, int type)
{
    struct unix_sock *sock;

    if (unix_check_name(name) != 0 || path_length(name) == 0)
        return NULL;
    spin_lock(&bind_lock);
    sock = find_abstract_locked(name, type);
    if (sock != NULL)
        unix_sock_ref(sock);
    spin_unlock(&bind_lock);
    return sock;
}

struct unix_sock *unix_find_place(const void *inode)
{
    struct unix_sock *sock;

    spin_lock(&bind_lock);
    sock = *bucket_of_inode(inode);
    while (sock != NULL && sock->inode != inode)
        sock = sock->bind_next;
    if (sock != NULL)
        unix_sock_ref(sock);
    spin_unlock(&bind_lock);
    return sock;
}

void unix_target_unref(struct unix_sock *target)
{
    unix_sock_unref(target);
}

static struct unix_name *name_copy(const struct socket_name *from)
{
    struct unix_name *name = kmalloc(sizeof(*name));

    if (name == NULL)
        return NULL;
    atomic_set(&name->refs, 1);
    name->name = *from;
    return name;
}

/* Put a socket with its new name into the table. Under bind_lock. */
static int enter_locked(struct unix_sock *sock, struct unix_name *name, const void *inode)
{
    struct unix_sock **bucket;

    if (sock->name != NULL)
        return -EINVAL;
    if (inode == NULL && find_abstract_locked(&name->name, sock->type) != NULL)
        return -EADDRINUSE;
    bucket = inode != NULL ? bucket_of_inode(inode) : bucket_of_name(&name->name);
    sock->inode = inode;
    sock->bind_next = *bucket;
    sock->is_in_table = true;
    *bucket = sock;
    smp_store_release(&sock->name, name);
    return 0;
}

static int bind_name(struct unix_sock *sock, const struct socket_name *from, const void *inode)
{
    struct unix_name *name = name_copy(from);
    int error;

    if (name == NULL)
        return -ENOMEM;
    spin_lock(&bind_lock);
    error = enter_locked(sock, name, inode);
    spin_unlock(&bind_lock);
    if (error != 0)
        unix_name_unref(name);
    return error;
}

bool unix_is_bound(struct socket *socket)
{
    struct unix_sock *sock = socket->protocol;

    return READ_ONCE(sock->name) != NULL;
}

int unix_bind_place(struct socket *socket, const struct socket_name *name, const void *inode,
                    void *place, void (*drop)(void *place))
{
    struct unix_sock *sock = socket->protocol;
    int error = bind_name(sock, name, inode);

    if (error == 0) {
        sock->place = place;
        sock->drop = drop;
    }
    return error;
}

/* An abstract name of five hex digits that nobody has. */
static int autobind(struct unix_sock *sock)
{
    for (unsigned tries = 0; tries < AUTOBINDS; tries++) {
        unsigned number = (unsigned)atomic_fetch_add(1, &last_autobind) % AUTOBINDS;
        struct socket_name name = {.len = sizeof(uint16_t) + 6, .family = AF_UNIX};
        char digits[6];
        int error;

        snprintf(digits, sizeof(digits), "%05x", number);
        name.bytes[2] = '\0';
        memcpy(name.bytes + 3, digits, 5);
        error = bind_name(sock, &name, NULL);
        if (error != -EADDRINUSE)
            return error;
    }
    return -ENOSPC;
}

/* Abstract names; paths come through unix_bind_place(). */
int unix_bind(struct socket *socket, const struct socket_name *name)
{
    struct unix_sock *sock = socket->protocol;
    int error = unix_check_name(name);

    if (error != 0)
        return error;
    if (path_length(name) == 0)
        return unix_is_bound(socket) ? 0 : autobind(sock);
    return bind_name(sock, name, NULL);
}

int unix_name(struct socket *socket, struct socket_name *out, enum socket_end end)
{
    struct unix_sock *sock = socket->protocol;
    struct unix_sock *peer = end != SOCKET_OWN ? unix_peer(sock) : NULL;
    const struct unix_name *name;

    if (end != SOCKET_OWN && peer == NULL)
        return -ENOTCONN;
    name = smp_load_acquire(&(end != SOCKET_OWN ? peer : sock)->name);
    if (name != NULL) {
        *out = name->name;
    } else {
        out->len = sizeof(uint16_t);
        out->family = AF_UNIX;
    }
    if (peer != NULL)
        unix_sock_unref(peer);
    return 0;
}

void unix_unbind(struct unix_sock *sock)
{
    spin_lock(&bind_lock);
    if (sock->is_in_table) {
        for (unsigned i = 0; i < BIND_BUCKETS; i++) {
            struct unix_sock **link = &bound[i];

            while (*link != NULL && *link != sock)
                link = &(*link)->bind_next;
            if (*link == sock)
                *link = sock->bind_next;
        }
        sock->is_in_table = false;
    }
    spin_unlock(&bind_lock);
    if (sock->drop != NULL)
        sock->drop(sock->place);
}

/* ---- /proc/net/unix: the sockets that have a name ---- */

/* One line; an abstract name's NULs show as @. */
static size_t print_sock(const struct unix_sock *sock, char *line, size_t size)
{
    const struct socket_name *name = &sock->name->name;
    uint64_t id = sock->socket != NULL ? sock->socket->file->id : 0;
    size_t used = (size_t)snprintf(line, size, "%016lx: %08X 00000000 %08X %04X %02X %5llu ", 0ul,
                                   (unsigned)atomic_read(&sock->refs),
                                   sock->state == UNIX_LISTENING ? 0x10000u : 0, sock->type,
                                   sock->state == UNIX_CONNECTED ? 3 : 1, (unsigned long long)id);

    for (unsigned i = 0; i < path_length(name) && used < size - 1; i++) {
        if (path_of(name)[i] != '\0' || i + 1 < path_length(name))
            line[used++] = path_of(name)[i] != '\0' ? path_of(name)[i] : '@';
    }
    line[used++] = '\n';
    return used;
}

/* The lines of one bucket from number `skip` on, as far as they fit; the number of lines. */
static unsigned print_bucket(unsigned bucket, unsigned skip, char *page, size_t size, size_t *used)
{
    const struct unix_sock *sock;
    unsigned count = 0;

    *used = 0;
    spin_lock(&bind_lock);
    for (sock = bound[bucket]; sock != NULL; sock = sock->bind_next) {
        if (size - *used < SOCKET_NAME_MAX + 80)
            break;
        if (skip != 0) {
            skip--;
        } else {
            *used += print_sock(sock, page + *used, size - *used);
            count++;
        }
    }
    spin_unlock(&bind_lock);
    return count;
}

static int unix_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const size_t size = 2048;
    char *page = kmalloc(size);

    (void)entry;
    if (page == NULL)
        return -ENOMEM;
    pseudo_puts(text, "Num       RefCount Protocol Flags    Type St Inode Path\n");
    for (unsigned bucket = 0; bucket < BIND_BUCKETS; bucket++) {
        unsigned shown = 0, count;
        size_t used;

        while ((count = print_bucket(bucket, shown, page, size, &used)) != 0) {
            pseudo_write(text, page, used);
            shown += count;
        }
    }
    kfree(page);
    return 0;
}

static void fill_proc(void)
{
    proc_register("net/unix", unix_show, NULL);
}

void unix_proc_init(void)
{
    static struct pseudo_filler filler = {.fill = fill_proc};

    pseudo_fill_later(PSEUDO_PROC, &filler);
}
