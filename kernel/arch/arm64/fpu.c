/* SPDX-License-Identifier: MIT */
/* When FP and SIMD state moves; fpu.S moves it. */
#include <arch/fpu.h>
#include <arch/irqflags.h>
#include <arch/registers.h>
#include <arch/sysreg.h>
#include <arch/uaccess.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "pan.h"

void fpsimd_save(struct fpsimd *regs);
void fpsimd_load(const struct fpsimd *regs);
int fpsimd_store_user(vaddr_t v);
int fpsimd_load_user(vaddr_t v);

static void access_set(struct cpu *cpu, bool open)
{
    if (cpu->fpu_open == open)
        return;
    cpu->fpu_open = open;
    sysreg_write(cpacr_el1, open ? CPACR_FP_OPEN : CPACR_TRAP_EL0_FP);
    isb();
}

/* Is the thread's state in this CPU's registers and nowhere newer? */
static bool resident(const struct thread *thread, const struct cpu *cpu)
{
    return cpu->fpu_owner == thread && thread->fpu->cpu == cpu;
}

void fpu_load(void)
{
    struct thread *thread = current();
    struct cpu *cpu = thread->cpu;

    access_set(cpu, true);
    if (!resident(thread, cpu)) {
        fpsimd_load(&thread->fpu->regs);
        cpu->fpu_owner = thread;
        thread->fpu->cpu = cpu;
    }
    atomic_fetch_and(~(int32_t)WORK_FPU, &thread->work);
}

void fpu_switch(struct thread *from, struct thread *to)
{
    struct cpu *cpu = to->cpu;

    if (from->fpu != NULL && !thread_has_work(from, WORK_FPU) && from->state != THREAD_DEAD)
        fpsimd_save(&from->fpu->regs);
    if (to->vmspace == NULL)
        return;
    if (to->fpu == NULL) {
        access_set(cpu, false);
    } else if (resident(to, cpu)) {
        access_set(cpu, true);
        if (thread_has_work(to, WORK_FPU))
            atomic_fetch_and(~(int32_t)WORK_FPU, &to->work);
    } else {
        atomic_fetch_or(WORK_FPU, &to->work);
    }
}

static int allocate(struct thread *thread)
{
    struct fpu *fpu = kzalloc(sizeof(*fpu));

    if (fpu == NULL)
        return -ENOMEM;
    atomic_fetch_or(WORK_FPU, &thread->work);
    compiler_barrier();
    thread->fpu = fpu;
    return 0;
}

int fpu_first_use(void)
{
    return current()->fpu != NULL ? 0 : allocate(current());
}

/* Brings the memory copy up to date; the registers stay valid. */
static void save_current(struct thread *thread)
{
    reg_t flags = irq_save();

    if (!thread_has_work(thread, WORK_FPU))
        fpsimd_save(&thread->fpu->regs);
    irq_restore(flags);
}

void fpu_user_get(__uint128_t v[32], uint32_t *fpsr, uint32_t *fpcr)
{
    static const struct fpsimd zero;
    struct thread *thread = current();
    const struct fpsimd *regs = &zero;

    if (thread->fpu != NULL) {
        save_current(thread);
        regs = &thread->fpu->regs;
    }
    memcpy(v, regs->v, sizeof(regs->v));
    *fpsr = regs->fpsr;
    *fpcr = regs->fpcr;
}

int fpu_user_set(const __uint128_t v[32], uint32_t fpsr, uint32_t fpcr)
{
    struct thread *thread = current();

    if (thread->fpu == NULL && allocate(thread) != 0)
        return -ENOMEM;
    reg_t flags = irq_save();

    memcpy(thread->fpu->regs.v, v, sizeof(thread->fpu->regs.v));
    thread->fpu->regs.fpsr = fpsr;
    thread->fpu->regs.fpcr = fpcr;
    thread->fpu->cpu = NULL;
    atomic_fetch_or(WORK_FPU, &thread->work);
    irq_restore(flags);
    return 0;
}

/*
 * Signal frames move registers straight between the CPU and the program's stack: with interrupts
 * masked, so that they stay where they are, and faults answered at once, since none can be served.
 */
static int move_user(vaddr_t v, int (*move)(vaddr_t))
{
    struct thread *thread = current();
    int error;

    if (!user_range_ok(v, sizeof(thread->fpu->regs.v)))
        return -EFAULT;
    thread->user_faults_disabled++;
    pan_lift();
    error = move(v);
    pan_set();
    thread->user_faults_disabled--;
    return error;
}

int fpu_store_user(vaddr_t v, uint32_t *fpsr, uint32_t *fpcr)
{
    static const struct fpsimd zero;
    struct thread *thread = current();
    const struct fpsimd *regs = thread->fpu != NULL ? &thread->fpu->regs : &zero;
    reg_t flags = irq_save();
    int error = -EFAULT;

    if (regs != &zero && !thread_has_work(thread, WORK_FPU)) {
        *fpsr = (uint32_t)sysreg_read(fpsr);
        *fpcr = (uint32_t)sysreg_read(fpcr);
        error = move_user(v, fpsimd_store_user);
    }
    irq_restore(flags);
    if (error == 0)
        return 0;
    if (regs != &zero)
        save_current(thread);
    *fpsr = regs->fpsr;
    *fpcr = regs->fpcr;
    return copy_to_user(v, regs->v, sizeof(regs->v));
}

int fpu_load_user(vaddr_t v, uint32_t fpsr, uint32_t fpcr)
{
    struct thread *thread = current();
    __uint128_t copy[32];
    reg_t flags = irq_save();
    int error = -EFAULT;

    if (thread->fpu != NULL && !thread_has_work(thread, WORK_FPU)) {
        error = move_user(v, fpsimd_load_user);
        sysreg_write(fpsr, fpsr);
        sysreg_write(fpcr, fpcr);
    }
    irq_restore(flags);
    if (error == 0)
        return 0;
    error = copy_from_user(copy, v, sizeof(copy));
    return error ? error : fpu_user_set(copy, fpsr, fpcr);
}

int fpu_inherit(struct thread *child)
{
    struct thread *parent = current();

    if (parent->fpu == NULL)
        return 0;
    if (allocate(child) != 0)
        return -ENOMEM;
    save_current(parent);
    child->fpu->regs = parent->fpu->regs;
    return 0;
}

void fpu_user_reset(void)
{
    struct thread *thread = current();
    reg_t flags = irq_save();
    struct fpu *fpu = thread->fpu;

    thread->fpu = NULL;
    atomic_fetch_and(~(int32_t)WORK_FPU, &thread->work);
    if (thread->cpu->fpu_owner == thread)
        thread->cpu->fpu_owner = NULL;
    access_set(thread->cpu, false);
    irq_restore(flags);
    kfree(fpu);
}

/*
 * Another thread may get the same address later: no CPU may still take its registers for that
 * thread's. fpu->cpu starts as NULL then, which resident() tells apart.
 */
void fpu_free(struct thread *thread)
{
    kfree(thread->fpu);
    thread->fpu = NULL;
}
