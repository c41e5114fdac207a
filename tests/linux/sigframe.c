// SPDX-License-Identifier: MIT
// What a handler finds on its stack and may change: ucontext, registers, FP records, alternate
// stacks.
#include "check.h"
#include <asm/sigcontext.h>
#include <ucontext.h>

static volatile int count;
static volatile uintptr_t handler_sp, frame_at;
static ucontext_t seen;
static struct fpsimd_context seen_fp;
static volatile bool found_fp, found_end;

static void look(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)number;
    (void)info;
    count++;
    frame_at = (uintptr_t)uc;
    handler_sp = (uintptr_t)__builtin_frame_address(0);
    memcpy(&seen, uc, offsetof(ucontext_t, uc_mcontext) + offsetof(mcontext_t, __reserved));
    found_fp = found_end = false;
    struct _aarch64_ctx *head = (void *)uc->uc_mcontext.__reserved;
    while (head->magic) {
        if (head->magic == FPSIMD_MAGIC) {
            memcpy(&seen_fp, head, sizeof seen_fp);
            found_fp = true;
        }
        head = (void *)((char *)head + head->size);
    }
    found_end = head->size == 0;
}

static void handle(void (*function)(int, siginfo_t *, void *), int flags)
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO | flags};
    sigaction(SIGUSR1, &action, NULL);
    count = 0;
}

CHECK(sigframe_stack_is_aligned)
{
    handle(look, 0);
    raise(SIGUSR1);
    EXPECT_EQ(handler_sp % 16, 0);
    EXPECT_EQ(frame_at % 16, 0);
}

CHECK(sigframe_is_below_the_interrupted_stack)
{
    handle(look, 0);
    raise(SIGUSR1);
    EXPECT(frame_at < seen.uc_mcontext.sp);
    EXPECT(seen.uc_mcontext.sp - frame_at < 8192);
}

CHECK(sigframe_has_an_fpsimd_record_and_an_end)
{
    handle(look, 0);
    raise(SIGUSR1);
    EXPECT_EQ(found_fp, true);
    EXPECT_EQ(found_end, true);
    EXPECT_EQ(seen_fp.head.size, sizeof(struct fpsimd_context));
}

CHECK(sigframe_mask_is_the_interrupted_one)
{
    sigset_t set;
    handle(look, 0);
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    raise(SIGUSR1);
    EXPECT_EQ(sigismember(&seen.uc_sigmask, SIGUSR2), 1);
    EXPECT_EQ(sigismember(&seen.uc_sigmask, SIGUSR1), 0);
}

CHECK(sigframe_registers_survive)
{
    handle(look, 0);
    long process = getpid(), thread = gettid();
    register long x19 __asm__("x19") = 1919, x28 __asm__("x28") = 2828;
    register long x8 __asm__("x8") = SYS_tgkill;
    register long x0 __asm__("x0") = process, x1 __asm__("x1") = thread, x2 __asm__("x2") = SIGUSR1;
    __asm__ volatile("svc #0"
                     : "+r"(x0), "+r"(x19), "+r"(x28)
                     : "r"(x1), "r"(x2), "r"(x8)
                     : "memory");
    EXPECT_EQ(x0, 0);
    EXPECT_EQ(count, 1);
    EXPECT_EQ(x19, 1919);
    EXPECT_EQ(x28, 2828);
    EXPECT_EQ(seen.uc_mcontext.regs[19], 1919);
    EXPECT_EQ(seen.uc_mcontext.regs[28], 2828);
    EXPECT_EQ(seen.uc_mcontext.regs[8], SYS_tgkill);
    EXPECT_EQ(seen.uc_mcontext.regs[0], 0);
}

static void spoil_fp(int number, siginfo_t *info, void *context)
{
    look(number, info, context);
    __asm__ volatile("movi v8.16b, #0x77\n movi v0.16b, #0x66\n movi v31.16b, #0x55" ::
                         : "v0", "v8", "v31");
}

CHECK(sigframe_fp_registers_survive)
{
    handle(spoil_fp, 0);
    uint64_t low, high, upper;
    long process = getpid(), thread = gettid();
    register long x8 __asm__("x8") = SYS_tgkill;
    register long x0 __asm__("x0") = process, x1 __asm__("x1") = thread, x2 __asm__("x2") = SIGUSR1;
    __asm__ volatile("movi v8.16b, #0x11\n movi v31.16b, #0x22\n"
                     "svc #0\n"
                     "mov %1, v8.d[0]\n mov %2, v8.d[1]\n mov %3, v31.d[1]\n"
                     : "+r"(x0), "=&r"(low), "=&r"(high), "=&r"(upper)
                     : "r"(x1), "r"(x2), "r"(x8)
                     : "v8", "v31", "memory");
    EXPECT_EQ(count, 1);
    EXPECT_EQ(low, 0x1111111111111111ll);
    EXPECT_EQ(high, 0x1111111111111111ll);
    EXPECT_EQ(upper, 0x2222222222222222ll);
    EXPECT_EQ((uint64_t)seen_fp.vregs[8], 0x1111111111111111ll);
    EXPECT_EQ((uint64_t)(seen_fp.vregs[31] >> 64), 0x2222222222222222ll);
}

static void change_fp(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)number;
    (void)info;
    struct fpsimd_context *fp = (void *)uc->uc_mcontext.__reserved;
    while (fp->head.magic && fp->head.magic != FPSIMD_MAGIC)
        fp = (void *)((char *)fp + fp->head.size);
    fp->vregs[9] = 0x1234;
    fp->fpcr = 0x00400000; // round towards plus infinity
}

CHECK(sigframe_handler_can_change_fp_registers)
{
    handle(change_fp, 0);
    long process = getpid(), thread = gettid();
    uint64_t value, fpcr;
    register long x8 __asm__("x8") = SYS_tgkill;
    register long x0 __asm__("x0") = process, x1 __asm__("x1") = thread, x2 __asm__("x2") = SIGUSR1;
    __asm__ volatile("movi v9.16b, #1\n svc #0\n mov %1, v9.d[0]\n mrs %2, fpcr\n msr fpcr, xzr\n"
                     : "+r"(x0), "=&r"(value), "=&r"(fpcr)
                     : "r"(x1), "r"(x2), "r"(x8)
                     : "v9", "memory");
    EXPECT_EQ(value, 0x1234);
    EXPECT_EQ(fpcr, 0x00400000);
}

static void change_result(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    ((ucontext_t *)context)->uc_mcontext.regs[0] = 4242;
}

CHECK(sigframe_handler_can_change_x0)
{
    handle(change_result, 0);
    EXPECT_EQ(syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1), 4242);
}

static void skip_instruction(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    count++;
    ((ucontext_t *)context)->uc_mcontext.pc += 4;
}

CHECK(sigframe_handler_can_change_pc)
{
    struct sigaction action = {.sa_sigaction = skip_instruction, .sa_flags = SA_SIGINFO};
    count = 0;
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
    __asm__ volatile("udf #0\n brk #7");
    EXPECT_EQ(count, 2);
}

static void change_mask(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    sigaddset(&((ucontext_t *)context)->uc_sigmask, SIGUSR2);
}

CHECK(sigframe_handler_can_change_the_mask)
{
    sigset_t now;
    handle(change_mask, 0);
    raise(SIGUSR1);
    // raise() itself puts back the mask it found; a direct call shows the change.
    syscall(SYS_tgkill, getpid(), gettid(), SIGUSR1);
    sigprocmask(SIG_BLOCK, NULL, &now);
    EXPECT_EQ(sigismember(&now, SIGUSR2), 1);
}

static void spoil_flags(int number, siginfo_t *info, void *context)
{
    look(number, info, context);
    __asm__ volatile("mov x9, #1\n cmp xzr, x9" ::: "cc", "x9");
}

CHECK(sigframe_condition_flags_survive)
{
    handle(spoil_flags, 0);
    long process = getpid(), thread = gettid();
    uint64_t flags;
    register long x8 __asm__("x8") = SYS_tgkill;
    register long x0 __asm__("x0") = process, x1 __asm__("x1") = thread, x2 __asm__("x2") = SIGUSR1;
    __asm__ volatile("msr nzcv, %[all]\n svc #0\n mrs %[flags], nzcv\n"
                     : "+r"(x0), [flags] "=&r"(flags)
                     : "r"(x1), "r"(x2), "r"(x8), [all] "r"(0xf0000000ul)
                     : "cc", "memory");
    EXPECT_EQ(flags, 0xf0000000ll);
    EXPECT_EQ(seen.uc_mcontext.pstate & 0xf0000000ul, 0xf0000000ll);
}

static void raise_privilege(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)number;
    (void)info;
    if (++count == 1)
        uc->uc_mcontext.pstate |= 5; // EL1h
}

static void survive(int number)
{
    (void)number;
    siglongjmp(check_escape, 1);
}

CHECK(sigframe_cannot_raise_privilege)
{
    handle(raise_privilege, 0);
    signal(SIGSEGV, survive);
    raise(SIGUSR1);
    check_fail(__LINE__, "found a return with PSTATE.M = EL1h, expected SIGSEGV");
}

CHECK(sigframe_pstate_of_the_program)
{
    handle(look, 0);
    raise(SIGUSR1);
    EXPECT_EQ(seen.uc_mcontext.pstate & 0x1f, 0);
    EXPECT_EQ(seen.uc_mcontext.pstate & 0x3c0, 0);
}

CHECK(sigframe_bad_record_is_refused)
{
    // rt_sigreturn with sp at memory that is no frame: SIGSEGV, here on the harness's other stack.
    static char empty[16384] __attribute__((aligned(16)));
    struct sigaction action = {.sa_handler = survive, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    __asm__ volatile("mov sp, %0\n mov x8, %1\n svc #0" ::"r"(empty + 4096), "i"(SYS_rt_sigreturn)
                     : "x8", "memory");
}

// Alternate stacks.
static char alternate[65536] __attribute__((aligned(16)));

static void use_alternate(int flags)
{
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = flags};
    sigaltstack(&stack, NULL);
}

static bool on_alternate(uintptr_t p)
{
    return p >= (uintptr_t)alternate && p < (uintptr_t)alternate + sizeof alternate;
}

CHECK(altstack_is_used_only_with_the_flag)
{
    use_alternate(0);
    handle(look, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(on_alternate(handler_sp), true);
    handle(look, 0);
    raise(SIGUSR1);
    EXPECT_EQ(on_alternate(handler_sp), false);
}

CHECK(altstack_in_ucontext)
{
    use_alternate(0);
    handle(look, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ((long)seen.uc_stack.ss_sp, (long)alternate);
    EXPECT_EQ(seen.uc_stack.ss_size, sizeof alternate);
}

static stack_t reported;
static int change_error;

static void ask(int number, siginfo_t *info, void *context)
{
    stack_t none = {.ss_flags = SS_DISABLE};
    look(number, info, context);
    sigaltstack(NULL, &reported);
    errno = 0;
    change_error = sigaltstack(&none, NULL) ? errno : 0;
}

CHECK(altstack_while_in_use)
{
    use_alternate(0);
    handle(ask, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(reported.ss_flags, SS_ONSTACK);
    EXPECT_EQ(change_error, EPERM);
    EXPECT_OK(sigaltstack(NULL, &reported));
    EXPECT_EQ(reported.ss_flags, 0);
}

CHECK(altstack_autodisarm)
{
    use_alternate((int)(1u << 31));
    handle(ask, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(on_alternate(handler_sp), true);
    EXPECT_EQ(reported.ss_flags, SS_DISABLE);
    sigaltstack(NULL, &reported);
    EXPECT_EQ((long)reported.ss_sp, (long)alternate);
}

CHECK(altstack_errors)
{
    stack_t small = {.ss_sp = alternate, .ss_size = 1024},
            bad = {.ss_sp = alternate, .ss_size = sizeof alternate, .ss_flags = 77};
    EXPECT_ERR(sigaltstack(&small, NULL), ENOMEM);
    EXPECT_ERR(sigaltstack(&bad, NULL), EINVAL);
    EXPECT_ERR(sigaltstack(BAD_POINTER, NULL), EFAULT);
    EXPECT_ERR(sigaltstack(NULL, BAD_POINTER), EFAULT);
}

CHECK(altstack_disable)
{
    stack_t none = {.ss_flags = SS_DISABLE}, now;
    use_alternate(0);
    EXPECT_OK(sigaltstack(&none, NULL));
    EXPECT_OK(sigaltstack(NULL, &now));
    EXPECT_EQ(now.ss_flags, SS_DISABLE);
    handle(look, SA_ONSTACK);
    raise(SIGUSR1);
    EXPECT_EQ(on_alternate(handler_sp), false);
}

static volatile int depth;
static sigjmp_buf escape;

static void on_overflow(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)info;
    handler_sp = (uintptr_t)__builtin_frame_address(0);
    (void)context;
    siglongjmp(escape, 1);
}

static __attribute__((noinline)) int recurse(int n)
{
    volatile char frame[4096];
    frame[0] = (char)n;
    depth = n;
    if (n < 0)
        return 0;
    return recurse(n + 1) + frame[0];
}

CHECK(altstack_catches_stack_overflow)
{
    struct sigaction action = {.sa_sigaction = on_overflow, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    use_alternate(0);
    sigaction(SIGSEGV, &action, NULL);
    if (sigsetjmp(escape, 1) == 0)
        recurse(0);
    EXPECT_EQ(on_alternate(handler_sp), true);
    EXPECT(depth > 1000);
}

CHECK(ucontext_get_set_swap)
{
    static ucontext_t here, there;
    static char stack[65536];
    static volatile int steps;
    volatile int rounds = 0;
    steps = 0;
    EXPECT_OK(getcontext(&there));
    if (rounds++ == 0)
        EXPECT_OK(setcontext(&there));
    EXPECT_EQ(rounds, 2);
    EXPECT_OK(getcontext(&there));
    there.uc_stack.ss_sp = stack;
    there.uc_stack.ss_size = sizeof stack;
    there.uc_link = &here;
    void (*step)(void) = (void (*)(void))(uintptr_t)getpid;
    makecontext(&there, step, 0);
    EXPECT_OK(swapcontext(&here, &there));
    steps++;
    EXPECT_EQ(steps, 1);
}
