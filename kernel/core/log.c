/* SPDX-License-Identifier: MIT */
/*
 * Kernel messages: a ring of text lines, and sinks. A line is "[seconds.micros] text"; sinks put
 * their own prefix before it. A message from within a sink is kept in the ring only.
 */
#include <arch/irqflags.h>
#include <core/clock.h>
#include <core/lock.h>
#include <core/log.h>
#include <core/panic.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>

#define RING_SIZE 16384
#define LINE_MAX  256

static char ring[RING_SIZE];
static uint64_t ring_end; /* bytes ever written */
static struct list_node sinks = LIST_INIT(sinks);
static struct spinlock log_lock = SPINLOCK_INIT(RANK_LOG);
static enum log_level level_limit = LOG_WARN;
static bool in_sink;

enum log_level log_level(void)
{
    return level_limit;
}

void log_set_level(enum log_level level)
{
    struct log_sink *sink;

    level_limit = level;
    list_for_each_entry (sink, &sinks, node) {
        sink->level = level;
    }
}

static void ring_put(const char *line, size_t length)
{
    for (size_t i = 0; i < length; i++)
        ring[(ring_end + i) % RING_SIZE] = line[i];
    ring_end += length;
}

size_t log_read(char *buffer, size_t size)
{
    reg_t flags = spin_lock_irq(&log_lock);
    uint64_t kept = min(ring_end, (uint64_t)RING_SIZE);
    size_t count = (size_t)min(kept, (uint64_t)size);

    for (size_t i = 0; i < count; i++)
        buffer[i] = ring[(ring_end - count + i) % RING_SIZE];
    spin_unlock_irq(&log_lock, flags);
    return count;
}

static size_t format_line(char *line, const char *format, va_list arguments)
{
    uint64_t now = clock_frequency_hz() != 0 ? clock_monotonic_ns() : 0;
    int head =
        scnprintf(line, LINE_MAX, "[%llu.%06llu] ", (unsigned long long)(now / NS_PER_SECOND),
                  (unsigned long long)(now % NS_PER_SECOND / 1000));
    int text = vsnprintf(line + head, LINE_MAX - 1 - (size_t)head, format, arguments);
    size_t length = (size_t)head + (size_t)max(text, 0);

    length = min(length, (size_t)LINE_MAX - 2);
    line[length++] = '\n';
    return length;
}

void log_message(enum log_level level, const char *format, ...)
{
    char line[LINE_MAX];
    va_list arguments;

    if (level == LOG_DEBUG && level_limit < LOG_DEBUG)
        return;
    va_start(arguments, format);
    size_t length = format_line(line, format, arguments);

    va_end(arguments);
    reg_t flags = spin_lock_irq(&log_lock);
    bool nested = in_sink;
    struct log_sink *sink;

    ring_put(line, length);
    in_sink = true;
    list_for_each_entry (sink, &sinks, node) {
        if (!nested && level <= sink->level)
            sink->write(sink, line, length);
    }
    in_sink = nested;
    spin_unlock_irq(&log_lock, flags);
}

/* What is in the ring, line by line; with the log's lock. */
static __noinline void write_ring_to(struct log_sink *sink)
{
    char line[LINE_MAX];
    uint64_t at = ring_end > RING_SIZE ? ring_end - RING_SIZE : 0;

    while (at < ring_end) {
        size_t length = 0;

        while (at < ring_end && length < LINE_MAX) {
            line[length++] = ring[at++ % RING_SIZE];
            if (line[length - 1] == '\n')
                break;
        }
        sink->write(sink, line, length);
    }
}

void log_add_sink(struct log_sink *sink, bool replay)
{
    reg_t flags = spin_lock_irq_call(&log_lock);

    list_add_tail(&sinks, &sink->node);
    if (replay && ring_end != 0)
        write_ring_to(sink);
    spin_unlock_irq_call(&log_lock, flags);
}
