/* SPDX-License-Identifier: MIT */
/*
 * Memory policies (set_mempolicy(2), get_mempolicy(2), mbind(2)) and moving pages between nodes
 * (migrate_pages(2), move_pages(2)) where there is one node, 0: all memory is where every policy
 * wants it. A thread's policy is kept, for get_mempolicy and its new threads; one of an area is
 * checked and then not kept.
 */
#include <arch/uaccess.h>
#include <core/thread.h>
#include <fs/cred.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>
#include <linux/syscalls.h>
#include <mm/vmspace.h>

#include "process_internal.h"

enum { MPOL_DEFAULT, MPOL_PREFERRED, MPOL_BIND, MPOL_INTERLEAVE, MPOL_LOCAL, MPOL_MANY, MODES };

#define MPOL_F_STATIC_NODES   0x8000U /* with set_mempolicy and mbind: in the mode */
#define MPOL_F_RELATIVE_NODES 0x4000U
#define MPOL_F_NUMA_BALANCING 0x2000U

#define MPOL_F_NODE         1U /* with get_mempolicy */
#define MPOL_F_ADDR         2U
#define MPOL_F_MEMS_ALLOWED 4U

#define MPOL_MF_MOVE     2U
#define MPOL_MF_MOVE_ALL 4U
#define MPOL_MF_VALID    7U

#define THE_NODES 1U                        /* a mask: node 0 */
#define BITS_MAX  ((reg_t)PAGE_SIZE * 8)    /* of a program's mask */
#define MASK_SIZE ((reg_t)sizeof(uint64_t)) /* bytes that the kernel's mask has */

/* --- masks and policies --- */

/* Linux looks at one bit less than it is told of. Bits that the kernel's mask has not must be 0. */
static int get_nodes(vaddr_t from, reg_t bits, uint64_t *nodes)
{
    uint64_t word;

    *nodes = 0;
    if (--bits == 0 || from == 0)
        return 0;
    if (bits > BITS_MAX)
        return -EINVAL;
    for (reg_t at = 0; at < bits; at += 64) {
        if (get_user64(&word, from + at / 8))
            return -EFAULT;
        if (bits - at < 64)
            word &= BIT64(bits - at) - 1;
        if (at == 0)
            *nodes = word;
        else if (word != 0)
            return -EINVAL;
    }
    return 0;
}

static int put_nodes(vaddr_t to, reg_t bits, uint64_t nodes)
{
    reg_t size = align_up(bits - 1, 64) / 8;

    if (size > PAGE_SIZE)
        return -EINVAL;
    if (size > MASK_SIZE && clear_user(to + MASK_SIZE, size - MASK_SIZE))
        return -EFAULT;
    return copy_to_user(to, &nodes, min(size, MASK_SIZE));
}

/* Mode, flags and nodes as a program gives them; nodes that are not there are left out, unless it
 * wants to be told of those that it gave. */
static int get_policy(struct memory_policy *policy, reg_t mode, vaddr_t from, reg_t bits)
{
    unsigned by_user = mode & (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES);
    unsigned base = (unsigned)mode & ~(by_user | MPOL_F_NUMA_BALANCING);
    uint64_t nodes;
    int error;

    if (base >= MODES || by_user == (MPOL_F_STATIC_NODES | MPOL_F_RELATIVE_NODES) ||
        ((mode & MPOL_F_NUMA_BALANCING) && base != MPOL_BIND))
        return -EINVAL;
    error = get_nodes(from, bits, &nodes);
    if (error != 0)
        return error;
    *policy = (struct memory_policy){(unsigned)mode, THE_NODES};
    if (base == MPOL_DEFAULT || base == MPOL_LOCAL || (base == MPOL_PREFERRED && nodes == 0)) {
        *policy = (struct memory_policy){base == MPOL_DEFAULT ? base : MPOL_LOCAL, 0};
        return nodes != 0 || (by_user && base != MPOL_DEFAULT) ? -EINVAL : 0;
    }
    if (by_user)
        policy->nodes = nodes;
    if (by_user & MPOL_F_RELATIVE_NODES) /* whichever they are, there is one to stand for them */
        return nodes == 0 ? -EINVAL : 0;
    return nodes & THE_NODES ? 0 : -EINVAL;
}

long sys_set_mempolicy(const reg_t arg[6])
{
    struct memory_policy policy;
    int error = get_policy(&policy, (unsigned)arg[0], arg[1], arg[2]);

    if (error == 0)
        current_task()->policy = policy;
    return error;
}

/* --- addresses --- */

/* 0, -EFAULT: nothing is mapped there, -ENOENT: its page is not there. */
static int look_at(struct vmspace *vs, vaddr_t page)
{
    unsigned char is_there;

    if (page >= USER_TOP || vm_residence(vs, page, PAGE_SIZE, &is_there) != 0)
        return -EFAULT;
    return is_there ? 0 : -ENOENT;
}

struct range {
    vaddr_t addr, end;
};

/* 1 behind the end of a range that has no holes. */
static int pass_area(const struct vm_area *area, void *argument)
{
    struct range *range = argument;

    if (range->addr >= area->end)
        return 0;
    if (range->addr < area->start)
        return -EFAULT;
    range->addr = area->end;
    return range->addr >= range->end;
}

long sys_mbind(const reg_t arg[6])
{
    vaddr_t addr = user_untagged(arg[0]);
    size_t len = align_up(arg[1], PAGE_SIZE);
    struct range range = {addr, addr + len};
    struct memory_policy policy;
    int error = get_policy(&policy, (unsigned)arg[2], arg[3], arg[4]);

    if (error != 0)
        return error;
    if ((arg[5] & ~(reg_t)MPOL_MF_VALID) || !is_aligned(addr, PAGE_SIZE) || addr + len < addr)
        return -EINVAL;
    if ((arg[5] & MPOL_MF_MOVE_ALL) && !cred_capable(cred_current(), CAP_SYS_NICE))
        return -EPERM;
    if (len != 0 && vm_for_each_area(current()->vmspace, pass_area, &range) <= 0)
        return -EFAULT;
    return 0;
}

/* What get_mempolicy tells of an address: the node of its page, which comes if it was not there. */
static long ask_address(vaddr_t addr, bool node)
{
    struct vmspace *vs = current()->vmspace;

    addr = align_down(addr, PAGE_SIZE);
    if (look_at(vs, addr) == -EFAULT || (node && vm_populate(vs, addr, PAGE_SIZE, FAULT_READ) != 0))
        return -EFAULT;
    return 0; /* the node, or MPOL_DEFAULT */
}

long sys_get_mempolicy(const reg_t arg[6])
{
    struct memory_policy policy = current_task()->policy;
    unsigned flags = (unsigned)arg[4];
    long error = 0;

    if (arg[4] > MPOL_F_MEMS_ALLOWED || (arg[1] && arg[2] == 0))
        return -EINVAL;
    if (flags & MPOL_F_ADDR) {
        error = ask_address(user_untagged(arg[3]), (flags & MPOL_F_NODE) != 0);
        policy = (struct memory_policy){MPOL_DEFAULT, 0};
    } else if (flags & MPOL_F_MEMS_ALLOWED) {
        policy = (struct memory_policy){0, THE_NODES};
    } else if (arg[3]) {
        error = -EINVAL;
    } else if (flags & MPOL_F_NODE) { /* the next one */
        error = (policy.mode & 0xff) == MPOL_INTERLEAVE ? 0 : -EINVAL;
        policy.mode = 0;
    }
    if (error == 0 && arg[0] && put_user32(arg[0], policy.mode))
        error = -EFAULT;
    return error == 0 && arg[1] ? put_nodes(arg[1], arg[2], policy.nodes) : error;
}

/* --- moving --- */

static int space_of(int pid, struct vmspace **vs)
{
    return process_space(pid ? pid : current_process()->pid, vs);
}

long sys_migrate_pages(const reg_t arg[6])
{
    uint64_t from, to;
    struct vmspace *vs;
    int error = get_nodes(arg[2], arg[1], &from);

    if (error == 0)
        error = get_nodes(arg[3], arg[1], &to);
    if (error == 0)
        error = space_of((int)arg[0], &vs);
    if (error != 0)
        return error;
    vmspace_unref(vs);
    if ((to & ~(uint64_t)THE_NODES) && !cred_capable(cred_current(), CAP_SYS_NICE))
        return -EPERM;
    return to & THE_NODES ? 0 : -EINVAL;
}

/* `nodes`: where they should go; without, it is a question. */
static long do_move_pages(struct vmspace *vs, reg_t count, vaddr_t pages, vaddr_t nodes,
                          vaddr_t status)
{
    for (reg_t i = 0; i < count; i++) {
        uint32_t node = 0;
        uint64_t page;

        if (thread_has_work(current(), WORK_KILL))
            return -EINTR;
        if (get_user64(&page, pages + i * sizeof(page)) ||
            (nodes && get_user32(&node, nodes + i * sizeof(node))))
            return -EFAULT;
        if (node != 0)
            return -ENODEV;
        page = align_down(user_untagged(page), PAGE_SIZE);
        if (put_user32(status + i * sizeof(node), (uint32_t)look_at(vs, page)))
            return -EFAULT;
    }
    return 0;
}

long sys_move_pages(const reg_t arg[6])
{
    struct vmspace *vs;
    long result;

    if (arg[5] & ~(reg_t)(MPOL_MF_MOVE | MPOL_MF_MOVE_ALL))
        return -EINVAL;
    if ((arg[5] & MPOL_MF_MOVE_ALL) && !cred_capable(cred_current(), CAP_SYS_NICE))
        return -EPERM;
    result = space_of((int)arg[0], &vs);
    if (result != 0)
        return result;
    result = do_move_pages(vs, arg[1], arg[2], arg[3], arg[4]);
    vmspace_unref(vs);
    return result;
}
