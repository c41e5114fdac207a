/* SPDX-License-Identifier: MIT */
/* The terminal that the console is. When standard output is no terminal its output is framed. */
#include "console.h"

#include <abi/frame.h>
#include <device/tty.h>

static char frame_type(void)
{
    return console.options.has_nonce && !console.options.is_terminal[1] ? FRAME_TTY : 0;
}

static ssize_t terminal_write(struct tty *terminal, const uint8_t *from, size_t size, bool nowait)
{
    (void)terminal;
    return console_write_type(frame_type(), from, size, nowait);
}

static void terminal_echo(struct tty *terminal, const uint8_t *from, size_t size)
{
    (void)terminal;
    console_write_or_drop(frame_type(), from, size);
}

static void terminal_input_room(struct tty *terminal)
{
    (void)terminal;
    console_input_pump();
}

static size_t terminal_output_pending(struct tty *terminal)
{
    (void)terminal;
    return console_output_pending();
}

static bool terminal_can_write(struct tty *terminal)
{
    (void)terminal;
    return console_can_write();
}

static const struct tty_ops terminal_ops = {
    .write = terminal_write,
    .echo = terminal_echo,
    .input_room = terminal_input_room,
    .output_pending = terminal_output_pending,
    .can_write = terminal_can_write,
};

static struct tty tty = TTY_INIT(&terminal_ops, &console_room);

struct tty *console_tty(void)
{
    return &tty;
}

int console_tty_init(void)
{
    tty.winsize.rows = console.options.rows;
    tty.winsize.columns = console.options.columns;
    return tty_init_input(&tty);
}
