// SPDX-License-Identifier: MIT
// What EL0 may do and see of the CPU: auxv, HWCAP against the ID registers, cache operations,
// counters.
#include "check.h"
#include <asm/hwcap.h>
#include <elf.h>
#include <sys/auxv.h>

extern char **environ;

#define READ(name)                                         \
    ({                                                     \
        uint64_t value_;                                   \
        __asm__ volatile("mrs %0, " #name : "=r"(value_)); \
        value_;                                            \
    })

static unsigned field(uint64_t value, unsigned shift)
{
    return (unsigned)(value >> shift & 15);
}

CHECK(auxv_entries)
{
    EXPECT_EQ(getauxval(AT_PAGESZ), 4096);
    EXPECT_EQ(getauxval(AT_CLKTCK), 100);
    EXPECT_EQ(getauxval(AT_UID), getuid());
    EXPECT_EQ(getauxval(AT_EUID), geteuid());
    EXPECT_EQ(getauxval(AT_GID), getgid());
    EXPECT_EQ(getauxval(AT_EGID), getegid());
    EXPECT_EQ(getauxval(AT_SECURE), 0);
    EXPECT_EQ(getauxval(AT_PHENT), sizeof(Elf64_Phdr));
    EXPECT(getauxval(AT_PHNUM) >= 2);
    EXPECT(getauxval(AT_PHDR) != 0);
    EXPECT(getauxval(AT_ENTRY) != 0);
    EXPECT(getauxval(AT_RANDOM) != 0);
    EXPECT_STR((const char *)getauxval(AT_PLATFORM), "aarch64");
    EXPECT(getauxval(AT_EXECFN) != 0);
    EXPECT(getauxval(AT_HWCAP) != 0);
    EXPECT(getauxval(AT_MINSIGSTKSZ) >= 4096);
    EXPECT(getauxval(AT_SYSINFO_EHDR) != 0);
}

CHECK(auxv_random_bytes)
{
    const unsigned char *bytes = (const void *)getauxval(AT_RANDOM);
    int sum = 0;
    for (int i = 0; i < 16; i++)
        sum |= bytes[i];
    EXPECT(sum != 0);
}

CHECK(stack_layout_at_start)
{
    // argc, argv, NULL, environment, NULL, auxiliary vector: found from the environment pointer.
    char **p = environ;
    while (*p)
        p++;
    const Elf64_auxv_t *aux = (const void *)(p + 1);
    bool has_page_size = false, has_end = false;
    for (int i = 0; i < 64 && !has_end; i++) {
        has_page_size |= aux[i].a_type == AT_PAGESZ && aux[i].a_un.a_val == 4096;
        has_end = aux[i].a_type == AT_NULL;
    }
    EXPECT(has_page_size && has_end);
}

CHECK(auxv_program_headers_are_the_programs)
{
    const Elf64_Phdr *segment = (const void *)getauxval(AT_PHDR);
    bool has_load = false;
    for (unsigned i = 0; i < getauxval(AT_PHNUM); i++)
        has_load |= segment[i].p_type == PT_LOAD;
    EXPECT(has_load);
}

CHECK(hwcap_basic)
{
    unsigned long caps = getauxval(AT_HWCAP);
    EXPECT(caps & HWCAP_FP);
    EXPECT(caps & HWCAP_ASIMD);
    EXPECT(caps & HWCAP_CPUID);
}

CHECK(hwcap_says_what_the_id_registers_say)
{
    unsigned long caps = getauxval(AT_HWCAP), caps2 = getauxval(AT_HWCAP2);
    uint64_t isar0 = READ(ID_AA64ISAR0_EL1), isar1 = READ(ID_AA64ISAR1_EL1);
    uint64_t pfr0 = READ(ID_AA64PFR0_EL1), pfr1 = READ(ID_AA64PFR1_EL1);
    EXPECT_EQ(!!(caps & HWCAP_AES), field(isar0, 4) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_PMULL), field(isar0, 4) >= 2);
    EXPECT_EQ(!!(caps & HWCAP_SHA1), field(isar0, 8) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_SHA2), field(isar0, 12) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_SHA512), field(isar0, 12) >= 2);
    EXPECT_EQ(!!(caps & HWCAP_CRC32), field(isar0, 16) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_ATOMICS), field(isar0, 20) >= 2);
    EXPECT_EQ(!!(caps & HWCAP_ASIMDRDM), field(isar0, 28) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_SHA3), field(isar0, 32) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_ASIMDDP), field(isar0, 44) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_FLAGM), field(isar0, 52) >= 1);
    EXPECT_EQ(!!(caps2 & HWCAP2_FLAGM2), field(isar0, 52) >= 2);
    EXPECT_EQ(!!(caps2 & HWCAP2_RNG), field(isar0, 60) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_DCPOP), field(isar1, 0) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_JSCVT), field(isar1, 12) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_FCMA), field(isar1, 16) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_LRCPC), field(isar1, 20) >= 1);
    EXPECT_EQ(!!(caps2 & HWCAP2_I8MM), field(isar1, 52) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_FPHP), field(pfr0, 16) == 1);
    EXPECT_EQ(!!(caps & HWCAP_ASIMDHP), field(pfr0, 20) == 1);
    EXPECT_EQ(!!(caps & HWCAP_SVE), field(pfr0, 32) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_DIT), field(pfr0, 48) >= 1);
    EXPECT_EQ(!!(caps & HWCAP_SSBS), field(pfr1, 4) >= 2);
    EXPECT_EQ(!!(caps2 & HWCAP2_BTI), field(pfr1, 0) >= 1);
}

CHECK(id_registers_are_emulated)
{
    EXPECT(READ(MIDR_EL1) != 0);
    EXPECT_EQ(READ(MPIDR_EL1) & 0x80000000u, 0x80000000u);
    (void)READ(REVIDR_EL1);
    (void)READ(ID_AA64MMFR0_EL1);
    (void)READ(ID_AA64MMFR1_EL1);
    (void)READ(ID_AA64DFR0_EL1);
    EXPECT_EQ(READ(S3_0_C0_C4_2), 0); // ID_AA64PFR2_EL1 and others not described read as zero
    EXPECT_EQ(READ(S3_0_C0_C7_7), 0);
}

CHECK(id_registers_hide_el1_features)
{
    // Linux shows only what matters at EL0: fields like EL2 and EL3 support, PAN, VHE read as
    // absent.
    EXPECT_EQ(field(READ(ID_AA64PFR0_EL1), 8), 0);
    EXPECT_EQ(field(READ(ID_AA64PFR0_EL1), 12), 0);
    EXPECT_EQ(field(READ(ID_AA64MMFR1_EL1), 20), 0);
    EXPECT_EQ(field(READ(ID_AA64MMFR1_EL1), 8), 0);
}

CHECK(cache_type_register_is_readable)
{
    uint64_t ctr = READ(CTR_EL0);
    EXPECT_EQ(ctr >> 31 & 1, 1);
    EXPECT((4u << (ctr >> 16 & 15)) >= 16);
    EXPECT((4u << (ctr & 15)) >= 16);
}

CHECK(zero_cache_line)
{
    uint64_t dczid = READ(DCZID_EL0);
    EXPECT_EQ(dczid >> 4 & 1, 0);
    size_t size = (size_t)4 << (dczid & 15);
    static unsigned char area[4096] __attribute__((aligned(2048)));
    memset(area, 0xff, sizeof area);
    __asm__ volatile("dc zva, %0" ::"r"(area + size) : "memory");
    EXPECT_EQ(area[size - 1], 0xff);
    for (size_t i = size; i < 2 * size; i++)
        EXPECT_EQ(area[i], 0);
    EXPECT_EQ(area[2 * size], 0xff);
}

CHECK(zero_cache_line_on_a_fresh_page)
{
    unsigned char *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    __asm__ volatile("dc zva, %0" ::"r"(p + 1024) : "memory");
    EXPECT_EQ(p[1024], 0);
    munmap(p, PAGE);
}

CHECK(cache_maintenance)
{
    static unsigned char area[128];
    __asm__ volatile(
        "dc cvau, %0\n dc cvac, %0\n dc civac, %0\n dsb ish\n ic ivau, %0\n dsb ish\n isb" ::"r"(
            area)
        : "memory");
}

static sigjmp_buf escape;
static volatile int caught, caught_code;

static void on_fault(int number, siginfo_t *info, void *context)
{
    (void)context;
    caught = number;
    caught_code = info->si_code;
    siglongjmp(escape, 1);
}

CHECK(id_registers_of_aarch32_are_undefined)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        (void)READ(S3_0_C0_C1_0); // ID_PFR0_EL1
    EXPECT_EQ(caught, SIGILL);
}

CHECK(cache_maintenance_of_unmapped_address)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    caught = 0;
    // QEMU's TCG does not fault on cache maintenance by address: then nothing may happen at all.
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("dc cvac, %0" ::"r"(BAD_POINTER) : "memory");
    EXPECT(caught == 0 || (caught == SIGSEGV && caught_code == SEGV_MAPERR));
}

CHECK(counters)
{
    uint64_t a = READ(CNTVCT_EL0), b = READ(CNTVCT_EL0);
    EXPECT(b >= a);
    EXPECT(READ(CNTFRQ_EL0) > 0);
}

CHECK(user_access_override_bits_are_off)
{
    // The physical timer and the debug registers are not the program's.
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
    sigaction(SIGILL, &action, NULL);
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("mrs x9, cntp_ctl_el0" ::: "x9");
    EXPECT_EQ(caught, SIGILL);
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("mrs x9, pmccntr_el0" ::: "x9");
    EXPECT_EQ(caught, SIGILL);
    caught = 0;
    if (sigsetjmp(escape, 1) == 0)
        __asm__ volatile("msr tpidrro_el0, x9" ::: "x9");
    EXPECT_EQ(caught, SIGILL);
}

CHECK(floating_point_state_at_start)
{
    EXPECT_EQ(READ(FPCR), 0);
    volatile double third = 1.0 / 3.0;
    EXPECT(third > 0.333 && third < 0.334);
}

CHECK(exclusive_access)
{
    static uint64_t word = 5;
    uint64_t old;
    unsigned failed;
    do {
        __asm__ volatile("ldaxr %0, %2\n stlxr %w1, %3, %2"
                         : "=&r"(old), "=&r"(failed), "+Q"(word)
                         : "r"(9ul)
                         : "memory");
    } while (failed);
    EXPECT_EQ(old, 5);
    EXPECT_EQ(word, 9);
}

CHECK(wait_instructions_do_not_hang)
{
    __asm__ volatile("sevl\n wfe\n yield" ::: "memory");
}

CHECK(pointer_authentication_if_present)
{
    if (!(getauxval(AT_HWCAP) & HWCAP_PACA))
        SKIP("the CPU has no pointer authentication");
    uint64_t pointer = (uint64_t)&escape;
    register uint64_t value __asm__("x17") = pointer;
    register uint64_t modifier __asm__("x16") = 5;
    __asm__ volatile("hint #8" : "+r"(value) : "r"(modifier));  // pacia1716
    __asm__ volatile("hint #12" : "+r"(value) : "r"(modifier)); // autia1716
    uint64_t back = value;
    EXPECT_EQ(back, pointer);
}

CHECK(vector_length_calls_without_sve)
{
    if (getauxval(AT_HWCAP) & HWCAP_SVE)
        SKIP("the CPU has SVE");
    EXPECT_ERR(syscall(SYS_prctl, 51 /* PR_SVE_GET_VL */, 0, 0, 0, 0), EINVAL);
}

// Counters by load- and store-exclusive, in threads that are interrupted again and again: an
// exclusive access that outlives an interruption would lose an addition.
static volatile uint64_t exclusive_count;
static volatile sig_atomic_t interruptions;

static void interrupted(int number)
{
    uint64_t value;
    (void)number;
    interruptions++;
    __asm__ volatile("ldxr %0, %1" : "=r"(value) : "Q"(exclusive_count)); // and no store
}

static void *add_exclusively(void *rounds)
{
    for (long i = 0; i < (long)rounds; i++) {
        uint64_t value;
        uint32_t failed;
        do
            __asm__ volatile("ldxr %0, %2\n\tadd %0, %0, #1\n\tstxr %w1, %0, %2"
                             : "=&r"(value), "=&r"(failed), "+Q"(exclusive_count)
                             :
                             : "memory");
        while (failed);
    }
    return NULL;
}

CHECK(cpu_exclusives_under_interrupts)
{
    enum { THREADS = 6, ROUNDS = 150000 };
    struct sigaction action = {.sa_handler = interrupted, .sa_flags = SA_RESTART};
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR1};
    struct itimerspec often = {{0, 500000}, {0, 500000}};
    pthread_t threads[THREADS];
    timer_t timer;
    uint64_t own = 0;
    exclusive_count = 0;
    interruptions = 0;
    sigaction(SIGUSR1, &action, NULL);
    EXPECT_OK(timer_create(CLOCK_MONOTONIC, &event, &timer));
    EXPECT_OK(timer_settime(timer, 0, &often, NULL));
    for (int i = 0; i < THREADS; i++)
        EXPECT_EQ(pthread_create(&threads[i], NULL, add_exclusively, (void *)(long)ROUNDS), 0);
    // However fast the machine is: until some signals have come.
    do
        add_exclusively((void *)(long)ROUNDS);
    while (++own < 10000 && interruptions <= 10);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    timer_delete(timer);
    EXPECT_EQ(exclusive_count, (THREADS + own) * ROUNDS);
    EXPECT(interruptions > 10);
}
