/* SPDX-License-Identifier: MIT
 *
 * Layouts that the kernel writes by offsets of its own (kernel/linux/abi64, kernel/linux), against
 * Linux's headers. Compiled, not run.
 */
#include <stddef.h>

#include <asm/sigcontext.h>
#include <asm/siginfo.h>
#include <asm/signal.h>
#include <linux/capability.h>
#include <linux/futex.h>
#include <linux/prctl.h>
#include <linux/resource.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <linux/signalfd.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/times.h>
#include <linux/timex.h>
#include <linux/utsname.h>

#include <asm/ucontext.h>

#define SIZE(type, bytes)         _Static_assert(sizeof(type) == (bytes), #type)
#define AT(type, member, offset_) _Static_assert(offsetof(type, member) == (offset_), #member)
#define VALUE(name, value)        _Static_assert((name) == (value), #name)

/* abi64/sigframe.c */
SIZE(siginfo_t, 128);
AT(struct ucontext, uc_stack, 16);
AT(struct ucontext, uc_sigmask, 40);
AT(struct ucontext, uc_mcontext, 176);
AT(struct sigcontext, fault_address, 0);
AT(struct sigcontext, regs, 8);
AT(struct sigcontext, sp, 8 + 31 * 8);
AT(struct sigcontext, pstate, 8 + 33 * 8);
AT(struct sigcontext, __reserved, 288);
SIZE(struct ucontext, 176 + 288 + 4096);
SIZE(struct fpsimd_context, 528);
AT(struct fpsimd_context, fpsr, 8);
AT(struct fpsimd_context, vregs, 16);
SIZE(struct esr_context, 16);
VALUE(FPSIMD_MAGIC, 0x46508001);
VALUE(ESR_MAGIC, 0x45535201);

/* abi64/siginfo.c */
AT(siginfo_t, si_code, 8);
AT(siginfo_t, si_pid, 16);
AT(siginfo_t, si_uid, 20);
AT(siginfo_t, si_value, 24);
AT(siginfo_t, si_tid, 16);
AT(siginfo_t, si_overrun, 20);
AT(siginfo_t, si_status, 24);
AT(siginfo_t, si_utime, 32);
AT(siginfo_t, si_addr, 16);
AT(siginfo_t, si_band, 16);
AT(siginfo_t, si_fd, 24);
AT(siginfo_t, si_syscall, 24);
AT(siginfo_t, si_arch, 28);

/* sigcalls.c */
AT(struct sigaction, sa_handler, 0);
AT(struct sigaction, sa_flags, 8);
AT(struct sigaction, sa_restorer, 16);
AT(struct sigaction, sa_mask, 24);
SIZE(stack_t, 24);
AT(stack_t, ss_flags, 8);
AT(stack_t, ss_size, 16);
VALUE(MINSIGSTKSZ, 5120);
VALUE(SA_RESTORER, 0x04000000);
VALUE(SA_ONSTACK, 0x08000000);
VALUE(SA_RESTART, 0x10000000);
VALUE(SA_NODEFER, 0x40000000);
VALUE(SA_RESETHAND, (int)0x80000000);
VALUE(SI_TIMER, -2);
VALUE(SI_TKILL, -6);
SIZE(struct sigevent, 64);
AT(struct sigevent, sigev_signo, 8);
AT(struct sigevent, sigev_notify, 12);
AT(struct sigevent, _sigev_un._tid, 16);
SIZE(struct signalfd_siginfo, 128);

/* clone.c, sched.c, limits.c */
SIZE(struct clone_args, 88);
AT(struct clone_args, stack, 40);
AT(struct clone_args, tls, 56);
SIZE(struct sched_attr, 56);
AT(struct sched_attr, sched_runtime, 24);
VALUE(CLONE_SETTLS, 0x00080000);
VALUE(CLONE_CHILD_CLEARTID, 0x00200000);
VALUE(RLIMIT_NOFILE, 7);
VALUE(RLIMIT_RTTIME, 15);

/* time.c, system.c, cred.c */
SIZE(struct __kernel_timex, 208);
SIZE(struct tms, 32);
SIZE(struct rusage, 144);
AT(struct rusage, ru_maxrss, 32);
AT(struct rusage, ru_nvcsw, 128);
SIZE(struct sysinfo, 112);
AT(struct sysinfo, mem_unit, 104);
SIZE(struct new_utsname, 390);
SIZE(struct __user_cap_data_struct, 12);
VALUE(_LINUX_CAPABILITY_VERSION_3, 0x20080522);
VALUE(PR_SET_NO_NEW_PRIVS, 38);
VALUE(PR_CAP_AMBIENT, 47);
VALUE(FUTEX_LOCK_PI2, 13);
VALUE(FUTEX_TID_MASK, 0x3fffffff);
SIZE(struct robust_list_head, 24);
