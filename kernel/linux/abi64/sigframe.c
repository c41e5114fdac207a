/* SPDX-License-Identifier: MIT
 *
 * The signal frame of arm64 Linux (asm/sigcontext.h, asm/ucontext.h): siginfo, ucontext with the
 * general registers, then records in `reserved` (FPSIMD, ESR, SVE, terminator), and above it a
 * frame record so that unwinders step from the handler into the interrupted code. Only what holds
 * something is written; the rest of the 4688 bytes is left as it was, as on Linux.
 */
#include <arch/alternative.h>
#include <arch/fpu.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <arch/user_word.h>
#include <core/thread.h>
#include <lib/align.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/signal.h>
#include <linux/syscalls.h>
#include <linux/vdso.h>

#include "sigframe.h"

/* The beginning of struct ucontext; what follows up to the registers is not used. */
struct ucontext_head {
    uint64_t flags, link;
    uint64_t stack_sp;
    int32_t stack_flags;
    uint32_t pad;
    uint64_t stack_size;
    uint64_t mask;
};

#define REGS_SIZE (USER_REGISTERS * sizeof(uint64_t))

_Static_assert(sizeof(struct ucontext_head) == 48, "struct ucontext");
_Static_assert(SIGFRAME_SIZE == 4688, "struct rt_sigframe");
_Static_assert(offsetof(struct trapframe, pstate) == REGS_SIZE - sizeof(uint64_t), "registers");

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM ((int)(1u << 31))

#define PSTATE_MODE_MASK  0x1fu /* 0: EL0, AArch64 */
#define PSTATE_DAIF       0x3c0u
#define PSTATE_BTYPE_MASK 0xc00u
#define PSTATE_TCO        (1u << 25)
#define PSTATE_SS         (1u << 21)
#define PSTATE_FLAGS      0xf0000000u /* N Z C V */
#define PSTATE_USER_BITS \
    (PSTATE_FLAGS | PSTATE_BTYPE_MASK | PSTATE_TCO | (1u << 12) /* SSBS */ | (1u << 24) /* DIT */)

static bool on_altstack(const struct signal_stack *stack, vaddr_t sp)
{
    return !(stack->flags & SS_AUTODISARM) && sp > stack->sp && sp - stack->sp <= stack->size;
}

static vaddr_t frame_place(const struct task *task, const struct signal_action *action, vaddr_t sp)
{
    const struct signal_stack *stack = &task->altstack;

    if ((action->flags & SA_ONSTACK) && stack->size && !on_altstack(stack, sp))
        return stack->sp + stack->size;
    return sp;
}

static int32_t altstack_flags(const struct signal_stack *stack, vaddr_t sp)
{
    int32_t flags = stack->size == 0 ? SS_DISABLE : on_altstack(stack, sp) ? SS_ONSTACK : 0;

    return flags | (stack->flags & SS_AUTODISARM);
}

/* The FPSIMD record, for a fault the ESR record, an SVE record, the terminator. */
static int write_records(vaddr_t at, const struct signal_info *info)
{
    struct {
        struct record_head head;
        uint32_t fpsr, fpcr;
    } fpsimd = {.head = {FPSIMD_MAGIC, sizeof(struct fpsimd_record)}};
    vaddr_t tail = at + AT_TAIL;

    if (fpu_store_user(at + AT_VREGS, &fpsimd.fpsr, &fpsimd.fpcr) ||
        copy_to_user(at + AT_RESERVED, &fpsimd, sizeof(fpsimd)))
        return -EFAULT;
    if (info->esr) {
        const struct esr_record esr = {{ESR_MAGIC, sizeof(esr)}, info->esr};

        if (copy_to_user(tail, &esr, sizeof(esr)))
            return -EFAULT;
        tail += sizeof(esr);
    }
    return unlikely(current()->sve.vq) ? sigframe_write_sve(at, info) : put_user64(tail, 0);
}

#define HEAD(field) ((int)offsetof(struct ucontext_head, field))

/* The caller has checked the range. */
static int write_frame(vaddr_t at, const struct trapframe *frame, const struct task *task,
                       const struct signal_info *info, sigset_t mask)
{
    const struct signal_stack *stack = &task->altstack;
    vaddr_t head = at + AT_UCONTEXT;

    user_store_word(head, HEAD(flags), 0, fault);
    user_store_word(head, HEAD(link), 0, fault);
    user_store_word(head, HEAD(stack_sp), stack->sp, fault);
    user_store_word(head, HEAD(stack_flags), (uint32_t)altstack_flags(stack, frame->sp), fault);
    user_store_word(head, HEAD(stack_size), stack->size, fault);
    user_store_word(head, HEAD(mask), mask, fault);
    user_store_word(head, AT_FAULT - AT_UCONTEXT, info->esr ? info->addr : 0, fault);
    if (user_copy_registers_out(at + AT_REGS, frame))
        return -EFAULT;
    return write_records(at, info);
fault:
    return -EFAULT;
}

static void enter_handler(struct trapframe *frame, const struct signal_action *action, int signo,
                          vaddr_t at, vaddr_t record)
{
    frame->x[0] = (reg_t)signo;
    if (action->flags & SA_SIGINFO) {
        frame->x[1] = at;
        frame->x[2] = at + ABI64_SIGINFO_SIZE;
    }
    frame->x[29] = record;
    frame->x[30] = action->flags & SA_RESTORER ? action->restorer : vdso_sigreturn();
    frame->sp = at;
    frame->pc = action->handler;
    frame->pstate &= ~(reg_t)(PSTATE_BTYPE_MASK | PSTATE_TCO | PSTATE_SS);
    /* A handler begins like the target of a blr: BTYPE is 0b10 where the CPUs have it. */
    frame->pstate |= ALTERNATIVE_VALUE(0, 0x800, CAP_BTI);
}

static int write_siginfo(vaddr_t at, const struct signal_info *info, bool with_tag)
{
    uint8_t siginfo[ABI64_SIGINFO_SIZE];
    struct signal_info shown = *info;

    if (with_tag && signal_info_kind(info) == SIGNAL_INFO_FAULT)
        shown.addr |= (vaddr_t)info->tag << 56;
    abi64_siginfo_pack(siginfo, &shown);
    return copy_to_user(at, siginfo, sizeof(siginfo));
}

int abi64_sigframe_push(struct trapframe *frame, const struct signal_action *action,
                        const struct signal_info *info, sigset_t mask)
{
    struct task *task = current_task();
    size_t size = likely(!fpu_sve_bytes()) ? SIGFRAME_SIZE : sigframe_size(info);
    vaddr_t record, at;

    record = align_down(frame_place(task, action, frame->sp), 16) - FRAME_RECORD;
    at = record - size;
    if (!user_access_ok(at, size + FRAME_RECORD))
        return -EFAULT;
    user_store_word(record, 0, frame->x[29], fault);
    user_store_word(record, 8, frame->x[30], fault);
    if (write_frame(at, frame, task, info, mask))
        return -EFAULT;
    if ((action->flags & SA_SIGINFO) &&
        write_siginfo(at, info, (action->flags & SA_EXPOSE_TAGBITS) != 0))
        return -EFAULT;
    if (task->altstack.flags & SS_AUTODISARM)
        task->altstack = (struct signal_stack){.flags = SS_DISABLE};
    enter_handler(frame, action, info->signo, at, record);
    return 0;
fault:
    return -EFAULT;
}

/* A frame as it was written, or one that the program has rearranged or that has SVE in it. */
static int restore_fpsimd(vaddr_t at)
{
    vaddr_t reserved = at + AT_RESERVED, tail = at + AT_TAIL;
    uint64_t head, status, next;

    user_load_word(&head, reserved, 0, fault);
    user_load_word(&status, reserved, 8, fault);
    user_load_word(&next, tail, 0, fault);
    if (next == RECORD_WORD(ESR_MAGIC, struct esr_record))
        user_load_word(&next, tail, (int)sizeof(struct esr_record), fault);
    if (unlikely(head != RECORD_WORD(FPSIMD_MAGIC, struct fpsimd_record) || next != 0))
        return sigframe_restore_records(at);
    return fpu_load_user(reserved + 16, (uint32_t)status, (uint32_t)(status >> 32));
fault:
    return -EFAULT;
}

static int restore_registers(struct trapframe *frame, vaddr_t at)
{
    int error = user_copy_registers_in(frame, at + AT_REGS);
    reg_t pstate = frame->pstate;

    frame->pstate = pstate & PSTATE_USER_BITS; /* EL0 whatever the program wrote there */
    return error || (pstate & (PSTATE_MODE_MASK | PSTATE_DAIF)) ? -EFAULT : 0;
}

static int restore(struct trapframe *frame, vaddr_t at)
{
    struct task *task = current_task();
    vaddr_t head = at + AT_UCONTEXT;
    uint64_t sp, flags, size, mask;

    if (at % 16 != 0 || !user_access_ok(at, SIGFRAME_SIZE))
        return -EFAULT;
    user_load_word(&sp, head, HEAD(stack_sp), fault);
    user_load_word(&flags, head, HEAD(stack_flags), fault);
    user_load_word(&size, head, HEAD(stack_size), fault);
    user_load_word(&mask, head, HEAD(mask), fault);
    if (restore_registers(frame, at) || restore_fpsimd(at))
        return -EFAULT;
    task->altstack.sp = sp;
    task->altstack.size = flags & SS_DISABLE ? 0 : size;
    task->altstack.flags = (int32_t)flags & SS_AUTODISARM;
    signal_set_mask(mask);
    return 0;
fault:
    return -EFAULT;
}

long sys_rt_sigreturn(const reg_t arg[6])
{
    struct trapframe *frame = (struct trapframe *)(vaddr_t)arg;

    if (restore(frame, frame->sp)) {
        struct signal_info fault = {.signo = SIGSEGV, .code = SI_KERNEL, .addr = frame->sp};

        signal_force(&fault);
    }
    /* What comes back in x0 is the interrupted code's, never a result to restart. */
    frame->syscall = NO_SYSCALL;
    current_task()->restart.fn = NULL;
    return (long)frame->x[0];
}
