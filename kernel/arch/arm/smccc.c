/* SPDX-License-Identifier: MIT */
/* SMC Calling Convention 1.1 (Arm DEN 0028C): arguments in x0-x3, results in x0-x3, x4-x17 may go.
 */
#include <arch/psci.h>
#include <arch/smccc.h>

#define CALL_CLOBBERS                                                                           \
    "x4", "x5", "x6", "x7", "x8", "x9", "x10", "x11", "x12", "x13", "x14", "x15", "x16", "x17", \
        "memory"

struct smccc_result smccc_call(enum smccc_conduit conduit, uint32_t function, reg_t a1, reg_t a2,
                               reg_t a3)
{
    register reg_t x0 __asm__("x0") = function;
    register reg_t x1 __asm__("x1") = a1;
    register reg_t x2 __asm__("x2") = a2;
    register reg_t x3 __asm__("x3") = a3;

    switch (conduit) {
    case SMCCC_HVC:
        __asm__ volatile("hvc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::CALL_CLOBBERS);
        break;
    case SMCCC_SMC:
        __asm__ volatile("smc #0" : "+r"(x0), "+r"(x1), "+r"(x2), "+r"(x3)::CALL_CLOBBERS);
        break;
    case SMCCC_NONE:
        x0 = (reg_t)SMCCC_NOT_SUPPORTED;
        break;
    }
    return (struct smccc_result){{x0, x1, x2, x3}};
}
