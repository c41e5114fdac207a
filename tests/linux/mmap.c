// SPDX-License-Identifier: MIT
// mmap(2) and munmap(2): placement, flags, sharing, errors.
#include "check.h"

static char *map(size_t length, int prot, int flags)
{
    return mmap(NULL, length, prot, flags, -1, 0);
}

static int file_of(size_t length)
{
    int fd = open("mapped", O_RDWR | O_CREAT | O_TRUNC, 0600);
    for (size_t i = 0; i < length; i++)
        if (pwrite(fd, &(char){(char)('a' + i / PAGE)}, 1, (off_t)i) != 1 || i + 1 == length)
            break;
    ftruncate(fd, (off_t)length);
    return fd;
}

CHECK(mmap_anonymous_is_zero)
{
    char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT(p != MAP_FAILED);
    for (size_t i = 0; i < 16 * PAGE; i++)
        EXPECT_EQ(p[i], 0);
    p[5 * PAGE] = 7;
    EXPECT_EQ(p[5 * PAGE], 7);
    EXPECT_OK(munmap(p, 16 * PAGE));
}

CHECK(mmap_is_page_aligned)
{
    char *p = map(1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_EQ((uintptr_t)p % PAGE, 0);
    EXPECT_EQ(p[PAGE - 1], 0);
    EXPECT_OK(munmap(p, 1));
}

CHECK(mmap_length_zero)
{
    EXPECT_ERR(map(0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), EINVAL);
}

CHECK(mmap_no_sharing_flag)
{
    EXPECT_ERR(map(PAGE, PROT_READ, MAP_ANONYMOUS), EINVAL);
}

CHECK(mmap_length_huge)
{
    EXPECT_ERR(map((size_t)1 << 60, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), ENOMEM);
    EXPECT_ERR(map((size_t)-1, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS), ENOMEM);
}

CHECK(mmap_bad_descriptor)
{
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, 999, 0), EBADF);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, -1, 0), EBADF);
}

CHECK(mmap_unaligned_offset)
{
    int fd = file_of(PAGE);
    EXPECT_ERR(syscall(SYS_mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 100), EINVAL);
    close(fd);
}

CHECK(mmap_hint_is_taken_when_free)
{
    char *p = map(4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_OK(munmap(p, 4 * PAGE));
    char *q = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_EQ((long)q, (long)p);
    char *r = mmap(p, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT(r != MAP_FAILED && r != q);
    munmap(q, PAGE);
    munmap(r, PAGE);
}

CHECK(mmap_fixed_replaces)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    memset(p, 1, 3 * PAGE);
    char *q = mmap(p + PAGE, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    EXPECT_EQ((long)q, (long)(p + PAGE));
    EXPECT_EQ(p[0], 1);
    EXPECT_EQ(p[PAGE], 0);
    EXPECT_EQ(p[2 * PAGE], 1);
    munmap(p, 3 * PAGE);
}

CHECK(mmap_fixed_unaligned)
{
    char *p = map(2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_ERR(mmap(p + 1, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0),
               EINVAL);
    munmap(p, 2 * PAGE);
}

CHECK(mmap_fixed_noreplace)
{
    char *p = map(2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
    EXPECT_ERR(mmap(p, PAGE, PROT_READ, flags, -1, 0), EEXIST);
    munmap(p, PAGE);
    EXPECT_EQ((long)mmap(p, PAGE, PROT_READ, flags, -1, 0), (long)p);
    munmap(p, 2 * PAGE);
}

CHECK(mmap_fixed_beyond_user_space)
{
    void *high = (void *)((uintptr_t)1 << 52);
    EXPECT_ERR(mmap(high, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0), ENOMEM);
}

CHECK(mmap_file_private)
{
    int fd = file_of(2 * PAGE);
    pwrite(fd, "file", 4, 0);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0), back[4];
    EXPECT(p != MAP_FAILED);
    EXPECT_EQ(memcmp(p, "file", 4), 0);
    memcpy(p, "mine", 4);
    EXPECT_EQ(pread(fd, back, 4, 0), 4);
    EXPECT_EQ(memcmp(back, "file", 4), 0);
    munmap(p, 2 * PAGE);
    close(fd);
}

CHECK(mmap_file_shared_both_ways)
{
    int fd = file_of(PAGE);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), back[6];
    EXPECT(p != MAP_FAILED);
    memcpy(p, "memory", 6);
    EXPECT_EQ(pread(fd, back, 6, 0), 6);
    EXPECT_EQ(memcmp(back, "memory", 6), 0);
    EXPECT_EQ(pwrite(fd, "device", 6, 10), 6);
    EXPECT_EQ(memcmp(p + 10, "device", 6), 0);
    munmap(p, PAGE);
    close(fd);
}

CHECK(mmap_two_shared_mappings_are_one)
{
    int fd = file_of(PAGE);
    char *a = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *b = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    a[100] = 42;
    EXPECT_EQ(b[100], 42);
    munmap(a, PAGE);
    munmap(b, PAGE);
}

CHECK(mmap_file_offset)
{
    int fd = file_of(3 * PAGE);
    pwrite(fd, "third", 5, (off_t)(2 * PAGE));
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, (off_t)(2 * PAGE));
    EXPECT_EQ(memcmp(p, "third", 5), 0);
    munmap(p, PAGE);
    close(fd);
}

CHECK(mmap_tail_of_last_page_is_zero)
{
    int fd = open("tail", O_RDWR | O_CREAT | O_TRUNC, 0600);
    EXPECT_EQ(write(fd, "abc", 3), 3);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0);
    EXPECT_EQ(p[2], 'c');
    for (size_t i = 3; i < PAGE; i++)
        EXPECT_EQ(p[i], 0);
    munmap(p, PAGE);
    close(fd);
}

CHECK(mmap_survives_close_and_unlink)
{
    int fd = file_of(PAGE);
    pwrite(fd, "still", 5, 0);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    EXPECT_OK(unlink("mapped"));
    EXPECT_EQ(memcmp(p, "still", 5), 0);
    munmap(p, PAGE);
}

CHECK(mmap_shared_write_needs_writable_file)
{
    close(file_of(PAGE));
    int fd = open("mapped", O_RDONLY);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    EXPECT(p != MAP_FAILED);
    munmap(p, PAGE);
    char *q = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
    EXPECT(q != MAP_FAILED);
    EXPECT_ERR(mprotect(q, PAGE, PROT_READ | PROT_WRITE), EACCES);
    munmap(q, PAGE);
    close(fd);
}

CHECK(mmap_write_only_file)
{
    close(file_of(PAGE));
    int fd = open("mapped", O_WRONLY);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fd, 0), EACCES);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_WRITE, MAP_SHARED, fd, 0), EACCES);
    close(fd);
}

CHECK(mmap_of_what_cannot_be_mapped)
{
    int fds[2], folder = open(".", O_RDONLY);
    EXPECT_OK(pipe(fds));
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, fds[0], 0), ENODEV);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE, folder, 0), ENODEV);
    close(fds[0]);
    close(fds[1]);
    close(folder);
}

CHECK(mmap_dev_zero)
{
    int fd = open("/dev/zero", O_RDWR);
    EXPECT(fd >= 0);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    EXPECT(p != MAP_FAILED);
    EXPECT_EQ(p[17], 0);
    p[17] = 1;
    munmap(p, PAGE);
    p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    EXPECT_EQ(p[17], 0);
    munmap(p, PAGE);
    close(fd);
}

CHECK(mmap_populate_and_noreserve)
{
    char *p = map(8 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE);
    EXPECT(p != MAP_FAILED);
    unsigned char in_core[8];
    EXPECT_OK(mincore(p, 8 * PAGE, in_core));
    for (int i = 0; i < 8; i++)
        EXPECT_EQ(in_core[i] & 1, 1);
    munmap(p, 8 * PAGE);
    size_t large = (size_t)1 << 38;
    p = map(large, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    EXPECT(p != MAP_FAILED);
    p[large / 2] = 1;
    munmap(p, large);
}

CHECK(mmap_prot_none_reservation)
{
    size_t large = (size_t)1 << 40;
    char *p = map(large, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE);
    EXPECT(p != MAP_FAILED);
    EXPECT_OK(mprotect(p + large / 2, PAGE, PROT_READ | PROT_WRITE));
    p[large / 2] = 5;
    EXPECT_EQ(p[large / 2], 5);
    EXPECT_OK(munmap(p, large));
}

CHECK(munmap_arguments)
{
    char *p = map(2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_ERR(munmap(p + 1, PAGE), EINVAL);
    EXPECT_ERR(munmap(p, 0), EINVAL);
    EXPECT_ERR(munmap((void *)((uintptr_t)1 << 52), PAGE), EINVAL);
    EXPECT_OK(munmap(p, 2 * PAGE));
    EXPECT_OK(munmap(p, 2 * PAGE));
}

CHECK(munmap_of_the_middle)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    unsigned char in_core[1];
    p[0] = p[2 * PAGE] = 9;
    EXPECT_OK(munmap(p + PAGE, PAGE));
    EXPECT_EQ(p[0], 9);
    EXPECT_EQ(p[2 * PAGE], 9);
    EXPECT_ERR(mincore(p + PAGE, PAGE, in_core), ENOMEM);
    munmap(p, 3 * PAGE);
}

CHECK(munmap_across_areas)
{
    char *p = map(8 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_OK(mprotect(p + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE));
    EXPECT_OK(munmap(p + 5 * PAGE, PAGE));
    EXPECT_OK(munmap(p + PAGE, 6 * PAGE));
    unsigned char in_core[1];
    EXPECT_OK(mincore(p, PAGE, in_core));
    EXPECT_ERR(mincore(p + 4 * PAGE, PAGE, in_core), ENOMEM);
    EXPECT_OK(mincore(p + 7 * PAGE, PAGE, in_core));
    munmap(p, 8 * PAGE);
}

CHECK(mmap_memory_comes_back_zero)
{
    for (int round = 0; round < 20; round++) {
        char *p = map(64 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        for (size_t i = 0; i < 64; i++)
            EXPECT_EQ(p[i * PAGE + 3], 0);
        memset(p, 0xa5, 64 * PAGE);
        munmap(p, 64 * PAGE);
    }
}

CHECK(mmap_many_areas)
{
    enum { COUNT = 2000 };
    static char *pages[COUNT];
    for (int i = 0; i < COUNT; i++) {
        pages[i] =
            map(PAGE, i % 2 ? PROT_READ : PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
        EXPECT(pages[i] != MAP_FAILED);
        if (i % 2 == 0)
            pages[i][0] = (char)i;
    }
    for (int i = 0; i < COUNT; i++) {
        EXPECT_EQ(pages[i][0], i % 2 ? 0 : (char)i);
        EXPECT_OK(munmap(pages[i], PAGE));
    }
}

CHECK(mmap_copy_on_write_of_zero_page)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    char *q = map(2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT_EQ(p[0] + q[0], 0);
    p[0] = 1;
    EXPECT_EQ(q[0], 0);
    q[0] = 2;
    EXPECT_EQ(p[0], 1);
    munmap(p, 2 * PAGE);
    munmap(q, 2 * PAGE);
}

CHECK(mmap_stack_and_growsdown_flags)
{
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK | MAP_NORESERVE;
    char *p = map(16 * PAGE, PROT_READ | PROT_WRITE, flags);
    EXPECT(p != MAP_FAILED);
    munmap(p, 16 * PAGE);
    p = map(PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_GROWSDOWN);
    EXPECT(p != MAP_FAILED);
    munmap(p, PAGE);
}

CHECK(mmap_shared_validate)
{
    int fd = file_of(PAGE);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE, fd, 0);
    EXPECT(p != MAP_FAILED);
    munmap(p, PAGE);
    EXPECT_ERR(mmap(NULL, PAGE, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0), EOPNOTSUPP);
    close(fd);
}

CHECK(mmap_hugetlb_without_pages)
{
    size_t two_mib = (size_t)2 << 20;
    EXPECT_ERR(map(two_mib, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB), ENOMEM);
}

CHECK(mmap_large_area_touch_all)
{
    size_t length = (size_t)32 << 20;
    char *p = map(length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT(p != MAP_FAILED);
    for (size_t i = 0; i < length; i += PAGE)
        *(size_t *)(p + i) = i;
    for (size_t i = 0; i < length; i += PAGE)
        EXPECT_EQ(*(size_t *)(p + i), i);
    EXPECT_OK(munmap(p, length));
}

CHECK(mmap_first_address_is_refused)
{
    EXPECT_EQ(BAD_POINTER == NULL, 0);
    char *p = mmap(NULL, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT((uintptr_t)p >= 65536);
    munmap(p, PAGE);
}

CHECK(mmap_execute_what_was_written)
{
    uint32_t *p =
        (void *)map(PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS);
    EXPECT(p != MAP_FAILED);
    for (unsigned value = 1; value < 50; value++) {
        p[0] = 0x52800000u | value << 5; // mov w0, #value
        p[1] = 0xd65f03c0u;              // ret
        __builtin___clear_cache((char *)p, (char *)(p + 2));
        EXPECT_EQ(((int (*)(void))p)(), value);
    }
    munmap(p, PAGE);
}
