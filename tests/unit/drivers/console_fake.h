/* SPDX-License-Identifier: MIT */
/* What drivers/virtio/console*.c have around them: a worker, /dev and /sys, terminals, the console,
 * the command line. No user memory can be reached. */
#ifndef UNIT_CONSOLE_FAKE_H
#define UNIT_CONSOLE_FAKE_H

#include <device/console.h>
#include <device/tty.h>
#include <file/pseudo.h>

struct console_fake {
    struct work *queued;          /* NULL: none */
    struct char_device files[16]; /* of /dev */
    char names[16][128];          /* theirs; empty: it is gone */
    unsigned file_count, sys_count, links;
    struct tty *terminals[4];
    unsigned terminal_count;
    struct console_device *replaced; /* the console, once it has gone over to a port */
    const char *bootargs;
    uint8_t typed[4096]; /* what a terminal or the console got */
    size_t typed_size, typed_room;
};

extern struct console_fake around;

void console_fake_reset(void);
/* Does what is queued. */
void console_fake_work(void);

#endif
