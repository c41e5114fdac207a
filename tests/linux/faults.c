// SPDX-License-Identifier: MIT
// Exceptions at EL0, each with its signal, si_code and si_addr; what the frame of a fault says.
#include "check.h"
#include <ucontext.h>

static sigjmp_buf escape;
static volatile int number, code;
static void *volatile address;
static volatile uint64_t fault_pc, fault_address;

static void on_signal(int signal_number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    number = signal_number;
    code = info->si_code;
    address = info->si_addr;
    fault_pc = uc->uc_mcontext.pc;
    fault_address = uc->uc_mcontext.fault_address;
    siglongjmp(escape, 1);
}

static void catch_all(void)
{
    static const int numbers[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP};
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};
    for (unsigned i = 0; i < ARRAY_SIZE(numbers); i++)
        sigaction(numbers[i], &action, NULL);
    number = code = 0;
    address = NULL;
}

#define CAUGHT(statement)                \
    ({                                   \
        catch_all();                     \
        if (sigsetjmp(escape, 1) == 0) { \
            statement;                   \
        }                                \
        number;                          \
    })

CHECK(fault_null_read)
{
    volatile int *volatile low = (int *)8;
    EXPECT_EQ(CAUGHT((void)*low), SIGSEGV);
    EXPECT_EQ(code, SEGV_MAPERR);
    EXPECT_EQ((long)address, 8);
    EXPECT_EQ(fault_address, 8);
}

CHECK(fault_null_write)
{
    volatile int *volatile low = (int *)16;
    EXPECT_EQ(CAUGHT(*low = 1), SIGSEGV);
    EXPECT_EQ(code, SEGV_MAPERR);
    EXPECT_EQ((long)address, 16);
}

CHECK(fault_null_call)
{
    void (*volatile nowhere)(void) = NULL;
    EXPECT_EQ(CAUGHT(nowhere()), SIGSEGV);
    EXPECT_EQ(code, SEGV_MAPERR);
    EXPECT_EQ((long)address, 0);
    EXPECT_EQ(fault_pc, 0);
}

CHECK(fault_write_to_text)
{
    EXPECT_EQ(CAUGHT(*(volatile int *)(uintptr_t)check_main = 1), SIGSEGV);
    EXPECT_EQ(code, SEGV_ACCERR);
    EXPECT_EQ((long)address, (long)check_main);
}

CHECK(fault_write_to_rodata)
{
    EXPECT_EQ(CAUGHT(*(volatile char *)(uintptr_t) "constant" = 1), SIGSEGV);
    EXPECT_EQ(code, SEGV_ACCERR);
}

CHECK(fault_execute_data)
{
    static uint32_t code_in_data[2] = {0xd65f03c0u, 0};
    EXPECT_EQ(CAUGHT(((void (*)(void))(uintptr_t)code_in_data)()), SIGSEGV);
    EXPECT_EQ(code, SEGV_ACCERR);
    EXPECT_EQ((long)address, (long)code_in_data);
}

CHECK(fault_kernel_address)
{
    EXPECT_EQ(CAUGHT((void)*(volatile int *)0xffff000000000000ul), SIGSEGV);
    EXPECT_EQ(CAUGHT((void)*(volatile int *)0xffffc00000000000ul), SIGSEGV);
    EXPECT_EQ(CAUGHT(*(volatile int *)0xfffffffffffffff0ul = 1), SIGSEGV);
}

CHECK(fault_non_canonical_address)
{
    EXPECT_EQ(CAUGHT((void)*(volatile int *)0x0010000000000000ul), SIGSEGV);
    EXPECT_EQ(code, SEGV_MAPERR);
}

CHECK(fault_tagged_address_is_untagged_for_access)
{
    static volatile int variable = 77;
    volatile int *tagged = (volatile int *)((uintptr_t)&variable | 0x5a00000000000000ul);
    EXPECT_EQ(*tagged, 77);
}

CHECK(fault_beyond_end_of_file_is_sigbus)
{
    int fd = open("short", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 100);
    char *p = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    EXPECT_EQ(CAUGHT((void)*(volatile char *)(p + 4000)), 0);
    EXPECT_EQ(CAUGHT((void)*(volatile char *)(p + PAGE)), SIGBUS);
    EXPECT_EQ(code, BUS_ADRERR);
    EXPECT_EQ((long)address, (long)(p + PAGE));
    EXPECT_EQ(CAUGHT(*(volatile char *)(p + 2 * PAGE + 5) = 1), SIGBUS);
    EXPECT_EQ((long)address, (long)(p + 2 * PAGE + 5));
    munmap(p, 3 * PAGE);
    close(fd);
}

CHECK(fault_after_truncate_is_sigbus)
{
    int fd = open("cut", O_RDWR | O_CREAT | O_TRUNC, 0600);
    ftruncate(fd, 2 * PAGE);
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    p[PAGE] = 1;
    EXPECT_OK(ftruncate(fd, 10));
    EXPECT_EQ(CAUGHT((void)*(volatile char *)(p + PAGE)), SIGBUS);
    EXPECT_EQ(CAUGHT((void)*(volatile char *)p), 0);
    EXPECT_OK(ftruncate(fd, 2 * PAGE));
    EXPECT_EQ(p[PAGE], 0);
    munmap(p, 2 * PAGE);
    close(fd);
}

CHECK(fault_undefined_instruction)
{
    EXPECT_EQ(CAUGHT(__asm__ volatile("udf #0")), SIGILL);
    EXPECT_EQ(code, ILL_ILLOPC);
    EXPECT_EQ(fault_pc, (uintptr_t)address);
}

CHECK(fault_privileged_instruction)
{
    EXPECT_EQ(CAUGHT(__asm__ volatile("msr daifset, #2")), SIGILL);
    EXPECT_EQ(CAUGHT(__asm__ volatile("mrs x0, sctlr_el1" ::: "x0")), SIGILL);
    EXPECT_EQ(CAUGHT(__asm__ volatile("tlbi vmalle1")), SIGILL);
    EXPECT_EQ(CAUGHT(__asm__ volatile("eret")), SIGILL);
}

CHECK(fault_hypervisor_calls_are_undefined)
{
    EXPECT_EQ(CAUGHT(__asm__ volatile("hvc #0" ::: "x0", "x1", "x2", "x3")), SIGILL);
    EXPECT_EQ(CAUGHT(__asm__ volatile("smc #0" ::: "x0", "x1", "x2", "x3")), SIGILL);
}

CHECK(fault_breakpoint)
{
    EXPECT_EQ(CAUGHT(__asm__ volatile("brk #0")), SIGTRAP);
    EXPECT_EQ(code, TRAP_BRKPT);
    EXPECT_EQ(fault_pc, (uintptr_t)address);
}

CHECK(fault_misaligned_pc)
{
    void (*volatile odd)(void) = (void (*)(void))((uintptr_t)check_main + 2);
    EXPECT_EQ(CAUGHT(odd()), SIGBUS);
    EXPECT_EQ(code, BUS_ADRALN);
}

CHECK(fault_misaligned_sp)
{
    int caught =
        CAUGHT(__asm__ volatile("mov x9, sp\n sub sp, sp, #8\n ldr x10, [sp]\n mov sp, x9" ::
                                    : "x9", "x10", "memory"));
    if (caught == 0)
        SKIP("this machine does not check the alignment of sp (QEMU's TCG)");
    EXPECT_EQ(caught, SIGBUS);
    EXPECT_EQ(code, BUS_ADRALN);
}

CHECK(fault_misaligned_exclusive)
{
    static uint64_t words[2];
    char *odd = (char *)words + 1;
    EXPECT_EQ(CAUGHT(__asm__ volatile("ldxr x9, [%0]" ::"r"(odd) : "x9", "memory")), SIGBUS);
    EXPECT_EQ(code, BUS_ADRALN);
}

CHECK(unaligned_loads_and_stores_work)
{
    static unsigned char bytes[64];
    for (int i = 0; i < 64; i++)
        bytes[i] = (unsigned char)i;
    uint64_t value;
    __asm__ volatile("ldr %0, [%1]" : "=r"(value) : "r"(bytes + 3) : "memory");
    EXPECT_EQ(value, 0x0a09080706050403ll);
    __asm__ volatile("str %0, [%1]" ::"r"(0x1122334455667788ul), "r"(bytes + 9) : "memory");
    EXPECT_EQ(bytes[9], 0x88);
    EXPECT_EQ(bytes[16], 0x11);
}

CHECK(unaligned_access_across_pages)
{
    char *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    *(volatile uint64_t *)(p + PAGE - 3) = 0x1122334455667788ul;
    EXPECT_EQ(*(volatile uint64_t *)(p + PAGE - 3), 0x1122334455667788ll);
    munmap(p, 2 * PAGE);
}

CHECK(divide_by_zero_is_zero)
{
    volatile long zero = 0;
    long result;
    __asm__ volatile("sdiv %0, %1, %2" : "=r"(result) : "r"(5L), "r"(zero));
    EXPECT_EQ(result, 0);
}

static char *repaired_page;

static void repair(int signal_number, siginfo_t *info, void *context)
{
    (void)signal_number;
    (void)context;
    address = info->si_addr;
    mprotect(repaired_page, PAGE, PROT_READ | PROT_WRITE);
}

CHECK(fault_handler_can_repair_and_go_on)
{
    repaired_page = mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct sigaction action = {.sa_sigaction = repair, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    *(volatile char *)(repaired_page + 40) = 33;
    EXPECT_EQ(repaired_page[40], 33);
    EXPECT_EQ((long)address, (long)(repaired_page + 40));
    munmap(repaired_page, PAGE);
}

CHECK(syscall_instruction_immediate_is_ignored)
{
    register long x8 __asm__("x8") = SYS_getpid;
    register long x0 __asm__("x0");
    __asm__ volatile("svc #1234" : "=r"(x0) : "r"(x8) : "memory");
    EXPECT_EQ(x0, getpid());
}

CHECK(syscall_keeps_all_registers_but_x0)
{
    uint64_t before[31], after[31];
    __asm__ volatile("mov x8, %[number]\n"
                     "mov x1, #101\n mov x2, #102\n mov x3, #103\n mov x4, #104\n mov x5, #105\n"
                     "mov x6, #106\n mov x7, #107\n mov x9, #109\n mov x10, #110\n mov x11, #111\n"
                     "mov x12, #112\n mov x13, #113\n mov x14, #114\n mov x15, #115\n"
                     "mov x16, #116\n mov x17, #117\n"
                     "svc #0\n"
                     "str x1, [%[to], #8]\n str x7, [%[to], #56]\n str x8, [%[to], #64]\n"
                     "str x9, [%[to], #72]\n str x16, [%[to], #128]\n str x17, [%[to], #136]\n"
                     "str x2, [%[to], #16]\n str x15, [%[to], #120]\n"
                     :
                     : [number] "r"((long)SYS_getppid), [to] "r"(after)
                     : "x0", "x1", "x2", "x3", "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11",
                       "x12", "x13", "x14", "x15", "x16", "x17", "memory");
    (void)before;
    static const int kept[] = {1, 2, 7, 9, 15, 16, 17};
    for (unsigned i = 0; i < ARRAY_SIZE(kept); i++)
        EXPECT_EQ(after[kept[i]], 100 + kept[i]);
    EXPECT_EQ(after[8], SYS_getppid);
}

CHECK(syscall_unknown_numbers)
{
    EXPECT_ERR(syscall(5000), ENOSYS);
    EXPECT_ERR(syscall(-1), ENOSYS);
    EXPECT_ERR(syscall(1L << 31), ENOSYS);
    EXPECT_ERR(syscall(300), ENOSYS);
}
