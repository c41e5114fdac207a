/* SPDX-License-Identifier: MIT */
/* AF_VSOCK, to a host made here and within the guest: what vsock(7) says, and hosts that lie. */
#include <unit.h>

#include "vsock_fake.h"

#include <sleeper.h>
#include <stdlib.h>
#include <string.h>

#include <lib/errno.h>

enum { STREAM = 0, SEQPACKET = 1, ROOM = 262144 };

struct name {
    uint16_t family, reserved;
    uint32_t port, cid;
    uint8_t flags, zero[3];
};

static char text[100000];

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0"; /* the device and its buffers stay for good, as on a machine */
}

/* --- calls --------------------------------------------------------------------------------------
 */

static struct socket_name name_of(uint32_t cid, uint32_t port)
{
    struct name abi = {.family = AF_VSOCK, .port = port, .cid = cid};
    struct socket_name name = {.len = sizeof(abi)};

    memcpy(name.bytes, &abi, sizeof(abi));
    return name;
}

static int do_bind(struct socket *s, uint32_t cid, uint32_t port)
{
    struct socket_name name = name_of(cid, port);

    return s->ops->bind(s, &name);
}

static int do_connect(struct socket *s, uint32_t cid, uint32_t port, unsigned flags)
{
    struct socket_name name = name_of(cid, port);

    return s->ops->connect(s, &name, flags);
}

static struct name name(struct socket *s, bool of_peer)
{
    struct socket_name got;
    struct name abi;

    assert_int_equal(s->ops->name(s, &got, of_peer), 0);
    assert_int_equal(got.len, 16);
    memcpy(&abi, got.bytes, sizeof(abi));
    return abi;
}

static ssize_t do_send(struct socket *s, const void *from, size_t size, unsigned flags)
{
    struct socket_message message = {.flags = flags};
    struct io io;

    io_init_kernel(&io, from, size, 0, 0);
    return s->ops->send(s, &io, &message);
}

static unsigned got_flags;

static ssize_t do_receive(struct socket *s, void *to, size_t size, unsigned flags)
{
    struct socket_message message = {.flags = flags};
    struct io io;
    ssize_t result;

    io_init_kernel(&io, to, size, 0, 0);
    result = s->ops->receive(s, &io, &message);
    got_flags = message.flags;
    return result;
}

static struct socket *do_accept(struct socket *listener)
{
    struct socket *to = calloc(1, sizeof(*to));

    to->type = listener->type;
    to->receive_low = 1;
    if (listener->ops->accept(listener, to, true) == 0)
        return to;
    free(to);
    return NULL;
}

/* --- the host's packets -------------------------------------------------------------------------
 */

static uint32_t host_port = 5000, guest_port, host_room = ROOM, host_taken;

static struct vsock_header header_of(unsigned op, uint32_t length, uint32_t flags, unsigned type)
{
    return (struct vsock_header){.source_cid = HOST,
                                 .target_cid = GUEST,
                                 .source_port = host_port,
                                 .target_port = guest_port,
                                 .length = length,
                                 .type = (uint16_t)type,
                                 .op = (uint16_t)op,
                                 .flags = flags,
                                 .room = host_room,
                                 .taken = host_taken};
}

static void say(unsigned op, const void *data, uint32_t length, uint32_t flags)
{
    struct vsock_header header = header_of(op, length, flags, 1);

    assert_true(host_send(&header, data));
}

static void take(unsigned op)
{
    assert_true(host_take());
    assert_int_equal(host.sent.op, op);
    assert_int_equal(host.sent.source_cid, GUEST);
    assert_int_equal(host.sent.target_cid, HOST);
}

static void respond(void)
{
    sleeper.meanwhile = NULL; /* once */
    take(REQUEST);
    assert_int_equal(host.sent.target_port, host_port);
    guest_port = host.sent.source_port;
    say(RESPONSE, NULL, 0, 0);
}

static void refuse(void)
{
    sleeper.meanwhile = NULL;
    take(REQUEST);
    guest_port = host.sent.source_port;
    say(RESET, NULL, 0, 0);
}

static struct socket *connected(void)
{
    struct socket *s = host_socket(SOCK_STREAM);

    host_room = ROOM;
    host_taken = 0;
    sleeper.meanwhile = respond;
    assert_int_equal(do_connect(s, HOST, host_port, 0), 0);
    return s;
}

/* --- to the host --------------------------------------------------------------------------------
 */

static void before_there_is_a_device(void **state)
{
    struct virtio_fake second;
    uint64_t cid = GUEST;
    struct socket *s;

    /* Contexts that are none of a guest's. */
    assert_int_equal(host_start(0, 0), -EINVAL);
    assert_int_equal(host_start(0, 2), -EINVAL);
    assert_int_equal(host_start(0, UINT32_MAX), -EINVAL);
    assert_int_equal(host_start(0, 1UL << 40), -EINVAL);
    assert_int_equal(fake_pages, 0);
    s = host_socket(SOCK_STREAM);
    assert_int_equal(do_connect(s, 7, 1, 0), -ENODEV);
    assert_int_equal(do_connect(s, HOST, 1, 0), -ECONNRESET); /* as Linux: it is the guest */
    host_close(s);
    assert_null(host_socket(SOCK_DGRAM));
    assert_null(host_socket(SOCK_RAW));
    assert_int_equal(host_start(BIT64(STREAM), GUEST), 0); /* and it stays */
    fake_start(&second, VIRTIO_ID_VSOCK, BIT64(VIRTIO_F_VERSION_1));
    memcpy(second.config, &cid, sizeof(cid));
    assert_int_equal(fake_probe(&second, host.virtio.device.device.driver), -EBUSY);
}

static void connects(void **state)
{
    struct socket *s = connected();
    char got[100];

    assert_int_equal(name(s, true).cid, HOST);
    assert_int_equal(name(s, true).port, host_port);
    assert_true(name(s, false).port >= 1024);
    assert_int_equal(do_connect(s, HOST, host_port, 0), -EISCONN);
    assert_int_equal(s->ops->poll(s, NULL), POLL_WRITABLE);
    assert_int_equal(do_send(s, "hello", 5, 0), 5);
    take(DATA);
    assert_memory_equal(host.bytes, "hello", 5);
    assert_int_equal(host.sent.room, ROOM);
    assert_int_equal(do_receive(s, got, 100, MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(do_receive(s, got, 100, 0), -ERESTARTSYS);
    say(DATA, "an answer", 9, 0);
    say(DATA, " and more", 9, 0);
    assert_int_equal(s->ops->poll(s, NULL), POLL_WRITABLE | POLL_READABLE);
    assert_int_equal(do_receive(s, got, 100, MSG_PEEK), 18);
    assert_int_equal(do_receive(s, got, 100, 0), 18);
    assert_memory_equal(got, "an answer and more", 18);
    host_close(s);
    take(SHUTDOWN);
    assert_int_equal(host.sent.flags, 3);
    say(RESET, NULL, 0, 0);
    assert_false(host_take()); /* no reset for a reset */
}

static void is_refused(void **state)
{
    struct socket *s = host_socket(SOCK_STREAM);
    char byte;

    assert_int_equal(do_receive(s, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(do_send(s, &byte, 1, 0), -ENOTCONN);
    assert_int_equal(s->ops->shutdown(s, SHUT_RDWR), -ENOTCONN);
    sleeper.meanwhile = refuse;
    assert_int_equal(do_connect(s, HOST, host_port, 0), -ECONNRESET);
    sleeper.meanwhile = respond;
    assert_int_equal(do_connect(s, HOST, host_port, 0), 0); /* once more */
    host_close(s);
    take(SHUTDOWN);
    s = host_socket(SOCK_STREAM); /* nobody answers */
    assert_int_equal(do_connect(s, HOST, host_port, 0), -ETIMEDOUT);
    take(REQUEST);
    take(RESET);
    assert_int_equal(do_connect(s, HOST, host_port, O_NONBLOCK), -EINPROGRESS);
    assert_int_equal(s->ops->poll(s, NULL), 0);
    assert_int_equal(do_connect(s, HOST, host_port, O_NONBLOCK), -EALREADY);
    refuse();
    assert_true(s->ops->poll(s, NULL) & POLLERR);
    assert_int_equal(atomic_read(&s->error), ECONNRESET);
    host_close(s);
    assert_null(host_socket(SOCK_DGRAM));
    s = host_socket(SOCK_SEQPACKET); /* which the device does not have */
    assert_int_equal(do_connect(s, HOST, 1, 0), -ESOCKTNOSUPPORT);
    host_close(s);
}

static void listens(void **state)
{
    struct socket *s = host_socket(SOCK_STREAM), *one, *two;

    assert_int_equal(s->ops->listen(s, 1), -EINVAL); /* has no name yet */
    assert_int_equal(do_bind(s, 99, 2000), -EADDRNOTAVAIL);
    assert_int_equal(do_bind(s, ~0U, 80), -EACCES);
    assert_int_equal(do_bind(s, ~0U, 2000), 0);
    assert_int_equal(do_bind(s, ~0U, 2001), -EINVAL);
    two = host_socket(SOCK_STREAM);
    assert_int_equal(do_bind(two, GUEST, 2000), -EADDRINUSE);
    host_close(two);
    guest_port = 2000;
    say(REQUEST, NULL, 0, 0); /* nobody listens yet */
    take(RESET);
    assert_int_equal(s->ops->listen(s, 1), 0);
    assert_null(do_accept(s));
    for (host_port = 6000; host_port < 6002; host_port++) {
        say(REQUEST, NULL, 0, 0);
        take(RESPONSE);
    }
    say(REQUEST, NULL, 0, 0); /* over the backlog */
    take(RESET);
    assert_int_equal(s->ops->poll(s, NULL), POLL_READABLE);
    one = do_accept(s);
    assert_int_equal(name(one, true).port, 6000);
    assert_int_equal(name(one, false).port, 2000);
    assert_int_equal(name(one, false).cid, GUEST);
    host_port = 6000;
    say(DATA, "to one", 6, 0);
    assert_int_equal(do_receive(one, text, 100, 0), 6);
    host_close(s); /* the other one was never accepted */
    take(RESET);
    assert_int_equal(host.sent.target_port, 6001);
    assert_int_equal(do_send(one, "still", 5, 0), 5);
    take(DATA);
    host_close(one);
    take(SHUTDOWN);
    host_port = 5000;
}

static void more_credit(void)
{
    sleeper.meanwhile = NULL;
    host_taken += 1000;
    say(CREDIT, NULL, 0, 0);
}

/* We send no more than the host has room for, and take no more than we have told. */
static void keeps_to_the_credit(void **state)
{
    struct socket *s = connected();
    unsigned sum = 0;

    host_room = 1000;
    say(CREDIT, NULL, 0, 0);
    assert_int_equal(do_send(s, text, 3000, MSG_DONTWAIT), 1000);
    take(DATA);
    assert_int_equal(host.sent.length, 1000);
    assert_int_equal(do_send(s, text, 1, MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(s->ops->poll(s, NULL), 0);
    sleeper.meanwhile = more_credit;
    assert_int_equal(do_send(s, text, 2000, 0), 1000); /* then a signal comes */
    host_taken = 0x80000000; /* nonsense: more than was sent, and room without end */
    host_room = ~0U;
    say(CREDIT, NULL, 0, 0);
    (void)do_send(s, text, 100, MSG_DONTWAIT);
    while (host_take())
        ;
    say(ASK, NULL, 0, 0);
    take(CREDIT);
    for (sum = 0; sum < ROOM; sum += 4000)
        say(DATA, text, sum + 4000 <= ROOM ? 4000 : ROOM - sum, 0);
    assert_false(host_take());
    sum = 0;
    while (sum < ROOM) {
        ssize_t got = do_receive(s, text, sizeof(text), 0);

        assert_true(got > 0);
        sum += (unsigned)got;
    }
    take(CREDIT);
    while (host_take())
        ;
    assert_true(host.sent.taken <= ROOM && host.sent.taken > ROOM - 16384);
    host_close(s);
    take(SHUTDOWN);
}

static void breaks_the_credit(void **state)
{
    struct socket *s = connected();

    for (unsigned sum = 0; sum <= ROOM; sum += 4000)
        say(DATA, text, 4000, 0);
    take(RESET);
    assert_int_equal(do_receive(s, text, 1, 0), 1); /* what came before is there */
    host_close(s);
    assert_false(host_take());
}

/* Bytes that come one at a time do not cost a block each. */
static void tiny_packets(void **state)
{
    struct socket *s = connected();

    for (unsigned i = 0; i < 20000; i++)
        say(DATA, &text[i], 1, 0);
    assert_int_equal(do_receive(s, text, sizeof(text), 0), 20000);
    host_close(s);
    while (host_take())
        ;
}

static void shuts_down(void **state)
{
    struct socket *s = connected();

    assert_int_equal(s->ops->shutdown(s, SHUT_WR), 0);
    take(SHUTDOWN);
    assert_int_equal(host.sent.flags, 2);
    assert_int_equal(do_send(s, "x", 1, MSG_NOSIGNAL), -EPIPE);
    assert_int_equal(host.signals, 0);
    assert_int_equal(do_send(s, "x", 1, 0), -EPIPE);
    assert_int_equal(host.signals, 1);
    say(DATA, "rest", 4, 0);
    say(SHUTDOWN, NULL, 0, 2);
    assert_int_equal(s->ops->poll(s, NULL), POLL_READABLE | POLLRDHUP | POLLHUP);
    assert_int_equal(do_receive(s, text, 10, 0), 4);
    assert_int_equal(do_receive(s, text, 10, 0), 0);
    say(SHUTDOWN, NULL, 0, 3);
    take(RESET);
    host_close(s);
    assert_false(host_take());
    s = connected();
    say(RESET, NULL, 0, 0);
    assert_int_equal(do_receive(s, text, 10, 0), 0);
    assert_int_equal(do_send(s, "x", 1, MSG_NOSIGNAL), -EPIPE);
    host_close(s);
}

static void lies(void **state)
{
    struct socket *s = connected();
    struct vsock_header header = header_of(DATA, 4, 0, 1);
    int head;

    header.length = ~0U; /* more than came */
    assert_true(host_send(&header, text));
    header.length = 4;
    header.source_cid = 1; /* would be somebody in the guest */
    assert_true(host_send(&header, "evil"));
    header.source_cid = GUEST;
    assert_true(host_send(&header, "evil"));
    header.source_cid = 1UL << 32 | HOST;
    assert_true(host_send(&header, "evil"));
    header.source_cid = HOST;
    header.target_cid = 43; /* somebody else's */
    assert_true(host_send(&header, "evil"));
    assert_false(host_take());
    assert_int_equal(do_receive(s, text, 10, MSG_DONTWAIT), -EAGAIN);
    header = header_of(DATA, 4, 0, 77); /* no type that there is */
    assert_true(host_send(&header, "evil"));
    take(RESET);
    for (unsigned op = 8; op < 300; op++)
        say(op, "what", 4, ~0U);
    say(RESPONSE, NULL, 0, 0);
    say(REQUEST, NULL, 0, 0);
    for (unsigned i = 0; i < 40; i++) { /* shorter than a header; longer than the buffer */
        head = fake_next(&host.virtio, 0);
        fake_use(&host.virtio, 0, (uint32_t)head, i % 2 ? i : 5000 + i);
        host_run();
    }
    while (host_take())
        ;
    say(DATA, "good", 4, 0);
    assert_int_equal(do_receive(s, text, 10, MSG_DONTWAIT), 4);
    host_close(s);
    while (host_take())
        ;
}

/* The host takes nothing any more: who sends waits, and resets do not pile up. */
static void takes_nothing(void **state)
{
    struct socket *s = connected();
    uint32_t port = guest_port;
    unsigned count = 0;

    for (unsigned i = 0; i < 1000 && do_send(s, text, 100, MSG_DONTWAIT) == 100; i++)
        count++;
    assert_true(count > 50 && count < 200);
    assert_int_equal(s->ops->poll(s, NULL), 0);
    guest_port = 9;
    for (unsigned i = 0; i < 10000; i++)
        say(DATA, "who", 3, 0);
    guest_port = port;
    for (count = 0; host_take(); count++)
        ;
    assert_true(count < 250);
    assert_int_equal(do_send(s, text, 100, MSG_DONTWAIT), 100);
    host_close(s);
    while (host_take())
        ;
}

static void moves(void **state)
{
    struct socket *s = connected();
    uint32_t event = 0;
    uint64_t cid = GUEST;
    int head = fake_next(&host.virtio, 2);

    memcpy(host.virtio.config, &cid, sizeof(cid));
    fake_write(&host.virtio, 2, (unsigned)head, &event, 4);
    fake_use(&host.virtio, 2, (uint32_t)head, 4);
    host_run();
    assert_int_equal(do_receive(s, text, 10, 0), -ECONNRESET);
    assert_int_equal(do_receive(s, text, 10, 0), 0);
    host_close(s);
    assert_false(host_take());
}

/* --- within the guest ---------------------------------------------------------------------------
 */

static struct socket *pair(int type, struct socket **other)
{
    struct socket *listener = host_socket(type), *s = host_socket(type);

    assert_int_equal(do_bind(listener, ~0U, 3000), 0);
    assert_int_equal(listener->ops->listen(listener, 5), 0);
    assert_int_equal(do_connect(s, 1, 3000, 0), 0);
    *other = do_accept(listener);
    assert_non_null(*other);
    host_close(listener);
    return s;
}

static void stays_in_the_guest(void **state)
{
    struct socket *b, *a = pair(SOCK_STREAM, &b);
    struct vsock_header header = header_of(DATA, 4, 0, 1);
    size_t sum = 0;
    ssize_t sent;

    header.source_cid = 1; /* the host as one of the two */
    header.source_port = 3000;
    header.target_port = name(a, false).port;
    assert_true(host_send(&header, "evil"));
    assert_int_equal(do_receive(a, text, 10, MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(name(b, true).cid, 1);
    assert_int_equal(name(a, true).port, 3000);
    while ((sent = do_send(a, text, sizeof(text), MSG_DONTWAIT)) > 0)
        sum += (size_t)sent;
    assert_int_equal(sent, -EAGAIN);
    assert_int_equal(sum, ROOM);
    assert_int_equal(do_receive(b, text, 50000, MSG_WAITALL), 50000);
    assert_true(do_send(a, text, 50000, MSG_DONTWAIT) > 30000);
    host_close(a);
    while ((sent = do_receive(b, text, sizeof(text), 0)) > 0)
        ;
    assert_int_equal(sent, 0);
    host_close(b);
    assert_false(host_take()); /* the host knows of nothing */
}

static void packets(void **state)
{
    struct socket *b, *a = pair(SOCK_SEQPACKET, &b);

    assert_int_equal(do_send(a, text, 30000, MSG_EOR), 30000);
    assert_int_equal(do_send(a, "second", 6, 0), 6);
    assert_int_equal(do_receive(b, text, sizeof(text), 0), 30000);
    assert_true(got_flags & MSG_EOR);
    assert_int_equal(do_receive(b, text, 3, 0), 3); /* the rest is gone */
    assert_true(got_flags & MSG_TRUNC);
    assert_false(got_flags & MSG_EOR);
    assert_int_equal(do_receive(b, text, 3, MSG_DONTWAIT), -EAGAIN);
    assert_int_equal(do_send(a, "third", 5, 0), 5);
    assert_int_equal(do_receive(b, text, 2, MSG_TRUNC), 5);
    assert_int_equal(do_receive(b, text, 2, MSG_PEEK), -EOPNOTSUPP);
    assert_int_equal(do_send(a, text, ROOM + 1, 0), -EMSGSIZE);
    host_close(b);
    assert_int_equal(do_send(a, "x", 1, MSG_NOSIGNAL), -EPIPE);
    host_close(a);
}

static void options(void **state)
{
    struct socket *s = host_socket(SOCK_STREAM);
    int64_t time[2] = {3, 500000};
    uint64_t number = 1000;
    size_t size = sizeof(number);

    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 0, &number, 8), 0);
    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 0, &number, 4), -EINVAL);
    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 5, &number, 8), -ENOPROTOOPT);
    assert_int_equal(s->ops->set_option(s, 0, 0, &number, 8), -ENOPROTOOPT);
    number = 5000; /* more than the maximum will be */
    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 0, &number, 8), 0);
    number = 2000;
    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 2, &number, 8), 0);
    assert_int_equal(s->ops->get_option(s, AF_VSOCK, 0, &number, &size), 0);
    assert_int_equal(number, 2000);
    assert_int_equal(s->ops->get_option(s, AF_VSOCK, 1, &number, &size), 0);
    assert_int_equal(number, 128);
    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 6, time, 16), 0);
    size = 16;
    memset(time, 0, sizeof(time));
    assert_int_equal(s->ops->get_option(s, AF_VSOCK, 8, time, &size), 0);
    assert_int_equal(time[0], 3);
    assert_int_equal(time[1], 500000);
    time[1] = 1000000;
    assert_int_equal(s->ops->set_option(s, AF_VSOCK, 6, time, 16), -ERANGE);
    size = 4;
    assert_int_equal(s->ops->get_option(s, AF_VSOCK, 0, &number, &size), -EINVAL);
    host_close(s);
}

static int set_up(void **state)
{
    (void)state;
    sleeper_reset();
    host.signals = 0;
    host_port = 5000;
    return 0;
}

#define TEST(name) cmocka_unit_test_setup(name, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(before_there_is_a_device), /* the first: the device that it finds stays */
        TEST(connects),
        TEST(is_refused),
        TEST(listens),
        TEST(keeps_to_the_credit),
        TEST(breaks_the_credit),
        TEST(tiny_packets),
        TEST(shuts_down),
        TEST(lies),
        TEST(takes_nothing),
        TEST(moves),
        TEST(stays_in_the_guest),
        TEST(packets),
        TEST(options),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
