/* SPDX-License-Identifier: MIT */
/*
 * The guest's side of test_ports.py: echoes two terminals and two named ports at once, each until
 * COUNT bytes have come back twice, with the other end closed and opened again in between. First it
 * looks what Linux does (virtio_console.c there) while nobody is at the other end.
 *
 *     ports COUNT [unplug]     unplug: afterwards the host takes port "beta" away and adds it again
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#define COUNT 4

struct end {
    const char *path;
    int fd;
    long done;
    char buffer[3000];
    size_t at, size;
};

static struct end end[COUNT] = {
    {"/dev/hvc0"}, {"/dev/hvc1"}, {"/dev/virtio-ports/alpha"}, {"/dev/virtio-ports/beta"}};

static void check(int holds, const char *what)
{
    if (holds)
        return;
    printf("failed: %s (errno %d)\n", what, errno);
    exit(1);
}

static int events_of(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLIN | POLLOUT};

    check(poll(&one, 1, 0) >= 0, "poll");
    return one.revents;
}

static void check_name(const char *port, const char *name)
{
    char path[64], text[32] = "", wanted[32];
    int fd;

    snprintf(path, sizeof(path), "/sys/class/virtio-ports/%s/name", port);
    snprintf(wanted, sizeof(wanted), "%s\n", name);
    fd = open(path, O_RDONLY);
    check(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, path);
    check(strcmp(text, wanted) == 0, "the name of a port");
    close(fd);
}

static void open_all(void)
{
    struct termios mode;
    char byte = 0;

    for (int i = 0; i < COUNT; i++) {
        end[i].fd = open(end[i].path, O_RDWR | O_NONBLOCK | O_NOCTTY);
        check(end[i].fd >= 0, end[i].path);
        if (i < 2) {
            check(tcgetattr(end[i].fd, &mode) == 0, "tcgetattr");
            check(mode.c_lflag & ICANON, "it starts with lines");
            cfmakeraw(&mode);
            check(tcsetattr(end[i].fd, TCSANOW, &mode) == 0, "tcsetattr");
            continue;
        }
        check(tcgetattr(end[i].fd, &mode) == -1 && errno == ENOTTY, "a port is no terminal");
        check(open(end[i].path, O_RDWR) == -1 && errno == EBUSY, "open it twice");
        check(read(end[i].fd, &byte, 1) == 0, "read with nobody at the other end");
        check(write(end[i].fd, &byte, 1) == -1 && errno == EAGAIN, "write to nobody");
        check(events_of(end[i].fd) == (POLLIN | POLLHUP), "poll with nobody at the other end");
    }
    check(open("/dev/vport0p0", O_RDWR) == -1, "a terminal's port is no file");
}

/* What came goes back. */
static void serve(struct end *e)
{
    ssize_t moved;

    if (e->size == 0) {
        moved = read(e->fd, e->buffer, sizeof(e->buffer));
        if (moved > 0)
            e->size = (size_t)moved;
        else
            check(moved == 0 || errno == EAGAIN, "read");
    }
    while (e->at < e->size) {
        moved = write(e->fd, e->buffer + e->at, e->size - e->at);
        if (moved < 0 && errno == EAGAIN)
            return;
        check(moved > 0, "write");
        e->at += (size_t)moved;
        e->done += moved;
    }
    e->at = e->size = 0;
}

static void echo(long count)
{
    for (;;) {
        struct pollfd fds[COUNT];
        int left = 0, closed = 0;

        for (int i = 0; i < COUNT; i++) {
            fds[i] = (struct pollfd){.fd = end[i].done < 2 * count ? end[i].fd : -1,
                                     .events = end[i].size != 0 ? POLLOUT : POLLIN};
            left += end[i].done < 2 * count;
        }
        if (left == 0)
            return;
        check(poll(fds, COUNT, 20000) > 0, "something within 20 seconds");
        for (int i = 0; i < COUNT; i++) {
            if (fds[i].revents != 0)
                serve(&end[i]);
            closed += (fds[i].revents & POLLHUP) != 0;
        }
        if (closed != 0)
            usleep(2000); /* until the other end comes */
    }
}

/* As on Linux: the open file is dead; the port that comes in its place is a new one. */
static void unplug(void)
{
    struct end *e = &end[3];
    char byte;

    printf("unplug\n");
    fflush(stdout);
    for (int i = 0; events_of(e->fd) != POLLHUP; i++) {
        check(i < 1000, "POLLHUP of a port that is gone");
        usleep(10000);
    }
    check(read(e->fd, &byte, 1) == -1 && errno == ENODEV, "read from a port that is gone");
    check(write(e->fd, &byte, 1) == -1 && errno == ENODEV, "write to a port that is gone");
    check(open(e->path, O_RDWR) == -1 && (errno == ENXIO || errno == ENOENT), "open what is gone");
    printf("plug\n");
    fflush(stdout);
    for (int i = 0; (e->fd = open(e->path, O_RDWR)) < 0; i++) {
        check(i < 1000, "the port that was added");
        usleep(10000);
    }
    for (int i = 0; read(e->fd, &byte, 1) != 1; i++) {
        check(i < 1000, "a byte of the new port");
        usleep(10000); /* 0: nobody is at the other end yet */
    }
    check(write(e->fd, &byte, 1) == 1, "a byte to the new port");
}

int main(int argc, char **argv)
{
    open_all();
    check_name("vport0p2", "alpha");
    check_name("vport0p3", "beta");
    printf("waiting\n");
    fflush(stdout);
    echo(atol(argv[1]));
    if (argc > 2)
        unplug();
    printf("done\n");
    return 0;
}
