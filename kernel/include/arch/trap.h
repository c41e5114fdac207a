/* SPDX-License-Identifier: MIT */
/*
 * Entries into the kernel, as the CPU port presents them. The functions declared last are the only
 * ones that a port calls upwards; core, mm and linux define them.
 */
#ifndef ARCH_TRAP_H
#define ARCH_TRAP_H

#include <lib/types.h>

/* The interrupted context, complete. Layout known to vectors.S (arch/offsets.h). */
struct trapframe {
    reg_t x[31];
    reg_t sp; /* of the interrupted context */
    reg_t pc;
    reg_t pstate;
    reg_t orig_x0;      /* x0 at the entry of a system call, for its restart */
    int32_t syscall;    /* number of the call being served, -1 outside system calls */
    uint32_t esr_class; /* exception class of the entry; diagnostics only */
};

#define NO_SYSCALL (-1)

/* Did the frame come from the program (EL0)? The one place that knows. */
static inline bool trapframe_user(const struct trapframe *frame)
{
    return (frame->pstate & 0xf) == 0;
}

enum fault_access { FAULT_READ = 1, FAULT_WRITE = 2, FAULT_EXEC = 4 };

struct fault {
    vaddr_t addr;
    unsigned access; /* enum fault_access */
    bool user;       /* the access was made at EL0 or on its behalf (LDTR/STTR) */
    bool present;    /* a translation existed but refused (permission, access flag) */
    uint8_t tag;     /* bits 56 to 63 of the pointer, which `addr` is without */
    uint64_t esr;    /* syndrome, for the signal frame */
};

enum exception_kind {
    EXCEPTION_UNDEFINED, /* unknown or not permitted instruction, or no landing pad (BTI): SIGILL */
    EXCEPTION_BREAKPOINT,   /* BRK: SIGTRAP; code = immediate */
    EXCEPTION_STEP,         /* software step or hardware breakpoint, watchpoint: SIGTRAP */
    EXCEPTION_ALIGN_PC,     /* PC not aligned: SIGBUS BUS_ADRALN */
    EXCEPTION_ALIGN_SP,     /* SP not aligned: SIGBUS BUS_ADRALN */
    EXCEPTION_ALIGN_DATA,   /* unaligned data access: SIGBUS BUS_ADRALN */
    EXCEPTION_FP,           /* trapped floating-point exception: SIGFPE; code = FPE_* */
    EXCEPTION_POINTER_AUTH, /* FEAT_FPAC, a pointer was not authentic: SIGILL ILL_ILLOPN */
    EXCEPTION_EXTERNAL,     /* synchronous external abort: SIGBUS BUS_OBJERR */
    EXCEPTION_SERROR,       /* asynchronous: SIGBUS where it can be told to be the program's */
};

struct exception {
    enum exception_kind kind;
    vaddr_t addr; /* faulting address where there is one, else the PC */
    unsigned code;
    uint64_t esr;
};

/* --- supplied by the layers above; entered with interrupts masked unless said otherwise --- */

void trap_irq(struct trapframe *frame);
void trap_syscall(struct trapframe *frame); /* interrupts on */

/*
 * A page fault, interrupts as they were in the interrupted context. Returns with the fault mended,
 * with a signal queued for the program, or with frame->pc moved to a fixup; a fault of the kernel's
 * own without a fixup does not return.
 */
void trap_fault(struct trapframe *frame, const struct fault *fault);

/* Any other synchronous exception of the program. Those of the kernel end in arch code. */
void trap_exception(struct trapframe *frame, const struct exception *exception);

/*
 * Before a return to the program, while the current thread has work bits set: signals,
 * rescheduling. Interrupts on; may sleep; may not return (the thread ends here).
 */
void trap_user_work(struct trapframe *frame);

/* Who is behind the memory bus, for a message about an access that nothing answered: "Xen". */
const char *trap_abort_sender(void);

/* --- supplied by the port --- */

/* If frame->pc may fault, moves it to its fixup and returns true (exception table). */
bool trap_fixup(struct trapframe *frame);

/* Prints registers and backtrace of a fault of the kernel itself and stops the machine. */
_Noreturn void trap_fatal(const struct trapframe *frame, const struct fault *fault,
                          const char *why);

#endif
