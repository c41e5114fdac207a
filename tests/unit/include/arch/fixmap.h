/* SPDX-License-Identifier: MIT */
/* The arm64 one: plain data. */
#include "../../../../kernel/arch/arm64/include/arch/fixmap.h"
