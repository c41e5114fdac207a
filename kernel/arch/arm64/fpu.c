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
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "pan.h"

void fpsimd_save(struct fpsimd *regs);
void fpsimd_load(const struct fpsimd *regs);
int fpsimd_store_user(vaddr_t v);
int fpsimd_load_user(vaddr_t v);

#define EAGER_USES 4

static void access_set(struct cpu *cpu, bool open)
{
    if (cpu->fpu_open == open)
        return;
    cpu->fpu_open = open;
    sysreg_write(cpacr_el1, open ? CPACR_FP_OPEN : CPACR_TRAP_EL0_FP);
    isb();
}

/* Does this CPU hold what the thread's memory copy holds? */
static bool resident(const struct thread *thread, const struct cpu *cpu)
{
    return cpu->fpu_owner == thread && thread->fpu->cpu == cpu;
}

/* Makes the registers the thread's, until it leaves the CPU. Interrupts masked. */
static void make_live(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;
    struct fpu *fpu = thread->fpu;

    access_set(cpu, true);
    if (!resident(thread, cpu)) {
        fpsimd_load(&fpu->regs);
        cpu->fpu_owner = thread;
        fpu->cpu = cpu;
    }
    fpu->live = true;
}

/* The way back to the program of a thread that uses FP all the time; now and then it is asked anew.
 */
void fpu_load(void)
{
    struct thread *thread = current();

    make_live(thread);
    if (++thread->fpu->eager_turns == 0)
        thread->fpu->uses = 0;
    atomic_fetch_and(~(int32_t)WORK_FPU, &thread->work);
}

void fpu_switch(struct thread *from, struct thread *to)
{
    struct fpu *fpu = from->fpu;

    if (fpu != NULL && fpu->live) {
        fpu->live = false;
        if (from->state != THREAD_DEAD)
            fpsimd_save(&fpu->regs);
    } else if (fpu != NULL && !thread_has_work(from, WORK_FPU)) {
        fpu->uses = 0;
    }
    if (to->vmspace == NULL)
        return;
    access_set(to->cpu, false);
    if (to->fpu != NULL && to->fpu->uses >= EAGER_USES)
        atomic_fetch_or(WORK_FPU, &to->work);
}

static int allocate(struct thread *thread)
{
    struct fpu *fpu = kzalloc(sizeof(*fpu));

    if (fpu == NULL)
        return -ENOMEM;
    compiler_barrier();
    thread->fpu = fpu;
    return 0;
}

int fpu_first_use(void)
{
    struct thread *thread = current();

    if (thread->fpu == NULL && allocate(thread) != 0)
        return -ENOMEM;
    reg_t flags = irq_save();

    make_live(thread);
    thread->fpu->uses = min(thread->fpu->uses + 1, EAGER_USES);
    irq_restore(flags);
    return 0;
}

/* Brings the memory copy up to date; the registers stay valid. */
static void save_current(struct thread *thread)
{
    reg_t flags = irq_save();

    if (thread->fpu->live)
        fpsimd_save(&thread->fpu->regs);
    irq_restore(flags);
}

/* The memory copy was changed: the registers are not the thread's any more. Interrupts masked. */
static void drop_registers(struct thread *thread)
{
    thread->fpu->cpu = NULL;
    thread->fpu->live = false;
    access_set(thread->cpu, false);
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
    drop_registers(thread);
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

    if (regs != &zero && thread->fpu->live) {
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

    if (thread->fpu != NULL && thread->fpu->live) {
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
