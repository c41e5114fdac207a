// SPDX-License-Identifier: MIT
// A static program whose GNU property note says BTI: exec itself must map its code as guarded. It
// has no C library, since that is not built with landing pads everywhere; so it brings its own
// output and calls.
#include <asm/hwcap.h>
#include <elf.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>

struct kernel_sigaction {
    void (*handler)(int, siginfo_t *, void *);
    unsigned long flags;
    void *restorer;
    uint64_t mask;
};

static long call(long number, long a, long b, long c, long d)
{
    register long x8 __asm__("x8") = number;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;

    __asm__ volatile("svc #0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3) : "memory");
    return x0;
}

static void say(const char *text)
{
    long length = 0;
    while (text[length])
        length++;
    call(SYS_write, 1, (long)text, length, 0);
}

static volatile int caught;

static void on_ill(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)info;
    caught = number;
    uc->uc_mcontext.pstate &= ~0xc00ul; // goes on where it was, as if it had not been a branch
}

static int blr_to_bare(void)
{
    caught = 0;
    __asm__ volatile("adr x9, 1f\n adr x30, 2f\n br x9\n1: nop\n2:" ::: "x9", "x30", "memory");
    return caught;
}

__attribute__((used)) static void start(const uint64_t *stack)
{
    struct kernel_sigaction action = {.handler = on_ill, .flags = SA_SIGINFO};
    unsigned long caps2 = 0;
    const uint64_t *p = stack + 1 + stack[0] + 1;
    while (*p)
        p++;
    for (p++; p[0] != AT_NULL; p += 2)
        if (p[0] == AT_HWCAP2)
            caps2 = p[1];
    call(SYS_rt_sigaction, SIGILL, (long)&action, 0, 8); // returns through the vDSO: no restorer
    int expected = caps2 & HWCAP2_BTI ? SIGILL : 0;
    int found = blr_to_bare();
    if (found == expected)
        say(expected ? "ok static_program_is_guarded\n" : "ok static_program_without_bti\n");
    else
        say("FAIL static_program_is_guarded: found another signal than expected\n");
    call(SYS_exit_group, found != expected, 0, 0, 0);
}

__asm__(".globl _start\n_start: hint #34\n mov x0, sp\n mov x29, xzr\n mov x30, xzr\n b start\n");
