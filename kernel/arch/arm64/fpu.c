/* SPDX-License-Identifier: MIT */
/* When FP, SIMD and SVE state moves; fpu.S and sve.S move it. */
#include <arch/fpu.h>
#include <arch/irqflags.h>
#include <arch/registers.h>
#include <arch/sve.h>
#include <arch/sysreg.h>
#include <arch/trap.h>
#include <arch/uaccess.h>
#include <arch/user.h>
#include <core/percpu.h>
#include <core/thread.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "pan.h"
#include "sve_registers.h"

void fpsimd_save(struct fpsimd *regs);
void fpsimd_load(const struct fpsimd *regs);
int fpsimd_store_user(vaddr_t v);
int fpsimd_load_user(vaddr_t v);

#define EAGER_USES 4

/* What EL0 may use, struct cpu.fpu_access. */
enum { ACCESS_NONE, ACCESS_FP, ACCESS_SVE };

static void access_set(struct cpu *cpu, unsigned access)
{
    static const reg_t cpacr[] = {
        [ACCESS_NONE] = CPACR_TRAP_EL0_FP,
        [ACCESS_FP] = CPACR_FP_OPEN,
        [ACCESS_SVE] = CPACR_FP_OPEN | CPACR_SVE_OPEN,
    };

    if (cpu->fpu_access == access)
        return;
    cpu->fpu_access = (uint8_t)access;
    sysreg_write(cpacr_el1, cpacr[access]);
    isb();
}

/* Opens SVE at the thread's vector length. */
static void sve_open(struct thread *thread)
{
    struct cpu *cpu = thread->cpu;

    access_set(cpu, ACCESS_SVE);
    if (cpu->sve_vq == thread->sve.vq)
        return;
    cpu->sve_vq = thread->sve.vq;
    sysreg_write(S3_0_C1_C2_0, (reg_t)thread->sve.vq - 1); /* ZCR_EL1 */
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

    if (unlikely(fpu->wide))
        sve_open(thread);
    else
        access_set(cpu, ACCESS_FP);
    if (!resident(thread, cpu)) {
        if (unlikely(fpu->wide))
            sve_load(fpu->sve, &fpu->regs);
        else
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

/* The V registers of a wide thread's memory copy, to where a narrow one has them. */
static void collect_v(struct thread *thread)
{
    const char *z = thread->fpu->sve;

    for (unsigned i = 0; i < 32; i++)
        memcpy(&thread->fpu->regs.v[i], z + (size_t)i * thread->sve.vq * SVE_VQ_BYTES,
               sizeof(thread->fpu->regs.v[i]));
}

/* All but the V registers is forgotten. Interrupts masked. */
static void make_narrow(struct thread *thread)
{
    struct fpu *fpu = thread->fpu;

    if (!fpu->wide)
        return;
    fpu->wide = false;
    atomic_fetch_and(~(int32_t)WORK_SVE, &thread->work);
    if (fpu->live)
        access_set(thread->cpu, ACCESS_FP);
    else
        collect_v(thread);
}

static bool in_syscall(const struct thread *thread)
{
    return thread_user_frame(thread)->syscall != NO_SYSCALL;
}

/* The live registers of a thread to its memory copy. Interrupts masked. */
static void save(struct thread *thread)
{
    struct fpu *fpu = thread->fpu;

    if (unlikely(fpu->wide)) {
        if (!in_syscall(thread)) {
            sve_save(fpu->sve, &fpu->regs);
            return;
        }
        make_narrow(thread);
    }
    fpsimd_save(&fpu->regs);
}

void fpu_switch(struct thread *from, struct thread *to)
{
    struct fpu *fpu = from->fpu;

    if (fpu != NULL && fpu->live) {
        if (from->state != THREAD_DEAD)
            save(from);
        fpu->live = false;
    } else if (fpu != NULL && !thread_has_work(from, WORK_FPU)) {
        fpu->uses = 0;
    }
    if (to->vmspace == NULL)
        return;
    access_set(to->cpu, ACCESS_NONE);
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

static int sve_allocate(struct thread *thread)
{
    if (thread->fpu == NULL && allocate(thread) != 0)
        return -ENOMEM;
    if (thread->fpu->sve == NULL)
        thread->fpu->sve = kzalloc(sve_bytes(thread->sve.vq));
    return thread->fpu->sve != NULL ? 0 : -ENOMEM;
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

static void make_wide(struct thread *thread)
{
    make_live(thread); /* V */
    thread->fpu->wide = true;
    sve_open(thread);
    sve_clear();
    atomic_fetch_or(WORK_SVE, &thread->work);
}

int fpu_first_sve_use(void)
{
    struct thread *thread = current();

    if (!sve_supported())
        return -EINVAL;
    if (sve_allocate(thread) != 0)
        return -ENOMEM;
    reg_t flags = irq_save();

    if (thread->fpu->wide)
        make_live(thread);
    else
        make_wide(thread);
    thread->fpu->uses = min(thread->fpu->uses + 1, EAGER_USES);
    irq_restore(flags);
    return 0;
}

/*
 * With the registers in the CPU, zeroing them is cheaper than the trap of the next SVE instruction;
 * now and then the thread is asked whether there is one. If a signal is about to be delivered, its
 * frame shows none.
 */
void fpu_sve_call_ends(void)
{
    struct thread *thread = current();
    struct fpu *fpu = thread->fpu;

    if (fpu->live && !thread_has_work(thread, ~WORK_SVE) && ++fpu->wide_calls != 0)
        sve_clear();
    else
        make_narrow(thread);
}

void fpu_sve_drop(void)
{
    struct fpu *fpu = current()->fpu;

    if (fpu == NULL)
        return;
    reg_t flags = irq_save();

    make_narrow(current());
    irq_restore(flags);
    kfree(fpu->sve);
    fpu->sve = NULL;
}

/* Brings the memory copy up to date; the registers stay valid. */
static void save_current(struct thread *thread)
{
    reg_t flags = irq_save();

    if (thread->fpu->live)
        save(thread);
    irq_restore(flags);
}

/* The memory copy was changed: the registers are not the thread's any more. Interrupts masked. */
static void drop_registers(struct thread *thread)
{
    thread->fpu->cpu = NULL;
    thread->fpu->live = false;
    access_set(thread->cpu, ACCESS_NONE);
}

static int set_v(const __uint128_t v[32], uint32_t fpsr, uint32_t fpcr)
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

    if (!user_access_ok(v, sizeof(thread->fpu->regs.v)))
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
    if (regs != &zero) {
        save_current(thread);
        if (thread->fpu->wide)
            collect_v(thread);
    }
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

    if (thread->fpu != NULL)
        make_narrow(thread);
    if (thread->fpu != NULL && thread->fpu->live) {
        error = move_user(v, fpsimd_load_user);
        sysreg_write(fpsr, fpsr);
        sysreg_write(fpcr, fpcr);
    }
    irq_restore(flags);
    if (error == 0)
        return 0;
    error = copy_from_user(copy, v, sizeof(copy));
    return error ? error : set_v(copy, fpsr, fpcr);
}

size_t fpu_sve_bytes(void)
{
    const struct thread *thread = current();

    return thread->fpu != NULL && thread->fpu->wide ? sve_bytes(thread->sve.vq) : 0;
}

/* Of a thread that is in the kernel the memory copy does not change, whoever runs meanwhile. */
int fpu_sve_store_user(vaddr_t to)
{
    struct thread *thread = current();

    save_current(thread);
    return copy_to_user(to, thread->fpu->sve, sve_bytes(thread->sve.vq));
}

int fpu_sve_load_user(vaddr_t from)
{
    struct thread *thread = current();

    if (sve_allocate(thread) != 0)
        return -ENOMEM;
    struct fpu *fpu = thread->fpu;
    reg_t flags = irq_save();

    if (fpu->live)
        save(thread);
    drop_registers(thread);
    irq_restore(flags);
    if (copy_from_user(fpu->sve, from, sve_bytes(thread->sve.vq)) != 0)
        return -EFAULT;
    for (unsigned i = 0; i < 32; i++)
        memcpy((char *)fpu->sve + (size_t)i * thread->sve.vq * SVE_VQ_BYTES, &fpu->regs.v[i],
               sizeof(fpu->regs.v[i]));
    fpu->wide = true;
    atomic_fetch_or(WORK_SVE, &thread->work);
    return 0;
}

int fpu_inherit(struct thread *child)
{
    struct thread *parent = current();

    child->sve = parent->sve;
    if (parent->fpu == NULL)
        return 0;
    if (allocate(child) != 0)
        return -ENOMEM;
    reg_t flags = irq_save();

    make_narrow(parent);
    if (parent->fpu->live)
        save(parent);
    irq_restore(flags);
    child->fpu->regs = parent->fpu->regs;
    return 0;
}

static void release(struct fpu *fpu)
{
    if (fpu != NULL)
        kfree(fpu->sve);
    kfree(fpu);
}

void fpu_user_reset(void)
{
    struct thread *thread = current();
    reg_t flags = irq_save();
    struct fpu *fpu = thread->fpu;

    thread->fpu = NULL;
    atomic_fetch_and(~(int32_t)(WORK_FPU | WORK_SVE), &thread->work);
    if (thread->cpu->fpu_owner == thread)
        thread->cpu->fpu_owner = NULL;
    access_set(thread->cpu, ACCESS_NONE);
    irq_restore(flags);
    release(fpu);
}

/*
 * Another thread may get the same address later: no CPU may still take its registers for that
 * thread's. fpu->cpu starts as NULL then, which resident() tells apart.
 */
void fpu_free(struct thread *thread)
{
    release(thread->fpu);
    thread->fpu = NULL;
}
