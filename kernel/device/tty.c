/* SPDX-License-Identifier: MIT */
/*
 * The line discipline of a terminal, after termios(3) and Linux's N_TTY. Input is edited and queued
 * in the interrupt that brings it: a byte array with a parallel bitmap that marks where lines end.
 * `head` moves when bytes come (and back when they are erased), `line` when a line is complete,
 * `tail` when they are read. With ICANON off every byte is readable at once, so `line` follows
 * `head`.
 *
 * Not here: parity and break marking, software flow control of input (IXOFF), upper-case terminals.
 */
#include "tty_internal.h"

#include <arch/barrier.h>
#include <core/clock.h>
#include <core/wait.h>
#include <device/console.h>
#include <device/tty.h>
#include <lib/bitmap.h>
#include <lib/ctype.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/string.h>
#include <mm/slab.h>

int tty_init_input(struct tty *tty)
{
    tty->input = kmalloc(TTY_INPUT_SIZE);
    tty->line_end = kzalloc(TTY_INPUT_SIZE / 8);
    return tty->input != NULL && tty->line_end != NULL ? 0 : -ENOMEM;
}

int tty_init(struct tty *tty, const struct tty_ops *ops)
{
    *tty = (struct tty)TTY_INIT(ops, &tty->writable);
    return tty_init_input(tty);
}

/* --- output ----------------------------------------------------------------------------------- */

static void count_column(struct tty *tty, uint8_t byte)
{
    if (byte >= ' ')
        tty->column += (byte & 0xc0) != 0x80; /* not the inside of a UTF-8 character */
    else if (byte == '\r')
        tty->column = 0;
    else if (byte == '\b')
        tty->column -= tty->column > 0;
    else if (byte == '\t')
        tty->column += TAB_WIDTH - tty->column % TAB_WIDTH;
}

/* One byte through OPOST; returns how many it became (at most TAB_WIDTH). */
size_t tty_process_output(struct tty *tty, uint8_t byte, uint8_t *to)
{
    uint32_t flags = tty->termios.oflag;
    size_t count = 1;

    to[0] = byte;
    if (byte >= ' ' && (flags & TTY_OLCUC) && (flags & TTY_OPOST))
        to[0] = (uint8_t)char_to_upper((char)byte);
    if (byte >= ' ' || !(flags & TTY_OPOST)) {
        count_column(tty, byte);
        return 1;
    }
    if (byte == '\n') {
        if (flags & TTY_ONLCR) {
            to[0] = '\r';
            to[count++] = '\n';
        }
        if (flags & (TTY_ONLCR | TTY_ONLRET))
            tty->column = 0;
        return count;
    }
    if (byte == '\r') {
        if ((flags & TTY_ONOCR) && tty->column == 0)
            return 0;
        if (flags & TTY_OCRNL)
            to[0] = '\n';
    } else if (byte == '\t' && (flags & TTY_TABDLY) == TTY_TABDLY) {
        count = TAB_WIDTH - tty->column % TAB_WIDTH;
        memset(to, ' ', count);
    }
    count_column(tty, byte);
    return count;
}

#define OUTPUT_PART 256

/*
 * Processes a part of the text into `to`; returns its length there, *taken of it here. Lines in the
 * usual mode have nothing but line ends to look at.
 */
static size_t process_part(struct tty *tty, const uint8_t *from, size_t size, uint8_t *to,
                           size_t *taken)
{
    size_t length = 0, i = 0;

    while (i < size && length + TAB_WIDTH <= OUTPUT_PART)
        length += tty_process_output(tty, from[i++], to + length);
    *taken = i;
    return length;
}

static bool may_write(struct tty *tty)
{
    return !READ_ONCE(tty->stopped);
}

/* All of it, even if it takes a wait in between: half a processed line cannot be taken back. */
static int write_all(struct tty *tty, const uint8_t *from, size_t size)
{
    while (size > 0) {
        ssize_t done = tty->ops->write(tty, from, size, false);

        if (done < 0)
            return (int)done;
        from += done;
        size -= (size_t)done;
    }
    return 0;
}

ssize_t tty_write(struct tty *tty, const void *from, size_t size, bool nowait)
{
    const uint8_t *text = from;
    size_t done = 0;
    int error = 0;

    while (done < size && error == 0) {
        uint8_t part[OUTPUT_PART];
        size_t length, taken;
        reg_t flags;

        if (!may_write(tty) || (nowait && !tty->ops->can_write(tty))) {
            error = -EAGAIN;
            if (nowait)
                break;
            error = wait_event(&tty->writable, may_write(tty), WAIT_FOREVER, WAIT_INTERRUPTIBLE);
            continue;
        }
        flags = spin_lock_irq(&tty->lock);
        length = process_part(tty, text + done, size - done, part, &taken);
        spin_unlock_irq(&tty->lock, flags);
        error = write_all(tty, part, length);
        if (error == 0)
            done += taken;
    }
    return done > 0 ? (ssize_t)done : error;
}

/* --- reading ---------------------------------------------------------------------------------- */

/* Up to the end of a line; the mark of an end of file is taken and not given. */
static size_t read_line(struct tty *tty, uint8_t *to, size_t size)
{
    size_t done = 0;

    while (tty->tail != tty->line) {
        uint32_t at = tty->tail & MASK;
        bool ends_line = bitmap_test(tty->line_end, at);
        bool is_eof = ends_line && tty->input[at] == DISABLED_CC;

        if (!is_eof && done == size)
            break;
        tty->tail++;
        if (!is_eof)
            to[done++] = tty->input[at];
        if (ends_line) {
            tty->line_count -= tty->line_count > 0;
            break;
        }
    }
    return done;
}

static size_t read_raw(struct tty *tty, uint8_t *to, size_t size)
{
    size_t done = 0;

    for (; done < size && tty->tail != tty->line; tty->tail++)
        to[done++] = tty->input[tty->tail & MASK];
    return done;
}

/* Takes what is there. *is_line: it was a line, even an empty one. */
static size_t take(struct tty *tty, uint8_t *to, size_t size, bool *is_line)
{
    reg_t flags = spin_lock_irq(&tty->lock);
    bool canonical = has(tty, TTY_ICANON), room;
    size_t done;

    *is_line = canonical && tty->tail != tty->line;
    done = canonical ? read_line(tty, to, size) : read_raw(tty, to, size);
    room = tty->throttled && used(tty) <= TTY_INPUT_SIZE / 2;
    if (room)
        tty->throttled = false;
    spin_unlock_irq(&tty->lock, flags);
    if (room)
        tty->ops->input_room(tty);
    return done;
}

static uint32_t readable(struct tty *tty)
{
    return READ_ONCE(tty->line) - READ_ONCE(tty->tail);
}

#define DECISECOND_NS (100 * NS_PER_MS)

/* VMIN and VTIME, termios(3): how many bytes to wait for, and until when after the first. */
static ssize_t read_raw_wait(struct tty *tty, uint8_t *to, size_t size, bool nowait)
{
    uint32_t least = min((uint32_t)tty->termios.cc[TTY_VMIN], (uint32_t)min(size, (size_t)255));
    uint64_t gap = tty->termios.cc[TTY_VTIME] * DECISECOND_NS;
    size_t done = 0;

    for (;;) {
        uint64_t deadline = WAIT_FOREVER;
        bool is_line;
        int error;

        done += take(tty, to + done, size - done, &is_line);
        if (done >= least && (done > 0 || least > 0))
            return (ssize_t)done;
        if (tty->hung_up || done == size)
            return (ssize_t)done;
        if (nowait)
            return done > 0 ? (ssize_t)done : least == 0 ? 0 : -EAGAIN;
        if (gap != 0 && (least == 0 || done > 0))
            deadline = clock_monotonic_ns() + gap;
        else if (least == 0)
            return (ssize_t)done;
        error = wait_event(&tty->readable, readable(tty) > 0 || READ_ONCE(tty->hung_up), deadline,
                           WAIT_INTERRUPTIBLE);
        if (error == -ETIMEDOUT)
            return (ssize_t)done;
        if (error != 0)
            return done > 0 ? (ssize_t)done : error;
    }
}

static ssize_t read_line_wait(struct tty *tty, uint8_t *to, size_t size, bool nowait)
{
    for (;;) {
        bool is_line;
        size_t done = take(tty, to, size, &is_line);
        int error;

        if (is_line || done > 0 || tty->hung_up)
            return (ssize_t)done;
        if (nowait)
            return -EAGAIN;
        error = wait_event(&tty->readable,
                           readable(tty) > 0 || READ_ONCE(tty->hung_up) || !has(tty, TTY_ICANON),
                           WAIT_FOREVER, WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
        if (!has(tty, TTY_ICANON))
            return read_raw_wait(tty, to, size, nowait);
    }
}

ssize_t tty_read(struct tty *tty, void *to, size_t size, bool nowait)
{
    if (size == 0)
        return 0;
    if (has(tty, TTY_ICANON))
        return read_line_wait(tty, to, size, nowait);
    return read_raw_wait(tty, to, size, nowait);
}

unsigned tty_events(struct tty *tty)
{
    uint32_t least = has(tty, TTY_ICANON) || tty->termios.cc[TTY_VTIME] != 0
                         ? 1
                         : max((uint32_t)tty->termios.cc[TTY_VMIN], 1U);
    unsigned events = 0;

    if (readable(tty) >= least || tty->hung_up)
        events |= CONSOLE_READABLE;
    if (may_write(tty) && tty->ops->can_write(tty))
        events |= CONSOLE_WRITABLE;
    return events;
}

/* --- settings --------------------------------------------------------------------------------- */

void tty_get_termios(struct tty *tty, struct tty_termios *termios)
{
    reg_t flags = spin_lock_irq(&tty->lock);

    *termios = tty->termios;
    spin_unlock_irq(&tty->lock, flags);
}

int tty_set_termios(struct tty *tty, const struct tty_termios *termios, enum tty_when when)
{
    bool was_canonical, is_canonical = (termios->lflag & TTY_ICANON) != 0;
    reg_t flags;

    if (when != TTY_NOW) {
        int error = wait_event(tty->output, tty->ops->output_pending(tty) == 0, WAIT_FOREVER,
                               WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
    flags = spin_lock_irq(&tty->lock);
    was_canonical = has(tty, TTY_ICANON);
    tty->termios = *termios;
    if (when == TTY_FLUSH)
        discard_input(tty);
    if (was_canonical && !is_canonical) {
        tty->line = tty->head; /* what was typed of the line can be read now */
        bitmap_zero(tty->line_end, TTY_INPUT_SIZE);
        tty->line_count = 0;
    } else if (!was_canonical && is_canonical && tty->head != tty->tail) {
        bitmap_set(tty->line_end, (tty->head - 1) & MASK); /* what is there counts as a line */
        tty->line_count = 1;
    }
    if (!(termios->iflag & TTY_IXON))
        tty->stopped = false;
    spin_unlock_irq(&tty->lock, flags);
    waitq_wake(&tty->readable, UINT32_MAX, 0);
    waitq_wake(&tty->writable, UINT32_MAX, 0);
    if (when == TTY_FLUSH)
        tty->ops->input_room(tty);
    return 0;
}

void tty_set_winsize(struct tty *tty, const struct tty_winsize *size)
{
    reg_t flags = spin_lock_irq(&tty->lock);
    bool changed = memcmp(&tty->winsize, size, sizeof(*size)) != 0;

    tty->winsize = *size;
    spin_unlock_irq(&tty->lock, flags);
    if (changed)
        tty_signal(tty, TTY_SIGWINCH);
}

void tty_get_winsize(struct tty *tty, struct tty_winsize *size)
{
    reg_t flags = spin_lock_irq(&tty->lock);

    *size = tty->winsize;
    spin_unlock_irq(&tty->lock, flags);
}

void tty_flush(struct tty *tty, enum tty_queue queue)
{
    reg_t flags;

    if (queue == TTY_QUEUE_OUTPUT)
        return; /* what was written is on its way: there is no queue of the terminal's own */
    flags = spin_lock_irq(&tty->lock);
    discard_input(tty);
    tty->throttled = false;
    spin_unlock_irq(&tty->lock, flags);
    tty->ops->input_room(tty);
}

void tty_flow(struct tty *tty, bool stop)
{
    WRITE_ONCE(tty->stopped, stop);
    if (!stop)
        waitq_wake(&tty->writable, UINT32_MAX, CONSOLE_WRITABLE);
}

size_t tty_input_pending(struct tty *tty)
{
    reg_t flags = spin_lock_irq(&tty->lock);
    size_t count = tty->line - tty->tail;

    if (has(tty, TTY_ICANON)) { /* marks of an end of file are not given to readers */
        for (uint32_t i = tty->tail; i != tty->line; i++)
            count -= bitmap_test(tty->line_end, i & MASK) && input_at(tty, i) == DISABLED_CC;
    }
    spin_unlock_irq(&tty->lock, flags);
    return count;
}

size_t tty_output_pending(struct tty *tty)
{
    return tty->ops->output_pending(tty);
}
