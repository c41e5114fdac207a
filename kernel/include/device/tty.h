/* SPDX-License-Identifier: MIT */
/*
 * A terminal: the line discipline between a console and a program, as Linux's N_TTY (termios(3),
 * ioctl_tty(2)). Flags have Linux's values. The linux layer copies struct termios in and out and
 * defines the two functions at the end.
 */
#ifndef DEVICE_TTY_H
#define DEVICE_TTY_H

#include <core/lock.h>
#include <core/waitq.h>
#include <lib/types.h>

/* c_cc indices of arm64 (asm-generic/termbits.h) */
enum tty_cc {
    TTY_VINTR,
    TTY_VQUIT,
    TTY_VERASE,
    TTY_VKILL,
    TTY_VEOF,
    TTY_VTIME,
    TTY_VMIN,
    TTY_VSWTC,
    TTY_VSTART,
    TTY_VSTOP,
    TTY_VSUSP,
    TTY_VEOL,
    TTY_VREPRINT,
    TTY_VDISCARD,
    TTY_VWERASE,
    TTY_VLNEXT,
    TTY_VEOL2,
    TTY_NCCS = 19,
};

/* c_iflag */
#define TTY_IGNBRK  0x1U
#define TTY_BRKINT  0x2U
#define TTY_ISTRIP  0x20U
#define TTY_INLCR   0x40U
#define TTY_IGNCR   0x80U
#define TTY_ICRNL   0x100U
#define TTY_IUCLC   0x200U
#define TTY_IXON    0x400U
#define TTY_IXANY   0x800U
#define TTY_IXOFF   0x1000U
#define TTY_IMAXBEL 0x2000U
#define TTY_IUTF8   0x4000U
/* c_oflag */
#define TTY_OPOST   0x1U
#define TTY_OLCUC   0x2U
#define TTY_ONLCR   0x4U
#define TTY_OCRNL   0x8U
#define TTY_ONOCR   0x10U
#define TTY_ONLRET  0x20U
#define TTY_TABDLY  0x1800U
/* c_cflag */
#define TTY_B38400  0xfU
#define TTY_CS8     0x30U
#define TTY_CREAD   0x80U
/* c_lflag */
#define TTY_ISIG    0x1U
#define TTY_ICANON  0x2U
#define TTY_ECHO    0x8U
#define TTY_ECHOE   0x10U
#define TTY_ECHOK   0x20U
#define TTY_ECHONL  0x40U
#define TTY_NOFLSH  0x80U
#define TTY_TOSTOP  0x100U
#define TTY_ECHOCTL 0x200U
#define TTY_ECHOKE  0x800U
#define TTY_IEXTEN  0x8000U

/* The layout of Linux's struct termios for arm64, without a libc's additions. */
struct tty_termios {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t line;
    uint8_t cc[TTY_NCCS];
};

struct tty_winsize {
    uint16_t rows, columns, xpixel, ypixel;
};

#define TTY_INPUT_SIZE 4096 /* N_TTY's: a line is at most one less */

struct tty;

struct tty_ops {
    /* Sends output; as console_write(). May sleep. */
    ssize_t (*write)(struct tty *tty, const uint8_t *from, size_t size, bool nowait);
    /* Sends echo from interrupt context: drops what does not fit. */
    void (*echo)(struct tty *tty, const uint8_t *from, size_t size);
    /* There is room for input again. */
    void (*input_room)(struct tty *tty);
    size_t (*output_pending)(struct tty *tty); /* TIOCOUTQ */
    bool (*can_write)(struct tty *tty);        /* a write would take something now */
};

struct tty {
    const struct tty_ops *ops;
    struct waitq readable, writable;
    struct waitq *output; /* woken when output has gone: `writable`, or its owner's */
    int32_t foreground;   /* process group, 0: none; set by the linux layer */
    int32_t session;      /* 0: nobody's controlling terminal */

    struct spinlock lock; /* guards what follows; taken in interrupt context */
    struct tty_termios termios;
    struct tty_winsize winsize;
    bool stopped;    /* ^S */
    bool literal;    /* the last character was LNEXT */
    bool hung_up;    /* end of input: 'Z' frame */
    bool throttled;  /* input was refused */
    unsigned column; /* of the cursor, for tabs and erasing */
    unsigned line_start_column;
    uint32_t head, line, tail; /* next free; end of complete lines; next to read; they only grow */
    uint32_t line_count;       /* complete lines between tail and line */
    uint8_t *input;            /* TTY_INPUT_SIZE */
    unsigned long *line_end;   /* bitmap: this byte ends a line */
};

/* Linux's initial termios. */
#define TTY_TERMIOS_INIT                                                                  \
    {                                                                                     \
        .iflag = TTY_ICRNL | TTY_IXON, .oflag = TTY_OPOST | TTY_ONLCR,                    \
        .cflag = TTY_B38400 | TTY_CS8 | TTY_CREAD,                                        \
        .lflag = TTY_ISIG | TTY_ICANON | TTY_ECHO | TTY_ECHOE | TTY_ECHOK | TTY_ECHOCTL | \
                 TTY_ECHOKE | TTY_IEXTEN,                                                 \
        .cc = {[TTY_VINTR] = 3,       [TTY_VQUIT] = 0x1c,    [TTY_VERASE] = 0x7f,         \
               [TTY_VKILL] = 0x15,    [TTY_VEOF] = 4,        [TTY_VMIN] = 1,              \
               [TTY_VSTART] = 0x11,   [TTY_VSTOP] = 0x13,    [TTY_VSUSP] = 0x1a,          \
               [TTY_VREPRINT] = 0x12, [TTY_VDISCARD] = 0x0f, [TTY_VWERASE] = 0x17,        \
               [TTY_VLNEXT] = 0x16},                                                      \
    }

/* A terminal that can be written to; `output_` is the queue that becomes struct tty's `output`. */
#define TTY_INIT(ops_, output_)                                                             \
    {                                                                                       \
        .ops = (ops_), .readable = WAITQ_INIT, .writable = WAITQ_INIT, .output = (output_), \
        .lock = SPINLOCK_INIT(RANK_TTY), .termios = TTY_TERMIOS_INIT                        \
    }
/* Makes it one that takes input, too: before anything else is done with it but writing. -ENOMEM. */
int tty_init_input(struct tty *tty);
/* Both, with its own `writable` as `output`. */
int tty_init(struct tty *tty, const struct tty_ops *ops);

/* Interrupt context. Characters from the line; returns how many were taken (fewer: no room). */
size_t tty_input(struct tty *tty, const uint8_t *from, size_t size);
void tty_hangup(struct tty *tty);
void tty_set_winsize(struct tty *tty, const struct tty_winsize *size); /* signals a change */
void tty_get_winsize(struct tty *tty, struct tty_winsize *size);

/* read(2) and write(2) on it, kernel memory. May sleep unless nowait. */
ssize_t tty_read(struct tty *tty, void *to, size_t size, bool nowait);
ssize_t tty_write(struct tty *tty, const void *from, size_t size, bool nowait);
unsigned tty_events(struct tty *tty); /* POLL bits */

void tty_get_termios(struct tty *tty, struct tty_termios *termios);
enum tty_when { TTY_NOW, TTY_DRAIN, TTY_FLUSH }; /* TCSETS, TCSETSW, TCSETSF */
int tty_set_termios(struct tty *tty, const struct tty_termios *termios, enum tty_when when);
enum tty_queue { TTY_QUEUE_INPUT, TTY_QUEUE_OUTPUT, TTY_QUEUE_BOTH }; /* TCFLSH */
void tty_flush(struct tty *tty, enum tty_queue queue);
void tty_flow(struct tty *tty, bool stop);  /* TCXONC: TCOOFF, TCOON */
size_t tty_input_pending(struct tty *tty);  /* FIONREAD: what a read would give */
size_t tty_output_pending(struct tty *tty); /* TIOCOUTQ */

/* --- supplied by the layer above -------------------------------------------------------------- */

/* Makes it the file /dev/NAME; stays for good. Thread context. 0, -ENOMEM. */
int tty_show(struct tty *tty, const char *name, unsigned major, unsigned minor);

/* Sends a signal to the foreground process group. Interrupt context, no lock of the tty held. */
void tty_signal(struct tty *tty, int signal);

#define TTY_SIGINT   2
#define TTY_SIGQUIT  3
#define TTY_SIGTERM  15
#define TTY_SIGTSTP  20
#define TTY_SIGWINCH 28

#endif
