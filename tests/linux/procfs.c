// SPDX-License-Identifier: MIT
// Files of /proc, /sys and /dev that programs read.
#include "check.h"
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

static char text[65536];

// The whole of a file, as text; NULL when it cannot be opened.
static const char *slurp(const char *name)
{
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    ssize_t n;
    if (fd < 0)
        return NULL;
    while (length < sizeof text - 1 && (n = read(fd, text + length, sizeof text - 1 - length)) > 0)
        length += (size_t)n;
    text[length] = 0;
    close(fd);
    return text;
}

static long number_after(const char *key)
{
    const char *at = strstr(text, key);
    return at ? strtol(at + strlen(key), NULL, 10) : -1;
}

CHECK(proc_self_is_this_process)
{
    char link[32], expected[32];
    ssize_t n = readlink("/proc/self", link, sizeof link - 1);
    EXPECT(n > 0);
    link[n] = 0;
    snprintf(expected, sizeof expected, "%d", getpid());
    EXPECT_STR(link, expected);
    n = readlink("/proc/thread-self", link, sizeof link - 1);
    EXPECT(n > 0);
    link[n] = 0;
    snprintf(expected, sizeof expected, "%d/task/%d", getpid(), gettid());
    EXPECT_STR(link, expected);
}

CHECK(proc_self_exe)
{
    char link[PATH_MAX];
    struct stat st;
    ssize_t n = readlink("/proc/self/exe", link, sizeof link - 1);
    EXPECT(n > 0);
    EXPECT_EQ(link[0], '/');
    EXPECT_OK(stat("/proc/self/exe", &st));
    EXPECT(S_ISREG(st.st_mode));
    int fd = open("/proc/self/exe", O_RDONLY);
    char magic[4];
    EXPECT_EQ(read(fd, magic, 4), 4);
    EXPECT_EQ(memcmp(magic, "\177ELF", 4), 0);
    close(fd);
}

CHECK(proc_self_cwd_and_root)
{
    char link[PATH_MAX], here[PATH_MAX];
    EXPECT(getcwd(here, sizeof here) != NULL);
    ssize_t n = readlink("/proc/self/cwd", link, sizeof link - 1);
    EXPECT(n > 0);
    link[n] = 0;
    EXPECT_STR(link, here);
    n = readlink("/proc/self/root", link, sizeof link - 1);
    EXPECT_EQ(n, 1);
}

CHECK(proc_self_cmdline_and_comm)
{
    EXPECT(slurp("/proc/self/cmdline") != NULL);
    EXPECT(strstr(text, "procfs") != NULL);
    EXPECT(slurp("/proc/self/comm") != NULL);
    EXPECT_STR(text, "procfs\n");
}

CHECK(proc_self_fd)
{
    char name[64], link[PATH_MAX], here[PATH_MAX];
    int fd = open("entry", O_RDWR | O_CREAT, 0600);
    snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, link, sizeof link - 1);
    EXPECT(n > 0);
    link[n] = 0;
    EXPECT(getcwd(here, sizeof here - 10) != NULL);
    strcat(here, "/entry");
    EXPECT_STR(link, here);
    EXPECT_EQ(write(fd, "abc", 3), 3);
    int again = open(name, O_RDONLY);
    EXPECT(again >= 0);
    EXPECT_EQ(lseek(again, 0, SEEK_CUR), 0);
    EXPECT_EQ(read(again, text, 8), 3);
    close(again);
    unlink("entry");
    n = readlink(name, link, sizeof link - 1);
    EXPECT(n > 10);
    EXPECT_EQ(memcmp(link + n - 10, " (deleted)", 10), 0);
    close(fd);
    EXPECT_ERR(readlink(name, link, sizeof link), ENOENT);
}

CHECK(proc_self_maps)
{
    EXPECT(slurp("/proc/self/maps") != NULL);
    EXPECT(strstr(text, "[stack]") != NULL);
    EXPECT(strstr(text, "[vdso]") != NULL);
    EXPECT(strstr(text, "procfs") != NULL);
    unsigned long start, end;
    char permissions[5];
    int own = 0;
    for (char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        EXPECT_EQ(sscanf(line, "%lx-%lx %4s", &start, &end, permissions), 3);
        EXPECT(start < end && start % PAGE == 0);
        if ((uintptr_t)slurp >= start && (uintptr_t)slurp < end) {
            own = 1;
            EXPECT_STR(permissions, "r-xp");
        }
    }
    EXPECT_EQ(own, 1);
}

CHECK(proc_self_maps_follow_mprotect)
{
    char *p = mmap(NULL, 3 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), line[64];
    EXPECT_OK(mprotect(p + PAGE, PAGE, PROT_READ | PROT_WRITE));
    EXPECT(slurp("/proc/self/maps") != NULL);
    snprintf(line, sizeof line, "%lx-%lx rw-p", (unsigned long)(p + PAGE),
             (unsigned long)(p + 2 * PAGE));
    EXPECT(strstr(text, line) != NULL);
    munmap(p, 3 * PAGE);
}

CHECK(proc_self_stat_and_statm)
{
    EXPECT(slurp("/proc/self/stat") != NULL);
    int pid, fields = 0;
    char name[32], state;
    EXPECT_EQ(sscanf(text, "%d (%31[^)]) %c", &pid, name, &state), 3);
    EXPECT_EQ(pid, getpid());
    EXPECT_STR(name, "procfs");
    EXPECT_EQ(state, 'R');
    for (char *p = text; *p; p++)
        fields += *p == ' ';
    EXPECT_EQ(fields, 51);
    EXPECT(slurp("/proc/self/statm") != NULL);
    long size, resident;
    EXPECT_EQ(sscanf(text, "%ld %ld", &size, &resident), 2);
    EXPECT(size >= resident && resident > 0);
}

CHECK(proc_self_status)
{
    EXPECT(slurp("/proc/self/status") != NULL);
    EXPECT_EQ(strncmp(text, "Name:\tprocfs\n", 13), 0);
    EXPECT_EQ(number_after("\nPid:\t"), getpid());
    EXPECT_EQ(number_after("\nThreads:\t"), 1);
    EXPECT_EQ(number_after("\nUid:\t"), 0);
    EXPECT(number_after("\nVmRSS:\t") > 0);
    EXPECT(number_after("\nVmSize:\t") > 0);
}

CHECK(proc_self_auxv_and_environ)
{
    int fd = open("/proc/self/auxv", O_RDONLY);
    uint64_t pair[2];
    EXPECT(fd >= 0);
    EXPECT_EQ(read(fd, pair, sizeof pair), (ssize_t)sizeof pair);
    EXPECT(pair[0] < 100);
    close(fd);
    EXPECT(slurp("/proc/self/environ") != NULL);
    EXPECT(strstr(text, "=") != NULL);
}

CHECK(proc_self_task)
{
    char name[64];
    struct stat st;
    snprintf(name, sizeof name, "/proc/self/task/%d/comm", gettid());
    EXPECT_OK(stat(name, &st));
    EXPECT_OK(stat("/proc/self/task", &st));
    EXPECT_EQ(st.st_nlink, 3);
}

CHECK(proc_self_mounts_and_mountinfo)
{
    EXPECT(slurp("/proc/self/mounts") != NULL);
    EXPECT(strstr(text, " / ") != NULL);
    EXPECT(strstr(text, "proc /proc proc") != NULL);
    EXPECT(slurp("/proc/self/mountinfo") != NULL);
    EXPECT(strstr(text, " - ") != NULL);
    EXPECT(slurp("/proc/mounts") != NULL);
    EXPECT(slurp("/proc/filesystems") != NULL);
    EXPECT(strstr(text, "nodev\ttmpfs\n") != NULL);
}

CHECK(proc_self_limits_and_others)
{
    EXPECT(slurp("/proc/self/limits") != NULL);
    EXPECT(strstr(text, "Max open files") != NULL);
    EXPECT(slurp("/proc/self/oom_score_adj") != NULL);
    EXPECT_EQ(strtol(text, NULL, 10), 0);
    EXPECT(slurp("/proc/self/cgroup") != NULL);
    EXPECT(slurp("/proc/self/smaps") != NULL);
    EXPECT(strstr(text, "Rss:") != NULL);
}

CHECK(proc_meminfo)
{
    EXPECT(slurp("/proc/meminfo") != NULL);
    EXPECT(number_after("MemTotal:") > 4096);
    EXPECT(number_after("MemFree:") > 0);
    EXPECT(number_after("MemAvailable:") > 0);
    EXPECT(number_after("Cached:") >= 0);
    EXPECT(number_after("SwapTotal:") >= 0);
}

CHECK(proc_cpuinfo)
{
    EXPECT(slurp("/proc/cpuinfo") != NULL);
    EXPECT(strstr(text, "processor\t: 0\n") != NULL);
    EXPECT(strstr(text, "Features\t: fp asimd") != NULL);
    EXPECT(strstr(text, "CPU implementer\t: 0x") != NULL);
    EXPECT(strstr(text, "CPU architecture: 8\n") != NULL);
    EXPECT(strstr(text, "CPU part\t: 0x") != NULL);
}

CHECK(proc_system_files)
{
    EXPECT(slurp("/proc/stat") != NULL);
    EXPECT_EQ(strncmp(text, "cpu  ", 5), 0);
    EXPECT(strstr(text, "\ncpu0 ") != NULL);
    EXPECT(number_after("\nbtime ") > 0);
    EXPECT(slurp("/proc/uptime") != NULL);
    double up, idle;
    EXPECT_EQ(sscanf(text, "%lf %lf", &up, &idle), 2);
    EXPECT(slurp("/proc/loadavg") != NULL);
    EXPECT(slurp("/proc/version") != NULL);
    EXPECT_EQ(strncmp(text, "Linux version ", 14), 0);
    EXPECT(slurp("/proc/cmdline") != NULL);
}

CHECK(proc_sys_kernel)
{
    EXPECT(slurp("/proc/sys/kernel/osrelease") != NULL);
    EXPECT(text[0] >= '4' && text[0] <= '9');
    EXPECT(slurp("/proc/sys/kernel/ostype") != NULL);
    EXPECT_STR(text, "Linux\n");
    EXPECT(slurp("/proc/sys/kernel/pid_max") != NULL);
    EXPECT(slurp("/proc/sys/kernel/random/boot_id") != NULL);
    EXPECT_EQ(strlen(text), 37);
    EXPECT(slurp("/proc/sys/kernel/random/uuid") != NULL);
    EXPECT(slurp("/proc/sys/vm/overcommit_memory") != NULL);
    EXPECT(slurp("/proc/sys/fs/file-max") != NULL);
    EXPECT(slurp("/proc/sys/kernel/cap_last_cap") != NULL);
}

CHECK(proc_files_cannot_be_made_or_written)
{
    EXPECT_ERR(open("/proc/new-file", O_RDWR | O_CREAT, 0600), ENOENT);
    EXPECT_ERR(mkdir("/proc/new-folder", 0700), ENOENT);
    EXPECT_ERR(open("/proc/999999/stat", O_RDONLY), ENOENT);
    EXPECT_ERR(unlink("/proc/version"), EPERM);
}

CHECK(proc_reads_in_pieces)
{
    char a[16], whole[32];
    int fd = open("/proc/version", O_RDONLY);
    EXPECT_EQ(pread(fd, whole, 20, 0), 20);
    EXPECT_EQ(read(fd, a, 10), 10);
    EXPECT_EQ(memcmp(a, whole, 10), 0);
    EXPECT_EQ(read(fd, a, 10), 10);
    EXPECT_EQ(memcmp(a, whole + 10, 10), 0);
    EXPECT_EQ(lseek(fd, 0, SEEK_SET), 0);
    EXPECT_EQ(read(fd, a, 5), 5);
    EXPECT_EQ(memcmp(a, "Linux", 5), 0);
    struct stat st;
    EXPECT_OK(fstat(fd, &st));
    EXPECT_EQ(st.st_size, 0);
    EXPECT(S_ISREG(st.st_mode));
    close(fd);
}

CHECK(sys_cpu_files)
{
    EXPECT(slurp("/sys/devices/system/cpu/online") != NULL);
    EXPECT_EQ(text[0], '0');
    EXPECT(slurp("/sys/devices/system/cpu/possible") != NULL);
    EXPECT(sysconf(_SC_NPROCESSORS_ONLN) >= 1);
    EXPECT(sysconf(_SC_NPROCESSORS_CONF) >= 1);
}

CHECK(dev_null)
{
    int fd = open("/dev/null", O_RDWR);
    char byte;
    EXPECT_EQ(write(fd, "abc", 3), 3);
    EXPECT_EQ(read(fd, &byte, 1), 0);
    EXPECT_EQ(lseek(fd, 100, SEEK_SET), 0);
    EXPECT_ERR(ftruncate(fd, 0), EINVAL);
    close(fd);
    fd = open("/dev/null", O_RDWR | O_TRUNC | O_CREAT, 0600);
    EXPECT(fd >= 0);
    close(fd);
}

CHECK(dev_zero_and_full)
{
    char bytes[16];
    int zero = open("/dev/zero", O_RDWR), full = open("/dev/full", O_RDWR);
    memset(bytes, 1, sizeof bytes);
    EXPECT_EQ(read(zero, bytes, 16), 16);
    EXPECT_EQ(bytes[15], 0);
    EXPECT_EQ(write(zero, bytes, 16), 16);
    EXPECT_EQ(read(full, bytes, 16), 16);
    EXPECT_ERR(write(full, bytes, 1), ENOSPC);
    EXPECT_ERR(read(zero, BAD_POINTER, 16), EFAULT);
    close(zero);
    close(full);
}

CHECK(dev_random_and_urandom)
{
    char a[32] = {0}, b[32] = {0};
    int fd = open("/dev/urandom", O_RDONLY);
    EXPECT_EQ(read(fd, a, 32), 32);
    close(fd);
    fd = open("/dev/random", O_RDWR);
    EXPECT_EQ(read(fd, b, 32), 32);
    EXPECT(memcmp(a, b, 32) != 0);
    EXPECT_EQ(write(fd, a, 32), 32);
    close(fd);
}

CHECK(dev_numbers)
{
    static const struct {
        const char *name;
        unsigned major, minor;
    } nodes[] = {{"/dev/null", 1, 3},   {"/dev/zero", 1, 5},    {"/dev/full", 1, 7},
                 {"/dev/random", 1, 8}, {"/dev/urandom", 1, 9}, {"/dev/tty", 5, 0},
                 {"/dev/console", 5, 1}};
    struct stat st;
    for (unsigned i = 0; i < ARRAY_SIZE(nodes); i++) {
        EXPECT_OK(stat(nodes[i].name, &st));
        EXPECT(S_ISCHR(st.st_mode));
        EXPECT_EQ(major(st.st_rdev), nodes[i].major);
        EXPECT_EQ(minor(st.st_rdev), nodes[i].minor);
    }
}

CHECK(dev_fd_and_std_links)
{
    struct stat st;
    char name[32], byte;
    int fds[2];
    EXPECT_OK(lstat("/dev/fd", &st));
    EXPECT(S_ISLNK(st.st_mode));
    EXPECT_OK(lstat("/dev/stdin", &st));
    EXPECT_OK(pipe(fds));
    snprintf(name, sizeof name, "/dev/fd/%d", fds[0]);
    EXPECT_EQ(write(fds[1], "x", 1), 1);
    int again = open(name, O_RDONLY);
    EXPECT(again >= 0);
    EXPECT_EQ(read(again, &byte, 1), 1);
    close(again);
    close(fds[0]);
    close(fds[1]);
}

CHECK(dev_shm_takes_files)
{
    int fd = open("/dev/shm/remora-check", O_RDWR | O_CREAT | O_EXCL, 0600);
    EXPECT(fd >= 0);
    EXPECT_OK(ftruncate(fd, 4096));
    void *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT(p != MAP_FAILED);
    munmap(p, PAGE);
    close(fd);
    EXPECT_OK(unlink("/dev/shm/remora-check"));
}

CHECK(status_tells_the_affinity)
{
    cpu_set_t all, first;
    EXPECT_OK(sched_getaffinity(0, sizeof all, &all));
    CPU_ZERO(&first);
    CPU_SET(0, &first);
    EXPECT_OK(sched_setaffinity(0, sizeof first, &first));
    EXPECT(slurp("/proc/self/status") != NULL);
    EXPECT(strstr(text, "\nCpus_allowed_list:\t0\n") != NULL);
    EXPECT(strstr(text, "\nCpus_allowed:\t1\n") != NULL);
    EXPECT_EQ(number_after("Mems_allowed_list:\t"), 0);
    EXPECT_OK(sched_setaffinity(0, sizeof all, &all));
    EXPECT(slurp("/proc/self/status") != NULL);
    EXPECT(CPU_COUNT(&all) != 2 || strstr(text, "\nCpus_allowed_list:\t0-1\n") != NULL);
    EXPECT(CPU_COUNT(&all) != 2 || strstr(text, "\nCpus_allowed:\t3\n") != NULL);
}

// What libnuma reads.
CHECK(sys_node)
{
    EXPECT(slurp("/sys/devices/system/node/node0/meminfo") != NULL);
    EXPECT(number_after("Node 0 MemTotal:") > 1000);
    EXPECT(number_after("Node 0 MemFree:") > 1000);
    EXPECT(slurp("/sys/devices/system/node/node0/distance") != NULL);
    EXPECT_STR(text, "10\n");
    EXPECT(slurp("/sys/devices/system/node/node0/cpumap") != NULL);
    EXPECT(strtol(text, NULL, 16) >= 1);
    EXPECT(slurp("/sys/devices/system/node/online") != NULL);
    EXPECT_STR(text, "0\n");
    EXPECT(slurp("/sys/devices/system/node/has_cpu") != NULL);
    EXPECT_STR(text, "0\n");
    EXPECT(slurp("/sys/devices/system/node/has_memory") != NULL);
    EXPECT_STR(text, "0\n");
}

static long resident_pages(void)
{
    return slurp("/proc/self/statm") ? strtol(strchr(text, ' '), NULL, 10) : -1;
}

// Locked memory needs no more than it has: pages that can be written are there, the program's own.
CHECK(locked_memory_is_resident)
{
    size_t size = 4ul << 20;
    char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long before = resident_pages();
    EXPECT(p != MAP_FAILED);
    EXPECT_OK(mlock(p, size));
    EXPECT(resident_pages() - before > 800);
    munmap(p, size);

    p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    before = resident_pages();
    EXPECT_OK(mlockall(MCL_CURRENT));
    EXPECT(resident_pages() - before > 800);
    EXPECT_OK(munlockall());
    munmap(p, size);
}

// Each page needs a table of its own, which goes with it.
CHECK(page_tables_of_small_mappings_return)
{
    const size_t step = 2ul << 20, count = 1000;
    char *base = mmap(NULL, step * count, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    long before;
    EXPECT(base != MAP_FAILED);
    EXPECT(slurp("/proc/meminfo") != NULL);
    before = number_after("PageTables:");
    EXPECT_OK(munmap(base, step * count));
    for (size_t i = 0; i < count; i++) {
        char *p = mmap(base + i * step, 4096, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        EXPECT(p == base + i * step);
        *p = 1;
    }
    EXPECT(slurp("/proc/meminfo") != NULL);
    EXPECT(number_after("PageTables:") - before > 3000);
    for (size_t i = 0; i < count; i++)
        EXPECT_OK(munmap(base + i * step, 4096));
    EXPECT(slurp("/proc/meminfo") != NULL);
    EXPECT(number_after("PageTables:") - before < 600);
}
