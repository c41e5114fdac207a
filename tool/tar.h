/* SPDX-License-Identifier: MIT
 *
 * Reading tar streams (POSIX.1-2001 pax, ustar, GNU long names) into a tree. Used for packages and
 * container layers.
 */
#ifndef TOOL_TAR_H
#define TOOL_TAR_H

#include "tree.h"

struct tar_options {
    bool whiteouts; /* container layers: .wh.NAME removes, .wh..wh..opq empties */
};

/* Puts the entries of the tar stream that starts at offset of fd into the tree; their data stays in
 * fd, which must stay open. 0, or -EBADMSG with *why set, or -errno. */
int tar_read(struct tree *tree, int fd, uint64_t offset, const struct tar_options *options,
             const char **why);

#endif
