// SPDX-License-Identifier: MIT
// The process: identity, credentials, limits, prctl, uname, sysinfo, random numbers, wait without
// children.
#include "check.h"
#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <sys/wait.h>

CHECK(ids_of_the_process)
{
    EXPECT(getpid() > 0);
    EXPECT(getppid() >= 0);
    EXPECT_EQ(getuid(), 0);
    EXPECT_EQ(geteuid(), 0);
    EXPECT_EQ(getgid(), 0);
    EXPECT_EQ(getegid(), 0);
    EXPECT(getpgid(0) >= 0);
    EXPECT_EQ(getpgid(getpid()), getpgid(0));
    EXPECT(getsid(0) >= 0);
    EXPECT_ERR(getpgid(999999), ESRCH);
    EXPECT_ERR(getsid(999999), ESRCH);
    EXPECT_ERR(setpgid(0, -5), EINVAL);
}

CHECK(ids_real_effective_saved)
{
    uid_t r, e, s;
    EXPECT_OK(syscall(SYS_setresuid, -1, 1234, -1));
    int error = syscall(SYS_setresuid, 77, 77, 77) ? errno : 0;
    getresuid(&r, &e, &s);
    EXPECT_OK(syscall(SYS_setresuid, -1, 0, -1));
    EXPECT_EQ(error, EPERM);
    EXPECT_EQ(r, 0);
    EXPECT_EQ(e, 1234);
    EXPECT_EQ(s, 0);
    EXPECT_OK(syscall(SYS_setresgid, -1, 55, -1));
    EXPECT_EQ(getegid(), 55);
    EXPECT_OK(syscall(SYS_setresgid, -1, 0, -1));
    EXPECT_ERR(syscall(SYS_getresuid, BAD_POINTER, &e, &s), EFAULT);
}

CHECK(ids_groups)
{
    gid_t set[3] = {5, 7, 9}, got[8];
    EXPECT_OK(syscall(SYS_setgroups, 3, set));
    EXPECT_EQ(getgroups(0, NULL), 3);
    EXPECT_EQ(getgroups(8, got), 3);
    EXPECT_EQ(got[1], 7);
    EXPECT_ERR(getgroups(2, got), EINVAL);
    EXPECT_ERR(syscall(SYS_setgroups, 1 << 20, set), EINVAL);
    EXPECT_OK(syscall(SYS_setgroups, 0, NULL));
}

CHECK(ids_for_files_only)
{
    EXPECT_EQ(syscall(SYS_setfsuid, 1000), 0);
    EXPECT_EQ(syscall(SYS_setfsuid, 0), 1000);
    EXPECT_EQ(syscall(SYS_setfsgid, 0), 0);
}

CHECK(capabilities_of_root)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}};
    EXPECT_OK(syscall(SYS_capget, &header, data));
    EXPECT(data[0].effective & 1u << CAP_CHOWN);
    header.version = 1;
    EXPECT_ERR(syscall(SYS_capget, &header, data), EINVAL);
    EXPECT_EQ(header.version, _LINUX_CAPABILITY_VERSION_3);
}

CHECK(limits_get_and_set)
{
    struct rlimit limit, other;
    EXPECT_OK(getrlimit(RLIMIT_NOFILE, &limit));
    EXPECT(limit.rlim_cur >= 256);
    EXPECT_OK(getrlimit(RLIMIT_STACK, &limit));
    EXPECT_EQ(limit.rlim_cur, 8 << 20);
    EXPECT_EQ(limit.rlim_max, RLIM_INFINITY);
    for (int i = 0; i < 16; i++)
        EXPECT_OK(getrlimit(i, &limit));
    EXPECT_ERR(getrlimit(16, &limit), EINVAL);
    EXPECT_OK(syscall(SYS_getrlimit, RLIMIT_NPROC, &limit));
    EXPECT_OK(syscall(SYS_setrlimit, RLIMIT_NPROC, &limit));
    EXPECT_ERR(syscall(SYS_getrlimit, 16, &limit), EINVAL);
    EXPECT_ERR(syscall(SYS_setrlimit, RLIMIT_NPROC, BAD_POINTER), EFAULT);
    EXPECT_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, BAD_POINTER, NULL), EFAULT);
    EXPECT_ERR(syscall(SYS_prlimit64, 0, RLIMIT_NOFILE, NULL, BAD_POINTER), EFAULT);
    EXPECT_ERR(syscall(SYS_prlimit64, 999999, RLIMIT_NOFILE, NULL, &limit), ESRCH);
    EXPECT_OK(getrlimit(RLIMIT_CORE, &limit));
    other = (struct rlimit){100, 50};
    EXPECT_ERR(setrlimit(RLIMIT_CORE, &other), EINVAL);
}

CHECK(limit_of_descriptors_applies)
{
    struct rlimit old, low;
    EXPECT_OK(getrlimit(RLIMIT_NOFILE, &old));
    low = (struct rlimit){10, old.rlim_max};
    EXPECT_OK(setrlimit(RLIMIT_NOFILE, &low));
    int fds[16], n = 0, error = 0;
    while (n < 16 && (fds[n] = dup(1)) >= 0)
        n++;
    error = errno;
    int high = dup2(1, 10) < 0 ? errno : 0;
    for (int i = 0; i < n; i++)
        close(fds[i]);
    EXPECT_OK(setrlimit(RLIMIT_NOFILE, &old));
    EXPECT(n <= 7);
    EXPECT_EQ(error, EMFILE);
    EXPECT_EQ(high, EBADF);
}

CHECK(limit_of_address_space_applies)
{
    struct rlimit old, low;
    EXPECT_OK(getrlimit(RLIMIT_AS, &old));
    low = (struct rlimit){64 << 20, old.rlim_max};
    EXPECT_OK(setrlimit(RLIMIT_AS, &low));
    void *p = mmap(NULL, 128 << 20, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int error = errno;
    EXPECT_OK(setrlimit(RLIMIT_AS, &old));
    EXPECT(p == MAP_FAILED);
    EXPECT_EQ(error, ENOMEM);
}

CHECK(prctl_values)
{
    EXPECT_OK(prctl(PR_SET_DUMPABLE, 0));
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 0);
    EXPECT_OK(prctl(PR_SET_DUMPABLE, 1));
    EXPECT_EQ(prctl(PR_GET_DUMPABLE), 1);
    EXPECT_EQ(prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0), 0);
    EXPECT_ERR(prctl(PR_SET_NO_NEW_PRIVS, 0, 0, 0, 0), EINVAL);
    EXPECT_EQ(prctl(PR_GET_KEEPCAPS), 0);
    int signal_number = -1;
    EXPECT_OK(prctl(PR_GET_PDEATHSIG, &signal_number));
    EXPECT_EQ(signal_number, 0);
    EXPECT(prctl(PR_GET_TIMERSLACK) > 0);
    EXPECT_ERR(prctl(777777), EINVAL);
    EXPECT_ERR(prctl(PR_SET_NAME, BAD_POINTER), EFAULT);
    EXPECT_OK(prctl(PR_CAPBSET_READ, CAP_CHOWN));
    EXPECT_ERR(prctl(PR_CAPBSET_READ, 99), EINVAL);
}

CHECK(uname_fields)
{
    struct utsname name;
    EXPECT_OK(uname(&name));
    EXPECT_STR(name.sysname, "Linux");
    EXPECT_STR(name.machine, "aarch64");
    EXPECT(name.release[0] >= '4' && name.release[0] <= '9');
    EXPECT_ERR(syscall(SYS_uname, BAD_POINTER), EFAULT);
}

CHECK(host_and_domain_name)
{
    char name[65];
    EXPECT_OK(sethostname("box", 3));
    EXPECT_OK(gethostname(name, sizeof name));
    EXPECT_STR(name, "box");
    EXPECT_ERR(syscall(SYS_sethostname, name, 65), EINVAL);
    EXPECT_ERR(syscall(SYS_sethostname, name, -1), EINVAL);
    EXPECT_OK(setdomainname("net", 3));
}

CHECK(sysinfo_fields)
{
    struct sysinfo info;
    EXPECT_OK(sysinfo(&info));
    EXPECT(info.totalram * info.mem_unit > 4 << 20);
    EXPECT(info.freeram <= info.totalram);
    EXPECT(info.procs >= 1);
    EXPECT(info.uptime >= 0);
    EXPECT_ERR(syscall(SYS_sysinfo, BAD_POINTER), EFAULT);
}

CHECK(getrandom_fills)
{
    unsigned char a[64] = {0}, b[64] = {0};
    EXPECT_EQ(getrandom(a, sizeof a, 0), 64);
    EXPECT_EQ(getrandom(b, sizeof b, GRND_NONBLOCK), 64);
    EXPECT(memcmp(a, b, sizeof a) != 0);
    EXPECT_EQ(getrandom(a, 16, GRND_RANDOM), 16);
    EXPECT_EQ(getrandom(a, 0, 0), 0);
    EXPECT_ERR(getrandom(a, 1, 0x77), EINVAL);
    EXPECT_ERR(getrandom(a, 1, GRND_RANDOM | 4), EINVAL);
    EXPECT_ERR(syscall(SYS_getrandom, BAD_POINTER, 16, 0), EFAULT);
    static unsigned char large[100000];
    EXPECT_EQ(getrandom(large, sizeof large, 0), (ssize_t)sizeof large);
}

CHECK(wait_without_children)
{
    int status;
    siginfo_t info;
    EXPECT_ERR(wait4(-1, &status, 0, NULL), ECHILD);
    EXPECT_ERR(wait4(-1, &status, WNOHANG, NULL), ECHILD);
    EXPECT_ERR(waitid(P_ALL, 0, &info, WEXITED), ECHILD);
    EXPECT_ERR(waitid(P_ALL, 0, &info, 0), EINVAL);
    EXPECT_ERR(wait4(-1, &status, 0x1000, NULL), EINVAL);
}

CHECK(umask_returns_the_old_one)
{
    mode_t old = umask(0777);
    EXPECT_EQ(umask(0xfffff000 | 022), 0777);
    EXPECT_EQ(umask(old), 022);
}

CHECK(personality)
{
    EXPECT_EQ(syscall(SYS_personality, 0xffffffffu), 0);
}

CHECK(setjmp_across_calls)
{
    static jmp_buf place;
    volatile int rounds = 0;
    int value = setjmp(place);
    if (value < 3) {
        rounds++;
        longjmp(place, value + 1);
    }
    EXPECT_EQ(rounds, 3);
}

CHECK(console_is_no_terminal_in_the_tests)
{
    int fd = open("/dev/null", O_RDWR);
    struct winsize size;
    EXPECT_EQ(isatty(fd), 0);
    EXPECT_ERR(ioctl(fd, TIOCGWINSZ, &size), ENOTTY);
    close(fd);
}

CHECK(unsupported_calls_say_so)
{
    EXPECT_ERR(syscall(SYS_nfsservctl), ENOSYS);
    EXPECT_ERR(syscall(244), ENOSYS);
    EXPECT_ERR(syscall(295), ENOSYS);
}

CHECK(kcmp_and_pidfd)
{
    int fd = (int)syscall(SYS_pidfd_open, getpid(), 0);
    EXPECT(fd >= 0);
    EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    EXPECT_OK(syscall(SYS_pidfd_send_signal, fd, 0, NULL, 0));
    EXPECT_ERR(syscall(SYS_pidfd_open, 999999, 0), ESRCH);
    EXPECT_ERR(syscall(SYS_pidfd_open, getpid(), 77), EINVAL);
    int file = open("kcmp", O_RDWR | O_CREAT, 0600), same = dup(file);
    int got = (int)syscall(SYS_pidfd_getfd, fd, file, 0);
    EXPECT(got >= 0);
    EXPECT_EQ(fcntl(got, F_GETFD), FD_CLOEXEC);
    EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), 0 /* KCMP_FILE */, file, same), 0);
    EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), 0, file, got), 0);
    EXPECT(syscall(SYS_kcmp, getpid(), getpid(), 0, file, fd) > 0);
    EXPECT_EQ(syscall(SYS_kcmp, getpid(), getpid(), 1 /* KCMP_VM */, 0, 0), 0);
    EXPECT_ERR(syscall(SYS_kcmp, getpid(), getpid(), 0, file, 999), EBADF);
    EXPECT_ERR(syscall(SYS_kcmp, getpid(), 999999, 1, 0, 0), ESRCH);
    EXPECT_ERR(syscall(SYS_pidfd_getfd, fd, 999, 0), EBADF);
    EXPECT_ERR(syscall(SYS_pidfd_getfd, fd, file, 1), EINVAL);
    close(got);
    close(same);
    close(file);
    close(fd);
}

CHECK(process_vm_of_self)
{
    struct {
        void *base;
        size_t length;
    } here, there;
    char from[8] = "memory", to[8] = "";
    here.base = to;
    there.base = from;
    here.length = there.length = 7;
    EXPECT_EQ(syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0), 7);
    EXPECT_STR(to, "memory");
    memcpy(to, "written", 8);
    EXPECT_EQ(syscall(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0), 7);
    EXPECT_STR(from, "written");
    EXPECT_ERR(syscall(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 7), EINVAL);
    there.base = BAD_POINTER;
    EXPECT_ERR(syscall(SYS_process_vm_writev, getpid(), &here, 1, &there, 1, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_process_vm_readv, getpid(), &here, 1, &there, 1, 0), EFAULT);
    EXPECT_ERR(syscall(SYS_process_vm_readv, 999999, &here, 1, &there, 1, 0), ESRCH);
}

CHECK(ids_by_single_calls)
{
    gid_t r, e, s;
    EXPECT_OK(syscall(SYS_setregid, 10, 20));
    EXPECT_OK(syscall(SYS_getresgid, &r, &e, &s));
    EXPECT_EQ(r, 10);
    EXPECT_EQ(e, 20);
    EXPECT_EQ(s, 20); // setting the real id makes the saved one the new effective one
    EXPECT_OK(syscall(SYS_setgid, 0));
    EXPECT_OK(syscall(SYS_getresgid, &r, &e, &s));
    EXPECT_EQ(r | e | s, 0);
    EXPECT_OK(syscall(SYS_setreuid, -1, -1));
    EXPECT_OK(syscall(SYS_setuid, 0));
    EXPECT_ERR(syscall(SYS_setuid, -1), EINVAL);
    EXPECT_ERR(syscall(SYS_setgid, -1), EINVAL);
    EXPECT_ERR(syscall(SYS_getresgid, &r, BAD_POINTER, &s), EFAULT);
}

CHECK(capabilities_are_dropped_and_never_regained)
{
    struct __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    struct __user_cap_data_struct data[2] = {{0}}, all[2];
    EXPECT_OK(syscall(SYS_capget, &header, data));
    memcpy(all, data, sizeof all);
    data[0].permitted &= ~(1u << CAP_LEASE);
    EXPECT_ERR(syscall(SYS_capset, &header, data), EPERM); // effective without permitted
    data[0].effective &= ~(1u << CAP_LEASE);
    EXPECT_OK(syscall(SYS_capset, &header, data));
    EXPECT_ERR(syscall(SYS_capset, &header, all), EPERM);
    EXPECT_ERR(syscall(SYS_capset, &header, BAD_POINTER), EFAULT);
    header.pid = 999999;
    EXPECT_ERR(syscall(SYS_capset, &header, data), EPERM);
}

CHECK(sessions)
{
    // A leader of a process group cannot start a session; who is none already is one after the
    // call.
    if (getpgid(0) == getpid())
        EXPECT_ERR(setsid(), EPERM);
    else
        EXPECT_EQ(setsid(), getpid());
    EXPECT_EQ(getpgid(0), getpid());
}

CHECK(reboot_needs_its_magic_numbers)
{
    EXPECT_ERR(syscall(SYS_reboot, 1, 2, 3, NULL), EINVAL);
    EXPECT_ERR(syscall(SYS_reboot, 0xfee1dead, 672274793, 77, NULL), EINVAL);
}

CHECK(kernel_log_calls)
{
    EXPECT(syscall(SYS_syslog, 10, NULL, 0) > 0);
    EXPECT_ERR(syscall(SYS_syslog, 77, NULL, 0), EINVAL);
    EXPECT_ERR(syscall(SYS_syslog, 3, NULL, -1), EINVAL);
}

CHECK(mount_and_umount_a_file_system)
{
    mkdir("mounted", 0700);
    close(open("mounted/below", O_CREAT | O_RDWR, 0600));
    EXPECT_OK(mount("none", "mounted", "tmpfs", MS_NOSUID, "size=1m"));
    EXPECT_ERR(access("mounted/below", F_OK), ENOENT);
    int fd = open("mounted/above", O_CREAT | O_RDWR, 0600);
    EXPECT(fd >= 0);
    EXPECT_ERR(umount2("mounted", 0), EBUSY);
    EXPECT_ERR(rmdir("mounted"), EBUSY);
    EXPECT_ERR(rename("mounted/above", "moved"), EXDEV);
    EXPECT_ERR(link("mounted/above", "linked"), EXDEV);
    close(fd);
    EXPECT_OK(umount2("mounted", 0));
    EXPECT_OK(access("mounted/below", F_OK));
    EXPECT_ERR(umount2("mounted", 0), EINVAL);
    EXPECT_ERR(umount2("nothing", 0), ENOENT);
    EXPECT_ERR(umount2("mounted", 0x77000), EINVAL);
    EXPECT_ERR(mount("none", "mounted", "nosuchfs", 0, NULL), ENODEV);
    EXPECT_ERR(mount("none", "nothing", "tmpfs", 0, NULL), ENOENT);
    EXPECT_ERR(mount("none", "mounted/below", "tmpfs", 0, NULL), ENOTDIR);
}
