/* SPDX-License-Identifier: MIT */
/* Sockets of AF_VSOCK that are used at random, and a host whose packets are mostly right. */
#include <stdlib.h>
#include <string.h>

#include <lib/errno.h>
#include <lib/minmax.h>

#include "../unit/drivers/vsock_fake.h"

#define SOCKETS 6U

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct socket *sockets[SOCKETS];
static const uint8_t *input;
static size_t input_left;
static uint8_t bytes[20000];

static uint8_t next_byte(void)
{
    if (input_left == 0)
        return 0;
    input_left--;
    return *input++;
}

static uint32_t next_word(void)
{
    uint32_t word = next_byte();

    return word < 0xf0 ? word * 64 : word << 24 | (uint32_t)next_byte() << 8 | next_byte();
}

struct name {
    uint16_t family, reserved;
    uint32_t port, cid;
    uint8_t flags, zero[3];
};

static struct socket_name some_name(void)
{
    static const uint32_t cids[] = {HOST, 1, GUEST, ~0U, 77, HOST, 1, 0};
    struct name abi = {.family = AF_VSOCK,
                       .port = next_byte() < 250 ? 2000 + (next_byte() & 3) : ~0U,
                       .cid = cids[next_byte() & 7]};
    struct socket_name name = {.len = next_byte() < 250 ? sizeof(abi) : 15};

    memcpy(name.bytes, &abi, sizeof(abi));
    return name;
}

/* Ports as some socket has them, or the guest's own. */
static void from_host(void)
{
    struct socket *s = sockets[next_byte() % SOCKETS];
    struct vsock_header header = {
        .source_cid = next_byte() < 250 ? HOST : next_byte(),
        .target_cid = next_byte() < 250 ? GUEST : next_byte(),
        .source_port = 2000 + (next_byte() & 3),
        .target_port = 2000 + (next_byte() & 3),
        .type = next_byte() < 200 ? 1 : next_byte() & 3,
        .op = next_byte() % 9,
        .flags = next_byte(),
        .room = next_word(),
        .taken = next_word(),
    };
    struct socket_name name;
    struct name abi;

    if (s != NULL && s->ops->name(s, &name, false) == 0 && next_byte() < 200) {
        memcpy(&abi, name.bytes, sizeof(abi));
        header.target_port = abi.port;
    }
    if (header.op == DATA)
        header.length = next_word() % 4200;
    (void)host_send(&header, bytes);
}

static void move_bytes(struct socket *s, bool out)
{
    struct socket_message message = {.flags = MSG_DONTWAIT | (next_byte() & 3) << 5 |
                                              (next_byte() > 200 ? MSG_PEEK : 0)};
    size_t size = next_word() % sizeof(bytes);
    struct io io;

    io_init_kernel(&io, bytes, size, 0, 0);
    if (out)
        (void)s->ops->send(s, &io, &message);
    else
        (void)s->ops->receive(s, &io, &message);
}

static void set_options(struct socket *s)
{
    uint64_t value[2] = {next_word(), next_word()};
    size_t size = next_byte() & 31;
    int option = next_byte() & 15;

    (void)s->ops->set_option(s, AF_VSOCK, option, value, min(size, sizeof(value)));
    size = sizeof(value);
    (void)s->ops->get_option(s, AF_VSOCK, option, value, &size);
}

static void do_accept(struct socket *s)
{
    unsigned at = next_byte() % SOCKETS;
    struct socket *to;

    if (sockets[at] != NULL)
        return;
    to = calloc(1, sizeof(*to));
    to->type = s->type;
    to->receive_low = 1;
    if (s->ops->accept(s, to, true) == 0)
        sockets[at] = to;
    else
        free(to);
}

static void use_socket(void)
{
    unsigned at = next_byte() % SOCKETS;
    struct socket *s = sockets[at];
    struct socket_name name = some_name();

    if (s == NULL) {
        sockets[at] = host_socket(next_byte() & 1 ? SOCK_STREAM : SOCK_SEQPACKET);
        return;
    }
    switch (next_byte() % 10) {
    case 0:
        (void)s->ops->bind(s, &name);
        break;
    case 1:
        (void)s->ops->listen(s, next_byte() & 3);
        break;
    case 2:
        (void)s->ops->connect(s, &name, next_byte() < 250 ? O_NONBLOCK : 0);
        break;
    case 3:
        do_accept(s);
        break;
    case 4:
    case 5:
        move_bytes(s, true);
        break;
    case 6:
        move_bytes(s, false);
        break;
    case 7:
        (void)s->ops->shutdown(s, next_byte() % 3);
        break;
    case 8:
        set_options(s);
        (void)s->ops->poll(s, NULL);
        break;
    default:
        if (next_byte() > 100)
            break;
        host_close(s);
        sockets[at] = NULL;
    }
}

static void have_moved(void)
{
    int head = fake_next(&host.virtio, 2);

    if (head >= 0)
        fake_use(&host.virtio, 2, (uint32_t)head, next_byte());
    host_run();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool is_started;

    if (!is_started && host_start(3, GUEST) != 0) /* both types of sockets */
        abort();
    is_started = true;
    input = data;
    input_left = size;
    while (input_left > 0) {
        uint8_t what = next_byte();

        host.is_privileged = what & 1;
        if (what < 100)
            from_host();
        else if (what < 230)
            use_socket();
        else if (what < 254)
            (void)host_take();
        else
            have_moved();
    }
    for (unsigned i = 0; i < SOCKETS; i++) {
        if (sockets[i] != NULL)
            host_close(sockets[i]);
        sockets[i] = NULL;
    }
    while (host_take())
        ;
    return 0;
}
