/* SPDX-License-Identifier: MIT
 *
 * Calls that tell about or change the system as a whole: uname, names, sysinfo, random numbers, the
 * kernel's log.
 */
#include "system.h"

#include <arch/barrier.h>
#include <arch/uaccess.h>
#include <core/clock.h>
#include <core/ipi.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/percpu.h>
#include <core/sched.h>
#include <core/wait.h>
#include <device/rng.h>
#include <fs/cred.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/memory.h>
#include <mm/page.h>
#include <mm/slab.h>

static struct spinlock names_lock = SPINLOCK_INIT(RANK_TASKS);
static char hostname[HOST_NAME_MAX + 1] = "remora"; /* names_lock */
static char domainname[HOST_NAME_MAX + 1] = "(none)";

static void set_name(char *which, const char *name, size_t length)
{
    reg_t flags = spin_lock_irq(&names_lock);

    memset(which, 0, HOST_NAME_MAX + 1);
    memcpy(which, name, length);
    spin_unlock_irq(&names_lock, flags);
}

static void get_name(const char *which, char *to, size_t size)
{
    reg_t flags = spin_lock_irq(&names_lock);

    strscpy(to, which, size);
    spin_unlock_irq(&names_lock, flags);
}

void system_set_hostname(const char *name)
{
    set_name(hostname, name, min(strlen(name), (size_t)HOST_NAME_MAX));
}

void system_hostname(char *to, size_t size)
{
    get_name(hostname, to, size);
}

void system_domainname(char *to, size_t size)
{
    get_name(domainname, to, size);
}

struct abi64_utsname {
    char sysname[65], nodename[65], release[65], version[65], machine[65], domainname[65];
};

#define PER_LINUX32 0x8

long sys_uname(const reg_t arg[6])
{
    struct abi64_utsname name;

    memset(&name, 0, sizeof(name));
    strscpy(name.sysname, "Linux", sizeof(name.sysname));
    system_hostname(name.nodename, sizeof(name.nodename));
    strscpy(name.release, SYSTEM_RELEASE, sizeof(name.release));
    strscpy(name.version, SYSTEM_VERSION, sizeof(name.version));
    strscpy(name.machine,
            (current_process()->personality & 0xff) == PER_LINUX32 ? "armv8l" : "aarch64",
            sizeof(name.machine));
    system_domainname(name.domainname, sizeof(name.domainname));
    return copy_to_user(arg[0], &name, sizeof(name));
}

static long set_name_from_user(char *which, vaddr_t from, reg_t length)
{
    char name[HOST_NAME_MAX];

    if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
        return -EPERM;
    if (length > HOST_NAME_MAX)
        return -EINVAL;
    if (copy_from_user(name, from, length))
        return -EFAULT;
    set_name(which, name, length);
    return 0;
}

long sys_sethostname(const reg_t arg[6])
{
    return set_name_from_user(hostname, arg[0], arg[1]);
}

long sys_setdomainname(const reg_t arg[6])
{
    return set_name_from_user(domainname, arg[0], arg[1]);
}

struct abi64_sysinfo {
    int64_t uptime;
    uint64_t loads[3], totalram, freeram, sharedram, bufferram, totalswap, freeswap;
    uint16_t procs, pad;
    uint64_t totalhigh, freehigh;
    uint32_t mem_unit;
};
_Static_assert(sizeof(struct abi64_sysinfo) == 112, "struct sysinfo");

static int count_tasks(struct process *process, void *arg)
{
    *(uint16_t *)arg += (uint16_t)process->task_count;
    return 0;
}

long sys_sysinfo(const reg_t arg[6])
{
    struct abi64_sysinfo info;
    struct memory_stats memory;

    memset(&info, 0, sizeof(info));
    memory_get_stats(&memory);
    info.uptime = (int64_t)(clock_monotonic_ns() / NS_PER_SECOND);
    sched_load_average(info.loads);
    info.totalram = memory.total * PAGE_SIZE;
    info.freeram = memory.free * PAGE_SIZE;
    info.sharedram = memory.shared * PAGE_SIZE;
    info.mem_unit = 1;
    process_for_each(count_tasks, &info.procs);
    return copy_to_user(arg[0], &info, sizeof(info));
}

#define GRND_NONBLOCK 1u
#define GRND_RANDOM   2u
#define GRND_INSECURE 4u

/* Signals are looked at between pieces, as random(4) tells of reads of more than 256 bytes. */
long sys_getrandom(const reg_t arg[6])
{
    vaddr_t to = arg[0];
    size_t size = min(arg[1], (reg_t)INT32_MAX), done = 0;
    unsigned flags = (unsigned)arg[2];
    uint8_t piece[256];

    if (flags & ~(GRND_NONBLOCK | GRND_RANDOM | GRND_INSECURE) ||
        (flags & (GRND_RANDOM | GRND_INSECURE)) == (GRND_RANDOM | GRND_INSECURE))
        return -EINVAL;
    while (done < size) {
        size_t count = min(size - done, sizeof(piece));

        rng_bytes(piece, count);
        if (copy_to_user(to + done, piece, count)) {
            memzero_explicit(piece, sizeof(piece));
            return done ? (long)done : -EFAULT;
        }
        done += count;
        if (done < size && signal_is_pending())
            break;
    }
    memzero_explicit(piece, sizeof(piece));
    return (long)done;
}

enum {
    SYSLOG_CLOSE,
    SYSLOG_OPEN,
    SYSLOG_READ,
    SYSLOG_READ_ALL,
    SYSLOG_READ_CLEAR,
    SYSLOG_CLEAR,
    SYSLOG_CONSOLE_OFF,
    SYSLOG_CONSOLE_ON,
    SYSLOG_CONSOLE_LEVEL,
    SYSLOG_SIZE_UNREAD,
    SYSLOG_SIZE_BUFFER,
};

#define SYSLOG_MAX (64u << 10)

static long read_log(vaddr_t to, size_t size)
{
    char *text;
    size_t got;
    long result;

    size = min(size, (size_t)SYSLOG_MAX);
    text = kmalloc(size + 1);
    if (!text)
        return -ENOMEM;
    got = log_read(text, size);
    result = copy_to_user(to, text, got) ? -EFAULT : (long)got;
    kfree(text);
    return result;
}

long sys_syslog(const reg_t arg[6])
{
    int type = (int)arg[0];

    if (!cred_capable(cred_current(), CAP_SYS_ADMIN))
        return -EPERM;
    switch (type) {
    case SYSLOG_CLOSE:
    case SYSLOG_OPEN:
        return 0;
    case SYSLOG_READ_ALL:
        if (!arg[1] || (int)arg[2] < 0)
            return -EINVAL;
        return read_log(arg[1], (size_t)(int)arg[2]);
    case SYSLOG_SIZE_BUFFER:
        return SYSLOG_MAX;
    default:
        return type < 0 || type > SYSLOG_SIZE_BUFFER ? -EINVAL : -EOPNOTSUPP;
    }
}

#define PERSONALITY_QUERY 0xffffffffu

long sys_personality(const reg_t arg[6])
{
    struct process *process = current_process();
    uint32_t old = process->personality;

    if ((uint32_t)arg[0] != PERSONALITY_QUERY)
        process->personality = (uint32_t)arg[0];
    return old;
}

enum {
    MEMBARRIER_QUERY = 0,
    MEMBARRIER_GLOBAL = 1,
    MEMBARRIER_GLOBAL_EXPEDITED = 2,
    MEMBARRIER_REGISTER_GLOBAL_EXPEDITED = 4,
    MEMBARRIER_PRIVATE_EXPEDITED = 8,
    MEMBARRIER_REGISTER_PRIVATE_EXPEDITED = 16,
    MEMBARRIER_PRIVATE_SYNC_CORE = 32,
    MEMBARRIER_REGISTER_PRIVATE_SYNC_CORE = 64,
};

/* An interrupt is a context synchronisation event on every CPU, with a barrier on both ways. */
static void barrier_on_cpu(void *arg)
{
    (void)arg;
    smp_mb();
}

long sys_membarrier(const reg_t arg[6])
{
    struct process *process = current_process();

    if (arg[1] != 0)
        return -EINVAL;
    switch ((int)arg[0]) {
    case MEMBARRIER_QUERY:
        return 127;
    case MEMBARRIER_PRIVATE_EXPEDITED:
        if (!READ_ONCE(process->private_barriers))
            return -EPERM;
        break;
    case MEMBARRIER_PRIVATE_SYNC_CORE:
        if (!READ_ONCE(process->core_barriers))
            return -EPERM;
        break;
    case MEMBARRIER_GLOBAL:
    case MEMBARRIER_GLOBAL_EXPEDITED:
        break;
    case MEMBARRIER_REGISTER_PRIVATE_EXPEDITED:
        WRITE_ONCE(process->private_barriers, true);
        return 0;
    case MEMBARRIER_REGISTER_PRIVATE_SYNC_CORE:
        WRITE_ONCE(process->core_barriers, true);
        return 0;
    case MEMBARRIER_REGISTER_GLOBAL_EXPEDITED:
        return 0;
    default:
        return -EINVAL;
    }
    smp_mb();
    ipi_call(&cpu_online_mask, barrier_on_cpu, NULL, true);
    return 0;
}

/* Restartable sequences are not offered: C libraries do without. Not counted as absent, since every
 * program asks. */
long sys_rseq(const reg_t arg[6])
{
    (void)arg;
    return -ENOSYS;
}
