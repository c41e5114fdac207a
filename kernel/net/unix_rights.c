/* SPDX-License-Identifier: MIT */
/*
 * Descriptors in flight (SCM_RIGHTS). A socket whose only references are messages in queues that
 * nobody can read any more is garbage, which reference counts do not see. The collector, as
 * Linux's: sockets all of whose references are in flight are suspects; those that some message
 * outside of the suspects' queues carries are alive, and so is all that lies in the queues of the
 * living; the rest is emptied.
 */
#include <core/lock.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "unix.h"

/* What is closed while it is in flight calls nobody: garbage is looked for when so many descriptors
 * fly (as on Linux), later when twice as many do as were left. */
#define COLLECT_MIN 16000U

/* Guards in_flight, the list and the count, and the files of messages in queues. */
static struct mutex rights_lock = MUTEX_INIT(RANK_SOCKET);
static struct list_node in_flight = LIST_INIT(in_flight);
static unsigned flight_count; /* of descriptors of local sockets */
static unsigned collect_at = COLLECT_MIN;

struct unix_sock *unix_sock_of_file(struct file *file)
{
    struct socket *socket = socket_of(file);

    return socket != NULL && socket->family == AF_UNIX ? socket->protocol : NULL;
}

static void fly(struct file *file)
{
    struct unix_sock *sock = unix_sock_of_file(file);

    if (sock == NULL)
        return;
    flight_count++;
    if (sock->in_flight++ == 0)
        list_add_tail(&in_flight, &sock->flight_node);
}

static void land(struct file *file)
{
    struct unix_sock *sock = unix_sock_of_file(file);

    if (sock == NULL)
        return;
    flight_count--;
    if (--sock->in_flight == 0)
        list_del(&sock->flight_node);
}

void unix_rights_attach(struct unix_message *message, struct file **files, unsigned count)
{
    if (READ_ONCE(flight_count) >= READ_ONCE(collect_at))
        unix_rights_collect();
    mutex_lock(&rights_lock);
    message->files = files;
    message->file_count = count;
    for (unsigned i = 0; i < count; i++)
        fly(files[i]);
    mutex_unlock(&rights_lock);
}

int unix_rights_detach(struct unix_message *message, struct socket_message *to, bool copy)
{
    struct file **files = NULL;

    if (copy) {
        files = kmalloc_array(message->file_count, sizeof(*files));
        if (files == NULL)
            return -ENOMEM;
    }
    mutex_lock(&rights_lock);
    for (unsigned i = 0; i < message->file_count; i++) {
        if (copy) {
            files[i] = message->files[i];
            file_ref(files[i]);
        } else {
            land(message->files[i]);
        }
    }
    to->files = copy ? files : message->files;
    to->file_count = message->file_count;
    if (!copy) {
        message->files = NULL;
        message->file_count = 0;
    }
    mutex_unlock(&rights_lock);
    return 0;
}

/* ---- the collector, under rights_lock ---- */

typedef void visit_fn(struct unix_sock *carried);

static bool is_suspect(const struct unix_sock *sock)
{
    return sock->in_flight != 0 && !sock->is_alive;
}

/* Visit the suspects that a queue carries. Only sockets in flight matter. */
static void visit_queue(struct unix_sock *sock, visit_fn *visit)
{
    struct unix_message *message;

    spin_lock(&sock->lock);
    list_for_each_entry (message, &sock->queue, node) {
        for (unsigned i = 0; i < message->file_count; i++) {
            struct unix_sock *carried = unix_sock_of_file(message->files[i]);

            if (carried != NULL && is_suspect(carried))
                visit(carried);
        }
    }
    spin_unlock(&sock->lock);
}

/* A listener carries what waits in its backlog. */
static void visit_all(struct unix_sock *sock, visit_fn *visit)
{
    struct unix_sock *waiting, *held = NULL;

    visit_queue(sock, visit);
    do { /* one lock at a time: hold each connection by a reference */
        struct unix_sock *next = NULL;
        bool passed = held == NULL;

        spin_lock(&sock->lock);
        list_for_each_entry (waiting, &sock->backlog, backlog_node) {
            if (passed) {
                next = unix_sock_ref(waiting);
                break;
            }
            passed = waiting == held;
        }
        spin_unlock(&sock->lock);
        if (held != NULL)
            unix_sock_unref(held);
        held = next;
        if (held != NULL)
            visit_queue(held, visit);
    } while (held != NULL);
}

static void count_inside(struct unix_sock *carried)
{
    carried->outside--;
}

static void count_outside(struct unix_sock *carried)
{
    if (carried->outside++ == 0) /* behind the walk of spare_the_living(), perhaps */
        list_move_tail(&in_flight, &carried->flight_node);
}

/* Suspects are those that only messages refer to; `outside` then counts messages outside their
 * queues. */
static void find_suspects(void)
{
    struct unix_sock *sock;

    list_for_each_entry (sock, &in_flight, flight_node) {
        struct file *file = sock->socket->file;

        sock->outside = sock->in_flight;
        sock->is_alive = (unsigned)atomic_read(&file->refs) != sock->in_flight;
    }
    list_for_each_entry (sock, &in_flight, flight_node) {
        if (!sock->is_alive)
            visit_all(sock, count_inside);
    }
}

/* Whoever is carried from outside is alive, with what it carries: each moves to the end of the
 * list that is walked. */
static void spare_the_living(void)
{
    struct unix_sock *sock;

    list_for_each_entry (sock, &in_flight, flight_node) {
        if (sock->is_alive || sock->outside == 0)
            continue;
        sock->is_alive = true;
        visit_all(sock, count_outside);
    }
}

static void empty_queue(struct unix_sock *sock, struct list_node *garbage)
{
    struct unix_message *message, *next;

    spin_lock(&sock->lock);
    list_for_each_entry_safe (message, next, &sock->queue, node) {
        if (message->file_count == 0)
            continue;
        list_move_tail(garbage, &message->node);
        sock->queue_count--;
    }
    spin_unlock(&sock->lock);
}

void unix_rights_collect(void)
{
    struct list_node garbage = LIST_INIT(garbage);
    struct unix_sock *sock;

    if (list_empty(&in_flight))
        return;
    mutex_lock(&rights_lock);
    find_suspects();
    spare_the_living();
    list_for_each_entry (sock, &in_flight, flight_node) {
        if (!sock->is_alive)
            empty_queue(sock, &garbage);
    }
    mutex_unlock(&rights_lock);
    unix_messages_free(&garbage);
    WRITE_ONCE(collect_at, max(COLLECT_MIN, 2 * READ_ONCE(flight_count)));
}
