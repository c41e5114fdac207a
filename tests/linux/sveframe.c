// SPDX-License-Identifier: MIT
// SVE in signal frames: the record, where it lies, what a handler may change in it, and what
// sigreturn refuses.
#include "sve_regs.h"
#include <ucontext.h>

#define MOST 12

// The records of a frame in order; those behind an extra_context come after it.
static struct {
    unsigned count;
    struct {
        uint32_t magic, size;
        uintptr_t at;
    } record[MOST];
    uintptr_t reserved, terminator;
    struct extra_context extra;
    struct sve_context head;
    struct sve_regs regs;
    struct fpsimd_context fp;
    bool has_regs;
} seen;

static volatile int flags[2]; // of sve_spin
#define handled flags[0]
static void (*change)(struct _aarch64_ctx *head);

static void keep_record(struct _aarch64_ctx *head)
{
    if (head->magic == FPSIMD_MAGIC)
        memcpy(&seen.fp, head, sizeof seen.fp);
    if (head->magic == SVE_MAGIC) {
        memcpy(&seen.head, head, sizeof seen.head);
        seen.has_regs = head->size > sizeof seen.head;
        if (seen.has_regs)
            memcpy(&seen.regs, (char *)head + SVE_SIG_REGS_OFFSET, regs_bytes(seen.head.vl / 16));
    }
}

static void walk(ucontext_t *uc, void (*visit)(struct _aarch64_ctx *head))
{
    struct _aarch64_ctx *head = (void *)uc->uc_mcontext.__reserved, *next;
    for (; head->magic && seen.count < MOST; head = next) {
        next = (void *)((char *)head + head->size);
        seen.record[seen.count].magic = head->magic;
        seen.record[seen.count].size = head->size;
        seen.record[seen.count++].at = (uintptr_t)head;
        if (head->magic == EXTRA_MAGIC) {
            memcpy(&seen.extra, head, sizeof seen.extra);
            next = (void *)(uintptr_t)seen.extra.datap;
        }
        visit(head);
        if (change) {
            bool is_last = head->magic == SVE_MAGIC;
            change(head);
            if (is_last) // what is behind it may have been changed
                return;
        }
    }
    seen.terminator = (uintptr_t)head;
}

static void look(int number, siginfo_t *info, void *context)
{
    ucontext_t *uc = context;
    (void)number;
    (void)info;
    memset(&seen, 0, sizeof seen);
    seen.reserved = (uintptr_t)uc->uc_mcontext.__reserved;
    walk(uc, keep_record);
    handled = 1;
}

// As look(), then other values in the registers themselves.
static void look_and_spoil(int number, siginfo_t *info, void *context)
{
    static struct sve_regs other, out;
    look(number, info, context);
    sve_fill(&other, 99, seen.head.vl / 16);
    sve_call(&other, &out, NO_CALL, 0, 0, 0);
}

static void handle(void (*function)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = function, .sa_flags = SA_SIGINFO};
    sigaction(SIGUSR1, &action, NULL);
    handled = 0;
    change = NULL;
}

static pthread_t target;

static void *send_soon(void *unused)
{
    (void)unused;
    while (!flags[1])
        usleep(1000);
    pthread_kill(target, SIGUSR1);
    return NULL;
}

// A signal while SVE registers are in use: `in` goes in, what is there afterwards comes out.
static void spin_for_a_signal(const struct sve_regs *in, struct sve_regs *out)
{
    pthread_t sender;
    target = pthread_self();
    flags[1] = 0;
    if (pthread_create(&sender, NULL, send_soon, NULL))
        return;
    sve_spin(in, out, flags, SPIN_FOREVER);
    pthread_join(sender, NULL);
}

static struct sve_regs in, out;

CHECK(sveframe_absent)
{
    if (has_sve())
        SKIP("the CPU has SVE");
    handle(look);
    raise(SIGUSR1);
    EXPECT_EQ(handled, 1);
    for (unsigned i = 0; i < seen.count; i++)
        EXPECT(seen.record[i].magic != SVE_MAGIC);
}

CHECK(sveframe_holds_the_registers)
{
    unsigned vqs[VQ_MAX], count;
    NEEDS_SVE();
    count = sve_lengths(vqs);
    for (unsigned i = 0; i < count; i++) {
        prctl(PR_SVE_SET_VL, vqs[i] * 16);
        handle(look_and_spoil);
        sve_fill(&in, 20 + i, vqs[i]);
        memset(&out, 0xee, sizeof out);
        spin_for_a_signal(&in, &out);
        EXPECT_EQ(handled, 1);
        EXPECT_EQ(seen.head.vl, vqs[i] * 16);
        EXPECT_EQ(seen.head.flags, 0);
        EXPECT_EQ(seen.has_regs, true);
        EXPECT_EQ(seen.head.head.size, (SVE_SIG_CONTEXT_SIZE(vqs[i]) + 15) & ~15u);
        EXPECT(sve_same(&seen.regs, &in, vqs[i]));
        for (unsigned z = 0; z < 32; z++) // V is in the FPSIMD record as well
            EXPECT_EQ(memcmp(&seen.fp.vregs[z], in.bytes + z * vqs[i] * 16, 16), 0);
        EXPECT(sve_same(&in, &out, vqs[i]));
    }
}

CHECK(sveframe_layout)
{
    unsigned vqs[VQ_MAX], count;
    NEEDS_SVE();
    count = sve_lengths(vqs);
    for (unsigned i = 0; i < count; i++) {
        uint32_t size = (SVE_SIG_CONTEXT_SIZE(vqs[i]) + 15) & ~15u;
        bool fits = 528 + size <= 4096 - 32 - 16;
        prctl(PR_SVE_SET_VL, vqs[i] * 16);
        handle(look);
        sve_fill(&in, i, vqs[i]);
        spin_for_a_signal(&in, &out);
        EXPECT_EQ(seen.record[0].magic, FPSIMD_MAGIC);
        EXPECT_EQ(seen.record[0].at, seen.reserved);
        EXPECT_EQ(seen.record[1].magic, fits ? SVE_MAGIC : EXTRA_MAGIC);
        EXPECT_EQ(seen.record[1].at, seen.reserved + 528);
        if (fits) {
            EXPECT_EQ(seen.terminator, seen.reserved + 528 + size);
            continue;
        }
        // extra_context, an end of its own, and what it points to directly behind.
        uint32_t end[2] = {1, 1};
        memcpy(end, (void *)(seen.record[1].at + 32), sizeof end);
        EXPECT_EQ(seen.record[1].size, sizeof(struct extra_context));
        EXPECT_EQ(end[0] | end[1], 0);
        EXPECT_EQ(seen.extra.datap, seen.record[1].at + 32 + 16);
        EXPECT_EQ(seen.extra.size, size + 16);
        EXPECT_EQ(seen.record[2].magic, SVE_MAGIC);
        EXPECT_EQ(seen.record[2].at, seen.extra.datap);
        EXPECT_EQ(seen.terminator, seen.record[2].at + size);
    }
}

CHECK(sveframe_after_a_call_has_no_registers)
{
    NEEDS_SVE();
    unsigned vq = vq_now();
    for (unsigned i = 0; i < 20; i++) {
        handle(look);
        sve_fill(&in, 40 + i, vq);
        EXPECT_EQ(sve_call(&in, &out, SYS_tgkill, getpid(), gettid(), SIGUSR1), 0);
        EXPECT_EQ(handled, 1);
        EXPECT_EQ(seen.head.head.size, sizeof(struct sve_context));
        EXPECT_EQ(seen.head.vl, vq * 16);
        EXPECT_EQ(seen.record[1].magic, SVE_MAGIC);
        EXPECT(sve_only_v(&in, &out, vq));
    }
}

static void change_registers(struct _aarch64_ctx *head)
{
    unsigned vq = vq_now();
    if (head->magic == SVE_MAGIC && head->size > sizeof(struct sve_context)) {
        struct sve_regs other;
        sve_fill(&other, 60, vq);
        memcpy((char *)head + SVE_SIG_REGS_OFFSET, &other, regs_bytes(vq));
    }
}

// The low 128 bits come from the FPSIMD record, the rest from the SVE record.
CHECK(sveframe_handler_changes_the_registers)
{
    struct sve_regs expected;
    NEEDS_SVE();
    unsigned vq = vq_now();
    handle(look);
    change = change_registers;
    sve_fill(&in, 61, vq);
    spin_for_a_signal(&in, &out);
    sve_fill(&expected, 60, vq);
    for (unsigned z = 0; z < 32; z++)
        memcpy(expected.bytes + z * vq * 16, in.bytes + z * vq * 16, 16);
    EXPECT(sve_same(&expected, &out, vq));
}

static void change_v(struct _aarch64_ctx *head)
{
    if (head->magic == FPSIMD_MAGIC)
        ((struct fpsimd_context *)head)->vregs[7] = 0x7777;
}

CHECK(sveframe_handler_changes_v)
{
    NEEDS_SVE();
    unsigned vq = vq_now();
    handle(look);
    change = change_v;
    sve_fill(&in, 62, vq);
    spin_for_a_signal(&in, &out);
    struct sve_regs expected = in;
    memset(expected.bytes + 7 * vq * 16, 0, 16);
    expected.bytes[7 * vq * 16] = expected.bytes[7 * vq * 16 + 1] = 0x77;
    EXPECT(sve_same(&expected, &out, vq));
}

static void drop_registers(struct _aarch64_ctx *head)
{
    // Only the head is left of the record: its place is taken by the record's end.
    if (head->magic == SVE_MAGIC) {
        head->size = sizeof(struct sve_context);
        memset((char *)head + sizeof(struct sve_context), 0, 16);
    }
}

CHECK(sveframe_without_registers_v_stays)
{
    NEEDS_SVE();
    unsigned vq = vq_now();
    handle(look);
    change = drop_registers;
    sve_fill(&in, 63, vq);
    spin_for_a_signal(&in, &out);
    EXPECT(sve_only_v(&in, &out, vq));
}

static void drop_record(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC || head->magic == EXTRA_MAGIC)
        memset(head, 0, sizeof(*head));
}

CHECK(sveframe_without_record_v_stays)
{
    NEEDS_SVE();
    unsigned vq = vq_now();
    handle(look);
    change = drop_record;
    sve_fill(&in, 64, vq);
    spin_for_a_signal(&in, &out);
    EXPECT(sve_only_v(&in, &out, vq));
}

// A handler may add registers where there were none: after a system call.
static void add_registers(struct _aarch64_ctx *head)
{
    if (head->magic != SVE_MAGIC)
        return;
    struct sve_regs other;
    unsigned vq = vq_now();
    sve_fill(&other, 65, vq);
    head->size = (SVE_SIG_CONTEXT_SIZE(vq) + 15) & ~15u;
    memcpy((char *)head + SVE_SIG_REGS_OFFSET, &other, regs_bytes(vq));
    memset((char *)head + head->size, 0, 16);
}

CHECK(sveframe_handler_adds_registers)
{
    NEEDS_SVE();
    struct sve_regs expected;
    prctl(PR_SVE_SET_VL, 32); // fits
    unsigned vq = vq_now();
    handle(look);
    change = add_registers;
    sve_fill(&in, 66, vq);
    EXPECT_EQ(sve_call(&in, &out, SYS_tgkill, getpid(), gettid(), SIGUSR1), 0);
    sve_fill(&expected, 65, vq);
    for (unsigned z = 0; z < 32; z++)
        memcpy(expected.bytes + z * vq * 16, in.bytes + z * vq * 16, 16);
    EXPECT(sve_same(&expected, &out, vq));
}

// --- what sigreturn refuses: SIGSEGV, no register of the frame matters any more ---

static sigjmp_buf refused;

static void on_refusal(int number)
{
    (void)number;
    siglongjmp(refused, 1);
}

static void other_length(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        ((struct sve_context *)head)->vl += 16;
}

static void short_record(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        head->size = 16 + 16;
}

static void tiny_record(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        head->size = 8;
}

static void past_the_end(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        head->size = 0x20000;
}

static void unknown_magic(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        head->magic = 0x12345678;
}

static void two_fpsimd(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        head->magic = FPSIMD_MAGIC;
}

static void two_sve(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC) {
        struct sve_context *second = (void *)((char *)head + head->size);
        second->head.magic = SVE_MAGIC;
        second->head.size = sizeof *second;
        second->vl = ((struct sve_context *)head)->vl;
        memset(second + 1, 0, 16);
    }
}

static void no_fpsimd(struct _aarch64_ctx *head)
{
    if (head->magic == FPSIMD_MAGIC)
        head->magic = ESR_MAGIC;
}

static void end_with_size(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        ((struct _aarch64_ctx *)((char *)head + head->size))->size = 16;
}

static void streaming(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        ((struct sve_context *)head)->flags = SVE_SIG_FLAG_SM;
}

static void extra_elsewhere(struct _aarch64_ctx *head)
{
    if (head->magic == EXTRA_MAGIC)
        ((struct extra_context *)head)->datap += 16;
}

static void extra_huge(struct _aarch64_ctx *head)
{
    if (head->magic == EXTRA_MAGIC)
        ((struct extra_context *)head)->size = 0x100000;
}

static void extra_odd(struct _aarch64_ctx *head)
{
    if (head->magic == EXTRA_MAGIC)
        ((struct extra_context *)head)->size += 8;
}

static void extra_too_small(struct _aarch64_ctx *head)
{
    if (head->magic == EXTRA_MAGIC)
        ((struct extra_context *)head)->size = 32;
}

static void extra_without_end(struct _aarch64_ctx *head)
{
    if (head->magic == EXTRA_MAGIC)
        ((struct _aarch64_ctx *)((char *)head + 32))->magic = ESR_MAGIC;
}

static void extra_in_extra(struct _aarch64_ctx *head)
{
    if (head->magic == SVE_MAGIC)
        head->magic = EXTRA_MAGIC;
}

// Is a frame refused after this change? The registers are live when the signal comes.
static bool is_refused(void (*how)(struct _aarch64_ctx *))
{
    volatile bool result = false;
    struct sigaction action = {.sa_handler = on_refusal, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    handle(look);
    change = how;
    sve_fill(&in, 70, vq_now());
    if (sigsetjmp(refused, 1) == 0)
        spin_for_a_signal(&in, &out);
    else
        result = true;
    usleep(5000); // the sender has ended
    return result && handled;
}

CHECK(sveframe_refused)
{
    static void (*const how[])(struct _aarch64_ctx *) = {
        other_length, short_record, tiny_record, past_the_end,  unknown_magic,
        two_fpsimd,   two_sve,      no_fpsimd,   end_with_size,
    };
    NEEDS_SVE();
    prctl(PR_SVE_SET_VL, 32);
    for (unsigned i = 0; i < ARRAY_SIZE(how); i++)
        if (!is_refused(how[i])) {
            check_fail(__LINE__, "change %u: found it accepted, expected SIGSEGV", i);
            return;
        }
    if (!(getauxval(AT_HWCAP2) & HWCAP2_SME))
        EXPECT_EQ(is_refused(streaming), true);
}

CHECK(sveframe_extra_refused)
{
    static void (*const how[])(struct _aarch64_ctx *) = {
        extra_elsewhere, extra_huge,        extra_odd,    extra_too_small,
        extra_in_extra,  extra_without_end, other_length,
    };
    unsigned vqs[VQ_MAX];
    NEEDS_SVE();
    unsigned most = vqs[sve_lengths(vqs) - 1];
    if (most < 8)
        SKIP("the registers fit into the frame");
    prctl(PR_SVE_SET_VL, most * 16);
    for (unsigned i = 0; i < ARRAY_SIZE(how); i++)
        if (!is_refused(how[i])) {
            check_fail(__LINE__, "change %u: found it accepted, expected SIGSEGV", i);
            return;
        }
}

// A frame of a fault has ESR before the SVE record.
static uint32_t *fault_pc;

static void step_over(int number, siginfo_t *info, void *context)
{
    look(number, info, context);
    ((ucontext_t *)context)->uc_mcontext.pc += 4;
    fault_pc = info->si_addr;
}

CHECK(sveframe_of_a_fault)
{
    struct sigaction action = {.sa_sigaction = step_over, .sa_flags = SA_SIGINFO};
    NEEDS_SVE();
    unsigned vq = vq_now();
    sigaction(SIGSEGV, &action, NULL);
    handle(look);
    __asm__ volatile(".arch_extension sve\n ptrue p3.b\n dup z5.b, #17\n str xzr, [%0]\n"
                     "str z5, [%1, #5, mul vl]\n" ::"r"(BAD_POINTER),
                     "r"(&out)
                     : "v5", "memory");
    EXPECT_EQ(handled, 1);
    EXPECT_EQ(seen.record[0].magic, FPSIMD_MAGIC);
    EXPECT_EQ(seen.record[1].magic, ESR_MAGIC);
    EXPECT_EQ(seen.record[2].magic, vq > 6 ? EXTRA_MAGIC : SVE_MAGIC);
    EXPECT_EQ(seen.has_regs, true);
    for (unsigned i = 0; i < vq * 16; i++) {
        EXPECT_EQ(seen.regs.bytes[5 * vq * 16 + i], 17);
        EXPECT_EQ(out.bytes[5 * vq * 16 + i], 17);
    }
}
