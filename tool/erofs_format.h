/* SPDX-License-Identifier: MIT
 *
 * EROFS on-disk structures (fs/erofs/erofs_fs.h); little-endian. The host is taken to be
 * little-endian as well, which meson.build checks.
 */
#ifndef TOOL_EROFS_FORMAT_H
#define TOOL_EROFS_FORMAT_H

#include <stdint.h>

#define EROFS_SUPER_OFFSET             1024
#define EROFS_SUPER_MAGIC              0xE0F5E1E2u
#define EROFS_COMPAT_CHKSUM            0x1u
#define EROFS_SLOT                     32
#define EROFS_LAYOUT_PLAIN             0
#define EROFS_LAYOUT_INLINE            2
#define EROFS_FORMAT(extended, layout) ((uint16_t)((extended) | (layout) << 1))

struct erofs_super {
    uint32_t magic;
    uint32_t checksum; /* crc32c of the rest of the first block, this field zero */
    uint32_t feature_compat;
    uint8_t blkszbits;
    uint8_t sb_extslots;
    uint16_t root_nid;
    uint64_t inos;
    uint64_t build_time;
    uint32_t build_time_nsec;
    uint32_t blocks;
    uint32_t meta_blkaddr;
    uint32_t xattr_blkaddr;
    uint8_t uuid[16];
    uint8_t volume_name[16];
    uint32_t feature_incompat;
    uint8_t reserved[44];
};

struct erofs_inode_compact {
    uint16_t i_format;
    uint16_t i_xattr_icount;
    uint16_t i_mode;
    uint16_t i_nlink;
    uint32_t i_size;
    uint32_t i_reserved;
    uint32_t i_u; /* raw_blkaddr or rdev */
    uint32_t i_ino;
    uint16_t i_uid;
    uint16_t i_gid;
    uint32_t i_reserved2;
};

struct erofs_inode_extended {
    uint16_t i_format;
    uint16_t i_xattr_icount;
    uint16_t i_mode;
    uint16_t i_reserved;
    uint64_t i_size;
    uint32_t i_u;
    uint32_t i_ino;
    uint32_t i_uid;
    uint32_t i_gid;
    uint64_t i_mtime;
    uint32_t i_mtime_nsec;
    uint32_t i_nlink;
    uint8_t i_reserved2[16];
};

struct erofs_dirent {
    uint64_t nid;
    uint16_t nameoff;
    uint8_t file_type;
    uint8_t reserved;
} __attribute__((packed));

_Static_assert(sizeof(struct erofs_super) == 128, "EROFS superblock");
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "EROFS compact inode");
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "EROFS extended inode");
_Static_assert(sizeof(struct erofs_dirent) == 12, "EROFS directory entry");

#endif
