/* SPDX-License-Identifier: MIT
 *
 * The form of a system call and the list of those that exist.
 *
 * A call is two functions: sys_name(arg), which unpacks registers and is what the number table of
 * linux/abi64/syscalls.c points to, and a typed do_name(...) that tests and other calls can use.
 * Both run in the calling thread with interrupts on, may sleep, hold no lock on entry or return,
 * and give the value for x0: a result or -errno. A call that may be restarted after a signal
 * returns -ERESTARTSYS (again if SA_RESTART), -ERESTARTNOHAND (again only if no handler ran),
 * -ERESTARTNOINTR (always again) or -ERESTART_RESTARTBLOCK (through task->restart); linux/signal.c
 * turns them into what the program sees.
 *
 * Each owner declares its calls in its own block below and adds one line per call to the table.
 */
#ifndef LINUX_SYSCALLS_H
#define LINUX_SYSCALLS_H

#include <lib/types.h>

typedef long syscall_fn(const reg_t arg[6]);

/* The table of arm64, SYSCALL_COUNT entries; NULL where there is no such call. */
extern syscall_fn *const abi64_syscall_table[];

/* The name of a call, "?" for a number without one. */
const char *abi64_syscall_name(unsigned number);

/* process.c, exec.c, clone.c, exit.c */
extern syscall_fn sys_clone, sys_clone3, sys_execve, sys_execveat, sys_exit, sys_exit_group;
extern syscall_fn sys_getpgid, sys_getpid, sys_getppid, sys_getsid, sys_gettid, sys_setpgid,
    sys_setsid, sys_unshare;
extern syscall_fn sys_set_tid_address, sys_wait4, sys_waitid, sys_pidfd_open, sys_pidfd_getfd;
extern syscall_fn sys_pidfd_send_signal, sys_process_vm_readv, sys_process_vm_writev, sys_kcmp;

/* futex.c, robust.c */
extern syscall_fn sys_futex, sys_futex_waitv, sys_inotify_init1, sys_inotify_add_watch,
    sys_inotify_rm_watch, sys_get_robust_list, sys_set_robust_list;

/* signal.c */
extern syscall_fn sys_kill, sys_restart_syscall, sys_rt_sigaction, sys_rt_sigpending;
extern syscall_fn sys_rt_sigprocmask, sys_rt_sigqueueinfo, sys_rt_sigreturn, sys_rt_sigsuspend;
extern syscall_fn sys_rt_sigtimedwait, sys_rt_tgsigqueueinfo, sys_sigaltstack, sys_tgkill,
    sys_tkill;

/* time.c, timers.c */
extern syscall_fn sys_adjtimex, sys_clock_adjtime, sys_clock_getres, sys_clock_gettime;
extern syscall_fn sys_clock_nanosleep, sys_clock_settime, sys_getitimer, sys_getrusage;
extern syscall_fn sys_gettimeofday, sys_nanosleep, sys_setitimer, sys_settimeofday, sys_times;
extern syscall_fn sys_timer_create, sys_timer_delete, sys_timer_getoverrun, sys_timer_gettime;
extern syscall_fn sys_timer_settime;

/* sched.c */
extern syscall_fn sys_getcpu, sys_getpriority, sys_sched_get_priority_max;
extern syscall_fn sys_sched_get_priority_min, sys_sched_getaffinity, sys_sched_getattr;
extern syscall_fn sys_sched_getparam, sys_sched_getscheduler, sys_sched_rr_get_interval;
extern syscall_fn sys_sched_setaffinity, sys_sched_setattr, sys_sched_setparam;
extern syscall_fn sys_sched_setscheduler, sys_sched_yield, sys_setpriority;

/* system.c, limits.c, prctl.c, cred.c */
extern syscall_fn sys_capget, sys_capset, sys_getegid, sys_geteuid, sys_getgid, sys_getgroups;
extern syscall_fn sys_getrandom, sys_getresgid, sys_getresuid, sys_getrlimit, sys_getuid;
extern syscall_fn sys_personality, sys_prctl, sys_prlimit64, sys_reboot, sys_setdomainname;
extern syscall_fn sys_setfsgid, sys_setfsuid, sys_setgid, sys_setgroups, sys_sethostname;
extern syscall_fn sys_setregid, sys_setresgid, sys_setresuid, sys_setreuid, sys_setrlimit;
extern syscall_fn sys_setuid, sys_sysinfo, sys_syslog, sys_uname, sys_membarrier, sys_rseq;

/* mm.c (memory) */
extern syscall_fn sys_brk, sys_madvise, sys_mincore, sys_mlock, sys_mlock2, sys_mlockall;
extern syscall_fn sys_mmap, sys_mprotect, sys_mremap, sys_msync, sys_munlock, sys_munlockall;
extern syscall_fn sys_munmap, sys_pkey_mprotect;

/* mempolicy.c */
extern syscall_fn sys_get_mempolicy, sys_mbind, sys_migrate_pages, sys_move_pages;
extern syscall_fn sys_set_mempolicy;

/* rw.c file.c open.c stat.c fs.c xattr.c splice.c */
extern syscall_fn sys_chdir, sys_chroot, sys_close, sys_close_range, sys_copy_file_range;
extern syscall_fn sys_dup, sys_dup3, sys_faccessat, sys_faccessat2, sys_fadvise64;
extern syscall_fn sys_fallocate, sys_fchdir, sys_fchmod, sys_fchmodat, sys_fchmodat2;
extern syscall_fn sys_fchown, sys_fchownat, sys_fcntl, sys_fdatasync, sys_fgetxattr;
extern syscall_fn sys_flistxattr, sys_flock, sys_fremovexattr, sys_fsetxattr, sys_fstat;
extern syscall_fn sys_fstatfs, sys_fsync, sys_ftruncate, sys_getcwd, sys_getdents64;
extern syscall_fn sys_getxattr, sys_ioctl, sys_lgetxattr, sys_linkat, sys_listxattr;
extern syscall_fn sys_llistxattr, sys_lremovexattr, sys_lseek, sys_lsetxattr, sys_memfd_create;
extern syscall_fn sys_mkdirat, sys_mknodat, sys_mount, sys_newfstatat, sys_openat, sys_openat2;
extern syscall_fn sys_pread64, sys_preadv, sys_preadv2, sys_pwrite64, sys_pwritev;
extern syscall_fn sys_pwritev2, sys_read, sys_readahead, sys_readlinkat, sys_readv;
extern syscall_fn sys_removexattr, sys_renameat, sys_renameat2, sys_sendfile, sys_setxattr;
extern syscall_fn sys_splice, sys_statfs, sys_statx, sys_symlinkat, sys_sync;
extern syscall_fn sys_sync_file_range, sys_syncfs, sys_tee, sys_truncate, sys_umask;
extern syscall_fn sys_umount2, sys_unlinkat, sys_utimensat, sys_vmsplice, sys_write;
extern syscall_fn sys_writev;

/* epoll.c poll.c events.c */
extern syscall_fn sys_epoll_create1, sys_epoll_ctl, sys_epoll_pwait, sys_epoll_pwait2;
extern syscall_fn sys_eventfd2, sys_pipe2, sys_ppoll, sys_pselect6, sys_signalfd4;
extern syscall_fn sys_timerfd_create, sys_timerfd_gettime, sys_timerfd_settime;

/* socket.c */
extern syscall_fn sys_accept, sys_accept4, sys_bind, sys_connect, sys_getpeername;
extern syscall_fn sys_getsockname, sys_getsockopt, sys_listen, sys_recvfrom, sys_recvmmsg;
extern syscall_fn sys_recvmsg, sys_sendmmsg, sys_sendmsg, sys_sendto, sys_setsockopt;
extern syscall_fn sys_shutdown, sys_socket, sys_socketpair;

#endif
