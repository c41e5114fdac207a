/* SPDX-License-Identifier: MIT */
/* CRC-32C (Castagnoli), as EROFS, ext4 and iSCSI use it; `crc` is ~0 at the start. */
#ifndef LIB_CRC32_H
#define LIB_CRC32_H

#include <lib/types.h>

uint32_t crc32c(uint32_t crc, const void *from, size_t size);

#endif
