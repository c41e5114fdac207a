/* SPDX-License-Identifier: MIT */
/*
 * From the loader's jump to C in the high half. The entry contract is Linux's (booting.rst): MMU
 * off, x0 = device tree, any exception level, at a 2 MiB-aligned address or IMAGE_TEXT_OFFSET behind
 * one. Callee-saved registers carry what is known until there is memory that caches agree on:
 *
 *   x19 device tree   x20 exception level of the entry   x21 image, physical   x22 image, virtual
 */
#include <arch/asm.h>
#include <arch/memory_map.h>
#include <arch/offsets.h>
#include <arch/registers.h>

#if defined(CONFIG_INET) && defined(CONFIG_DRIVER_VIRTIO_NET)
#define FEATURE_NETWORK 1 /* IMAGE_FEATURE_NETWORK */
#else
#define FEATURE_NETWORK 0
#endif
#ifdef CONFIG_DRIVER_VIRTIO_CONSOLE
#define FEATURE_PORTS (1 << 2) /* IMAGE_FEATURE_PORTS */
#else
#define FEATURE_PORTS 0
#endif
#ifdef CONFIG_DRIVER_VIRTIO_9P
#define FEATURE_9P (1 << 1) /* IMAGE_FEATURE_9P */
#else
#define FEATURE_9P 0
#endif
#ifdef CONFIG_DRIVER_VIRTIO_BLOCK
#define FEATURE_DISK (1 << 3) /* IMAGE_FEATURE_DISK */
#else
#define FEATURE_DISK 0
#endif

    .section .head, "ax"
    .globl _start
_start:
    b       primary_entry
    nop
    .quad   0x80000                         /* IMAGE_TEXT_OFFSET of abi/image.h */
    .long   __image_size, 0                 /* image_size, appended root excluded */
    .quad   0xa                             /* little-endian, 4 KiB pages, any base */
    .quad   0, 0, 0
    .ascii  "ARM\x64"
    .long   0
    .org    0x400                           /* IMAGE_REMORA_OFFSET of abi/image.h */
    .globl  image_remora_header
image_remora_header:
    .ascii  "REMORAIM"
    .long   1, 128
    .long   __image_size, 0
    .quad   0, 0
    .fill   32, 1, 0
    .quad   FEATURE_NETWORK | FEATURE_9P | FEATURE_PORTS | FEATURE_DISK
    .fill   48, 1, 0

/*
 * TTBR0 from the identity map to no map. The former's entry is global: were it left in the TLB, it would
 * answer for a program's page of the same address (Arm ARM D8.14.1). Uses x1.
 */
    .macro leave_idmap physical, virtual
    adr_l   x1, empty_table
    sub     x1, x1, \virtual
    add     x1, x1, \physical
    msr     ttbr0_el1, x1
    isb
    tlbi    vmalle1
    dsb     nsh
    isb
    .endm

    .text
    .balign 64

primary_entry:
    mov     x19, x0
    mrs     x20, CurrentEL
    lsr     x20, x20, #2
    adr_l   x21, _start
    tbz     x20, #1, 1f                     /* EL1 */
    tbz     x20, #0, 1f                     /* EL2 */
    bl      elect_cpu
1:  bl      drop_to_el1
    bl      instruction_count_start
    bl      invalidate_tables
    bl      clear_tables
    adr_l   x1, early_stack_top
    mov     sp, x1
    mov     x0, x21
    mov     x1, x19
    bl      early_map_image
    mov     x22, x0
    bl      invalidate_tables
    adr_l   x0, kernel_root_table
    adr_l   x1, idmap_root_table
    bl      enable_mmu
    adr_l   x8, primary_high
    sub     x8, x8, x21
    add     x8, x8, x22
    br      x8

/* In the high half; everything is addressed relative to PC, so it now has high addresses. */
primary_high:
    bti_j
    adr_l   x0, boot_thread
    msr     tpidr_el1, x0
    adr_l   x1, boot_stack_top
    mov     sp, x1
    mov     x29, xzr
    adr_l   x1, vectors
    msr     vbar_el1, x1
    leave_idmap x21, x22
    adr_l   x0, __bss_start
    adr_l   x2, __bss_end
    sub     x2, x2, x0
    mov     x1, #0
    bl      memset
    ldr     x1, =IMAGE_BASE
    sub     x0, x22, x1                     /* slide */
    bl      early_relocate
    adr_l   x0, boot_entry
    stp     x19, x20, [x0]
    stp     x21, x22, [x0, #16]
    bl      kernel_main
    b       .

/*
 * All CPUs of a boot wrapper may enter at EL3 at once. Memory is Device here, where exclusives are not
 * promised: the last CPU that wrote its name before the door shut goes on, the others sleep.
 */
elect_cpu:
    mrs     x0, mpidr_el1
    orr     x0, x0, #1 << 63
    adr_l   x1, election
    ldr     x2, [x1, #8]
    cbnz    x2, park
    str     x0, [x1]
    dsb     sy
    mov     x3, #2000
2:  subs    x3, x3, #1
    b.ne    2b
    ldr     x2, [x1]
    cmp     x2, x0
    b.ne    park
    mov     x2, #1
    str     x2, [x1, #8]
    dsb     sy
    ldr     x2, [x1]
    cmp     x2, x0
    b.ne    park
    ret

/* Sleeps until `pen_mpidr` names this CPU, then enters as a secondary. */
    .globl park
park:
    mrs     x0, mpidr_el1
    ldr     x2, =MPIDR_AFFINITY
    and     x0, x0, x2
    adr_l   x1, pen_mpidr
3:  wfe
    ldr     x2, [x1]
    cmp     x2, x0
    b.ne    3b
    b       secondary_entry

/*
 * Entry of secondary CPUs (PSCI CPU_ON, spin table, pen): the MMU is off. What the boot CPU left for
 * them in `secondary_boot` was cleaned to the point of coherency.
 */
    .globl secondary_entry
secondary_entry:
    bl      drop_to_el1
    adr_l   x0, kernel_root_table
    adr_l   x1, idmap_root_table
    bl      enable_mmu
    adr_l   x8, _start
    adr_l   x9, secondary_high
    sub     x9, x9, x8
    adr_l   x10, boot_entry
    ldr     x10, [x10, #24]                 /* image, virtual: cacheable now */
    add     x9, x9, x10
    br      x9
secondary_high:
    bti_j
    adr_l   x1, vectors
    msr     vbar_el1, x1
    adr_l   x2, secondary_boot
    ldp     x3, x4, [x2]                    /* thread, stack top */
    msr     tpidr_el1, x3
    mov     sp, x4
    mov     x29, xzr
    leave_idmap x8, x10
    mov     x0, x3
    bl      secondary_main
    b       .

/* Leaves EL3 and EL2 for EL1 with the MMU off; EL2 keeps a stub. Uses x0-x5, returns to LR at EL1. */
drop_to_el1:
    mov     x5, lr
    mrs     x0, CurrentEL
    tbz     x0, #3, 5f                      /* 1 << 2; EL2 is 2 << 2, EL3 3 << 2 */
    tbz     x0, #2, 4f
    bl      leave_el3
    mrs     x0, CurrentEL
    tbz     x0, #3, 5f
4:  bl      leave_el2
5:  mov_l   x0, SCTLR_EL1_OFF
    msr     sctlr_el1, x0
    isb
    msr     daifset, #0xf
    msr     spsel, #1
    ret     x5

/* EL3 -> EL2 if there is one, else EL1 (Arm ARM D19.2: SCR_EL3, CPTR_EL3, MDCR_EL3, ICC_SRE_EL3). */
leave_el3:
    mov_l   x0, SCR_EL3_VALUE
    mrs     x1, id_aa64isar1_el1
    mov_l   x2, ID_AA64ISAR1_PAUTH
    and     x1, x1, x2
    mrs     x3, S3_0_C0_C6_2                /* ID_AA64ISAR2_EL1; zero where it is not defined */
    and     x3, x3, #ID_AA64ISAR2_PAUTH
    orr     x1, x1, x3
    cbz     x1, 6f
    orr     x0, x0, #SCR_EL3_API | SCR_EL3_APK
6:  mrs     x1, id_aa64mmfr0_el1
    ubfx    x1, x1, #ID_AA64MMFR0_FGT_SHIFT, #4
    cbz     x1, 10f
    orr     x0, x0, #SCR_EL3_FGTEN
10: mrs     x1, id_aa64mmfr1_el1
    ubfx    x1, x1, #ID_AA64MMFR1_HCX_SHIFT, #4
    cbz     x1, 11f
    orr     x0, x0, #SCR_EL3_HXEN
11: msr     scr_el3, x0
    mov     x0, #HCR_EL2_RW                 /* what reset leaves in these is unknown: MMU off */
    msr     hcr_el2, x0
    mov_l   x0, SCTLR_EL2_OFF
    msr     sctlr_el2, x0
    mov_l   x0, SCTLR_EL1_OFF
    msr     sctlr_el1, x0
    mov     x0, #CPTR_EL3_EZ
    msr     cptr_el3, x0
    msr     mdcr_el3, xzr
    msr     tpidr_el3, xzr                  /* the monitor is open, vectors.S */
    mrs     x1, id_aa64pfr0_el1
    ubfx    x2, x1, #ID_AA64PFR0_SVE_SHIFT, #4
    cbz     x2, 7f
    isb
    mov     x2, #0xf
    msr     S3_6_C1_C2_0, x2                /* ZCR_EL3.LEN: the longest vectors */
7:  ubfx    x2, x1, #ID_AA64PFR0_GIC_SHIFT, #4
    cbz     x2, 8f
    mov     x2, #0xf                        /* SRE, no bypass, EL2 may choose */
    msr     S3_6_C12_C12_5, x2              /* ICC_SRE_EL3 */
    isb
8:  adr_l   x2, monitor_vectors
    msr     vbar_el3, x2
    msr     elr_el3, lr
    mov     x2, #SPSR_EL1H_MASKED
    ubfx    x1, x1, #ID_AA64PFR0_EL2_SHIFT, #4
    cbz     x1, 9f
    mov     x2, #SPSR_EL2H_MASKED
9:  msr     spsr_el3, x2
    isb
    eret

/*
 * EL2 -> EL1: nothing of EL1 is trapped, counters are open, stage 2 is off, EL2 stays free. Some CPUs have
 * HCR_EL2.E2H as one for good (without FEAT_E2H0): x4 tells, and CNTHCTL_EL2, CPTR_EL2 and the name
 * SCTLR_EL1 then mean something else (Arm ARM D13.2).
 */
leave_el2:
    mrs     x1, id_aa64isar1_el1
    mov_l   x2, ID_AA64ISAR1_PAUTH
    mov     x0, #HCR_EL2_RW
    and     x1, x1, x2
    mrs     x3, S3_0_C0_C6_2                /* ID_AA64ISAR2_EL1 */
    and     x3, x3, #ID_AA64ISAR2_PAUTH
    orr     x1, x1, x3
    cbz     x1, 1f
    mov_l   x3, HCR_EL2_API_APK
    orr     x0, x0, x3
1:  msr     hcr_el2, x0
    isb
    mrs     x4, hcr_el2
    and     x4, x4, #HCR_EL2_E2H
    mov     x0, #3                          /* EL1PCTEN, EL1PCEN */
    cbz     x4, 7f
    lsl     x0, x0, #10
7:  msr     cnthctl_el2, x0
    msr     cntvoff_el2, xzr
    mrs     x0, midr_el1
    msr     vpidr_el2, x0
    mrs     x0, mpidr_el1
    msr     vmpidr_el2, x0
    msr     vttbr_el2, xzr
    msr     hstr_el2, xzr
    mrs     x1, id_aa64dfr0_el1
    ubfx    x3, x1, #8, #4                  /* PMUVer: 0 and 15 are none */
    sub     x3, x3, #1
    mov     x2, #0
    cmp     x3, #14
    b.hs    2f
    mrs     x2, pmcr_el0
    ubfx    x2, x2, #11, #5                 /* all event counters to EL1 */
2:  msr     mdcr_el2, x2
    mrs     x1, id_aa64pfr0_el1
    mov_l   x0, CPTR_EL2_OPEN
    ubfx    x2, x1, #ID_AA64PFR0_SVE_SHIFT, #4
    cbz     x2, 3f
    bic     x0, x0, #CPTR_EL2_TZ
3:  cbz     x4, 8f
    mov     x0, #CPACR_FP_OPEN | CPACR_SVE_OPEN
8:  msr     cptr_el2, x0
    isb
    cbz     x2, 4f
    mov     x2, #0xf
    msr     S3_4_C1_C2_0, x2                /* ZCR_EL2.LEN */
4:  ubfx    x2, x1, #ID_AA64PFR0_GIC_SHIFT, #4
    cbz     x2, 5f
    mrs     x2, S3_4_C12_C9_5               /* ICC_SRE_EL2 */
    mov     x3, #9                          /* SRE, and EL1 may choose */
    orr     x2, x2, x3
    msr     S3_4_C12_C9_5, x2
    isb
    mrs     x2, S3_4_C12_C9_5
    tbz     x2, #0, 5f                      /* kept off by EL3: then the next one is undefined */
    msr     S3_4_C12_C11_0, xzr             /* ICH_HCR_EL2 */
5:  mrs     x1, id_aa64mmfr1_el1
    ubfx    x2, x1, #ID_AA64MMFR1_HCX_SHIFT, #4
    cbz     x2, 9f
    msr     S3_4_C1_C2_2, xzr               /* HCRX_EL2 */
9:  mrs     x1, id_aa64mmfr0_el1
    ubfx    x2, x1, #ID_AA64MMFR0_FGT_SHIFT, #4
    cbz     x2, 6f
    msr     S3_4_C1_C1_4, xzr               /* HFGRTR_EL2 */
    msr     S3_4_C1_C1_5, xzr               /* HFGWTR_EL2 */
    msr     S3_4_C1_C1_6, xzr               /* HFGITR_EL2 */
    msr     S3_4_C3_C1_4, xzr               /* HDFGRTR_EL2 */
    msr     S3_4_C3_C1_5, xzr               /* HDFGWTR_EL2 */
6:  adr_l   x2, monitor_vectors
    msr     vbar_el2, x2
    mov_l   x0, SCTLR_EL1_OFF
    cbz     x4, 10f
    msr     S3_5_C1_C0_0, x0                /* SCTLR_EL12 */
    b       11f
10: msr     sctlr_el1, x0
11: msr     elr_el2, lr
    mov     x0, #SPSR_EL1H_MASKED
    msr     spsr_el2, x0
    isb
    eret

/* Instructions of this boot, in event counter 0, where the CPU has one that can (Arm ARM D13.11). */
instruction_count_start:
    mrs     x0, id_aa64dfr0_el1
    ubfx    x0, x0, #8, #4                  /* PMUVer: 0 and 15 are none */
    sub     x0, x0, #1
    cmp     x0, #14
    b.hs    1f
    mrs     x0, pmceid0_el0
    tbz     x0, #PMU_INST_RETIRED, 1f
    mrs     x0, pmcr_el0
    ubfx    x1, x0, #11, #5                 /* N */
    cbz     x1, 1f
    mov     x1, #PMU_INST_RETIRED
    msr     pmevtyper0_el0, x1
    msr     pmevcntr0_el0, xzr
    mov     x1, #1
    msr     pmcntenset_el0, x1
    orr     x0, x0, #1                      /* E */
    msr     pmcr_el0, x0
    isb
1:  ret

/*
 * x0 = table for TTBR1, x1 = table for TTBR0 (identity). Returns with the MMU and caches on. What
 * MAIR_EL1 and TCR_EL1 hold is in arch/registers.h. (Arm ARM D8.2.)
 */
enable_mmu:
    tlbi    vmalle1
    dsb     nsh
    mov_l   x2, MAIR_EL1_VALUE
    msr     mair_el1, x2
    mov_l   x2, TCR_EL1_VALUE
    mrs     x3, id_aa64mmfr0_el1
    and     x4, x3, #0xf                    /* PARange; 48 bits at most: no LPA2 */
    mov     x6, #5
    cmp     x4, x6
    csel    x4, x4, x6, ls
    bfi     x2, x4, #TCR_IPS_SHIFT, #3
    ubfx    x4, x3, #4, #4                  /* ASIDBits */
    cbz     x4, 1f
    orr     x2, x2, #TCR_AS_16BIT
1:  msr     tcr_el1, x2
    msr     ttbr0_el1, x1
    msr     ttbr1_el1, x0
    mov     x2, #CPACR_TRAP_EL0_FP
    msr     cpacr_el1, x2
    mov     x2, #1 << 12                    /* debug registers locked away from EL0: TDCC */
    msr     mdscr_el1, x2
    mrs     x2, id_aa64dfr0_el1
    ubfx    x2, x2, #8, #4                  /* PMUVer: 0 and 15 are none */
    sub     x2, x2, #1
    cmp     x2, #14
    b.hs    2f
    msr     pmuserenr_el0, xzr
2:  mov     x2, #2                          /* EL0 reads the virtual counter, nothing else */
    msr     cntkctl_el1, x2
    msr     tpidr_el0, xzr
    msr     tpidrro_el0, xzr
    ic      iallu
    dsb     nsh
    isb
    mov_l   x2, SCTLR_EL1_ON
    msr     sctlr_el1, x2
    isb
    ret

/* Drops stale lines of the boot tables, which are written with the caches off. */
invalidate_tables:
    adr_l   x0, boot_tables_start
    adr_l   x1, boot_tables_end
    mrs     x2, ctr_el0
    ubfx    x2, x2, #16, #4                 /* DminLine, log2 of words */
    mov     x3, #4
    lsl     x3, x3, x2
    dmb     sy
1:  dc      ivac, x0
    add     x0, x0, x3
    cmp     x0, x1
    b.lo    1b
    dsb     sy
    ret

/* .bss is not in the file. The tables are cleared here, with the caches off, the rest by primary_high. */
clear_tables:
    adr_l   x0, boot_tables_start
    adr_l   x1, boot_tables_end
1:  stp     xzr, xzr, [x0]
    stp     xzr, xzr, [x0, #16]
    stp     xzr, xzr, [x0, #32]
    stp     xzr, xzr, [x0, #48]
    add     x0, x0, #64
    cmp     x0, x1
    b.lo    1b
    ret

    /* What is used before .bss is cleared, or written past the caches. */
    .data
    .balign 64
election:       .skip 16                    /* last CPU that asked; door shut */
    .globl pen_mpidr
    .balign 64
pen_mpidr:      .skip 64
    .globl boot_entry
boot_entry:     .skip 64                    /* struct boot_entry of arch/boot.h */
    .globl secondary_boot
secondary_boot: .skip 64

    .macro table names:vararg
    .irp name, \names
    .globl \name
\name:
    .skip 4096
    .endr
    .endm

    .section .boot_stack, "aw", %nobits
    .skip   BOOT_STACK_SIZE
boot_stack_top:

    .section .bss_page_aligned, "aw", %nobits
    .balign 4096
    .globl boot_tables_start, boot_tables_end
boot_tables_start:
    table   kernel_root_table, idmap_root_table, empty_table, idmap_l1, idmap_l2, image_l1, image_l2, fixmap_l1, fixmap_l2, fixmap_l3, image_l3
    .skip   KERNEL_IMAGE_MAX / 512 - 4096   /* the rest of image_l3 */
    .skip   2048                            /* for early_map_image */
early_stack_top:
boot_tables_end:
