// SPDX-License-Identifier: MIT
// The scalable vector extension: what is told of it, vector lengths, what threads and system calls
// keep, and execve, through a chain of programs. Without SVE in the CPU: that nothing offers it.
#define CHECK_NO_MAIN
#include "sve_regs.h"
#include <sched.h>
#include <sys/wait.h>

#define READ(name)                                         \
    ({                                                     \
        uint64_t value_;                                   \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)); \
        value_;                                            \
    })

#define DEFAULT_FILE "/proc/sys/abi/sve_default_vector_length"

static unsigned field(uint64_t value, unsigned shift)
{
    return (unsigned)(value >> shift & 15);
}

CHECK(sve_hwcap_is_the_id_register)
{
    EXPECT_EQ(has_sve(), field(READ(S3_0_C0_C4_0), 32) >= 1);
}

CHECK(sve_hwcap2_is_the_id_register)
{
    static const struct {
        unsigned long bit;
        unsigned shift, least;
    } rows[] = {
        {HWCAP2_SVE2, 0, 1},        {HWCAP2_SVEAES, 4, 1},   {HWCAP2_SVEPMULL, 4, 2},
        {HWCAP2_SVEBITPERM, 16, 1}, {HWCAP2_SVEBF16, 20, 1}, {HWCAP2_SVESHA3, 32, 1},
        {HWCAP2_SVESM4, 40, 1},     {HWCAP2_SVEI8MM, 44, 1}, {HWCAP2_SVEF32MM, 52, 1},
        {HWCAP2_SVEF64MM, 56, 1},
    };
    uint64_t zfr0 = READ(S3_0_C0_C4_4);
    for (unsigned i = 0; i < ARRAY_SIZE(rows); i++)
        EXPECT_EQ((getauxval(AT_HWCAP2) & rows[i].bit) != 0,
                  field(zfr0, rows[i].shift) >= rows[i].least);
    if (!has_sve())
        EXPECT_EQ(zfr0, 0);
}

CHECK(sve_in_cpuinfo)
{
    char line[4096];
    bool found = false;
    FILE *file = fopen("/proc/cpuinfo", "r");
    EXPECT(file != NULL);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "Features", 8))
            continue;
        line[strcspn(line, "\n")] = ' ';
        found = strstr(line, " sve ") != NULL;
        EXPECT_EQ(strstr(line, " sve2 ") != NULL, (getauxval(AT_HWCAP2) & HWCAP2_SVE2) != 0);
        EXPECT_EQ(strstr(line, " svei8mm ") != NULL, (getauxval(AT_HWCAP2) & HWCAP2_SVEI8MM) != 0);
    }
    fclose(file);
    EXPECT_EQ(found, has_sve());
}

static sigjmp_buf ill_escape;
static siginfo_t ill_info;

static void ill(int number, siginfo_t *info, void *context)
{
    (void)number;
    (void)context;
    ill_info = *info;
    siglongjmp(ill_escape, 1);
}

CHECK(sve_absent)
{
    struct sigaction action = {.sa_sigaction = ill, .sa_flags = SA_SIGINFO};
    if (has_sve())
        SKIP("the CPU has SVE");
    EXPECT_ERR(prctl(PR_SVE_GET_VL), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 16), EINVAL);
    EXPECT_ERR(access(DEFAULT_FILE, F_OK), ENOENT);
    sigaction(SIGILL, &action, NULL);
    if (sigsetjmp(ill_escape, 1) == 0)
        check_fail(__LINE__, "found a vector length of %u, expected SIGILL", sve_rdvl());
    EXPECT_EQ(ill_info.si_signo, SIGILL);
    EXPECT_EQ(ill_info.si_code, ILL_ILLOPC);
    EXPECT_EQ(*(uint32_t *)ill_info.si_addr, 0x04bf5020); // rdvl x0, #1
}

CHECK(sve_length_is_that_of_the_instruction)
{
    unsigned vqs[VQ_MAX], count;
    NEEDS_SVE();
    EXPECT_EQ(sve_rdvl(), prctl(PR_SVE_GET_VL) & PR_SVE_VL_LEN_MASK);
    count = sve_lengths(vqs);
    EXPECT(count >= 1 && vqs[0] == 1); // 128 bits are never missing
    for (unsigned i = 0; i < count; i++) {
        EXPECT_EQ(prctl(PR_SVE_SET_VL, vqs[i] * 16), vqs[i] * 16);
        EXPECT_EQ(prctl(PR_SVE_GET_VL), vqs[i] * 16);
        EXPECT_EQ(sve_rdvl(), vqs[i] * 16);
    }
}

CHECK(sve_length_is_rounded_down)
{
    unsigned vqs[VQ_MAX], count, next = 0;
    NEEDS_SVE();
    count = sve_lengths(vqs);
    for (unsigned vq = 1; vq <= VQ_MAX; vq++) {
        if (next + 1 < count && vqs[next + 1] == vq)
            next++;
        EXPECT_EQ(prctl(PR_SVE_SET_VL, vq * 16), vqs[next] * 16);
    }
    EXPECT_EQ(prctl(PR_SVE_SET_VL, 8192), vqs[count - 1] * 16);
}

CHECK(sve_length_errors)
{
    NEEDS_SVE();
    long before = prctl(PR_SVE_GET_VL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 0), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 8), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 17), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 8208), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 16 | 1 << 19), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 16 | 1 << 16), EINVAL);
    EXPECT_ERR(prctl(PR_SVE_SET_VL, 16 | 1l << 40), EINVAL);
    EXPECT_EQ(prctl(PR_SVE_GET_VL), before);
}

CHECK(sve_length_flags)
{
    NEEDS_SVE();
    long before = prctl(PR_SVE_GET_VL);
    EXPECT_EQ(prctl(PR_SVE_SET_VL, 16 | PR_SVE_VL_INHERIT), 16 | PR_SVE_VL_INHERIT);
    EXPECT_EQ(prctl(PR_SVE_GET_VL), 16 | PR_SVE_VL_INHERIT);
    EXPECT_EQ(prctl(PR_SVE_SET_VL, before), before);
    // Only at the next execve: the length stays, what is returned is the one to come.
    EXPECT_EQ(prctl(PR_SVE_SET_VL, 16 | PR_SVE_SET_VL_ONEXEC), 16);
    EXPECT_EQ(prctl(PR_SVE_GET_VL), before);
    EXPECT_EQ(sve_rdvl(), before);
    EXPECT_EQ(prctl(PR_SVE_SET_VL, before), before);
}

CHECK(sve_length_change_keeps_v)
{
    unsigned vqs[VQ_MAX], count;
    struct sve_regs in, out;
    NEEDS_SVE();
    count = sve_lengths(vqs);
    for (unsigned i = 0; i < count; i++) {
        unsigned to = vqs[count - 1 - i];
        if (to >= vqs[i]) {
            // The registers are stored at the new length: spread the expected ones likewise.
            prctl(PR_SVE_SET_VL, vqs[i] * 16);
            struct sve_regs expected = {0};
            sve_fill(&in, i, vqs[i]);
            for (unsigned z = 0; z < 32; z++)
                memcpy(expected.bytes + z * to * 16, in.bytes + z * vqs[i] * 16, 16);
            EXPECT_EQ(sve_call(&in, &out, SYS_prctl, PR_SVE_SET_VL, (long)to * 16, 0), to * 16);
            if (to != vqs[i])
                EXPECT(sve_same(&expected, &out, to));
        }
    }
}

CHECK(sve_registers_hold)
{
    struct sve_regs in, out = {0};
    NEEDS_SVE();
    sve_fill(&in, 5, vq_now());
    sve_call(&in, &out, NO_CALL, 0, 0, 0);
    EXPECT(sve_same(&in, &out, vq_now()));
}

CHECK(sve_call_keeps_v_only)
{
    unsigned vqs[VQ_MAX], count;
    struct sve_regs in, out;
    struct timespec nap = {.tv_nsec = 2000000};
    NEEDS_SVE();
    count = sve_lengths(vqs);
    for (unsigned i = 0; i < count; i++) {
        prctl(PR_SVE_SET_VL, vqs[i] * 16);
        sve_fill(&in, i, vqs[i]);
        memset(&out, 0xee, sizeof out);
        EXPECT_EQ(sve_call(&in, &out, SYS_getpid, 0, 0, 0), getpid());
        EXPECT(sve_only_v(&in, &out, vqs[i]));
        memset(&out, 0xee, sizeof out);
        EXPECT_EQ(sve_call(&in, &out, SYS_nanosleep, (long)&nap, 0, 0), 0);
        EXPECT(sve_only_v(&in, &out, vqs[i]));
    }
}

CHECK(sve_many_calls_keep_v_only)
{
    struct sve_regs in, out;
    NEEDS_SVE();
    for (unsigned i = 0; i < 1000; i++) {
        sve_fill(&in, i, vq_now());
        EXPECT_EQ(sve_call(&in, &out, i & 1 ? SYS_getppid : SYS_sched_yield, 0, 0, 0),
                  i & 1 ? getppid() : 0);
        EXPECT(sve_only_v(&in, &out, vq_now()));
        sve_call(&in, &out, NO_CALL, 0, 0, 0);
        EXPECT(sve_same(&in, &out, vq_now()));
    }
}

static void *first_registers(void *to)
{
    // SVE off: V written by an FP instruction, the rest never touched.
    struct sve_regs *out = to;
    __asm__ volatile(".arch_extension sve\n"
                     "movi v3.16b, #0x33\n"
                     "str z3, [%0]\n str z4, [%0, #1, mul vl]\n str p5, [%0, #16, mul vl]\n"
                     "rdffr p0.b\n str p0, [%0, #17, mul vl]\n" ::"r"(out)
                     : "v3", "memory");
    return NULL;
}

CHECK(sve_first_use_finds_zeros)
{
    struct sve_regs out;
    pthread_t thread;
    unsigned vl = vq_now() * 16;
    NEEDS_SVE();
    memset(&out, 0xee, sizeof out);
    EXPECT_EQ(pthread_create(&thread, NULL, first_registers, &out), 0);
    pthread_join(thread, NULL);
    for (unsigned i = 0; i < vl; i++)
        EXPECT_EQ(out.bytes[i], i < 16 ? 0x33 : 0);
    for (unsigned i = 16; i < vl; i++)
        EXPECT_EQ(out.bytes[vl + i], 0);
    for (unsigned i = 0; i < vl / 8 * 2; i++)
        EXPECT_EQ(out.bytes[2 * vl + i], 0);
}

static void *length_of_thread(void *unused)
{
    (void)unused;
    return (void *)(long)prctl(PR_SVE_GET_VL);
}

CHECK(sve_length_goes_to_a_new_thread)
{
    pthread_t thread;
    void *found;
    NEEDS_SVE();
    long before = prctl(PR_SVE_GET_VL);
    EXPECT_EQ(prctl(PR_SVE_SET_VL, 16 | PR_SVE_VL_INHERIT), 16 | PR_SVE_VL_INHERIT);
    EXPECT_EQ(pthread_create(&thread, NULL, length_of_thread, NULL), 0);
    pthread_join(thread, &found);
    EXPECT_EQ((long)found, 16 | PR_SVE_VL_INHERIT);
    prctl(PR_SVE_SET_VL, before);
}

#define THREADS 64
#define ROUNDS  6

static volatile int thread_errors;

// Each thread has its own vector length and pattern; turns of a few milliseconds, so that the CPUs
// are taken away in between, and calls that sleep.
static void *hold_pattern(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument, vqs[VQ_MAX], count = sve_lengths(vqs);
    unsigned vq = vqs[seed % count];
    struct sve_regs in, out;
    prctl(PR_SVE_SET_VL, vq * 16);
    for (unsigned round = 0; round < ROUNDS; round++) {
        sve_fill(&in, seed * 16 + round, vq);
        volatile int never[2] = {0};
        sve_spin(&in, &out, never, 200000);
        if (!sve_same(&in, &out, vq))
            __atomic_fetch_add(&thread_errors, 1, __ATOMIC_RELAXED);
        sve_call(&in, &out, SYS_sched_yield, 0, 0, 0);
        if (!sve_only_v(&in, &out, vq))
            __atomic_fetch_add(&thread_errors, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

CHECK(sve_threads_keep_their_registers)
{
    pthread_t threads[THREADS];
    NEEDS_SVE();
    thread_errors = 0;
    for (unsigned i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, hold_pattern, (void *)(uintptr_t)i), 0);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(thread_errors, 0);
}

static void *hold_v(void *argument)
{
    unsigned seed = (unsigned)(uintptr_t)argument;
    for (unsigned round = 0; round < 200; round++) {
        uint64_t pattern = seed * 1000003ul + round, found;
        __asm__ volatile("dup v17.2d, %1\n"
                         "mov x9, #20000\n"
                         "1: subs x9, x9, #1\n b.ne 1b\n"
                         "mov %0, v17.d[1]\n"
                         : "=r"(found)
                         : "r"(pattern)
                         : "v17", "x9", "cc");
        if (found != pattern)
            __atomic_fetch_add(&thread_errors, 1, __ATOMIC_RELAXED);
    }
    return NULL;
}

CHECK(sve_beside_threads_with_v_only)
{
    pthread_t threads[8];
    NEEDS_SVE();
    thread_errors = 0;
    for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
        EXPECT_EQ(
            pthread_create(&threads[i], NULL, i & 1 ? hold_pattern : hold_v, (void *)(uintptr_t)i),
            0);
    for (unsigned i = 0; i < ARRAY_SIZE(threads); i++)
        pthread_join(threads[i], NULL);
    EXPECT_EQ(thread_errors, 0);
}

static int default_length(void)
{
    int value = -1;
    FILE *file = fopen(DEFAULT_FILE, "r");
    if (!file)
        return -1;
    if (fscanf(file, "%d", &value) != 1)
        value = -1;
    fclose(file);
    return value;
}

static int set_default(const char *text)
{
    int fd = open(DEFAULT_FILE, O_WRONLY), error;
    if (fd < 0)
        return errno;
    error = write(fd, text, strlen(text)) < 0 ? errno : 0;
    close(fd);
    return error;
}

CHECK(sve_default_length)
{
    unsigned vqs[VQ_MAX], count;
    char text[16];
    NEEDS_SVE();
    count = sve_lengths(vqs);
    int before = default_length();
    EXPECT(before >= 16 && before <= 64);
    EXPECT_EQ(set_default("-1\n"), 0);
    EXPECT_EQ(default_length(), vqs[count - 1] * 16);
    EXPECT_EQ(set_default("16"), 0);
    EXPECT_EQ(default_length(), 16);
    EXPECT_EQ(set_default("17"), EINVAL);
    EXPECT_EQ(set_default("0"), EINVAL);
    EXPECT_EQ(set_default("8208"), EINVAL);
    EXPECT_EQ(set_default("x"), EINVAL);
    EXPECT_EQ(set_default("8192"), 0);
    EXPECT_EQ(default_length(), vqs[count - 1] * 16);
    snprintf(text, sizeof text, "%d\n", before);
    EXPECT_EQ(set_default(text), 0);
    EXPECT_EQ(default_length(), before);
}

// The largest frame that a signal can need, from the formula of sve.rst; SME would add to it.
CHECK(sve_least_signal_stack)
{
    unsigned vqs[VQ_MAX];
    size_t expected = 4720;
    if (getauxval(AT_HWCAP2) & HWCAP2_SME)
        SKIP("SME needs more");
    if (has_sve()) {
        size_t record = ((size_t)SVE_SIG_CONTEXT_SIZE(vqs[sve_lengths(vqs) - 1]) + 15) & ~15ul;
        // Before it: siginfo, ucontext, FPSIMD, ESR; then EXTRA and two terminators if needed.
        size_t at = 592 + 528 + 16;
        if (at - 592 + record > 4096 - 16 - 32)
            at += 32 + 16;
        if (at + record + 16 > 4688)
            expected = at + record + 16 + 32;
    }
    EXPECT_EQ(getauxval(AT_MINSIGSTKSZ), expected);
}

// execve. What each stage prepares, the next one verifies.
#define STAGE(condition)                                                           \
    do {                                                                           \
        if (condition) {                                                           \
            printf("ok sve_stage(%s)\n", #condition);                              \
        } else {                                                                   \
            printf("FAIL sve_stage: found %s false, expected true\n", #condition); \
            stage_failed = 1;                                                      \
        }                                                                          \
        fflush(stdout);                                                            \
    } while (0)

static int stage_failed;

static int go_on(const char *stage)
{
    char *argv[] = {"sve", (char *)stage, NULL}, *envp[] = {NULL};
    if (stage_failed)
        return 1;
    execve("/proc/self/exe", argv, envp);
    printf("FAIL sve_stage: found errno %d, expected a new program\n", errno);
    return 1;
}

static int stage(const char *name)
{
    long given = default_length();
    if (!strcmp(name, "plain")) {
        // The length of before is gone.
        STAGE(prctl(PR_SVE_GET_VL) == given);
        STAGE(sve_rdvl() == given);
        prctl(PR_SVE_SET_VL, 16 | PR_SVE_SET_VL_ONEXEC);
        STAGE(prctl(PR_SVE_GET_VL) == given);
        return go_on("once");
    }
    if (!strcmp(name, "once")) {
        STAGE(prctl(PR_SVE_GET_VL) == 16);
        return go_on("after-once");
    }
    if (!strcmp(name, "after-once")) {
        STAGE(prctl(PR_SVE_GET_VL) == given);
        prctl(PR_SVE_SET_VL, 16 | PR_SVE_VL_INHERIT);
        return go_on("inherit");
    }
    if (!strcmp(name, "inherit")) {
        STAGE(prctl(PR_SVE_GET_VL) == (16 | PR_SVE_VL_INHERIT));
        return go_on("inherit-again");
    }
    if (!strcmp(name, "inherit-again")) {
        STAGE(prctl(PR_SVE_GET_VL) == (16 | PR_SVE_VL_INHERIT));
        STAGE(sve_rdvl() == 16);
        return go_on("end");
    }
    struct sve_regs out;
    memset(&out, 0xee, sizeof out);
    first_registers(&out);
    STAGE(out.bytes[32] == 0 && out.bytes[34] == 0); // P5 and FFR
    printf(stage_failed ? "FAIL sve_chain: see above\n" : "ok sve_chain\n");
    return stage_failed;
}

int main(int argc, char **argv)
{
    if (argc > 1 && strncmp(argv[1], "sve_", 4))
        return stage(argv[1]);
    int failed = check_main(argc, argv);
    if (!failed && argc < 2 && has_sve()) {
        struct sve_regs in, out;
        unsigned vqs[VQ_MAX], count = sve_lengths(vqs);
        prctl(PR_SVE_SET_VL, vqs[count - 1] * 16);
        sve_fill(&in, 77, vqs[count - 1]);
        sve_call(&in, &out, NO_CALL, 0, 0, 0);
        return go_on("plain");
    }
    return failed;
}
