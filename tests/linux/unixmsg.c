// SPDX-License-Identifier: MIT
// Unix sockets, what unix.c leaves out: control data and its limits, credentials, peeking and
// cutting, several messages with time-outs, states of connections, queues and their ioctls, files
// and pipes into sockets.
#include "unix.h"
#include <sys/sendfile.h>
#include <sys/sysinfo.h>

#define INPUT_QUEUE  0x541b // SIOCINQ
#define OUTPUT_QUEUE 0x5411 // SIOCOUTQ

// An abstract address; its length comes back by `length`.
static struct sockaddr_un hidden(const char *name, socklen_t *length)
{
    struct sockaddr_un result = {.sun_family = AF_UNIX};
    memcpy(result.sun_path + 1, name, strlen(name));
    *length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    return result;
}

static int bound(const char *name, int type)
{
    socklen_t length;
    struct sockaddr_un address = hidden(name, &length);
    int fd = socket(AF_UNIX, type, 0);
    if (bind(fd, (void *)&address, length))
        return -1;
    return fd;
}

static int joined(int fd, const char *name)
{
    socklen_t length;
    struct sockaddr_un address = hidden(name, &length);
    return connect(fd, (void *)&address, length);
}

// One message with control data of one record; `size` bytes of data behind its header.
struct parcel {
    char bytes[8];
    struct iovec part;
    struct msghdr header;
    _Alignas(8) char space[CMSG_SPACE(260 * sizeof(int))];
};

static struct msghdr *parcel(struct parcel *parcel, int type, const void *data, size_t size)
{
    memset(parcel, 0, sizeof *parcel);
    parcel->part = (struct iovec){parcel->bytes, 1};
    parcel->header = (struct msghdr){.msg_iov = &parcel->part,
                                     .msg_iovlen = 1,
                                     .msg_control = parcel->space,
                                     .msg_controllen = CMSG_SPACE(size)};
    struct cmsghdr *record = (void *)parcel->space;
    *record =
        (struct cmsghdr){.cmsg_len = CMSG_LEN(size), .cmsg_level = SOL_SOCKET, .cmsg_type = type};
    if (data)
        memcpy(CMSG_DATA(record), data, size);
    return &parcel->header;
}

static struct msghdr *room(struct parcel *parcel, size_t control)
{
    memset(parcel, 0, sizeof *parcel);
    parcel->part = (struct iovec){parcel->bytes, sizeof parcel->bytes};
    parcel->header = (struct msghdr){.msg_iov = &parcel->part,
                                     .msg_iovlen = 1,
                                     .msg_control = parcel->space,
                                     .msg_controllen = control};
    return &parcel->header;
}

static int count_open(void)
{
    int count = 0;
    for (int fd = 0; fd < 64; fd++)
        count += fcntl(fd, F_GETFD) >= 0;
    return count;
}

CHECK(rights_are_cut_to_the_room)
{
    struct parcel out, in;
    int fds[3] = {1, 1, 1};
    make_pair(SOCK_STREAM);
    int before = count_open();
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, fds, sizeof fds), 0), 1);
    EXPECT_EQ(recvmsg(b, room(&in, CMSG_LEN(2 * sizeof(int))), 0), 1);
    EXPECT_EQ(in.header.msg_flags, MSG_CTRUNC);
    struct cmsghdr *record = CMSG_FIRSTHDR(&in.header);
    EXPECT_EQ(record->cmsg_len, CMSG_LEN(2 * sizeof(int)));
    EXPECT_EQ(count_open(), before + 2);
    memcpy(fds, CMSG_DATA(record), 2 * sizeof(int));
    close(fds[0]);
    close(fds[1]);
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int)), 0), 1);
    EXPECT_EQ(recvmsg(b, room(&in, 0), 0), 1);
    EXPECT_EQ(in.header.msg_flags, MSG_CTRUNC);
    EXPECT_EQ(in.header.msg_controllen, 0);
    EXPECT_EQ(count_open(), before);
    close_pair();
}

CHECK(rights_have_a_limit)
{
    static int many[260];
    struct parcel out;
    make_pair(SOCK_STREAM);
    for (unsigned i = 0; i < ARRAY_SIZE(many); i++)
        many[i] = 1;
    EXPECT_ERR(sendmsg(a, parcel(&out, SCM_RIGHTS, many, 254 * sizeof(int)), 0), EINVAL);
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, many, 253 * sizeof(int)), 0), 1);
    many[1] = 777;
    EXPECT_ERR(sendmsg(a, parcel(&out, SCM_RIGHTS, many, 2 * sizeof(int)), 0), EBADF);
    close_pair();
}

CHECK(control_data_is_checked)
{
    struct parcel out;
    make_pair(SOCK_STREAM);
    parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int));
    ((struct cmsghdr *)out.space)->cmsg_len = 4;
    EXPECT_ERR(sendmsg(a, &out.header, 0), EINVAL);
    ((struct cmsghdr *)out.space)->cmsg_len = 400;
    EXPECT_ERR(sendmsg(a, &out.header, 0), EINVAL);
    parcel(&out, 77, (int[]){1}, sizeof(int));
    EXPECT_ERR(sendmsg(a, &out.header, 0), EINVAL);
    parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int));
    ((struct cmsghdr *)out.space)->cmsg_level = 77; // not ours: passed over
    EXPECT_EQ(sendmsg(a, &out.header, 0), 1);
    out.header.msg_controllen = 8; // less than a header: nothing
    EXPECT_EQ(sendmsg(a, &out.header, 0), 1);
    out.header.msg_control = BAD_POINTER;
    out.header.msg_controllen = 24;
    EXPECT_ERR(sendmsg(a, &out.header, 0), EFAULT);
    out.header.msg_controllen = 1 << 30;
    EXPECT_ERR(sendmsg(a, &out.header, 0), ENOBUFS);
    close_pair();
}

CHECK(credentials_by_claim)
{
    struct parcel out, in;
    int on = 1;
    struct ucred me = {getpid(), getuid(), getgid()}, other = {getpid(), 12, 34};
    make_pair(SOCK_DGRAM);
    EXPECT_OK(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_CREDENTIALS, &me, sizeof me), 0), 1);
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_CREDENTIALS, &other, sizeof other), 0), 1); // root may
    EXPECT_EQ(recvmsg(b, room(&in, sizeof in.space), 0), 1);
    EXPECT_EQ(recvmsg(b, room(&in, sizeof in.space), 0), 1);
    struct cmsghdr *record = CMSG_FIRSTHDR(&in.header);
    EXPECT(record != NULL);
    EXPECT_EQ(record->cmsg_type, SCM_CREDENTIALS);
    memcpy(&me, CMSG_DATA(record), sizeof me);
    EXPECT_EQ(me.uid, 12);
    EXPECT_EQ(me.gid, 34);
    EXPECT_ERR(sendmsg(a, parcel(&out, SCM_CREDENTIALS, &me, 8), 0), EINVAL);
    close_pair();
}

CHECK(credentials_come_before_rights)
{
    struct parcel out, in;
    int on = 1, fd;
    make_pair(SOCK_STREAM);
    EXPECT_OK(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int)), 0), 1);
    EXPECT_EQ(recvmsg(b, room(&in, sizeof in.space), 0), 1);
    struct cmsghdr *record = CMSG_FIRSTHDR(&in.header);
    EXPECT_EQ(record->cmsg_type, SCM_CREDENTIALS);
    record = CMSG_NXTHDR(&in.header, record);
    EXPECT(record != NULL);
    EXPECT_EQ(record->cmsg_type, SCM_RIGHTS);
    EXPECT_EQ(in.header.msg_controllen, CMSG_SPACE(sizeof(struct ucred)) + CMSG_SPACE(sizeof(int)));
    memcpy(&fd, CMSG_DATA(record), sizeof fd);
    close(fd);
    close_pair();
}

CHECK(stream_stops_behind_rights)
{
    struct parcel out, in;
    char text[8] = "";
    int fd;
    make_pair(SOCK_STREAM);
    EXPECT_EQ(write(a, "ab", 2), 2);
    parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int));
    out.bytes[0] = 'c';
    EXPECT_EQ(sendmsg(a, &out.header, 0), 1);
    EXPECT_EQ(write(a, "de", 2), 2);
    EXPECT_EQ(recvmsg(b, room(&in, sizeof in.space), 0), 3);
    EXPECT_EQ(memcmp(in.bytes, "abc", 3), 0);
    struct cmsghdr *record = CMSG_FIRSTHDR(&in.header);
    EXPECT(record != NULL);
    memcpy(&fd, CMSG_DATA(record), sizeof fd);
    close(fd);
    EXPECT_EQ(read(b, text, 8), 2);
    EXPECT_STR(text, "de");
    close_pair();
}

CHECK(peek_gives_rights_again)
{
    struct parcel out, in;
    int fd[2];
    make_pair(SOCK_DGRAM);
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int)), 0), 1);
    for (int i = 0; i < 2; i++) {
        EXPECT_EQ(recvmsg(b, room(&in, sizeof in.space), i == 0 ? MSG_PEEK : 0), 1);
        EXPECT(CMSG_FIRSTHDR(&in.header) != NULL);
        memcpy(&fd[i], CMSG_DATA(CMSG_FIRSTHDR(&in.header)), sizeof(int));
    }
    EXPECT(fd[0] != fd[1]);
    close(fd[0]);
    close(fd[1]);
    close_pair();
}

CHECK(cut_packets_say_so)
{
    struct parcel in;
    for (int type = SOCK_DGRAM; type <= SOCK_SEQPACKET; type += SOCK_SEQPACKET - SOCK_DGRAM) {
        make_pair(type);
        EXPECT_EQ(send(a, "0123456789abcdef", 16, 0), 16);
        EXPECT_EQ(send(a, "xy", 2, 0), 2);
        EXPECT_EQ(recvmsg(b, room(&in, 0), MSG_PEEK), 8);
        EXPECT_EQ(in.header.msg_flags & MSG_TRUNC, MSG_TRUNC);
        EXPECT_EQ(recvmsg(b, room(&in, 0), MSG_TRUNC), 16);
        EXPECT_EQ(in.header.msg_flags & MSG_TRUNC, MSG_TRUNC);
        EXPECT_EQ(recvmsg(b, room(&in, 0), MSG_TRUNC), 2);
        EXPECT_EQ(in.header.msg_flags & MSG_TRUNC, 0);
        close_pair();
    }
}

CHECK(packets_end_records)
{
    struct parcel in;
    make_pair(SOCK_SEQPACKET);
    EXPECT_EQ(send(a, "x", 1, 0), 1);
    EXPECT_EQ(send(a, "y", 1, MSG_EOR), 1);
    EXPECT_EQ(recvmsg(b, room(&in, 0), 0), 1);
    EXPECT_EQ(in.header.msg_flags, 0); // Linux keeps no records: each packet is one
    EXPECT_EQ(recvmsg(b, room(&in, 0), 0), 1);
    EXPECT_EQ(in.header.msg_flags, 0); // Linux keeps no records: each packet is one
    close_pair();
}

CHECK(messages_too_long)
{
    static char big[400000];
    make_pair(SOCK_DGRAM);
    EXPECT_ERR(send(a, big, sizeof big, 0), EMSGSIZE);
    close_pair();
    make_pair(SOCK_SEQPACKET);
    EXPECT_ERR(send(a, big, sizeof big, 0), EMSGSIZE);
    close_pair();
}

CHECK(sendmmsg_stops_at_the_first_error)
{
    struct iovec part = {"m", 1};
    struct mmsghdr many[3] = {{.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}},
                              {.msg_hdr = {.msg_iov = BAD_POINTER, .msg_iovlen = 1}},
                              {.msg_hdr = {.msg_iov = &part, .msg_iovlen = 1}}};
    make_pair(SOCK_DGRAM);
    EXPECT_EQ(sendmmsg(a, many, 3, 0), 1);
    EXPECT_ERR(sendmmsg(a, many + 1, 2, 0), EFAULT);
    EXPECT_EQ(sendmmsg(a, many, 0, 0), 0);
    EXPECT_ERR(sendmmsg(-1, many, 1, 0), EBADF);
    EXPECT_ERR(sendmmsg(0, many, 1, 0), ENOTSOCK);
    close_pair();
}

CHECK(recvmmsg_with_time)
{
    char text[3][4];
    struct iovec in[3] = {{text[0], 3}, {text[1], 3}, {text[2], 3}};
    struct mmsghdr many[3];
    struct timespec zero = {0, 0}, wrong = {0, 2000000000};
    for (int i = 0; i < 3; i++)
        many[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &in[i], .msg_iovlen = 1}};
    make_pair(SOCK_DGRAM);
    EXPECT_ERR(recvmmsg(b, many, 3, MSG_DONTWAIT, NULL), EAGAIN);
    EXPECT_EQ(send(a, "1", 1, 0), 1);
    EXPECT_EQ(send(a, "22", 2, 0), 2);
    EXPECT_EQ(recvmmsg(b, many, 3, MSG_WAITFORONE, NULL), 2);
    EXPECT_EQ(many[1].msg_len, 2);
    EXPECT_EQ(send(a, "1", 1, 0), 1);
    EXPECT_EQ(send(a, "2", 1, 0), 1);
    EXPECT_EQ(recvmmsg(b, many, 3, 0, &zero), 1);
    EXPECT_EQ(recvmmsg(b, many, 3, MSG_DONTWAIT, NULL), 1);
    EXPECT_ERR(recvmmsg(b, many, 3, 0, &wrong), EINVAL);
    close_pair();
}

CHECK(queues_by_ioctl)
{
    int bytes = -1;
    make_pair(SOCK_DGRAM);
    EXPECT_EQ(send(a, "abc", 3, 0), 3);
    EXPECT_EQ(send(a, "defgh", 5, 0), 5);
    EXPECT_OK(ioctl(b, INPUT_QUEUE, &bytes));
    EXPECT_EQ(bytes, 3);
    EXPECT_OK(ioctl(a, OUTPUT_QUEUE, &bytes));
    EXPECT(bytes >= 8);
    close_pair();
    make_pair(SOCK_SEQPACKET);
    EXPECT_EQ(send(a, "abc", 3, 0), 3);
    EXPECT_EQ(send(a, "defgh", 5, 0), 5);
    EXPECT_OK(ioctl(b, INPUT_QUEUE, &bytes));
    EXPECT_EQ(bytes, 8);
    EXPECT_ERR(ioctl(b, INPUT_QUEUE, BAD_POINTER), EFAULT);
    EXPECT_ERR(ioctl(b, 0x12345678, &bytes), ENOTTY);
    close_pair();
    int server = bound("queues", SOCK_STREAM);
    EXPECT_OK(listen(server, 1));
    EXPECT_ERR(ioctl(server, INPUT_QUEUE, &bytes), EINVAL);
    close(server);
}

CHECK(states_of_connections)
{
    int server = bound("states", SOCK_STREAM), client = socket(AF_UNIX, SOCK_STREAM, 0), other;
    char byte;
    EXPECT_ERR(joined(client, "states"), ECONNREFUSED);
    EXPECT_OK(listen(server, 2));
    EXPECT_OK(joined(client, "states"));
    EXPECT_ERR(joined(client, "states"), EISCONN);
    EXPECT_ERR(joined(server, "states"), EINVAL);
    EXPECT_ERR(listen(client, 1), EINVAL);
    EXPECT_ERR(accept(client, NULL, NULL), EINVAL);
    EXPECT_ERR(recv(server, &byte, 1, 0), EINVAL);
    EXPECT_ERR(send(server, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    other = socket(AF_UNIX, SOCK_SEQPACKET, 0);
    EXPECT_ERR(joined(other, "states"), ECONNREFUSED);
    EXPECT_ERR(recv(other, &byte, 1, 0), ENOTCONN);
    close(other);
    close(server); // nobody accepted it
    EXPECT_ERR(recv(client, &byte, 1, 0), ECONNRESET);
    EXPECT_ERR(send(client, "x", 1, MSG_NOSIGNAL), EPIPE);
    close(client);
}

CHECK(names_are_given_once)
{
    socklen_t length;
    struct sockaddr_un address = hidden("twice", &length), peer;
    int fd = bound("twice", SOCK_DGRAM), long_name = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_ERR(bind(fd, (void *)&address, length), EINVAL);
    EXPECT_OK(bind(fd, (void *)&address, sizeof(sa_family_t))); // an autobind that is not needed
    EXPECT_ERR(bind(long_name, (void *)&address, sizeof address + 1), EINVAL);
    memset(address.sun_path, 'p', sizeof address.sun_path);
    EXPECT_OK(bind(long_name, (void *)&address, sizeof address)); // a path without NUL
    length = sizeof peer;
    EXPECT_OK(getsockname(long_name, (void *)&peer, &length));
    EXPECT_EQ(length, sizeof(sa_family_t) + 109);
    EXPECT_ERR(getpeername(fd, (void *)&peer, &length), ENOTCONN);
    close(long_name);
    close(fd);
}

CHECK(datagrams_have_one_partner)
{
    struct sockaddr unspecified = {.sa_family = AF_UNSPEC};
    int one = bound("one", SOCK_DGRAM), two = bound("two", SOCK_DGRAM),
        three = bound("three", SOCK_DGRAM);
    char byte;
    EXPECT_OK(joined(one, "two"));
    EXPECT_ERR(joined(three, "one"), EPERM);
    EXPECT_OK(joined(two, "one"));
    EXPECT_EQ(send(one, "x", 1, 0), 1);
    EXPECT_EQ(recv(two, &byte, 1, 0), 1);
    EXPECT_OK(connect(one, &unspecified, sizeof unspecified));
    EXPECT_ERR(send(one, "x", 1, 0), ENOTCONN);
    close(two);
    close(one);
    close(three);
}

CHECK(datagram_to_a_closed_partner)
{
    make_pair(SOCK_DGRAM);
    close(b);
    EXPECT_ERR(send(a, "x", 1, 0), ECONNREFUSED);
    EXPECT_ERR(send(a, "x", 1, 0), ENOTCONN);
    close(a);
    make_pair(SOCK_DGRAM);
    EXPECT_OK(shutdown(b, SHUT_RD));
    EXPECT_ERR(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_OK(shutdown(a, SHUT_WR));
    EXPECT_ERR(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
    close_pair();
}

CHECK(datagram_queue_is_bounded)
{
    int server = bound("bounded", SOCK_DGRAM), client = socket(AF_UNIX, SOCK_DGRAM, 0), sent = 0;
    char byte;
    EXPECT_OK(joined(client, "bounded"));
    while (send(client, "x", 1, MSG_DONTWAIT) == 1 && sent < 5000)
        sent++;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT(sent >= 10);
    struct pollfd p = {client, POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    EXPECT_EQ(recv(server, &byte, 1, 0), 1);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    close(client);
    close(server);
}

CHECK(backlog_is_bounded)
{
    int server = bound("backlog", SOCK_STREAM), clients[4], done = 0;
    EXPECT_OK(listen(server, 1));
    for (int i = 0; i < 4; i++) {
        clients[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (joined(clients[i], "backlog") == 0)
            done++;
        else
            EXPECT_EQ(errno, EAGAIN);
    }
    EXPECT_EQ(done, 2);
    struct timeval limit = {0, 20000};
    int waiting = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(setsockopt(waiting, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    EXPECT_ERR(joined(waiting, "backlog"), EAGAIN);
    close(waiting);
    for (int i = 0; i < 4; i++)
        close(clients[i]);
    close(server);
}

CHECK(shutdown_of_a_listener)
{
    int server = bound("closing", SOCK_STREAM), client = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(listen(server, 1));
    EXPECT_OK(shutdown(server, SHUT_RD));
    EXPECT_ERR(joined(client, "closing"), ECONNREFUSED);
    EXPECT_ERR(accept(server, NULL, NULL), EINVAL);
    close(client);
    close(server);
}

CHECK(shutdown_wakes_poll)
{
    make_pair(SOCK_STREAM);
    EXPECT_OK(shutdown(b, SHUT_WR));
    struct pollfd p = {a, POLLIN | POLLRDHUP | POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLRDHUP | POLLOUT);
    close(b);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents, POLLIN | POLLRDHUP | POLLOUT | POLLHUP);
    close(a);
}

CHECK(options_of_local_sockets)
{
    int value = 5;
    socklen_t length = sizeof value;
    make_pair(SOCK_STREAM);
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, SO_PEERCRED, &value, sizeof value), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, SO_TYPE, &value, sizeof value), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, SO_ERROR, &value, sizeof value), ENOPROTOOPT);
    EXPECT_ERR(setsockopt(a, 41, 1, &value, sizeof value), EOPNOTSUPP);
    EXPECT_ERR(getsockopt(a, 6, 1, &value, &length), EOPNOTSUPP);
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &value, sizeof value), EINVAL);
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, SO_KEEPALIVE, &value, 2), EINVAL);
    char security[64];
    length = sizeof security;
    EXPECT_ERR(getsockopt(a, SOL_SOCKET, SO_PEERSEC, security, &length), ENOPROTOOPT);
    EXPECT_OK(setsockopt(a, SOL_SOCKET, SO_RCVLOWAT, &value, sizeof value));
    length = sizeof value;
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_RCVLOWAT, &value, &length));
    EXPECT_EQ(value, 5);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_PROTOCOL, &value, &length));
    EXPECT_EQ(value, 0);
    close_pair();
    make_pair(SOCK_DGRAM);
    EXPECT_ERR(send(a, "x", 1, MSG_OOB), EOPNOTSUPP);
    close_pair();
}

CHECK(waits_have_a_limit)
{
    struct timeval limit = {0, 30000};
    struct timespec before, after;
    static char data[65536];
    char byte;
    make_pair(SOCK_STREAM);
    EXPECT_OK(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    EXPECT_OK(setsockopt(a, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit));
    clock_gettime(CLOCK_MONOTONIC, &before);
    EXPECT_ERR(recv(a, &byte, 1, 0), EAGAIN);
    clock_gettime(CLOCK_MONOTONIC, &after);
    long ms = (after.tv_sec - before.tv_sec) * 1000 + (after.tv_nsec - before.tv_nsec) / 1000000;
    EXPECT(ms >= 29);
    while (send(a, data, sizeof data, 0) == sizeof data)
        ;
    EXPECT_ERR(send(a, data, sizeof data, 0), EAGAIN);
    limit.tv_usec = 1000000;
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), EDOM);
    close_pair();
}

CHECK(files_and_pipes_into_sockets)
{
    char text[16] = "";
    int ends[2], file = open("source", O_RDWR | O_CREAT | O_TRUNC, 0600);
    off_t at = 2;
    make_pair(SOCK_STREAM);
    EXPECT_EQ(write(file, "0123456789", 10), 10);
    EXPECT_EQ(sendfile(a, file, &at, 5), 5);
    EXPECT_EQ(at, 7);
    EXPECT_EQ(read(b, text, 16), 5);
    EXPECT_STR(text, "23456");
    EXPECT_OK(pipe(ends));
    EXPECT_EQ(write(ends[1], "pipe", 4), 4);
    EXPECT_EQ(splice(ends[0], NULL, a, NULL, 100, 0), 4);
    EXPECT_EQ(splice(b, NULL, ends[1], NULL, 100, 0), 4);
    memset(text, 0, sizeof text);
    EXPECT_EQ(read(ends[0], text, 16), 4);
    EXPECT_STR(text, "pipe");
    EXPECT_ERR(sendfile(file, a, NULL, 1), EINVAL);
    close(ends[0]);
    close(ends[1]);
    close(file);
    close_pair();
}

CHECK(names_in_proc)
{
    static char text[65536];
    char wanted[64];
    struct stat st;
    int fd = bound("shown", SOCK_STREAM);
    EXPECT_OK(listen(fd, 1));
    EXPECT_OK(fstat(fd, &st));
    int file = open("/proc/net/unix", O_RDONLY);
    EXPECT(read(file, text, sizeof text - 1) > 0);
    close(file);
    EXPECT(!strncmp(text, "Num       RefCount Protocol Flags    Type St Inode Path\n", 56));
    snprintf(wanted, sizeof wanted, " 00000000 00010000 0001 01 %5lu @shown\n", st.st_ino);
    EXPECT(strstr(text, wanted) != NULL);
    close(fd);
}

CHECK(garbage_is_collected)
{
    struct parcel out;
    int before = count_open();
    for (int i = 0; i < 500; i++) { // a socket in its own queue: nobody could ever take it out
        make_pair(SOCK_DGRAM);
        EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, (int[]){b, a}, 2 * sizeof(int)), 0), 1);
        close_pair();
    }
    EXPECT_EQ(count_open(), before);
}

// The innermost is in flight first, and alive only by what carries it.
CHECK(what_the_living_carry_is_not_collected)
{
    struct parcel out, in;
    int inner[2], middle[2], fd, next;
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, inner));
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, middle));
    make_pair(SOCK_STREAM);
    EXPECT_EQ(sendmsg(inner[0], parcel(&out, SCM_RIGHTS, (int[]){1}, sizeof(int)), 0), 1);
    EXPECT_EQ(sendmsg(middle[0], parcel(&out, SCM_RIGHTS, &inner[1], sizeof(int)), 0), 1);
    EXPECT_EQ(sendmsg(a, parcel(&out, SCM_RIGHTS, &middle[1], sizeof(int)), 0), 1);
    close(inner[1]);
    close(middle[1]);
    close(middle[0]); // looks for garbage
    EXPECT_EQ(recvmsg(b, room(&in, CMSG_LEN(sizeof(int))), 0), 1);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&in.header)), sizeof fd);
    EXPECT_EQ(recvmsg(fd, room(&in, CMSG_LEN(sizeof(int))), MSG_DONTWAIT), 1);
    memcpy(&next, CMSG_DATA(CMSG_FIRSTHDR(&in.header)), sizeof next);
    EXPECT_EQ(recvmsg(next, room(&in, CMSG_LEN(sizeof(int))), MSG_DONTWAIT), 1);
    close(fd);
    close(next);
    memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&in.header)), sizeof fd);
    EXPECT_OK(close(fd));
    close(inner[0]);
    close_pair();
}

// Closed while it is in flight itself, a pair is found by those who send, not by who closes.
CHECK(garbage_does_not_fill_the_memory)
{
    struct parcel out;
    struct sysinfo before, after;
    int many[200];
    EXPECT_OK(sysinfo(&before));
    for (int i = 0; i < 800; i++) {
        int pair[2];
        EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
        for (int k = 0; k < 200; k++)
            many[k] = pair[k & 1];
        EXPECT_EQ(sendmsg(pair[0], parcel(&out, SCM_RIGHTS, many, sizeof many), 0), 1);
        EXPECT_EQ(sendmsg(pair[1], parcel(&out, SCM_RIGHTS, many, sizeof many), 0), 1);
        close(pair[0]);
        close(pair[1]);
    }
    EXPECT_OK(sysinfo(&after));
    EXPECT(after.freeram + (5ul << 19) > before.freeram);
}
