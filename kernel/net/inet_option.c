/* SPDX-License-Identifier: MIT */
/* Options of ip(7), ipv6(7) and tcp(7). Those that Linux has and this table has not: -ENOPROTOOPT.
 */
#include "inet_option.h"

#include <arch/uaccess.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>

#include "inet.h"

#define SOL_SOCKET    1
#define SO_ACCEPTCONN 30
#define IPPROTO_IP    0
#define IPPROTO_TCP   6
#define IPPROTO_IPV6  41

enum option_kind { OPTION_BOOL, OPTION_BYTE, OPTION_INT };

struct option {
    int level, number;
    enum option_kind kind;
    int low, high; /* allowed values */
    size_t offset; /* in struct inet_options */
};

#define FIELD(member) offsetof(struct inet_options, member)

static const struct option options[] = {
    {IPPROTO_IP, 1, OPTION_BYTE, 0, 255, FIELD(tos)},
    {IPPROTO_IP, 2, OPTION_BYTE, 1, 255, FIELD(ttl)},
    {IPPROTO_IPV6, 16, OPTION_BYTE, 1, 255, FIELD(ttl)}, /* IPV6_UNICAST_HOPS */
    {IPPROTO_IPV6, 26, OPTION_BOOL, INT32_MIN, INT32_MAX, FIELD(v6_only)},
    {IPPROTO_IPV6, 67, OPTION_BYTE, 0, 255, FIELD(tos)}, /* IPV6_TCLASS */
    {IPPROTO_TCP, 1, OPTION_BOOL, INT32_MIN, INT32_MAX, FIELD(no_delay)},
    {IPPROTO_TCP, 3, OPTION_BOOL, INT32_MIN, INT32_MAX, FIELD(cork)},
    {IPPROTO_TCP, 4, OPTION_INT, 1, 32767, FIELD(keep_idle_s)},
    {IPPROTO_TCP, 5, OPTION_INT, 1, 32767, FIELD(keep_interval_s)},
    {IPPROTO_TCP, 6, OPTION_INT, 1, 127, FIELD(keep_count)},
};

static const struct option *option_find(const struct socket *socket, int level, int number)
{
    if (level == IPPROTO_TCP && socket->type != SOCK_STREAM)
        return NULL;
    if (level == IPPROTO_IPV6 && socket->family != AF_INET6)
        return NULL;
    for (unsigned i = 0; i < ARRAY_SIZE(options); i++) {
        if (options[i].level == level && options[i].number == number)
            return &options[i];
    }
    return NULL;
}

int inet_set_option(struct socket *socket, int level, int number, const void *value, size_t size)
{
    const struct option *option = option_find(socket, level, number);
    struct inet_sock *sock = socket->protocol;
    char *field;
    int asked = 0;

    if (option == NULL)
        return -ENOPROTOOPT;
    if (size >= sizeof(asked))
        memcpy(&asked, value, sizeof(asked));
    else if (size >= 1 && level == IPPROTO_IP)
        asked = *(const uint8_t *)value;
    else
        return -EINVAL;
    if (asked < option->low || asked > option->high)
        return -EINVAL;
    if (option->offset == FIELD(v6_only) && READ_ONCE(sock->state) != INET_NEW)
        return -EINVAL;
    field = (char *)&sock->options + option->offset;
    if (option->kind == OPTION_INT)
        memcpy(field, &asked, sizeof(asked));
    else
        *(uint8_t *)field = option->kind == OPTION_BOOL ? asked != 0 : (uint8_t)asked;
    sock->transport->options_changed(sock);
    return 0;
}

int inet_get_option(struct socket *socket, int level, int number, void *value, size_t *size)
{
    const struct option *option = option_find(socket, level, number);
    struct inet_sock *sock = socket->protocol;
    int number_out;

    if (level == SOL_SOCKET && number == SO_ACCEPTCONN) {
        number_out = READ_ONCE(sock->state) == INET_LISTENING;
    } else if (option == NULL) {
        return -ENOPROTOOPT;
    } else {
        const char *field = (const char *)&sock->options + option->offset;

        if (option->kind == OPTION_INT)
            memcpy(&number_out, field, sizeof(number_out));
        else
            number_out = *(const uint8_t *)field;
    }
    *size = min(*size, sizeof(number_out));
    memcpy(value, &number_out, *size);
    return 0;
}

long inet_give_int(reg_t user, int value)
{
    return put_user32(user, (uint32_t)value);
}
