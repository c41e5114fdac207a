/* SPDX-License-Identifier: MIT
 *
 * The end of the instruction count that boot.S begins: event counter 0 of the PMU (Arm ARM D13).
 * QEMU's emulation has the event under -icount only, hypervisors often show no PMU at all.
 */
#include <arch/barrier.h>
#include <arch/instruction_count.h>
#include <arch/registers.h>
#include <arch/sysreg.h>

uint64_t instruction_count_end(void)
{
    uint64_t version = (sysreg_read(id_aa64dfr0_el1) >> 8) & 15, count, control;

    if (version == 0 || version == 15 || (sysreg_read(pmceid0_el0) & 1u << PMU_INST_RETIRED) == 0 ||
        (sysreg_read(pmcntenset_el0) & 1) == 0)
        return 0;
    count = sysreg_read(pmevcntr0_el0) & UINT32_MAX;
    sysreg_write(pmcntenclr_el0, 1);
    control = sysreg_read(pmcr_el0);
    sysreg_write(pmcr_el0, control & ~1ul);
    return count;
}
