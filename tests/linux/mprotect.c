// SPDX-License-Identifier: MIT
// mprotect(2), brk(2), and the other calls on mapped memory: mremap, madvise, msync, mincore,
// mlock.
#include "check.h"

static char *map(size_t length, int prot)
{
    return mmap(NULL, length, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static sigjmp_buf escape;
static volatile int fault_code;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    fault_code = info->si_code;
    siglongjmp(escape, 1);
}

// The si_code of the fault that writing (or reading) at p raises; 0 when none.
static int fault_of(volatile char *p, bool is_write)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    fault_code = 0;
    if (sigsetjmp(escape, 1) == 0) {
        if (is_write)
            *p = 1;
        else
            (void)*p;
    }
    return fault_code;
}

CHECK(mprotect_read_only)
{
    char *p = map(PAGE, PROT_READ | PROT_WRITE);
    *p = 1;
    EXPECT_OK(mprotect(p, PAGE, PROT_READ));
    EXPECT_EQ(fault_of(p, false), 0);
    EXPECT_EQ(fault_of(p, true), SEGV_ACCERR);
    EXPECT_OK(mprotect(p, PAGE, PROT_READ | PROT_WRITE));
    EXPECT_EQ(fault_of(p, true), 0);
    munmap(p, PAGE);
}

CHECK(mprotect_none_and_back_keeps_contents)
{
    char *p = map(PAGE, PROT_READ | PROT_WRITE);
    memset(p, 3, PAGE);
    EXPECT_OK(mprotect(p, PAGE, PROT_NONE));
    EXPECT_EQ(fault_of(p, false), SEGV_ACCERR);
    EXPECT_OK(mprotect(p, PAGE, PROT_READ));
    EXPECT_EQ(p[4095], 3);
    munmap(p, PAGE);
}

CHECK(mprotect_errors)
{
    char *p = map(3 * PAGE, PROT_READ);
    EXPECT_ERR(mprotect(p + 1, PAGE, PROT_READ), EINVAL);
    EXPECT_OK(mprotect(p, 0, PROT_READ));
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE), ENOMEM);
    EXPECT_ERR(mprotect(p + PAGE, PAGE, PROT_READ), ENOMEM);
    EXPECT_ERR(syscall(SYS_mprotect, p, PAGE, 0x40), EINVAL);
    munmap(p, 3 * PAGE);
}

CHECK(mprotect_applies_up_to_a_hole)
{
    char *p = map(3 * PAGE, PROT_READ);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(mprotect(p, 3 * PAGE, PROT_READ | PROT_WRITE), ENOMEM);
    EXPECT_EQ(fault_of(p, true), 0);
    EXPECT_EQ(fault_of(p + 2 * PAGE, true), SEGV_ACCERR);
    munmap(p, 3 * PAGE);
}

CHECK(mprotect_middle_splits)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE);
    EXPECT_OK(mprotect(p + PAGE, PAGE, PROT_NONE));
    EXPECT_EQ(fault_of(p, true), 0);
    EXPECT_EQ(fault_of(p + PAGE, true), SEGV_ACCERR);
    EXPECT_EQ(fault_of(p + 2 * PAGE, true), 0);
    munmap(p, 3 * PAGE);
}

CHECK(mprotect_execute_only_and_no_execute)
{
    uint32_t *code = (uint32_t *)map(PAGE, PROT_READ | PROT_WRITE);
    code[0] = 0xd65f03c0u; // ret
    __builtin___clear_cache((char *)code, (char *)(code + 1));
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    fault_code = 0;
    if (sigsetjmp(escape, 1) == 0)
        ((void (*)(void))code)();
    EXPECT_EQ(fault_code, SEGV_ACCERR);
    EXPECT_OK(mprotect(code, PAGE, PROT_READ | PROT_EXEC));
    ((void (*)(void))code)();
    munmap(code, PAGE);
}

CHECK(brk_grows_and_shrinks)
{
    char *start = (char *)syscall(SYS_brk, 0);
    char *grown = (char *)syscall(SYS_brk, start + 4 * PAGE);
    EXPECT_EQ(grown - start, 4 * PAGE);
    memset(start, 7, 4 * PAGE);
    EXPECT_EQ(syscall(SYS_brk, 0), (long)grown);
    EXPECT_EQ(syscall(SYS_brk, start), (long)start);
    EXPECT_EQ(syscall(SYS_brk, start + PAGE), (long)(start + PAGE));
    char *page = (char *)(((uintptr_t)start + PAGE - 1) & ~(PAGE - 1));
    if (page < start + PAGE)
        EXPECT_EQ(*page, 0);
    syscall(SYS_brk, start);
}

CHECK(brk_is_not_page_granular)
{
    long start = syscall(SYS_brk, 0);
    EXPECT_EQ(syscall(SYS_brk, start + 5), start + 5);
    EXPECT_EQ(syscall(SYS_brk, 0), start + 5);
    EXPECT_EQ(syscall(SYS_brk, start), start);
}

CHECK(brk_refusals_return_the_present_break)
{
    long start = syscall(SYS_brk, 0);
    EXPECT_EQ(syscall(SYS_brk, 4096), start);
    EXPECT_EQ(syscall(SYS_brk, 1L << 60), start);
}

// What is only cut off may lie in other areas, or in none; what is moved may not.
CHECK(mremap_cuts_off_other_areas)
{
    char *page = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    char *to = mmap(NULL, 4 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    unsigned char in[1];
    EXPECT(page != MAP_FAILED && to != MAP_FAILED);
    EXPECT_OK(mprotect(page, PAGE, PROT_READ | PROT_WRITE));
    EXPECT_OK(munmap(page + 2 * PAGE, PAGE));
    EXPECT_ERR(mremap(page, 4 * PAGE, 5 * PAGE, MREMAP_MAYMOVE), EFAULT);
    EXPECT_ERR(mremap(page, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), EFAULT);
    EXPECT_EQ((long)mremap(page, 4 * PAGE, 4 * PAGE, 0), (long)page);
    EXPECT_EQ((long)mremap(page, 4 * PAGE, PAGE, 0), (long)page);
    EXPECT_ERR(mincore(page + PAGE, PAGE, in), ENOMEM);
    EXPECT_ERR(mincore(page + 3 * PAGE, PAGE, in), ENOMEM);
    EXPECT_OK(mincore(page, PAGE, in));
    munmap(page, PAGE);
}

CHECK(mremap_grows_in_place_or_moves)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    p[0] = 1;
    p[2 * PAGE - 1] = 2;
    char *q = mremap(p, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    EXPECT(q != MAP_FAILED);
    EXPECT_EQ(q[0], 1);
    EXPECT_EQ(q[2 * PAGE - 1], 2);
    EXPECT_EQ(q[63 * PAGE], 0);
    q[63 * PAGE] = 1;
    munmap(q, 64 * PAGE);
}

CHECK(mremap_shrinks)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    p[0] = 1;
    EXPECT_EQ((long)mremap(p, 4 * PAGE, PAGE, 0), (long)p);
    EXPECT_EQ(p[0], 1);
    EXPECT_EQ(fault_of(p + PAGE, false), SEGV_MAPERR);
    munmap(p, PAGE);
}

CHECK(mremap_cannot_grow_in_place)
{
    char *p = map(3 * PAGE, PROT_READ | PROT_WRITE);
    munmap(p + PAGE, PAGE);
    EXPECT_ERR(mremap(p, PAGE, 3 * PAGE, 0), ENOMEM);
    EXPECT_EQ((long)mremap(p, PAGE, 2 * PAGE, 0), (long)p);
    p[PAGE] = 1;
    munmap(p, 3 * PAGE);
}

CHECK(mremap_fixed)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE), *to = map(2 * PAGE, PROT_READ | PROT_WRITE);
    memset(p, 5, 2 * PAGE);
    memset(to, 6, 2 * PAGE);
    EXPECT_EQ((long)mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, to), (long)to);
    EXPECT_EQ(to[PAGE], 5);
    EXPECT_EQ(fault_of(p, false), SEGV_MAPERR);
    munmap(to, 2 * PAGE);
}

CHECK(mremap_errors)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    EXPECT_ERR(mremap(p + 1, PAGE, PAGE, 0), EINVAL);
    EXPECT_ERR(mremap(p, PAGE, 0, 0), EINVAL);
    EXPECT_ERR(mremap(p, PAGE, PAGE, 0x80), EINVAL);
    EXPECT_ERR(mremap(p, PAGE, PAGE, MREMAP_FIXED, p + 2 * PAGE), EINVAL);
    EXPECT_ERR(mremap(p, 2 * PAGE, 2 * PAGE, MREMAP_FIXED | MREMAP_MAYMOVE, p + PAGE), EINVAL);
    munmap(p, 4 * PAGE);
    EXPECT_ERR(mremap(p, PAGE, 2 * PAGE, MREMAP_MAYMOVE), EFAULT);
}

CHECK(mremap_file_mapping)
{
    int fd = open("remap", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 4 * PAGE);
    pwrite(fd, "x", 1, 3 * PAGE);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *q = mremap(p, PAGE, 4 * PAGE, MREMAP_MAYMOVE);
    EXPECT(q != MAP_FAILED);
    EXPECT_EQ(q[3 * PAGE], 'x');
    munmap(q, 4 * PAGE);
    close(fd);
}

CHECK(madvise_dontneed_zeroes)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    memset(p, 1, 4 * PAGE);
    EXPECT_OK(madvise(p + PAGE, 2 * PAGE, MADV_DONTNEED));
    EXPECT_EQ(p[0], 1);
    EXPECT_EQ(p[PAGE], 0);
    EXPECT_EQ(p[2 * PAGE], 0);
    EXPECT_EQ(p[3 * PAGE], 1);
    munmap(p, 4 * PAGE);
}

CHECK(madvise_dontneed_file_reads_again)
{
    int fd = open("advised", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, PAGE);
    pwrite(fd, "f", 1, 0);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    *p = 'm';
    EXPECT_OK(madvise(p, PAGE, MADV_DONTNEED));
    EXPECT_EQ(*p, 'f');
    munmap(p, PAGE);
    close(fd);
}

CHECK(madvise_advice_that_may_be_ignored)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    static const int advice[] = {MADV_NORMAL,   MADV_RANDOM,     MADV_SEQUENTIAL, MADV_WILLNEED,
                                 MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_DONTFORK,   MADV_DOFORK,
                                 MADV_DONTDUMP, MADV_DODUMP,     MADV_FREE,       MADV_COLD};
    for (unsigned i = 0; i < ARRAY_SIZE(advice); i++)
        EXPECT_OK(madvise(p, 4 * PAGE, advice[i]));
    munmap(p, 4 * PAGE);
}

CHECK(madvise_errors)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    EXPECT_ERR(madvise(p + 1, PAGE, MADV_DONTNEED), EINVAL);
    EXPECT_ERR(madvise(p, PAGE, 12345), EINVAL);
    EXPECT_OK(madvise(p, 0, MADV_DONTNEED));
    munmap(p, 2 * PAGE);
    EXPECT_ERR(madvise(p, PAGE, MADV_DONTNEED), ENOMEM);
}

CHECK(madvise_wipe_on_fork_is_anonymous_only)
{
    char *p = map(PAGE, PROT_READ | PROT_WRITE);
    EXPECT_OK(madvise(p, PAGE, MADV_WIPEONFORK));
    EXPECT_OK(madvise(p, PAGE, MADV_KEEPONFORK));
    munmap(p, PAGE);
}

CHECK(msync_flags)
{
    int fd = open("synced", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, PAGE);
    char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    *p = 1;
    EXPECT_OK(msync(p, PAGE, MS_SYNC));
    EXPECT_OK(msync(p, PAGE, MS_ASYNC));
    EXPECT_OK(msync(p, PAGE, MS_SYNC | MS_INVALIDATE));
    EXPECT_ERR(msync(p, PAGE, MS_SYNC | MS_ASYNC), EINVAL);
    EXPECT_ERR(msync(p + 1, PAGE, MS_SYNC), EINVAL);
    EXPECT_ERR(msync(p, PAGE, 0x100), EINVAL);
    munmap(p, PAGE);
    EXPECT_ERR(msync(p, PAGE, MS_SYNC), ENOMEM);
    close(fd);
}

CHECK(mincore_reports_touched_pages)
{
    char *p = map(4 * PAGE, PROT_READ | PROT_WRITE);
    unsigned char in_core[4];
    p[PAGE] = 1;
    EXPECT_OK(mincore(p, 4 * PAGE, in_core));
    EXPECT_EQ(in_core[1] & 1, 1);
    EXPECT_EQ(in_core[3] & 1, 0);
    EXPECT_ERR(mincore(p + 1, PAGE, in_core), EINVAL);
    EXPECT_ERR(mincore(p, PAGE, BAD_POINTER), EFAULT);
    munmap(p, 4 * PAGE);
    EXPECT_ERR(mincore(p, PAGE, in_core), ENOMEM);
}

CHECK(mlock_and_munlock)
{
    char *p = map(2 * PAGE, PROT_READ | PROT_WRITE);
    EXPECT_OK(mlock(p, 2 * PAGE));
    EXPECT_OK(munlock(p, 2 * PAGE));
    EXPECT_OK(mlock(p + 10, 20));
    EXPECT_OK(syscall(SYS_mlock2, p, PAGE, 1));
    EXPECT_ERR(syscall(SYS_mlock2, p, PAGE, 8), EINVAL);
    munmap(p, 2 * PAGE);
    EXPECT_ERR(mlock(p, PAGE), ENOMEM);
    EXPECT_ERR(mlockall(0), EINVAL);
    EXPECT_OK(mlockall(MCL_CURRENT));
    EXPECT_OK(munlockall());
}

CHECK(pkey_mprotect_without_a_key)
{
    char *p = map(PAGE, PROT_READ);
    long result = syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ | PROT_WRITE, -1);
    if (result == -1 && errno == ENOSYS)
        SKIP("this kernel has no protection keys");
    EXPECT_EQ(result, 0);
    EXPECT_EQ(fault_of(p, true), 0);
    EXPECT_ERR(syscall(SYS_pkey_mprotect, p, PAGE, PROT_READ, 5), EINVAL);
    munmap(p, PAGE);
}
