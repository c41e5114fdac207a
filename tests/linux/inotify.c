// SPDX-License-Identifier: MIT
// inotify(7): what is told of files and directories, in which order, and how watches end.
#include "check.h"
#include <poll.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/ioctl.h>
#include <sys/mount.h>

static const struct {
    uint32_t bit;
    const char *name;
} bits[] = {
    {IN_ACCESS, "ACCESS"},           {IN_MODIFY, "MODIFY"},
    {IN_ATTRIB, "ATTRIB"},           {IN_CLOSE_WRITE, "CLOSE_WRITE"},
    {IN_CLOSE_NOWRITE, "CLOSE"},     {IN_OPEN, "OPEN"},
    {IN_MOVED_FROM, "FROM"},         {IN_MOVED_TO, "TO"},
    {IN_CREATE, "CREATE"},           {IN_DELETE, "DELETE"},
    {IN_DELETE_SELF, "DELETE_SELF"}, {IN_MOVE_SELF, "MOVE_SELF"},
    {IN_UNMOUNT, "UNMOUNT"},         {IN_Q_OVERFLOW, "OVERFLOW"},
    {IN_IGNORED, "IGNORED"},         {IN_ISDIR, "DIR"},
};

// Everything that is queued, as "WD BITS[ NAME]; ..."; moves of one cookie end in the same "#N".
static const char *events(int fd)
{
    static char text[8192];
    static char buffer[65536] __attribute__((aligned(8)));
    uint32_t cookies[50];
    unsigned cookie_count = 0;
    size_t used = 0;
    ssize_t length;
    text[0] = 0;
    while ((length = read(fd, buffer, sizeof buffer)) > 0) {
        for (char *at = buffer; at < buffer + length && used < sizeof text - 600;) {
            struct inotify_event *event = (struct inotify_event *)at;
            const char *separator = "";
            used += (size_t)sprintf(text + used, "%s%d ", used ? "; " : "", event->wd);
            for (unsigned i = 0; i < ARRAY_SIZE(bits); i++) {
                if (!(event->mask & bits[i].bit))
                    continue;
                used += (size_t)sprintf(text + used, "%s%s", separator, bits[i].name);
                separator = "|";
            }
            if (event->len)
                used += (size_t)sprintf(text + used, " %s", event->name);
            if (event->cookie) {
                unsigned i = 0;
                while (i < cookie_count && cookies[i] != event->cookie)
                    i++;
                if (i == cookie_count && cookie_count < 50)
                    cookies[cookie_count++] = event->cookie;
                used += (size_t)sprintf(text + used, " #%u", i + 1);
            }
            at += sizeof *event + event->len;
        }
    }
    return text;
}

static int fresh_file(const char *name)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (fd >= 0)
        close(fd);
    return fd;
}

CHECK(inotify_arguments)
{
    EXPECT_ERR(inotify_init1(1), EINVAL);
    int fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), ends[2];
    EXPECT(fd >= 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    EXPECT_OK(pipe(ends));
    fresh_file("file");
    EXPECT_ERR(inotify_add_watch(fd, "file", 0), EINVAL);
    EXPECT_ERR(inotify_add_watch(fd, "nothing", IN_OPEN), ENOENT);
    EXPECT_ERR(inotify_add_watch(fd, "file/x", IN_OPEN), ENOTDIR);
    EXPECT_ERR(inotify_add_watch(fd, BAD_POINTER, IN_OPEN), EFAULT);
    EXPECT_ERR(inotify_add_watch(fd, "file", IN_OPEN | IN_ONLYDIR), ENOTDIR);
    EXPECT_ERR(inotify_add_watch(fd, "file", IN_OPEN | IN_MASK_ADD | IN_MASK_CREATE), EINVAL);
    EXPECT_ERR(inotify_add_watch(ends[0], "file", IN_OPEN), EINVAL);
    EXPECT_ERR(inotify_add_watch(-1, "file", IN_OPEN), EBADF);
    EXPECT_ERR(inotify_rm_watch(ends[0], 1), EINVAL);
    EXPECT_ERR(inotify_rm_watch(-1, 1), EBADF);
    EXPECT_ERR(inotify_rm_watch(fd, 1), EINVAL);
    char byte;
    EXPECT_ERR(read(fd, &byte, 1), EAGAIN);
    EXPECT_ERR(write(fd, "x", 1), EBADF);
    close(fd);
    close(ends[0]);
    close(ends[1]);
}

CHECK(inotify_of_a_file)
{
    char byte[4];
    int fd = inotify_init1(IN_NONBLOCK);
    fresh_file("file");
    EXPECT_EQ(inotify_add_watch(fd, "file", IN_ALL_EVENTS), 1);
    int file = open("file", O_RDWR);
    EXPECT_EQ(write(file, "abc", 3), 3);
    EXPECT_EQ(pread(file, byte, 3, 0), 3);
    EXPECT_EQ(read(file, byte, 3), 0); // the end is no access
    EXPECT_OK(fchmod(file, 0600));
    EXPECT_OK(ftruncate(file, 1));
    close(file);
    EXPECT_STR(events(fd), "1 OPEN; 1 MODIFY; 1 ACCESS; 1 ATTRIB; 1 MODIFY; 1 CLOSE_WRITE");
    close(open("file", O_RDONLY));
    EXPECT_STR(events(fd), "1 OPEN; 1 CLOSE");
    close(open("file", O_WRONLY | O_TRUNC));
    EXPECT_STR(events(fd), "1 MODIFY; 1 OPEN; 1 CLOSE_WRITE");
    EXPECT_OK(truncate("file", 100));
    EXPECT_OK(chown("file", 0, 0));
    EXPECT_OK(utimensat(AT_FDCWD, "file", NULL, 0));
    EXPECT_OK(link("file", "link"));
    EXPECT_OK(unlink("link"));
    EXPECT_STR(events(fd), "1 MODIFY; 1 ATTRIB"); // equal ones behind one another are told once
    EXPECT_OK(rename("file", "moved"));
    EXPECT_STR(events(fd), "1 MOVE_SELF");
    EXPECT_OK(unlink("moved"));
    EXPECT_STR(events(fd), "1 ATTRIB; 1 DELETE_SELF; 1 IGNORED");
    EXPECT_ERR(inotify_rm_watch(fd, 1), EINVAL);
    close(fd);
}

CHECK(inotify_of_a_directory)
{
    char byte[4];
    int fd = inotify_init1(IN_NONBLOCK);
    EXPECT_OK(mkdir("d", 0755));
    EXPECT_EQ(inotify_add_watch(fd, "d", IN_ALL_EVENTS), 1);
    int file = open("d/file", O_RDWR | O_CREAT, 0644);
    EXPECT_EQ(write(file, "abc", 3), 3);
    EXPECT_EQ(pread(file, byte, 3, 0), 3);
    close(file);
    EXPECT_STR(events(fd), "1 CREATE file; 1 OPEN file; 1 MODIFY file; 1 ACCESS file; "
                           "1 CLOSE_WRITE file");
    EXPECT_OK(mkdir("d/sub", 0755));
    EXPECT_OK(symlink("file", "d/symlink"));
    EXPECT_OK(link("d/file", "d/link"));
    EXPECT_OK(mkfifo("d/fifo", 0600));
    EXPECT_STR(events(fd), "1 CREATE|DIR sub; 1 CREATE symlink; 1 CREATE link; "
                           "1 CREATE fifo");
    EXPECT_OK(chmod("d/sub", 0700));
    EXPECT_OK(chmod("d/file", 0600));
    EXPECT_OK(chmod("d", 0700));
    EXPECT_STR(events(fd), "1 ATTRIB|DIR sub; 1 ATTRIB file; 1 ATTRIB|DIR");
    int dir = open("d", O_RDONLY | O_DIRECTORY);
    char entries[1024];
    EXPECT(syscall(SYS_getdents64, dir, entries, sizeof entries) > 0);
    close(dir);
    EXPECT_STR(events(fd), "1 OPEN|DIR; 1 ACCESS|DIR; 1 CLOSE|DIR");
    EXPECT_OK(unlink("d/link"));
    EXPECT_OK(unlink("d/symlink"));
    EXPECT_OK(unlink("d/fifo"));
    EXPECT_OK(rmdir("d/sub"));
    EXPECT_OK(unlink("d/file"));
    EXPECT_STR(events(fd),
               "1 DELETE link; 1 DELETE symlink; 1 DELETE fifo; 1 DELETE|DIR sub; 1 DELETE file");
    EXPECT_OK(rename("d", "e"));
    EXPECT_OK(rmdir("e"));
    EXPECT_STR(events(fd), "1 MOVE_SELF; 1 DELETE_SELF; 1 IGNORED");
    close(fd);
}

CHECK(inotify_moves)
{
    int fd = inotify_init1(IN_NONBLOCK);
    EXPECT_OK(mkdir("a", 0755));
    EXPECT_OK(mkdir("b", 0755));
    fresh_file("a/one");
    fresh_file("a/two");
    EXPECT_EQ(inotify_add_watch(fd, "a", IN_ALL_EVENTS), 1);
    EXPECT_EQ(inotify_add_watch(fd, "b", IN_ALL_EVENTS), 2);
    EXPECT_EQ(inotify_add_watch(fd, "a/one", IN_ALL_EVENTS), 3);
    EXPECT_EQ(inotify_add_watch(fd, "a/two", IN_ALL_EVENTS), 4);
    EXPECT_OK(rename("a/one", "a/three"));
    EXPECT_STR(events(fd), "1 FROM one #1; 1 TO three #1; 3 MOVE_SELF");
    EXPECT_OK(rename("a/three", "b/one"));
    EXPECT_OK(rename("b/one", "a/one"));
    EXPECT_STR(events(fd), "1 FROM three #1; 2 TO one #1; 3 MOVE_SELF; "
                           "2 FROM one #2; 1 TO one #2; 3 MOVE_SELF");
    EXPECT_OK(rename("a/one", "a/two")); // which goes
    EXPECT_STR(events(fd), "1 FROM one #1; 1 TO two #1; 4 ATTRIB; 3 MOVE_SELF; 4 DELETE_SELF; "
                           "4 IGNORED");
    EXPECT_OK(mkdir("a/sub", 0755));
    EXPECT_OK(rename("a/sub", "outside"));
    EXPECT_STR(events(fd), "1 CREATE|DIR sub; 1 FROM|DIR sub #1");
    EXPECT_OK(rename("outside", "b/inside"));
    EXPECT_STR(events(fd), "2 TO|DIR inside #1");
    EXPECT_OK(syscall(SYS_renameat2, AT_FDCWD, "a/two", AT_FDCWD, "b/inside", 2 /* EXCHANGE */));
    EXPECT_STR(events(fd), "1 FROM two #1; 2 TO inside #1; 3 MOVE_SELF; 2 FROM|DIR inside #2; "
                           "1 TO|DIR two #2");
    EXPECT_OK(rmdir("a/two"));
    EXPECT_OK(unlink("b/inside"));
    close(fd);
    rmdir("a");
    rmdir("b");
}

CHECK(inotify_open_files_outlive_their_names)
{
    int fd = inotify_init1(IN_NONBLOCK), file = open("held", O_RDWR | O_CREAT, 0644);
    EXPECT_EQ(inotify_add_watch(fd, "held", IN_ALL_EVENTS), 1);
    EXPECT_OK(unlink("held"));
    EXPECT_EQ(write(file, "x", 1), 1);
    EXPECT_STR(events(fd), "1 ATTRIB; 1 MODIFY");
    close(file);
    EXPECT_STR(events(fd), "1 CLOSE_WRITE; 1 DELETE_SELF; 1 IGNORED");
    close(fd);
}

CHECK(inotify_excl_unlink)
{
    static const uint32_t masks[] = {IN_MODIFY, IN_MODIFY | IN_EXCL_UNLINK};
    static const char *const told[] = {"1 MODIFY gone", ""};
    for (int i = 0; i < 2; i++) {
        int fd = inotify_init1(IN_NONBLOCK);
        mkdir("x", 0755);
        int file = open("x/gone", O_RDWR | O_CREAT, 0644);
        EXPECT_EQ(inotify_add_watch(fd, "x", masks[i]), 1);
        EXPECT_OK(unlink("x/gone"));
        EXPECT_EQ(write(file, "x", 1), 1);
        EXPECT_STR(events(fd), told[i]);
        close(file);
        close(fd);
    }
    rmdir("x");
}

CHECK(inotify_oneshot)
{
    int fd = inotify_init1(IN_NONBLOCK);
    fresh_file("once");
    EXPECT_EQ(inotify_add_watch(fd, "once", IN_OPEN | IN_CLOSE | IN_ONESHOT), 1);
    close(open("once", O_RDONLY));
    EXPECT_STR(events(fd), "1 OPEN; 1 IGNORED");
    close(open("once", O_RDONLY));
    EXPECT_STR(events(fd), "");
    EXPECT_ERR(inotify_rm_watch(fd, 1), EINVAL);
    EXPECT_EQ(inotify_add_watch(fd, "once", IN_OPEN), 2); // numbers are not used again at once
    close(fd);
}

CHECK(inotify_masks)
{
    int fd = inotify_init1(IN_NONBLOCK), other = inotify_init1(IN_NONBLOCK);
    fresh_file("masked");
    EXPECT_EQ(inotify_add_watch(fd, "masked", IN_OPEN), 1);
    EXPECT_EQ(inotify_add_watch(other, "masked", IN_ATTRIB), 1);
    EXPECT_EQ(inotify_add_watch(fd, "masked", IN_CLOSE_NOWRITE | IN_MASK_ADD), 1);
    close(open("masked", O_RDONLY));
    EXPECT_STR(events(fd), "1 OPEN; 1 CLOSE");
    EXPECT_EQ(inotify_add_watch(fd, "masked", IN_ATTRIB), 1); // replaced
    EXPECT_OK(chmod("masked", 0600));
    close(open("masked", O_RDONLY));
    EXPECT_STR(events(fd), "1 ATTRIB");
    EXPECT_STR(events(other), "1 ATTRIB");
    EXPECT_ERR(inotify_add_watch(fd, "masked", IN_OPEN | IN_MASK_CREATE), EEXIST);
    EXPECT_OK(link("masked", "same"));
    EXPECT_EQ(inotify_add_watch(fd, "same", IN_OPEN), 1); // watches are of files, not of names
    EXPECT_OK(unlink("same"));
    EXPECT_OK(inotify_rm_watch(fd, 1));
    EXPECT_STR(events(fd), "1 ATTRIB; 1 IGNORED"); // of link()
    close(open("masked", O_RDONLY));
    EXPECT_STR(events(fd), "");
    close(fd);
    close(other);
}

CHECK(inotify_links)
{
    int fd = inotify_init1(IN_NONBLOCK);
    fresh_file("aim");
    unlink("arrow");
    EXPECT_OK(symlink("aim", "arrow"));
    EXPECT_EQ(inotify_add_watch(fd, "arrow", IN_OPEN | IN_DELETE_SELF), 1);
    EXPECT_EQ(inotify_add_watch(fd, "arrow", IN_OPEN | IN_DELETE_SELF | IN_DONT_FOLLOW), 2);
    EXPECT_EQ(inotify_add_watch(fd, "aim", IN_OPEN | IN_DELETE_SELF), 1);
    close(open("arrow", O_RDONLY));
    EXPECT_STR(events(fd), "1 OPEN");
    EXPECT_OK(unlink("arrow"));
    EXPECT_STR(events(fd), "2 DELETE_SELF; 2 IGNORED");
    close(fd);
}

CHECK(inotify_parent_and_child)
{
    int fd = inotify_init1(IN_NONBLOCK);
    EXPECT_OK(mkdir("p", 0755));
    fresh_file("p/c");
    EXPECT_EQ(inotify_add_watch(fd, "p/c", IN_ALL_EVENTS), 1);
    EXPECT_EQ(inotify_add_watch(fd, "p", IN_ALL_EVENTS), 2);
    close(open("p/c", O_RDONLY));
    EXPECT_STR(events(fd), "2 OPEN c; 1 OPEN; 2 CLOSE c; 1 CLOSE");
    EXPECT_OK(unlink("p/c"));
    EXPECT_STR(events(fd), "1 ATTRIB; 1 DELETE_SELF; 1 IGNORED; 2 DELETE c");
    EXPECT_OK(rmdir("p"));
    EXPECT_STR(events(fd), "2 DELETE_SELF; 2 IGNORED");
    close(fd);
}

CHECK(inotify_equal_events_are_told_once)
{
    int fd = inotify_init1(IN_NONBLOCK), file = open("again", O_RDWR | O_CREAT, 0644);
    EXPECT_EQ(inotify_add_watch(fd, "again", IN_MODIFY | IN_ATTRIB), 1);
    for (int i = 0; i < 5; i++)
        EXPECT_EQ(write(file, "x", 1), 1);
    EXPECT_OK(fchmod(file, 0600));
    EXPECT_EQ(write(file, "x", 1), 1);
    EXPECT_STR(events(fd), "1 MODIFY; 1 ATTRIB; 1 MODIFY");
    close(file);
    close(fd);
}

CHECK(inotify_reading)
{
    char buffer[100] __attribute__((aligned(8)));
    int fd = inotify_init1(IN_NONBLOCK), queued = -1;
    struct inotify_event *event = (struct inotify_event *)buffer;
    EXPECT_OK(mkdir("r", 0755));
    EXPECT_EQ(inotify_add_watch(fd, "r", IN_CREATE), 1);
    EXPECT_OK(ioctl(fd, FIONREAD, &queued));
    EXPECT_EQ(queued, 0);
    fresh_file("r/short");
    fresh_file("r/a-name-of-16-byt"); // with its NUL behind the 16th byte
    EXPECT_OK(ioctl(fd, FIONREAD, &queued));
    EXPECT_EQ(queued, 16 + 16 + 16 + 32);
    EXPECT_ERR(read(fd, buffer, 16), EINVAL);
    EXPECT_ERR(read(fd, buffer, 31), EINVAL);
    EXPECT_EQ(read(fd, buffer, 60), 32); // the second does not fit
    EXPECT_EQ(event->len, 16);
    EXPECT_EQ(event->cookie, 0);
    EXPECT_STR(event->name, "short");
    for (int i = 6; i < 16; i++)
        EXPECT_EQ(event->name[i], 0);
    EXPECT_EQ(read(fd, buffer, 48), 48);
    EXPECT_EQ(event->len, 32);
    EXPECT_ERR(read(fd, buffer, 48), EAGAIN);
    close(fd);
    unlink("r/short");
    unlink("r/a-name-of-16-byt");
    rmdir("r");
}

static void *touch_later(void *name)
{
    usleep(50000);
    close(open(name, O_RDONLY));
    return NULL;
}

CHECK(inotify_waiting)
{
    char buffer[100] __attribute__((aligned(8)));
    int fd = inotify_init(), set = epoll_create1(0);
    struct epoll_event wanted = {.events = EPOLLIN}, got;
    struct pollfd polled = {.fd = fd, .events = POLLIN};
    pthread_t thread;
    fresh_file("awaited");
    EXPECT_EQ(inotify_add_watch(fd, "awaited", IN_OPEN), 1);
    EXPECT_OK(epoll_ctl(set, EPOLL_CTL_ADD, fd, &wanted));
    EXPECT_EQ(poll(&polled, 1, 0), 0);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    EXPECT_EQ(pthread_create(&thread, NULL, touch_later, "awaited"), 0);
    EXPECT_EQ(read(fd, buffer, sizeof buffer), 16);
    pthread_join(thread, NULL);
    EXPECT_EQ(pthread_create(&thread, NULL, touch_later, "awaited"), 0);
    EXPECT_EQ(poll(&polled, 1, 5000), 1);
    EXPECT_EQ(polled.revents, POLLIN);
    pthread_join(thread, NULL);
    EXPECT_EQ(epoll_wait(set, &got, 1, 1000), 1);
    EXPECT_EQ(read(fd, buffer, sizeof buffer), 16);
    EXPECT_EQ(epoll_wait(set, &got, 1, 0), 0);
    close(set);
    close(fd);
}

CHECK(inotify_signals)
{
    sigset_t set;
    struct timespec timeout = {1, 0};
    int fd = inotify_init1(IN_NONBLOCK);
    sigemptyset(&set);
    sigaddset(&set, SIGIO);
    sigprocmask(SIG_BLOCK, &set, NULL);
    fresh_file("signalled");
    EXPECT_EQ(inotify_add_watch(fd, "signalled", IN_OPEN), 1);
    EXPECT_OK(fcntl(fd, F_SETOWN, getpid()));
    EXPECT_OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_ASYNC));
    close(open("signalled", O_RDONLY));
    EXPECT_EQ(sigtimedwait(&set, NULL, &timeout), SIGIO);
    close(fd);
}

static int write_number(const char *path, const char *text)
{
    int fd = open(path, O_WRONLY);
    ssize_t n = fd < 0 ? -1 : write(fd, text, strlen(text));
    close(fd);
    return n < 0 ? -1 : 0;
}

CHECK(inotify_overflow)
{
    static const char limit[] = "/proc/sys/fs/inotify/max_queued_events";
    EXPECT_OK(write_number(limit, "3\n"));
    int fd = inotify_init1(IN_NONBLOCK), file = open("much", O_RDWR | O_CREAT, 0644);
    EXPECT_OK(write_number(limit, "16384\n"));
    EXPECT_EQ(inotify_add_watch(fd, "much", IN_MODIFY | IN_ATTRIB), 1);
    for (int i = 0; i < 5; i++) {
        EXPECT_EQ(write(file, "x", 1), 1);
        EXPECT_OK(fchmod(file, 0600));
    }
    EXPECT_STR(events(fd), "1 MODIFY; 1 ATTRIB; 1 MODIFY; -1 OVERFLOW");
    EXPECT_EQ(write(file, "x", 1), 1);
    EXPECT_STR(events(fd), "1 MODIFY"); // there is room again
    close(file);
    close(fd);
}

CHECK(inotify_limits)
{
    int fds[200], count = 0;
    while (count < 200 && (fds[count] = inotify_init1(0)) >= 0)
        count++;
    EXPECT_EQ(count, 128);
    EXPECT_ERR(inotify_init1(0), EMFILE);
    while (count > 0)
        close(fds[--count]);
    EXPECT_OK(write_number("/proc/sys/fs/inotify/max_user_watches", "2\n"));
    int fd = inotify_init1(IN_NONBLOCK);
    fresh_file("w1");
    fresh_file("w2");
    fresh_file("w3");
    EXPECT_EQ(inotify_add_watch(fd, "w1", IN_OPEN), 1);
    EXPECT_EQ(inotify_add_watch(fd, "w2", IN_OPEN), 2);
    EXPECT_ERR(inotify_add_watch(fd, "w3", IN_OPEN), ENOSPC);
    EXPECT_EQ(inotify_add_watch(fd, "w2", IN_CLOSE), 2);
    EXPECT_OK(inotify_rm_watch(fd, 1));
    EXPECT(inotify_add_watch(fd, "w3", IN_OPEN) > 0);
    EXPECT_OK(write_number("/proc/sys/fs/inotify/max_user_watches", "8192\n"));
    close(fd);
}

CHECK(inotify_unmount)
{
    int fd = inotify_init1(IN_NONBLOCK);
    EXPECT_OK(mkdir("m", 0755));
    EXPECT_OK(mount("none", "m", "tmpfs", 0, NULL));
    fresh_file("m/file");
    EXPECT_EQ(inotify_add_watch(fd, "m/file", IN_OPEN), 1);
    EXPECT_OK(umount("m"));
    EXPECT_STR(events(fd), "1 UNMOUNT; 1 IGNORED");
    EXPECT_ERR(inotify_rm_watch(fd, 1), EINVAL);
    close(fd);
    rmdir("m");
}

CHECK(inotify_needs_read_permission)
{
    int fd = inotify_init1(IN_NONBLOCK);
    fresh_file("secret");
    EXPECT_OK(chmod("secret", 0));
    EXPECT_OK(syscall(SYS_setresuid, -1, 1000, -1));
    errno = 0;
    int wd = inotify_add_watch(fd, "secret", IN_OPEN), error = errno;
    EXPECT_OK(syscall(SYS_setresuid, -1, 0, -1));
    EXPECT_EQ(wd, -1);
    EXPECT_EQ(error, EACCES);
    close(fd);
}

// A thread that makes and removes files while another adds and removes watches.
static volatile int busy_stop;

static void *keep_busy(void *unused)
{
    (void)unused;
    while (!busy_stop) {
        close(open("busy/file", O_RDWR | O_CREAT, 0644));
        rename("busy/file", "busy/other");
        unlink("busy/other");
    }
    return NULL;
}

CHECK(inotify_while_files_come_and_go)
{
    static char buffer[4096] __attribute__((aligned(8)));
    pthread_t threads[2];
    busy_stop = 0;
    mkdir("busy", 0755);
    for (int i = 0; i < 2; i++)
        pthread_create(&threads[i], NULL, keep_busy, NULL);
    long seen = 0;
    for (int i = 0; i < 40; i++) {
        int fd = inotify_init1(IN_NONBLOCK);
        int wd = inotify_add_watch(fd, "busy", IN_ALL_EVENTS);
        inotify_add_watch(fd, "busy/file", IN_ALL_EVENTS);
        inotify_add_watch(fd, "busy/other", IN_ALL_EVENTS | IN_ONESHOT);
        usleep(100);
        if (i % 3 == 0)
            inotify_rm_watch(fd, wd);
        ssize_t length = read(fd, buffer, sizeof buffer);
        seen += length > 0;
        close(fd);
    }
    busy_stop = 1;
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    EXPECT(seen > 0);
    unlink("busy/file");
    unlink("busy/other");
    EXPECT_OK(rmdir("busy"));
}
