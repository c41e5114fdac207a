// SPDX-License-Identifier: MIT
// Pointer authentication and branch target identification: what a program is promised by
// HWCAP_PACA, HWCAP_PACG and HWCAP2_BTI (Linux pointer-authentication.rst), and that CPUs without
// say so.
#include "check.h"
#include <asm/hwcap.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <ucontext.h>

#ifndef PROT_BTI
#define PROT_BTI 0x10
#endif
#define ALL_ADDRESS_KEYS (PR_PAC_APIAKEY | PR_PAC_APIBKEY | PR_PAC_APDAKEY | PR_PAC_APDBKEY)

__asm__(".arch armv8.5-a");

#define READ(name)                                         \
    ({                                                     \
        uint64_t value_;                                   \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)); \
        value_;                                            \
    })

// PACIA and its likes, AUTIA and its likes, on a value with a modifier.
#define SIGN(instruction, value, modifier)                                                   \
    ({                                                                                       \
        uint64_t signed_ = (uint64_t)(value);                                                \
        __asm__ volatile(instruction " %0, %1" : "+r"(signed_) : "r"((uint64_t)(modifier))); \
        signed_;                                                                             \
    })

#define BARE_CALL(number, a, b, c)                                          \
    ({                                                                      \
        register long x8_ __asm__("x8") = (number);                         \
        register long x0_ __asm__("x0") = (long)(a);                        \
        register long x1_ __asm__("x1") = (long)(b);                        \
        register long x2_ __asm__("x2") = (long)(c);                        \
        register long x3_ __asm__("x3") = 0;                                \
        register long x4_ __asm__("x4") = 0;                                \
        __asm__ volatile("svc #0"                                           \
                         : "+r"(x0_)                                        \
                         : "r"(x8_), "r"(x1_), "r"(x2_), "r"(x3_), "r"(x4_) \
                         : "memory");                                       \
        x0_;                                                                \
    })

static bool has_addresses(void)
{
    return getauxval(AT_HWCAP) & HWCAP_PACA;
}

static bool has_generic(void)
{
    return getauxval(AT_HWCAP) & HWCAP_PACG;
}

static bool has_targets(void)
{
    return getauxval(AT_HWCAP2) & HWCAP2_BTI;
}

static unsigned field(uint64_t value, unsigned shift)
{
    return (unsigned)(value >> shift & 15);
}

static uint64_t place(void)
{
    return (uint64_t)(uintptr_t)&check_name;
}

CHECK(hwcaps_say_what_the_id_registers_say)
{
    uint64_t isar1 = READ(ID_AA64ISAR1_EL1), isar2 = READ(S3_0_C0_C6_2);
    EXPECT_EQ(has_addresses(), field(isar1, 4) || field(isar1, 8) || field(isar2, 12));
    EXPECT_EQ(has_generic(), field(isar1, 24) || field(isar1, 28) || field(isar2, 8));
    EXPECT_EQ(has_targets(), field(READ(ID_AA64PFR1_EL1), 0) >= 1);
}

static bool cpuinfo_names(const char *name)
{
    static char text[16384];
    int fd = open("/proc/cpuinfo", O_RDONLY);
    ssize_t got = read(fd, text, sizeof text - 1);
    close(fd);
    text[got > 0 ? got : 0] = 0;
    char *line = strstr(text, "Features");
    if (!line)
        return false;
    line[strcspn(line, "\n")] = 0;
    for (char *word = strtok(line, " \t:"); word; word = strtok(NULL, " \t:"))
        if (!strcmp(word, name))
            return true;
    return false;
}

CHECK(cpuinfo_says_what_the_hwcaps_say)
{
    EXPECT_EQ(cpuinfo_names("paca"), has_addresses());
    EXPECT_EQ(cpuinfo_names("pacg"), has_generic());
    EXPECT_EQ(cpuinfo_names("bti"), has_targets());
}

CHECK(without_the_feature_its_calls_are_refused)
{
    if (!has_addresses()) {
        EXPECT_ERR(prctl(PR_PAC_RESET_KEYS, 0, 0, 0, 0), EINVAL);
        EXPECT_ERR(prctl(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0), EINVAL);
        EXPECT_ERR(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, 0, 0, 0), EINVAL);
    }
    if (!has_targets()) {
        void *p = mmap(NULL, PAGE, PROT_READ | PROT_BTI, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        EXPECT(p != MAP_FAILED);
        EXPECT_ERR(mprotect(p, PAGE, PROT_READ | PROT_EXEC | PROT_BTI), EINVAL);
        munmap(p, PAGE);
    }
}

CHECK(hints_do_no_harm)
{
    // What compilers put into every function, on any CPU: PACIASP, AUTIASP, BTI C.
    __asm__ volatile("hint #34\n hint #25\n hint #29" ::: "x30");
    register uint64_t x30 __asm__("x30") = place();
    __asm__ volatile("hint #7" : "+r"(x30)); // xpaclri
    EXPECT_EQ(x30, place());
}

#define NEED(feature)     \
    if (!has_##feature()) \
        SKIP("the CPU has no " #feature " feature");

CHECK(signed_pointers_authenticate)
{
    NEED(addresses);
    EXPECT_EQ(SIGN("autia", SIGN("pacia", place(), 7), 7), place());
    EXPECT_EQ(SIGN("autib", SIGN("pacib", place(), 7), 7), place());
    EXPECT_EQ(SIGN("autda", SIGN("pacda", place(), 7), 7), place());
    EXPECT_EQ(SIGN("autdb", SIGN("pacdb", place(), 7), 7), place());
}

// The signature of one of many values, so that one that happens to be zero does not matter.
static uint64_t many(int key)
{
    uint64_t sum = 0;
    for (uint64_t i = 0; i < 16; i++) {
        uint64_t p = place() & ~15ul, s;
        switch (key) {
        case 0:
            s = SIGN("pacia", p, i);
            break;
        case 1:
            s = SIGN("pacib", p, i);
            break;
        case 2:
            s = SIGN("pacda", p, i);
            break;
        case 3:
            s = SIGN("pacdb", p, i);
            break;
        default:
            __asm__ volatile("pacga %0, %1, %2" : "=r"(s) : "r"(p), "r"(i));
            break;
        }
        sum = sum * 31 + (s ^ p);
    }
    return sum;
}

CHECK(signatures_are_in_the_upper_bits)
{
    NEED(addresses);
    uint64_t bits = 0;
    for (uint64_t i = 0; i < 64; i++)
        bits |= SIGN("pacia", place(), i) ^ place();
    EXPECT_EQ(bits, 0x007f000000000000); // 48-bit addresses, a tag in the top byte
    uint64_t stripped = SIGN("pacia", place(), 1);
    __asm__ volatile("xpaci %0" : "+r"(stripped));
    EXPECT_EQ(stripped, place());
}

CHECK(keys_differ)
{
    NEED(addresses);
    for (int a = 0; a < 4; a++)
        for (int b = 0; b < a; b++)
            EXPECT(many(a) != many(b));
}

CHECK(generic_signature)
{
    NEED(generic);
    uint64_t a, b;
    __asm__ volatile("pacga %0, %1, %2" : "=r"(a) : "r"(1ul), "r"(2ul));
    __asm__ volatile("pacga %0, %1, %2" : "=r"(b) : "r"(1ul), "r"(2ul));
    EXPECT_EQ(a, b);
    EXPECT(a != 0 && (uint32_t)a == 0);
}

static sigjmp_buf escape;
static volatile int caught, caught_code;
static volatile uint64_t caught_address, caught_pc, caught_btype, caught_fault_address,
    caught_records;

static void on_fault(int number, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    caught = number;
    caught_code = info->si_code;
    caught_address = (uint64_t)info->si_addr;
    caught_pc = uc->uc_mcontext.pc;
    caught_btype = uc->uc_mcontext.pstate >> 10 & 3;
    caught_fault_address = uc->uc_mcontext.fault_address;
    caught_records = 0;
    for (const struct _aarch64_ctx *r = (const void *)uc->uc_mcontext.__reserved; r->magic;
         r = (const void *)((const char *)r + r->size))
        caught_records += r->magic == ESR_MAGIC;
    siglongjmp(escape, 1);
}

static void catch (int number)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(number, &action, NULL);
    caught = 0;
}

CHECK(forged_pointer_faults)
{
    NEED(addresses);
    catch (SIGSEGV);
    catch (SIGILL); // with FEAT_FPAC the authentication itself faults
    if (sigsetjmp(escape, 1) == 0) {
        uint64_t forged = SIGN("pacda", place(), 1) ^ (1ul << 50);
        (void)*(volatile int *)SIGN("autda", forged, 1);
    }
    EXPECT(caught == SIGSEGV || (caught == SIGILL && caught_code == ILL_ILLOPN));
    if (caught == SIGSEGV)
        EXPECT_EQ(caught_code, SEGV_MAPERR);
}

CHECK(return_to_a_forged_address_faults)
{
    NEED(addresses);
    catch (SIGSEGV);
    catch (SIGILL);
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile(
            "adr x30, 1f\n paciasp\n eor x30, x30, #0x1000000000000\n autiasp\n ret\n1: nop" ::
                : "x30");
    EXPECT(caught == SIGSEGV || (caught == SIGILL && caught_code == ILL_ILLOPN));
    if (caught == SIGSEGV) {
        EXPECT_EQ(caught_code, SEGV_MAPERR);
        EXPECT_EQ(caught_address, caught_pc & 0x00ffffffffffffff);
        EXPECT(caught_pc >> 48 != 0);
    }
}

static volatile int handled;

static void on_usr1(int number)
{
    handled = number;
}

CHECK(keys_stay_through_calls_signals_and_sleep)
{
    NEED(addresses);
    uint64_t before[4];
    for (int key = 0; key < 4; key++)
        before[key] = many(key);
    signal(SIGUSR1, on_usr1);
    kill(getpid(), SIGUSR1);
    usleep(20000);
    for (int key = 0; key < 4; key++)
        EXPECT_EQ(many(key), before[key]);
}

static uint64_t in_thread[5][3];
static long reset_results[3];
static volatile bool thread_stop;

static void *reset_in_thread(void *unused)
{
    // Nothing here may return through an address that was signed before.
    for (int key = 0; key < 5; key++)
        in_thread[key][0] = key < 4 || has_generic() ? many(key) : 0;
    reset_results[0] = BARE_CALL(SYS_prctl, PR_PAC_RESET_KEYS, PR_PAC_APIAKEY | PR_PAC_APDBKEY, 0);
    for (int key = 0; key < 5; key++)
        in_thread[key][1] = key < 4 || has_generic() ? many(key) : 0;
    reset_results[1] = BARE_CALL(SYS_prctl, PR_PAC_RESET_KEYS, 0, 0);
    for (int key = 0; key < 5; key++)
        in_thread[key][2] = key < 4 || has_generic() ? many(key) : 0;
    while (!thread_stop)
        BARE_CALL(SYS_sched_yield, 0, 0, 0);
    BARE_CALL(SYS_exit, 0, 0, 0);
    return unused;
}

CHECK(threads_have_the_keys_and_reset_their_own)
{
    NEED(addresses);
    pthread_t thread;
    uint64_t mine[4];
    for (int key = 0; key < 4; key++)
        mine[key] = many(key);
    thread_stop = false;
    memset((void *)in_thread, 0, sizeof in_thread);
    pthread_create(&thread, NULL, reset_in_thread, NULL);
    for (int i = 0; i < 200; i++) { // both run: each switch brings the right keys
        for (int key = 0; key < 4; key++)
            EXPECT_EQ(many(key), mine[key]);
        usleep(100);
    }
    thread_stop = true;
    usleep(20000);
    EXPECT_EQ(reset_results[0], 0);
    EXPECT_EQ(reset_results[1], 0);
    for (int key = 0; key < 4; key++)
        EXPECT_EQ(in_thread[key][0], mine[key]);
    EXPECT(in_thread[0][1] != mine[0]);
    EXPECT_EQ(in_thread[1][1], mine[1]);
    EXPECT_EQ(in_thread[2][1], mine[2]);
    EXPECT(in_thread[3][1] != mine[3]);
    for (int key = 0; key < 4; key++)
        EXPECT(in_thread[key][2] != in_thread[key][1]);
    if (has_generic()) {
        EXPECT_EQ(in_thread[4][1], in_thread[4][0]);
        EXPECT(in_thread[4][2] != in_thread[4][1]);
    }
}

CHECK(reset_refuses_what_it_does_not_know)
{
    NEED(addresses);
    EXPECT_ERR(prctl(PR_PAC_RESET_KEYS, 32, 0, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_PAC_RESET_KEYS, PR_PAC_APIBKEY, 1, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_PAC_RESET_KEYS, PR_PAC_APIBKEY, 0, 1, 0), EINVAL);
    EXPECT_ERR(prctl(PR_PAC_RESET_KEYS, PR_PAC_APIBKEY, 0, 0, 1), EINVAL);
    EXPECT_OK(prctl(PR_PAC_RESET_KEYS, PR_PAC_APDBKEY, 0, 0, 0));
}

CHECK(enabled_keys)
{
    NEED(addresses);
    EXPECT_EQ(prctl(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0), ALL_ADDRESS_KEYS);
    EXPECT_ERR(prctl(PR_PAC_GET_ENABLED_KEYS, 1, 0, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APGAKEY, 0, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIBKEY, PR_PAC_APDAKEY, 0, 0), EINVAL);
    EXPECT_ERR(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIBKEY, 0, 1, 0), EINVAL);
    EXPECT_OK(
        prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIBKEY | PR_PAC_APDAKEY, PR_PAC_APDAKEY, 0, 0));
    EXPECT_EQ(prctl(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0), ALL_ADDRESS_KEYS & ~PR_PAC_APIBKEY);
    EXPECT_EQ(many(1), 0);
    EXPECT(many(0) != 0 && many(2) != 0 && many(3) != 0);
    usleep(20000);
    EXPECT_EQ(many(1), 0);
    EXPECT_OK(prctl(PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIBKEY, PR_PAC_APIBKEY, 0, 0));
    EXPECT(many(1) != 0);
}

CHECK(without_the_instruction_key_the_kernel_goes_on)
{
    NEED(addresses);
    struct timespec ts = {0, 20000000};
    uint64_t before = many(0);
    long self = getpid();
    signal(SIGUSR1, on_usr1);
    handled = 0;
    long off = BARE_CALL(SYS_prctl, PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, 0);
    uint64_t plain = many(0);
    BARE_CALL(SYS_kill, self, SIGUSR1, 0);
    BARE_CALL(SYS_nanosleep, &ts, 0, 0);
    uint64_t still = many(0);
    long on = BARE_CALL(SYS_prctl, PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, PR_PAC_APIAKEY);
    EXPECT_EQ(off, 0);
    EXPECT_EQ(on, 0);
    EXPECT_EQ(plain, 0);
    EXPECT_EQ(still, 0);
    EXPECT_EQ(handled, SIGUSR1);
    EXPECT_EQ(many(0), before);
}

// Calls, page faults and sleeps with the key on or off; no function returns meanwhile.
static void *busy_with_key(void *argument)
{
    volatile char *pages =
        mmap(NULL, 200 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    struct timespec ts = {0, 200000};
    uint64_t bad = 0;
    if (argument != NULL)
        bad |= BARE_CALL(SYS_prctl, PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, 0);
    for (unsigned i = 0; i < 200; i++) {
        pages[i * PAGE] = 1;
        bad |= BARE_CALL(SYS_sched_yield, 0, 0, 0);
        if (i % 8 == 0)
            bad |= BARE_CALL(SYS_nanosleep, &ts, 0, 0);
        for (volatile unsigned j = 0; j < 3000; j = j + 1)
            ;
        uint64_t plain = place() | 1, made = SIGN("pacia", plain, i);
        bad |= argument != NULL ? made ^ plain : SIGN("autia", made, i) ^ plain;
    }
    bad |= BARE_CALL(SYS_prctl, PR_PAC_SET_ENABLED_KEYS, PR_PAC_APIAKEY, PR_PAC_APIAKEY);
    munmap((void *)pages, 200 * PAGE);
    return (void *)(uintptr_t)(bad != 0);
}

CHECK(threads_with_and_without_the_key_share_the_cpus)
{
    NEED(addresses);
    pthread_t thread[6];
    void *bad;
    for (uintptr_t i = 0; i < ARRAY_SIZE(thread); i++)
        EXPECT_EQ(pthread_create(&thread[i], NULL, busy_with_key, (void *)(i & 1)), 0);
    for (unsigned i = 0; i < ARRAY_SIZE(thread); i++) {
        EXPECT_EQ(pthread_join(thread[i], &bad), 0);
        EXPECT(bad == NULL);
    }
    EXPECT_EQ(prctl(PR_PAC_GET_ENABLED_KEYS, 0, 0, 0, 0), ALL_ADDRESS_KEYS);
}

// --- branch targets ---

enum { CODE_BARE, CODE_C = 4, CODE_J = 8, CODE_JC = 12, CODE_PAC = 16 };
static const uint32_t code[] = {
    [CODE_BARE] = 0xd503201f, 0xd65f03c0,             // nop; ret
    [CODE_C] = 0xd503245f,    0xd65f03c0,             // bti c; ret
    [CODE_J] = 0xd503249f,    0xd65f03c0,             // bti j; ret
    [CODE_JC] = 0xd50324df,   0xd65f03c0,             // bti jc; ret
    [CODE_PAC] = 0xd503233f,  0xd50323bf, 0xd65f03c0, // paciasp; autiasp; ret
};

static uint32_t *code_page(int prot)
{
    uint32_t *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memcpy(p, code, sizeof code);
    for (uint32_t *bare = p + 512; bare < p + PAGE / 4; bare += 2)
        memcpy(bare, code + CODE_BARE, 8);
    __builtin___clear_cache((char *)p, (char *)p + PAGE);
    if (mprotect(p, PAGE, prot))
        return NULL;
    return p;
}

// Branches to `target` by `how` and `reg`; the signal that came of it.
#define GO(how, reg, target)                                                \
    ({                                                                      \
        caught = 0;                                                         \
        if (sigsetjmp(escape, 1) == 0)                                      \
            __asm__ volatile("mov " reg ", %0\n adr x30, 1f\n " how " " reg \
                             "\n1:" ::"r"((uint64_t)(target))               \
                             : "x9", "x16", "x30", "memory");               \
        caught;                                                             \
    })

CHECK(guarded_page_wants_landing_pads)
{
    NEED(targets);
    uint32_t *p = code_page(PROT_READ | PROT_EXEC | PROT_BTI);
    EXPECT(p);
    catch (SIGILL);
    EXPECT_EQ(GO("blr", "x9", p + CODE_C), 0);
    EXPECT_EQ(GO("blr", "x9", p + CODE_JC), 0);
    EXPECT_EQ(GO("blr", "x9", p + CODE_PAC), 0);
    EXPECT_EQ(GO("br", "x16", p + CODE_C), 0);
    EXPECT_EQ(GO("br", "x16", p + CODE_J), 0);
    EXPECT_EQ(GO("br", "x9", p + CODE_J), 0);
    EXPECT_EQ(GO("ret", "x9", p + CODE_BARE), 0);
    EXPECT_EQ(GO("blr", "x9", p + CODE_J), SIGILL);
    EXPECT_EQ(GO("br", "x16", p + CODE_BARE), SIGILL);
    EXPECT_EQ(GO("blr", "x9", p + CODE_BARE), SIGILL);
    EXPECT_EQ(caught_code, ILL_ILLOPC);
    EXPECT_EQ(caught_address, p + CODE_BARE);
    EXPECT_EQ(caught_pc, p + CODE_BARE);
    EXPECT_EQ(caught_btype, 2);
    EXPECT_EQ(caught_records, 0);
    EXPECT_EQ(caught_fault_address, 0);
    munmap(p, PAGE);
}

// Each branch goes where none went before: QEMU 7.2 keeps its translation when a page's guard
// changes.
CHECK(page_is_guarded_only_while_it_says_so)
{
    NEED(targets);
    uint32_t *p = code_page(PROT_READ | PROT_EXEC), *bare = p + 512;
    EXPECT(p);
    catch (SIGILL);
    EXPECT_EQ(GO("blr", "x9", bare), 0);
    EXPECT_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC | PROT_BTI));
    EXPECT_EQ(GO("blr", "x9", bare + 2), SIGILL);
    EXPECT_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    EXPECT_EQ(GO("blr", "x9", bare + 4), 0);
    EXPECT_OK(mprotect(p, PAGE, PROT_NONE));
    EXPECT_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC | PROT_BTI));
    EXPECT_EQ(GO("blr", "x9", bare + 6), SIGILL);
    munmap(p, PAGE);
}

CHECK(mmap_guards_a_file)
{
    NEED(targets);
    int fd = open("code", O_RDWR | O_CREAT, 0700);
    EXPECT_EQ(write(fd, code, sizeof code), sizeof code);
    uint32_t *p = mmap(NULL, PAGE, PROT_READ | PROT_EXEC | PROT_BTI, MAP_PRIVATE, fd, 0);
    EXPECT(p != MAP_FAILED);
    catch (SIGILL);
    EXPECT_EQ(GO("blr", "x9", p + CODE_C), 0);
    EXPECT_EQ(GO("blr", "x9", p + CODE_BARE), SIGILL);
    munmap(p, PAGE);
    close(fd);
}

// VmFlags of the area that holds an address has this word.
static bool area_has(const void *address, const char *flag)
{
    char line[512], words[512];
    bool inside = false, found = false;
    FILE *file = fopen("/proc/self/smaps", "r");
    while (fgets(line, sizeof line, file)) {
        unsigned long start, end;
        if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
            inside = (unsigned long)address >= start && (unsigned long)address < end;
        else if (inside && sscanf(line, "VmFlags: %511[^\n]", words) == 1)
            for (char *word = strtok(words, " "); word; word = strtok(NULL, " "))
                found |= !strcmp(word, flag);
    }
    fclose(file);
    return found;
}

CHECK(smaps_tell_guarded_areas)
{
    NEED(targets);
    uint32_t *p = code_page(PROT_READ | PROT_EXEC | PROT_BTI);
    EXPECT(p);
    EXPECT(area_has(p, "bt"));
    EXPECT_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    EXPECT(!area_has(p, "bt"));
    munmap(p, PAGE);
}

CHECK(handler_is_entered_like_a_function)
{
    NEED(targets);
    uint32_t *p = code_page(PROT_READ | PROT_EXEC | PROT_BTI);
    EXPECT(p);
    catch (SIGILL);
    signal(SIGUSR1, (void (*)(int))(p + CODE_C));
    if (sigsetjmp(escape, 1) == 0)
        kill(getpid(), SIGUSR1);
    EXPECT_EQ(caught, 0);
    signal(SIGUSR1, (void (*)(int))(p + CODE_J));
    if (sigsetjmp(escape, 1) == 0)
        kill(getpid(), SIGUSR1);
    EXPECT_EQ(caught, SIGILL);
    EXPECT_EQ(caught_btype, 2);
    munmap(p, PAGE);
}

CHECK(emulated_instruction_ends_the_branch)
{
    NEED(targets);
    // MRS of an ID register as the last word of a bare page, RET as the first of a guarded one.
    uint32_t *p = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    uint32_t *last = p + PAGE / 4 - 1;
    last[0] = 0xd5380009; // mrs x9, midr_el1
    last[1] = 0xd65f03c0;
    __builtin___clear_cache((char *)p, (char *)p + 2 * PAGE);
    EXPECT_OK(mprotect(p, PAGE, PROT_READ | PROT_EXEC));
    EXPECT_OK(mprotect(p + PAGE / 4, PAGE, PROT_READ | PROT_EXEC | PROT_BTI));
    catch (SIGILL);
    EXPECT_EQ(GO("blr", "x9", last), 0);
    munmap(p, 2 * PAGE);
}
