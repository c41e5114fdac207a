/* SPDX-License-Identifier: MIT
 *
 * Relaying between the terminal, pipes or files of this command and the guest.
 *
 * Nothing is sent to the guest before its first byte or frame: until then its serial port may not
 * be set up. No stream is made non-blocking, since that would change it for whoever shares it;
 * output is written when poll says so, in pieces that a pipe takes without blocking.
 */
#include "console.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include "frame.h"
#include "message.h"

#define BUFFERED_MAX (64 * 1024) /* no more is read for a stream that does not take it */
#define CONTROL_C    0x03

struct channel {
    struct console *console;
    struct console_channel fds;
    struct frame_parser parser;
    double read_at; /* time of the last bytes */
    bool gone;
};

struct console {
    struct channel channels[CONSOLE_CHANNELS];
    struct channel *active; /* where the guest wants its input */
    const char *nonce;
    const struct console_streams *streams;
    struct buffer to_guest;
    struct buffer output;
    struct buffer errors;
    bool guest_ready; /* its program starts, and `active` is known */
    bool input_done;
    bool terminating;      /* the program was asked to end */
    double interrupted_at; /* time of the last Ctrl-C; 0: none */
    double deadline;       /* 0: none */
    bool ended;
    struct console_result result;
};

/* --- Signals come as bytes of a pipe. ----------------------------------------------------------
 */

static int signal_pipe[2] = {-1, -1};
static const int caught[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGWINCH};
static struct sigaction old_actions[sizeof(caught) / sizeof(caught[0])];

static void on_signal(int number)
{
    unsigned char byte = (unsigned char)number;
    int saved = errno;
    ssize_t done = write(signal_pipe[1], &byte, 1);

    (void)done;
    errno = saved;
}

static void signals_catch(void)
{
    struct sigaction action = {.sa_handler = on_signal};

    if (pipe2(signal_pipe, O_CLOEXEC | O_NONBLOCK) < 0)
        exit(message_error("no pipe for signals: %s", strerror(errno)));
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigaction(caught[i], &action, &old_actions[i]);
    signal(SIGPIPE, SIG_IGN);
}

static void signals_restore(void)
{
    for (size_t i = 0; i < sizeof(caught) / sizeof(caught[0]); i++)
        sigaction(caught[i], &old_actions[i], NULL);
    signal(SIGPIPE, SIG_DFL);
    close(signal_pipe[0]);
    close(signal_pipe[1]);
}

/* --- The terminal. -----------------------------------------------------------------------------
 */

static struct termios saved_terminal;
static bool terminal_is_raw;

static void terminal_restore(void)
{
    if (!terminal_is_raw)
        return;
    tcsetattr(STDIN_FILENO, TCSADRAIN, &saved_terminal);
    terminal_is_raw = false;
    message_set_newline("\n");
}

static void terminal_make_raw(void)
{
    struct termios raw;

    if (tcgetattr(STDIN_FILENO, &saved_terminal) < 0)
        return;
    raw = saved_terminal;
    cfmakeraw(&raw);
    if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) == 0) {
        static bool registered;

        if (!registered)
            atexit(terminal_restore); /* however the command ends */
        registered = true;
        terminal_is_raw = true;
        message_set_newline("\r\n");
    }
}

static bool window_size(unsigned *rows, unsigned *columns)
{
    struct winsize size;

    for (int fd = 0; fd < 3; fd++)
        if (isatty(fd) && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_row && size.ws_col) {
            *rows = size.ws_row;
            *columns = size.ws_col;
            return true;
        }
    return false;
}

void console_streams_read(struct console_streams *streams)
{
    struct stat output, errors;

    *streams = (struct console_streams){0};
    for (int fd = 0; fd < 3; fd++)
        streams->tty[fd] = isatty(fd);
    streams->stderr_apart = fstat(STDOUT_FILENO, &output) < 0 ||
                            fstat(STDERR_FILENO, &errors) < 0 || output.st_dev != errors.st_dev ||
                            output.st_ino != errors.st_ino;
    streams->reads_input = !streams->tty[0] || tcgetpgrp(STDIN_FILENO) == getpgrp();
    window_size(&streams->rows, &streams->columns);
}

static double now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void end(struct console *console, enum console_end how, int value)
{
    if (!console->ended || how >= CONSOLE_TIMEOUT) {
        console->result.end = how;
        console->result.value = value;
    }
    console->ended = true;
}

/* --- From the guest. ---------------------------------------------------------------------------
 */

static void take_bytes(void *context, const char *data, size_t size)
{
    struct channel *channel = context;

    buffer_add(&channel->console->output, data, size);
}

/* Kernel messages: lines; a raw terminal wants its returns. */
static void take_log(struct console *console, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] == '\n' && terminal_is_raw)
            buffer_add_byte(&console->errors, '\r');
        buffer_add_byte(&console->errors, text[i]);
    }
}

static void show_times(const char *payload)
{
    const char *program = strstr(payload, "program=");

    if (program)
        message_verbose("booted in %.1f ms (guest reset to program)",
                        strtod(program + strlen("program="), NULL) / 1e6);
}

static void take_frame(void *context, char type, const char *payload, size_t size)
{
    struct channel *channel = context;
    struct console *console = channel->console;
    char *text = memory_copy(payload, size);

    switch (type) {
    case FRAME_EXIT:
        end(console, CONSOLE_EXIT, atoi(text) & 0xff);
        break;
    case FRAME_SIGNAL:
        end(console, CONSOLE_SIGNAL, atoi(text) & 0x7f);
        break;
    case FRAME_STDERR:
        buffer_add(&console->errors, payload, size);
        break;
    case FRAME_TTY:
        buffer_add(console->streams->tty[1] ? &console->output : &console->errors, payload, size);
        break;
    case FRAME_LOG:
        take_log(console, payload, size);
        break;
    case FRAME_TIMES:
        console->active = channel;
        console->guest_ready = true;
        show_times(text);
        if (console->streams->started)
            console->streams->started(console->streams->context);
        break;
    default:
        break;
    }
    free(text);
}

static void read_guest(struct console *console, struct channel *channel)
{
    const struct frame_sink sink = {take_bytes, take_frame, channel};
    static char part[1 << 16];
    ssize_t got;

    /* A serial port writes byte by byte. When it is at it, let some gather: a wake-up for each
     * costs the host more than the guest's work. */
    if (channel == &console->channels[0] && now() - channel->read_at < 0.002)
        nanosleep(&(struct timespec){.tv_nsec = 400000}, NULL);
    got = read(channel->fds.from, part, sizeof(part));
    channel->read_at = now();
    if (got > 0) {
        frame_parse(&channel->parser, part, (size_t)got, &sink);
        console->result.guest_spoke = true;
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        frame_parse_end(&channel->parser, &sink);
        channel->gone = true;
    }
}

/* QEMU holds both channels; when it ends, both close. */
static bool guest_is_gone(const struct console *console)
{
    return console->channels[0].gone && console->channels[1].gone;
}

/* --- To the guest. -----------------------------------------------------------------------------
 */

static void send_frame(struct console *console, char type, const char *payload)
{
    frame_add(&console->to_guest, console->nonce, type, payload, strlen(payload));
}

/* Ctrl-C, by key or signal: the second within a second ends the guest. */
static void note_interrupt(struct console *console)
{
    double time = now();

    if (console->interrupted_at > 0 && time - console->interrupted_at < 1)
        end(console, CONSOLE_INTERRUPTED, SIGINT);
    console->interrupted_at = time;
}

static void read_input(struct console *console)
{
    static char part[16 * 1024];
    ssize_t got = read(STDIN_FILENO, part, sizeof(part));

    if (got > 0) {
        buffer_add(&console->to_guest, part, (size_t)got);
        for (ssize_t i = 0; terminal_is_raw && i < got; i++)
            if (part[i] == CONTROL_C)
                note_interrupt(console);
    } else if (got == 0 || (errno != EINTR && errno != EAGAIN)) {
        send_frame(console, FRAME_EOF, "");
        console->input_done = true;
    }
}

static void write_guest(struct console *console)
{
    ssize_t done = write(console->active->fds.to, console->to_guest.data, console->to_guest.length);

    if (done > 0)
        buffer_drop_front(&console->to_guest, (size_t)done);
    else if (errno != EINTR && errno != EAGAIN)
        buffer_drop_front(&console->to_guest, console->to_guest.length);
}

static void take_signal(struct console *console, int number)
{
    unsigned rows, columns;

    switch (number) {
    case SIGWINCH:
        if (window_size(&rows, &columns)) {
            char *size = text_format("%u %u", rows, columns);

            send_frame(console, FRAME_WINDOW, size);
            free(size);
        }
        break;
    case SIGINT:
        if (!console->guest_ready) {
            end(console, CONSOLE_INTERRUPTED, SIGINT);
            break;
        }
        send_frame(console, FRAME_INTERRUPT, "");
        note_interrupt(console);
        break;
    case SIGTERM:
        if (console->streams->started && console->guest_ready && !console->terminating) {
            send_frame(console, FRAME_TERMINATE, "");
            console->terminating = true;
            break;
        }
        end(console, CONSOLE_INTERRUPTED, number);
        break;
    default:
        end(console, CONSOLE_INTERRUPTED, number);
        break;
    }
}

static void read_signals(struct console *console)
{
    unsigned char bytes[64];
    ssize_t got = read(signal_pipe[0], bytes, sizeof(bytes));

    for (ssize_t i = 0; i < got; i++)
        take_signal(console, bytes[i]);
}

/* --- The loop. ---------------------------------------------------------------------------------
 */

static void write_stream(struct console *console, int fd, struct buffer *buffer)
{
    size_t size = buffer->length < PIPE_BUF ? buffer->length : PIPE_BUF;
    ssize_t done = write(fd, buffer->data, size);

    if (done > 0) {
        buffer_drop_front(buffer, (size_t)done);
        if (console->streams->wrote)
            console->streams->wrote(console->streams->context);
    } else if (errno != EINTR && errno != EAGAIN) {
        int error = errno;

        if (error != EPIPE)
            message_error("writing the program's output: %s", strerror(error));
        buffer_drop_front(buffer, buffer->length);
        end(console, CONSOLE_OUTPUT_GONE, error == EPIPE ? SIGPIPE : 0);
    }
}

static int time_left(const struct console *console)
{
    double left;

    if (console->deadline <= 0)
        return -1;
    left = console->deadline - now();
    return left <= 0 ? 0 : left > 1e6 ? 1000000000 : (int)(left * 1000) + 1;
}

enum { FROM_GUEST, TO_GUEST = CONSOLE_CHANNELS, INPUT, OUTPUT, ERRORS, SIGNALS, POLLS };

static void set_polls(struct console *console, struct pollfd polls[POLLS])
{
    bool may_read = !console->ended && console->output.length < BUFFERED_MAX &&
                    console->errors.length < BUFFERED_MAX;
    bool may_write = !console->active->gone && console->guest_ready && console->to_guest.length;
    bool may_input = console->guest_ready && !console->input_done && !console->ended &&
                     console->streams->reads_input && console->to_guest.length < BUFFERED_MAX;

    for (int i = 0; i < CONSOLE_CHANNELS; i++) {
        const struct channel *channel = &console->channels[i];

        polls[FROM_GUEST + i] =
            (struct pollfd){may_read && !channel->gone ? channel->fds.from : -1, POLLIN, 0};
    }
    polls[TO_GUEST] = (struct pollfd){may_write ? console->active->fds.to : -1, POLLOUT, 0};
    polls[INPUT] = (struct pollfd){may_input ? STDIN_FILENO : -1, POLLIN, 0};
    polls[OUTPUT] = (struct pollfd){console->output.length ? STDOUT_FILENO : -1, POLLOUT, 0};
    polls[ERRORS] = (struct pollfd){console->errors.length ? STDERR_FILENO : -1, POLLOUT, 0};
    polls[SIGNALS] = (struct pollfd){signal_pipe[0], POLLIN, 0};
}

static void relay(struct console *console)
{
    struct pollfd polls[POLLS];

    while (!(console->ended || guest_is_gone(console)) || console->output.length ||
           console->errors.length) {
        bool stopped = console->ended && console->result.end >= CONSOLE_TIMEOUT;

        if (stopped)
            break;
        set_polls(console, polls);
        if (poll(polls, POLLS, time_left(console)) < 0 && errno != EINTR)
            break;
        if (time_left(console) == 0)
            end(console, CONSOLE_TIMEOUT, 0);
        if (polls[SIGNALS].revents)
            read_signals(console);
        if (polls[OUTPUT].revents)
            write_stream(console, STDOUT_FILENO, &console->output);
        if (polls[ERRORS].revents)
            write_stream(console, STDERR_FILENO, &console->errors);
        for (int i = 0; i < CONSOLE_CHANNELS; i++)
            if (polls[FROM_GUEST + i].revents)
                read_guest(console, &console->channels[i]);
        if (polls[TO_GUEST].revents)
            write_guest(console);
        if (polls[INPUT].revents)
            read_input(console);
    }
}

static void open_channel(struct console *console, struct channel *channel,
                         const struct console_channel *fds)
{
    channel->console = console;
    channel->fds = *fds;
    channel->gone = fds->from < 0;
    frame_parser_init(&channel->parser, console->nonce);
    if (fds->from >= 0) {
        fcntl(fds->from, F_SETFL, fcntl(fds->from, F_GETFL) | O_NONBLOCK);
        fcntl(fds->to, F_SETFL, fcntl(fds->to, F_GETFL) | O_NONBLOCK);
    }
}

struct console_result console_run(const struct console_channel channels[CONSOLE_CHANNELS],
                                  const char *nonce, const struct console_streams *streams,
                                  double timeout)
{
    struct console console = {.nonce = nonce, .streams = streams};

    for (int i = 0; i < CONSOLE_CHANNELS; i++)
        open_channel(&console, &console.channels[i], &channels[i]);
    console.active = &console.channels[0];
    console.deadline = timeout > 0 ? now() + timeout : 0;
    signals_catch();
    if (streams->tty[0] && streams->reads_input)
        terminal_make_raw();
    relay(&console);
    terminal_restore();
    signals_restore();
    buffer_free(&console.to_guest);
    buffer_free(&console.output);
    buffer_free(&console.errors);
    return console.result;
}
