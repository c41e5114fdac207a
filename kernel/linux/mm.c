/* SPDX-License-Identifier: MIT */
/*
 * Memory calls: mmap(2) and what goes with it. The work is mm's; here flags are translated and
 * files, access modes and capabilities checked, in Linux's order. Addresses of all calls but mmap,
 * mremap's target and brk may carry a tag (tagged-address-abi of arm64).
 */
#include <arch/alternative.h>
#include <arch/features.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <fs/cred.h>
#include <fs/mount.h>
#include <fs/open.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/memory.h>
#include <mm/slab.h>
#include <mm/vmspace.h>

#include "map_owner.h"

#define PROT_SEM       0x8
#define PROT_BTI       0x10
#define PROT_GROWSDOWN 0x01000000UL
#define PROT_GROWSUP   0x02000000UL

#define MAP_SHARED          0x01
#define MAP_PRIVATE         0x02
#define MAP_SHARED_VALIDATE 0x03
#define MAP_TYPE            0x0f
#define MAP_FIXED           0x10
#define MAP_ANONYMOUS       0x20
#define MAP_GROWSDOWN       0x100
#define MAP_LOCKED          0x2000
#define MAP_NORESERVE       0x4000
#define MAP_POPULATE        0x8000
#define MAP_NONBLOCK        0x10000
#define MAP_STACK           0x20000
#define MAP_HUGETLB         0x40000
#define MAP_SYNC            0x80000
#define MAP_FIXED_NOREPLACE 0x100000
#define MAP_LEGACY          0x417fffUL /* what MAP_SHARED_VALIDATE knows, with MAP_TYPE */

#define MREMAP_MAYMOVE   1
#define MREMAP_FIXED     2
#define MREMAP_DONTUNMAP 4

#define MS_ASYNC      1
#define MS_INVALIDATE 2
#define MS_SYNC       4

#define MCL_CURRENT 1
#define MCL_FUTURE  2
#define MCL_ONFAULT 4

#define MLOCK_ONFAULT 1

#define SEALS_AGAINST_WRITE (0x8 | 0x10) /* F_SEAL_WRITE, F_SEAL_FUTURE_WRITE */

/* PROT_* as VM_*. PROT_BTI is nothing where the CPUs have none, and means nothing without access.
 */
static unsigned area_prot(reg_t prot)
{
    unsigned access = prot & VM_PROT_MASK;

    return (prot & PROT_BTI) && access && cpu_has(CAP_BTI) ? access | VM_BTI : access;
}

static struct vmspace *current_space(void)
{
    return current()->vmspace;
}

/* CAP_IPC_LOCK lifts RLIMIT_MEMLOCK; looked at by each call that may lock. */
static void note_lock_privilege(void)
{
    current_space()->memlock_unlimited = cred_capable(cred_current(), CAP_IPC_LOCK);
}

static bool may_lock(void)
{
    note_lock_privilege();
    return current_space()->limit_memlock != 0 || current_space()->memlock_unlimited;
}

/* --- mmap --- */

static unsigned area_flags(unsigned flags)
{
    unsigned result = 0;

    result |= flags & MAP_FIXED ? VM_FIXED : 0;
    result |= flags & MAP_FIXED_NOREPLACE ? VM_FIXED | VM_NOREPLACE : 0;
    result |= flags & MAP_GROWSDOWN ? VM_GROWSDOWN : 0;
    result |= flags & MAP_LOCKED ? VM_LOCKED : 0;
    result |= flags & MAP_NORESERVE ? VM_NORESERVE : 0;
    result |= (flags & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE ? VM_POPULATE : 0;
    result |= flags & MAP_STACK ? VM_STACK : 0;
    return result;
}

static long map_anonymous(struct vm_request *request, unsigned flags)
{
    vaddr_t addr = 0;
    int error;

    request->offset = 0;
    if ((flags & MAP_TYPE) == MAP_SHARED) {
        if (flags & MAP_GROWSDOWN)
            return -EINVAL;
        request->object = object_create_shared();
        if (request->object == NULL)
            return -ENOMEM;
        request->flags |= VM_SHARED;
        request->name = "/dev/zero (deleted)";
    } else if ((flags & MAP_TYPE) != MAP_PRIVATE) {
        return -EINVAL;
    }
    error = vm_map_request(current_space(), request, &addr);
    if (request->object != NULL)
        object_unref(request->object);
    return error != 0 ? error : (long)addr;
}

/* What a shared mapping of the file may do, in request->max_prot. */
static int check_shared(struct file *file, struct vm_request *request, unsigned flags)
{
    int seals = fs_get_seals(file);

    if ((flags & MAP_TYPE) == MAP_SHARED_VALIDATE && (flags & ~MAP_LEGACY))
        return -EOPNOTSUPP; /* MAP_SYNC among them: there is no persistent memory */
    if (request->prot & VM_WRITE) {
        if (!(file->access & FILE_WRITE) || (file->flags & O_APPEND && file->inode != NULL))
            return -EACCES;
        if (seals > 0 && (seals & SEALS_AGAINST_WRITE))
            return -EPERM;
    }
    if (!(file->access & FILE_WRITE) || (seals > 0 && (seals & SEALS_AGAINST_WRITE)))
        request->max_prot &= ~VM_WRITE;
    request->flags |= VM_SHARED;
    return 0;
}

static int check_file(struct file *file, struct vm_request *request, unsigned flags)
{
    int error = 0;

    request->max_prot = VM_PROT_MASK;
    switch (flags & MAP_TYPE) {
    case MAP_SHARED:
    case MAP_SHARED_VALIDATE:
        error = check_shared(file, request, flags);
        break;
    case MAP_PRIVATE:
        break;
    default:
        return -EINVAL;
    }
    if (error != 0)
        return error;
    if (!(file->access & FILE_READ))
        return -EACCES;
    if (file->mount != NULL && (file->mount->flags & MS_NOEXEC)) {
        if (request->prot & VM_EXEC)
            return -EPERM;
        request->max_prot &= ~VM_EXEC;
    }
    if (file->ops->object == NULL)
        return -ENODEV;
    return flags & MAP_GROWSDOWN ? -EINVAL : 0;
}

static long map_file(struct file *file, struct vm_request *request, unsigned flags)
{
    vaddr_t addr = 0;
    int error = check_file(file, request, flags);

    if (error != 0)
        return error;
    request->object = file->ops->object(file);
    if (request->object == NULL)
        return -ENODEV;
    request->owner_ops = &map_owner_ops;
    request->owner = file;
    error = vm_map_request(current_space(), request, &addr);
    object_unref(request->object);
    return error != 0 ? error : (long)addr;
}

/* Errors that come before any look at the kind of file. */
static int check_range(const struct vm_request *request)
{
    size_t len = align_up(request->len, PAGE_SIZE);

    if (request->len == 0)
        return -EINVAL;
    if (len == 0)
        return -ENOMEM;
    if ((request->offset >> PAGE_SHIFT) + (len >> PAGE_SHIFT) < request->offset >> PAGE_SHIFT ||
        request->offset + len < request->offset)
        return -EOVERFLOW;
    if (len > USER_TOP)
        return -ENOMEM;
    if (!(request->flags & VM_FIXED))
        return 0;
    if (!user_range_ok(request->hint, len))
        return -ENOMEM;
    return is_aligned(request->hint, PAGE_SIZE) ? 0 : -EINVAL;
}

static long do_mmap(vaddr_t hint, size_t len, unsigned prot, unsigned flags, unsigned fd,
                    uint64_t offset)
{
    struct vm_request request = {
        .hint = hint,
        .len = len,
        .prot = area_prot(prot),
        .flags = area_flags(flags),
        .offset = offset,
    };
    struct fd found = {NULL, false};
    long result;

    if (!is_aligned(offset, PAGE_SIZE))
        return -EINVAL;
    if (!(flags & MAP_ANONYMOUS)) {
        found = fd_get(current_files(), fd);
        if (found.file == NULL || (found.file->access & FILE_PATH)) {
            fd_put(found);
            return -EBADF;
        }
    }
    if (flags & MAP_HUGETLB)
        result = flags & MAP_ANONYMOUS ? -ENOMEM : -EINVAL; /* no pool of huge pages is reserved */
    else
        result = check_range(&request);
    if (result == 0 && (flags & MAP_LOCKED) && !may_lock())
        result = -EPERM;
    if (result == 0)
        result = flags & MAP_ANONYMOUS ? map_anonymous(&request, flags)
                                       : map_file(found.file, &request, flags);
    if (found.file != NULL)
        fd_put(found);
    return result;
}

long sys_mmap(const reg_t arg[6])
{
    return do_mmap(arg[0], arg[1], (unsigned)arg[2], (unsigned)arg[3], (unsigned)arg[4], arg[5]);
}

long sys_munmap(const reg_t arg[6])
{
    return vm_unmap(current_space(), user_untagged(arg[0]), arg[1]);
}

/* --- mprotect --- */

struct bottom {
    vaddr_t addr, start;
};

static int find_bottom(const struct vm_area *area, void *arg)
{
    struct bottom *bottom = arg;

    if (bottom->addr >= area->end)
        return 0;
    if (bottom->addr < area->start)
        return -ENOMEM;
    if (!(area->flags & VM_GROWSDOWN))
        return -EINVAL;
    bottom->start = area->start;
    return 1;
}

static long do_mprotect(vaddr_t addr, size_t len, reg_t prot)
{
    reg_t grows = prot & (PROT_GROWSDOWN | PROT_GROWSUP);

    prot &= ~grows;
    if (grows == (PROT_GROWSDOWN | PROT_GROWSUP) || !is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (len == 0)
        return 0;
    if (align_up(len, PAGE_SIZE) == 0 || addr + align_up(len, PAGE_SIZE) <= addr)
        return -ENOMEM;
    if (prot & ~(reg_t)(VM_PROT_MASK | PROT_SEM | PROT_BTI) ||
        ((prot & PROT_BTI) && !cpu_has(CAP_BTI)))
        return -EINVAL;
    if (grows & PROT_GROWSUP)
        return -EINVAL;
    if (grows & PROT_GROWSDOWN) {
        struct bottom bottom = {.addr = addr};
        int found = vm_for_each_area(current_space(), find_bottom, &bottom);

        if (found <= 0)
            return found == 0 ? -ENOMEM : found;
        len += addr - bottom.start;
        addr = bottom.start;
    }
    return vm_protect(current_space(), addr, len, area_prot(prot));
}

long sys_mprotect(const reg_t arg[6])
{
    return do_mprotect(user_untagged(arg[0]), arg[1], arg[2]);
}

/* Without protection keys in the CPU, -1 is the only key there is. */
long sys_pkey_mprotect(const reg_t arg[6])
{
    return (int)arg[3] == -1 ? do_mprotect(user_untagged(arg[0]), arg[1], arg[2]) : -EINVAL;
}

/* --- mremap, brk --- */

long sys_mremap(const reg_t arg[6])
{
    unsigned flags = 0;
    vaddr_t addr = 0;
    int error;

    if (arg[3] & ~(reg_t)(MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP))
        return -EINVAL;
    flags |= arg[3] & MREMAP_MAYMOVE ? REMAP_MAYMOVE : 0;
    flags |= arg[3] & MREMAP_FIXED ? REMAP_FIXED : 0;
    flags |= arg[3] & MREMAP_DONTUNMAP ? REMAP_DONTUNMAP : 0;
    note_lock_privilege();
    error = vm_remap(current_space(), user_untagged(arg[0]), arg[1], arg[2], flags, arg[4], &addr);
    return error != 0 ? error : (long)addr;
}

long sys_brk(const reg_t arg[6])
{
    return (long)vm_brk(current_space(), arg[0]);
}

/* --- advice and questions --- */

long sys_madvise(const reg_t arg[6])
{
    return vm_advise(current_space(), user_untagged(arg[0]), arg[1], (int)arg[2]);
}

static long do_msync(vaddr_t addr, size_t len, unsigned flags)
{
    if (flags & ~(unsigned)(MS_ASYNC | MS_INVALIDATE | MS_SYNC))
        return -EINVAL;
    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if ((flags & MS_ASYNC) && (flags & MS_SYNC))
        return -EINVAL;
    if (len != 0 && align_up(len, PAGE_SIZE) == 0)
        return -ENOMEM;
    return vm_sync(current_space(), addr, len, (flags & MS_SYNC) != 0,
                   (flags & MS_INVALIDATE) != 0);
}

long sys_msync(const reg_t arg[6])
{
    return do_msync(user_untagged(arg[0]), arg[1], (unsigned)arg[2]);
}

#define MINCORE_STEP 4096UL /* pages asked about at once */

static long do_mincore(vaddr_t addr, size_t len, vaddr_t vec)
{
    size_t pages = len / PAGE_SIZE + (len % PAGE_SIZE != 0);
    unsigned char *answers;
    int error = 0;

    if (!is_aligned(addr, PAGE_SIZE))
        return -EINVAL;
    if (!user_range_ok(addr, len))
        return -ENOMEM;
    if (!user_access_ok(vec, pages))
        return -EFAULT;
    answers = kmalloc(min(pages, MINCORE_STEP) + 1);
    if (answers == NULL)
        return -EAGAIN;
    while (pages > 0 && error == 0) {
        size_t step = min(pages, MINCORE_STEP);

        error = vm_residence(current_space(), addr, step * PAGE_SIZE, answers);
        if (error == 0)
            error = copy_to_user(vec, answers, step);
        addr += step * PAGE_SIZE;
        vec += step;
        pages -= step;
    }
    kfree(answers);
    return error;
}

__cold long sys_mincore(const reg_t arg[6])
{
    return do_mincore(user_untagged(arg[0]), arg[1], arg[2]);
}

/* --- locking --- */

static long do_mlock(vaddr_t addr, size_t len, unsigned flags)
{
    return may_lock() ? vm_lock(current_space(), addr, len, flags) : -EPERM;
}

long sys_mlock(const reg_t arg[6])
{
    return do_mlock(user_untagged(arg[0]), arg[1], VM_LOCKED);
}

long sys_mlock2(const reg_t arg[6])
{
    if (arg[2] & ~(reg_t)MLOCK_ONFAULT)
        return -EINVAL;
    return do_mlock(user_untagged(arg[0]), arg[1],
                    VM_LOCKED | (arg[2] & MLOCK_ONFAULT ? VM_LOCKONFAULT : 0));
}

long sys_munlock(const reg_t arg[6])
{
    return vm_lock(current_space(), user_untagged(arg[0]), arg[1], 0);
}

long sys_mlockall(const reg_t arg[6])
{
    reg_t how = arg[0];

    if (how == 0 || how == MCL_ONFAULT || (how & ~(reg_t)(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT)))
        return -EINVAL;
    if (!may_lock())
        return -EPERM;
    return vm_lock_all(current_space(), VM_LOCKED | (how & MCL_ONFAULT ? VM_LOCKONFAULT : 0),
                       (how & MCL_CURRENT) != 0, (how & MCL_FUTURE) != 0);
}

long sys_munlockall(const reg_t arg[6])
{
    (void)arg;
    return vm_lock_all(current_space(), 0, true, false);
}
