/* SPDX-License-Identifier: MIT */
/*
 * Keys of a terminal as they come, in the interrupt that brings them: signals, flow control,
 * editing of the line, echo (termios(3)). Reading is in tty.c.
 */
#include "tty_internal.h"

#include <core/lock.h>
#include <core/wait.h>
#include <device/console.h>
#include <lib/bitmap.h>
#include <lib/ctype.h>
#include <lib/string.h>

#define ECHO_MAX 64

/* What to do once the lock is released. */
struct after {
    uint8_t echo[ECHO_MAX];
    size_t echo_size;
    int signal;
    bool wake_readers, wake_writers;
};

static bool is_cc(const struct tty *tty, uint8_t byte, enum tty_cc cc)
{
    return tty->termios.cc[cc] != DISABLED_CC && byte == tty->termios.cc[cc];
}

/* --- echo ------------------------------------------------------------------------------------- */

static void echo_byte(struct tty *tty, struct after *after, uint8_t byte)
{
    if (after->echo_size + TAB_WIDTH > ECHO_MAX)
        return;
    after->echo_size += tty_process_output(tty, byte, after->echo + after->echo_size);
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
