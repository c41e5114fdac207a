/* SPDX-License-Identifier: MIT */
/* The first context of a thread, and the layout that assembly relies on. */
#include <arch/context.h>
#include <arch/fpu.h>
#include <arch/offsets.h>
#include <arch/pointer_auth.h>
#include <arch/port.h>
#include <arch/trap.h>
#include <arch/user.h>
#include <core/thread.h>
#include <lib/compiler.h>

void context_entry(void);

void context_prepare(struct thread *thread, void (*entry)(void *), void *argument)
{
    vaddr_t top = (vaddr_t)thread->stack + STACK_SIZE;

    thread->context = (struct context){
        .x19_x28 = {(reg_t)entry, (reg_t)argument},
        .sp = top - FRAME_SIZE, /* a program's frame comes first, as after an entry from EL0 */
        .pc = (reg_t)context_entry,
    };
    pac_new_kernel_key(&thread->context);
}

struct trapframe *thread_user_frame(const struct thread *thread)
{
    return (struct trapframe *)((vaddr_t)thread->stack + STACK_SIZE - FRAME_SIZE);
}

#define CHECK(structure, field, offset) \
    _Static_assert(__builtin_offsetof(structure, field) == (offset), #field)

CHECK(struct thread, stack_canary, THREAD_CANARY);
CHECK(struct thread, work, THREAD_WORK);
CHECK(struct thread, preempt_count, THREAD_PREEMPT_COUNT);
CHECK(struct thread, cpu, THREAD_CPU);
CHECK(struct thread, stack, THREAD_STACK);
CHECK(struct thread, context, THREAD_CONTEXT);
CHECK(struct context, fp, CONTEXT_FP);
CHECK(struct context, sp, CONTEXT_SP);
CHECK(struct context, pc, CONTEXT_PC);
CHECK(struct context, tpidr_el0, CONTEXT_TPIDR_EL0);
CHECK(struct fpsimd, fpsr, FPSIMD_FPSR);
CHECK(struct context, keys.key[PAC_IA], CONTEXT_KEY_IA);
CHECK(struct context, keys.key[PAC_IB], CONTEXT_KEY_IB);
CHECK(struct context, keys.key[PAC_DA], CONTEXT_KEY_DA);
CHECK(struct context, keys.key[PAC_DB], CONTEXT_KEY_DB);
CHECK(struct context, keys.key[PAC_GA], CONTEXT_KEY_GA);
CHECK(struct context, pac_enabled, CONTEXT_PAC);
CHECK(struct context, kernel_key, CONTEXT_KERNEL);
CHECK(struct trapframe, x[30], FRAME_X30);
CHECK(struct trapframe, sp, FRAME_SP);
CHECK(struct trapframe, pc, FRAME_PC);
CHECK(struct trapframe, pstate, FRAME_PSTATE);
CHECK(struct trapframe, orig_x0, FRAME_ORIG_X0);
CHECK(struct trapframe, syscall, FRAME_SYSCALL);
_Static_assert(sizeof(struct trapframe) == FRAME_SIZE, "struct trapframe");
