/* SPDX-License-Identifier: MIT */
/*
 * The console: one byte stream to and from the outside, with three users. Program output and input
 * pass 8-bit clean; frames (abi/frame.h) carry exit status, stderr, messages and window size beside
 * them when bootargs gave a nonce; kernel messages are lines of text otherwise.
 *
 * A UART driver registers a struct console_device. Before that an early console writes by polling.
 */
#ifndef DEVICE_CONSOLE_H
#define DEVICE_CONSOLE_H

#include <core/waitq.h>
#include <lib/compiler.h>
#include <lib/types.h>

struct fw_node;
struct tty;

/* --- for drivers ------------------------------------------------------------------------------ */

struct console_device;

/* Called with the console's lock held and interrupts masked, but for resume_input; none sleeps. */
struct console_device_ops {
    /* Hands over what the device takes without waiting; returns how much. */
    size_t (*write)(struct console_device *device, const uint8_t *from, size_t size);
    /* on: call console_output_ready() once there is room again. */
    void (*notify_output)(struct console_device *device, bool on);
    /* off: leave input in the device, so that the sender is held back; on: go on receiving. */
    void (*receive)(struct console_device *device, bool on);
    /* After receive(on), with no lock held: input that waits in the driver goes to console_input().
     * NULL where the device's interrupt brings it. */
    void (*resume_input)(struct console_device *device);
    /* Waits until everything has left the device: at power-off and when the kernel dies. */
    void (*drain)(struct console_device *device);
};

struct console_device {
    const char *name;
    const struct console_device_ops *ops;
    const struct fw_node *node;
    void *data;
};

#define CONSOLE_INPUT_BURST 64

/* The device takes over from the early console if it is the same node or there is none. */
void console_register(struct console_device *device);
/* Takes over from whatever device there is, once its output has left: a second, faster channel that
 * the host asked for. Thread context. */
void console_replace(struct console_device *device);
/*
 * Interrupt context. Takes the input, at most CONSOLE_INPUT_BURST bytes. False: that was all there
 * is room for, and ops->receive(off) has been called; the device keeps what else comes.
 */
bool console_input(struct console_device *device, const uint8_t *from, size_t size);
void console_output_ready(struct console_device *device);

/* --- start, in this order --------------------------------------------------------------------- */

struct console_options {
    uint8_t nonce[32]; /* as text */
    bool has_nonce;
    bool is_terminal[3]; /* of the program's streams 0, 1, 2 */
    bool stderr_frame;
    uint16_t rows, columns; /* 0: unknown */
};

/* Takes nonce, terminals, message level and window size from bootargs (abi/bootargs.h), before
 * anything is written. No allocator needed. */
void console_configure(const char *bootargs);
const struct console_options *console_options(void);

/* Output by polling through `registers`, the mapped registers of `node`, by its driver's early_init
 * and early_write; becomes a sink of the log, which is replayed. Nothing if no driver knows it. */
void console_early_init(const struct fw_node *node, void *registers);
/* The first node, in document order, whose driver has an early console; NULL. */
const struct fw_node *console_early_find(void);
/* Whether there is an early console: the program's streams have where to go. */
bool console_has_output(void);
/* Buffers and the terminal's input, before a driver is probed. -ENOMEM. */
int console_init(void);

/* --- streams of the program --------------------------------------------------------------------
 */

enum console_stream { CONSOLE_OUT, CONSOLE_ERR };

/*
 * Takes at least one byte, unless nothing fits and `nowait` (-EAGAIN) or a signal comes
 * (-ERESTARTSYS). May sleep. Ordered with respect to other writers; no translation.
 */
ssize_t console_write(enum console_stream stream, const void *from, size_t size, bool nowait);
/* Up to `size` bytes of input; 0 at its end ('Z' frame). -EAGAIN, -ERESTARTSYS. Only when input is
 * no terminal. */
ssize_t console_read(void *to, size_t size, bool nowait);
/* POLL* bits: POLLIN | POLLRDNORM, POLLOUT | POLLWRNORM. */
#define CONSOLE_READABLE 0x041U
#define CONSOLE_WRITABLE 0x104U
/* Of console_read() and console_write(). */
unsigned console_events(void);
struct waitq *console_input_waitq(void);
struct waitq *console_output_waitq(void);
size_t console_input_pending(void); /* FIONREAD */

/* The terminal behind it, for /dev/console and /dev/tty; also when no stream is one. */
struct tty *console_tty(void);

/* --- frames ------------------------------------------------------------------------------------
 */

/* One frame with all of its payload (at most FRAME_PAYLOAD_MAX), in order after what was written
 * before. Sleeps only if `may_sleep`; else it waits for the device by polling. No nonce: nothing.
 */
void console_frame(char type, const void *payload, size_t size, bool may_sleep);
/* 'X' and 'S': waits until all output has left, then the frame. */
void console_exit_status(unsigned status);
void console_exit_signal(unsigned signal);
/* Everything out, by polling. Any context. */
void console_flush(void);
/* The kernel dies: from now on all output is polled and takes no lock. */
void console_panic_mode(void);

#endif
