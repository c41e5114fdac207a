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

#define MASK (TTY_INPUT_SIZE - 1)

#define TAB_WIDTH    8
#define ECHO_MAX     64
#define DISABLED_CC  0 /* _POSIX_VDISABLE */
#define DELETE       0x7f
#define CONTROL_MASK 0x1f

_Static_assert((TTY_INPUT_SIZE & MASK) == 0, "positions wrap by a mask");

/* What to do once the lock is released. */
struct after {
    uint8_t echo[ECHO_MAX];
    size_t echo_size;
    int signal;
    bool wake_readers, wake_writers;
};

int tty_init(struct tty *tty, const struct tty_ops *ops)
{
    memset(tty, 0, sizeof(*tty));
    tty->ops = ops;
    waitq_init(&tty->readable);
    waitq_init(&tty->writable);
    spin_init(&tty->lock, RANK_TTY);
    tty->input = kmalloc(TTY_INPUT_SIZE);
    tty->line_end = kzalloc(TTY_INPUT_SIZE / 8);
    if (tty->input == NULL || tty->line_end == NULL)
        return -ENOMEM;
    tty->termios = (struct tty_termios){
        .iflag = TTY_ICRNL | TTY_IXON,
        .oflag = TTY_OPOST | TTY_ONLCR,
        .cflag = TTY_B38400 | TTY_CS8 | TTY_CREAD,
        .lflag = TTY_ISIG | TTY_ICANON | TTY_ECHO | TTY_ECHOE | TTY_ECHOK | TTY_ECHOCTL |
                 TTY_ECHOKE | TTY_IEXTEN,
        .cc = {[TTY_VINTR] = 3,
               [TTY_VQUIT] = 0x1c,
               [TTY_VERASE] = DELETE,
               [TTY_VKILL] = 0x15,
               [TTY_VEOF] = 4,
               [TTY_VMIN] = 1,
               [TTY_VSTART] = 0x11,
               [TTY_VSTOP] = 0x13,
               [TTY_VSUSP] = 0x1a,
               [TTY_VREPRINT] = 0x12,
               [TTY_VDISCARD] = 0x0f,
               [TTY_VWERASE] = 0x17,
               [TTY_VLNEXT] = 0x16},
    };
    return 0;
}

static bool has(const struct tty *tty, uint32_t lflag)
{
    return (tty->termios.lflag & lflag) != 0;
}

static bool is_cc(const struct tty *tty, uint8_t byte, enum tty_cc cc)
{
    return tty->termios.cc[cc] != DISABLED_CC && byte == tty->termios.cc[cc];
}

/* --- output ----------------------------------------------------------------------------------- */

static void count_column(struct tty *tty, uint8_t byte)
{
    if (byte == '\r')
        tty->column = 0;
    else if (byte == '\b')
        tty->column -= tty->column > 0;
    else if (byte == '\t')
        tty->column += TAB_WIDTH - tty->column % TAB_WIDTH;
    else if (byte >= ' ' && (byte & 0xc0) != 0x80) /* not the inside of a UTF-8 character */
        tty->column++;
}

/* One byte through OPOST; returns how many it became (at most TAB_WIDTH). */
static size_t process_output(struct tty *tty, uint8_t byte, uint8_t *to)
{
    uint32_t flags = tty->termios.oflag;
    size_t count = 1;

    to[0] = byte;
    if (!(flags & TTY_OPOST)) {
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
    } else if (flags & TTY_OLCUC) {
        to[0] = (uint8_t)char_to_upper((char)byte);
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
        length += process_output(tty, from[i++], to + length);
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

/* --- echo ------------------------------------------------------------------------------------- */

static void echo_byte(struct tty *tty, struct after *after, uint8_t byte)
{
    if (after->echo_size + TAB_WIDTH > ECHO_MAX)
        return;
    after->echo_size += process_output(tty, byte, after->echo + after->echo_size);
}

static bool is_shown_as_control(const struct tty *tty, uint8_t byte)
{
    return has(tty, TTY_ECHOCTL) && (byte < ' ' || byte == DELETE) && byte != '\t' && byte != '\n';
}

static void echo_character(struct tty *tty, struct after *after, uint8_t byte)
{
    if (is_shown_as_control(tty, byte)) {
        echo_byte(tty, after, '^');
        echo_byte(tty, after, byte ^ 0x40);
    } else {
        echo_byte(tty, after, byte);
    }
}

/* --- editing the line that is not complete yet -------------------------------------------------
 */

static uint8_t input_at(const struct tty *tty, uint32_t position)
{
    return tty->input[position & MASK];
}

static bool is_continuation(const struct tty *tty, uint8_t byte)
{
    return (tty->termios.iflag & TTY_IUTF8) && (byte & 0xc0) == 0x80;
}

/* Where the cursor stood when the byte at `end` was typed, as far as the line tells. */
static unsigned column_at(const struct tty *tty, uint32_t end)
{
    unsigned column = tty->line_start_column;

    for (uint32_t i = tty->line; i != end; i++) {
        uint8_t byte = input_at(tty, i);

        if (byte == '\t')
            column += TAB_WIDTH - column % TAB_WIDTH;
        else if (is_shown_as_control(tty, byte))
            column += 2;
        else if (!is_continuation(tty, byte))
            column++;
    }
    return column;
}

/* Takes the last character from the line and from the screen. False: the line is empty. */
static bool erase_character(struct tty *tty, struct after *after)
{
    unsigned before, width;
    uint8_t byte;

    if (tty->head == tty->line)
        return false;
    before = column_at(tty, tty->head);
    do {
        byte = input_at(tty, --tty->head);
    } while (is_continuation(tty, byte) && tty->head != tty->line);
    width = before - column_at(tty, tty->head);
    if (!has(tty, TTY_ECHO))
        return true;
    if (!has(tty, TTY_ECHOE)) {
        echo_character(tty, after, tty->termios.cc[TTY_VERASE]);
        return true;
    }
    for (unsigned i = 0; i < width && i < TAB_WIDTH; i++) {
        echo_byte(tty, after, '\b');
        if (byte != '\t') {
            echo_byte(tty, after, ' ');
            echo_byte(tty, after, '\b');
        }
    }
    return true;
}

static void send_echo(struct tty *tty, struct after *after)
{
    if (after->echo_size > 0)
        tty->ops->echo(tty, after->echo, after->echo_size);
    after->echo_size = 0;
}

static bool is_word_byte(uint8_t byte)
{
    return char_is_alnum((char)byte) || byte == '_' || byte >= 0x80;
}

static void erase_word(struct tty *tty, struct after *after)
{
    bool seen_word = false;

    while (tty->head != tty->line) {
        bool is_word = is_word_byte(input_at(tty, tty->head - 1));

        if (seen_word && !is_word)
            return;
        seen_word |= is_word;
        erase_character(tty, after);
        send_echo(tty, after); /* more than a buffer of echo at once */
    }
}

static void kill_line(struct tty *tty, struct after *after)
{
    if (has(tty, TTY_ECHO) && has(tty, TTY_ECHOK) && has(tty, TTY_ECHOKE) && has(tty, TTY_ECHOE)) {
        while (erase_character(tty, after))
            send_echo(tty, after);
        return;
    }
    tty->head = tty->line;
    if (has(tty, TTY_ECHO)) {
        echo_character(tty, after, tty->termios.cc[TTY_VKILL]);
        if (has(tty, TTY_ECHOK))
            echo_byte(tty, after, '\n');
    }
}

static void reprint_line(struct tty *tty, struct after *after)
{
    echo_character(tty, after, tty->termios.cc[TTY_VREPRINT]);
    echo_byte(tty, after, '\n');
    tty->line_start_column = 0;
    for (uint32_t i = tty->line; i != tty->head; i++) {
        echo_character(tty, after, input_at(tty, i));
        send_echo(tty, after);
    }
}

/* --- input ------------------------------------------------------------------------------------ */

static uint32_t used(const struct tty *tty)
{
    return tty->head - tty->tail;
}

static void append(struct tty *tty, uint8_t byte, bool ends_line)
{
    if (tty->head == tty->line)
        tty->line_start_column = tty->column;
    tty->input[tty->head & MASK] = byte;
    if (ends_line)
        bitmap_set(tty->line_end, tty->head & MASK);
    else
        bitmap_clear(tty->line_end, tty->head & MASK);
    tty->head++;
}

static void complete_line(struct tty *tty, struct after *after)
{
    tty->line = tty->head;
    tty->line_count++;
    after->wake_readers = true;
}

static void discard_input(struct tty *tty)
{
    tty->tail = tty->line = tty->head;
    tty->line_count = 0;
}

/* Returns whether the byte was a signal's. */
static bool take_signal(struct tty *tty, uint8_t byte, struct after *after)
{
    if (!has(tty, TTY_ISIG))
        return false;
    if (is_cc(tty, byte, TTY_VINTR))
        after->signal = TTY_SIGINT;
    else if (is_cc(tty, byte, TTY_VQUIT))
        after->signal = TTY_SIGQUIT;
    else if (is_cc(tty, byte, TTY_VSUSP))
        after->signal = TTY_SIGTSTP;
    else
        return false;
    if (!has(tty, TTY_NOFLSH))
        discard_input(tty);
    tty->stopped = false;
    after->wake_writers = true;
    if (has(tty, TTY_ECHO))
        echo_character(tty, after, byte);
    return true;
}

static bool take_flow_control(struct tty *tty, uint8_t byte, struct after *after)
{
    if (!(tty->termios.iflag & TTY_IXON))
        return false;
    if (is_cc(tty, byte, TTY_VSTOP)) {
        tty->stopped = true;
        return true;
    }
    if (is_cc(tty, byte, TTY_VSTART) || (tty->stopped && (tty->termios.iflag & TTY_IXANY))) {
        tty->stopped = false;
        after->wake_writers = true;
        return is_cc(tty, byte, TTY_VSTART);
    }
    return false;
}

static bool take_editing(struct tty *tty, uint8_t byte, struct after *after)
{
    if (is_cc(tty, byte, TTY_VERASE))
        erase_character(tty, after);
    else if (is_cc(tty, byte, TTY_VKILL))
        kill_line(tty, after);
    else if (has(tty, TTY_IEXTEN) && is_cc(tty, byte, TTY_VWERASE))
        erase_word(tty, after);
    else if (has(tty, TTY_IEXTEN) && has(tty, TTY_ECHO) && is_cc(tty, byte, TTY_VREPRINT))
        reprint_line(tty, after);
    else
        return false;
    return true;
}

/* A byte of a line in canonical mode that is no command. */
static void take_canonical(struct tty *tty, uint8_t byte, struct after *after)
{
    bool ends_line = byte == '\n' || is_cc(tty, byte, TTY_VEOL) ||
                     (has(tty, TTY_IEXTEN) && is_cc(tty, byte, TTY_VEOL2));

    if (is_cc(tty, byte, TTY_VEOF)) {
        append(tty, DISABLED_CC, true); /* read() gives what stands before, not this */
        complete_line(tty, after);
        return;
    }
    if (!ends_line && used(tty) >= TTY_INPUT_SIZE - 1) {
        if (tty->termios.iflag & TTY_IMAXBEL)
            echo_byte(tty, after, '\a');
        return; /* a line that is too long, as on Linux: room is kept for its end */
    }
    append(tty, byte, ends_line);
    if (has(tty, TTY_ECHO) || (byte == '\n' && has(tty, TTY_ECHONL)))
        echo_character(tty, after, byte);
    if (ends_line)
        complete_line(tty, after);
}

static void take_raw(struct tty *tty, uint8_t byte, struct after *after)
{
    append(tty, byte, false);
    tty->line = tty->head;
    after->wake_readers = true;
    if (has(tty, TTY_ECHO))
        echo_character(tty, after, byte);
}

/* CR and NL by c_iflag. False: the byte is dropped. */
static bool translate(const struct tty *tty, uint8_t *byte)
{
    uint32_t flags = tty->termios.iflag;

    if (flags & TTY_ISTRIP)
        *byte &= 0x7f;
    if (*byte == '\r') {
        if (flags & TTY_IGNCR)
            return false;
        if (flags & TTY_ICRNL)
            *byte = '\n';
    } else if (*byte == '\n' && (flags & TTY_INLCR)) {
        *byte = '\r';
    } else if ((flags & TTY_IUCLC) && has(tty, TTY_IEXTEN)) {
        *byte = (uint8_t)char_to_lower((char)*byte);
    }
    return true;
}

static void take_byte(struct tty *tty, uint8_t byte, struct after *after)
{
    if (tty->literal) {
        tty->literal = false;
    } else {
        if (take_signal(tty, byte, after) || take_flow_control(tty, byte, after) ||
            !translate(tty, &byte))
            return;
        if (has(tty, TTY_ICANON)) {
            if (has(tty, TTY_IEXTEN) && is_cc(tty, byte, TTY_VLNEXT)) {
                tty->literal = true;
                return;
            }
            if (!take_editing(tty, byte, after))
                take_canonical(tty, byte, after);
            return;
        }
    }
    if (!has(tty, TTY_ICANON)) {
        take_raw(tty, byte, after);
    } else if (used(tty) < TTY_INPUT_SIZE - 1) {
        append(tty, byte, false);
        if (has(tty, TTY_ECHO))
            echo_character(tty, after, byte);
    }
}

/*
 * Full: a raw terminal takes no more. In canonical mode a line without an end is cut rather than
 * refused, or nothing could ever end it.
 */
static bool has_room(const struct tty *tty)
{
    if (used(tty) < TTY_INPUT_SIZE - 1)
        return true;
    return has(tty, TTY_ICANON) && tty->line == tty->tail && used(tty) < TTY_INPUT_SIZE;
}

static void finish(struct tty *tty, struct after *after)
{
    send_echo(tty, after);
    if (after->signal != 0)
        tty_signal(tty, after->signal);
    if (after->wake_readers)
        waitq_wake(&tty->readable, UINT32_MAX, CONSOLE_READABLE);
    if (after->wake_writers)
        waitq_wake(&tty->writable, UINT32_MAX, CONSOLE_WRITABLE);
    *after = (struct after){0};
}

size_t tty_input(struct tty *tty, const uint8_t *from, size_t size)
{
    struct after after = {0};
    size_t done = 0;
    reg_t flags = spin_lock_irq(&tty->lock);

    for (; done < size; done++) {
        if (!has_room(tty)) {
            tty->throttled = true;
            break;
        }
        take_byte(tty, from[done], &after);
        if (after.echo_size >= ECHO_MAX / 2)
            send_echo(tty, &after);
        if (after.signal != 0) { /* in order with what follows */
            spin_unlock_irq(&tty->lock, flags);
            finish(tty, &after);
            flags = spin_lock_irq(&tty->lock);
        }
    }
    spin_unlock_irq(&tty->lock, flags);
    finish(tty, &after);
    return done;
}

void tty_hangup(struct tty *tty)
{
    reg_t flags = spin_lock_irq(&tty->lock);

    tty->hung_up = true;
    spin_unlock_irq(&tty->lock, flags);
    waitq_wake(&tty->readable, UINT32_MAX, 0);
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
        int error = wait_event(console_output_waitq(), tty->ops->output_pending(tty) == 0,
                               WAIT_FOREVER, WAIT_INTERRUPTIBLE);
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
