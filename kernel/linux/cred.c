/* SPDX-License-Identifier: MIT
 *
 * User and group identities and capabilities (credentials(7), capabilities(7)). Credentials belong
 * to a thread; the C libraries make all threads change together.
 */
#include <fs/cred.h>

#include <arch/uaccess.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/slab.h>

#define KEEP 0xffffffffu /* (uid_t)-1: leave this one */

const struct cred *task_swap_cred(const struct cred *cred)
{
    struct task *task = current_task();
    reg_t flags = spin_lock_irq(&task->process->lock);
    const struct cred *old = task->cred;

    task->cred = cred;
    spin_unlock_irq(&task->process->lock, flags);
    return old;
}

static long install(struct cred *cred)
{
    cred_unref(task_swap_cred(cred));
    return 0;
}

#define SECBIT_NO_SETUID_FIXUP 4u
#define SECBIT_KEEP_CAPS       16u
#define CAPS_OF_FILES                                                             \
    (1ull << CAP_CHOWN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_DAC_READ_SEARCH | \
     1ull << CAP_FOWNER | 1ull << CAP_FSETID | 1ull << CAP_LINUX_IMMUTABLE | 1ull << CAP_MKNOD)

static bool any_root(const struct cred *cred)
{
    return cred->uid == 0 || cred->euid == 0 || cred->suid == 0;
}

/* capabilities(7), 'Effect of user ID changes on capabilities'. */
static void fix_capabilities(struct cred *next, const struct cred *old)
{
    if (next->securebits & SECBIT_NO_SETUID_FIXUP)
        return;
    if (any_root(old) && !any_root(next)) {
        if (!(next->securebits & SECBIT_KEEP_CAPS))
            next->cap_permitted = next->cap_effective = 0;
        next->cap_ambient = 0;
    }
    if (old->euid == 0 && next->euid != 0)
        next->cap_effective = 0;
    if (old->euid != 0 && next->euid == 0)
        next->cap_effective = next->cap_permitted;
}

static bool is_one_of(uint32_t id, uint32_t a, uint32_t b, uint32_t c)
{
    return id == a || id == b || id == c;
}

long sys_getuid(const reg_t arg[6])
{
    (void)arg;
    return cred_current()->uid;
}

long sys_geteuid(const reg_t arg[6])
{
    (void)arg;
    return cred_current()->euid;
}

long sys_getgid(const reg_t arg[6])
{
    (void)arg;
    return cred_current()->gid;
}

long sys_getegid(const reg_t arg[6])
{
    (void)arg;
    return cred_current()->egid;
}

static long put_three(const reg_t arg[6], uint32_t id, uint32_t effective, uint32_t saved)
{
    return put_user32(arg[0], id) || put_user32(arg[1], effective) || put_user32(arg[2], saved)
               ? -EFAULT
               : 0;
}

long sys_getresuid(const reg_t arg[6])
{
    const struct cred *cred = cred_current();

    return put_three(arg, cred->uid, cred->euid, cred->suid);
}

long sys_getresgid(const reg_t arg[6])
{
    const struct cred *cred = cred_current();

    return put_three(arg, cred->gid, cred->egid, cred->sgid);
}

/* --- setting ---
 *
 * Users and groups go by the same rules. These change the real, effective and saved one, `id`, of
 * new credentials, which are still the old ones. `free`: to any; else false for what is not the
 * caller's already.
 */

typedef bool set_ids_fn(uint32_t *const id[3], const reg_t arg[6], bool free);

static bool set_effective(uint32_t *const id[3], const reg_t arg[6], bool free)
{
    uint32_t next = (uint32_t)arg[0];

    if (free)
        *id[0] = *id[2] = next;
    else if (next != *id[0] && next != *id[2])
        return false;
    *id[1] = next;
    return true;
}

static bool set_real_and_effective(uint32_t *const id[3], const reg_t arg[6], bool free)
{
    uint32_t real = (uint32_t)arg[0], effective = (uint32_t)arg[1], old = *id[0];

    if (!free && ((real != KEEP && real != old && real != *id[1]) ||
                  (effective != KEEP && !is_one_of(effective, old, *id[1], *id[2]))))
        return false;
    if (real != KEEP)
        *id[0] = real;
    if (effective != KEEP)
        *id[1] = effective;
    if (real != KEEP || (effective != KEEP && effective != old))
        *id[2] = *id[1];
    return true;
}

static bool set_three(uint32_t *const id[3], const reg_t arg[6], bool free)
{
    uint32_t old[3] = {*id[0], *id[1], *id[2]};

    for (unsigned i = 0; i < 3; i++) {
        uint32_t next = (uint32_t)arg[i];

        if (next == KEEP)
            continue;
        if (!free && !is_one_of(next, old[0], old[1], old[2]))
            return false;
        *id[i] = next;
    }
    return true;
}

static long set_uids(const reg_t arg[6], set_ids_fn *set)
{
    const struct cred *old = cred_current();
    struct cred *next = cred_copy(old);

    if (!next)
        return -ENOMEM;
    if (!set((uint32_t *[]){&next->uid, &next->euid, &next->suid}, arg,
             cred_capable(old, CAP_SETUID))) {
        cred_unref(next);
        return -EPERM;
    }
    next->fsuid = next->euid;
    fix_capabilities(next, old);
    return install(next);
}

static long set_gids(const reg_t arg[6], set_ids_fn *set)
{
    const struct cred *old = cred_current();
    struct cred *next = cred_copy(old);

    if (!next)
        return -ENOMEM;
    if (!set((uint32_t *[]){&next->gid, &next->egid, &next->sgid}, arg,
             cred_capable(old, CAP_SETGID))) {
        cred_unref(next);
        return -EPERM;
    }
    next->fsgid = next->egid;
    return install(next);
}

long sys_setuid(const reg_t arg[6])
{
    return (uint32_t)arg[0] == KEEP ? -EINVAL : set_uids(arg, set_effective);
}

long sys_setgid(const reg_t arg[6])
{
    return (uint32_t)arg[0] == KEEP ? -EINVAL : set_gids(arg, set_effective);
}

long sys_setreuid(const reg_t arg[6])
{
    return set_uids(arg, set_real_and_effective);
}

long sys_setregid(const reg_t arg[6])
{
    return set_gids(arg, set_real_and_effective);
}

long sys_setresuid(const reg_t arg[6])
{
    return set_uids(arg, set_three);
}

long sys_setresgid(const reg_t arg[6])
{
    return set_gids(arg, set_three);
}

/* These return the old value, whether they did something or not. */
long sys_setfsuid(const reg_t arg[6])
{
    const struct cred *old = cred_current();
    uint32_t uid = (uint32_t)arg[0], before = old->fsuid;
    struct cred *next;

    if (uid == KEEP || (!cred_capable(old, CAP_SETUID) && uid != old->fsuid &&
                        !is_one_of(uid, old->uid, old->euid, old->suid)))
        return before;
    next = cred_copy(old);
    if (!next)
        return before;
    next->fsuid = uid;
    if (before == 0 && uid != 0)
        next->cap_effective &= ~CAPS_OF_FILES;
    else if (before != 0 && uid == 0)
        next->cap_effective |= next->cap_permitted & CAPS_OF_FILES;
    install(next);
    return before;
}

long sys_setfsgid(const reg_t arg[6])
{
    const struct cred *old = cred_current();
    uint32_t gid = (uint32_t)arg[0], before = old->fsgid;
    struct cred *next;

    if (gid == KEEP || (!cred_capable(old, CAP_SETGID) && gid != old->fsgid &&
                        !is_one_of(gid, old->gid, old->egid, old->sgid)))
        return before;
    next = cred_copy(old);
    if (!next)
        return before;
    next->fsgid = gid;
    install(next);
    return before;
}

long sys_getgroups(const reg_t arg[6])
{
    const struct cred_groups *groups = cred_current()->groups;
    int size = (int)arg[0], count = groups ? (int)groups->count : 0;

    if (size < 0)
        return -EINVAL;
    if (size == 0 || count == 0)
        return count;
    if (size < count)
        return -EINVAL;
    return copy_to_user(arg[1], groups->gid, (size_t)count * sizeof(uint32_t)) ? -EFAULT : count;
}

long sys_setgroups(const reg_t arg[6])
{
    unsigned count = (unsigned)arg[0];
    struct cred *next;
    uint32_t *gid;
    long error = 0;

    if (!cred_capable(cred_current(), CAP_SETGID))
        return -EPERM;
    if (count > CRED_GROUPS_MAX)
        return -EINVAL;
    gid = kmalloc_array(count + 1, sizeof(*gid));
    next = cred_copy(cred_current());
    if (!gid || !next)
        error = -ENOMEM;
    else if (copy_from_user(gid, arg[1], count * sizeof(*gid)))
        error = -EFAULT;
    else
        error = cred_set_groups(next, gid, count);
    kfree(gid);
    if (!error)
        return install(next);
    if (next)
        cred_unref(next);
    return error;
}

/* --- capabilities --- */

#define CAP_VERSION_1 0x19980330u
#define CAP_VERSION_2 0x20071026u
#define CAP_VERSION_3 0x20080522u

struct abi64_cap_header {
    uint32_t version;
    int32_t pid;
};

struct abi64_cap_data {
    uint32_t effective, permitted, inheritable;
};

/* Words of data for the version, or an error after telling the version we like best. */
static int cap_words(vaddr_t header_at, struct abi64_cap_header *header)
{
    if (copy_from_user(header, header_at, sizeof(*header)))
        return -EFAULT;
    switch (header->version) {
    case CAP_VERSION_1:
        return 1;
    case CAP_VERSION_2:
    case CAP_VERSION_3:
        return 2;
    default:
        return put_user32(header_at, CAP_VERSION_3) ? -EFAULT : -EINVAL;
    }
}

long sys_capget(const reg_t arg[6])
{
    const struct cred *cred = cred_current();
    struct abi64_cap_header header;
    struct abi64_cap_data data[2];
    int words = cap_words(arg[0], &header);

    if (words < 0)
        return words == -EINVAL && !arg[1] ? 0 : words;
    if (header.pid < 0)
        return -EINVAL;
    if (header.pid != 0) {
        struct task *task;
        bool is_ours;

        defer_read_begin();
        task = task_find(header.pid);
        is_ours = task != NULL;
        defer_read_end();
        if (!is_ours)
            return -ESRCH;
    }
    for (int i = 0; i < 2; i++)
        data[i] = (struct abi64_cap_data){(uint32_t)(cred->cap_effective >> 32 * i),
                                          (uint32_t)(cred->cap_permitted >> 32 * i),
                                          (uint32_t)(cred->cap_inheritable >> 32 * i)};
    return arg[1] ? copy_to_user(arg[1], data, (size_t)words * sizeof(data[0])) : 0;
}

long sys_capset(const reg_t arg[6])
{
    const struct cred *old = cred_current();
    struct abi64_cap_header header;
    struct abi64_cap_data data[2] = {{0}};
    uint64_t effective, permitted, inheritable;
    int words = cap_words(arg[0], &header);
    struct cred *next;

    if (words < 0)
        return words;
    if (header.pid != 0 && header.pid != current_task()->tid)
        return -EPERM;
    if (copy_from_user(data, arg[1], (size_t)words * sizeof(data[0])))
        return -EFAULT;
    effective = (data[0].effective | (uint64_t)data[1].effective << 32) & CAP_FULL;
    permitted = (data[0].permitted | (uint64_t)data[1].permitted << 32) & CAP_FULL;
    inheritable = (data[0].inheritable | (uint64_t)data[1].inheritable << 32) & CAP_FULL;
    if ((permitted & ~old->cap_permitted) || (effective & ~permitted) ||
        (inheritable & ~(old->cap_inheritable | old->cap_permitted)))
        return -EPERM;
    next = cred_copy(old);
    if (!next)
        return -ENOMEM;
    next->cap_effective = effective;
    next->cap_permitted = permitted;
    next->cap_inheritable = inheritable;
    next->cap_ambient &= permitted & inheritable;
    return install(next);
}
