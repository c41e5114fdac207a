/* SPDX-License-Identifier: MIT
 *
 * The signal frame of arm64 Linux (asm/sigcontext.h, asm/ucontext.h): siginfo, ucontext with the
 * general registers, then records in `reserved` (FPSIMD, ESR, terminator), and above it a frame
 * record so that unwinders step from the handler into the interrupted code. Only what holds
 * something is written; the rest of the 4688 bytes is left as it was, as on Linux.
 */
#include <arch/fpu.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <lib/align.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/signal.h>
#include <linux/syscalls.h>
#include <linux/vdso.h>

#include "../signal_internal.h"

struct record_head {
    uint32_t magic, size;
};

#define FPSIMD_MAGIC 0x46508001u
#define ESR_MAGIC    0x45535201u
#define EXTRA_MAGIC  0x45585401u

struct fpsimd_record {
    struct record_head head;
    uint32_t fpsr, fpcr;
    __uint128_t vregs[32];
};

struct esr_record {
    struct record_head head;
    uint64_t esr;
};

struct abi64_ucontext {
    uint64_t flags, link;
    uint64_t stack_sp;
    int32_t stack_flags;
    uint32_t pad;
    uint64_t stack_size;
    uint64_t mask;
    uint8_t unused[120];
    uint64_t align;
    /* struct sigcontext */
    uint64_t fault_address;
    uint64_t regs[31];
    uint64_t sp, pc, pstate;
    uint64_t align2;
    /* __reserved */
};

#define RESERVED_SIZE 4096
#define SIGFRAME_SIZE (ABI64_SIGINFO_SIZE + sizeof(struct abi64_ucontext) + RESERVED_SIZE)

_Static_assert(offsetof(struct abi64_ucontext, fault_address) == 176, "uc_mcontext");
_Static_assert(sizeof(struct abi64_ucontext) == 176 + 288, "__reserved");
_Static_assert(SIGFRAME_SIZE == 4688, "struct rt_sigframe");
_Static_assert(sizeof(struct fpsimd_record) == 528, "fpsimd_context");

/* What is written in one copy, from ucontext on. */
struct frame_image {
    struct abi64_ucontext uc;
    struct fpsimd_record fpsimd;
    struct esr_record esr; /* or the terminator */
    struct record_head terminator;
} __aligned(16);

#define SS_ONSTACK    1
#define SS_DISABLE    2
#define SS_AUTODISARM ((int)(1u << 31))

#define PSTATE_BTYPE_MASK 0xc00u
#define PSTATE_BTYPE_C    0x800u
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

static void fill_ucontext(struct abi64_ucontext *uc, const struct trapframe *frame,
                          const struct task *task, const struct signal_info *info, sigset_t mask)
{
    uc->flags = 0;
    uc->link = 0;
    uc->stack_sp = task->altstack.sp;
    uc->stack_flags = task->altstack.size == 0                  ? SS_DISABLE
                      : on_altstack(&task->altstack, frame->sp) ? SS_ONSTACK
                                                                : 0;
    uc->stack_flags |= task->altstack.flags & SS_AUTODISARM;
    uc->pad = 0;
    uc->stack_size = task->altstack.size;
    uc->mask = mask;
    memset(uc->unused, 0, sizeof(uc->unused));
    uc->align = 0;
    uc->fault_address = info->esr ? info->addr : 0;
    memcpy(uc->regs, frame->x, sizeof(uc->regs));
    uc->sp = frame->sp;
    uc->pc = frame->pc;
    uc->pstate = frame->pstate;
    uc->align2 = 0;
}

/* Fills the records; returns the bytes of the image to copy. */
static size_t fill_records(struct frame_image *image, const struct signal_info *info)
{
    struct record_head *end = &image->esr.head;

    image->fpsimd.head = (struct record_head){FPSIMD_MAGIC, sizeof(image->fpsimd)};
    fpu_user_get(image->fpsimd.vregs, &image->fpsimd.fpsr, &image->fpsimd.fpcr);
    if (info->esr) {
        image->esr = (struct esr_record){{ESR_MAGIC, sizeof(image->esr)}, info->esr};
        end = &image->terminator;
    }
    *end = (struct record_head){0, 0};
    return (size_t)((uint8_t *)(end + 1) - (uint8_t *)image);
}

static int write_frame(vaddr_t at, const struct trapframe *frame, const struct task *task,
                       const struct signal_info *info, sigset_t mask)
{
    struct frame_image image;
    size_t size;

    fill_ucontext(&image.uc, frame, task, info, mask);
    size = fill_records(&image, info);
    return copy_to_user(at + ABI64_SIGINFO_SIZE, &image, size);
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
    frame->pstate |= PSTATE_BTYPE_C; /* a handler begins like the target of a blr */
}

int abi64_sigframe_push(struct trapframe *frame, const struct signal_action *action,
                        const struct signal_info *info, sigset_t mask)
{
    struct task *task = current_task();
    uint8_t siginfo[ABI64_SIGINFO_SIZE];
    uint64_t link[2] = {frame->x[29], frame->x[30]};
    vaddr_t record, at;

    record = align_down(frame_place(task, action, frame->sp), 16) - sizeof(link);
    at = record - SIGFRAME_SIZE;
    if (!user_range_ok(at, SIGFRAME_SIZE + sizeof(link)))
        return -EFAULT;
    if (copy_to_user(record, link, sizeof(link)) || write_frame(at, frame, task, info, mask))
        return -EFAULT;
    if (action->flags & SA_SIGINFO) {
        abi64_siginfo_pack(siginfo, info);
        if (copy_to_user(at, siginfo, sizeof(siginfo)))
            return -EFAULT;
    }
    if (task->altstack.flags & SS_AUTODISARM)
        task->altstack = (struct signal_stack){.flags = SS_DISABLE};
    enter_handler(frame, action, info->signo, at, record);
    return 0;
}

/* Finds the FPSIMD record among those that the program may have rearranged. */
static int restore_fpsimd(vaddr_t reserved)
{
    struct fpsimd_record fpsimd;
    size_t offset = 0;

    while (offset + sizeof(struct record_head) <= RESERVED_SIZE) {
        struct record_head head;

        if (copy_from_user(&head, reserved + offset, sizeof(head)))
            return -EFAULT;
        if (head.magic == 0 && head.size == 0)
            return -EINVAL; /* Linux wants an FPSIMD record */
        if (head.size < sizeof(head) || head.size % 16 != 0 || head.size > RESERVED_SIZE - offset)
            return -EINVAL;
        if (head.magic == FPSIMD_MAGIC) {
            if (head.size != sizeof(fpsimd) ||
                copy_from_user(&fpsimd, reserved + offset, sizeof(fpsimd)))
                return -EINVAL;
            fpu_user_set(fpsimd.vregs, fpsimd.fpsr, fpsimd.fpcr);
            return 0;
        }
        offset += head.size;
    }
    return -EINVAL;
}

static int restore(struct trapframe *frame, vaddr_t at)
{
    /* The usual place of the FPSIMD record, read along with the registers. */
    struct {
        struct abi64_ucontext uc;
        struct fpsimd_record fpsimd;
    } image;
    struct task *task = current_task();

    if (at % 16 != 0 || copy_from_user(&image, at + ABI64_SIGINFO_SIZE, sizeof(image)))
        return -EFAULT;
    if (image.uc.pstate & 0x1f || image.uc.pstate & 0x3c0) /* EL0, AArch64, unmasked only */
        return -EFAULT;
    if (image.fpsimd.head.magic == FPSIMD_MAGIC && image.fpsimd.head.size == sizeof(image.fpsimd))
        fpu_user_set(image.fpsimd.vregs, image.fpsimd.fpsr, image.fpsimd.fpcr);
    else if (restore_fpsimd(at + ABI64_SIGINFO_SIZE + sizeof(image.uc)))
        return -EFAULT;
    memcpy(frame->x, image.uc.regs, sizeof(image.uc.regs));
    frame->sp = image.uc.sp;
    frame->pc = image.uc.pc;
    frame->pstate = image.uc.pstate & PSTATE_USER_BITS;
    task->altstack.sp = image.uc.stack_sp;
    task->altstack.size = image.uc.stack_flags & SS_DISABLE ? 0 : image.uc.stack_size;
    task->altstack.flags = image.uc.stack_flags & SS_AUTODISARM;
    signal_set_mask(image.uc.mask);
    return 0;
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
