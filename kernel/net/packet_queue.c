/* SPDX-License-Identifier: MIT */
/* Received messages of netlink and packet sockets. */
#include "packet_queue.h"

#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#define PACKET_OVERHEAD 256u

void packet_queue_init(struct packet_queue *queue)
{
    spin_init(&queue->lock, RANK_EVENT);
    mutex_init(&queue->read_lock, RANK_FILE_TEXT);
    waitq_init(&queue->readable);
}

void packet_queue_close(struct packet_queue *queue)
{
    struct queued_packet *packet;

    spin_lock(&queue->lock);
    packet = queue->first;
    queue->first = queue->last = NULL;
    queue->bytes = 0;
    queue->closed = true;
    spin_unlock(&queue->lock);
    while (packet != NULL) {
        struct queued_packet *next = packet->next;

        kfree(packet);
        packet = next;
    }
}

bool packet_queue_add(struct packet_queue *queue, struct queued_packet *packet, size_t limit)
{
    bool is_taken;

    packet->next = NULL;
    spin_lock(&queue->lock);
    is_taken = !queue->closed && queue->bytes < limit;
    if (is_taken) {
        if (queue->last != NULL)
            queue->last->next = packet;
        else
            queue->first = packet;
        queue->last = packet;
        queue->bytes += packet->length + PACKET_OVERHEAD;
    } else {
        queue->dropped++;
    }
    spin_unlock(&queue->lock);
    if (is_taken)
        waitq_wake(&queue->readable, 1, POLL_READABLE);
    else
        kfree(packet);
    return is_taken;
}

/* The first packet, out of the queue unless it is only looked at. Under read_lock. */
static struct queued_packet *take(struct packet_queue *queue, bool is_peek)
{
    struct queued_packet *packet;

    spin_lock(&queue->lock);
    packet = queue->first;
    if (packet != NULL && !is_peek) {
        queue->first = packet->next;
        if (queue->first == NULL)
            queue->last = NULL;
        queue->bytes -= packet->length + PACKET_OVERHEAD;
    }
    spin_unlock(&queue->lock);
    return packet;
}

static ssize_t give(struct socket *socket, const struct queued_packet *packet, struct io *io,
                    struct socket_message *message, int extra_level)
{
    bool wants_length = (message->flags & MSG_TRUNC) != 0;
    size_t length = packet->length;
    ssize_t copied = io_copy_to(io, packet->data, min(length, io_left(io)));

    message->flags &= ~MSG_TRUNC;
    if (copied < 0)
        return copied;
    if ((size_t)copied < length) {
        if (io_left(io) != 0)
            return -EFAULT;
        message->flags |= MSG_TRUNC;
    }
    if (message->name != NULL) {
        message->name->len = packet->name_len;
        memcpy(message->name->bytes, packet->name, packet->name_len);
    }
    if (packet->extra_size != 0)
        socket_add_record(message, extra_level, packet->extra_type, packet->extra,
                          packet->extra_size);
    if (packet->stamp_ns != 0)
        socket_add_stamp(socket, message, packet->stamp_ns);
    return wants_length ? (ssize_t)length : copied;
}

ssize_t packet_queue_receive(struct socket *socket, struct packet_queue *queue, struct io *io,
                             struct socket_message *message, int extra_level)
{
    bool is_peek = (message->flags & MSG_PEEK) != 0;
    struct queued_packet *packet;
    ssize_t result;
    int error;

    if (message->flags & MSG_OOB)
        return -EOPNOTSUPP;
    if (message->flags & MSG_ERRQUEUE)
        return -EAGAIN;
    for (;;) {
        error = atomic_xchg(&socket->error, 0);
        if (error != 0)
            return -error;
        mutex_lock(&queue->read_lock);
        packet = take(queue, is_peek);
        if (packet != NULL)
            break;
        mutex_unlock(&queue->read_lock);
        if (message->flags & MSG_DONTWAIT)
            return -EAGAIN;
        error = wait_event_exclusive(
            &queue->readable, READ_ONCE(queue->first) != NULL || atomic_read(&socket->error) != 0,
            socket_deadline(socket->receive_timeout_ns), WAIT_INTERRUPTIBLE);
        if (error != 0) {
            /* the wake may have been ours */
            waitq_wake(&queue->readable, 1, POLL_READABLE | POLL_QUIET);
            return socket_wait_error(error, socket->receive_timeout_ns);
        }
    }
    result = give(socket, packet, io, message, extra_level);
    mutex_unlock(&queue->read_lock);
    if (!is_peek)
        kfree(packet);
    else
        waitq_wake(&queue->readable, 1, POLL_READABLE | POLL_QUIET); /* it is still there */
    return result;
}

unsigned packet_queue_next(struct packet_queue *queue)
{
    unsigned length;

    spin_lock(&queue->lock);
    length = queue->first != NULL ? queue->first->length : 0;
    spin_unlock(&queue->lock);
    return length;
}
