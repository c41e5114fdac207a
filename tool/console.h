/* SPDX-License-Identifier: MIT
 *
 * The guest's console: the streams of this command on one side, the socket to the guest's serial
 * port on the other, frames in between (abi/frame.h).
 */
#ifndef TOOL_CONSOLE_H
#define TOOL_CONSOLE_H

#include <stdbool.h>

#include "buffer.h"

enum console_end {
    CONSOLE_CLOSED,      /* the guest is gone without a status */
    CONSOLE_EXIT,        /* value: exit status */
    CONSOLE_SIGNAL,      /* value: the signal that ended the program */
    CONSOLE_TIMEOUT,     /* --timeout */
    CONSOLE_INTERRUPTED, /* twice Ctrl-C; value: SIGINT; or a signal to this command: its number */
    CONSOLE_OUTPUT_GONE, /* nobody reads our output any more */
};

struct console_result {
    enum console_end end;
    int value;
    bool guest_spoke; /* the machine started: a byte came from it */
};

/* What the streams are, for bootargs. */
struct console_streams {
    bool tty[3];
    bool stderr_apart; /* standard error is another file than standard output */
    bool reads_input;  /* false: standard input is a terminal that is not ours (background) */
    unsigned rows, columns;

    /* Set for a detached guest: called when the program starts. The first SIGTERM is then for the
     * program, and only the second ends the guest. */
    void (*started)(void *context);
    void (*wrote)(void *context); /* some bytes went to standard output or error */
    void *context;
};

void console_streams_read(struct console_streams *streams);

/* A way to the guest: where its bytes are read from, and where those for it are written to. Both
 * become non-blocking. */
struct console_channel {
    int from;
    int to;
};

#define CONSOLE_CHANNELS 2 /* the serial port; a virtio console, or -1 */

/* Relays until the guest ends, the time is over, or the user ends it. The terminal is
 * raw meanwhile and as before on return. */
struct console_result console_run(const struct console_channel channels[CONSOLE_CHANNELS],
                                  const char *nonce, const struct console_streams *streams,
                                  double timeout);

#endif
