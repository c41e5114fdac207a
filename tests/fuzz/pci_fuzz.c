/* SPDX-License-Identifier: MIT */
/*
 * PCI's walk and the virtio transport over functions whose registers are the input: configuration
 * space of two functions in each of four slots, the same on every bus, so that bridges lead round;
 * what lies in BARs is the rest of the input, byte after byte.
 */
#include <stdlib.h>
#include <string.h>

#include "../../kernel/drivers/virtio/virtio.h"
#include "../unit/drivers/pci_fake.h"

#include <core/irq.h>
#include <lib/errno.h>
#include <mm/page.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SLOTS = 4, FUNCTIONS = 2, SPACE = 256, BUSES = 6, READS = 3000, HEAD = 4 };

extern const struct driver *const driver_entry_virtio_pci, *const driver_entry_pci_ecam;
char *unit_ram = (char *)PAGE_SIZE;
char *unit_ram_pages = (char *)PAGE_SIZE;
uintptr_t kernel_image_offset;

static uint8_t config[SLOTS * FUNCTIONS][SPACE];
static const uint8_t *at, *end;
static unsigned reads, lines, bar_bits;

static uint8_t *config_of(uintptr_t address)
{
    unsigned number = (unsigned)(address >> 12) & 0xff, offset = address & 0xfff;

    if (number >> 3 >= SLOTS || (number & 7) >= FUNCTIONS || offset + 8 > SPACE)
        return NULL;
    return config[(number >> 3) * FUNCTIONS + (number & 7)] + offset;
}

uint64_t fake_mmio_read(uintptr_t address, unsigned size)
{
    uint64_t value = ~0UL;

    if (address >= FAKE_CONFIG && address < FAKE_CONFIG + (BUSES << 20)) {
        const uint8_t *from = config_of(address);

        if (from != NULL)
            memcpy(&value, from, size);
        return value;
    }
    value = 0;
    for (unsigned i = 0; i < size && reads < READS && at < end; i++, reads++)
        value = value << 8 | *at++;
    return value;
}

void fake_mmio_write(uintptr_t address, uint64_t value, unsigned size)
{
    uint8_t *to = NULL;

    if (address >= FAKE_CONFIG && address < FAKE_CONFIG + (BUSES << 20))
        to = config_of(address);
    if (to == NULL)
        return;
    if ((address & 0xff) >= 0x10 && (address & 0xff) < 0x28 && bar_bits < 64)
        value = (value & (~0UL << bar_bits)) | (*to & 15); /* not all can be written */
    memcpy(to, &value, size);
}

int irq_request(unsigned irq, irq_handler_fn *handler, void *arg, const char *name)
{
    (void)irq, (void)handler, (void)arg, (void)name;
    lines++;
    return 0;
}

void irq_free(unsigned irq, void *arg)
{
    (void)irq, (void)arg;
    lines--;
}

unsigned irq_next_cpu(void)
{
    return 0;
}

/* A driver that asks all it can, then gives up. */
int virtio_add(struct virtio_device *device)
{
    static uint64_t memory[64];
    static struct virtqueue queue;
    uint8_t field[16];

    (void)device->ops->features(device);
    (void)device->ops->accept(device, 1UL << VIRTIO_F_VERSION_1);
    for (unsigned i = 0; i < 200; i += 3) {
        if (device->ops->queue_size(device, i) == 0)
            continue;
        queue = (struct virtqueue){.device = device,
                                   .index = i,
                                   .size = 8,
                                   .descriptor = (void *)memory,
                                   .available = (void *)memory,
                                   .used = (void *)memory};
        device->ops->queue_start(device, &queue);
        device->ops->notify(device, i);
        if (device->ops->queue_affinity != NULL)
            device->ops->queue_affinity(device, i, 0);
    }
    for (unsigned i = 0; i < 300; i += 7)
        device->ops->config_read(device, i, field, 1 + i % sizeof(field));
    return -EIO;
}

static void use(struct pci_device *device)
{
    unsigned mapped = pci_fake.mapped_bytes;
    int vectors;

    (void)pci_irq(device);
    for (unsigned i = 0; i < 60; i++)
        (void)pci_find_capability(device, 9, i);
    vectors = pci_msix_enable(device, 20);
    if (vectors > 0) {
        int irq = pci_msix_map(device, (unsigned)vectors - 1, 0);

        if (irq >= 0)
            pci_msix_unmap(device, (unsigned)vectors - 1, (unsigned)irq);
        pci_msix_disable(device);
    }
    device->device.driver = driver_entry_virtio_pci;
    if (driver_entry_virtio_pci->probe(&device->device) == 0 || pci_fake.mapped_bytes != mapped)
        abort(); /* it cannot start, and gives back what it has mapped */
}

/* The host bridge itself, whose functions no driver wants. */
static void ask_bridge(const uint8_t *data, size_t size)
{
    const struct driver *driver = driver_entry_pci_ecam;
    struct device device = {.name = "pcie", .node = &pci_fake.node, .match = driver->match};

    pci_fake.node.address_cells = 3;
    pci_fake.node.size_cells = data[1] & 7 ? 2 : 1;
    pci_fake.ranges = data;
    pci_fake.ranges_size = (uint32_t)(data[1] & 8 ? size : size / 28 * 28);
    pci_fake.registers_size = (uint64_t)data[2] << 18;
    pci_fake.buses[0] = data[3] & 1;
    pci_fake.buses[1] = data[3] & 7;
    pci_fake.probe_result = -ENODEV;
    device.match = &driver->match[data[3] >> 7];
    (void)driver->probe(&device);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct pci_host host;
    const uint8_t *head = data;

    if (size < HEAD)
        return 0;
    at = data + HEAD;
    end = data + size;
    memset(config, 0xff, sizeof(config));
    for (unsigned i = 0; i < sizeof(config) && at < end; i++)
        config[i / SPACE][i % SPACE] = *at++;
    reads = lines = 0;
    bar_bits = 4 + head[0] % 16;
    pci_fake_walk(&host,
                  (struct pci_window){.cpu = 0x10000000,
                                      .bus = 0x10000000,
                                      .size = (uint64_t)head[0] << 21 | 0xf0000},
                  (struct pci_window){.cpu = 1UL << 40,
                                      .bus = 1UL << (33 + head[1] % 30),
                                      .size = head[2] ? 1UL << (20 + head[3] % 20) : 0},
                  BUSES - 1);
    for (unsigned i = 0; i < pci_fake.probed_count; i++)
        use(pci_fake.probed[i]);
    if (lines != 0 || pci_fake.mapped != 0 || pci_fake.attached != 0)
        abort();
    ask_bridge(data, size);
    pci_fake_end();
    return 0;
}
