/* SPDX-License-Identifier: MIT */
/*
 * PrimeCell UART PL011 (Arm DDI 0183) and the SBSA generic UART (Arm DEN 0029 appendix B), which is
 * its data, flag and interrupt registers alone. Speed stays as the firmware set it.
 * Words of 32 bits are used throughout: SBSA UARTs may take no others.
 */
#include <arch/mmio.h>
#include <core/irq.h>
#include <device/console.h>
#include <device/device.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

#define UARTDR    0x00
#define UARTFR    0x18
#define UARTLCR_H 0x2c
#define UARTCR    0x30
#define UARTIMSC  0x38
#define UARTMIS   0x40
#define UARTICR   0x44
#define UARTPID2  0xfe8

#define UARTFR_BUSY (1U << 3)
#define UARTFR_RXFE (1U << 4)
#define UARTFR_TXFF (1U << 5)
#define UARTFR_TXFE (1U << 7)

#define UARTLCR_H_FEN  (1U << 4)
#define UARTLCR_H_WLEN (3U << 5) /* 8 bits */

#define UARTCR_UARTEN (1U << 0)
#define UARTCR_TXE    (1U << 8)
#define UARTCR_RXE    (1U << 9)

#define INTERRUPT_RX  (1U << 4)
#define INTERRUPT_TX  (1U << 5)
#define INTERRUPT_RT  (1U << 6) /* bytes wait, fewer than the trigger level */
#define INTERRUPT_ALL 0x7ffU

#define POLL_MAX 1000000U /* a UART that never gets ready does not stop the kernel */

struct pl011 {
    struct console_device console;
    void *registers;
    unsigned fifo_depth; /* bytes that fit once the transmitter is empty */
    uint32_t interrupts; /* UARTIMSC */
};

/*
 * As much as fits. An empty transmitter takes its whole FIFO without a further look at the flags,
 * which are a slow read.
 */
static size_t pl011_write(struct console_device *console, const uint8_t *from, size_t size)
{
    struct pl011 *uart = console->data;
    size_t done = 0;

    while (done < size) {
        uint32_t flags = readl_relaxed(uart->registers + UARTFR);
        size_t burst = flags & UARTFR_TXFE ? uart->fifo_depth : 1;

        if (flags & UARTFR_TXFF)
            break;
        for (burst = min(burst, size - done); burst > 0; burst--)
            writel_relaxed(from[done++], uart->registers + UARTDR);
    }
    return done;
}

static void set_interrupts(struct pl011 *uart, uint32_t mask, bool on)
{
    uart->interrupts = on ? uart->interrupts | mask : uart->interrupts & ~mask;
    writel_relaxed(uart->interrupts, uart->registers + UARTIMSC);
}

static void pl011_notify_output(struct console_device *console, bool on)
{
    set_interrupts(console->data, INTERRUPT_TX, on);
}

static void pl011_receive(struct console_device *console, bool on)
{
    set_interrupts(console->data, INTERRUPT_RX | INTERRUPT_RT, on);
}

static void wait_drained(void *registers)
{
    for (unsigned i = 0; i < POLL_MAX; i++) {
        uint32_t flags = readl_relaxed(registers + UARTFR);

        if ((flags & UARTFR_TXFE) && !(flags & UARTFR_BUSY))
            return;
    }
}

static void pl011_drain(struct console_device *console)
{
    wait_drained(((struct pl011 *)console->data)->registers);
}

static const struct console_device_ops pl011_ops = {
    .write = pl011_write,
    .notify_output = pl011_notify_output,
    .receive = pl011_receive,
    .drain = pl011_drain,
};

/*
 * All that the FIFO holds, a burst at a time. The console says after each whether it wants more; if
 * not it has called receive(off), the rest stays in the FIFO and the line keeps the sender waiting.
 */
static void receive(struct pl011 *uart)
{
    uint8_t burst[CONSOLE_INPUT_BURST];
    size_t size;

    do {
        size = 0;
        while (size < sizeof(burst) && !(readl_relaxed(uart->registers + UARTFR) & UARTFR_RXFE))
            burst[size++] = (uint8_t)readl_relaxed(uart->registers + UARTDR);
    } while (size > 0 && console_input(&uart->console, burst, size) && size == sizeof(burst));
}

static void pl011_interrupt(void *arg)
{
    struct pl011 *uart = arg;
    uint32_t pending = readl(uart->registers + UARTMIS);

    writel_relaxed(pending, uart->registers + UARTICR);
    if (pending & (INTERRUPT_RX | INTERRUPT_RT))
        receive(uart);
    if (pending & INTERRUPT_TX)
        console_output_ready(&uart->console);
}

/* LCR_H may change only while the UART is off and idle (section 3.3.8). */
static void set_up(void *registers, uint32_t fifo)
{
    wait_drained(registers);
    writel_relaxed(0, registers + UARTCR);
    writel_relaxed(UARTLCR_H_WLEN | fifo, registers + UARTLCR_H);
    writel_relaxed(UARTCR_UARTEN | UARTCR_TXE | UARTCR_RXE, registers + UARTCR);
}

/* With the FIFO on, so that it keeps what is typed before there is a handler. */
static void pl011_early_init(void *registers, const struct match *match)
{
    if (match->data != NULL)
        set_up(registers, UARTLCR_H_FEN);
}

/* Room in the FIFO, a byte. */
static void pl011_early_write(void *registers, const char *text, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        for (unsigned wait = 0; wait < POLL_MAX; wait++) {
            if (!(readl_relaxed(registers + UARTFR) & UARTFR_TXFF))
                break;
        }
        writel_relaxed((uint8_t)text[i], registers + UARTDR);
    }
}

/* Testing wants the FIFO off: then every byte is an interrupt of its own. */
static bool fifo_is_wanted(void)
{
    size_t length;
    const char *value = parse_option(fw_boot_arguments(), "remora.uart-fifo", &length);

    return value == NULL || !str_equal_n(value, length, "off");
}

/* What SBSA asks for at least; a PL011 says it. */
static unsigned find_fifo_depth(void *registers, const struct match *match)
{
    if (match->data == NULL)
        return 32;
    if (!fifo_is_wanted()) {
        set_up(registers, 0);
        return 1;
    }
    return (readl_relaxed(registers + UARTPID2) >> 4 & 0xf) >= 3 ? 32 : 16;
}

static int pl011_probe(struct device *device)
{
    struct pl011 *uart = kzalloc(sizeof(*uart));
    int irq = device_irq(device, 0), error;

    if (uart == NULL)
        return -ENOMEM;
    error = irq;
    if (irq < 0)
        goto free;
    error = -ENOMEM;
    uart->registers = device_map_registers(device, 0, 0x1000);
    if (uart->registers == NULL)
        goto free;
    uart->console = (struct console_device){
        .name = device->name, .ops = &pl011_ops, .node = device->node, .data = uart};
    uart->fifo_depth = find_fifo_depth(uart->registers, device->match);
    writel_relaxed(0, uart->registers + UARTIMSC);
    /* What was received before stays pending: it is taken as soon as the console wants input. */
    writel_relaxed(INTERRUPT_ALL & ~(INTERRUPT_RX | INTERRUPT_RT), uart->registers + UARTICR);
    device->data = uart;
    error = irq_request((unsigned)irq, pl011_interrupt, uart, device->name);
    if (error != 0)
        goto free;
    console_register(&uart->console);
    return 0;
free:
    kfree(uart);
    return error;
}

static const struct match pl011_match[] = {
    {.compatible = "arm,pl011", .data = "PL011"},
    {.compatible = "arm,sbsa-uart"},
    {0},
};

static const struct driver pl011 = {
    .name = "pl011",
    .bus = &firmware_bus,
    .stage = PROBE_CONSOLE,
    .match = pl011_match,
    .probe = pl011_probe,
    .early_init = pl011_early_init,
    .early_write = pl011_early_write,
};
DRIVER(pl011);
