// SPDX-License-Identifier: MIT
// fcntl(2), dup and flock: descriptor flags, status flags, record locks, open-file locks, leases of
// pipes.
#include "check.h"
#include <sys/file.h>

// glibc defines O_LARGEFILE as 0 on 64-bit machines; the kernel sets its own bit in every open.
#define O_LARGEFILE_KERNEL 0400000

static int fresh(const char *name)
{
    return open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
}

CHECK(dup_shares_the_position)
{
    int a = fresh("dup"), b = dup(a);
    EXPECT_EQ(write(a, "abc", 3), 3);
    EXPECT_EQ(lseek(b, 0, SEEK_CUR), 3);
    close(a);
    EXPECT_EQ(write(b, "d", 1), 1);
    close(b);
}

CHECK(dup3_and_dup2)
{
    int a = fresh("dup3");
    EXPECT_EQ(dup3(a, 100, O_CLOEXEC), 100);
    EXPECT_EQ(fcntl(100, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(dup2(a, 100), 100);
    EXPECT_EQ(fcntl(100, F_GETFD), 0);
    EXPECT_ERR(dup3(a, a, 0), EINVAL);
    EXPECT_EQ(dup2(a, a), a);
    EXPECT_ERR(dup3(a, 101, 77), EINVAL);
    EXPECT_ERR(dup3(555, 101, 0), EBADF);
    EXPECT_ERR(dup3(a, -1, 0), EBADF);
    EXPECT_ERR(dup3(a, 1 << 30, 0), EBADF);
    close(a);
    close(100);
}

CHECK(fcntl_dupfd)
{
    int a = fresh("dupfd"), b = fcntl(a, F_DUPFD, 200), c = fcntl(a, F_DUPFD_CLOEXEC, 200);
    EXPECT_EQ(b, 200);
    EXPECT_EQ(c, 201);
    EXPECT_EQ(fcntl(c, F_GETFD), FD_CLOEXEC);
    EXPECT_ERR(fcntl(a, F_DUPFD, -1), EINVAL);
    EXPECT_ERR(fcntl(a, F_DUPFD, 1 << 30), EINVAL);
    close(a);
    close(b);
    close(c);
}

CHECK(fcntl_descriptor_flags)
{
    int fd = open("flags", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_OK(fcntl(fd, F_SETFD, 0));
    EXPECT_EQ(fcntl(fd, F_GETFD), 0);
    close(fd);
}

CHECK(fcntl_status_flags)
{
    int fd = open("status", O_RDWR | O_CREAT | O_APPEND | O_TRUNC, 0600);
    EXPECT_EQ(fcntl(fd, F_GETFL), O_RDWR | O_APPEND | O_LARGEFILE_KERNEL);
    EXPECT_OK(fcntl(fd, F_SETFL, O_NONBLOCK | O_WRONLY | O_CREAT));
    EXPECT_EQ(fcntl(fd, F_GETFL), O_RDWR | O_NONBLOCK | O_LARGEFILE_KERNEL);
    close(fd);
}

CHECK(fcntl_unknown_command)
{
    int fd = fresh("unknown");
    EXPECT_ERR(fcntl(fd, 7777), EINVAL);
    close(fd);
}

CHECK(fcntl_record_locks_of_one_process)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 10, .l_len = 10};
    int a = fresh("locks"), b = open("locks", O_RDWR);
    EXPECT_OK(fcntl(a, F_SETLK, &lock));
    // The same process never conflicts with itself.
    EXPECT_OK(fcntl(b, F_SETLK, &lock));
    lock.l_type = F_WRLCK;
    EXPECT_OK(fcntl(b, F_GETLK, &lock));
    EXPECT_EQ(lock.l_type, F_UNLCK);
    close(a);
    close(b);
}

CHECK(fcntl_lock_errors)
{
    struct flock lock = {.l_type = 77, .l_whence = SEEK_SET};
    int fd = fresh("lockerr"), reader = open("lockerr", O_RDONLY);
    EXPECT_ERR(fcntl(fd, F_SETLK, &lock), EINVAL);
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = 77};
    EXPECT_ERR(fcntl(fd, F_SETLK, &lock), EINVAL);
    lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = -5};
    EXPECT_ERR(fcntl(fd, F_SETLK, &lock), EINVAL);
    lock = (struct flock){.l_type = F_WRLCK};
    EXPECT_ERR(fcntl(reader, F_SETLK, &lock), EBADF);
    EXPECT_ERR(fcntl(fd, F_SETLK, BAD_POINTER), EFAULT);
    close(fd);
    close(reader);
}

CHECK(fcntl_open_file_locks_conflict)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = 0, .l_len = 100};
    int a = fresh("ofd"), b = open("ofd", O_RDWR);
    EXPECT_OK(fcntl(a, F_OFD_SETLK, &lock));
    EXPECT_ERR(fcntl(b, F_OFD_SETLK, &lock), EAGAIN);
    lock = (struct flock){.l_type = F_RDLCK, .l_start = 50, .l_len = 1};
    EXPECT_OK(fcntl(b, F_OFD_GETLK, &lock));
    EXPECT_EQ(lock.l_type, F_WRLCK);
    EXPECT_EQ(lock.l_start, 0);
    EXPECT_EQ(lock.l_len, 100);
    EXPECT_EQ(lock.l_pid, -1);
    lock = (struct flock){.l_type = F_WRLCK, .l_start = 100, .l_len = 10};
    EXPECT_OK(fcntl(b, F_OFD_SETLK, &lock));
    lock = (struct flock){.l_type = F_UNLCK, .l_start = 20, .l_len = 10};
    EXPECT_OK(fcntl(a, F_OFD_SETLK, &lock));
    lock = (struct flock){.l_type = F_WRLCK, .l_start = 20, .l_len = 10};
    EXPECT_OK(fcntl(b, F_OFD_SETLK, &lock));
    lock = (struct flock){.l_type = F_WRLCK, .l_start = 0, .l_len = 5};
    EXPECT_ERR(fcntl(b, F_OFD_SETLK, &lock), EAGAIN);
    close(a);
    EXPECT_OK(fcntl(b, F_OFD_SETLK, &lock));
    close(b);
}

CHECK(fcntl_read_locks_share)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    int a = fresh("shared"), b = open("shared", O_RDWR);
    EXPECT_OK(fcntl(a, F_OFD_SETLK, &lock));
    EXPECT_OK(fcntl(b, F_OFD_SETLK, &lock));
    lock.l_type = F_WRLCK;
    EXPECT_ERR(fcntl(b, F_OFD_SETLK, &lock), EAGAIN);
    close(a);
    EXPECT_OK(fcntl(b, F_OFD_SETLK, &lock));
    close(b);
}

static void *unlock_later(void *fd)
{
    struct flock lock = {.l_type = F_UNLCK, .l_whence = SEEK_SET};
    usleep(50000);
    fcntl(*(int *)fd, F_OFD_SETLK, &lock);
    return NULL;
}

CHECK(fcntl_open_file_lock_waits)
{
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    int a = fresh("waits"), b = open("waits", O_RDWR);
    pthread_t thread;
    EXPECT_OK(fcntl(a, F_OFD_SETLK, &lock));
    EXPECT_EQ(pthread_create(&thread, NULL, unlock_later, &a), 0);
    EXPECT_OK(fcntl(b, F_OFD_SETLKW, &lock));
    pthread_join(thread, NULL);
    close(a);
    close(b);
}

CHECK(flock_conflicts_between_open_files)
{
    int a = fresh("flock"), b = open("flock", O_RDWR), c = dup(a);
    EXPECT_OK(flock(a, LOCK_EX));
    EXPECT_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    EXPECT_ERR(flock(b, LOCK_SH | LOCK_NB), EWOULDBLOCK);
    EXPECT_OK(flock(c, LOCK_SH | LOCK_NB));
    EXPECT_OK(flock(b, LOCK_SH | LOCK_NB));
    EXPECT_ERR(flock(b, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    EXPECT_OK(flock(c, LOCK_UN));
    EXPECT_OK(flock(b, LOCK_EX | LOCK_NB));
    EXPECT_ERR(flock(a, 77), EINVAL);
    EXPECT_ERR(flock(555, LOCK_EX), EBADF);
    close(a);
    close(b);
    close(c);
}

CHECK(flock_goes_with_the_last_close)
{
    int a = fresh("last"), b = dup(a), c = open("last", O_RDWR);
    EXPECT_OK(flock(a, LOCK_EX));
    close(a);
    EXPECT_ERR(flock(c, LOCK_EX | LOCK_NB), EWOULDBLOCK);
    close(b);
    EXPECT_OK(flock(c, LOCK_EX | LOCK_NB));
    close(c);
}

CHECK(fcntl_pipe_size)
{
    int fds[2];
    EXPECT_OK(pipe(fds));
    EXPECT_EQ(fcntl(fds[0], F_GETPIPE_SZ), 65536);
    EXPECT_EQ(fcntl(fds[0], F_SETPIPE_SZ, 5000), 8192);
    EXPECT_EQ(fcntl(fds[1], F_GETPIPE_SZ), 8192);
    int fd = fresh("nopipe");
    EXPECT_ERR(fcntl(fd, F_GETPIPE_SZ), EBADF);
    close(fd);
    close(fds[0]);
    close(fds[1]);
}

CHECK(fcntl_owner)
{
    int fds[2];
    EXPECT_OK(pipe(fds));
    EXPECT_OK(fcntl(fds[0], F_SETOWN, getpid()));
    EXPECT_EQ(fcntl(fds[0], F_GETOWN), getpid());
    close(fds[0]);
    close(fds[1]);
}
