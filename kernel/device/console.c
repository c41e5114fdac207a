/* SPDX-License-Identifier: MIT */
/*
 * Output: what the device does not take at once waits in a ring, which the device's interrupt
 * empties. Frames go into the ring whole. Before there is a device, and once the kernel is dying,
 * everything is written by polling. Input is in console_input.c.
 *
 * One spinlock guards the output state. It is the last in the lock order but for the dying
 * kernel's: messages are printed under any lock. Waiters are therefore woken after it is released.
 */
#include "console.h"

#include <abi/bootargs.h>
#include <abi/frame.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/wait.h>
#include <device/device.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/slab.h>

#define OUTPUT_SIZE 16384U    /* power of two, more than two of the longest frames */
#define STALL_MAX   50000000U /* polls without progress before output is given up */

struct console console = {.lock = SPINLOCK_INIT(RANK_CONSOLE)};
struct waitq console_room = WAITQ_INIT;

static struct {
    uint8_t *ring;       /* NULL before console_init */
    uint32_t head, tail; /* next to fill, next to send; they only grow */
    bool notified;       /* the device calls when there is room */
    void (*early_write)(void *registers, const char *text, size_t size);
    void *early_registers;
    const struct fw_node *early_node;
    bool has_sink;
} out;

const struct console_options *console_options(void)
{
    return &console.options;
}

/* --- bytes ------------------------------------------------------------------------------------ */

static uint32_t ring_used(void)
{
    return out.head - out.tail;
}

static uint32_t ring_free(void)
{
    return out.ring != NULL ? OUTPUT_SIZE - ring_used() : 0;
}

/* Moves what the device takes from the ring. Returns whether it took something. */
static bool send_ring(void)
{
    uint32_t start = out.tail;

    while (out.tail != out.head) {
        uint32_t at = out.tail % OUTPUT_SIZE;
        size_t run = min(ring_used(), OUTPUT_SIZE - at), sent;

        sent = console.device->ops->write(console.device, out.ring + at, run);
        out.tail += (uint32_t)sent;
        if (sent < run)
            break;
    }
    return out.tail != start;
}

/* Until the ring is empty, or the device has taken nothing for a long time. */
static void send_ring_polled(void)
{
    unsigned stall = 0;

    while (console.device != NULL && ring_used() > 0 && stall < STALL_MAX)
        stall = send_ring() ? 0 : stall + 1;
}

static void write_polled(const uint8_t *from, size_t size)
{
    unsigned stall = 0;

    if (console.device == NULL) {
        if (out.early_write != NULL)
            out.early_write(out.early_registers, (const char *)from, size);
        return;
    }
    send_ring_polled();
    while (size > 0 && stall < STALL_MAX) {
        size_t sent = console.device->ops->write(console.device, from, size);

        from += sent;
        size -= sent;
        stall = sent > 0 ? 0 : stall + 1;
    }
}

/* Puts what fits into the ring, and asks the device to call back if any waits there. */
static size_t queue(const uint8_t *from, size_t size)
{
    size_t done = 0;

    size = min(size, (size_t)ring_free());
    while (done < size) {
        uint32_t at = out.head % OUTPUT_SIZE;
        size_t run = min(size - done, (size_t)(OUTPUT_SIZE - at));

        memcpy(out.ring + at, from + done, run);
        out.head += (uint32_t)run;
        done += run;
    }
    if (ring_used() > 0 && !out.notified) {
        out.notified = true;
        console.device->ops->notify_output(console.device, true);
        send_ring(); /* what got room before that asked for no notice */
    }
    return done;
}

/* Straight to the device as far as it goes, the rest into the ring. Returns what was taken. */
static size_t put(const uint8_t *from, size_t size)
{
    size_t sent = 0;

    if (console.device == NULL || out.ring == NULL || console.is_dying) {
        write_polled(from, size);
        return size;
    }
    if (ring_used() == 0)
        sent = console.device->ops->write(console.device, from, size);
    if (sent < size)
        sent += queue(from + sent, size - sent);
    return sent;
}

static bool can_take(size_t size)
{
    return console.device == NULL || out.ring == NULL || console.is_dying || ring_free() >= size;
}

static reg_t lock_output(void)
{
    return console.is_dying ? 0 : spin_lock_irq(&console.lock);
}

static void unlock_output(reg_t flags)
{
    if (!console.is_dying)
        spin_unlock_irq(&console.lock, flags);
}

void console_output_ready(struct console_device *device)
{
    reg_t flags = lock_output();
    bool has_room;

    if (device == console.device) {
        send_ring();
        if (ring_used() == 0 && out.notified) {
            out.notified = false;
            device->ops->notify_output(device, false);
        }
    }
    has_room = ring_free() >= OUTPUT_SIZE / 2;
    unlock_output(flags);
    if (has_room)
        waitq_wake(&console_room, UINT32_MAX, 0);
}

/* --- frames ----------------------------------------------------------------------------------- */

#define FRAME_OVERHEAD (FRAME_HEADER_MAX + FRAME_END_LENGTH)

/* All of a frame or nothing: false if there is no room now. */
static bool put_frame(char type, const uint8_t *payload, size_t size)
{
    char header[FRAME_HEADER_MAX + 1];
    int length;

    if (!can_take(size + FRAME_OVERHEAD))
        return false;
    length = scnprintf(header, sizeof(header), "%s%.*s%c%zu%c", FRAME_INTRO, FRAME_NONCE_LENGTH,
                       (const char *)console.options.nonce, type, size, FRAME_LENGTH_END);
    put((const uint8_t *)header, (size_t)length);
    put(payload, size);
    put((const uint8_t *)FRAME_END, FRAME_END_LENGTH);
    return true;
}

/* The same, making room by polling. */
static void put_frame_now(char type, const uint8_t *payload, size_t size)
{
    if (!can_take(size + FRAME_OVERHEAD))
        send_ring_polled();
    put_frame(type, payload, size);
}

void console_frame(char type, const void *payload, size_t size, bool may_sleep)
{
    reg_t flags;
    bool done;

    if (!console.options.has_nonce)
        return;
    do {
        flags = lock_output();
        done = put_frame(type, payload, size);
        if (!done && !may_sleep) {
            put_frame_now(type, payload, size);
            done = true;
        }
        unlock_output(flags);
        if (!done)
            wait_event(&console_room, can_take(size + FRAME_OVERHEAD), WAIT_FOREVER,
                       WAIT_UNINTERRUPTIBLE);
    } while (!done);
}

static void send_ending(char type, unsigned number)
{
    char text[12];
    int length = scnprintf(text, sizeof(text), "%u", number);
    reg_t flags = lock_output();

    send_ring_polled();
    if (console.options.has_nonce)
        put_frame_now(type, (const uint8_t *)text, (size_t)length);
    unlock_output(flags);
    console_flush();
}

void console_exit_status(unsigned status)
{
    send_ending(FRAME_EXIT, status);
}

void console_exit_signal(unsigned signal)
{
    send_ending(FRAME_SIGNAL, signal);
}

void console_flush(void)
{
    reg_t flags = lock_output();

    send_ring_polled();
    if (console.device != NULL)
        console.device->ops->drain(console.device);
    unlock_output(flags);
}

void console_panic_mode(void)
{
    console.is_dying = true;
    send_ring_polled();
}

/* --- streams ---------------------------------------------------------------------------------- */

/* Longest part of one write that goes into one frame, or under the lock at a time; by polling. */
#define PART_MAX   2048
#define POLLED_MAX 128

/* Frames around the bytes if `type` is a letter. Returns what was taken, 0 if there is no room. */
static size_t try_write(char type, const uint8_t *from, size_t size)
{
    size_t part = min(size, (size_t)(console.device != NULL ? PART_MAX : POLLED_MAX));
    reg_t flags = lock_output();

    if (type == 0)
        part = put(from, part);
    else if (!put_frame(type, from, part))
        part = 0;
    unlock_output(flags);
    return part;
}

ssize_t console_write_type(char type, const void *from, size_t size, bool nowait)
{
    if (size == 0)
        return 0;
    for (;;) {
        size_t done = try_write(type, from, size);
        int error;

        if (done > 0)
            return (ssize_t)done;
        if (nowait)
            return -EAGAIN;
        error = wait_event(&console_room, can_take(PART_MAX + FRAME_OVERHEAD), WAIT_FOREVER,
                           WAIT_INTERRUPTIBLE);
        if (error != 0)
            return error;
    }
}

ssize_t console_write(enum console_stream stream, const void *from, size_t size, bool nowait)
{
    bool in_frame =
        stream == CONSOLE_ERR && console.options.stderr_frame && console.options.has_nonce;

    return console_write_type(in_frame ? FRAME_STDERR : 0, from, size, nowait);
}

void console_write_or_drop(char type, const void *from, size_t size)
{
    try_write(type, from, size);
}

bool console_can_write(void)
{
    return can_take(PART_MAX + FRAME_OVERHEAD);
}

struct waitq *console_output_waitq(void)
{
    return &console_room;
}

size_t console_output_pending(void)
{
    return ring_used();
}

/* --- messages of the kernel ------------------------------------------------------------------- */

/* Called under the log's lock. A message is worth waiting for by polling. */
static void sink_write(struct log_sink *sink, const char *line, size_t length)
{
    static const char prefix[] = "remora: ";
    reg_t flags = lock_output();
    size_t text = length > 0 && line[length - 1] == '\n' ? length - 1 : length;

    (void)sink;
    if (console.options.has_nonce) {
        put_frame_now(FRAME_LOG, (const uint8_t *)line, min(length, (size_t)FRAME_PAYLOAD_MAX));
    } else {
        if (!can_take(length + sizeof(prefix) + 2))
            send_ring_polled();
        put((const uint8_t *)prefix, sizeof(prefix) - 1);
        put((const uint8_t *)line, text);
        put((const uint8_t *)"\r\n", 2);
    }
    unlock_output(flags);
}

static struct log_sink sink = {.write = sink_write, .level = LOG_WARN};

static void add_sink(void)
{
    if (out.has_sink)
        return;
    out.has_sink = true;
    log_add_sink(&sink, true);
}

/* --- start ------------------------------------------------------------------------------------ */

/* Each takes the value of one option; an option that is not given leaves what is there. */

static void set_nonce(const char *value, size_t length)
{
    struct console_options *options = &console.options;

    if (length == FRAME_NONCE_LENGTH) {
        memcpy(options->nonce, value, FRAME_NONCE_LENGTH);
        options->has_nonce = true;
    } else {
        log_error("remora.nonce has %zu characters, expected %u; console frames are off", length,
                  FRAME_NONCE_LENGTH);
    }
}

static void set_stderr(const char *value, size_t length)
{
    console.options.stderr_frame = str_equal_n(value, length, "frame");
}

static void set_terminals(const char *letters, size_t length)
{
    for (unsigned i = 0; i < 3; i++)
        console.options.is_terminal[i] = memchr(letters, "ioe"[i], length) != NULL;
}

static void set_window(const char *size, size_t length)
{
    const char *rest;
    uint32_t rows, columns;

    (void)length; /* a number ends where the option does */
    if (parse_u32(size, 10, &rows, &rest) != 0 || *rest != 'x' ||
        parse_u32(rest + 1, 10, &columns, &rest) != 0 || rows > UINT16_MAX || columns > UINT16_MAX)
        return;
    console.options.rows = (uint16_t)rows;
    console.options.columns = (uint16_t)columns;
}

static void set_level(const char *level, size_t length)
{
    static const char names[4][8] = {"error", "warn", "info", "debug"};

    for (unsigned i = 0; i < ARRAY_SIZE(names); i++) {
        if (str_equal_n(level, length, names[i]))
            sink.level = (enum log_level)i;
    }
}

void console_configure(const char *bootargs)
{
    static const struct {
        char name[16];
        void (*set)(const char *value, size_t length);
    } known[] = {
        {BOOTARGS_NONCE, set_nonce}, {BOOTARGS_STDERR, set_stderr}, {BOOTARGS_TTY, set_terminals},
        {BOOTARGS_SIZE, set_window}, {BOOTARGS_LOG, set_level},
    };

    console.options = (struct console_options){.is_terminal = {true, true, true}};
    sink.level = LOG_WARN;
    for (unsigned i = 0; i < ARRAY_SIZE(known); i++) {
        size_t length;
        const char *value = parse_option(bootargs, known[i].name, &length);

        if (value != NULL)
            known[i].set(value, length);
    }
    log_set_level(sink.level);
}

void console_early_init(const struct fw_node *node, void *registers)
{
    const struct match *match;
    const struct driver *driver = device_find_driver(node, &match);

    if (driver == NULL || driver->early_write == NULL)
        return;
    if (driver->early_init != NULL)
        driver->early_init(registers, match);
    out.early_registers = registers;
    out.early_write = driver->early_write;
    out.early_node = node;
    add_sink();
}

const struct fw_node *console_early_find(void)
{
    struct fw_node *node;

    fw_for_each (node) {
        const struct match *match;
        const struct driver *driver;

        if (node->compatible == 0 || !fw_is_enabled(node))
            continue;
        driver = device_find_driver(node, &match);
        if (driver != NULL && driver->early_write != NULL)
            return node;
    }
    return NULL;
}

bool console_has_output(void)
{
    return out.early_write != NULL;
}

int console_init(void)
{
    out.ring = kmalloc(OUTPUT_SIZE);
    if (out.ring == NULL)
        return -ENOMEM;
    return console_input_init();
}

void console_register(struct console_device *device)
{
    reg_t flags;

    if (console.device != NULL || (out.early_node != NULL && out.early_node != device->node))
        return;
    flags = lock_output();
    console.device = device; /* what the early console wrote has left: it waits for each byte */
    device->ops->receive(device, true);
    unlock_output(flags);
    add_sink();
}

void console_replace(struct console_device *device)
{
    struct console_device *old;
    reg_t flags = lock_output();

    old = console.device;
    send_ring_polled();
    if (old != NULL) {
        old->ops->drain(old);
        old->ops->notify_output(old, false);
        old->ops->receive(old, false);
    }
    out.notified = false;
    console.device = device;
    device->ops->receive(device, true);
    unlock_output(flags);
    add_sink();
}
