/* SPDX-License-Identifier: MIT */
/* The virtio console driver on a device that adds ports, names them, takes them away, and lies. */
#include <unit.h>

#include "console_fake.h"
#include "virtio_fake.h"

#include <sleeper.h>
#include <stdlib.h>
#include <string.h>

#include <device/tty.h>
#include <file/file.h>
#include <lib/errno.h>

extern const struct driver *const driver_entry_virtio_console;

enum { SIZE = 0, MULTIPORT = 1 }; /* features, section 5.3.3 */
enum { READY, ADD, REMOVE, PORT_READY, CONSOLE, RESIZE, OPEN, NAME };
enum { CONTROL_IN = 2, CONTROL_OUT = 3, ALPHA = 2, ALPHA_IN = 6, ALPHA_OUT = 7 };

#define PORTS (BIT64(VIRTIO_F_VERSION_1) | BIT64(MULTIPORT))

struct message {
    uint32_t port;
    uint16_t event, value;
};

static struct virtio_fake fake;
static struct message told[64]; /* by the driver */
static unsigned told_count;
static bool is_silent;         /* takes no control messages */
static const char *alpha_name; /* of port 2 */

const char *__asan_default_options(void);
const char *__asan_default_options(void)
{
    return "detect_leaks=0"; /* ports and terminals stay for good, as on a machine */
}

/* --- the device ---------------------------------------------------------------------------------
 */

static bool say(const void *bytes, uint32_t size)
{
    int head = fake_next(&fake, CONTROL_IN);

    if (head >= 0) {
        fake_write(&fake, CONTROL_IN, (unsigned)head, bytes, size);
        fake_use(&fake, CONTROL_IN, (uint32_t)head, size);
    }
    return head >= 0;
}

static void say_of(uint32_t port, uint16_t event, uint16_t value)
{
    struct message message = {port, event, value};

    assert_true(say(&message, sizeof(message)));
}

static void say_name(uint32_t port, const char *name, size_t size)
{
    uint8_t bytes[256];
    struct message message = {port, NAME, 1};

    memcpy(bytes, &message, sizeof(message));
    memcpy(bytes + sizeof(message), name, size);
    assert_true(say(bytes, (uint32_t)(sizeof(message) + size)));
}

/* Ports 0 and 2: a console, and what is called as `alpha_name` says. */
static void answer(const struct message *message)
{
    if (message->event == READY) {
        say_of(0, ADD, 1);
        say_of(ALPHA, ADD, 1);
    } else if (message->event == PORT_READY && message->port == 0) {
        say_of(0, CONSOLE, 1);
    } else if (message->event == PORT_READY) {
        if (alpha_name != NULL)
            say_name(message->port, alpha_name, strlen(alpha_name));
        say_of(message->port, OPEN, 1);
    }
}

static void take_commands(struct virtio_fake *device, unsigned queue)
{
    int head;

    while (queue == CONTROL_OUT && !is_silent && (head = fake_next(device, queue)) >= 0) {
        struct message message;

        assert_int_equal(fake_read(device, queue, (unsigned)head, (void *)&message, 8), 8);
        told[told_count++ % 64] = message;
        answer(&message);
        fake_use(device, queue, (uint32_t)head, 0);
    }
}

static void interrupt(void)
{
    fake.device.interrupt(&fake.device);
}

static int set_up(void **state)
{
    (void)state;
    fake_start(&fake, VIRTIO_ID_CONSOLE, PORTS);
    fake.config[4] = 5; /* ports at most */
    fake.on_notify = take_commands;
    told_count = 0;
    is_silent = false;
    alpha_name = "alpha";
    console_fake_reset();
    sleeper_reset();
    sleeper.step_ns = 1000000;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    fake_stop(&fake);
    return fake_pages == 0 ? 0 : -1;
}

static void start(void)
{
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_console), 0);
    console_fake_work();
}

/* --- a file -------------------------------------------------------------------------------------
 */

static int open_port(struct file *file)
{
    *file = (struct file){.ops = around.files[0].ops, .data = around.files[0].data};
    return around.files[0].open(file, around.files[0].data);
}

static ssize_t do_read(struct file *file, void *to, size_t size, unsigned flags)
{
    struct io io;

    io_init_kernel(&io, to, size, 0, flags);
    return file->ops->read(file, &io);
}

static ssize_t do_write(struct file *file, const void *from, size_t size, unsigned flags)
{
    struct io io;

    io_init_kernel(&io, from, size, 0, flags);
    return file->ops->write(file, &io);
}

/* From the other end. */
static bool send(unsigned queue, const void *bytes, uint32_t size)
{
    int head = fake_next(&fake, queue);

    if (head < 0)
        return false;
    fake_write(&fake, queue, (unsigned)head, bytes, size);
    fake_use(&fake, queue, (uint32_t)head, size);
    interrupt();
    return true;
}

/* To the other end: what the next buffer holds, -1: none. */
static int fetch(unsigned queue, void *to, uint32_t size)
{
    int head = fake_next(&fake, queue);
    uint32_t got = head >= 0 ? fake_read(&fake, queue, (unsigned)head, to, size) : 0;

    if (head >= 0)
        fake_use(&fake, queue, (uint32_t)head, 0);
    interrupt();
    return head >= 0 ? (int)got : -1;
}

static void finds_ports(void **state)
{
    start();
    assert_int_equal(around.terminal_count, 1);
    assert_int_equal(around.file_count, 1);
    assert_non_null(strstr(around.names[0], "p2"));
    assert_int_equal(around.sys_count, 2);
    assert_int_equal(around.links, 1);
    assert_null(around.replaced);
    assert_int_equal(told[0].event, READY);
    say_of(1, ADD, 1); /* later: by interrupt and worker */
    interrupt();
    assert_int_equal(around.file_count, 1);
    console_fake_work();
    assert_int_equal(around.file_count, 2);
}

static void moves_bytes(void **state)
{
    struct file file, second;
    char got[5000];

    unsigned notified;

    start();
    notified = fake.notified[ALPHA_IN];
    assert_int_equal(open_port(&file), 0);
    assert_int_equal(told[told_count - 1].event, OPEN);
    assert_int_equal(told[told_count - 1].value, 1);
    assert_int_equal(fake.notified[ALPHA_IN], notified + 1); /* after it; else QEMU holds input */
    assert_int_equal(open_port(&second), -EBUSY);
    assert_int_equal(file.ops->poll(&file, NULL), POLLOUT);
    assert_int_equal(do_read(&file, got, 10, IO_NOWAIT), -EAGAIN);
    assert_int_equal(do_read(&file, got, 10, 0), -ERESTARTSYS);
    assert_int_equal(do_read(&file, got, 0, IO_NOWAIT), 0);
    assert_true(send(ALPHA_IN, "hello, ", 7));
    assert_true(send(ALPHA_IN, "port", 4));
    assert_int_equal(file.ops->poll(&file, NULL), POLLOUT | POLL_READABLE);
    assert_int_equal(do_read(&file, got, 3, 0), 3);
    assert_int_equal(do_read(&file, got + 3, 100, 0), 8);
    assert_memory_equal(got, "hello, port", 11);
    assert_int_equal(do_write(&file, "answer", 6, 0), 6);
    assert_int_equal(fetch(ALPHA_OUT, got, sizeof(got)), 6);
    assert_memory_equal(got, "answer", 6);
    file.ops->release(&file);
    assert_int_equal(told[told_count - 1].value, 0);
    assert_int_equal(open_port(&second), 0);
    second.ops->release(&second);
}

static void drain_one(void)
{
    char got[5000];

    fetch(ALPHA_OUT, got, sizeof(got));
}

static void fills_up(void **state)
{
    static char data[40000];
    struct file file;
    ssize_t written;
    unsigned offered;

    start();
    assert_int_equal(open_port(&file), 0);
    written = do_write(&file, data, sizeof(data), IO_NOWAIT);
    assert_true(written > 10000 && written < 32768);
    assert_int_equal(do_write(&file, data, 1, IO_NOWAIT), -EAGAIN);
    assert_int_equal(file.ops->poll(&file, NULL), 0);
    assert_true(fake_wants_interrupt(&fake, ALPHA_OUT));
    drain_one();
    assert_int_equal(file.ops->poll(&file, NULL), POLLOUT);
    sleeper.meanwhile = drain_one;
    assert_int_equal(do_write(&file, data, sizeof(data), 0), 32768); /* as Linux: no more at once */
    sleeper.meanwhile = NULL;
    offered = fake_offered(&fake, ALPHA_IN); /* nobody reads: the other end is held back */
    for (unsigned i = 0; i < offered; i++)
        assert_true(send(ALPHA_IN, data, 2032));
    assert_false(send(ALPHA_IN, data, 1));
    for (unsigned i = 0; i < offered; i++)
        assert_int_equal(do_read(&file, data, 2032, 0), 2032);
    assert_int_equal(do_read(&file, data, 1, IO_NOWAIT), -EAGAIN);
    assert_true(send(ALPHA_IN, data, 1));
}

static void open_other_end(void)
{
    say_of(ALPHA, OPEN, 1);
    interrupt();
    console_fake_work();
}

static void nobody_there(void **state)
{
    struct file file;
    char got[16];

    start();
    assert_int_equal(open_port(&file), 0);
    assert_true(send(ALPHA_IN, "last", 4));
    say_of(ALPHA, OPEN, 0);
    interrupt();
    console_fake_work();
    assert_int_equal(file.ops->poll(&file, NULL), POLL_READABLE | POLLHUP);
    assert_int_equal(do_read(&file, got, 16, 0), 4);
    assert_int_equal(do_read(&file, got, 16, 0), 0);
    assert_int_equal(do_write(&file, "x", 1, IO_NOWAIT), -EAGAIN);
    assert_int_equal(do_write(&file, "x", 1, 0), -ERESTARTSYS);
    sleeper.meanwhile = open_other_end;
    assert_int_equal(do_write(&file, "x", 1, 0), 1);
    assert_int_equal(file.ops->poll(&file, NULL), POLLOUT);
}

static void is_taken_away(void **state)
{
    struct file file, next;
    char got[16];

    start();
    assert_int_equal(open_port(&file), 0);
    say_of(ALPHA, REMOVE, 1);
    interrupt();
    console_fake_work();
    assert_string_equal(around.names[0], "");
    assert_int_equal(do_read(&file, got, 1, 0), -ENODEV);
    assert_int_equal(do_write(&file, got, 1, 0), -ENODEV);
    assert_int_equal(file.ops->poll(&file, NULL), POLLHUP);
    assert_int_equal(open_port(&next), -ENXIO);
    say_of(ALPHA, ADD, 1);
    interrupt();
    console_fake_work();
    assert_int_equal(around.file_count, 2);
    assert_int_equal(open_port(&next), 0);
    assert_int_equal(do_read(&file, got, 1, 0), -ENODEV); /* still */
    file.ops->release(&file);
    assert_true(send(ALPHA_IN, "new", 3));
    assert_int_equal(do_read(&next, got, 16, 0), 3);
    say_of(0, REMOVE, 1);
    interrupt();
    console_fake_work();
    assert_true(around.terminals[0]->hung_up);
    assert_int_equal(around.terminals[0]->ops->write(around.terminals[0], (void *)"x", 1, false),
                     -EIO);
    assert_int_equal(around.terminals[0]->ops->output_pending(around.terminals[0]), 0);
}

static void is_a_terminal(void **state)
{
    static uint8_t text[3000];
    struct tty *tty;
    uint16_t size[] = {0, 0, RESIZE, 0, 132, 50}; /* port, event, value; columns, rows */
    char got[4000];

    start();
    tty = around.terminals[0];
    around.typed_room = 100;
    assert_true(send(0,
                     "some text that is longer than a piece of sixty-four bytes, so that it "
                     "comes in two, and more than the terminal takes",
                     116));
    assert_int_equal(around.typed_size, 100);
    around.typed_room = 1000;
    tty->ops->input_room(tty);
    assert_int_equal(around.typed_size, 116);
    assert_int_equal(tty->ops->write(tty, text, sizeof(text), false), sizeof(text));
    assert_int_equal(tty->ops->output_pending(tty), sizeof(text));
    assert_int_equal(fetch(1, got, sizeof(got)), 2032);
    assert_int_equal(fetch(1, got, sizeof(got)), 968);
    assert_int_equal(tty->ops->output_pending(tty), 0);
    while (tty->ops->can_write(tty))
        tty->ops->echo(tty, text, sizeof(text)); /* what finds no room is lost */
    assert_int_equal(tty->ops->write(tty, text, 1, true), -EAGAIN);
    assert_int_equal(tty->ops->write(tty, text, 1, false), -ERESTARTSYS);
    assert_true(say(size, sizeof(size)));
    interrupt();
    console_fake_work();
    assert_int_equal(tty->winsize.columns, 132);
    assert_int_equal(tty->winsize.rows, 50);
}

static void is_the_commands(void **state)
{
    uint8_t got[64];

    around.bootargs = "remora.console=virtio";
    alpha_name = "remora";
    start();
    assert_non_null(around.replaced);
    assert_int_equal(around.file_count, 0);
    assert_int_equal(around.terminal_count, 1);
    assert_true(send(ALPHA_IN, "in", 2));
    assert_memory_equal(around.typed, "in", 2);
    assert_int_equal(around.replaced->ops->write(around.replaced, (const uint8_t *)"out", 3), 3);
    assert_int_equal(fetch(ALPHA_OUT, got, sizeof(got)), 3);
    around.replaced->ops->drain(around.replaced);
    around.typed_room = 64; /* full with the next piece; what is left waits */
    assert_true(send(ALPHA_IN, around.typed, 200));
    assert_int_equal(around.typed_size, 66);
    around.typed_room = 2000;
    around.replaced->ops->receive(around.replaced, true);
    around.replaced->ops->resume_input(around.replaced);
    assert_int_equal(around.typed_size, 202);
}

/* The port has another name, or the device tells of none at all. */
static void is_not_the_commands(void **state)
{
    around.bootargs = "remora.console=virtio";
    start();
    assert_null(around.replaced);
    assert_int_equal(around.file_count, 1);
}

static void says_nothing(void **state)
{
    around.bootargs = "remora.console=virtio";
    is_silent = true;
    start();
    assert_null(around.replaced);
    assert_non_null(strstr(unit_log, "no port within a second"));
    assert_int_equal(fake_offered(&fake, CONTROL_OUT), 1); /* one command, no second try */
}

static void one_terminal(void **state)
{
    fake.offered = BIT64(VIRTIO_F_VERSION_1) | BIT64(SIZE);
    fake.config[0] = 80;
    fake.config[2] = 25;
    start();
    assert_int_equal(around.terminal_count, 1);
    assert_int_equal(around.file_count, 0);
    assert_int_equal(around.terminals[0]->winsize.columns, 80);
    assert_true(send(0, "x", 1));
    assert_int_equal(around.typed_size, 1);
    assert_null(around.queued);
}

static void nonsense(void **state)
{
    uint8_t bytes[128];
    unsigned files_before;

    start();
    files_before = around.file_count;
    memset(bytes, 0xff, sizeof(bytes));
    say(bytes, 0);
    say(bytes, 3);
    say(bytes, 128);
    say_of(5, ADD, 1);     /* it has no such port */
    say_of(1000, ADD, 1);  /* nor this */
    say_of(ALPHA, ADD, 1); /* this is there */
    say_of(1, REMOVE, 1);  /* this is not */
    say_of(1, OPEN, 1);
    say_of(ALPHA, 77, 1);
    say_of(ALPHA, CONSOLE, 1); /* too late */
    say_of(ALPHA, RESIZE, 1);  /* no size, no terminal */
    say_name(ALPHA, "other", 5);
    interrupt();
    console_fake_work();
    assert_int_equal(around.file_count, files_before);
    assert_int_equal(around.terminal_count, 1);
    assert_non_null(strstr(unit_log, "makes no sense"));
    assert_int_equal(fake_offered(&fake, CONTROL_IN), 32); /* all buffers came back */
}

static void names_that_lie(void **state)
{
    char name[120];

    memset(name, 'n', sizeof(name));
    memcpy(name, "\x1b[2J/..", 7);
    start();
    alpha_name = NULL;
    say_of(1, ADD, 1);
    say_name(1, "a/b", 3);
    say_of(3, ADD, 1);
    say_name(3, name, sizeof(name)); /* not ended, too long */
    interrupt();
    console_fake_work();
    assert_int_equal(around.file_count, 3);
    assert_int_equal(around.links, 1); /* of alpha alone: a slash leads elsewhere */
}

/* Messages without end: the worker has others to serve. */
static void flood(struct virtio_fake *device, unsigned queue)
{
    struct message message = {ALPHA, OPEN, 1};

    take_commands(device, queue);
    if (queue == CONTROL_IN)
        say(&message, sizeof(message));
}

static void floods(void **state)
{
    start();
    fake.on_notify = flood;
    for (unsigned i = 0; i < 3; i++)
        say_of(ALPHA, OPEN, 1);
    interrupt();
    console_fake_work();
    assert_non_null(around.queued); /* later */
}

static void lengths_that_lie(void **state)
{
    static char got[30000];
    struct file file;
    int head;

    start();
    assert_int_equal(open_port(&file), 0);
    for (unsigned i = 0; i < 20; i++) { /* empty buffers */
        head = fake_next(&fake, ALPHA_IN);
        if (head >= 0)
            fake_use(&fake, ALPHA_IN, (uint32_t)head, 0);
        interrupt();
        assert_int_equal(do_read(&file, got, 10, IO_NOWAIT), -EAGAIN);
    }
    head = fake_next(&fake, ALPHA_IN);
    fake_use(&fake, ALPHA_IN, (uint32_t)head, ~0U); /* more than there is room for */
    interrupt();
    assert_int_equal(do_read(&file, got, sizeof(got), 0), 2032);
    fake_use(&fake, ALPHA_IN, 999, 1); /* no buffer of ours */
    interrupt();
    assert_int_equal(do_read(&file, got, sizeof(got), IO_NOWAIT), -EAGAIN);
    fake_use(&fake, ALPHA_OUT, 3, 1);
    interrupt();
    assert_int_equal(do_write(&file, got, 10, IO_NOWAIT), 10); /* there are buffers left */
    assert_int_equal(do_write(&file, got, 30000, IO_NOWAIT), 7 * 2032);
    assert_int_equal(do_write(&file, got, 10, IO_NOWAIT), -EAGAIN);
}

static void cannot_start(void **state)
{
    fake.refuses = true;
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_console), -EIO);
    assert_int_equal(fake_pages, 0);
    fake.refuses = false;
    fake.queue_size = 0;
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_console), -ENOENT);
    fake.queue_size = 64;
    memset(fake.config + 4, 0xff, 4); /* ports without end: as many as it has queues for */
    assert_int_equal(fake_probe(&fake, driver_entry_virtio_console), 0);
    assert_non_null(fake.queue[11]);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(finds_ports),
        TEST(moves_bytes),
        TEST(fills_up),
        TEST(nobody_there),
        TEST(is_taken_away),
        TEST(is_a_terminal),
        TEST(is_not_the_commands),
        TEST(says_nothing),
        TEST(is_the_commands), /* after those two: it has one for good */
        TEST(one_terminal),
        TEST(nonsense),
        TEST(names_that_lie),
        TEST(floods),
        TEST(lengths_that_lie),
        TEST(cannot_start),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
