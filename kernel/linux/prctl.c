/* SPDX-License-Identifier: MIT
 *
 * prctl(2): what concerns one thread or process and has no call of its own.
 */
#include <arch/alternative.h>
#include <arch/features.h>
#include <arch/pointer_auth.h>
#include <arch/sve.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <device/rng.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/vmspace.h>

enum {
    PR_SET_PDEATHSIG = 1,
    PR_GET_PDEATHSIG = 2,
    PR_GET_DUMPABLE = 3,
    PR_SET_DUMPABLE = 4,
    PR_GET_KEEPCAPS = 7,
    PR_SET_KEEPCAPS = 8,
    PR_GET_TIMING = 13,
    PR_SET_TIMING = 14,
    PR_SET_NAME = 15,
    PR_GET_NAME = 16,
    PR_GET_SECCOMP = 21,
    PR_CAPBSET_READ = 23,
    PR_CAPBSET_DROP = 24,
    PR_GET_SECUREBITS = 27,
    PR_SET_SECUREBITS = 28,
    PR_SET_TIMERSLACK = 29,
    PR_GET_TIMERSLACK = 30,
    PR_SET_CHILD_SUBREAPER = 36,
    PR_GET_CHILD_SUBREAPER = 37,
    PR_SET_NO_NEW_PRIVS = 38,
    PR_GET_NO_NEW_PRIVS = 39,
    PR_GET_TID_ADDRESS = 40,
    PR_SET_THP_DISABLE = 41,
    PR_GET_THP_DISABLE = 42,
    PR_CAP_AMBIENT = 47,
    PR_SVE_SET_VL = 50,
    PR_SVE_GET_VL = 51,
    PR_PAC_RESET_KEYS = 54,
    PR_SET_TAGGED_ADDR_CTRL = 55,
    PR_GET_TAGGED_ADDR_CTRL = 56,
    PR_PAC_SET_ENABLED_KEYS = 60,
    PR_PAC_GET_ENABLED_KEYS = 61,
};

enum {
    PR_CAP_AMBIENT_IS_SET = 1,
    PR_CAP_AMBIENT_RAISE,
    PR_CAP_AMBIENT_LOWER,
    PR_CAP_AMBIENT_CLEAR_ALL
};

/* Flags of PR_SVE_SET_VL, and of what both calls return. */
#define SVE_VL_MASK    0xffffu
#define SVE_VL_INHERIT (1u << 17)
#define SVE_VL_ON_EXEC (1u << 18)

#define SECBIT_KEEP_CAPS 16u
#define SECBITS_ALL      0xffu
#define SUID_DUMP_USER   1
#define DEFAULT_SLACK_NS 50000

static long set_name(vaddr_t from)
{
    char name[16];
    ssize_t length = strncpy_from_user(name, from, sizeof(name) - 1);

    if (length < 0)
        return length;
    name[length < (ssize_t)sizeof(name) ? length : (ssize_t)sizeof(name) - 1] = 0;
    thread_set_name(current(), name);
    return 0;
}

static long get_name(vaddr_t to)
{
    char name[16] = {0};

    strscpy(name, current()->name, sizeof(name));
    return copy_to_user(to, name, sizeof(name));
}

static long set_death_signal(int signo)
{
    if (signo < 0 || signo > SIGNALS)
        return -EINVAL;
    current_task()->parent_death_signal = signo;
    return 0;
}

/* Changes the caller's credentials through a copy. */
static long change_cred(uint64_t set_bounding_out, uint64_t ambient, uint32_t securebits)
{
    struct cred *next = cred_copy(current_task()->cred);

    if (!next)
        return -ENOMEM;
    next->cap_bounding &= ~set_bounding_out;
    next->cap_ambient = ambient;
    next->securebits = securebits;
    cred_unref(task_swap_cred(next));
    return 0;
}

static long bounding_drop(reg_t capability)
{
    const struct cred *cred = cred_current();

    if (!cred_capable(cred, CAP_SETPCAP))
        return -EPERM;
    if (capability > CAP_LAST)
        return -EINVAL;
    return change_cred(1ull << capability, cred->cap_ambient, cred->securebits);
}

static long set_securebits(reg_t bits)
{
    const struct cred *cred = cred_current();

    if (bits & ~(reg_t)SECBITS_ALL || !cred_capable(cred, CAP_SETPCAP))
        return -EPERM;
    return change_cred(0, cred->cap_ambient, (uint32_t)bits);
}

static long set_keepcaps(reg_t on)
{
    const struct cred *cred = cred_current();

    if (on > 1)
        return -EINVAL;
    return change_cred(0, cred->cap_ambient,
                       (cred->securebits & ~SECBIT_KEEP_CAPS) | (on ? SECBIT_KEEP_CAPS : 0));
}

static long ambient(const reg_t arg[6])
{
    const struct cred *cred = cred_current();
    reg_t capability = arg[2];
    uint64_t bit = 1ull << (capability & 63);

    if (arg[1] == PR_CAP_AMBIENT_CLEAR_ALL)
        return arg[2] | arg[3] | arg[4] ? -EINVAL : change_cred(0, 0, cred->securebits);
    if (arg[3] | arg[4] || capability > CAP_LAST)
        return -EINVAL;
    switch (arg[1]) {
    case PR_CAP_AMBIENT_IS_SET:
        return (cred->cap_ambient & bit) != 0;
    case PR_CAP_AMBIENT_RAISE:
        if (!(cred->cap_permitted & cred->cap_inheritable & bit))
            return -EPERM;
        return change_cred(0, cred->cap_ambient | bit, cred->securebits);
    case PR_CAP_AMBIENT_LOWER:
        return change_cred(0, cred->cap_ambient & ~bit, cred->securebits);
    default:
        return -EINVAL;
    }
}

static long prctl_cred(const reg_t arg[6])
{
    const struct cred *cred = cred_current();

    switch ((int)arg[0]) {
    case PR_GET_KEEPCAPS:
        return (cred->securebits & SECBIT_KEEP_CAPS) != 0;
    case PR_SET_KEEPCAPS:
        return set_keepcaps(arg[1]);
    case PR_CAPBSET_READ:
        return arg[1] > CAP_LAST ? -EINVAL : (long)(cred->cap_bounding >> arg[1] & 1);
    case PR_CAPBSET_DROP:
        return bounding_drop(arg[1]);
    case PR_GET_SECUREBITS:
        return cred->securebits;
    case PR_SET_SECUREBITS:
        return set_securebits(arg[1]);
    case PR_CAP_AMBIENT:
        return ambient(arg);
    default:
        return -EINVAL;
    }
}

static long sve_get_length(void)
{
    const struct sve_length *length = &current()->sve;

    if (!sve_supported())
        return -EINVAL;
    return (long)length->vq * SVE_VQ_BYTES | (length->inherit ? SVE_VL_INHERIT : 0);
}

static long sve_set_length(reg_t request)
{
    unsigned bytes = (unsigned)request & SVE_VL_MASK;

    if (request & ~(reg_t)(SVE_VL_MASK | SVE_VL_INHERIT | SVE_VL_ON_EXEC))
        return -EINVAL;
    int result =
        sve_length_set(bytes, (request & SVE_VL_INHERIT) != 0, (request & SVE_VL_ON_EXEC) != 0);

    return result < 0 ? result : result | (long)(request & SVE_VL_INHERIT);
}

static long prctl_process(const reg_t arg[6])
{
    struct process *process = current_process();

    switch ((int)arg[0]) {
    case PR_GET_DUMPABLE:
        return process->dumpable;
    case PR_SET_DUMPABLE:
        if (arg[1] > SUID_DUMP_USER)
            return -EINVAL;
        process->dumpable = arg[1];
        return 0;
    case PR_SET_CHILD_SUBREAPER:
        process->child_subreaper = arg[1] != 0;
        return 0;
    case PR_GET_CHILD_SUBREAPER:
        return put_user32(arg[1], process->child_subreaper);
    case PR_SET_NO_NEW_PRIVS:
        if (arg[1] != 1 || arg[2] | arg[3] | arg[4])
            return -EINVAL;
        process->no_new_privs = true;
        return 0;
    case PR_GET_NO_NEW_PRIVS:
        return arg[1] | arg[2] | arg[3] | arg[4] ? -EINVAL : process->no_new_privs;
    case PR_SET_THP_DISABLE:
        if (arg[2] | arg[3] | arg[4])
            return -EINVAL;
        process->thp_disabled = arg[1] != 0;
        return 0;
    case PR_GET_THP_DISABLE:
        return arg[1] | arg[2] | arg[3] | arg[4] ? -EINVAL : process->thp_disabled;
    default:
        return prctl_cred(arg);
    }
}

/* prctl(2): no key named means all of them. The kernel's PR_PAC_AP* bits are those of PAC_ALL. */
static long reset_keys(reg_t which)
{
    struct pac_keys fresh;

    if ((which & ~(reg_t)PAC_ALL) || ((which & PAC_GENERIC) && !(features_hwcap() & HWCAP_PACG)))
        return -EINVAL;
    rng_bytes(&fresh, sizeof(fresh));
    pac_set_keys(which ? (unsigned)which : PAC_ALL, &fresh);
    return 0;
}

static long prctl_keys(const reg_t arg[6])
{
    bool rest = (arg[3] | arg[4]) != 0;

    if (!cpu_has(CAP_PAUTH))
        return -EINVAL;
    switch ((int)arg[0]) {
    case PR_PAC_RESET_KEYS:
        return arg[2] || rest ? -EINVAL : reset_keys(arg[1]);
    case PR_PAC_SET_ENABLED_KEYS:
        if ((arg[1] & ~(reg_t)PAC_ADDRESSES) || (arg[2] & ~arg[1]) || rest)
            return -EINVAL;
        pac_set_enabled((pac_enabled() & ~(unsigned)arg[1]) | (unsigned)arg[2]);
        return 0;
    case PR_PAC_GET_ENABLED_KEYS:
        return arg[1] || arg[2] || rest ? -EINVAL : (long)pac_enabled();
    default:
        return -EINVAL;
    }
}

#define PR_TAGGED_ADDR_ENABLE 1

/* Pointers with tags as arguments of calls; the rest of the control is of MTE, which is not
 * offered. */
static long prctl_tags(const reg_t arg[6])
{
    reg_t rest = arg[2] | arg[3] | arg[4];

    if ((int)arg[0] == PR_GET_TAGGED_ADDR_CTRL)
        return arg[1] | rest ? -EINVAL : current()->user_tags * PR_TAGGED_ADDR_ENABLE;
    if ((arg[1] & ~(reg_t)PR_TAGGED_ADDR_ENABLE) || rest)
        return -EINVAL;
    current()->user_tags = arg[1] != 0;
    return 0;
}

long sys_prctl(const reg_t arg[6])
{
    struct task *task = current_task();

    switch ((int)arg[0]) {
    case PR_SET_NAME:
        return set_name(arg[1]);
    case PR_GET_NAME:
        return get_name(arg[1]);
    case PR_SET_PDEATHSIG:
        return set_death_signal((int)arg[1]);
    case PR_GET_PDEATHSIG:
        return put_user32(arg[1], (uint32_t)task->parent_death_signal);
    case PR_PAC_RESET_KEYS:
    case PR_PAC_SET_ENABLED_KEYS:
    case PR_PAC_GET_ENABLED_KEYS:
        return prctl_keys(arg);
    case PR_SET_TAGGED_ADDR_CTRL:
    case PR_GET_TAGGED_ADDR_CTRL:
        return prctl_tags(arg);
    case PR_GET_TIMING:
        return 0;
    case PR_SET_TIMING:
        return arg[1] ? -EINVAL : 0;
    case PR_GET_SECCOMP:
        return 0;
    case PR_SET_TIMERSLACK:
        task->timer_slack_ns = arg[1] ? arg[1] : DEFAULT_SLACK_NS;
        return 0;
    case PR_GET_TIMERSLACK:
        return (long)task->timer_slack_ns;
    case PR_SVE_SET_VL:
        return sve_set_length(arg[1]);
    case PR_SVE_GET_VL:
        return sve_get_length();
    case PR_GET_TID_ADDRESS:
        return put_user64(arg[1], task->clear_child_tid);
    default:
        return prctl_process(arg);
    }
}
