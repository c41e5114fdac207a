// SPDX-License-Identifier: MIT
// Unix sockets: pairs, streams, datagrams, sequenced packets, names, descriptors in messages,
// options.
#include "unix.h"

static struct sockaddr_un address(const char *name)
{
    struct sockaddr_un result = {.sun_family = AF_UNIX};
    snprintf(result.sun_path, sizeof result.sun_path, "%s", name);
    return result;
}

#define LENGTH(name) ((socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name) + 1))

static int listener(const char *name, int type)
{
    struct sockaddr_un name_address = address(name);
    int fd = socket(AF_UNIX, type, 0);
    if (bind(fd, (void *)&name_address, LENGTH(name)))
        return -1;
    if (type != SOCK_DGRAM)
        listen(fd, 5);
    return fd;
}

static int connected(const char *name, int type)
{
    struct sockaddr_un name_address = address(name);
    int fd = socket(AF_UNIX, type, 0);
    if (connect(fd, (void *)&name_address, LENGTH(name))) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

CHECK(socketpair_stream_both_ways)
{
    char text[8] = "";
    make_pair(SOCK_STREAM);
    EXPECT_EQ(write(a, "there", 5), 5);
    EXPECT_EQ(read(b, text, 8), 5);
    EXPECT_EQ(write(b, "back", 4), 4);
    EXPECT_EQ(recv(a, text, 8, 0), 4);
    close_pair();
}

CHECK(socketpair_flags_and_errors)
{
    int fds[2];
    EXPECT_OK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds));
    EXPECT_EQ(fcntl(fds[0], F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fds[0], F_GETFL), O_RDWR | O_NONBLOCK);
    close(fds[0]);
    close(fds[1]);
    EXPECT_ERR(socketpair(AF_UNIX, 77, 0, fds), EINVAL);
    EXPECT_ERR(socketpair(AF_UNIX, SOCK_RDM, 0, fds), ESOCKTNOSUPPORT);
    EXPECT_ERR(socketpair(AF_UNIX, SOCK_STREAM, 77, fds), EPROTONOSUPPORT);
    EXPECT_ERR(socketpair(99, SOCK_STREAM, 0, fds), EAFNOSUPPORT);
    EXPECT_ERR(syscall(SYS_socketpair, AF_UNIX, SOCK_STREAM, 0, BAD_POINTER), EFAULT);
    EXPECT_ERR(socket(99, SOCK_STREAM, 0), EAFNOSUPPORT);
    EXPECT_ERR(socket(AF_UNIX, SOCK_STREAM | 0x100000, 0), EINVAL);
}

CHECK(stream_end_and_reset)
{
    char byte;
    signal(SIGPIPE, SIG_IGN);
    make_pair(SOCK_STREAM);
    EXPECT_EQ(write(a, "x", 1), 1);
    close(a);
    EXPECT_EQ(read(b, &byte, 1), 1);
    EXPECT_EQ(read(b, &byte, 1), 0);
    EXPECT_ERR(write(b, "x", 1), EPIPE);
    close(b);
    make_pair(SOCK_STREAM);
    EXPECT_EQ(write(b, "unread", 6), 6);
    close(a);
    EXPECT_ERR(read(b, &byte, 1), ECONNRESET);
    close(b);
}

CHECK(stream_shutdown)
{
    char byte;
    make_pair(SOCK_STREAM);
    EXPECT_OK(shutdown(a, SHUT_WR));
    EXPECT_EQ(read(b, &byte, 1), 0);
    EXPECT_EQ(write(b, "y", 1), 1);
    EXPECT_EQ(read(a, &byte, 1), 1);
    EXPECT_ERR(send(a, "z", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_ERR(shutdown(a, 77), EINVAL);
    close_pair();
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(shutdown(fd, SHUT_RDWR)); // unlike TCP, no connection is needed
    close(fd);
}

CHECK(stream_flags_of_recv)
{
    char text[8] = "";
    make_pair(SOCK_STREAM);
    EXPECT_ERR(recv(a, text, 1, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(send(b, "peeked", 6, 0), 6);
    EXPECT_EQ(recv(a, text, 3, MSG_PEEK), 3);
    EXPECT_EQ(recv(a, text, 6, MSG_WAITALL), 6);
    EXPECT_STR(text, "peeked");
    int waiting;
    EXPECT_EQ(send(b, "four", 4, 0), 4);
    EXPECT_OK(ioctl(a, FIONREAD, &waiting));
    EXPECT_EQ(waiting, 4);
    close_pair();
}

CHECK(stream_fills_up)
{
    static char data[4096];
    long total = 0, n;
    make_pair(SOCK_STREAM | SOCK_NONBLOCK);
    while ((n = write(a, data, sizeof data)) > 0)
        total += n;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT(total >= 65536);
    struct pollfd p = {a, POLLOUT, 0};
    EXPECT_EQ(poll(&p, 1, 0), 0);
    while (read(b, data, sizeof data) > 0)
        ;
    EXPECT_EQ(poll(&p, 1, 0), 1);
    close_pair();
}

CHECK(stream_listen_accept_connect)
{
    struct sockaddr_un peer;
    socklen_t length = sizeof peer;
    char text[8] = "";
    int server = listener("sock1", SOCK_STREAM), client = connected("sock1", SOCK_STREAM);
    EXPECT(server >= 0 && client >= 0);
    int conn = accept4(server, (void *)&peer, &length, SOCK_CLOEXEC);
    EXPECT(conn >= 0);
    EXPECT_EQ(fcntl(conn, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(length, sizeof(sa_family_t));
    EXPECT_EQ(peer.sun_family, AF_UNIX);
    EXPECT_EQ(write(client, "hi", 2), 2);
    EXPECT_EQ(read(conn, text, 8), 2);
    length = sizeof peer;
    EXPECT_OK(getsockname(conn, (void *)&peer, &length));
    EXPECT_STR(peer.sun_path, "sock1");
    length = sizeof peer;
    EXPECT_OK(getpeername(client, (void *)&peer, &length));
    EXPECT_STR(peer.sun_path, "sock1");
    close(conn);
    close(client);
    close(server);
}

CHECK(stream_connect_errors)
{
    close(open("plain", O_RDWR | O_CREAT, 0600));
    EXPECT_ERR(connected("nothing", SOCK_STREAM), ENOENT);
    EXPECT_ERR(connected("plain", SOCK_STREAM), ECONNREFUSED);
    int server = listener("sock2", SOCK_STREAM);
    EXPECT_ERR(listener("sock2", SOCK_STREAM), EADDRINUSE);
    EXPECT_ERR(connected("sock2", SOCK_DGRAM), EPROTOTYPE);
    close(server);
    EXPECT_ERR(connected("sock2", SOCK_STREAM), ECONNREFUSED);
    EXPECT_OK(unlink("sock2"));
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
    EXPECT_ERR(listen(fd, 5), EINVAL);
    EXPECT_ERR(send(fd, "x", 1, MSG_NOSIGNAL), ENOTCONN);
    EXPECT_ERR(bind(fd, BAD_POINTER, 10), EFAULT);
    struct sockaddr_un wrong = {.sun_family = 77};
    EXPECT_ERR(bind(fd, (void *)&wrong, sizeof wrong), EINVAL);
    EXPECT_ERR(connect(fd, (void *)&wrong, 1), EINVAL);
    close(fd);
    EXPECT_ERR(bind(0, (void *)&wrong, sizeof wrong), ENOTSOCK);
}

CHECK(stream_abstract_names)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    memcpy(name.sun_path, "\0hidden", 7);
    socklen_t length = offsetof(struct sockaddr_un, sun_path) + 7;
    int server = socket(AF_UNIX, SOCK_STREAM, 0), client = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_OK(bind(server, (void *)&name, length));
    EXPECT_OK(listen(server, 1));
    EXPECT_OK(connect(client, (void *)&name, length));
    int other = socket(AF_UNIX, SOCK_STREAM, 0);
    EXPECT_ERR(bind(other, (void *)&name, length), EADDRINUSE);
    close(server);
    EXPECT_OK(bind(other, (void *)&name, length));
    close(other);
    close(client);
}

CHECK(stream_autobind)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t length = sizeof name;
    int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
    EXPECT_OK(bind(fd, (void *)&name, sizeof(sa_family_t)));
    EXPECT_OK(getsockname(fd, (void *)&name, &length));
    EXPECT_EQ(length, sizeof(sa_family_t) + 6);
    EXPECT_EQ(name.sun_path[0], 0);
    close(fd);
}

CHECK(accept_nonblocking_and_poll)
{
    int server = listener("sock3", SOCK_STREAM | SOCK_NONBLOCK);
    struct pollfd p = {server, POLLIN, 0};
    EXPECT_ERR(accept(server, NULL, NULL), EAGAIN);
    EXPECT_EQ(poll(&p, 1, 0), 0);
    int client = connected("sock3", SOCK_STREAM);
    EXPECT_EQ(poll(&p, 1, 0), 1);
    int conn = accept(server, NULL, NULL);
    EXPECT(conn >= 0);
    close(conn);
    p.fd = client;
    EXPECT_EQ(poll(&p, 1, 0), 1);
    EXPECT_EQ(p.revents & (POLLIN | POLLHUP), POLLIN | POLLHUP);
    close(client);
    close(server);
}

CHECK(datagrams_keep_boundaries)
{
    char text[16] = "";
    make_pair(SOCK_DGRAM);
    EXPECT_EQ(send(a, "one", 3, 0), 3);
    EXPECT_EQ(send(a, "three", 5, 0), 5);
    EXPECT_EQ(send(a, "", 0, 0), 0);
    EXPECT_EQ(recv(b, text, 16, 0), 3);
    EXPECT_EQ(recv(b, text, 2, 0), 2);
    EXPECT_EQ(recv(b, text, 16, 0), 0);
    EXPECT_ERR(recv(b, text, 16, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(send(a, "longer", 6, 0), 6);
    EXPECT_EQ(recv(b, text, 2, MSG_TRUNC), 6);
    close_pair();
}

CHECK(datagrams_by_name)
{
    struct sockaddr_un name = address("dgram1"), from;
    socklen_t length = sizeof from;
    char text[8] = "";
    int server = listener("dgram1", SOCK_DGRAM), client = listener("dgram2", SOCK_DGRAM);
    EXPECT_EQ(sendto(client, "hey", 3, 0, (void *)&name, LENGTH("dgram1")), 3);
    EXPECT_EQ(recvfrom(server, text, 8, 0, (void *)&from, &length), 3);
    EXPECT_STR(from.sun_path, "dgram2");
    EXPECT_EQ(sendto(server, "ho", 2, 0, (void *)&from, length), 2);
    EXPECT_EQ(recv(client, text, 8, 0), 2);
    close(server);
    EXPECT_ERR(sendto(client, "x", 1, 0, (void *)&name, LENGTH("dgram1")), ECONNREFUSED);
    EXPECT_ERR(send(client, "x", 1, 0), ENOTCONN);
    close(client);
}

CHECK(sequenced_packets)
{
    char text[16] = "";
    make_pair(SOCK_SEQPACKET);
    EXPECT_EQ(write(a, "first", 5), 5);
    EXPECT_EQ(write(a, "second", 6), 6);
    EXPECT_EQ(read(b, text, 3), 3);
    EXPECT_EQ(read(b, text, 16), 6);
    EXPECT_STR(text, "second");
    close(a);
    EXPECT_EQ(read(b, text, 16), 0);
    close(b);
}

CHECK(descriptors_in_messages)
{
    char byte = 'd', space[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    make_pair(SOCK_STREAM);
    int file = open("passed", O_RDWR | O_CREAT | O_TRUNC, 0600), received;
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(control), &file, sizeof file);
    EXPECT_EQ(sendmsg(a, &message, 0), 1);
    EXPECT_EQ(write(file, "by message", 10), 10);
    close(file);
    memset(space, 0, sizeof space);
    message.msg_controllen = sizeof space;
    EXPECT_EQ(recvmsg(b, &message, MSG_CMSG_CLOEXEC), 1);
    control = CMSG_FIRSTHDR(&message);
    EXPECT(control != NULL);
    EXPECT_EQ(control->cmsg_type, SCM_RIGHTS);
    memcpy(&received, CMSG_DATA(control), sizeof received);
    EXPECT_EQ(fcntl(received, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(lseek(received, 0, SEEK_CUR), 10);
    close(received);
    close_pair();
}

CHECK(credentials_of_the_peer)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    make_pair(SOCK_STREAM);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_PEERCRED, &peer, &length));
    EXPECT_EQ(peer.pid, getpid());
    EXPECT_EQ(peer.uid, 0);
    close_pair();
}

CHECK(credentials_in_messages)
{
    int on = 1;
    char byte = 'c', space[CMSG_SPACE(sizeof(struct ucred))] = {0};
    struct iovec part = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = space, .msg_controllen = sizeof space};
    make_pair(SOCK_DGRAM);
    EXPECT_OK(setsockopt(b, SOL_SOCKET, SO_PASSCRED, &on, sizeof on));
    EXPECT_EQ(send(a, "c", 1, 0), 1);
    EXPECT_EQ(recvmsg(b, &message, 0), 1);
    struct cmsghdr *control = CMSG_FIRSTHDR(&message);
    EXPECT(control != NULL);
    EXPECT_EQ(control->cmsg_type, SCM_CREDENTIALS);
    struct ucred *peer = (void *)CMSG_DATA(control);
    EXPECT_EQ(peer->pid, getpid());
    close_pair();
}

CHECK(messages_of_several_parts)
{
    char one[3] = "", two[8] = "";
    struct iovec out[2] = {{"scatter", 7}, {"ed", 2}}, in[2] = {{one, 2}, {two, 7}};
    struct msghdr send_header = {.msg_iov = out, .msg_iovlen = 2};
    struct msghdr recv_header = {.msg_iov = in, .msg_iovlen = 2};
    make_pair(SOCK_STREAM);
    EXPECT_EQ(sendmsg(a, &send_header, 0), 9);
    EXPECT_EQ(recvmsg(b, &recv_header, 0), 9);
    EXPECT_STR(one, "sc");
    EXPECT_STR(two, "attered");
    EXPECT_ERR(sendmsg(a, BAD_POINTER, 0), EFAULT);
    EXPECT_ERR(recvmsg(a, BAD_POINTER, 0), EFAULT);
    close_pair();
}

CHECK(many_messages_at_once)
{
    char text[2][4] = {"", ""};
    struct iovec out[2] = {{"ab", 2}, {"xyz", 3}}, in[2] = {{text[0], 3}, {text[1], 3}};
    struct mmsghdr many[2] = {{.msg_hdr = {.msg_iov = &out[0], .msg_iovlen = 1}},
                              {.msg_hdr = {.msg_iov = &out[1], .msg_iovlen = 1}}};
    make_pair(SOCK_DGRAM);
    EXPECT_EQ(sendmmsg(a, many, 2, 0), 2);
    EXPECT_EQ(many[1].msg_len, 3);
    many[0].msg_hdr.msg_iov = &in[0];
    many[1].msg_hdr.msg_iov = &in[1];
    EXPECT_EQ(recvmmsg(b, many, 2, 0, NULL), 2);
    EXPECT_STR(text[0], "ab");
    EXPECT_STR(text[1], "xyz");
    close_pair();
}

CHECK(socket_options)
{
    int value = -1, server;
    socklen_t length = sizeof value;
    struct timeval limit = {0, 20000};
    char byte;
    make_pair(SOCK_STREAM);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_TYPE, &value, &length));
    EXPECT_EQ(value, SOCK_STREAM);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_DOMAIN, &value, &length));
    EXPECT_EQ(value, AF_UNIX);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_ERROR, &value, &length));
    EXPECT_EQ(value, 0);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
    EXPECT_EQ(value, 0);
    EXPECT_OK(getsockopt(a, SOL_SOCKET, SO_SNDBUF, &value, &length));
    EXPECT(value > 4096);
    EXPECT_OK(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit));
    EXPECT_ERR(read(a, &byte, 1), EAGAIN);
    EXPECT_ERR(setsockopt(a, SOL_SOCKET, 7777, &value, sizeof value), ENOPROTOOPT);
    EXPECT_ERR(getsockopt(a, SOL_SOCKET, SO_TYPE, BAD_POINTER, &length), EFAULT);
    EXPECT_ERR(getsockopt(0, SOL_SOCKET, SO_TYPE, &value, &length), ENOTSOCK);
    server = listener("sock4", SOCK_STREAM);
    EXPECT_OK(getsockopt(server, SOL_SOCKET, SO_ACCEPTCONN, &value, &length));
    EXPECT_EQ(value, 1);
    close(server);
    close_pair();
}

CHECK(socket_is_no_file_to_open)
{
    struct stat st;
    int server = listener("sock5", SOCK_STREAM);
    EXPECT_OK(stat("sock5", &st));
    EXPECT(S_ISSOCK(st.st_mode));
    EXPECT_ERR(open("sock5", O_RDWR), ENXIO);
    EXPECT_OK(fstat(server, &st));
    EXPECT(S_ISSOCK(st.st_mode));
    EXPECT_ERR(lseek(server, 0, SEEK_SET), ESPIPE);
    close(server);
}

CHECK(accept_fills_the_address)
{
    struct sockaddr_un peer;
    socklen_t length = 3;
    int server = listener("sock6", SOCK_STREAM), client = connected("sock6", SOCK_STREAM);
    int conn = accept(server, (void *)&peer, &length);
    EXPECT(conn >= 0);
    EXPECT_EQ(length, sizeof(sa_family_t));
    EXPECT_ERR(accept(555, NULL, NULL), EBADF);
    EXPECT_ERR(accept(0, NULL, NULL), ENOTSOCK);
    EXPECT_ERR(accept(conn, NULL, NULL), EINVAL);
    close(conn);
    close(client);
    close(server);
}
