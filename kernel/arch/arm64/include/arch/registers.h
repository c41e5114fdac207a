/* SPDX-License-Identifier: MIT */
/* Values of system registers, by the names of the Arm ARM (D19). For C and assembly. */
#ifndef ARCH_REGISTERS_H
#define ARCH_REGISTERS_H

/* MAIR_EL1 indices: the attribute field of a page-table entry. */
#define MAIR_DEVICE_NGNRE 0
#define MAIR_NORMAL       1 /* write-back, read- and write-allocate */
#define MAIR_NORMAL_NC    2
#define MAIR_EL1_VALUE    0x0000000000044ff04

/* 48-bit halves, 4 KiB granule, tables inner shareable write-back; EL0 pointers may carry a tag. */
#define TCR_T0SZ_48   16
#define TCR_T1SZ_48   (16 << 16)
#define TCR_WALKS_WB  ((1 << 8) | (1 << 10) | (3 << 12))
#define TCR_WALKS1_WB ((1 << 24) | (1 << 26) | (3 << 28))
#define TCR_TG1_4K    (2 << 30)
#define TCR_IPS_SHIFT 32
#define TCR_AS_16BIT  (1 << 36)
#define TCR_TBI0      (1 << 37)
#define TCR_EL1_VALUE \
    (TCR_T0SZ_48 | TCR_T1SZ_48 | TCR_WALKS_WB | TCR_WALKS1_WB | 0x80000000 | 0x2000000000)

/* The event of the PMU that counts instructions as they retire, and its bit in PMCEID0_EL0. */
#define PMU_INST_RETIRED 8

/* SCTLR_EL1: bits that are RES1 where their feature is missing, then what Remora chooses. */
#define SCTLR_RES1 0x30500980 /* LSMAOE nTLSMD EIS TSCXT EOS SED ITD */
#define SCTLR_SPAN 0x00800000 /* exceptions leave PSTATE.PAN as it is; RES1 without FEAT_PAN */
#define SCTLR_M    (1 << 0)
#define SCTLR_C    (1 << 2)
#define SCTLR_SA   (1 << 3) /* SP alignment checked at EL1 */
#define SCTLR_SA0  (1 << 4) /* and at EL0 */
#define SCTLR_I    (1 << 12)
#define SCTLR_DZE  (1 << 14) /* EL0 may DC ZVA */
#define SCTLR_UCT  (1 << 15) /* EL0 may read CTR_EL0 */
#define SCTLR_ENDB (1 << 13) /* the keys DB, DA, IB, IA are in use; at EL0 and EL1 */
#define SCTLR_NTWI (1 << 16) /* WFI, WFE at EL0 are not trapped */
#define SCTLR_NTWE (1 << 18)
#define SCTLR_UCI  (1 << 26) /* EL0 cache maintenance */
#define SCTLR_ENDA (1 << 27)
#define SCTLR_ENIB (1 << 30)
#define SCTLR_ENIA 0x80000000
#define SCTLR_BT0  0x0800000000 /* BR by other than x16, x17 may not land on PACIxSP: EL0, EL1 */
#define SCTLR_BT1  0x1000000000

#define SCTLR_ENIA_SHIFT 31
#define SCTLR_PAC_REST   0x48002000 /* EnIB, EnDA, EnDB: keys that only programs use */

#define SCTLR_EL1_OFF (SCTLR_RES1 | SCTLR_SPAN)
#define SCTLR_EL1_ON                                                                              \
    (SCTLR_EL1_OFF | SCTLR_M | SCTLR_C | SCTLR_SA | SCTLR_SA0 | SCTLR_I | SCTLR_DZE | SCTLR_UCT | \
     SCTLR_NTWI | SCTLR_NTWE | SCTLR_UCI)

#define CPACR_TRAP_EL0_FP (1 << 20) /* FPEN = 0b01: EL1 may, EL0 is trapped */
#define CPACR_FP_OPEN     (3 << 20)
#define CPACR_SVE_OPEN    (3 << 16)

#define SPSR_BTYPE       0xc00
#define SPSR_EL1H_MASKED 0x3c5
#define SPSR_EL2H_MASKED 0x3c9

/* NS, the two RES1 bits, HVC allowed, lower levels are AArch64; SMC allowed. */
#define SCR_EL3_VALUE   0x531
#define SCR_EL3_APK     (1 << 16)
#define SCR_EL3_API     (1 << 17)
#define SCR_EL3_FGTEN   (1 << 27)    /* EL2 may set fine-grained traps */
#define SCR_EL3_HXEN    0x4000000000 /* and HCRX_EL2 */
#define CPTR_EL3_EZ     (1 << 8)
#define HCR_EL2_RW      (1 << 31)
#define HCR_EL2_E2H     (1 << 34)
#define HCR_EL2_API_APK (3 << 40)
#define SCTLR_EL2_OFF   0x30c50830 /* bits that are RES1 */
#define CPTR_EL2_OPEN   0x33ff
#define CPTR_EL2_TZ     (1 << 8)

#define ID_AA64ISAR1_PAUTH     0xff000ff0 /* GPI GPA, API APA */
#define ID_AA64ISAR2_PAUTH     0x0000ff00 /* APA3 GPA3 */
#define ID_AA64MMFR0_FGT_SHIFT 56
#define ID_AA64MMFR1_HCX_SHIFT 40
#define ID_AA64PFR0_EL2_SHIFT  8
#define ID_AA64PFR0_GIC_SHIFT  24
#define ID_AA64PFR0_SVE_SHIFT  32

#define MPIDR_AFFINITY 0xff00ffffff

/* Calls of the monitor that boot.S leaves at EL3 (SMCCC: fast, OEM range). */
#define EL3_WRITE32 0x83000001
#define EL3_SEAL    0x83000002

/* ESR_EL1.EC */
#define ESR_EC_SHIFT        26
#define EC_UNKNOWN          0x00
#define EC_FP_ACCESS        0x07
#define EC_PAC_TRAP         0x09
#define EC_BTI              0x0d
#define EC_ILLEGAL_STATE    0x0e
#define EC_SVC64            0x15
#define EC_SYSREG           0x18
#define EC_SVE_ACCESS       0x19
#define EC_PAC_FAIL         0x1c
#define EC_INSTRUCTION_LOW  0x20
#define EC_INSTRUCTION_SAME 0x21
#define EC_PC_ALIGN         0x22
#define EC_DATA_LOW         0x24
#define EC_DATA_SAME        0x25
#define EC_SP_ALIGN         0x26
#define EC_FP_EXCEPTION     0x2c
#define EC_SERROR           0x2f
#define EC_BREAKPOINT_LOW   0x30
#define EC_WATCHPOINT_SAME  0x35
#define EC_BRK              0x3c

#endif
