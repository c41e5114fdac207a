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

#define AUDIT_ARCH_AARCH64 0xc00000b7u

void abi64_siginfo_pack(void *to, const struct signal_info *info)
{
    struct abi64_siginfo *s = to;

    memset(s, 0, sizeof(*s));
    s->signo = info->signo;
    s->error = info->error;
    s->code = info->code;
    switch (signal_info_kind(info)) {
    case SIGNAL_INFO_QUEUE:
        s->u.queue.pid = info->pid;
        s->u.queue.uid = info->uid;
        s->u.queue.value = info->value;
        break;
    case SIGNAL_INFO_TIMER:
        s->u.timer.id = info->timer_id;
        s->u.timer.overrun = info->overrun;
        s->u.timer.value = info->value;
        break;
    case SIGNAL_INFO_CHILD:
        s->u.child.pid = info->pid;
        s->u.child.uid = info->uid;
        s->u.child.status = info->status;
        break;
    case SIGNAL_INFO_FAULT:
        s->u.fault.addr = info->addr;
        break;
    case SIGNAL_INFO_IO:
        s->u.poll.band = info->band;
        s->u.poll.fd = info->fd;
        break;
    case SIGNAL_INFO_CALL:
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
}
