/* SPDX-License-Identifier: MIT */
/* kernel/device/tty.c: line editing, modes, signals and limits, as a user at a Linux terminal sees
 * them. */
#include <unit.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <core/clock.h>
#include <core/wait.h>
#include <device/console.h>
#include <device/tty.h>

enum { EAGAIN_ = 11 };

static char output[65536];
static size_t output_size;
static int last_signal;
static unsigned wakes;
static struct tty tty;

/* --- what the terminal calls -------------------------------------------------------------------
 */

void tty_signal(struct tty *terminal, int signal)
{
    last_signal = signal;
}

unsigned waitq_wake(struct waitq *queue, unsigned max, unsigned events)
{
    wakes++;
    return 0;
}

struct waitq *console_output_waitq(void)
{
    static struct waitq queue;

    return &queue;
}

/* A test that would sleep waits for ever: end it as a signal does. */
void waiter_init(struct waiter *waiter)
{
}

void waitq_add(struct waitq *queue, struct waiter *waiter)
{
}

void waitq_remove(struct waiter *waiter)
{
}

static void emit(const uint8_t *from, size_t size)
{
    assert_true(output_size + size < sizeof output);
    memcpy(output + output_size, from, size);
    output_size += size;
    output[output_size] = '\0';
}

static ssize_t write_out(struct tty *terminal, const uint8_t *from, size_t size, bool nowait)
{
    emit(from, size);
    return (ssize_t)size;
}

static void echo(struct tty *terminal, const uint8_t *from, size_t size)
{
    emit(from, size);
}

static void room(struct tty *terminal)
{
}

static size_t pending(struct tty *terminal)
{
    return 0;
}

static bool can_write(struct tty *terminal)
{
    return true;
}

static const struct tty_ops ops = {
    .write = write_out,
    .echo = echo,
    .input_room = room,
    .output_pending = pending,
    .can_write = can_write,
};

static int set_up(void **state)
{
    output_size = 0;
    output[0] = '\0';
    last_signal = 0;
    wakes = 0;
    return tty_init(&tty, &ops);
}

static int tear_down(void **state)
{
    free(tty.input);
    free(tty.line_end);
    return 0;
}

static void type(const char *keys)
{
    assert_int_equal(tty_input(&tty, (const uint8_t *)keys, strlen(keys)), strlen(keys));
}

static void reads(const char *text)
{
    char got[5000];
    ssize_t size = tty_read(&tty, got, sizeof got, true);

    assert_int_equal(size, strlen(text));
    assert_memory_equal(got, text, strlen(text));
}

static void reads_nothing(void)
{
    char got[16];

    assert_int_equal(tty_read(&tty, got, sizeof got, true), -EAGAIN_);
}

static void mode(uint32_t lflag_off, uint32_t lflag_on)
{
    struct tty_termios termios;

    tty_get_termios(&tty, &termios);
    termios.lflag = (termios.lflag & ~lflag_off) | lflag_on;
    assert_int_equal(tty_set_termios(&tty, &termios, TTY_NOW), 0);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void a_line_is_read_when_it_ends(void **state)
{
    type("hel");
    reads_nothing();
    assert_int_equal(tty_input_pending(&tty), 0);
    type("lo\rnext");
    assert_int_equal(tty_input_pending(&tty), 6);
    assert_true(tty_events(&tty) & CONSOLE_READABLE);
    reads("hello\n");
    reads_nothing();
    type("\n");
    reads("next\n");
    assert_string_equal(output, "hello\r\nnext\r\n");
    assert_true(wakes > 0);
}

static void one_read_gives_one_line(void **state)
{
    char part[3];

    type("a\nb\n");
    reads("a\n");
    reads("b\n");
    type("abcdef\n");
    assert_int_equal(tty_read(&tty, part, 3, true), 3);
    reads("def\n");
}

static void erase_and_kill(void **state)
{
    type("ab\177c\n");
    reads("ac\n");
    type("\177\177x\n"); /* nothing to erase */
    reads("x\n");
    type("some words\027more\n");
    reads("some more\n");
    type("gone\025kept\n");
    reads("kept\n");
}

static void erasing_clears_the_screen(void **state)
{
    type("ab\177");
    assert_string_equal(output, "ab\b \b");
    output_size = 0;
    type("\001\177"); /* shown as ^A */
    assert_string_equal(output, "^A\b \b\b \b");
    output_size = 0;
    type("\t\177"); /* the cursor stands behind one character: seven columns to the tab stop */
    assert_string_equal(output, "\t\b\b\b\b\b\b\b");
}

static void utf8_is_erased_whole(void **state)
{
    struct tty_termios termios;

    tty_get_termios(&tty, &termios);
    termios.iflag |= TTY_IUTF8;
    tty_set_termios(&tty, &termios, TTY_NOW);
    type("a\303\244\177b\n");
    reads("ab\n");
}

static void end_of_file(void **state)
{
    type("\004");
    reads("");
    type("abc\004");
    reads("abc");
    reads_nothing();
    type("x\004\004");
    reads("x");
    reads("");
    tty_hangup(&tty);
    reads("");
}

static void signals(void **state)
{
    type("lost\003");
    assert_int_equal(last_signal, TTY_SIGINT);
    assert_string_equal(output, "lost^C");
    type("\034");
    assert_int_equal(last_signal, TTY_SIGQUIT);
    type("\032");
    assert_int_equal(last_signal, TTY_SIGTSTP);
    type("kept\n");
    reads("kept\n");
    last_signal = 0;
    mode(TTY_ISIG, 0);
    type("\003\n");
    assert_int_equal(last_signal, 0);
    reads("\003\n");
}

static void literal_next(void **state)
{
    type("\026\003\n");
    assert_int_equal(last_signal, 0);
    reads("\003\n");
}

static void stop_and_start(void **state)
{
    type("\023");
    assert_false(tty_events(&tty) & CONSOLE_WRITABLE);
    assert_int_equal(tty_write(&tty, "x", 1, true), -EAGAIN_);
    type("\021");
    assert_int_equal(tty_write(&tty, "x", 1, true), 1);
}

static void raw_mode_gives_bytes_at_once(void **state)
{
    mode(TTY_ICANON | TTY_ECHO | TTY_ISIG | TTY_IEXTEN, 0);
    type("a\003\177\004");
    reads("a\003\177\004");
    reads_nothing();
    assert_string_equal(output, "");
}

static void vmin_and_vtime(void **state)
{
    struct tty_termios termios;
    char byte;

    mode(TTY_ICANON | TTY_ECHO, 0);
    tty_get_termios(&tty, &termios);
    termios.cc[TTY_VMIN] = 0;
    tty_set_termios(&tty, &termios, TTY_NOW);
    assert_int_equal(tty_read(&tty, &byte, 1, false), 0); /* a look, no wait */
    termios.cc[TTY_VTIME] = 1;
    tty_set_termios(&tty, &termios, TTY_NOW);
    assert_int_equal(tty_read(&tty, &byte, 1, false), 0); /* timed out */
    termios.cc[TTY_VMIN] = 3;
    tty_set_termios(&tty, &termios, TTY_NOW);
    type("ab");
    reads("ab"); /* the gap between bytes ran out */
}

static void what_was_typed_survives_a_change_of_mode(void **state)
{
    type("abc");
    mode(TTY_ICANON, 0);
    reads("abc");
    type("def");
    mode(0, TTY_ICANON);
    reads("def");
}

static void output_processing(void **state)
{
    struct tty_termios termios;

    assert_int_equal(tty_write(&tty, "a\nb\n", 4, false), 4);
    assert_string_equal(output, "a\r\nb\r\n");
    output_size = 0;
    tty_get_termios(&tty, &termios);
    termios.oflag |= TTY_TABDLY;
    tty_set_termios(&tty, &termios, TTY_NOW);
    tty_write(&tty, "ab\tc", 4, false);
    assert_string_equal(output, "ab      c");
    output_size = 0;
    termios.oflag = 0;
    tty_set_termios(&tty, &termios, TTY_NOW);
    tty_write(&tty, "a\n", 2, false);
    assert_string_equal(output, "a\n");
}

static void large_output_is_whole(void **state)
{
    static char text[20000];

    memset(text, 'x', sizeof text);
    for (size_t i = 80; i < sizeof text; i += 81)
        text[i] = '\n';
    assert_int_equal(tty_write(&tty, text, sizeof text, false), sizeof text);
    assert_int_equal(output_size, sizeof text + sizeof text / 81);
}

/* A line of 4095 bytes fits; more is cut, and its end still ends it. */
static void the_longest_line(void **state)
{
    static char text[6001];

    memset(text, 'x', 6000);
    mode(TTY_ECHO, 0);
    assert_int_equal(tty_input(&tty, (uint8_t *)text, 6000), 6000);
    type("\n");
    assert_int_equal(tty_input_pending(&tty), TTY_INPUT_SIZE);
    assert_int_equal(tty_read(&tty, text, sizeof text, true), TTY_INPUT_SIZE);
    assert_int_equal(text[TTY_INPUT_SIZE - 1], '\n');
    type("short\n");
    reads("short\n");
}

/* Whole lines that nobody reads hold input back instead. */
static void unread_lines_throttle(void **state)
{
    size_t taken = 0, got = 0;
    char line[64];

    mode(TTY_ECHO, 0);
    while (tty_input(&tty, (const uint8_t *)"line\n", 5) == 5)
        taken += 5;
    assert_true(taken > 4000);
    assert_true(tty.throttled);
    for (ssize_t size; (size = tty_read(&tty, line, sizeof line, true)) > 0;)
        got += (size_t)size;
    assert_in_range(got, taken, taken + 4);
    assert_false(tty.throttled);
}

/* Random keys: never more given than typed, never out of bounds (ASan). */
static void random_keys(void **state)
{
    srand(4);
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t keys[8];
        char got[300];

        for (size_t j = 0; j < sizeof keys; j++)
            keys[j] = (uint8_t)(rand() % 3 == 0 ? rand() : rand() % 40);
        tty_input(&tty, keys, (size_t)rand() % 9);
        assert_true(tty.head - tty.tail <= TTY_INPUT_SIZE);
        assert_true(tty.line - tty.tail <= tty.head - tty.tail);
        if (rand() % 4 == 0)
            tty_read(&tty, got, 1 + (size_t)rand() % sizeof got, true);
        if (rand() % 500 == 0)
            mode(rand() % 2 ? TTY_ICANON : TTY_ECHOE, rand() % 2 ? TTY_ICANON : TTY_ECHOE);
        if (rand() % 1000 == 0)
            tty_flush(&tty, TTY_QUEUE_BOTH);
        output_size = 0;
        tty_flow(&tty, false);
    }
}

static void window_size_changes_signal(void **state)
{
    struct tty_winsize size = {.rows = 24, .columns = 80}, got;

    tty_set_winsize(&tty, &size);
    assert_int_equal(last_signal, TTY_SIGWINCH);
    last_signal = 0;
    tty_set_winsize(&tty, &size);
    assert_int_equal(last_signal, 0);
    tty_get_winsize(&tty, &got);
    assert_int_equal(got.columns, 80);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_line_is_read_when_it_ends),
        TEST(one_read_gives_one_line),
        TEST(erase_and_kill),
        TEST(erasing_clears_the_screen),
        TEST(utf8_is_erased_whole),
        TEST(end_of_file),
        TEST(signals),
        TEST(literal_next),
        TEST(stop_and_start),
        TEST(raw_mode_gives_bytes_at_once),
        TEST(vmin_and_vtime),
        TEST(what_was_typed_survives_a_change_of_mode),
        TEST(output_processing),
        TEST(large_output_is_whole),
        TEST(the_longest_line),
        TEST(unread_lines_throttle),
        TEST(random_keys),
        TEST(window_size_changes_signal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
