// SPDX-License-Identifier: MIT
// Disks: /dev/vda and /dev/vdb are empty, 16 MiB, one of them read-only
// (tests/oracle/linux_checks.py attaches them). Their ioctls, their ends, what /sys and /proc tell.
#include "check.h"
#include <linux/fs.h>
#include <linux/hdreg.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#define SIZE (16LL << 20)

static const char *name_of(bool read_only)
{
    static const char *const names[] = {"/dev/vda", "/dev/vdb"};
    for (int tries = 0; tries < 50;
         tries++, usleep(100000)) { // Linux finds them when it is up already
        for (unsigned i = 0; i < 2; i++) {
            int fd = open(names[i], O_RDONLY | O_CLOEXEC), ro = -1;
            if (fd < 0)
                continue;
            ioctl(fd, BLKROGET, &ro);
            close(fd);
            if (ro == read_only)
                return names[i];
        }
    }
    return "no disk";
}

static int open_disk(bool read_only)
{
    return open(name_of(read_only), O_RDWR | O_CLOEXEC);
}

static long long value(int fd, unsigned long request)
{
    unsigned long long result = 0;
    return ioctl(fd, request, &result) == 0 ? (long long)result : -errno;
}

static int range(int fd, unsigned long request, uint64_t start, uint64_t length)
{
    uint64_t words[2] = {start, length};
    return ioctl(fd, request, words) == 0 ? 0 : -errno;
}

CHECK(numbers)
{
    static const struct {
        unsigned long request;
        long long value;
    } expected[] = {
        {BLKGETSIZE64, SIZE},       {BLKGETSIZE, SIZE / 512}, {BLKSSZGET, 512},  {BLKPBSZGET, 512},
        {BLKBSZGET, 4096},          {BLKIOMIN, 512},          {BLKIOOPT, 0},     {BLKALIGNOFF, 0},
        {BLKROTATIONAL, 1},         {BLKRAGET, 256},          {BLKFRAGET, 256},  {BLKSECTGET, 2560},
        {BLKDISCARDZEROES, 0},      {BLKRRPART, 0},           {0x1299, -ENOTTY}, {0x5401, -ENOTTY},
        {0x80041284 /* zones */, 0}};
    int fd = open_disk(false);
    EXPECT(fd >= 0);
    for (unsigned i = 0; i < ARRAY_SIZE(expected); i++)
        EXPECT_EQ(value(fd, expected[i].request), expected[i].value);
    EXPECT(value(fd, 0x80081280) > 0); // BLKGETDISKSEQ
    EXPECT_ERR(ioctl(fd, BLKGETSIZE64, BAD_POINTER), EFAULT);
    EXPECT_ERR(ioctl(fd, BLKSSZGET, BAD_POINTER), EFAULT);
    close(fd);
}

CHECK(geometry)
{
    struct hd_geometry geometry = {0};
    int fd = open_disk(false);
    EXPECT_EQ(ioctl(fd, HDIO_GETGEO, &geometry), 0);
    EXPECT_EQ(geometry.heads, 16);
    EXPECT_EQ(geometry.sectors, 63);
    EXPECT_EQ(geometry.cylinders, 32);
    EXPECT_EQ(geometry.start, 0);
    EXPECT_ERR(ioctl(fd, HDIO_GETGEO, 0), EINVAL);
    EXPECT_ERR(ioctl(fd, HDIO_GETGEO, BAD_POINTER), EFAULT);
    close(fd);
}

CHECK(status)
{
    struct stat st;
    int fd = open_disk(false);
    EXPECT_EQ(fstat(fd, &st), 0);
    EXPECT(S_ISBLK(st.st_mode));
    EXPECT_EQ(major(st.st_rdev), 254);
    EXPECT_EQ(st.st_size, 0);
    EXPECT_EQ(st.st_blksize, 4096);
    close(fd);
}

CHECK(block_size)
{
    static const int bad[] = {-1, 0, 256, 600, 8192, 65536};
    int fd = open_disk(false), size;
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        size = bad[i];
        EXPECT_ERR(ioctl(fd, BLKBSZSET, &size), EINVAL);
    }
    for (size = 512; size <= 4096; size *= 2) {
        EXPECT_EQ(ioctl(fd, BLKBSZSET, &size), 0);
        EXPECT_EQ(value(fd, BLKBSZGET), size);
    }
    close(fd);
}

CHECK(ends)
{
    char data[8] = {0};
    int fd = open_disk(false);
    EXPECT_EQ(lseek(fd, 0, SEEK_END), SIZE);
    EXPECT_EQ(lseek(fd, SIZE, SEEK_SET), SIZE);
    EXPECT_ERR(lseek(fd, SIZE + 1, SEEK_SET), EINVAL);
    EXPECT_ERR(lseek(fd, 0, SEEK_DATA), EINVAL);
    EXPECT_ERR(lseek(fd, 0, SEEK_HOLE), EINVAL);
    EXPECT_EQ(pwrite(fd, "abcdef", 6, SIZE - 3), 3);
    EXPECT_EQ(pread(fd, data, 8, SIZE - 3), 3);
    EXPECT_EQ(memcmp(data, "abc", 4), 0);
    EXPECT_EQ(pread(fd, data, 8, SIZE), 0);
    EXPECT_EQ(pread(fd, data, 8, SIZE + 5), 0);
    EXPECT_ERR(pwrite(fd, data, 1, SIZE), ENOSPC);
    EXPECT_EQ(pwrite(fd, data, 0, SIZE), 0);
    EXPECT_ERR(ftruncate(fd, 100), EINVAL);
    EXPECT_EQ(fsync(fd), 0);
    EXPECT_EQ(ioctl(fd, BLKFLSBUF, 0), 0);
    close(fd);
}

CHECK(direct)
{
    int fd = open(name_of(false), O_RDONLY | O_DIRECT);
    char *memory = aligned_alloc(4096, 8192);
    EXPECT_EQ(pread(fd, memory, 512, 512), 512);
    EXPECT_ERR(pread(fd, memory, 100, 0), EINVAL);
    EXPECT_ERR(pread(fd, memory, 512, 100), EINVAL);
    EXPECT_ERR(pread(fd, memory + 8, 512, 0), EINVAL);
    EXPECT_EQ(pread(fd, memory, 4096, SIZE - 512), 512);
    EXPECT_EQ(pread(fd, memory, 4096, SIZE), 0);
    free(memory);
    close(fd);
}

static bool is_filled(int fd, off_t at, size_t size, char with)
{
    static char data[65536];
    if (pread(fd, data, size, at) != (ssize_t)size)
        return false;
    for (size_t i = 0; i < size; i++) {
        if (data[i] != with)
            return false;
    }
    return true;
}

static void fill(int fd, char with)
{
    static char data[65536];
    memset(data, with, sizeof data);
    EXPECT_EQ(pwrite(fd, data, sizeof data, 1 << 20), (ssize_t)sizeof data);
}

CHECK(zero_out)
{
    int fd = open_disk(false);
    fill(fd, 'x');
    EXPECT_EQ(range(fd, BLKZEROOUT, (1 << 20) + 512, 8192), 0);
    EXPECT(is_filled(fd, 1 << 20, 512, 'x'));
    EXPECT(is_filled(fd, (1 << 20) + 512, 8192, 0));
    EXPECT(is_filled(fd, (1 << 20) + 8704, 8192, 'x'));
    fill(fd, 'y');
    EXPECT_EQ(fallocate(fd, FALLOC_FL_ZERO_RANGE, (1 << 20) + 4096, 4096), 0);
    EXPECT_EQ(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (1 << 20) + 12288, 4096),
              0);
    EXPECT(is_filled(fd, 1 << 20, 4096, 'y'));
    EXPECT(is_filled(fd, (1 << 20) + 4096, 4096, 0));
    EXPECT(is_filled(fd, (1 << 20) + 8192, 4096, 'y'));
    EXPECT(is_filled(fd, (1 << 20) + 12288, 4096, 0));
    EXPECT_EQ(range(fd, BLKDISCARD, 1 << 20, 65536), 0);
    EXPECT_ERR(fallocate(fd, 0, 0, 4096), EOPNOTSUPP);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 4096), EOPNOTSUPP);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 100, 512), EINVAL);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, SIZE, 512), EINVAL);
    EXPECT_EQ(fallocate(fd, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE, SIZE - 512, 4096), 0);
    close(fd);
}

CHECK(bad_ranges)
{
    static const uint64_t bad[][2] = {{0, 0},          {100, 512},         {512, 100},
                                      {SIZE, 512},     {SIZE - 512, 1024}, {SIZE, 0},
                                      {-512ULL, 1024}, {512, -512ULL}};
    int fd = open_disk(false), reader = open(name_of(false), O_RDONLY);
    for (unsigned i = 0; i < ARRAY_SIZE(bad); i++) {
        EXPECT_EQ(range(fd, BLKZEROOUT, bad[i][0], bad[i][1]), -EINVAL);
        EXPECT_EQ(range(fd, BLKDISCARD, bad[i][0], bad[i][1]), -EINVAL);
    }
    EXPECT_ERR(ioctl(fd, BLKZEROOUT, BAD_POINTER), EFAULT);
    EXPECT_ERR(ioctl(fd, BLKDISCARD, BAD_POINTER), EFAULT);
    EXPECT_EQ(range(fd, BLKSECDISCARD, 0, 4096), -EOPNOTSUPP);
    EXPECT_EQ(range(reader, BLKZEROOUT, 0, 4096), -EBADF);
    EXPECT_EQ(range(reader, BLKDISCARD, 0, 4096), -EBADF);
    close(fd);
    close(reader);
}

CHECK(read_only)
{
    int fd = open_disk(true), off = 0;
    EXPECT(fd >= 0);
    EXPECT_ERR(pwrite(fd, "x", 1, 0), EPERM);
    EXPECT_ERR(pwrite(fd, "x", 1, SIZE), EPERM);
    EXPECT_EQ(range(fd, BLKZEROOUT, 0, 4096), -EPERM);
    EXPECT_EQ(range(fd, BLKZEROOUT, 0, 0), -EINVAL);
    EXPECT_EQ(range(fd, BLKDISCARD, 0, 4096), -EPERM);
    EXPECT_EQ(range(fd, BLKDISCARD, 0, 0), -EPERM);
    EXPECT_EQ(range(fd, BLKDISCARD, 100, 4096), -EINVAL);
    EXPECT_ERR(fallocate(fd, FALLOC_FL_ZERO_RANGE, 0, 4096), EPERM);
    EXPECT_EQ(ioctl(fd, BLKROSET, &off), 0);
    EXPECT_EQ(value(fd, BLKROGET), 1); // the device's own does not go away
    EXPECT_EQ(fsync(fd), 0);
    close(fd);
}

CHECK(set_read_only)
{
    int fd = open_disk(false), on = 1, off = 0;
    EXPECT_EQ(ioctl(fd, BLKROSET, &on), 0);
    EXPECT_EQ(value(fd, BLKROGET), 1);
    EXPECT_ERR(pwrite(fd, "x", 1, 0), EPERM);
    EXPECT_EQ(ioctl(fd, BLKROSET, &off), 0);
    EXPECT_EQ(pwrite(fd, "x", 1, 0), 1);
    EXPECT_ERR(ioctl(fd, BLKROSET, BAD_POINTER), EFAULT);
    close(fd);
}

// The text of a file below /sys/block/NAME.
static const char *fact(const char *file)
{
    static char text[256];
    snprintf(text, sizeof text, "/sys/block/%s/%s", name_of(false) + 5, file);
    int fd = open(text, O_RDONLY);
    ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
    close(fd);
    text[n > 0 ? n : 0] = 0;
    return text;
}

CHECK(sys_block)
{
    static const char *const facts[][2] = {{"size", "32768\n"},
                                           {"ro", "0\n"},
                                           {"removable", "0\n"},
                                           {"range", "16\n"},
                                           {"serial", "empty"},
                                           {"cache_type", "write back\n"},
                                           {"queue/logical_block_size", "512\n"},
                                           {"queue/physical_block_size", "512\n"},
                                           {"queue/hw_sector_size", "512\n"},
                                           {"queue/minimum_io_size", "512\n"},
                                           {"queue/optimal_io_size", "0\n"},
                                           {"queue/rotational", "1\n"},
                                           {"queue/discard_granularity", "512\n"},
                                           {"queue/discard_max_bytes", "2147483136\n"},
                                           {"queue/write_zeroes_max_bytes", "2147483136\n"},
                                           {"queue/write_cache", "write back\n"},
                                           {"queue/max_sectors_kb", "1280\n"},
                                           {"queue/zoned", "none\n"},
                                           {"inflight", "       0        0\n"}};
    char path[64], link[256];
    for (unsigned i = 0; i < ARRAY_SIZE(facts); i++) {
        const char *found = fact(facts[i][0]);
        if (strcmp(found, facts[i][1]) != 0) {
            EXPECT_STR(facts[i][0], "");
            EXPECT_STR(found, facts[i][1]);
        }
    }
    EXPECT(strstr(fact("uevent"), "DEVTYPE=disk\n") != NULL);
    snprintf(path, sizeof path, "/sys/class/block/%s", name_of(false) + 5);
    EXPECT(readlink(path, link, sizeof link) > 0);
    strcat(path, "/size");
    EXPECT_EQ(access(path, R_OK), 0);
    snprintf(path, sizeof path, "/sys/dev/block/%s", fact("dev"));
    path[strcspn(path, "\n")] = 0;
    EXPECT(readlink(path, link, sizeof link) > 0);
}

// Requests and sectors read, then those written.
static void statistics(unsigned long long numbers[4])
{
    unsigned long long n[11] = {0};
    sscanf(fact("stat"), "%llu %llu %llu %llu %llu %llu %llu", n, n + 1, n + 2, n + 3, n + 4, n + 5,
           n + 6);
    numbers[0] = n[0];
    numbers[1] = n[2];
    numbers[2] = n[4];
    numbers[3] = n[6];
}

CHECK(counts)
{
    unsigned long long before[4], after[4];
    int fd = open(name_of(false), O_RDWR | O_DIRECT);
    char *memory = aligned_alloc(4096, 8192), line[256], wanted[64];
    memset(memory, 0, 8192);
    statistics(before);
    EXPECT_EQ(pread(fd, memory, 8192, 2 << 20), 8192);
    EXPECT_EQ(pwrite(fd, memory, 4096, 2 << 20), 4096);
    statistics(after);
    EXPECT_EQ(after[0] - before[0], 1);
    EXPECT_EQ(after[1] - before[1], 16);
    EXPECT_EQ(after[2] - before[2], 1);
    EXPECT_EQ(after[3] - before[3], 8);
    FILE *file = fopen("/proc/diskstats", "r");
    bool found = false;
    snprintf(wanted, sizeof wanted, " %s ", name_of(false) + 5);
    while (file && fgets(line, sizeof line, file))
        found |= strstr(line, wanted) != NULL;
    EXPECT(found);
    fclose(file);
    free(memory);
    close(fd);
}
