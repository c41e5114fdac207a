/* SPDX-License-Identifier: MIT */
/*
 * Input: bytes come from the device's interrupt into a ring; the pump takes them out, strips frames
 * and gives the rest to the terminal or, when standard input is no terminal, to a second ring that
 * console_read() empties. Nothing is dropped: when a reader is slow the pump stops, the ring fills,
 * and the device is told to leave further bytes where they are.
 *
 * One pump runs at a time, on whichever CPU came first; who comes meanwhile leaves a note.
 */
#include "console.h"
#include "frame_parser.h"

#include <core/wait.h>
#include <device/tty.h>
#include <lib/ctype.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

#define RAW_SIZE    4096U /* powers of two */
#define STREAM_SIZE 8192U
#define CHUNK_SIZE  256U

struct ring {
    uint8_t *byte;
    uint32_t size, head, tail; /* head and tail only grow */
};

static struct {
    struct spinlock lock; /* both rings and the flags */
    struct ring raw, stream;
    bool held_back; /* the device was told to wait */
    bool pumping, again;
    bool ended; /* 'Z' frame: no more input for the stream */
    struct waitq readable;

    /* the pump's own */
    struct frame_parser *parser;
    uint8_t chunk[CHUNK_SIZE]; /* from the ring, not yet parsed */
    const uint8_t *chunk_at;
    size_t chunk_left;
    uint8_t plain[CHUNK_SIZE]; /* parsed, not yet delivered */
    size_t plain_at, plain_size;
    struct frame frame; /* comes after `plain` */
} in = {.lock = SPINLOCK_INIT(RANK_DEVICE), .readable = WAITQ_INIT};

static uint32_t ring_used(const struct ring *ring)
{
    return ring->head - ring->tail;
}

static uint32_t ring_free(const struct ring *ring)
{
    return ring->size - ring_used(ring);
}

static size_t ring_put(struct ring *ring, const uint8_t *from, size_t size)
{
    size_t done = 0;

    size = min(size, (size_t)ring_free(ring));
    while (done < size) {
        uint32_t at = ring->head % ring->size;
        size_t run = min(size - done, (size_t)(ring->size - at));

        memcpy(ring->byte + at, from + done, run);
        ring->head += (uint32_t)run;
        done += run;
    }
    return size;
}

static size_t ring_get(struct ring *ring, uint8_t *to, size_t size)
{
    size_t done = 0;

    size = min(size, (size_t)ring_used(ring));
    while (done < size) {
        uint32_t at = ring->tail % ring->size;
        size_t run = min(size - done, (size_t)(ring->size - at));

        memcpy(to + done, ring->byte + at, run);
        ring->tail += (uint32_t)run;
        done += run;
    }
    return size;
}

/* Hands on input; returns what was taken. */
static size_t deliver(const uint8_t *from, size_t size)
{
    size_t taken;
    reg_t flags;

    if (console.options.is_terminal[0])
        return tty_input(console_tty(), from, size);
    flags = spin_lock_irq(&in.lock);
    taken = ring_put(&in.stream, from, size);
    spin_unlock_irq(&in.lock, flags);
    if (taken > 0)
        waitq_wake(&in.readable, UINT32_MAX, CONSOLE_READABLE);
    return taken;
}

/* 'W': "<rows> <columns>". */
static void set_window(const struct frame *frame)
{
    char text[24];
    const char *rest;
    uint32_t rows, columns;
    size_t length = min(frame->length, sizeof(text) - 1);

    memcpy(text, frame->payload, length);
    text[length] = '\0';
    if (parse_u32(text, 10, &rows, &rest) != 0 || *rest != ' ' ||
        parse_u32(rest + 1, 10, &columns, &rest) != 0 || rows > UINT16_MAX || columns > UINT16_MAX)
        return;
    tty_set_winsize(console_tty(),
                    &(struct tty_winsize){.rows = (uint16_t)rows, .columns = (uint16_t)columns});
}

static void take_frame(const struct frame *frame)
{
    switch (frame->type) {
    case FRAME_WINDOW:
        set_window(frame);
        break;
    case FRAME_EOF:
        WRITE_ONCE(in.ended, true);
        tty_hangup(console_tty());
        waitq_wake(&in.readable, UINT32_MAX, 0);
        break;
    case FRAME_INTERRUPT:
        tty_signal(console_tty(), TTY_SIGINT);
        break;
    case FRAME_TERMINATE:
        tty_signal(console_tty(), TTY_SIGTERM);
        break;
    default: /* a newer tool's */
        break;
    }
}

/* Refills the chunk; lets the device go on once the ring has room. False: nothing there. */
static bool refill(void)
{
    reg_t flags = spin_lock_irq(&in.lock);
    bool resume;

    in.chunk_at = in.chunk;
    in.chunk_left = ring_get(&in.raw, in.chunk, CHUNK_SIZE);
    resume = in.held_back && ring_free(&in.raw) >= RAW_SIZE / 2;
    if (resume)
        in.held_back = false;
    spin_unlock_irq(&in.lock, flags);
    if (resume) {
        flags = spin_lock_irq(&console.lock);
        console.device->ops->receive(console.device, true);
        spin_unlock_irq(&console.lock, flags);
        if (console.device->ops->resume_input != NULL)
            console.device->ops->resume_input(console.device);
    }
    return in.chunk_left > 0;
}

static void parse(void)
{
    in.plain_at = 0;
    if (in.parser != NULL) {
        in.plain_size =
            frame_parse(in.parser, &in.chunk_at, &in.chunk_left, in.plain, CHUNK_SIZE, &in.frame);
        return;
    }
    in.plain_size = in.chunk_left;
    memcpy(in.plain, in.chunk_at, in.chunk_left);
    in.chunk_left = 0;
}

/* Until there is no input or no room. */
static void pump(void)
{
    for (;;) {
        if (in.plain_at < in.plain_size)
            in.plain_at += deliver(in.plain + in.plain_at, in.plain_size - in.plain_at);
        if (in.plain_at < in.plain_size)
            return;
        if (in.frame.type != 0) {
            take_frame(&in.frame);
            in.frame.type = 0;
        }
        if (in.chunk_left == 0 && !refill() && (in.parser == NULL || in.parser->releasing == 0))
            return;
        parse();
    }
}

void console_input_pump(void)
{
    reg_t flags = spin_lock_irq(&in.lock);

    if (in.pumping) {
        in.again = true;
        spin_unlock_irq(&in.lock, flags);
        return;
    }
    in.pumping = true;
    do {
        in.again = false;
        spin_unlock_irq(&in.lock, flags);
        pump();
        flags = spin_lock_irq(&in.lock);
    } while (in.again);
    in.pumping = false;
    spin_unlock_irq(&in.lock, flags);
}

bool console_input(struct console_device *device, const uint8_t *from, size_t size)
{
    reg_t flags;
    bool is_full;

    if (device != console.device)
        return true;
    flags = spin_lock_irq(&in.lock);
    ring_put(&in.raw, from, size);
    is_full = ring_free(&in.raw) < CONSOLE_INPUT_BURST;
    spin_unlock_irq(&in.lock, flags);
    if (is_full)
        console_input_pump(); /* perhaps that makes room */
    flags = spin_lock_irq(&in.lock);
    is_full = ring_free(&in.raw) < CONSOLE_INPUT_BURST;
    if (is_full && !in.held_back) {
        in.held_back = true;
        spin_lock(&console.lock);
        device->ops->receive(device, false);
        spin_unlock(&console.lock);
    }
    spin_unlock_irq(&in.lock, flags);
    if (!is_full)
        console_input_pump();
    return !is_full;
}

/* --- the stream ------------------------------------------------------------------------------- */

static bool can_read(void)
{
    return ring_used(&in.stream) > 0 || READ_ONCE(in.ended);
}

ssize_t console_read(void *to, size_t size, bool nowait)
{
    for (;;) {
        reg_t flags = spin_lock_irq(&in.lock);
        size_t done = ring_get(&in.stream, to, size);
        bool was_full = ring_free(&in.stream) == done;
        bool at_end = in.ended && ring_used(&in.stream) == 0;
        int error;

        spin_unlock_irq(&in.lock, flags);
        if (was_full || in.held_back)
            console_input_pump();
        if (done > 0 || size == 0 || at_end)
            return (ssize_t)done;
        if (nowait)
            return -EAGAIN;
        error = wait_event(&in.readable, can_read(), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
}

unsigned console_events(void)
{
    unsigned events = console_can_write() ? CONSOLE_WRITABLE : 0;

    return events | (can_read() ? CONSOLE_READABLE : 0);
}

struct waitq *console_input_waitq(void)
{
    return &in.readable;
}

size_t console_input_pending(void)
{
    return ring_used(&in.stream);
}

int console_input_init(void)
{
    in.raw = (struct ring){.byte = kmalloc(RAW_SIZE), .size = RAW_SIZE};
    in.stream = (struct ring){.byte = kmalloc(STREAM_SIZE), .size = STREAM_SIZE};
    if (in.raw.byte == NULL || in.stream.byte == NULL)
        return -ENOMEM;
    if (console.options.has_nonce) {
        in.parser = kmalloc(sizeof(*in.parser));
        if (in.parser == NULL)
            return -ENOMEM;
        frame_parser_init(in.parser, console.options.nonce);
    }
    return console_tty_init();
}
