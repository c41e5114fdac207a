/* SPDX-License-Identifier: MIT */
/* socket(7): the options of SOL_SOCKET. What is not in the lists goes to the protocol. */
#include <core/clock.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <net/socket.h>

#define SEND_MIN    4608
#define RECEIVE_MIN 2304

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
    SO_NO_CHECK = 11,
    SO_LINGER = 13,
    SO_BSDCOMPAT,
    SO_REUSEPORT,
    SO_PASSCRED,
    SO_RCVLOWAT = 18,
    SO_SNDLOWAT,
    SO_RCVTIMEO,
    SO_SNDTIMEO,
    SO_BINDTODEVICE = 25,
    SO_TIMESTAMP = 29,
    SO_SNDBUFFORCE = 32,
    SO_RCVBUFFORCE,
    SO_TIMESTAMPNS = 35,
    SO_MARK = 36,
    SO_PROTOCOL = 38,
    SO_DOMAIN,
    SO_RXQ_OVFL,
    SO_INCOMING_CPU = 49,
    SO_COOKIE = 57,
    SO_TIMESTAMP_NEW = 63,
    SO_TIMESTAMPNS_NEW,
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
        asked = min(asked, SOCKET_BUFFER_BYTES);
    return max(min(asked, INT32_MAX / 2) * 2, min_bytes);
}

/* Options that are one field of the socket: a bool, or an int that set_number() checks. */
struct option_field {
    int option;
    size_t offset;
    bool is_bool;
};

#define OPTION(number, member, is_bool)                  \
    {                                                    \
        number, offsetof(struct socket, member), is_bool \
    }

static const struct option_field fields[] = {
    OPTION(SO_REUSEADDR, reuse_address, true),
    OPTION(SO_REUSEPORT, reuse_port, true),
    OPTION(SO_BROADCAST, broadcast, true),
    OPTION(SO_KEEPALIVE, keep_alive, true),
    OPTION(SO_OOBINLINE, out_of_band_inline, true),
    OPTION(SO_DONTROUTE, dont_route, true),
    OPTION(SO_NO_CHECK, no_check, true),
    OPTION(SO_RXQ_OVFL, tell_overflow, true),
    OPTION(SO_PASSCRED, pass_cred, true),
    OPTION(SO_SNDBUF, send_buffer, false),
    OPTION(SO_RCVBUF, receive_buffer, false),
    OPTION(SO_RCVLOWAT, receive_low, false),
    OPTION(SO_PRIORITY, priority, false),
    OPTION(SO_MARK, mark, false),
    OPTION(SO_TYPE, type, false),
    OPTION(SO_DOMAIN, family, false),
    OPTION(SO_PROTOCOL, protocol_number, false),
};

static const struct option_field *field_find(int option)
{
    for (unsigned i = 0; i < ARRAY_SIZE(fields); i++) {
        if (fields[i].option == option)
            return &fields[i];
    }
    return NULL;
}

static int set_number(struct socket *socket, int option, int value, bool privileged)
{
    bool force = option == SO_SNDBUFFORCE || option == SO_RCVBUFFORCE;

    if ((force || option == SO_MARK) && !privileged)
        return -EPERM;
    switch (option) {
    case SO_SNDBUF:
    case SO_SNDBUFFORCE:
        socket->send_buffer = buffer_size(value, SEND_MIN, force);
        return 0;
    case SO_RCVBUF:
    case SO_RCVBUFFORCE:
        socket->receive_buffer = buffer_size(value, RECEIVE_MIN, force);
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
        socket->mark = value;
        return 0;
    case SO_TIMESTAMP:
    case SO_TIMESTAMP_NEW:
        socket->stamp = value != 0 ? SOCKET_STAMP_US : SOCKET_STAMP_NONE;
        return 0;
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPNS_NEW:
        socket->stamp = value != 0 ? SOCKET_STAMP_NS : SOCKET_STAMP_NONE;
        return 0;
    case SO_BSDCOMPAT:
        return 0;
    default:
        return -ENOPROTOOPT;
    }
}

static int set_int_option(struct socket *socket, int option, int value, bool privileged)
{
    const struct option_field *field = field_find(option);

    if (field == NULL || !field->is_bool)
        return set_number(socket, option, value, privileged);
    *(bool *)((char *)socket + field->offset) = value != 0;
    return 0;
}

bool socket_option_is_told(int option)
{
    return option == SO_KEEPALIVE || option == SO_RCVBUF || option == SO_RCVBUFFORCE;
}

int socket_set_option(struct socket *socket, int option, const void *value, size_t size,
                      bool privileged)
{
    int number, error;

    if (option == SO_BINDTODEVICE && socket->ops->set_option != NULL)
        return socket->ops->set_option(socket, SOL_SOCKET, option, value, size);
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
    if (socket->ops->set_option == NULL)
        return error;
    if (error == 0 && socket_option_is_told(option))
        (void)socket->ops->set_option(socket, SOL_SOCKET, option, value, size);
    else if (error == -ENOPROTOOPT)
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
    const struct option_field *field = field_find(option);

    if (field != NULL) {
        const char *at = (const char *)socket + field->offset;

        *number = field->is_bool ? *(const bool *)at : *(const int *)at;
        return 0;
    }
    switch (option) {
    case SO_SNDLOWAT:
        *number = 1;
        return 0;
    case SO_BSDCOMPAT:
        *number = 0;
        return 0;
    case SO_INCOMING_CPU:
        *number = -1;
        return 0;
    case SO_TIMESTAMP:
    case SO_TIMESTAMP_NEW:
        *number = socket->stamp == SOCKET_STAMP_US;
        return 0;
    case SO_TIMESTAMPNS:
    case SO_TIMESTAMPNS_NEW:
        *number = socket->stamp == SOCKET_STAMP_NS;
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
    case SO_COOKIE:
        if (*size < sizeof(socket->file->id))
            return -EINVAL;
        return give(value, size, &socket->file->id, sizeof(socket->file->id));
    default:
        if (get_int_option(socket, option, &number) == 0)
            return give(value, size, &number, sizeof(number));
        break;
    }
    return socket->ops->get_option != NULL
               ? socket->ops->get_option(socket, SOL_SOCKET, option, value, size)
               : -ENOPROTOOPT;
}

/* ---- control data of received messages ---- */

void socket_add_record(struct socket_message *message, int level, int type, const void *data,
                       size_t size)
{
    struct socket_record *record;

    if (message->records == NULL || message->record_count == SOCKET_RECORDS_MAX)
        return;
    record = &message->records[message->record_count++];
    record->level = level;
    record->type = type;
    record->size = (unsigned)min(size, sizeof(record->data));
    memcpy(record->data, data, record->size);
}

void socket_add_stamp(const struct socket *socket, struct socket_message *message,
                      uint64_t realtime_ns)
{
    bool is_ns = socket->stamp == SOCKET_STAMP_NS;
    int64_t time[2] = {(int64_t)(realtime_ns / NS_PER_SECOND),
                       (int64_t)(realtime_ns % NS_PER_SECOND / (is_ns ? 1 : NS_PER_US))};

    socket_add_record(message, SOL_SOCKET, is_ns ? SO_TIMESTAMPNS : SO_TIMESTAMP, time,
                      sizeof(time));
}
