// SPDX-License-Identifier: MIT
// What a file is: stat, statx, times, chmod, chown, truncate, fallocate, holes, extended
// attributes.
#include "check.h"
#include <linux/falloc.h>
#include <linux/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>

static int fresh(const char *name, const char *text)
{
    int fd = open(name, O_RDWR | O_CREAT | O_TRUNC, 0644);
    if (text)
        (void)!pwrite(fd, text, strlen(text), 0);
    return fd;
}

CHECK(stat_fields)
{
    struct stat st;
    int fd = fresh("fields", "12345");
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 5);
    EXPECT_EQ(st.st_mode, S_IFREG | 0644);
    EXPECT_EQ(st.st_nlink, 1);
    EXPECT_EQ(st.st_uid, 0);
    EXPECT_EQ(st.st_gid, 0);
    EXPECT_EQ(st.st_blksize, 4096);
    EXPECT_EQ(st.st_blocks, 8);
    EXPECT(st.st_ino != 0);
    EXPECT(llabs((long long)st.st_mtime - time(NULL)) < 10);
    close(fd);
}

CHECK(stat_kinds)
{
    struct stat st;
    int fds[2];
    EXPECT_OK(stat("/", &st));
    EXPECT(S_ISDIR(st.st_mode));
    EXPECT_OK(stat("/dev/null", &st));
    EXPECT(S_ISCHR(st.st_mode));
    EXPECT_EQ(major(st.st_rdev), 1);
    EXPECT_EQ(minor(st.st_rdev), 3);
    EXPECT_OK(pipe(fds));
    EXPECT_OK(fstat(fds[0], &st));
    EXPECT(S_ISFIFO(st.st_mode));
    close(fds[0]);
    close(fds[1]);
}

CHECK(stat_empty_path)
{
    struct stat st;
    int fd = fresh("empty", "x");
    EXPECT_OK(fstatat(fd, "", &st, AT_EMPTY_PATH));
    EXPECT_EQ(st.st_size, 1);
    EXPECT_ERR(fstatat(fd, "", &st, 0), ENOENT);
    EXPECT_ERR(fstatat(AT_FDCWD, "empty", &st, 0x8000), EINVAL);
    EXPECT_OK(fstatat(AT_FDCWD, "", &st, AT_EMPTY_PATH));
    EXPECT(S_ISDIR(st.st_mode));
    close(fd);
}

CHECK(statx_fields)
{
    struct statx sx = {0};
    int fd = fresh("statx", "1234567");
    EXPECT_OK(syscall(SYS_statx, AT_FDCWD, "statx", 0, STATX_BASIC_STATS, &sx));
    EXPECT_EQ(sx.stx_mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
    EXPECT_EQ(sx.stx_size, 7);
    EXPECT_EQ(sx.stx_mode, S_IFREG | 0644);
    EXPECT_EQ(sx.stx_nlink, 1);
    EXPECT_EQ(sx.stx_blksize, 4096);
    EXPECT_OK(syscall(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_SIZE, &sx));
    EXPECT_EQ(sx.stx_size, 7);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "statx", 0x100000, 0, &sx), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "statx", 0, 1u << 31, &sx), EINVAL);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "nothing", 0, 0, &sx), ENOENT);
    EXPECT_ERR(syscall(SYS_statx, AT_FDCWD, "statx", 0, 0, BAD_POINTER), EFAULT);
    close(fd);
}

CHECK(times_are_updated)
{
    struct stat before, after;
    int fd = fresh("times", "x");
    struct timespec old[2] = {{1000, 5}, {2000, 7}};
    char byte;
    EXPECT_OK(futimens(fd, old));
    EXPECT_OK(fstat(fd, &before));
    EXPECT_EQ(before.st_atim.tv_sec, 1000);
    EXPECT_EQ(before.st_atim.tv_nsec, 5);
    EXPECT_EQ(before.st_mtim.tv_sec, 2000);
    EXPECT_EQ(before.st_mtim.tv_nsec, 7);
    EXPECT_EQ(pwrite(fd, "y", 1, 0), 1);
    EXPECT_OK(fstat(fd, &after));
    EXPECT(after.st_mtime > 100000);
    EXPECT_EQ(after.st_atime, 1000);
    futimens(fd, old);
    EXPECT_EQ(pread(fd, &byte, 1, 0), 1);
    EXPECT_OK(ftruncate(fd, 5));
    EXPECT_OK(fstat(fd, &after));
    EXPECT(after.st_mtime > 100000);
    close(fd);
}

CHECK(times_special_values)
{
    struct stat st;
    int fd = fresh("special", NULL);
    struct timespec set[2] = {{100, 0}, {200, 0}}, omit[2] = {{0, UTIME_OMIT}, {0, UTIME_NOW}};
    struct timespec bad[2] = {{0, 1000000000}, {0, 0}};
    EXPECT_OK(utimensat(AT_FDCWD, "special", set, 0));
    EXPECT_OK(utimensat(AT_FDCWD, "special", omit, 0));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_atime, 100);
    EXPECT(llabs((long long)st.st_mtime - time(NULL)) < 10);
    EXPECT_OK(utimensat(AT_FDCWD, "special", NULL, 0));
    EXPECT_OK(fstat(fd, &st));
    EXPECT(llabs((long long)st.st_atime - time(NULL)) < 10);
    EXPECT_ERR(utimensat(AT_FDCWD, "special", bad, 0), EINVAL);
    EXPECT_ERR(utimensat(AT_FDCWD, "nothing", NULL, 0), ENOENT);
    EXPECT_ERR(utimensat(AT_FDCWD, "special", NULL, 0x77), EINVAL);
    EXPECT_ERR(syscall(SYS_utimensat, AT_FDCWD, "special", BAD_POINTER, 0), EFAULT);
    symlink("special", "special-link");
    EXPECT_OK(utimensat(AT_FDCWD, "special-link", set, AT_SYMLINK_NOFOLLOW));
    EXPECT_OK(lstat("special-link", &st));
    EXPECT_EQ(st.st_mtime, 200);
    close(fd);
}

CHECK(times_of_a_folder_follow_its_names)
{
    struct stat st;
    struct timespec old[2] = {{1, 0}, {1, 0}};
    mkdir("folder", 0700);
    utimensat(AT_FDCWD, "folder", old, 0);
    close(fresh("folder/new", NULL));
    EXPECT_OK(stat("folder", &st));
    EXPECT(st.st_mtime > 100000);
    utimensat(AT_FDCWD, "folder", old, 0);
    unlink("folder/new");
    EXPECT_OK(stat("folder", &st));
    EXPECT(st.st_mtime > 100000);
}

CHECK(chmod_and_fchmod)
{
    struct stat st;
    int fd = fresh("mode", NULL);
    EXPECT_OK(chmod("mode", 04711));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_mode & 07777, 04711);
    EXPECT_OK(fchmod(fd, 0600));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_mode & 07777, 0600);
    EXPECT_ERR(chmod("nothing", 0600), ENOENT);
    EXPECT_OK(fchmodat(AT_FDCWD, "mode", 0644, 0));
    close(fd);
}

CHECK(chown_and_setuid_bits)
{
    struct stat st;
    int fd = fresh("owner", NULL);
    fchmod(fd, 06755);
    EXPECT_OK(fchown(fd, 1000, 1001));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_uid, 1000);
    EXPECT_EQ(st.st_gid, 1001);
    EXPECT_EQ(st.st_mode & 07777, 0755);
    EXPECT_OK(chown("owner", (uid_t)-1, 5));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_uid, 1000);
    EXPECT_EQ(st.st_gid, 5);
    symlink("owner", "owner-link");
    EXPECT_OK(lchown("owner-link", 7, 7));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_uid, 1000);
    EXPECT_ERR(fchownat(AT_FDCWD, "owner", 0, 0, 0x77), EINVAL);
    close(fd);
}

CHECK(truncate_shrinks_and_grows)
{
    char text[10];
    struct stat st;
    int fd = fresh("size", "0123456789");
    EXPECT_OK(ftruncate(fd, 4));
    EXPECT_OK(truncate("size", 8));
    EXPECT_EQ(pread(fd, text, 10, 0), 8);
    EXPECT_EQ(memcmp(text, "0123\0\0\0\0", 8), 0);
    EXPECT_ERR(ftruncate(fd, -1), EINVAL);
    EXPECT_ERR(truncate("nothing", 0), ENOENT);
    EXPECT_ERR(truncate(".", 0), EISDIR);
    EXPECT_OK(ftruncate(fd, 1l << 40));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 1l << 40);
    EXPECT(st.st_blocks <= 16);
    close(fd);
    unlink("size");
}

CHECK(truncate_drops_old_bytes_of_the_last_page)
{
    char text[PAGE];
    int fd = fresh("last", NULL);
    memset(text, 'q', sizeof text);
    EXPECT_EQ(write(fd, text, sizeof text), (ssize_t)sizeof text);
    EXPECT_OK(ftruncate(fd, 10));
    EXPECT_OK(ftruncate(fd, (off_t)sizeof text));
    EXPECT_EQ(pread(fd, text, sizeof text, 0), (ssize_t)sizeof text);
    EXPECT_EQ(text[9], 'q');
    for (size_t i = 10; i < sizeof text; i++)
        EXPECT_EQ(text[i], 0);
    close(fd);
}

CHECK(fallocate_modes)
{
    struct stat st;
    char byte = 1;
    int fd = fresh("alloc", NULL), reader = open("alloc", O_RDONLY);
    EXPECT_OK(fallocate(fd, 0, 0, 3 * (off_t)PAGE));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 3 * PAGE);
    EXPECT_EQ(st.st_blocks, 24);
    EXPECT_OK(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 5 * (off_t)PAGE));
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 3 * PAGE);
    EXPECT_EQ(pwrite(fd, "x", 1, (off_t)PAGE), 1);
    EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)PAGE, (off_t)PAGE));
    EXPECT_EQ(pread(fd, &byte, 1, (off_t)PAGE), 1);
    EXPECT_EQ(byte, 0);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_PUNCH_HOLE, 0, 10), EOPNOTSUPP);
    EXPECT_ERR(fallocate(fd, 0, 0, 0), EINVAL);
    EXPECT_ERR(fallocate(fd, 0, -1, 10), EINVAL);
    EXPECT_ERR(fallocate(reader, 0, 0, 10), EBADF);
    EXPECT_ERR(fallocate(fd, 0x400000, 0, 10), EOPNOTSUPP);
    close(fd);
    close(reader);
}

CHECK(fallocate_punch_inside_a_page)
{
    char text[16];
    int fd = fresh("punch", "0123456789abcdef");
    EXPECT_OK(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 4, 4));
    EXPECT_EQ(pread(fd, text, 16, 0), 16);
    EXPECT_EQ(memcmp(text, "0123\0\0\0\089abcdef", 16), 0);
    close(fd);
}

CHECK(seek_data_and_hole)
{
    int fd = fresh("holes", NULL);
    EXPECT_EQ(pwrite(fd, "x", 1, 4 * (off_t)PAGE), 1);
    EXPECT_OK(ftruncate(fd, 8 * (off_t)PAGE));
    EXPECT_EQ(lseek(fd, 0, SEEK_DATA), 4 * PAGE);
    EXPECT_EQ(lseek(fd, 0, SEEK_HOLE), 0);
    EXPECT_EQ(lseek(fd, 4 * (off_t)PAGE, SEEK_HOLE), 5 * PAGE);
    EXPECT_ERR(lseek(fd, 6 * (off_t)PAGE, SEEK_DATA), ENXIO);
    EXPECT_ERR(lseek(fd, 100 * (off_t)PAGE, SEEK_HOLE), ENXIO);
    close(fd);
}

CHECK(file_size_limit)
{
    struct {
        uint64_t now, max;
    } old, small = {100, 100};
    int fd = fresh("limited", NULL);
    static char text[200];
    signal(SIGXFSZ, SIG_IGN);
    EXPECT_OK(syscall(SYS_prlimit64, 0, 1 /* RLIMIT_FSIZE */, NULL, &old));
    small.max = old.max;
    EXPECT_OK(syscall(SYS_prlimit64, 0, 1, &small, NULL));
    ssize_t first = write(fd, text, 200), second = write(fd, text, 1);
    int error = errno;
    int longer = ftruncate(fd, 101) ? errno : 0;
    EXPECT_OK(syscall(SYS_prlimit64, 0, 1, &old, NULL));
    EXPECT_EQ(first, 100);
    EXPECT_EQ(second, -1);
    EXPECT_EQ(error, EFBIG);
    EXPECT_EQ(longer, EFBIG);
    close(fd);
}

CHECK(extended_attributes)
{
    char value[16] = "";
    int fd = fresh("xattr", NULL);
    EXPECT_ERR(getxattr("xattr", "trusted.none", value, sizeof value), ENODATA);
    EXPECT_OK(setxattr("xattr", "trusted.remora", "value", 5, 0));
    EXPECT_EQ(fgetxattr(fd, "trusted.remora", value, sizeof value), 5);
    EXPECT_STR(value, "value");
    EXPECT_EQ(getxattr("xattr", "trusted.remora", NULL, 0), 5);
    EXPECT_ERR(getxattr("xattr", "trusted.remora", value, 2), ERANGE);
    EXPECT_ERR(setxattr("xattr", "trusted.remora", "v", 1, XATTR_CREATE), EEXIST);
    EXPECT_ERR(setxattr("xattr", "trusted.other", "v", 1, XATTR_REPLACE), ENODATA);
    EXPECT_OK(removexattr("xattr", "trusted.remora"));
    EXPECT_ERR(removexattr("xattr", "trusted.remora"), ENODATA);
    EXPECT_ERR(getxattr("xattr", "nonsense", value, sizeof value), EOPNOTSUPP);
    close(fd);
}

CHECK(extended_attributes_of_links_and_descriptors)
{
    char value[16] = "", list[256];
    int fd = fresh("xattrs", NULL);
    symlink("xattrs", "xattrs-link");
    EXPECT_OK(lsetxattr("xattrs-link", "trusted.link", "l", 1, 0));
    EXPECT_ERR(getxattr("xattrs", "trusted.link", value, sizeof value), ENODATA);
    EXPECT_EQ(lgetxattr("xattrs-link", "trusted.link", value, sizeof value), 1);
    EXPECT_EQ(llistxattr("xattrs-link", list, sizeof list), (ssize_t)sizeof "trusted.link");
    EXPECT_OK(lremovexattr("xattrs-link", "trusted.link"));
    EXPECT_OK(fsetxattr(fd, "trusted.one", "1", 1, 0));
    EXPECT_OK(fsetxattr(fd, "trusted.two", "22", 2, 0));
    EXPECT_EQ(listxattr("xattrs", list, sizeof list), 24);
    EXPECT_EQ(flistxattr(fd, NULL, 0), 24);
    EXPECT_ERR(flistxattr(fd, list, 5), ERANGE);
    EXPECT_OK(fremovexattr(fd, "trusted.one"));
    EXPECT_ERR(fremovexattr(fd, "trusted.one"), ENODATA);
    EXPECT_EQ(flistxattr(fd, list, sizeof list), 12);
    EXPECT_STR(list, "trusted.two");
    close(fd);
}

CHECK(extended_attributes_errors)
{
    static char large[70000];
    int fd = fresh("xerr", NULL);
    EXPECT_ERR(fsetxattr(fd, "trusted.x", large, sizeof large, 0), E2BIG);
    EXPECT_ERR(fsetxattr(fd, "trusted.x", "v", 1, 77), EINVAL);
    EXPECT_ERR(setxattr("nothing", "trusted.x", "v", 1, 0), ENOENT);
    EXPECT_ERR(syscall(SYS_fsetxattr, fd, BAD_POINTER, "v", 1, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_fsetxattr, fd, "trusted.x", BAD_POINTER, 1, 0), EFAULT);
    EXPECT_ERR(setxattr("xerr", "trusted.", "v", 1, 0), EINVAL);
    close(fd);
}
