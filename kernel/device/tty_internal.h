/* SPDX-License-Identifier: MIT */
/* What tty.c (output, reading, settings) and tty_input.c (keys, echo, editing) share. All under the
 * lock of the terminal. */
#ifndef DEVICE_TTY_INTERNAL_H
#define DEVICE_TTY_INTERNAL_H

#include <device/tty.h>
#include <lib/compiler.h>

#define MASK (TTY_INPUT_SIZE - 1)

#define TAB_WIDTH   8
#define DISABLED_CC 0 /* _POSIX_VDISABLE */
#define DELETE      0x7f

_Static_assert((TTY_INPUT_SIZE & MASK) == 0, "positions wrap by a mask");

static inline bool has(const struct tty *tty, uint32_t lflag)
{
    return (tty->termios.lflag & lflag) != 0;
}

static inline uint32_t used(const struct tty *tty)
{
    return tty->head - tty->tail;
}

static inline uint8_t input_at(const struct tty *tty, uint32_t position)
{
    return tty->input[position & MASK];
}

static inline void discard_input(struct tty *tty)
{
    tty->tail = tty->line = tty->head;
    tty->line_count = 0;
}

/* One byte through OPOST; returns how many it became (at most TAB_WIDTH). */
size_t tty_process_output(struct tty *tty, uint8_t byte, uint8_t *to);

#endif
