// SPDX-License-Identifier: MIT
// Open files: open flags, read, write, positions, vectors, descriptors' limits, sync, O_TMPFILE,
// memfd.
#include "check.h"
#include <sys/ioctl.h>
#include <sys/uio.h>

static int fresh(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (text)
        (void)!pwrite(fd, text, strlen(text), 0);
    return fd;
}

static const char *content(const char *name)
{
    static char text[256];
    int fd = open(name, O_RDONLY);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);
    text[n > 0 ? n : 0] = 0;
    close(fd);
    return fd < 0 ? "(missing)" : text;
}

CHECK(open_missing)
{
    EXPECT_ERR(open("missing", O_RDONLY), ENOENT);
    EXPECT_ERR(open("missing/file", O_RDONLY), ENOENT);
    EXPECT_ERR(open("missing/file", O_RDONLY | O_CREAT, 0600), ENOENT);
    EXPECT_ERR(open("", O_RDONLY), ENOENT);
}

CHECK(open_create_and_exclusive)
{
    int fd = open("created", O_WRONLY | O_CREAT | O_EXCL, 0640);
    EXPECT(fd >= 0);
    close(fd);
    EXPECT_ERR(open("created", O_WRONLY | O_CREAT | O_EXCL, 0640), EEXIST);
    EXPECT_OK(fd = open("created", O_WRONLY | O_CREAT, 0640));
    close(fd);
}

CHECK(open_takes_the_lowest_descriptor)
{
    int a = fresh("a", NULL), b = fresh("b", NULL);
    EXPECT_EQ(b, a + 1);
    close(a);
    EXPECT_EQ(open("b", O_RDONLY), a);
    close(a);
    close(b);
}

CHECK(open_directory_errors)
{
    mkdir("folder", 0700);
    EXPECT_ERR(open("folder", O_WRONLY), EISDIR);
    EXPECT_ERR(open("folder", O_RDWR), EISDIR);
    EXPECT_ERR(open("folder", O_RDONLY | O_CREAT, 0600), EISDIR);
    fresh("plain", NULL);
    EXPECT_ERR(open("plain", O_RDONLY | O_DIRECTORY), ENOTDIR);
    EXPECT_ERR(open("plain/x", O_RDONLY), ENOTDIR);
    int fd = open("folder", O_RDONLY | O_DIRECTORY);
    char byte;
    EXPECT_ERR(read(fd, &byte, 1), EISDIR);
    close(fd);
}

CHECK(open_mode_and_umask)
{
    struct stat st;
    umask(027);
    int fd = open("masked", O_RDWR | O_CREAT | O_EXCL, 0777);
    umask(022);
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_mode & 07777, 0750);
    close(fd);
}

CHECK(open_truncate)
{
    close(fresh("cut", "text"));
    int fd = open("cut", O_WRONLY | O_TRUNC);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), 0);
    close(fd);
}

CHECK(open_append)
{
    close(fresh("log", "one"));
    int fd = open("log", O_WRONLY | O_APPEND);
    lseek(fd, 0, SEEK_SET);
    EXPECT_EQ(write(fd, "two", 3), 3);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
    // Linux: pwrite appends too when O_APPEND is set (pwrite(2), BUGS).
    EXPECT_EQ(pwrite(fd, "3", 1, 0), 1);
    EXPECT_STR(content("log"), "onetwo3");
    close(fd);
}

CHECK(open_access_modes)
{
    char byte;
    close(fresh("modes", "x"));
    int reader = open("modes", O_RDONLY), writer = open("modes", O_WRONLY);
    EXPECT_ERR(write(reader, "y", 1), EBADF);
    EXPECT_ERR(read(writer, &byte, 1), EBADF);
    EXPECT_ERR(ftruncate(reader, 0), EINVAL);
    close(reader);
    close(writer);
}

CHECK(open_nofollow_and_loops)
{
    close(fresh("target", NULL));
    symlink("target", "link");
    symlink("ring", "ring");
    EXPECT_ERR(open("link", O_RDONLY | O_NOFOLLOW), ELOOP);
    EXPECT_ERR(open("ring", O_RDONLY), ELOOP);
    int fd = open("link", O_PATH | O_NOFOLLOW);
    EXPECT(fd >= 0);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT(S_ISLNK(st.st_mode));
    close(fd);
}

CHECK(open_create_through_dangling_link)
{
    symlink("made-by-link", "dangling");
    EXPECT_ERR(open("dangling", O_RDWR | O_CREAT | O_EXCL, 0600), EEXIST);
    int fd = open("dangling", O_RDWR | O_CREAT, 0600);
    EXPECT(fd >= 0);
    EXPECT_OK(access("made-by-link", F_OK));
    close(fd);
}

CHECK(open_path_descriptor)
{
    char byte;
    close(fresh("p", "text"));
    int fd = open("p", O_PATH);
    EXPECT(fd >= 0);
    EXPECT_ERR(read(fd, &byte, 1), EBADF);
    EXPECT_ERR(write(fd, &byte, 1), EBADF);
    EXPECT_ERR(fchmod(fd, 0600), EBADF);
    EXPECT_ERR(ioctl(fd, FIONREAD, &byte), EBADF);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(fcntl(fd, F_GETFL) & O_PATH, O_PATH);
    close(fd);
}

CHECK(read_and_write_move_the_position)
{
    char text[8] = "";
    int fd = fresh("pos", NULL);
    EXPECT_EQ(write(fd, "abcdef", 6), 6);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 6);
    EXPECT_EQ(lseek(fd, 2, SEEK_SET), 2);
    EXPECT_EQ(read(fd, text, 3), 3);
    EXPECT_STR(text, "cde");
    EXPECT_EQ(read(fd, text, 8), 1);
    EXPECT_EQ(read(fd, text, 8), 0);
    close(fd);
}

CHECK(read_and_write_of_nothing)
{
    int fd = fresh("nothing", "x");
    EXPECT_EQ(write(fd, "", 0), 0);
    EXPECT_EQ(read(fd, BAD_POINTER, 0), 0);
    close(fd);
}

CHECK(read_and_write_bad_pointer)
{
    int fd = fresh("fault", "text");
    EXPECT_ERR(read(fd, BAD_POINTER, 4), EFAULT);
    EXPECT_ERR(write(fd, BAD_POINTER, 4), EFAULT);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 0);
    EXPECT_ERR(read(fd, (void *)0xffff000000000000ul, 4), EFAULT);
    close(fd);
}

CHECK(read_into_partly_mapped_buffer)
{
    int fd = fresh("part", NULL);
    static char data[8192];
    memset(data, 'z', sizeof data);
    EXPECT_EQ(write(fd, data, sizeof data), (ssize_t)sizeof data);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(p + PAGE, PAGE);
    EXPECT_EQ(pread(fd, p + PAGE - 100, 200, 0), 100);
    EXPECT_EQ(p[PAGE - 1], 'z');
    EXPECT_EQ(pwrite(fd, p + PAGE - 50, 200, 0), 50);
    munmap(p, PAGE);
    close(fd);
}

CHECK(bad_descriptors)
{
    char byte;
    struct stat st;
    EXPECT_ERR(read(-1, &byte, 1), EBADF);
    EXPECT_ERR(write(555, &byte, 1), EBADF);
    EXPECT_ERR(close(555), EBADF);
    EXPECT_ERR(lseek(555, 0, SEEK_SET), EBADF);
    EXPECT_ERR(fstat(555, &st), EBADF);
    EXPECT_ERR(fsync(555), EBADF);
    EXPECT_ERR(dup(555), EBADF);
    EXPECT_ERR(fcntl(555, F_GETFD), EBADF);
    EXPECT_ERR(ftruncate(555, 0), EBADF);
    EXPECT_ERR(fchdir(555), EBADF);
}

CHECK(lseek_whence_and_errors)
{
    int fd = fresh("seek", "0123456789"), fds[2];
    EXPECT_EQ(lseek(fd, -3, SEEK_END), 7);
    EXPECT_EQ(lseek(fd, 100, SEEK_SET), 100);
    EXPECT_EQ(lseek(fd, -50, SEEK_CUR), 50);
    EXPECT_ERR(lseek(fd, -51, SEEK_CUR), EINVAL);
    EXPECT_ERR(lseek(fd, -1, SEEK_SET), EINVAL);
    EXPECT_ERR(lseek(fd, 0, 77), EINVAL);
    EXPECT_OK(pipe(fds));
    EXPECT_ERR(lseek(fds[0], 0, SEEK_CUR), ESPIPE);
    EXPECT_ERR(pread(fds[0], &(char){0}, 1, 0), ESPIPE);
    close(fds[0]);
    close(fds[1]);
    close(fd);
}

CHECK(write_beyond_the_end_leaves_zeroes)
{
    int fd = fresh("gap", "ab");
    char text[16] = "";
    EXPECT_EQ(pwrite(fd, "z", 1, 10), 1);
    EXPECT_EQ(pread(fd, text, 16, 0), 11);
    EXPECT_EQ(memcmp(text, "ab\0\0\0\0\0\0\0\0z", 11), 0);
    close(fd);
}

CHECK(pread_and_pwrite_keep_the_position)
{
    char text[4] = "";
    int fd = fresh("keep", "0123456789");
    lseek(fd, 4, SEEK_SET);
    EXPECT_EQ(pread(fd, text, 3, 7), 3);
    EXPECT_STR(text, "789");
    EXPECT_EQ(pwrite(fd, "X", 1, 0), 1);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 4);
    EXPECT_ERR(pread(fd, text, 1, -1), EINVAL);
    EXPECT_ERR(pwrite(fd, text, 1, -1), EINVAL);
    close(fd);
}

CHECK(readv_and_writev)
{
    char a[3] = "", b[5] = "";
    struct iovec out[3] = {{"one", 3}, {"", 0}, {"four", 4}}, in[2] = {{a, 2}, {b, 4}};
    int fd = fresh("vector", NULL);
    EXPECT_EQ(writev(fd, out, 3), 7);
    lseek(fd, 0, SEEK_SET);
    EXPECT_EQ(readv(fd, in, 2), 6);
    EXPECT_STR(a, "on");
    EXPECT_STR(b, "efou");
    EXPECT_EQ(pwritev(fd, out, 1, 4), 3);
    EXPECT_EQ(preadv(fd, in, 1, 4), 2);
    EXPECT_STR(a, "on");
    close(fd);
}

CHECK(vector_errors)
{
    char byte;
    struct iovec bad[2] = {{&byte, 1}, {BAD_POINTER, 1}}, huge = {&byte, (size_t)-1};
    int fd = fresh("verr", "ab");
    EXPECT_EQ(readv(fd, bad, 0), 0);
    EXPECT_ERR(syscall(SYS_readv, fd, bad, -1), EINVAL);
    EXPECT_ERR(syscall(SYS_readv, fd, bad, 1025), EINVAL);
    EXPECT_ERR(readv(fd, BAD_POINTER, 1), EFAULT);
    EXPECT_ERR(readv(fd, &huge, 1), EINVAL);
    EXPECT_EQ(readv(fd, bad, 2), 1);
    EXPECT_ERR(writev(fd, bad + 1, 1), EFAULT);
    close(fd);
}

CHECK(preadv2_flags)
{
    char text[4] = "";
    struct iovec in = {text, 3};
    int fd = fresh("v2", "abcdef");
    EXPECT_EQ(preadv2(fd, &in, 1, 2, 0), 3);
    EXPECT_STR(text, "cde");
    EXPECT_EQ(preadv2(fd, &in, 1, -1, 0), 3);
    EXPECT_EQ(lseek(fd, 0, SEEK_CUR), 3);
    EXPECT_ERR(preadv2(fd, &in, 1, 0, 0x4000), EOPNOTSUPP);
    close(fd);
}

CHECK(sync_calls)
{
    int fd = fresh("synced", "x");
    EXPECT_OK(fsync(fd));
    EXPECT_OK(fdatasync(fd));
    EXPECT_OK(syncfs(fd));
    EXPECT_OK(sync_file_range(fd, 0, 0, 0));
    sync();
    EXPECT_OK(posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
    EXPECT_EQ(posix_fadvise(fd, 0, 0, 77), EINVAL);
    EXPECT_OK(readahead(fd, 0, 1));
    close(fd);
}

CHECK(large_file_offsets)
{
    int fd = fresh("large", NULL);
    char byte = 0;
    EXPECT_EQ(pwrite(fd, "e", 1, 5l << 30), 1);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), (5l << 30) + 1);
    EXPECT_EQ(pread(fd, &byte, 1, 5l << 30), 1);
    EXPECT_EQ(byte, 'e');
    close(fd);
    unlink("large");
}

CHECK(large_writes_and_reads)
{
    static unsigned char out[1 << 20], in[1 << 20];
    int fd = fresh("mib", NULL);
    for (unsigned i = 0; i < sizeof out; i++)
        out[i] = (unsigned char)(i * 7 + i / 251);
    EXPECT_EQ(write(fd, out, sizeof out), (ssize_t)sizeof out);
    EXPECT_EQ(pread(fd, in, sizeof in, 0), (ssize_t)sizeof in);
    EXPECT_EQ(memcmp(in, out, sizeof in), 0);
    EXPECT_EQ(pread(fd, in, 10000, 1234), 10000);
    EXPECT_EQ(memcmp(in, out + 1234, 10000), 0);
    close(fd);
}

CHECK(unlinked_file_stays_usable)
{
    char text[5] = "";
    struct stat st;
    int fd = fresh("doomed", "data");
    EXPECT_OK(unlink("doomed"));
    EXPECT_ERR(access("doomed", F_OK), ENOENT);
    EXPECT_EQ(pread(fd, text, 4, 0), 4);
    EXPECT_STR(text, "data");
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 0);
    close(fd);
}

CHECK(temporary_file_without_name)
{
    int fd = open(".", O_TMPFILE | O_RDWR, 0600);
    EXPECT(fd >= 0);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_nlink, 0);
    EXPECT_EQ(write(fd, "named later", 11), 11);
    char path[64];
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    EXPECT_OK(linkat(AT_FDCWD, path, AT_FDCWD, "named", AT_SYMLINK_FOLLOW));
    EXPECT_STR(content("named"), "named later");
    close(fd);
    EXPECT_ERR(open(".", O_TMPFILE | O_RDONLY, 0600), EINVAL);
    EXPECT_ERR(open("named", O_TMPFILE | O_RDWR, 0600), ENOTDIR);
}

CHECK(memory_file_and_seals)
{
    int fd = memfd_create("box", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    EXPECT(fd >= 0);
    EXPECT_OK(ftruncate(fd, 4096));
    EXPECT_EQ(fcntl(fd, F_GET_SEALS), 0);
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW));
    EXPECT_ERR(ftruncate(fd, 100), EPERM);
    EXPECT_ERR(ftruncate(fd, 10000), EPERM);
    EXPECT_EQ(pwrite(fd, "x", 1, 0), 1);
    EXPECT_OK(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SEAL));
    EXPECT_ERR(pwrite(fd, "x", 1, 0), EPERM);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EPERM);
    EXPECT_ERR(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), EPERM);
    close(fd);
    EXPECT_ERR(memfd_create("box", 0x4000), EINVAL);
    fd = memfd_create("plain", 0);
    EXPECT_EQ(fcntl(fd, F_GET_SEALS), F_SEAL_SEAL);
    char link[64], name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, link, sizeof link - 1);
    link[n > 0 ? n : 0] = 0;
    EXPECT_STR(link, "/memfd:plain (deleted)");
    close(fd);
}

CHECK(openat2_resolve)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = {O_RDONLY, 0, 0x08 /* RESOLVE_BENEATH */};
    close(fresh("here", "x"));
    int fd = (int)syscall(SYS_openat2, AT_FDCWD, "here", &how, sizeof how);
    EXPECT(fd >= 0);
    close(fd);
    EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "/etc", &how, sizeof how), EXDEV);
    EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "..", &how, sizeof how), EXDEV);
    how.resolve = 0x04; // RESOLVE_NO_SYMLINKS
    symlink("here", "here-link");
    EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "here-link", &how, sizeof how), ELOOP);
    how.resolve = 1 << 20;
    EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "here", &how, sizeof how), EINVAL);
    EXPECT_ERR(syscall(SYS_openat2, AT_FDCWD, "here", &how, 8), EINVAL);
}

CHECK(close_range_and_cloexec)
{
    int a = fresh("r1", NULL), b = dup(a), c = dup(a);
    EXPECT_OK(syscall(SYS_close_range, b, c, 0));
    EXPECT_ERR(fcntl(b, F_GETFD), EBADF);
    EXPECT_ERR(fcntl(c, F_GETFD), EBADF);
    EXPECT_OK(syscall(SYS_close_range, a, a, 4 /* CLOSE_RANGE_CLOEXEC */));
    EXPECT_EQ(fcntl(a, F_GETFD), FD_CLOEXEC);
    EXPECT_ERR(syscall(SYS_close_range, 9, 3, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_close_range, 3, 9, 0x80), EINVAL);
    close(a);
}

CHECK(many_descriptors)
{
    enum { COUNT = 500 };
    static int fds[COUNT];
    int first = fresh("many", NULL);
    for (int i = 0; i < COUNT; i++)
        EXPECT_OK(fds[i] = dup(first));
    for (int i = 0; i < COUNT; i++)
        EXPECT_OK(close(fds[i]));
    close(first);
}

CHECK(ioctl_on_a_plain_file)
{
    int fd = fresh("ioctl", "12345"), left = -1;
    EXPECT_ERR(isatty(fd) - 1, ENOTTY);
    EXPECT_OK(ioctl(fd, FIONREAD, &left));
    EXPECT_EQ(left, 5);
    close(fd);
}

CHECK(pwritev2_flags)
{
    struct iovec out = {"xyz", 3};
    char text[8] = "";
    int fd = fresh("pw2", "abc");
    EXPECT_EQ(pwritev2(fd, &out, 1, 1, RWF_SYNC), 3);
    EXPECT_EQ(pwritev2(fd, &out, 1, 0, RWF_APPEND), 3);
    EXPECT_EQ(pread(fd, text, 8, 0), 7);
    EXPECT_STR(text, "axyzxyz");
    EXPECT_ERR(pwritev2(fd, &out, 1, 0, 0x4000), EOPNOTSUPP);
    close(fd);
}

// ---- buffers whose pages are not there when write looks ----

CHECK(write_from_a_mapping_of_itself)
{
    int fd = fresh("self", NULL);
    ftruncate(fd, 8 * PAGE);
    char *map = mmap(NULL, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    static const char zeroes[8 * PAGE];

    // Holes, seen as pages of zeroes before, then not seen at all.
    EXPECT_EQ(map[0] + map[7 * PAGE], 0);
    EXPECT_EQ(pwrite(fd, map, 4 * PAGE, 0), 4 * PAGE);
    EXPECT_EQ(pwrite(fd, map + 4 * PAGE, 4 * PAGE, 4 * PAGE), 4 * PAGE);
    EXPECT_EQ(memcmp(map, zeroes, sizeof zeroes), 0);
    memset(map, 'a', 3 * PAGE);
    // In place, and from pages that the mapping has lost.
    EXPECT_EQ(pwrite(fd, map + 100, 2 * PAGE, 100), 2 * PAGE);
    EXPECT_OK(madvise(map, 8 * PAGE, MADV_DONTNEED));
    EXPECT_EQ(pwrite(fd, map + 50, 2 * PAGE, 4 * PAGE + 1), 2 * PAGE);
    EXPECT_EQ(map[4 * PAGE] | map[6 * PAGE + 1], 0);
    EXPECT_EQ(map[4 * PAGE + 1], 'a');
    EXPECT_EQ(map[6 * PAGE], 'a');
    munmap(map, 8 * PAGE);
    close(fd);
}

CHECK(write_ends_where_the_buffer_does)
{
    int fd = fresh("short", NULL);
    char *buffer = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct iovec parts[2] = {{buffer, 10}, {buffer + 2 * PAGE, 10}};

    memset(buffer, 'b', PAGE);
    mprotect(buffer + 2 * PAGE, PAGE, PROT_NONE);
    EXPECT_EQ(pwrite(fd, buffer, 3 * PAGE, 0), 2 * PAGE);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), 2 * PAGE);
    EXPECT_EQ(pwrite(fd, buffer + 2 * PAGE - 7, PAGE, PAGE), 7);
    EXPECT_EQ(pwritev(fd, parts, 2, 0), 10);
    EXPECT_ERR(pwrite(fd, buffer + 2 * PAGE, 10, 0), EFAULT);
    EXPECT_ERR(pwrite(fd, (char *)-1000L, PAGE, 0), EFAULT);
    munmap(buffer, 3 * PAGE);
    close(fd);
}

#define RECORD  (PAGE + 1000)
#define RECORDS 300

static void *append_records(void *name)
{
    int fd = open("records", O_WRONLY | O_APPEND), source = open(name, O_RDONLY);
    char *map = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE, source, 0);
    long bad = fd < 0 || source < 0;

    // The second page is missing each time, and does not come with the first.
    mmap(map + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_FIXED, source, 0);

    for (int i = 0; i < RECORDS; i++) {
        madvise(map + PAGE, PAGE, MADV_DONTNEED);
        bad += write(fd, map, RECORD) != RECORD;
    }
    munmap(map, 2 * PAGE);
    close(source);
    close(fd);
    return (void *)bad;
}

CHECK(append_of_missing_pages_is_one_piece)
{
    enum { THREADS = 4 };
    static char text[2 * PAGE], record[RECORD], names[THREADS][16];
    pthread_t threads[THREADS];
    void *bad;
    int fd;

    close(fresh("records", NULL));
    for (int i = 0; i < THREADS; i++) {
        snprintf(names[i], sizeof names[i], "source-%d", i);
        fd = fresh(names[i], NULL);
        memset(text, 'A' + i, sizeof text);
        EXPECT_EQ(write(fd, text, sizeof text), sizeof text);
        close(fd);
        pthread_create(&threads[i], NULL, append_records, names[i]);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &bad);
        EXPECT_EQ((long)bad, 0);
    }
    fd = open("records", O_RDONLY);
    for (int i = 0; i < THREADS * RECORDS; i++) {
        EXPECT_EQ(read(fd, record, sizeof record), sizeof record);
        EXPECT_EQ(memcmp(record, record + 1, sizeof record - 1), 0);
    }
    EXPECT_EQ(read(fd, record, 1), 0);
    close(fd);
}
