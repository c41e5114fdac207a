/* SPDX-License-Identifier: MIT
 *
 * The records of a signal frame beyond the usual two: SVE registers (Linux sve.rst, sections 4 and
 * 5), which lie behind `reserved` if they are long, where an `extra` record points to them; and the
 * checks of what a program hands back.
 */
#include <arch/fpu.h>
#include <arch/sve.h>
#include <arch/uaccess.h>
#include <core/thread.h>
#include <lib/align.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>

#include "sigframe.h"

/* SVE registers follow if the size has room for them (asm/sigcontext.h, sve.rst section 4). */
struct sve_record {
    struct record_head head;
    uint16_t vector_bytes, flags;
    uint32_t reserved;
};

struct extra_record {
    struct record_head head;
    uint64_t data;
    uint32_t size, reserved[3];
};

#define END_SIZE 16 /* the terminator and what rounds it */

/* What `reserved` holds without an extra record, and the largest frame with one. */
#define RECORDS_SIZE  (RESERVED_SIZE - END_SIZE - sizeof(struct extra_record))
#define SIGFRAME_MOST (256u << 10)

_Static_assert(sizeof(struct fpsimd_record) == 528, "fpsimd_context");
_Static_assert(sizeof(struct sve_record) == 16, "sve_context");
_Static_assert(sizeof(struct extra_record) == 32, "extra_context");

static size_t sve_record_size(size_t registers)
{
    return align_up(sizeof(struct sve_record) + registers, 16);
}

/* Does an SVE record fit into `reserved` behind what is there already? */
static bool sve_is_extra(size_t offset, size_t registers)
{
    return offset + sve_record_size(registers) > RECORDS_SIZE;
}

/* Bytes of a frame whose SVE record comes at `offset` of `reserved`. */
static size_t frame_size(size_t offset, size_t registers)
{
    if (!sve_is_extra(offset, registers))
        return SIGFRAME_SIZE;
    size_t size = AT_RESERVED + offset + sizeof(struct extra_record) + END_SIZE +
                  sve_record_size(registers) + END_SIZE;

    return max(size, (size_t)SIGFRAME_SIZE);
}

static size_t sve_offset(const struct signal_info *info)
{
    return sizeof(struct fpsimd_record) + (info->esr ? sizeof(struct esr_record) : 0);
}

size_t sigframe_size(const struct signal_info *info)
{
    return frame_size(sve_offset(info), fpu_sve_bytes());
}

size_t abi64_minsigstksz(void)
{
    size_t offset = sizeof(struct fpsimd_record) + sizeof(struct esr_record);
    size_t registers = sve_supported() ? sve_bytes(sve_longest()) : 0;

    return frame_size(offset, registers) + FRAME_RECORD + 16; /* 16: to align the stack */
}

static int write_extra(vaddr_t at, size_t registers)
{
    const struct {
        struct extra_record extra;
        uint64_t end[2];
    } records = {.extra = {.head = {EXTRA_MAGIC, sizeof(struct extra_record)},
                           .data = at + sizeof(records),
                           .size = (uint32_t)(sve_record_size(registers) + END_SIZE)}};

    return copy_to_user(at, &records, sizeof(records));
}

int sigframe_write_sve(vaddr_t frame, const struct signal_info *info)
{
    vaddr_t at = frame + AT_RESERVED + sve_offset(info);
    size_t registers = fpu_sve_bytes();
    const struct sve_record record = {
        .head = {SVE_MAGIC, (uint32_t)sve_record_size(registers)},
        .vector_bytes = (uint16_t)(current()->sve.vq * SVE_VQ_BYTES),
    };

    if (sve_is_extra(sve_offset(info), registers)) {
        if (write_extra(at, registers))
            return -EFAULT;
        at += sizeof(struct extra_record) + END_SIZE;
    }
    if (copy_to_user(at, &record, sizeof(record)) ||
        (registers && fpu_sve_store_user(at + sizeof(record))))
        return -EFAULT;
    return put_user64(at + record.head.size, 0);
}

/* What parse_records() found: where the record is, and its size. */
struct found {
    vaddr_t fpsimd, sve, extra;
};

struct record_area {
    vaddr_t base;
    size_t offset, limit;
};

/* Goes on behind an extra record, which must end `reserved` and point directly behind that end. */
static int enter_extra(struct record_area *area, vaddr_t frame, vaddr_t at, uint32_t size)
{
    vaddr_t end = at + size;
    struct extra_record extra;
    uint64_t terminator;

    if (size < sizeof(extra) || area->limit - area->offset - size < END_SIZE)
        return -EINVAL;
    if (copy_from_user(&extra, at, sizeof(extra)) || get_user64(&terminator, end))
        return -EFAULT;
    if (terminator != 0 || extra.data != end + END_SIZE || extra.size % 16 != 0 ||
        extra.data % 16 != 0 || extra.size > frame + SIGFRAME_MOST - extra.data)
        return -EINVAL;
    *area = (struct record_area){.base = extra.data, .limit = extra.size};
    return 0;
}

static int note(vaddr_t *where, vaddr_t at, uint32_t size, size_t least)
{
    if (*where || size < least)
        return -EINVAL;
    *where = at;
    return 0;
}

/* The records of a frame: known ones, each once, up to a terminator. */
static int parse_records(vaddr_t frame, struct found *found)
{
    struct record_area area = {.base = frame + AT_RESERVED, .limit = RESERVED_SIZE};
    struct record_head head;
    int error = 0;

    while (!error) {
        vaddr_t at = area.base + area.offset;

        if (area.limit - area.offset < sizeof(head) || area.offset % 16 != 0)
            return -EINVAL;
        if (copy_from_user(&head, at, sizeof(head)))
            return -EFAULT;
        if (head.size > area.limit - area.offset)
            return -EINVAL;
        if (head.magic == 0)
            return head.size ? -EINVAL : 0;
        if (head.magic == EXTRA_MAGIC && !found->extra) {
            found->extra = at;
            error = enter_extra(&area, frame, at, head.size);
            continue;
        }
        if (head.magic == FPSIMD_MAGIC)
            error = note(&found->fpsimd, at, head.size, sizeof(struct fpsimd_record));
        else if (head.magic == SVE_MAGIC && sve_supported())
            error = note(&found->sve, at, head.size, sizeof(struct sve_record));
        else if (head.magic != ESR_MAGIC || head.size < sizeof(head))
            error = -EINVAL;
        area.offset += head.size;
    }
    return error;
}

/* After the V registers: the rest, if the frame has it. */
static int restore_sve(vaddr_t at)
{
    size_t registers = sve_bytes(current()->sve.vq);
    struct sve_record record;

    if (copy_from_user(&record, at, sizeof(record)))
        return -EFAULT;
    if (record.flags & 1 /* of SME */ || record.vector_bytes != current()->sve.vq * SVE_VQ_BYTES)
        return -EINVAL;
    if (record.head.size <= sizeof(record))
        return 0;
    return record.head.size < sizeof(record) + registers ? -EINVAL
                                                         : fpu_sve_load_user(at + sizeof(record));
}

int sigframe_restore_records(vaddr_t frame)
{
    struct found found = {0};
    struct {
        struct record_head head;
        uint32_t fpsr, fpcr;
    } record;
    int error = parse_records(frame, &found);

    if (error || !found.fpsimd)
        return error ? error : -EINVAL; /* Linux wants an FPSIMD record */
    if (copy_from_user(&record, found.fpsimd, sizeof(record)))
        return -EFAULT;
    if (record.head.size != sizeof(struct fpsimd_record))
        return -EINVAL;
    error = fpu_load_user(found.fpsimd + 16, record.fpsr, record.fpcr);
    return error || !found.sve ? error : restore_sve(found.sve);
}
