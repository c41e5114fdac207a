/* SPDX-License-Identifier: MIT */
/* Power State Coordination Interface, versions 0.1 to 1.1 (Arm DEN 0022D sections 5.1 and 5.2). */
#include <arch/psci.h>
#include <lib/errno.h>

#define PSCI_VERSION      0x84000000U
#define PSCI_CPU_ON_64    0xc4000003U
#define PSCI_SYSTEM_OFF   0x84000008U
#define PSCI_SYSTEM_RESET 0x84000009U

/* Return codes, section 5.2.2. */
#define PSCI_SUCCESS            0
#define PSCI_NOT_SUPPORTED      (-1)
#define PSCI_INVALID_PARAMETERS (-2)
#define PSCI_DENIED             (-3)
#define PSCI_ALREADY_ON         (-4)
#define PSCI_ON_PENDING         (-5)
#define PSCI_INVALID_ADDRESS    (-9)

static enum smccc_conduit conduit;
static uint32_t version;
static struct psci_functions functions;

static int32_t call(uint32_t function, reg_t a1, reg_t a2, reg_t a3)
{
    return (int32_t)smccc_call(conduit, function, a1, a2, a3).x[0];
}

int psci_init(enum smccc_conduit new_conduit, const struct psci_functions *old)
{
    int32_t answer;

    conduit = new_conduit;
    if (old != NULL) {
        functions = *old;
        version = 0x0001;
        return 0;
    }
    answer = call(PSCI_VERSION, 0, 0, 0);
    if (answer < 0) {
        conduit = SMCCC_NONE;
        return -EOPNOTSUPP;
    }
    version = (uint32_t)answer;
    functions.cpu_on = PSCI_CPU_ON_64;
    return 0;
}

bool psci_available(void)
{
    return conduit != SMCCC_NONE;
}

uint32_t psci_version(void)
{
    return version;
}

enum smccc_conduit smccc_conduit(void)
{
    return conduit;
}

int psci_cpu_on(uint64_t mpidr, paddr_t entry, reg_t context)
{
    if (functions.cpu_on == 0)
        return -EOPNOTSUPP;
    switch (call(functions.cpu_on, mpidr, entry, context)) {
    case PSCI_SUCCESS:
        return 0;
    case PSCI_NOT_SUPPORTED:
        return -EOPNOTSUPP;
    case PSCI_INVALID_PARAMETERS:
    case PSCI_INVALID_ADDRESS:
        return -EINVAL;
    case PSCI_DENIED:
        return -EPERM;
    case PSCI_ALREADY_ON:
    case PSCI_ON_PENDING:
        return -EALREADY;
    default:
        return -EIO;
    }
}

void psci_system_off(void)
{
    if (version >= 0x0002)
        call(PSCI_SYSTEM_OFF, 0, 0, 0);
}

void psci_system_reset(void)
{
    if (version >= 0x0002)
        call(PSCI_SYSTEM_RESET, 0, 0, 0);
}
