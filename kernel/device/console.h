/* SPDX-License-Identifier: MIT */
/* What console.c (output), console_input.c and console_tty.c share. */
#ifndef DEVICE_CONSOLE_INTERNAL_H
#define DEVICE_CONSOLE_INTERNAL_H

#include <core/lock.h>
#include <device/console.h>

struct console {
    struct spinlock lock;
    struct console_device *device; /* NULL before drivers */
    bool is_dying;                 /* no locks, all by polling */
    struct console_options options;
};

extern struct console console;
extern struct waitq console_room; /* who waits for room for output */

/* As console_write, in frames of `type` unless that is 0. */
ssize_t console_write_type(char type, const void *from, size_t size, bool nowait);
/* Any context; what there is no room for is lost. */
void console_write_or_drop(char type, const void *from, size_t size);
bool console_can_write(void);
size_t console_output_pending(void);

int console_input_init(void);
/* Moves input on after a reader has made room. Any context, no lock held. */
void console_input_pump(void);

/* console_tty.c */
int console_tty_init(void);

#endif
