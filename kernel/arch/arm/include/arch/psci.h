/* SPDX-License-Identifier: MIT */
/* Power State Coordination Interface (Arm DEN 0022D): CPUs on, the machine off or reset. */
#ifndef ARCH_PSCI_H
#define ARCH_PSCI_H

#include <arch/smccc.h>
#include <lib/types.h>

/*
 * Asks for the version by `conduit`. `is_old` (compatible "arm,psci" alone): version 0.1, function
 * numbers come from the tree. 0 or -EOPNOTSUPP.
 */
struct psci_functions {
    uint32_t cpu_on; /* 0: not there */
};
int psci_init(enum smccc_conduit conduit, const struct psci_functions *old);
bool psci_available(void);
uint32_t psci_version(void); /* major << 16 | minor; 0: none */

/* Starts a CPU at `entry` (physical, MMU off) with `context` in x0. 0; -EALREADY: it is on;
 * -EINVAL; -EPERM; -EIO. */
int psci_cpu_on(uint64_t mpidr, paddr_t entry, reg_t context);
void psci_system_off(void); /* returns only on failure */
void psci_system_reset(void);

#endif
