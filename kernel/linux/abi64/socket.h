/* SPDX-License-Identifier: MIT */
/* Structures of the socket calls of 64-bit programs. */
#ifndef LINUX_ABI64_SOCKET_H
#define LINUX_ABI64_SOCKET_H

#include <lib/types.h>

struct abi64_msghdr {
    uint64_t name;
    uint32_t name_len, pad1;
    uint64_t iov, iov_count;
    uint64_t control, control_len;
    uint32_t flags, pad2;
};
_Static_assert(sizeof(struct abi64_msghdr) == 56, "struct msghdr");
_Static_assert(__builtin_offsetof(struct abi64_msghdr, iov) == 16, "msg_iov");

struct abi64_mmsghdr {
    struct abi64_msghdr header;
    uint32_t length, pad;
};
_Static_assert(sizeof(struct abi64_mmsghdr) == 64, "struct mmsghdr");

/* Ancillary data: the header, then `len` - 16 bytes, padded to 8. */
struct abi64_cmsghdr {
    uint64_t len;
    int32_t level, type;
};
_Static_assert(sizeof(struct abi64_cmsghdr) == 16, "struct cmsghdr");

struct abi64_ucred {
    int32_t pid;
    uint32_t uid, gid;
};
_Static_assert(sizeof(struct abi64_ucred) == 12, "struct ucred");

#endif
