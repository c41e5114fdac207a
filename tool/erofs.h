/* SPDX-License-Identifier: MIT
 *
 * EROFS images without compression: writing one from a tree, reading one back into a tree.
 *
 * On-disk format: Linux Documentation/filesystems/erofs.rst and fs/erofs/erofs_fs.h (field names
 * are theirs). Written are 4096-byte blocks, compact inodes where they suffice and extended ones
 * else; regular files FLAT_PLAIN, so that the guest can map program text where it lies; directories
 * and links FLAT_INLINE where their tail fits beside the inode. No extended attributes. The same
 * tree gives the same bytes.
 */
#ifndef TOOL_EROFS_H
#define TOOL_EROFS_H

#include <stdint.h>

#include "tree.h"

#define EROFS_BLOCK 4096

/* Writes at offset of fd; *size becomes the length, a multiple of EROFS_BLOCK. Reports. */
int erofs_write(struct tree *tree, int fd, uint64_t offset, uint64_t *size);

/* Reads names, attributes and places of data; the nodes refer to fd, which must stay open. 0,
 * -EBADMSG with *why set to a text that need not be freed, or -errno of reading. */
int erofs_read(struct tree *tree, int fd, uint64_t offset, uint64_t size, const char **why);

#endif
