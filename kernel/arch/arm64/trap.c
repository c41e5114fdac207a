/* SPDX-License-Identifier: MIT */
/*
 * Synchronous exceptions and SErrors: the syndrome (ESR_EL1, Arm ARM D19.2.37) is told apart here,
 * once, and handed on in neutral terms (arch/trap.h).
 */
#include <arch/backtrace.h>
#include <arch/exception_table.h>
#include <arch/fpu.h>
#include <arch/idregs.h>
#include <arch/irqflags.h>
#include <arch/pointer_auth.h>
#include <arch/registers.h>
#include <arch/sysreg.h>
#include <arch/trap.h>
#include <core/log.h>
#include <core/panic.h>
#include <core/percpu.h>
#include <core/thread.h>

#define ESR_ISS    0x1ffffffUL
#define ESR_WNR    (1UL << 6)
#define ESR_CM     (1UL << 8)
#define ESR_FNV    (1UL << 10) /* of an external abort: FAR_EL1 does not hold the address */
#define ESR_FSC    0x3fUL
#define ADDRESS_56 ((1UL << 56) - 1)

/* Fault status codes, the level in the two low bits where there is one. */
#define FSC_SIZE        0x00
#define FSC_TRANSLATION 0x04
#define FSC_ACCESS_FLAG 0x08
#define FSC_PERMISSION  0x0c
#define FSC_LEVEL_MASK  0x3c
#define FSC_EXTERNAL    0x10
#define FSC_WALK        0x14
#define FSC_ALIGNMENT   0x21

_Static_assert(sizeof(struct trapframe) % 16 == 0, "SP stays aligned");

/* An address of the lower half may carry a tag (TBI0); the upper half has none. */
static vaddr_t untag(vaddr_t address)
{
    return address >> 55 & 1 ? address : address & ADDRESS_56;
}

/* Xen 4.17 injects an abort with nothing but the class in its syndrome: that of an address size
 * fault. */
static bool from_xen(uint64_t esr)
{
    return (esr & ESR_FSC) == FSC_SIZE;
}

static bool fault_is_page_fault(uint64_t esr)
{
    unsigned code = esr & FSC_LEVEL_MASK;

    return code == FSC_TRANSLATION || code == FSC_ACCESS_FLAG || code == FSC_PERMISSION;
}

static struct fault fault_decode(uint64_t esr, vaddr_t address, bool user)
{
    unsigned class = esr >> ESR_EC_SHIFT;
    bool fetch = class == EC_INSTRUCTION_LOW || class == EC_INSTRUCTION_SAME;
    /* Cache maintenance reports a write, yet needs only read permission. */
    bool write = !fetch && (esr & ESR_WNR) != 0 && (esr & ESR_CM) == 0;

    return (struct fault){
        .addr = untag(address),
        .access = fetch   ? FAULT_EXEC
                  : write ? FAULT_WRITE
                          : FAULT_READ,
        .user = user,
        .present = (esr & FSC_LEVEL_MASK) != FSC_TRANSLATION,
        .tag = address >> 55 & 1 ? 0 : address >> 56,
        .esr = esr,
    };
}

static void raise(struct trapframe *frame, enum exception_kind kind, vaddr_t address, unsigned code,
                  uint64_t esr)
{
    struct exception exception = {.kind = kind, .addr = address, .code = code, .esr = esr};

    trap_exception(frame, &exception);
}

static void user_abort(struct trapframe *frame, uint64_t esr, vaddr_t address)
{
    if (fault_is_page_fault(esr)) {
        struct fault fault = fault_decode(esr, address, true);

        trap_fault(frame, &fault);
        return;
    }
    bool alignment = (esr & ESR_FSC) == FSC_ALIGNMENT;
    bool known = (esr & ESR_FSC) != FSC_EXTERNAL || (esr & ESR_FNV) == 0;

    raise(frame, alignment ? EXCEPTION_ALIGN_DATA : EXCEPTION_EXTERNAL, known ? untag(address) : 0,
          0, esr);
}

/* Which IEEE exception a trapped FP instruction met: FPE_* as Linux numbers them. */
static unsigned fp_exception_code(uint64_t esr)
{
    enum { FPE_FLTDIV = 3, FPE_FLTOVF, FPE_FLTUND, FPE_FLTRES, FPE_FLTINV, FPE_FLTUNK = 14 };

    if ((esr & (1UL << 23)) == 0) /* TFV: the flags are not valid */
        return FPE_FLTUNK;
    if (esr & 1)
        return FPE_FLTINV;
    if (esr & 2)
        return FPE_FLTDIV;
    if (esr & 4)
        return FPE_FLTOVF;
    if (esr & 8)
        return FPE_FLTUND;
    return FPE_FLTRES;
}

/* From vectors.S: interrupts masked, the program's context in `frame`. */
void trap_user_sync(struct trapframe *frame, uint64_t esr, vaddr_t address);
void trap_user_sync(struct trapframe *frame, uint64_t esr, vaddr_t address)
{
    irq_enable();
    switch (esr >> ESR_EC_SHIFT) {
    case EC_DATA_LOW:
    case EC_INSTRUCTION_LOW:
        user_abort(frame, esr, address);
        break;
    case EC_FP_ACCESS:
        if (fpu_first_use() != 0)
            raise(frame, EXCEPTION_UNDEFINED, frame->pc, 0, esr);
        break;
    case EC_SVE_ACCESS:
        if (fpu_first_sve_use() != 0)
            raise(frame, EXCEPTION_UNDEFINED, frame->pc, 0, esr);
        break;
    case EC_SYSREG:
        if (!idreg_emulate_trapped(frame, esr))
            raise(frame, EXCEPTION_UNDEFINED, frame->pc, 0, esr);
        break;
    case EC_UNKNOWN:
        if (!idreg_emulate_undefined(frame))
            raise(frame, EXCEPTION_UNDEFINED, frame->pc, 0, esr);
        break;
    case EC_PC_ALIGN:
        raise(frame, EXCEPTION_ALIGN_PC, untag(address), 0, esr);
        break;
    case EC_SP_ALIGN:
        raise(frame, EXCEPTION_ALIGN_SP, frame->sp, 0, esr);
        break;
    case EC_FP_EXCEPTION:
        raise(frame, EXCEPTION_FP, frame->pc, fp_exception_code(esr), esr);
        break;
    case EC_BRK:
        raise(frame, EXCEPTION_BREAKPOINT, frame->pc, esr & 0xffff, esr);
        break;
    case EC_BTI:
        raise(frame, EXCEPTION_UNDEFINED, frame->pc, 0, 0);
        break;
    case EC_PAC_FAIL:
        raise(frame, EXCEPTION_POINTER_AUTH, frame->pc, 0, esr);
        break;
    case EC_BREAKPOINT_LOW ... EC_WATCHPOINT_SAME:
        raise(frame, EXCEPTION_STEP, frame->pc, 0, esr);
        break;
    default:
        raise(frame, EXCEPTION_UNDEFINED, frame->pc, 0, esr);
        break;
    }
}

static __cold const char *class_name(unsigned class)
{
    switch (class) {
    case EC_UNKNOWN:
        return "undefined instruction";
    case EC_FP_ACCESS:
        return "FP instruction in the kernel";
    case EC_SVE_ACCESS:
        return "SVE instruction in the kernel";
    case EC_BTI:
        return "branch to a place that is no branch target";
    case EC_ILLEGAL_STATE:
        return "illegal execution state";
    case EC_PAC_FAIL:
        return "a return address is not the one that was signed (pointer authentication)";
    case EC_INSTRUCTION_SAME:
        return "instruction fetch refused";
    case EC_PC_ALIGN:
        return "PC not aligned";
    case EC_DATA_SAME:
        return "memory access refused";
    case EC_SP_ALIGN:
        return "SP not aligned";
    case EC_BRK:
        return "BRK instruction";
    default:
        return "unexpected exception";
    }
}

/*
 * Without FEAT_FPAC a return address that fails its authentication shows when it is fetched from:
 * its upper bits are no longer copies of bit 55 (Arm ARM D8.10, AddPAC and Auth).
 */
static bool authentication_failed(unsigned class, vaddr_t address)
{
    return class == EC_INSTRUCTION_SAME && address != pac_strip(address);
}

/* What an address of the kernel's is mapped to, as the CPU translates it (PAR_EL1). */
static __noinline bool physical_address(vaddr_t address, paddr_t *physical)
{
    uint64_t result;

    __asm__ volatile("at s1e1r, %0" ::"r"(address) : "memory");
    isb();
    result = sysreg_read(par_el1);
    *physical = (result & 0xffffffffff000UL) | (address & 0xfff);
    return (result & 1) == 0;
}

/*
 * Another CPU has mapped it, and this one's walk began before: without FEAT_ETS a walk is not
 * ordered by what ordered the access, only by a context synchronisation (Arm ARM D8.2.3), as this
 * exception is one.
 */
static bool mapped_by_now(uint64_t esr, vaddr_t address)
{
    paddr_t physical;

    return (address >> 55 & 1) && (esr & FSC_LEVEL_MASK) == FSC_TRANSLATION &&
           physical_address(address, &physical);
}

/* From vectors.S: an exception of the kernel's own code. */
void trap_kernel_sync(struct trapframe *frame, uint64_t esr, vaddr_t address);
void trap_kernel_sync(struct trapframe *frame, uint64_t esr, vaddr_t address)
{
    unsigned class = esr >> ESR_EC_SHIFT;

    frame->esr_class = class;
    if (authentication_failed(class, address))
        trap_fatal(frame, NULL, class_name(EC_PAC_FAIL));
    if (class == EC_DATA_SAME || class == EC_INSTRUCTION_SAME) {
        /* The program's memory is only ever touched on its behalf, by instructions that may fault.
         */
        bool user = (address >> 55 & 1) == 0 && class == EC_DATA_SAME &&
                    exception_table_find(frame->pc) != 0;
        struct fault fault = fault_decode(esr, address, user);

        if (fault_is_page_fault(esr)) {
            if (unlikely(mapped_by_now(esr, address)))
                return;
            if (!(frame->pstate & DAIF_IRQ_MASKED))
                irq_enable();
            trap_fault(frame, &fault);
            return;
        }
        if (trap_fixup(frame))
            return;
        trap_fatal(frame, &fault, class_name(class));
    }
    trap_fatal(frame, NULL, class_name(class));
}

bool trap_fixup(struct trapframe *frame)
{
    vaddr_t fixup = exception_table_find(frame->pc);

    if (fixup == 0)
        return false;
    frame->pc = fixup;
    return true;
}

/*
 * An SError is imprecise. With RAS (ESR.DFSC = 0x11) a corrected or restartable one can be passed
 * over; of the others, those taken from the program end the program.
 */
void trap_serror(struct trapframe *frame, uint64_t esr);
void trap_serror(struct trapframe *frame, uint64_t esr)
{
    bool ras = (esr & (1UL << 24)) == 0 && (esr & ESR_FSC) == 0x11;
    unsigned severity = esr >> 10 & 7; /* AET */

    if (ras && (severity == 2 || severity == 6)) {
        if (!trapframe_user(frame) && (frame->pstate & DAIF_IRQ_MASKED))
            return; /* the log's own lock may be held */
        log_warn("SError passed over: the error was %s (ESR_EL1 %#lx)",
                 severity == 6 ? "corrected" : "restartable", esr);
        return;
    }
    if (!trapframe_user(frame))
        trap_fatal(frame, NULL, "SError: a device or memory reported an error");
    raise(frame, EXCEPTION_SERROR, frame->pc, 0, esr);
}

static void print_registers(const struct trapframe *frame)
{
    for (unsigned i = 0; i < 30; i += 3)
        log_error("x%-2u %016lx  x%-2u %016lx  x%-2u %016lx", i, frame->x[i], i + 1,
                  frame->x[i + 1], i + 2, frame->x[i + 2]);
    log_error("lr  %016lx  sp  %016lx  pc  %016lx", frame->x[30], frame->sp, frame->pc);
    log_error("pstate %lx  esr %lx  far %lx", frame->pstate, sysreg_read(esr_el1),
              sysreg_read(far_el1));
}

static const char *abort_name(uint64_t esr)
{
    switch (esr & FSC_LEVEL_MASK) {
    case FSC_SIZE:
        return "an address size fault";
    case FSC_EXTERNAL:
        return "an external abort";
    case FSC_WALK:
        return "an external abort of the walk through page tables";
    default:
        return (esr & ESR_FSC) == FSC_ALIGNMENT ? "an unaligned access to a device" : "an abort";
    }
}

/* An access that the tables allow and something behind them refused. */
static void tell_abort(const struct fault *fault, const char *access)
{
    paddr_t physical;

    log_error("%s (ESR_EL1 %#lx), sent by %s", abort_name(fault->esr), fault->esr,
              trap_abort_sender());
    if ((fault->esr & ESR_FSC) == FSC_EXTERNAL && (fault->esr & ESR_FNV) != 0)
        log_error("the CPU does not tell at which address");
    else if (!physical_address(fault->addr, &physical))
        log_error("%s at %#lx", access, fault->addr);
    else
        log_error("%s at %#lx, physical address %#lx: neither memory nor a device answered; "
                  "does the device tree tell this address?",
                  access, fault->addr, physical);
}

static void tell_fault(const struct fault *fault)
{
    const char *access = fault->access == FAULT_WRITE  ? "write"
                         : fault->access == FAULT_EXEC ? "execution"
                                                       : "read";

    if (fault_is_page_fault(fault->esr))
        log_error("%s at %#lx: %s", access, fault->addr,
                  fault->present ? "not permitted there" : "nothing is mapped there");
    else
        tell_abort(fault, from_xen(fault->esr) ? "access" : access);
}

__cold _Noreturn void trap_fatal(const struct trapframe *frame, const struct fault *fault,
                                 const char *why)
{
    static unsigned telling = ~0U; /* the CPU that reports a fault */

    irq_disable();
    if (READ_ONCE(telling) == this_cpu()->id)
        panic("a fault while another was reported: %s", why);
    WRITE_ONCE(telling, this_cpu()->id);
    log_error("kernel fault in thread '%s' on CPU %u: %s", current()->name, this_cpu()->id, why);
    if (fault != NULL)
        tell_fault(fault);
    print_registers(frame);
    backtrace_frame(frame);
    panic("the kernel stopped itself: %s", why);
}

/* From vectors.S, on the overflow stack. */
void trap_stack_overflow(struct trapframe *frame, uint64_t esr, vaddr_t address);
void trap_stack_overflow(struct trapframe *frame, uint64_t esr, vaddr_t address)
{
    (void)esr;
    (void)address;
    trap_fatal(frame, NULL, "stack overflow of this thread");
}

void trap_invalid(struct trapframe *frame, uint64_t esr, vaddr_t address);
void trap_invalid(struct trapframe *frame, uint64_t esr, vaddr_t address)
{
    log_error("exception from a state that Remora never enters: esr %#lx far %#lx", esr, address);
    trap_fatal(frame, NULL, "invalid exception vector");
}

/* From vectors.S: the program is about to be resumed and there is work. Interrupts masked. */
void return_work(struct trapframe *frame);
void return_work(struct trapframe *frame)
{
    struct thread *thread = current();
    uint32_t work;

    if (thread_has_work(thread, WORK_SVE) && frame->syscall != NO_SYSCALL)
        fpu_sve_call_ends();
    while ((work = (uint32_t)atomic_read(&thread->work) & ~WORK_SVE) != 0) {
        if (work == WORK_FPU) {
            fpu_load();
            continue;
        }
        irq_enable();
        trap_user_work(frame);
        irq_disable();
    }
}
