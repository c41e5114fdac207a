/* SPDX-License-Identifier: MIT */
/* The kernel's own. */
#include "../../../../kernel/arch/arm64/include/arch/boot.h"
