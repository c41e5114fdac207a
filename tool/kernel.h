/* SPDX-License-Identifier: MIT
 *
 * Where the kernel is: --kernel, $REMORA_KERNEL, beside the command (build/Image), or installed
 * (PREFIX/lib/remora/Image for PREFIX/bin/remora).
 */
#ifndef TOOL_KERNEL_H
#define TOOL_KERNEL_H

#include "image.h"
#include "options.h"

/* Opens it; a kernel with a root is taken without its root. Reports. */
int kernel_open(struct image *kernel, const struct options *options);

#endif
