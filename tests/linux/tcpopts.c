// SPDX-License-Identifier: MIT
// Options of TCP with effect: how long something is tried, how much is taken, what is dropped. Over
// loopback; packets are lost by IP_MINTTL, which drops those with fewer hops left.
#include "inet.h"
#include <net/if.h>
#include <netinet/ip.h>
#include <stdint.h>
#include <sys/ioctl.h>

#define NOT_SENT 0x894b // SIOCOUTQNSD

static long now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int bytes(int fd, unsigned long what)
{
    int count = -1;
    return ioctl(fd, what, &count) ? -1 : count;
}

// Sends until there is no room; the bytes that were taken.
static long fill(int fd)
{
    static char data[65536];
    long sum = 0, sent;
    while ((sent = send(fd, data, sizeof data, MSG_DONTWAIT)) > 0)
        sum += sent;
    return sum;
}

// The state of the connection from this port, as /proc/net/tcp has it; -1: none.
static int state_of(unsigned port)
{
    char line[256];
    unsigned found, state, remote;
    int answer = -1;
    FILE *file = fopen("/proc/net/tcp", "r");
    while (file && fgets(line, sizeof line, file))
        if (sscanf(line, " %*u: %*x:%x %*x:%x %x", &found, &remote, &state) == 3 && found == port &&
            remote)
            answer = (int)state;
    if (file)
        fclose(file);
    return answer;
}

// ---- what is dropped ----

static void least_hops(int family, int level, int least, int hops)
{
    char byte;
    EXPECT(tcp_pair(family));
    EXPECT_OK(set_option(b, level, least, 100));
    EXPECT_EQ(get_option(b, level, least), 100);
    EXPECT_EQ(write(a, "x", 1), 1);
    usleep(50000);
    EXPECT_ERR(recv(b, &byte, 1, MSG_DONTWAIT), EAGAIN);
    EXPECT_OK(set_option(a, level, hops, 100)); // it comes again, from farther away
    EXPECT_EQ(wait_events(b, POLLIN), POLLIN);
    EXPECT_EQ(recv(b, &byte, 1, 0), 1);
    EXPECT_ERR(set_option(b, level, least, 256), EINVAL);
    EXPECT_ERR(set_option(b, level, least, -1), EINVAL);
    close_pair();
}

CHECK(least_hops_of_ipv4)
{
    least_hops(AF_INET, SOL_IP, IP_MINTTL, IP_TTL);
}

CHECK(least_hops_of_ipv6)
{
    least_hops(AF_INET6, SOL_IPV6, IPV6_MINHOPCOUNT, IPV6_UNICAST_HOPS);
}

// ---- how long something is tried ----

CHECK(connect_that_nobody_answers)
{
    int listener = listening(AF_INET, 5), fd = socket(AF_INET, SOCK_STREAM, 0);
    long begin, took;
    EXPECT_OK(set_option(listener, SOL_IP, IP_MINTTL, 255));
    EXPECT_OK(set_option(fd, SOL_TCP, TCP_SYNCNT, 1)); // sent again after 1 s, given up 2 s later
    begin = now_ms();
    EXPECT_ERR(connect_to(fd, AF_INET, local_port(listener)), ETIMEDOUT);
    took = now_ms() - begin;
    EXPECT(took >= 2800 && took < 5000);
    close(fd);
    close(listener);
}

CHECK(connect_is_answered_the_second_time)
{
    int listener = listening(AF_INET, 5), fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    long begin = now_ms();
    EXPECT_OK(set_option(listener, SOL_IP, IP_MINTTL, 255));
    EXPECT_ERR(connect_to(fd, AF_INET, local_port(listener)), EINPROGRESS);
    EXPECT_EQ(events_of(fd, POLLOUT), 0);
    EXPECT_OK(set_option(listener, SOL_IP, IP_MINTTL, 0));
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    EXPECT_EQ(poll(&one, 1, 5000), 1);
    EXPECT_EQ(one.revents, POLLOUT);
    EXPECT(now_ms() - begin >= 800 && now_ms() - begin < 2500);
    EXPECT_EQ(get_option(fd, SOL_SOCKET, SO_ERROR), 0);
    close(fd);
    close(listener);
}

CHECK(user_time_out_of_connect)
{
    int listener = listening(AF_INET, 5), fd = socket(AF_INET, SOCK_STREAM, 0);
    long begin, took;
    EXPECT_OK(set_option(listener, SOL_IP, IP_MINTTL, 255));
    EXPECT_OK(set_option(fd, SOL_TCP, TCP_USER_TIMEOUT, 1500));
    begin = now_ms();
    EXPECT_ERR(connect_to(fd, AF_INET, local_port(listener)), ETIMEDOUT);
    took = now_ms() - begin;
    EXPECT(took >= 1400 && took < 4000);
    close(fd);
    close(listener);
}

CHECK(user_time_out_of_data)
{
    char byte;
    long begin, took;
    EXPECT(tcp_pair(AF_INET));
    EXPECT_OK(set_option(a, SOL_TCP, TCP_USER_TIMEOUT, 1000));
    EXPECT_EQ(get_option(a, SOL_TCP, TCP_USER_TIMEOUT), 1000);
    EXPECT_EQ(write(a, "x", 1), 1); // arrives: the time counts from what does not
    usleep(700000);
    EXPECT_OK(set_option(b, SOL_IP, IP_MINTTL, 255));
    begin = now_ms();
    EXPECT_EQ(write(a, "x", 1), 1);
    EXPECT_ERR(read(a, &byte, 1), ETIMEDOUT);
    took = now_ms() - begin;
    EXPECT(took >= 900 && took < 3500);
    EXPECT_ERR(set_option(b, SOL_TCP, TCP_USER_TIMEOUT, -1), EINVAL);
    close_pair();
}

CHECK(user_time_out_of_a_closed_window)
{
    struct pollfd one = {.events = POLLERR};
    EXPECT(tcp_pair(AF_INET));
    EXPECT_OK(set_option(a, SOL_TCP, TCP_USER_TIMEOUT, 1000));
    fill(a); // nobody reads
    one.fd = a;
    long begin = now_ms();
    EXPECT_EQ(poll(&one, 1, 8000), 1);
    EXPECT(now_ms() - begin >= 700);
    EXPECT_EQ(get_option(a, SOL_SOCKET, SO_ERROR), ETIMEDOUT);
    close_pair();
}

// How long a closed end waits for the other one's.
CHECK(linger2)
{
    EXPECT(tcp_pair(AF_INET));
    unsigned port = local_port(a);
    EXPECT_OK(set_option(a, SOL_TCP, TCP_LINGER2, 1));
    EXPECT_EQ(get_option(a, SOL_TCP, TCP_LINGER2), 1);
    close(a);
    usleep(200000);
    EXPECT_EQ(state_of(port), 5); // FIN_WAIT2
    usleep(2500000);
    EXPECT_EQ(state_of(port), -1);
    close(b);
}

CHECK(no_linger2)
{
    EXPECT(tcp_pair(AF_INET));
    unsigned port = local_port(a);
    EXPECT_OK(set_option(a, SOL_TCP, TCP_LINGER2, -1));
    EXPECT_EQ(get_option(a, SOL_TCP, TCP_LINGER2), -1);
    close(a);
    usleep(300000);
    EXPECT_EQ(state_of(port), -1);
    close(b);
}

// ---- how much is taken ----

// The window in the answer to a SYN, as a packet socket sees it; -1.
static int answered_window(int sniffer, unsigned port)
{
    unsigned char packet[128];
    for (int i = 0; i < 50 && wait_events(sniffer, POLLIN) == POLLIN; i++) {
        long size = recv(sniffer, packet, sizeof packet, 0);
        unsigned char *tcp = packet + (packet[0] & 15) * 4;
        if (size >= 40 && packet[9] == IPPROTO_TCP && (tcp[0] << 8 | tcp[1]) == (int)port &&
            (tcp[13] & 0x12) == 0x12)
            return tcp[14] << 8 | tcp[15];
    }
    return -1;
}

CHECK(window_clamp)
{
    for (int clamped = 0; clamped < 2; clamped++) {
        int sniffer = socket(AF_PACKET, SOCK_DGRAM, htons(0x0800)),
            listener = listening(AF_INET, 5);
        if (clamped)
            EXPECT_OK(set_option(listener, SOL_TCP, TCP_WINDOW_CLAMP, 4000));
        EXPECT_EQ(get_option(listener, SOL_TCP, TCP_WINDOW_CLAMP), clamped ? 4000 : 0);
        a = socket(AF_INET, SOCK_STREAM, 0);
        EXPECT_OK(connect_to(a, AF_INET, local_port(listener)));
        int window = answered_window(sniffer, local_port(listener));
        EXPECT(clamped ? window > 0 && window <= 4000 : window > 30000);
        b = accept(listener, NULL, NULL);
        fill(a); // it counts from what was received, not from what was read
        usleep(100000);
        EXPECT(bytes(b, FIONREAD) > 30000);
        close_pair();
        close(listener);
        close(sniffer);
    }
}

CHECK(window_clamp_values)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(set_option(fd, SOL_TCP, TCP_WINDOW_CLAMP, 1));
    EXPECT_EQ(get_option(fd, SOL_TCP, TCP_WINDOW_CLAMP), 1152);
    close(fd);
    EXPECT(tcp_pair(AF_INET));
    EXPECT_ERR(set_option(a, SOL_TCP, TCP_WINDOW_CLAMP, 0), EINVAL);
    EXPECT_OK(set_option(a, SOL_TCP, TCP_WINDOW_CLAMP, 20000));
    close_pair();
}

CHECK(little_is_left_unsent)
{
    static char data[65536];
    EXPECT(tcp_pair(AF_INET));
    EXPECT_OK(set_option(a, SOL_TCP, TCP_NOTSENT_LOWAT, 4096));
    EXPECT_EQ(get_option(a, SOL_TCP, TCP_NOTSENT_LOWAT), 4096);
    EXPECT_EQ(events_of(a, POLLOUT), POLLOUT);
    fill(a);
    EXPECT_EQ(events_of(a, POLLOUT), 0);
    EXPECT(bytes(a, NOT_SENT) >= 2048 && bytes(a, NOT_SENT) < 140000);
    while (events_of(a, POLLOUT) == 0 && wait_events(b, POLLIN) == POLLIN)
        EXPECT(read(b, data, sizeof data) > 0);
    EXPECT_EQ(wait_events(a, POLLOUT), POLLOUT);
    EXPECT(bytes(a, NOT_SENT) < 4096);
    close_pair();
}

CHECK(small_receive_buffer_makes_a_small_window)
{
    int listener = listening(AF_INET, 5);
    EXPECT_OK(set_option(listener, SOL_SOCKET, SO_RCVBUF, 4096));
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(listener)));
    b = accept(listener, NULL, NULL);
    fill(a);
    usleep(100000);
    EXPECT(bytes(b, FIONREAD) <= 16384);
    close_pair();
    close(listener);
}

CHECK(end_behind_a_small_window)
{
    static char data[100000];
    int listener = listening(AF_INET, 5);
    EXPECT_OK(set_option(listener, SOL_SOCKET, SO_RCVBUF, 4096));
    a = socket(AF_INET, SOCK_STREAM, 0);
    EXPECT_OK(connect_to(a, AF_INET, local_port(listener)));
    b = accept(listener, NULL, NULL);
    EXPECT_EQ(send(a, data, sizeof data, 0), sizeof data);
    EXPECT_OK(close(a));
    long sum = 0, got;
    while ((got = recv(b, data, 1500, 0)) > 0)
        sum += got;
    EXPECT_EQ(got, 0);
    EXPECT_EQ(sum, sizeof data);
    close(b);
    close(listener);
}

// ---- addresses ----

CHECK(bind_to_an_address_of_nobody)
{
    union name name = loopback(AF_INET, 0);
    name.in.sin_addr.s_addr = htonl(0xc0000201); // 192.0.2.1
    for (int type = SOCK_STREAM; type <= SOCK_DGRAM; type++) {
        int fd = socket(AF_INET, type, 0);
        EXPECT_ERR(bind(fd, &name.any, sizeof name.in), EADDRNOTAVAIL);
        EXPECT_OK(set_option(fd, SOL_IP, IP_FREEBIND, 1));
        EXPECT_EQ(get_option(fd, SOL_IP, IP_FREEBIND), 1);
        EXPECT_OK(bind(fd, &name.any, sizeof name.in));
        EXPECT_EQ(local_name(fd).in.sin_addr.s_addr, name.in.sin_addr.s_addr);
        if (type == SOCK_STREAM)
            EXPECT_OK(listen(fd, 1));
        close(fd);
    }
}

// Datagrams over the MTU: in pieces, or not at all.
CHECK(no_pieces)
{
    static char data[4000];
    struct ifreq request = {.ifr_name = "lo"};
    int fd = bound(AF_INET, SOCK_DGRAM), mtu;
    union name name = loopback(AF_INET, local_port(fd));
    EXPECT_OK(ioctl(fd, SIOCGIFMTU, &request));
    mtu = request.ifr_mtu;
    request.ifr_mtu = 1500;
    EXPECT_OK(ioctl(fd, SIOCSIFMTU, &request));
    for (int way = IP_PMTUDISC_DONT; way <= IP_PMTUDISC_OMIT; way++) {
        bool pieces = way == IP_PMTUDISC_DONT || way == IP_PMTUDISC_WANT || way == IP_PMTUDISC_OMIT;
        int out = socket(AF_INET, SOCK_DGRAM, 0);
        EXPECT_OK(set_option(out, SOL_IP, IP_MTU_DISCOVER, way));
        EXPECT_EQ(sendto(out, data, 1472, 0, &name.any, sizeof name.in), 1472);
        errno = 0;
        long sent = sendto(out, data, 1473, 0, &name.any, sizeof name.in);
        if (sent != (pieces ? 1473 : -1) || (!pieces && errno != EMSGSIZE)) {
            request.ifr_mtu = mtu;
            ioctl(fd, SIOCSIFMTU, &request);
        }
        EXPECT_EQ(sent, pieces ? 1473 : -1);
        EXPECT(pieces || errno == EMSGSIZE);
        EXPECT_EQ(recv(fd, data, sizeof data, MSG_DONTWAIT), 1472);
        if (pieces)
            EXPECT_EQ(recv(fd, data, sizeof data, MSG_DONTWAIT), 1473);
        EXPECT_OK(connect(out, &name.any, sizeof name.in));
        sent = send(out, data, 1473, 0);
        EXPECT_EQ(sent, pieces ? 1473 : -1);
        recv(fd, data, sizeof data, MSG_DONTWAIT);
        close(out);
    }
    request.ifr_mtu = mtu;
    EXPECT_OK(ioctl(fd, SIOCSIFMTU, &request));
    close(fd);
}

// ---- two that connect to each other ----

CHECK(connected_to_itself)
{
    char text[8] = "";
    for (int six = 0; six < 2; six++) {
        int family = six ? AF_INET6 : AF_INET, fd = bound(family, SOCK_STREAM);
        EXPECT_OK(connect_to(fd, family, local_port(fd)));
        EXPECT_EQ(write(fd, "myself", 6), 6);
        EXPECT_EQ(recv(fd, text, sizeof text, 0), 6);
        EXPECT(!memcmp(text, "myself", 6));
        EXPECT_OK(shutdown(fd, SHUT_WR));
        EXPECT_EQ(recv(fd, text, sizeof text, 0), 0);
        close(fd);
    }
}

CHECK(both_connect)
{
    char text[8] = "";
    int one = bound(AF_INET, SOCK_STREAM), other = bound(AF_INET, SOCK_STREAM);
    unsigned port = local_port(one), other_port = local_port(other);
    close(other);
    fcntl(one, F_SETFL, O_NONBLOCK);
    EXPECT_OK(set_option(one, SOL_IP, IP_MINTTL, 255)); // hears no refusal
    EXPECT_ERR(connect_to(one, AF_INET, other_port), EINPROGRESS);
    EXPECT_OK(set_option(one, SOL_IP, IP_MINTTL, 0));
    other = socket(AF_INET, SOCK_STREAM, 0);
    union name name = loopback(AF_INET, other_port);
    EXPECT_OK(set_option(other, SOL_SOCKET, SO_REUSEADDR, 1));
    EXPECT_OK(bind(other, &name.any, sizeof name.in));
    EXPECT_OK(connect_to(other, AF_INET, port));
    EXPECT_EQ(wait_events(one, POLLOUT), POLLOUT);
    EXPECT_EQ(get_option(one, SOL_SOCKET, SO_ERROR), 0);
    EXPECT_EQ(write(one, "there", 5), 5);
    EXPECT_EQ(recv(other, text, sizeof text, 0), 5);
    EXPECT_EQ(write(other, "back", 4), 4);
    EXPECT_EQ(wait_events(one, POLLIN), POLLIN);
    EXPECT_EQ(recv(one, text, sizeof text, 0), 4);
    close(one);
    close(other);
}

// ---- the MTU of an interface, as root ----

static int set_mtu(const char *name, int mtu)
{
    struct ifreq request = {.ifr_mtu = mtu};
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    strcpy(request.ifr_name, name);
    int result = ioctl(fd, SIOCSIFMTU, &request);
    close(fd);
    return result;
}

static unsigned segment_size(int fd)
{
    struct tcp_info info = {0};
    socklen_t size = sizeof info;
    getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &size);
    return info.tcpi_snd_mss;
}

// Bytes from a to b: whether all of them arrive.
static bool moves(size_t size)
{
    static char out[65536], in[65536];
    memset(out, 's', sizeof out);
    return send(a, out, size, 0) == (long)size && recv(b, in, size, MSG_WAITALL) == (long)size &&
           memcmp(in, out, size) == 0;
}

CHECK(a_lower_mtu_is_taken)
{
    for (int family = AF_INET; family <= AF_INET6; family += AF_INET6 - AF_INET) {
        unsigned headers = family == AF_INET ? 40 : 60;
        EXPECT(tcp_pair(family));
        EXPECT(moves(60000));
        unsigned before = segment_size(a);
        EXPECT_EQ(set_mtu("lo", 1400), 0);
        EXPECT(moves(60000));
        unsigned now = segment_size(a); // without the 12 bytes of timestamps
        EXPECT(now < before && (now == 1400 - headers - 12 || now == 1400 - headers));
        EXPECT_EQ(get_option(a, IPPROTO_TCP, TCP_MAXSEG), (int)now);
        EXPECT(moves(100));
        EXPECT_EQ(set_mtu("lo", 65536), 0);
        EXPECT(moves(60000));
        close_pair();
    }
}
