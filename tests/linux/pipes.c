// SPDX-License-Identifier: MIT
// Pipes, splice and tee, sendfile, copy_file_range.
#include "check.h"
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

static int reader, writer;

static void make_pipe(int flags)
{
    int fds[2] = {-1, -1};
    (void)!pipe2(fds, flags);
    reader = fds[0];
    writer = fds[1];
}

static void close_pipe(void)
{
    close(reader);
    close(writer);
}

static int fresh(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (text)
        (void)!pwrite(fd, text, strlen(text), 0);
    return fd;
}

CHECK(pipe_flags)
{
    make_pipe(O_CLOEXEC | O_NONBLOCK);
    EXPECT_EQ(fcntl(reader, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(fcntl(writer, F_GETFL) & O_NONBLOCK, O_NONBLOCK);
    EXPECT_EQ(fcntl(reader, F_GETFL) & O_ACCMODE, O_RDONLY);
    EXPECT_EQ(fcntl(writer, F_GETFL) & O_ACCMODE, O_WRONLY);
    close_pipe();
    int fds[2];
    EXPECT_ERR(pipe2(fds, 0x77), EINVAL);
    EXPECT_ERR(syscall(SYS_pipe2, BAD_POINTER, 0), EFAULT);
}

CHECK(pipe_keeps_order_and_partial_reads)
{
    char text[8] = "";
    make_pipe(0);
    EXPECT_EQ(write(writer, "abc", 3), 3);
    EXPECT_EQ(write(writer, "def", 3), 3);
    EXPECT_EQ(read(reader, text, 4), 4);
    EXPECT_STR(text, "abcd");
    EXPECT_EQ(read(reader, text, 8), 2);
    EXPECT_EQ(memcmp(text, "ef", 2), 0);
    close_pipe();
}

CHECK(pipe_wrong_ends)
{
    char byte;
    make_pipe(0);
    EXPECT_ERR(read(writer, &byte, 1), EBADF);
    EXPECT_ERR(write(reader, &byte, 1), EBADF);
    close_pipe();
}

CHECK(pipe_end_of_file)
{
    char byte;
    make_pipe(0);
    EXPECT_EQ(write(writer, "x", 1), 1);
    close(writer);
    EXPECT_EQ(read(reader, &byte, 1), 1);
    EXPECT_EQ(read(reader, &byte, 1), 0);
    close(reader);
}

CHECK(pipe_nonblocking_and_full)
{
    char byte;
    static char page[4096];
    make_pipe(O_NONBLOCK);
    EXPECT_ERR(read(reader, &byte, 1), EAGAIN);
    long total = 0, n;
    while ((n = write(writer, page, sizeof page)) > 0)
        total += n;
    EXPECT_EQ(total, 65536);
    EXPECT_ERR(write(writer, page, 1), EAGAIN);
    EXPECT_EQ(read(reader, page, 4096), 4096);
    EXPECT_EQ(write(writer, page, 4096), 4096);
    close_pipe();
}

CHECK(pipe_small_writes_are_atomic)
{
    // With less than PIPE_BUF free, a write of up to PIPE_BUF bytes is refused whole.
    static char page[4096];
    make_pipe(O_NONBLOCK);
    for (int i = 0; i < 15; i++)
        EXPECT_EQ(write(writer, page, 4096), 4096);
    EXPECT_EQ(write(writer, page, 100), 100);
    EXPECT_ERR(write(writer, page, 4096), EAGAIN);
    close_pipe();
}

CHECK(pipe_bytes_waiting)
{
    int waiting = -1;
    make_pipe(0);
    EXPECT_EQ(write(writer, "12345", 5), 5);
    EXPECT_OK(ioctl(reader, FIONREAD, &waiting));
    EXPECT_EQ(waiting, 5);
    close_pipe();
}

static volatile long wrong_bytes;

static void *drain(void *total)
{
    static unsigned char data[9999];
    ssize_t n;
    while ((n = read(reader, data, sizeof data)) > 0)
        for (ssize_t i = 0; i < n; i++)
            wrong_bytes += data[i] != (unsigned char)(++*(long *)total * 7 % 251);
    return NULL;
}

CHECK(pipe_large_write_blocks_until_read)
{
    static unsigned char data[1000000];
    long total = 0;
    pthread_t thread;
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)((i + 1) * 7 % 251);
    wrong_bytes = 0;
    make_pipe(0);
    EXPECT_EQ(pthread_create(&thread, NULL, drain, &total), 0);
    EXPECT_EQ(write(writer, data, sizeof data), (ssize_t)sizeof data);
    close(writer);
    pthread_join(thread, NULL);
    EXPECT_EQ(total, (long)sizeof data);
    EXPECT_EQ(wrong_bytes, 0);
    close(reader);
}

#define PIECES 1024
#define PIECE  128

// Each piece of its buffer is on a page of its own that has to be made: it reads far more slowly
// than the other thread writes.
static void *drain_slowly(void *total)
{
    size_t size = PIECES * PAGE;
    char *data = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec pieces[PIECES];
    ssize_t n;
    madvise(data, size, MADV_NOHUGEPAGE);
    for (size_t i = 0; i < PIECES; i++)
        pieces[i] = (struct iovec){data + i * PAGE, PIECE};
    while (madvise(data, size, MADV_DONTNEED) == 0 && (n = readv(reader, pieces, PIECES)) > 0)
        *(long *)total += n;
    munmap(data, size);
    return NULL;
}

// The writer fills the pipe, and sleeps, while a read is under way that began with room in it.
CHECK(pipe_writer_wakes_for_a_read_that_began_before)
{
    static unsigned char data[200000];
    for (int round = 0; round < 5; round++) {
        long total = 0;
        int waiting;
        pthread_t thread;
        make_pipe(0);
        EXPECT_EQ(write(writer, data, 15 * PAGE), (ssize_t)(15 * PAGE));
        EXPECT_EQ(pthread_create(&thread, NULL, drain_slowly, &total), 0);
        do {
            sched_yield();
            EXPECT_OK(ioctl(reader, FIONREAD, &waiting));
        } while (waiting == (int)(15 * PAGE));
        EXPECT_EQ(write(writer, data, sizeof data), (ssize_t)sizeof data);
        close(writer);
        pthread_join(thread, NULL);
        EXPECT_EQ(total, (long)(sizeof data + 15 * PAGE));
        close(reader);
    }
}

CHECK(pipe_bad_pointer)
{
    make_pipe(0);
    EXPECT_ERR(write(writer, BAD_POINTER, 4), EFAULT);
    EXPECT_EQ(write(writer, "x", 1), 1);
    EXPECT_ERR(read(reader, BAD_POINTER, 4), EFAULT);
    close_pipe();
}

CHECK(sendfile_moves_bytes)
{
    char text[16] = "";
    off_t offset = 2;
    int from = fresh("from", "0123456789"), to = fresh("to", NULL);
    EXPECT_EQ(sendfile(to, from, &offset, 5), 5);
    EXPECT_EQ(offset, 7);
    EXPECT_EQ(lseek(from, 0, SEEK_CUR), 0);
    EXPECT_EQ(pread(to, text, 16, 0), 5);
    EXPECT_STR(text, "23456");
    EXPECT_EQ(sendfile(to, from, NULL, 100), 10);
    EXPECT_EQ(lseek(from, 0, SEEK_CUR), 10);
    EXPECT_EQ(sendfile(to, from, NULL, 100), 0);
    make_pipe(0);
    offset = 0;
    EXPECT_EQ(sendfile(writer, from, &offset, 3), 3);
    EXPECT_EQ(read(reader, text, 16), 3);
    EXPECT_ERR(sendfile(to, reader, NULL, 1), EINVAL);
    EXPECT_ERR(sendfile(to, from, (off_t *)BAD_POINTER, 1), EFAULT);
    EXPECT_ERR(sendfile(555, from, NULL, 1), EBADF);
    close_pipe();
    close(from);
    close(to);
}

CHECK(copy_file_range_copies)
{
    char text[16] = "";
    off_t in = 3, out = 1;
    int from = fresh("cfrom", "0123456789"), to = fresh("cto", NULL);
    EXPECT_EQ(copy_file_range(from, &in, to, &out, 4, 0), 4);
    EXPECT_EQ(in, 7);
    EXPECT_EQ(out, 5);
    EXPECT_EQ(pread(to, text, 16, 0), 5);
    EXPECT_EQ(memcmp(text, "\0003456", 5), 0);
    EXPECT_EQ(copy_file_range(from, NULL, to, NULL, 100, 0), 10);
    EXPECT_EQ(copy_file_range(from, NULL, to, NULL, 100, 0), 0);
    EXPECT_ERR(copy_file_range(from, NULL, to, NULL, 1, 77), EINVAL);
    in = 0;
    out = 2;
    EXPECT_ERR(copy_file_range(from, &in, from, &out, 5, 0), EINVAL);
    make_pipe(0);
    EXPECT_ERR(copy_file_range(reader, NULL, to, NULL, 1, 0), EINVAL);
    close_pipe();
    close(from);
    close(to);
}

CHECK(splice_between_pipe_and_file)
{
    char text[16] = "";
    int from = fresh("sfrom", "splice me"), to = fresh("sto", NULL);
    make_pipe(0);
    EXPECT_EQ(splice(from, NULL, writer, NULL, 9, 0), 9);
    EXPECT_EQ(splice(reader, NULL, to, NULL, 9, 0), 9);
    EXPECT_EQ(pread(to, text, 16, 0), 9);
    EXPECT_STR(text, "splice me");
    EXPECT_ERR(splice(from, NULL, to, NULL, 1, 0), EINVAL);
    off_t offset = 0;
    EXPECT_ERR(splice(reader, &offset, to, NULL, 1, 0), ESPIPE);
    close_pipe();
    close(from);
    close(to);
}

CHECK(tee_keeps_the_source)
{
    char text[8] = "";
    int other[2];
    make_pipe(0);
    EXPECT_OK(pipe(other));
    EXPECT_EQ(write(writer, "twice", 5), 5);
    EXPECT_EQ(tee(reader, other[1], 5, 0), 5);
    EXPECT_EQ(read(reader, text, 8), 5);
    EXPECT_EQ(read(other[0], text, 8), 5);
    EXPECT_STR(text, "twice");
    close(other[0]);
    close(other[1]);
    close_pipe();
}

CHECK(vmsplice_fills_a_pipe)
{
    char text[8] = "";
    struct iovec part = {"bytes", 5};
    make_pipe(0);
    EXPECT_EQ(vmsplice(writer, &part, 1, 0), 5);
    EXPECT_EQ(read(reader, text, 8), 5);
    EXPECT_STR(text, "bytes");
    close_pipe();
}
