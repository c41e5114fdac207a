/* SPDX-License-Identifier: MIT */
/*
 * Credentials: who a thread acts as, see credentials(7) and capabilities(7).
 * A struct cred is immutable once it is in use: a change makes a copy (cred_copy), alters it and
 * installs it in the thread. Any context; only cred_alloc, cred_copy and the last cred_unref touch
 * the allocator (they do not sleep).
 */
#ifndef FS_CRED_H
#define FS_CRED_H

#include <arch/atomic.h>
#include <lib/types.h>

#define CRED_GROUPS_MAX 65536

/* Capability numbers of linux/capability.h that the kernel asks about. */
enum {
    CAP_CHOWN = 0,
    CAP_DAC_OVERRIDE = 1,
    CAP_DAC_READ_SEARCH = 2,
    CAP_FOWNER = 3,
    CAP_FSETID = 4,
    CAP_KILL = 5,
    CAP_SETGID = 6,
    CAP_SETUID = 7,
    CAP_SETPCAP = 8,
    CAP_LINUX_IMMUTABLE = 9,
    CAP_NET_BIND_SERVICE = 10,
    CAP_NET_ADMIN = 12,
    CAP_NET_RAW = 13,
    CAP_IPC_LOCK = 14,
    CAP_SYS_CHROOT = 18,
    CAP_SYS_PTRACE = 19,
    CAP_SYS_ADMIN = 21,
    CAP_SYS_BOOT = 22,
    CAP_SYS_NICE = 23,
    CAP_SYS_RESOURCE = 24,
    CAP_SYS_TIME = 25,
    CAP_MKNOD = 27,
    CAP_LEASE = 28,
    CAP_SETFCAP = 31,
    CAP_LAST = 40,
};
#define CAP_FULL ((1ULL << (CAP_LAST + 1)) - 1)

/* Supplementary groups, sorted ascending so that membership is a binary search; shared by cred
 * copies. */
struct cred_groups {
    atomic_t refs;
    unsigned count;
    uint32_t gid[];
};

struct cred {
    atomic_t refs;
    uint32_t uid, euid, suid, fsuid;
    uint32_t gid, egid, sgid, fsgid;
    struct cred_groups *groups; /* NULL: none */
    uint64_t cap_effective, cap_permitted, cap_inheritable, cap_bounding, cap_ambient;
    uint32_t securebits;
};

/* The credentials the kernel itself and the first program start with: uid 0, every capability. */
extern struct cred cred_root;

/* Of the running thread, borrowed: valid while the thread does not install others. Defined by
 * kernel/linux; for a kernel thread it is &cred_root. */
const struct cred *cred_current(void);

struct cred *cred_copy(const struct cred *from); /* a new one with one reference, or NULL */
struct cred *cred_ref(const struct cred *cred);
void cred_unref(const struct cred *cred);

/* Replaces the groups of a cred that is not yet installed. Sorts a copy of gid. 0, -EINVAL,
 * -ENOMEM. */
int cred_set_groups(struct cred *cred, const uint32_t *gid, unsigned count);

/* True if gid is fsgid or a supplementary group. */
bool cred_in_group(const struct cred *cred, uint32_t gid);

static inline bool cred_capable(const struct cred *cred, unsigned capability)
{
    return (cred->cap_effective >> capability) & 1;
}

#endif
