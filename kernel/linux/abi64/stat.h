/* SPDX-License-Identifier: MIT */
/* What stat, statx, statfs and getdents64 write to 64-bit programs (asm-generic layouts). */
#ifndef LINUX_ABI64_STAT_H
#define LINUX_ABI64_STAT_H

#include <lib/types.h>

struct abi64_stat {
    uint64_t dev, ino;
    uint32_t mode, nlink, uid, gid;
    uint64_t rdev, pad1;
    int64_t size;
    int32_t block_size, pad2;
    int64_t blocks;
    int64_t atime;
    uint64_t atime_nsec;
    int64_t mtime;
    uint64_t mtime_nsec;
    int64_t ctime;
    uint64_t ctime_nsec;
    uint32_t unused[2];
};
_Static_assert(sizeof(struct abi64_stat) == 128, "struct stat");
_Static_assert(__builtin_offsetof(struct abi64_stat, size) == 48, "st_size");
_Static_assert(__builtin_offsetof(struct abi64_stat, atime) == 72, "st_atime");

struct abi64_statx_time {
    int64_t sec;
    uint32_t nsec;
    int32_t reserved;
};

struct abi64_statx {
    uint32_t mask, block_size;
    uint64_t attributes;
    uint32_t nlink, uid, gid;
    uint16_t mode, spare0;
    uint64_t ino, size, blocks, attributes_mask;
    struct abi64_statx_time atime, btime, ctime, mtime;
    uint32_t rdev_major, rdev_minor, dev_major, dev_minor;
    uint64_t mount_id;
    uint32_t dio_mem_align, dio_offset_align;
    uint64_t spare[12];
};
_Static_assert(sizeof(struct abi64_statx) == 256, "struct statx");
_Static_assert(__builtin_offsetof(struct abi64_statx, ino) == 32, "stx_ino");
_Static_assert(__builtin_offsetof(struct abi64_statx, mount_id) == 144, "stx_mnt_id");

struct abi64_statfs {
    uint64_t type, block_size, blocks, blocks_free, blocks_available, files, files_free;
    uint32_t fsid[2];
    uint64_t name_max, fragment_size, flags, spare[4];
};
_Static_assert(sizeof(struct abi64_statfs) == 120, "struct statfs");

/* A directory entry; the name follows at byte 19, the whole is padded to 8 bytes. */
struct abi64_dirent {
    uint64_t ino;
    int64_t next;
    uint16_t length;
    uint8_t type;
    char name[];
};
_Static_assert(__builtin_offsetof(struct abi64_dirent, name) == 19, "d_name");

/* openat2 */
struct abi64_open_how {
    uint64_t flags, mode, resolve;
};

/* fcntl record locks */
struct abi64_flock {
    int16_t type, whence;
    int64_t start, len;
    int32_t pid;
};
_Static_assert(sizeof(struct abi64_flock) == 32, "struct flock");

struct abi64_owner_ex {
    int32_t type, pid;
};

#endif
