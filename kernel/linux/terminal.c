/* SPDX-License-Identifier: MIT */
/*
 * The console as files: /dev/console and /dev/tty with Linux's terminal ioctls (ioctl_tty(2),
 * values of asm-generic/ioctls.h), and plain streams for those of descriptors 0 to 2 that are no
 * terminal on the host.
 */
#include "process_internal.h"

#include <arch/uaccess.h>
#include <core/log.h>
#include <device/console.h>
#include <device/tty.h>
#include <file/fdtable.h>
#include <file/file.h>
#include <file/pseudo.h>
#include <fs/open.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <linux/process.h>
#include <linux/signal.h>

#define TCGETS     0x5401
#define TCSETS     0x5402
#define TCSETSW    0x5403
#define TCSETSF    0x5404
#define TCSBRK     0x5409
#define TCXONC     0x540a
#define TCFLSH     0x540b
#define TIOCEXCL   0x540c
#define TIOCNXCL   0x540d
#define TIOCSCTTY  0x540e
#define TIOCGPGRP  0x540f
#define TIOCSPGRP  0x5410
#define TIOCOUTQ   0x5411
#define TIOCGWINSZ 0x5413
#define TIOCSWINSZ 0x5414
#define FIONREAD   0x541b
#define TIOCNOTTY  0x5422
#define TCSBRKP    0x5425
#define TIOCGSID   0x5429
#define TCGETS2    0x802c542a
#define TCSETS2    0x402c542b
#define TCSETSW2   0x402c542c
#define TCSETSF2   0x402c542d

#define TTY_MAJOR_AUX 5
#define MINOR_TTY     0
#define MINOR_CONSOLE 1

#define SPEED 38400U

/* struct termios2 of asm-generic/termbits.h. */
struct termios2 {
    struct tty_termios termios;
    uint32_t input_speed, output_speed;
};

_Static_assert(sizeof(struct tty_termios) == 36, "struct termios of arm64");
_Static_assert(sizeof(struct termios2) == 44, "struct termios2 of arm64");

/* Bytes that are copied between program and terminal at a time. */
#define PART 1024

/* --- reading and writing ---------------------------------------------------------------------- */

typedef ssize_t read_fn(struct tty *tty, void *to, size_t size, bool nowait);
typedef ssize_t write_fn(struct tty *tty, const void *from, size_t size, bool nowait);

static bool nowait(const struct io *io)
{
    return (io->flags & IO_NOWAIT) != 0;
}

/* One wait at most; what is there already is taken along. */
static ssize_t read_parts(struct tty *tty, struct io *io, read_fn *read, bool one_only)
{
    size_t done = 0;

    while (io_left(io) > 0) {
        uint8_t part[PART];
        ssize_t got = read(tty, part, min(io_left(io), sizeof(part)), nowait(io) || done > 0);

        if (got <= 0)
            return done > 0 ? (ssize_t)done : got;
        if (io_copy_to(io, part, (size_t)got) != got)
            return -EFAULT;
        done += (size_t)got;
        if (one_only || (size_t)got < sizeof(part))
            break;
    }
    return (ssize_t)done;
}

/* Blocks until all is written, unless a signal comes or the caller does not wait. */
static ssize_t write_parts(struct tty *tty, struct io *io, write_fn *write)
{
    size_t done = 0;

    while (io_left(io) > 0) {
        uint8_t part[PART];
        ssize_t size = io_copy_from(io, part, sizeof(part)), sent = 0;

        if (size < 0)
            return done > 0 ? (ssize_t)done : size;
        while (sent < size) {
            ssize_t now = write(tty, part + sent, (size_t)(size - sent), nowait(io));

            if (now <= 0) {
                io_rewind(io, (size_t)(size - sent));
                done += (size_t)sent;
                return done > 0 ? (ssize_t)done : now;
            }
            sent += now;
        }
        done += (size_t)size;
    }
    return (ssize_t)done;
}

static ssize_t write_out(struct tty *tty, const void *from, size_t size, bool no_wait)
{
    (void)tty;
    return console_write(CONSOLE_OUT, from, size, no_wait);
}

static ssize_t write_err(struct tty *tty, const void *from, size_t size, bool no_wait)
{
    (void)tty;
    return console_write(CONSOLE_ERR, from, size, no_wait);
}

static ssize_t read_stream(struct tty *tty, void *to, size_t size, bool no_wait)
{
    (void)tty;
    return console_read(to, size, no_wait);
}

/* --- plain streams: like the ends of pipes ---------------------------------------------------- */

static ssize_t stream_read(struct file *file, struct io *io)
{
    (void)file;
    return read_parts(NULL, io, read_stream, false);
}

static ssize_t stream_write(struct file *file, struct io *io)
{
    return write_parts(NULL, io, file->data != NULL ? write_err : write_out);
}

static unsigned stream_poll(struct file *file, struct poll_waiter *pw)
{
    bool is_input = (file->access & FILE_READ) != 0;

    poll_add(pw, is_input ? console_input_waitq() : console_output_waitq());
    return console_events() & (is_input ? POLL_READABLE : POLL_WRITABLE);
}

static long stream_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    if (cmd != FIONREAD)
        return -ENOTTY;
    return put_user32(arg, file->access & FILE_READ ? (uint32_t)console_input_pending() : 0);
}

/* /dev/stdout and the like: one more way to the same stream. */
static int stream_reopen(struct file *file, unsigned flags, struct file **out)
{
    *out = file_create(file->ops, file->data, flags);
    if (*out == NULL)
        return -ENOMEM;
    (*out)->id = file->id;
    return 0;
}

static const struct file_ops stream_ops = {
    .name = "pipe",
    .mode = S_IFIFO | 0600,
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = stream_read,
    .write = stream_write,
    .ioctl = stream_ioctl,
    .poll = stream_poll,
    .reopen = stream_reopen,
};

/* --- the terminal ----------------------------------------------------------------------------- */

/* A line at a time: what one read gives ends with the line. */
static ssize_t terminal_read(struct file *file, struct io *io)
{
    return read_parts(file->data, io, tty_read, true);
}

static ssize_t terminal_write(struct file *file, struct io *io)
{
    return write_parts(file->data, io, tty_write);
}

static unsigned terminal_poll(struct file *file, struct poll_waiter *pw)
{
    struct tty *tty = file->data;

    poll_add(pw, &tty->readable);
    poll_add(pw, &tty->writable);
    if (tty->output != &tty->writable)
        poll_add(pw, tty->output);
    return tty_events(tty);
}

static long get_termios(struct tty *tty, reg_t arg, bool with_speed)
{
    struct termios2 value = {.input_speed = SPEED, .output_speed = SPEED};

    tty_get_termios(tty, &value.termios);
    return copy_to_user(arg, &value, with_speed ? sizeof(value) : sizeof(value.termios));
}

static long set_termios(struct tty *tty, reg_t arg, enum tty_when when)
{
    struct tty_termios value;

    if (copy_from_user(&value, arg, sizeof(value)) != 0)
        return -EFAULT;
    return tty_set_termios(tty, &value, when);
}

static long set_winsize(struct tty *tty, reg_t arg)
{
    struct tty_winsize size;

    if (copy_from_user(&size, arg, sizeof(size)) != 0)
        return -EFAULT;
    tty_set_winsize(tty, &size);
    return 0;
}

static long get_winsize(struct tty *tty, reg_t arg)
{
    struct tty_winsize size;

    tty_get_winsize(tty, &size);
    return copy_to_user(arg, &size, sizeof(size));
}

static long set_foreground(struct tty *tty, reg_t arg)
{
    uint32_t group;

    if (get_user32(&group, arg) != 0)
        return -EFAULT;
    if ((int32_t)group <= 0)
        return -EINVAL;
    tty->foreground = (int32_t)group;
    return 0;
}

static long take_terminal(struct tty *tty)
{
    struct process *process = current_process();

    if (tty->session == process->sid)
        return 0;
    if (process->pid != process->sid || tty->session != 0)
        return -EPERM;
    tty->session = process->sid;
    tty->foreground = process->pgid;
    return 0;
}

static long leave_terminal(struct tty *tty)
{
    struct process *process = current_process();

    if (tty->session != process->sid)
        return -ENOTTY;
    if (process->pid == process->sid)
        tty->session = tty->foreground = 0;
    return 0;
}

static long flush_queues(struct tty *tty, reg_t arg)
{
    if (arg > TTY_QUEUE_BOTH)
        return -EINVAL;
    tty_flush(tty, (enum tty_queue)arg);
    return 0;
}

static long terminal_control(struct tty *tty, unsigned cmd, reg_t arg)
{
    switch (cmd) {
    case TIOCSCTTY:
        return take_terminal(tty);
    case TIOCNOTTY:
        return leave_terminal(tty);
    case TIOCGPGRP:
        return tty->session == 0 ? -ENOTTY : put_user32(arg, (uint32_t)tty->foreground);
    case TIOCSPGRP:
        return set_foreground(tty, arg);
    case TIOCGSID:
        return tty->session == 0 ? -ENOTTY : put_user32(arg, (uint32_t)tty->session);
    case TCFLSH:
        return flush_queues(tty, arg);
    case TCXONC: /* 0 and 1: output off and on; 2 and 3 would send ^S and ^Q */
        if (arg > 3)
            return -EINVAL;
        if (arg < 2)
            tty_flow(tty, arg == 0);
        return 0;
    case TCSBRK: /* a break is not sent; with an argument: wait until output has left */
    case TCSBRKP:
        return 0;
    case TIOCEXCL:
    case TIOCNXCL:
        return 0;
    default:
        return -ENOTTY;
    }
}

static long terminal_ioctl(struct file *file, unsigned cmd, reg_t arg)
{
    struct tty *tty = file->data;

    switch (cmd) {
    case TCGETS:
    case TCGETS2:
        return get_termios(tty, arg, cmd == TCGETS2);
    case TCSETS:
    case TCSETS2:
        return set_termios(tty, arg, TTY_NOW);
    case TCSETSW:
    case TCSETSW2:
        return set_termios(tty, arg, TTY_DRAIN);
    case TCSETSF:
    case TCSETSF2:
        return set_termios(tty, arg, TTY_FLUSH);
    case TIOCGWINSZ:
        return get_winsize(tty, arg);
    case TIOCSWINSZ:
        return set_winsize(tty, arg);
    case FIONREAD:
        return put_user32(arg, (uint32_t)tty_input_pending(tty));
    case TIOCOUTQ:
        return put_user32(arg, (uint32_t)tty_output_pending(tty));
    default:
        return terminal_control(tty, cmd, arg);
    }
}

static const struct file_ops terminal_ops = {
    .flags = FILE_OPS_STREAM | FILE_OPS_ASYNC,
    .read = terminal_read,
    .write = terminal_write,
    .ioctl = terminal_ioctl,
    .poll = terminal_poll,
};

/* Declared by device/tty.h. */
void tty_signal(struct tty *tty, int signal)
{
    int group = READ_ONCE(tty->foreground);
    struct signal_info info = {.signo = signal, .code = SI_KERNEL};

    if (group != 0)
        signal_send_group(group, &info);
}

/* --- the first program's descriptors ---------------------------------------------------------- */

static struct file *open_stream(unsigned number)
{
    if (console_options()->is_terminal[number])
        return file_create(&terminal_ops, console_tty(), O_RDWR);
    return file_create(&stream_ops, number == 2 ? console_tty() : NULL,
                       number == 0 ? O_RDONLY : O_WRONLY);
}

static int show(struct tty *tty, const char *name, uint32_t mode, unsigned major, unsigned minor)
{
    struct char_device device = {.ops = &terminal_ops, .data = tty, .major = major, .minor = minor};

    return dev_register(name, mode, &device);
}

/* Declared by device/tty.h. */
int tty_show(struct tty *tty, const char *name, unsigned major, unsigned minor)
{
    return show(tty, name, 0620, major, minor);
}

int console_open_streams(struct fd_table *table)
{
    console_tty()->session = current_process()->sid;
    console_tty()->foreground = current_process()->pgid;
    for (unsigned number = 0; number < 3; number++) {
        struct file *file = open_stream(number);

        if (file == NULL)
            return -ENOMEM;
        fd_append(table, number, file);
    }
    return 0;
}

int console_show(struct file **terminal)
{
    static const struct open_request request = {.flags = O_RDWR};
    int error = show(console_tty(), "console", 0600, TTY_MAJOR_AUX, MINOR_CONSOLE);

    if (error == 0)
        error = show(console_tty(), "tty", 0666, TTY_MAJOR_AUX, MINOR_TTY);
    return error != 0 ? error : fs_open(NULL, "/dev/console", &request, terminal);
}

void console_place_streams(struct fd_table *table, struct file *terminal)
{
    for (unsigned number = 0; number < 3; number++) {
        if (console_options()->is_terminal[number])
            (void)fd_replace(table, number, terminal, 3, false); /* a slot that is there */
    }
    file_unref(terminal);
}
