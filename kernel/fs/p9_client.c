/* SPDX-License-Identifier: MIT */
/* 9P messages: made, sent, taken apart. The server is not trusted: what it says is bounded here. */
#include "p9.h"

#include <device/p9dev.h>
#include <file/io.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/page.h>

#define HEADER      7U    /* size[4] type[1] tag[2] */
#define SHORT_SIZE  8192U /* of a message without data: two names or a target and a little */
#define ORDER_LONG  4U    /* both messages: 64 KiB, when they can be had */
#define ORDER_LEAST 2U

int p9_begin(struct p9_call *call, struct p9 *fs, enum p9_type type, enum p9_size size)
{
    unsigned order = size == P9_SHORT ? ORDER_LEAST : ORDER_LONG;
    struct page *pages = page_alloc(order, 0);
    uint32_t room;

    if (pages == NULL && order > ORDER_LEAST)
        pages = page_alloc(order = ORDER_LEAST, 0);
    if (pages == NULL)
        return -ENOMEM;
    room = (uint32_t)(PAGE_SIZE << order) - SHORT_SIZE;
    *call = (struct p9_call){.fs = fs,
                             .pages = pages,
                             .order = order,
                             .out = page_virt(pages),
                             .out_max = size == P9_LONG_REQUEST ? room : SHORT_SIZE,
                             .tag = type == P9_VERSION
                                        ? UINT16_MAX
                                        : (uint16_t)atomic_add_return(1, &fs->last_tag) & 0x7fff,
                             .type = (uint8_t)type,
                             .at = HEADER};
    call->in = call->out + call->out_max;
    call->in_max = size == P9_LONG_REQUEST ? SHORT_SIZE : room;
    call->out_max = min(call->out_max, fs->message_size);
    call->in_max = min(call->in_max, fs->message_size);
    return 0;
}

int p9_end(struct p9_call *call, int error)
{
    page_free(call->pages, call->order);
    return error == 0 && call->is_bad ? -EIO : error;
}

static void store(uint8_t *to, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        to[i] = (uint8_t)(value >> 8 * i);
}

void p9_put(struct p9_call *call, uint64_t value, unsigned bytes)
{
    if (call->out_max - call->at < bytes) {
        call->is_bad = true;
        return;
    }
    store(call->out + call->at, value, bytes);
    call->at += bytes;
}

void p9_put_text(struct p9_call *call, const char *text, size_t length)
{
    if (length > UINT16_MAX || call->out_max - call->at < length + 2) {
        call->is_bad = true;
        return;
    }
    p9_put(call, length, 2);
    memcpy(call->out + call->at, text, length);
    call->at += (uint32_t)length;
}

uint64_t p9_get(struct p9_call *call, unsigned bytes)
{
    const uint8_t *from = p9_get_bytes(call, bytes);
    uint64_t value = 0;

    for (unsigned i = 0; from != NULL && i < bytes; i++)
        value |= (uint64_t)from[i] << 8 * i;
    return value;
}

const uint8_t *p9_get_bytes(struct p9_call *call, uint32_t length)
{
    const uint8_t *from = call->in + call->at;

    if (call->is_bad || call->end - call->at < length) {
        call->is_bad = true;
        return NULL;
    }
    call->at += length;
    return from;
}

/* The header of an answer; an error that the server tells. */
static int take_answer(struct p9_call *call, uint32_t got)
{
    uint32_t size;
    uint8_t type;
    uint16_t tag;

    call->at = 0;
    call->end = got;
    size = (uint32_t)p9_get(call, 4);
    type = (uint8_t)p9_get(call, 1);
    tag = (uint16_t)p9_get(call, 2);
    if (call->is_bad || size < HEADER || size > got || tag != call->tag)
        return -EIO;
    call->end = size;
    if (type == P9_ERROR + 1) {
        uint32_t error = (uint32_t)p9_get(call, 4);

        return call->is_bad || error == 0 || error > 4095 ? -EIO : -(int)error;
    }
    return type == call->type + 1 ? 0 : -EIO;
}

int p9_send(struct p9_call *call)
{
    uint32_t got = 0;
    int error;

    if (call->is_bad)
        return -ENAMETOOLONG;
    store(call->out, call->at, 4);
    call->out[4] = call->type;
    store(call->out + 5, call->tag, 2);
    error = call->fs->dev->ops->request(call->fs->dev, call->out, call->at, call->in, call->in_max,
                                        &got);
    return error != 0 ? error : take_answer(call, min(got, call->in_max));
}

uint32_t p9_new_fid(struct p9 *fs)
{
    return (uint32_t)atomic_add_return(1, &fs->last_fid);
}

int p9_walk(struct p9 *fs, uint32_t fid, uint32_t newfid, const struct name *name)
{
    struct p9_call call;
    int error = p9_begin(&call, fs, P9_WALK, P9_SHORT);

    if (error != 0)
        return error;
    p9_put(&call, fid, 4);
    p9_put(&call, newfid, 4);
    p9_put(&call, name != NULL, 2);
    if (name != NULL)
        p9_put_text(&call, name->text, name->len);
    error = p9_send(&call);
    if (error == 0 && p9_get(&call, 2) != (name != NULL))
        error = -ENOENT;
    return p9_end(&call, error);
}

void p9_clunk(struct p9 *fs, uint32_t fid)
{
    struct p9_call call;

    if (p9_begin(&call, fs, P9_CLUNK, P9_SHORT) != 0)
        return; /* the server keeps it: nothing else is lost */
    p9_put(&call, fid, 4);
    (void)p9_end(&call, p9_send(&call));
}

int p9_open(struct p9 *fs, uint32_t fid, uint32_t flags, uint32_t *out)
{
    uint32_t newfid = p9_new_fid(fs);
    struct p9_call call;
    int error = p9_walk(fs, fid, newfid, NULL);

    if (error != 0)
        return error;
    error = p9_begin(&call, fs, P9_OPEN, P9_SHORT);
    if (error == 0) {
        p9_put(&call, newfid, 4);
        p9_put(&call, flags, 4);
        error = p9_end(&call, p9_send(&call));
    }
    if (error != 0)
        p9_clunk(fs, newfid);
    *out = newfid;
    return error;
}

ssize_t p9_read(struct p9 *fs, uint32_t fid, uint64_t position, struct io *io)
{
    struct p9_call call;
    ssize_t moved = p9_begin(&call, fs, P9_READ, io->left > 4096 ? P9_LONG_ANSWER : P9_SHORT);
    const uint8_t *data;
    uint32_t count;

    if (moved != 0)
        return moved;
    p9_put(&call, fid, 4);
    p9_put(&call, position, 8);
    p9_put(&call, min_t(size_t, io->left, call.in_max - P9_DATA_SPACE), 4);
    moved = p9_send(&call);
    if (moved == 0) {
        count = (uint32_t)p9_get(&call, 4);
        data = count <= io->left ? p9_get_bytes(&call, count) : NULL;
        moved = data == NULL ? -EIO : count == 0 ? 0 : io_copy_to(io, data, count);
    }
    page_free(call.pages, call.order);
    return moved;
}

ssize_t p9_write(struct p9 *fs, uint32_t fid, uint64_t position, struct io *io)
{
    struct p9_call call;
    ssize_t taken, written = p9_begin(&call, fs, P9_WRITE, P9_LONG_REQUEST);
    uint32_t count;

    if (written != 0)
        return written;
    count = (uint32_t)min_t(size_t, io->left, call.out_max - P9_DATA_SPACE);
    p9_put(&call, fid, 4);
    p9_put(&call, position, 8);
    taken = io_copy_from(io, call.out + call.at + 4, count);
    written = taken;
    if (taken > 0) {
        p9_put(&call, (uint32_t)taken, 4);
        call.at += (uint32_t)taken;
        written = p9_send(&call);
    }
    if (taken > 0 && written == 0) {
        written = (ssize_t)p9_get(&call, 4);
        if (call.is_bad || written > taken)
            written = -EIO;
    }
    if (taken > 0 && written < taken) /* what was not written is still to be */
        io_rewind(io, (size_t)(taken - max_t(ssize_t, written, 0)));
    page_free(call.pages, call.order);
    return written;
}
