// SPDX-License-Identifier: MIT
// AF_VSOCK within the machine (VMADDR_CID_LOCAL): streams and packets in sequence. On Linux the
// module vsock_loopback is needed.
#include "check.h"
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <linux/vm_sockets.h>

#define PORT 4321

static int a, b; // the ends of a connection; a has connected

static struct sockaddr_vm name_of(unsigned cid, unsigned port)
{
    return (struct sockaddr_vm){.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port};
}

static int with_name(int (*call)(int, const struct sockaddr *, socklen_t), int fd, unsigned cid,
                     unsigned port)
{
    struct sockaddr_vm name = name_of(cid, port);
    return call(fd, (struct sockaddr *)&name, sizeof name);
}

static int listening(int type, int backlog)
{
    int fd = socket(AF_VSOCK, type, 0);
    if (with_name(bind, fd, VMADDR_CID_ANY, PORT) || listen(fd, backlog))
        return -1;
    return fd;
}

static bool connected_pair(int type)
{
    int listener = listening(type, 5);
    a = socket(AF_VSOCK, type, 0);
    if (listener < 0 || with_name(connect, a, VMADDR_CID_LOCAL, PORT))
        return false;
    b = accept(listener, NULL, NULL);
    close(listener);
    return b >= 0;
}

static void close_pair(void)
{
    close(a);
    close(b);
}

#define NEED_VSOCK                              \
    do {                                        \
        int fd_ = listening(SOCK_STREAM, 1);    \
        if (fd_ < 0)                            \
            SKIP("the kernel has no AF_VSOCK"); \
        close(fd_);                             \
    } while (0)

CHECK(kinds)
{
    NEED_VSOCK;
    EXPECT_ERR(socket(AF_VSOCK, SOCK_RAW, 0), ESOCKTNOSUPPORT);
    EXPECT_ERR(socket(AF_VSOCK, SOCK_STREAM, 1), EPROTONOSUPPORT);
    int fd = socket(AF_VSOCK, SOCK_SEQPACKET, AF_VSOCK);
    EXPECT(fd >= 0);
    close(fd);
    int pair[2];
    EXPECT_ERR(socketpair(AF_VSOCK, SOCK_STREAM, 0, pair), EOPNOTSUPP);
}

CHECK(names)
{
    NEED_VSOCK;
    struct sockaddr_vm name;
    socklen_t size = sizeof name;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    EXPECT_OK(getsockname(fd, (struct sockaddr *)&name, &size));
    EXPECT_EQ(size, 16);
    EXPECT_EQ(name.svm_cid, VMADDR_CID_ANY);
    EXPECT_EQ(name.svm_port, VMADDR_PORT_ANY);
    EXPECT_ERR(getpeername(fd, (struct sockaddr *)&name, &size), ENOTCONN);
    EXPECT_ERR(listen(fd, 1), EINVAL);
    EXPECT_ERR(with_name(bind, fd, 12345, PORT), EADDRNOTAVAIL);
    name = name_of(VMADDR_CID_ANY, PORT);
    EXPECT_ERR(bind(fd, (struct sockaddr *)&name, 15), EINVAL);
    name.svm_family = AF_UNIX;
    EXPECT_ERR(bind(fd, (struct sockaddr *)&name, 16), EINVAL);
    EXPECT_OK(with_name(bind, fd, VMADDR_CID_ANY, VMADDR_PORT_ANY));
    EXPECT_ERR(with_name(bind, fd, VMADDR_CID_ANY, PORT), EINVAL);
    size = sizeof name;
    EXPECT_OK(getsockname(fd, (struct sockaddr *)&name, &size));
    EXPECT(name.svm_port >= 1024);
    int other = socket(AF_VSOCK, SOCK_STREAM, 0);
    EXPECT_ERR(with_name(bind, other, VMADDR_CID_LOCAL, name.svm_port), EADDRINUSE);
    close(fd);
    close(other);
}

CHECK(names_of_a_connection)
{
    NEED_VSOCK;
    struct sockaddr_vm name;
    socklen_t size = sizeof name;

    EXPECT(connected_pair(SOCK_STREAM));
    EXPECT_OK(getpeername(a, (struct sockaddr *)&name, &size));
    EXPECT_EQ(name.svm_cid, VMADDR_CID_LOCAL);
    EXPECT_EQ(name.svm_port, PORT);
    EXPECT_OK(getpeername(b, (struct sockaddr *)&name, &size));
    EXPECT_EQ(name.svm_cid, VMADDR_CID_LOCAL);
    EXPECT_OK(getsockname(b, (struct sockaddr *)&name, &size));
    EXPECT_EQ(name.svm_cid, VMADDR_CID_LOCAL);
    EXPECT_EQ(name.svm_port, PORT);
    EXPECT_ERR(with_name(connect, a, VMADDR_CID_LOCAL, PORT), EISCONN);
    close_pair();
}

CHECK(nobody_listens)
{
    NEED_VSOCK;
    char byte = 0;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);

    EXPECT_ERR(with_name(connect, fd, VMADDR_CID_LOCAL, 999999), ECONNRESET);
    EXPECT_ERR(send(fd, &byte, 1, MSG_NOSIGNAL), ENOTCONN);
    EXPECT_ERR(recv(fd, &byte, 1, 0), ENOTCONN);
    EXPECT_ERR(shutdown(fd, SHUT_RDWR), ENOTCONN);
    EXPECT_ERR(accept(fd, NULL, NULL), EINVAL);
    close(fd);
}

CHECK(bytes_both_ways)
{
    NEED_VSOCK;
    char text[32] = "";

    EXPECT(connected_pair(SOCK_STREAM));
    EXPECT_EQ(write(a, "hello ", 6), 6);
    EXPECT_EQ(write(a, "there", 5), 5);
    EXPECT_EQ(recv(b, text, 4, MSG_PEEK), 4);
    EXPECT_EQ(recv(b, text, 11, MSG_WAITALL), 11);
    EXPECT(!memcmp(text, "hello there", 11));
    EXPECT_ERR(recv(b, text, 1, MSG_DONTWAIT), EAGAIN);
    EXPECT_EQ(send(b, "back", 4, 0), 4);
    EXPECT_EQ(read(a, text, sizeof text), 4);
    EXPECT_ERR(send(a, "x", 1, MSG_OOB), EOPNOTSUPP);
    struct sockaddr_vm name = name_of(VMADDR_CID_LOCAL, PORT);
    EXPECT_ERR(sendto(a, "x", 1, 0, (struct sockaddr *)&name, sizeof name), EISCONN);
    close_pair();
}

static int events_of(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT | POLLRDHUP};
    poll(&one, 1, 1000);
    return one.revents;
}

CHECK(ends)
{
    NEED_VSOCK;
    char text[8];

    EXPECT(connected_pair(SOCK_STREAM));
    EXPECT_EQ(events_of(a), POLLOUT);
    EXPECT_EQ(write(a, "last", 4), 4);
    EXPECT_OK(shutdown(a, SHUT_WR));
    EXPECT_ERR(send(a, "x", 1, MSG_NOSIGNAL), EPIPE);
    usleep(100000);
    EXPECT_EQ(events_of(b), POLLIN | POLLOUT | POLLRDHUP);
    EXPECT_EQ(read(b, text, 8), 4);
    EXPECT_EQ(read(b, text, 8), 0);
    EXPECT_EQ(write(b, "still", 5), 5);
    EXPECT_EQ(read(a, text, 8), 5);
    close(a);
    usleep(100000);
    EXPECT_ERR(send(b, "x", 1, MSG_NOSIGNAL), EPIPE);
    EXPECT_EQ(read(b, text, 8), 0);
    close(b);
}

CHECK(waits_and_does_not_wait)
{
    NEED_VSOCK;
    struct timeval time = {.tv_usec = 50000};
    static char data[65536];
    long sum = 0, moved;
    char byte;
    int fd = listening(SOCK_STREAM, 1);

    EXPECT_OK(fcntl(fd, F_SETFL, O_NONBLOCK));
    EXPECT_ERR(accept(fd, NULL, NULL), EAGAIN);
    close(fd);
    EXPECT(connected_pair(SOCK_STREAM));
    EXPECT_OK(setsockopt(a, SOL_SOCKET, SO_RCVTIMEO, &time, sizeof time));
    EXPECT_ERR(recv(a, &byte, 1, 0), EAGAIN);
    while ((moved = send(a, data, sizeof data, MSG_DONTWAIT)) > 0)
        sum += moved;
    EXPECT_EQ(errno, EAGAIN);
    EXPECT_EQ(sum, 262144);
    EXPECT_EQ(events_of(a), 0);
    for (int i = 0; i < 4; i++)
        EXPECT_EQ(recv(b, data, sizeof data, MSG_WAITALL), (long)sizeof data);
    EXPECT_EQ(events_of(a), POLLOUT);
    close_pair();
}

static void *send_much(void *count)
{
    static char data[10000];
    long left = *(long *)count;

    for (long at = 0; left > 0; at++) {
        for (unsigned i = 0; i < sizeof data; i++)
            data[i] = (char)(at + i);
        long moved = write(a, data, sizeof data);
        if (moved != (long)sizeof data)
            break;
        left -= moved;
    }
    shutdown(a, SHUT_WR);
    return NULL;
}

CHECK(much)
{
    NEED_VSOCK;
    static char data[7777];
    long count = 5000000, sum = 0, moved;
    bool right = true;
    pthread_t sender;

    EXPECT(connected_pair(SOCK_STREAM));
    EXPECT(!pthread_create(&sender, NULL, send_much, &count));
    while ((moved = read(b, data, sizeof data)) > 0) {
        for (long i = 0; i < moved; i++)
            right = right && data[i] == (char)((sum + i) / 10000 + (sum + i) % 10000);
        sum += moved;
    }
    pthread_join(sender, NULL);
    EXPECT_EQ(moved, 0);
    EXPECT_EQ(sum, count);
    EXPECT(right);
    close_pair();
}

CHECK(packets)
{
    NEED_VSOCK;
    static char data[50000];
    struct iovec piece = {data, 4};
    struct msghdr message = {.msg_iov = &piece, .msg_iovlen = 1};

    EXPECT(connected_pair(SOCK_SEQPACKET));
    EXPECT_EQ(send(a, data, sizeof data, 0), (long)sizeof data);
    EXPECT_EQ(send(a, "second", 6, MSG_EOR), 6);
    EXPECT_EQ(send(a, "third", 5, 0), 5);
    EXPECT_EQ(recv(b, data, sizeof data, 0), (long)sizeof data);
    EXPECT_EQ(recvmsg(b, &message, 0), 4);
    EXPECT_EQ(message.msg_flags & (MSG_EOR | MSG_TRUNC), MSG_EOR | MSG_TRUNC);
    EXPECT_EQ(recv(b, data, 2, MSG_TRUNC), 5);
    EXPECT_ERR(recv(b, data, 2, MSG_DONTWAIT), EAGAIN);
    close(a);
    usleep(100000);
    EXPECT_EQ(recv(b, data, 2, 0), 0);
    close(b);
}

CHECK(options)
{
    NEED_VSOCK;
    int fd = socket(AF_VSOCK, SOCK_STREAM, 0);
    struct timeval time = {.tv_sec = 7};
    socklen_t size = 8, time_size = sizeof time;
    uint64_t number = 0;

    EXPECT_OK(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &number, &size));
    EXPECT_EQ(number, 262144);
    EXPECT_OK(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_MIN_SIZE, &number, &size));
    EXPECT_EQ(number, 128);
    number = 1;
    EXPECT_OK(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &number, 8));
    EXPECT_OK(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &number, &size));
    EXPECT_EQ(number, 128);
    EXPECT_ERR(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_BUFFER_SIZE, &number, 4), EINVAL);
    EXPECT_ERR(setsockopt(fd, AF_VSOCK, 99, &number, 8), ENOPROTOOPT);
    EXPECT_OK(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &time, sizeof time));
    memset(&time, 0, sizeof time);
    EXPECT_OK(getsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &time, &time_size));
    EXPECT_EQ(time.tv_sec, 7);
    time.tv_usec = 1000000;
    EXPECT_ERR(setsockopt(fd, AF_VSOCK, SO_VM_SOCKETS_CONNECT_TIMEOUT, &time, sizeof time), ERANGE);
    close(fd);
}

CHECK(backlog)
{
    NEED_VSOCK;
    int listener = listening(SOCK_STREAM, 1), fd[3];

    for (int i = 0; i < 3; i++)
        fd[i] = socket(AF_VSOCK, SOCK_STREAM, 0);
    EXPECT_OK(with_name(connect, fd[0], VMADDR_CID_LOCAL, PORT));
    EXPECT_OK(with_name(connect, fd[1], VMADDR_CID_LOCAL, PORT));
    EXPECT_ERR(with_name(connect, fd[2], VMADDR_CID_LOCAL, PORT), ECONNRESET);
    EXPECT_EQ(events_of(listener), POLLIN);
    close(listener); // those that were not accepted end
    usleep(100000);
    char byte;
    EXPECT_EQ(recv(fd[0], &byte, 1, 0), 0);
    for (int i = 0; i < 3; i++)
        close(fd[i]);
}

CHECK(local_cid)
{
    NEED_VSOCK;
    unsigned cid = 0;
    int fd = open("/dev/vsock", O_RDONLY);

    EXPECT(fd >= 0);
    EXPECT_OK(ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid));
    EXPECT_EQ(cid, VMADDR_CID_LOCAL);
    close(fd);
}
