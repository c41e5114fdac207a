/* SPDX-License-Identifier: MIT */
/* SMC Calling Convention (Arm DEN 0028): calls to firmware and hypervisor. */
#ifndef ARCH_SMCCC_H
#define ARCH_SMCCC_H

#include <lib/types.h>

enum smccc_conduit { SMCCC_NONE, SMCCC_HVC, SMCCC_SMC };

struct smccc_result {
    reg_t x[4];
};

#define SMCCC_NOT_SUPPORTED (-1L)

#define SMCCC_VERSION        0x80000000U
#define SMCCC_ARCH_FEATURES  0x80000001U
#define SMCCC_TRNG_VERSION   0x84000050U
#define SMCCC_TRNG_RND64     0xc4000053U
/* Vendor-specific hypervisor service: the caller identifies itself by UUID in w0-w3. */
#define SMCCC_VENDOR_HYP_UID 0x8600ff01U

/* The conduit must exist: HVC without EL2 is undefined, and so is SMC without EL3. */
struct smccc_result smccc_call(enum smccc_conduit conduit, uint32_t function, reg_t a1, reg_t a2,
                               reg_t a3);

/* What psci_init found, for other callers. */
enum smccc_conduit smccc_conduit(void);

#endif
