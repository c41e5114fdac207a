/* SPDX-License-Identifier: MIT
 *
 * siginfo_t of 64-bit Linux (asm-generic/siginfo.h): 128 bytes, of which a union begins at 16.
 */
#include <lib/string.h>
#include <linux/signal.h>

#include "../signal_internal.h"

struct abi64_siginfo {
    int32_t signo, error, code, pad;
    union {
        struct {
            int32_t pid;
            uint32_t uid;
            uint64_t value;
        } queue;
        struct {
            int32_t id, overrun;
            uint64_t value;
        } timer;
        struct {
            int32_t pid;
            uint32_t uid;
            int32_t status, pad;
            int64_t utime, stime;
        } child;
        struct {
            uint64_t addr;
        } fault;
        struct {
            int64_t band;
            int32_t fd;
        } poll;
        struct {
            uint64_t addr;
            int32_t number;
            uint32_t arch;
        } call;
        uint8_t bytes[112];
    } u;
};

_Static_assert(sizeof(struct abi64_siginfo) == ABI64_SIGINFO_SIZE, "siginfo_t");

enum layout { LAYOUT_QUEUE, LAYOUT_TIMER, LAYOUT_CHILD, LAYOUT_FAULT, LAYOUT_POLL, LAYOUT_CALL };

static enum layout layout_of(int signo, int code)
{
    if (code == SI_TIMER)
        return LAYOUT_TIMER;
    if (code == SI_SIGIO)
        return LAYOUT_POLL;
    if (code <= 0 || code == SI_KERNEL)
        return LAYOUT_QUEUE;
    switch (signo) {
    case SIGILL:
    case SIGFPE:
    case SIGSEGV:
    case SIGBUS:
    case SIGTRAP:
        return LAYOUT_FAULT;
    case SIGCHLD:
        return LAYOUT_CHILD;
    case SIGIO:
        return LAYOUT_POLL;
    case SIGSYS:
        return LAYOUT_CALL;
    default:
        return LAYOUT_QUEUE;
    }
}

#define AUDIT_ARCH_AARCH64 0xc00000b7u

void abi64_siginfo_pack(void *to, const struct signal_info *info)
{
    struct abi64_siginfo *s = to;

    memset(s, 0, sizeof(*s));
    s->signo = info->signo;
    s->error = info->error;
    s->code = info->code;
    switch (layout_of(info->signo, info->code)) {
    case LAYOUT_QUEUE:
        s->u.queue.pid = info->pid;
        s->u.queue.uid = info->uid;
        s->u.queue.value = info->value;
        break;
    case LAYOUT_TIMER:
        s->u.timer.id = info->timer_id;
        s->u.timer.overrun = info->overrun;
        s->u.timer.value = info->value;
        break;
    case LAYOUT_CHILD:
        s->u.child.pid = info->pid;
        s->u.child.uid = info->uid;
        s->u.child.status = info->status;
        s->u.child.utime = (int64_t)info->utime;
        s->u.child.stime = (int64_t)info->stime;
        break;
    case LAYOUT_FAULT:
        s->u.fault.addr = info->addr;
        break;
    case LAYOUT_POLL:
        s->u.poll.band = info->band;
        s->u.poll.fd = info->fd;
        break;
    case LAYOUT_CALL:
        s->u.call.addr = info->addr;
        s->u.call.number = info->status;
        s->u.call.arch = AUDIT_ARCH_AARCH64;
        break;
    }
}

void abi64_siginfo_unpack(struct signal_info *info, const void *from)
{
    const struct abi64_siginfo *s = from;

    memset(info, 0, sizeof(*info));
    info->signo = s->signo;
    info->error = s->error;
    info->code = s->code;
    info->pid = s->u.queue.pid;
    info->uid = s->u.queue.uid;
    info->value = s->u.queue.value;
    if (s->code == SI_TIMER) {
        info->timer_id = s->u.timer.id;
        info->overrun = s->u.timer.overrun;
    }
}
