/* SPDX-License-Identifier: MIT */
/*
 * The on-disk format of EROFS (Linux Documentation/filesystems/erofs.rst), little-endian. What
 * belongs to compression is left out: such images are refused.
 */
#ifndef FS_EROFS_FORMAT_H
#define FS_EROFS_FORMAT_H

#include <lib/types.h>

#define EROFS_SUPER_OFFSET 1024u
#define EROFS_SUPER_MAGIC  0xe0f5e1e2u
#define EROFS_SLOT         32u /* inodes are numbered in units of this many bytes */

#define EROFS_COMPAT_CHECKSUM 1u

#define EROFS_INCOMPAT_ZERO_PADDING   0x01u /* of compressed clusters: says nothing without them */
#define EROFS_INCOMPAT_CHUNKED_FILE   0x04u
#define EROFS_INCOMPAT_XATTR_PREFIXES 0x40u
#define EROFS_INCOMPAT_48BIT          0x80u
#define EROFS_INCOMPAT_READ \
    (EROFS_INCOMPAT_ZERO_PADDING | EROFS_INCOMPAT_CHUNKED_FILE | EROFS_INCOMPAT_XATTR_PREFIXES)

struct erofs_super {
    uint32_t magic;
    uint32_t checksum; /* CRC32C of the superblock's block from here on with this as 0 */
    uint32_t feature_compat;
    uint8_t block_bits;
    uint8_t ext_slots;
    uint16_t root_nid;
    uint64_t inodes;
    uint64_t build_time; /* of compact inodes */
    uint32_t build_time_nsec;
    uint32_t blocks;
    uint32_t meta_block;  /* where inode 0 would be */
    uint32_t xattr_block; /* shared attributes */
    uint8_t uuid[16];
    uint8_t volume_name[16];
    uint32_t feature_incompat;
    uint16_t compression;
    uint16_t extra_devices;
    uint16_t device_slot;
    uint8_t dir_block_bits; /* log2 of directory block over block: 0 */
    uint8_t xattr_prefix_count;
    uint32_t xattr_prefix_start; /* units of 4 bytes */
    uint64_t packed_nid;
    uint8_t reserved[24];
};
_Static_assert(sizeof(struct erofs_super) == 128, "EROFS superblock");

/* i_format: bit 0 extended, bits 1..3 layout */
enum erofs_layout {
    EROFS_FLAT_PLAIN = 0,
    EROFS_COMPRESSED_FULL = 1,
    EROFS_FLAT_INLINE = 2,
    EROFS_COMPRESSED_COMPACT = 3,
    EROFS_CHUNK_BASED = 4,
};

struct erofs_inode_compact {
    uint16_t format;
    uint16_t xattr_count;
    uint16_t mode;
    uint16_t nlink;
    uint32_t size;
    uint32_t reserved;
    uint32_t where; /* first block, device number, or chunk format */
    uint32_t ino;
    uint16_t uid;
    uint16_t gid;
    uint32_t reserved2;
};
_Static_assert(sizeof(struct erofs_inode_compact) == 32, "EROFS compact inode");

struct erofs_inode_extended {
    uint16_t format;
    uint16_t xattr_count;
    uint16_t mode;
    uint16_t reserved;
    uint64_t size;
    uint32_t where;
    uint32_t ino;
    uint32_t uid;
    uint32_t gid;
    uint64_t mtime;
    uint32_t mtime_nsec;
    uint32_t nlink;
    uint8_t reserved2[16];
};
_Static_assert(sizeof(struct erofs_inode_extended) == 64, "EROFS extended inode");

#define EROFS_CHUNK_BITS    0x1fu /* of `where`: log2 of blocks in a chunk */
#define EROFS_CHUNK_INDEXES 0x20u /* 8-byte entries, else 4 */
#define EROFS_CHUNK_KNOWN   0x3fu
#define EROFS_HOLE          0xffffffffu

struct erofs_chunk_index {
    uint16_t start_high;
    uint16_t device;
    uint32_t block;
};

struct erofs_dirent {
    uint64_t nid;
    uint16_t name_offset;
    uint8_t type;
    uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct erofs_dirent) == 12, "EROFS directory entry");

struct erofs_xattr_header {
    uint32_t name_filter;
    uint8_t shared_count;
    uint8_t reserved[7];
    /* uint32_t shared[shared_count], in units of 4 bytes; then entries */
};

struct erofs_xattr_entry {
    uint8_t name_len;
    uint8_t name_index;
    uint16_t value_size;
    /* name, value; the next one is 4-byte aligned */
};
#define EROFS_XATTR_LONG_PREFIX 0x80u

#endif
