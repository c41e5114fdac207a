/* SPDX-License-Identifier: MIT */
/* lwIP includes this name; a freestanding kernel has only <lib/string.h>. */
#include <lib/string.h>
