/* SPDX-License-Identifier: MIT */
/*
 * Virtio over PCI (OASIS Virtual I/O Device 1.2 section 4.1): modern devices, and transitional ones
 * through their modern registers. Interrupts by MSI-X, one vector for changes of the configuration
 * and one a queue, as far as there are some; else by INTx. Left out: the legacy I/O BAR.
 */
#include "virtio.h"

#include <arch/barrier.h>
#include <arch/mmio.h>
#include <core/irq.h>
#include <core/log.h>
#include <device/pci.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <mm/kwindow.h>
#include <mm/page.h>
#include <mm/slab.h>

#define VENDOR_VIRTIO     0x1af4U
#define ID_TRANSITIONAL   0x1000U /* to 0x103f; the type is the subsystem's id */
#define ID_MODERN         0x1040U /* plus the type */
#define SUBSYSTEM_ID      0x2eU
#define CAPABILITY_VENDOR 9U

/* Section 4.1.4: struct virtio_pci_cap. */
#define CAP_TYPE       3U
#define CAP_BAR        4U
#define CAP_OFFSET     8U
#define CAP_LENGTH     12U
#define CAP_MULTIPLIER 16U

enum cap_type { CAP_COMMON = 1, CAP_NOTIFY = 2, CAP_ISR = 3, CAP_CONFIG = 4, CAP_TYPES };

/* Section 4.1.4.3: struct virtio_pci_common_cfg. */
#define DEVICE_FEATURE_SELECT 0
#define DEVICE_FEATURE        4
#define DRIVER_FEATURE_SELECT 8
#define DRIVER_FEATURE        12
#define CONFIG_VECTOR         16
#define QUEUE_COUNT           18
#define STATUS                20
#define CONFIG_GENERATION     21
#define QUEUE_SELECT          22
#define QUEUE_SIZE            24
#define QUEUE_VECTOR          26
#define QUEUE_ENABLE          28
#define QUEUE_NOTIFY_OFF      30
#define QUEUE_DESC            32
#define QUEUE_DRIVER          40
#define QUEUE_DEVICE          48
#define COMMON_SIZE           56

#define STATUS_ACKNOWLEDGE 1U
#define STATUS_DRIVER      2U
#define STATUS_DRIVER_OK   4U
#define STATUS_FEATURES_OK 8U
#define STATUS_NEEDS_RESET 0x40U
#define STATUS_FAILED      0x80U

#define NO_VECTOR 0xffffU /* also what a register holds whose write the device refused */

#define QUEUES_MAX   130U /* pairs for 64 CPUs, and two */
#define RESET_POLLS  1000000U
#define CONFIG_TRIES 16U

/* An interrupt of a queue's own. */
struct queue_vector {
    struct virtqueue *queue;
    unsigned irq;  /* valid with a name */
    char name[24]; /* empty: the queue uses vector 0 with others */
};

struct virtio_pci {
    struct virtio_device virtio;
    struct pci_device *pci;
    void *common, *notify, *isr, *config; /* NULL: not there */
    uint32_t common_size, notify_size, isr_size, config_size, notify_multiplier;
    unsigned queue_count;
    void **doorbell; /* by queue; NULL: features were never accepted */
    /* MSI-X: vector 0 is for configuration changes and for queues without one of their own, which
     * have vector 1 and on. vector_count 0: INTx instead. */
    unsigned vector_count;
    bool shares_vector;
    struct queue_vector *vector; /* by queue */
};

static struct virtio_pci *pci_of(struct virtio_device *device)
{
    return container_of(device, struct virtio_pci, virtio);
}

static uint64_t vpci_features(struct virtio_device *device)
{
    void *common = pci_of(device)->common;
    uint64_t low;

    writel(0, common + DEVICE_FEATURE_SELECT);
    low = readl(common + DEVICE_FEATURE);
    writel(1, common + DEVICE_FEATURE_SELECT);
    return low | (uint64_t)readl(common + DEVICE_FEATURE) << 32;
}

/* Now that features are accepted: how many there are may depend on them. */
static int count_queues(struct virtio_pci *v)
{
    unsigned count = min((unsigned)readw(v->common + QUEUE_COUNT), QUEUES_MAX);

    v->doorbell = kzalloc_array(count + 1, sizeof(*v->doorbell));
    v->vector = kzalloc_array(count + 1, sizeof(*v->vector));
    if (v->doorbell == NULL || v->vector == NULL)
        return -ENOMEM;
    v->queue_count = count;
    return 0;
}

static int vpci_accept(struct virtio_device *device, uint64_t features)
{
    struct virtio_pci *v = pci_of(device);
    void *common = v->common;

    if (v->vector_count != 0)
        writew(0, common + CONFIG_VECTOR); /* a reset took it, as it did the status */
    writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER, common + STATUS);
    writel(0, common + DRIVER_FEATURE_SELECT);
    writel((uint32_t)features, common + DRIVER_FEATURE);
    writel(1, common + DRIVER_FEATURE_SELECT);
    writel((uint32_t)(features >> 32), common + DRIVER_FEATURE);
    writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER | STATUS_FEATURES_OK, common + STATUS);
    if (!(readb(common + STATUS) & STATUS_FEATURES_OK))
        return -EIO;
    return v->doorbell != NULL ? 0 : count_queues(v);
}

/* 0 also for a queue whose doorbell would lie outside of the window for them. */
static uint32_t vpci_queue_size(struct virtio_device *device, unsigned index)
{
    struct virtio_pci *v = pci_of(device);
    uint64_t offset;

    if (index >= v->queue_count)
        return 0;
    writew((uint16_t)index, v->common + QUEUE_SELECT);
    offset = (uint64_t)readw(v->common + QUEUE_NOTIFY_OFF) * v->notify_multiplier;
    if (offset + 2 > v->notify_size)
        return 0;
    v->doorbell[index] = v->notify + offset;
    return readw(v->common + QUEUE_SIZE);
}

static void set_address(void *common, unsigned offset, const void *memory)
{
    paddr_t address = virt_phys(memory);

    writel((uint32_t)address, common + offset);
    writel((uint32_t)(address >> 32), common + offset + 4);
}

/* --- message interrupts -------------------------------------------------------------------------
 */

static void queue_interrupt(void *arg)
{
    struct virtqueue *queue = ((const struct queue_vector *)arg)->queue;

    if (queue->interrupt != NULL)
        queue->interrupt(queue);
    else if (queue->device->interrupt != NULL)
        queue->device->interrupt(queue->device);
}

/* Vector 0 does not say what for. */
static void shared_interrupt(void *arg)
{
    struct virtio_pci *v = arg;

    if (v->shares_vector && v->virtio.interrupt != NULL)
        v->virtio.interrupt(&v->virtio);
    if (v->virtio.config_changed != NULL)
        v->virtio.config_changed(&v->virtio);
}

/* A vector of the queue's own, once. False: there is none left. */
static bool take_vector(struct virtio_pci *v, struct virtqueue *queue)
{
    struct queue_vector *vector = &v->vector[queue->index];
    int irq;

    vector->queue = queue;
    if (vector->name[0] != '\0')
        return true;
    if (queue->index + 1 >= v->vector_count)
        return false;
    irq = pci_msix_map(v->pci, queue->index + 1, irq_next_cpu());
    if (irq < 0)
        return false;
    snprintf(vector->name, sizeof(vector->name), "%s-%u", v->pci->name, queue->index);
    if (irq_request((unsigned)irq, queue_interrupt, vector, vector->name) != 0) {
        pci_msix_unmap(v->pci, queue->index + 1, (unsigned)irq);
        vector->name[0] = '\0';
        return false;
    }
    vector->irq = (unsigned)irq;
    return true;
}

/* The queue is selected. */
static void set_queue_vector(struct virtio_pci *v, struct virtqueue *queue)
{
    unsigned number = take_vector(v, queue) ? queue->index + 1 : 0;

    writew((uint16_t)number, v->common + QUEUE_VECTOR);
    if (number != 0 && readw(v->common + QUEUE_VECTOR) != NO_VECTOR)
        return;
    v->shares_vector = true;
    writew(0, v->common + QUEUE_VECTOR);
}

static void vpci_queue_affinity(struct virtio_device *device, unsigned index, unsigned cpu)
{
    struct virtio_pci *v = pci_of(device);
    struct cpumask mask = cpumask_of(cpu);

    if (v->vector_count != 0 && index < v->queue_count && v->vector[index].name[0] != '\0')
        irq_set_affinity(v->vector[index].irq, &mask);
}

static void free_vectors(struct virtio_pci *v)
{
    if (v->vector_count == 0)
        return;
    for (unsigned i = 0; i < v->queue_count; i++) {
        if (v->vector[i].name[0] == '\0')
            continue;
        irq_free(v->vector[i].irq, &v->vector[i]);
        pci_msix_unmap(v->pci, i + 1, v->vector[i].irq);
    }
    irq_free((unsigned)v->virtio.irq, v);
    pci_msix_unmap(v->pci, 0, (unsigned)v->virtio.irq);
    pci_msix_disable(v->pci);
    v->vector_count = 0;
}

/* -errno: no message interrupts here, which is no fault. */
static int use_messages(struct virtio_pci *v)
{
    int count = pci_msix_enable(v->pci, QUEUES_MAX + 1), error;

    if (count < 0)
        return count;
    error = pci_msix_map(v->pci, 0, 0);
    if (error < 0)
        goto disable;
    v->virtio.irq = error;
    error = irq_request((unsigned)v->virtio.irq, shared_interrupt, v, v->pci->name);
    if (error != 0)
        goto unmap;
    v->vector_count = (unsigned)count;
    return 0;
unmap:
    pci_msix_unmap(v->pci, 0, (unsigned)v->virtio.irq);
disable:
    pci_msix_disable(v->pci);
    return error;
}

/* --- transport ----------------------------------------------------------------------------------
 */

static void vpci_queue_start(struct virtio_device *device, struct virtqueue *queue)
{
    struct virtio_pci *v = pci_of(device);
    void *common = v->common;

    writew((uint16_t)queue->index, common + QUEUE_SELECT);
    writew((uint16_t)queue->size, common + QUEUE_SIZE);
    set_address(common, QUEUE_DESC, queue->descriptor);
    set_address(common, QUEUE_DRIVER, queue->available);
    set_address(common, QUEUE_DEVICE, queue->used);
    if (v->vector_count != 0)
        set_queue_vector(v, queue);
    writew(1, common + QUEUE_ENABLE);
}

static void vpci_notify(struct virtio_device *device, unsigned index)
{
    writew((uint16_t)index, pci_of(device)->doorbell[index]);
}

static void vpci_ready(struct virtio_device *device)
{
    void *status = pci_of(device)->common + STATUS;

    writeb(readb(status) | STATUS_DRIVER_OK, status);
}

static void vpci_reset(struct virtio_device *device)
{
    void *status = pci_of(device)->common + STATUS;

    writeb(0, status);
    for (unsigned i = 0; readb(status) != 0 && i < RESET_POLLS; i++)
        cpu_relax(); /* section 4.1.4.3.2: it reads as 0 when the reset is over */
}

static bool vpci_needs_reset(struct virtio_device *device)
{
    return readb(pci_of(device)->common + STATUS) & STATUS_NEEDS_RESET;
}

static void vpci_config_read(struct virtio_device *device, unsigned offset, void *to, unsigned size)
{
    struct virtio_pci *v = pci_of(device);
    uint8_t before;

    for (unsigned i = 0; i < size; i++)
        *(uint8_t *)(to + i) = 0;
    if (offset + size > v->config_size)
        return;
    for (unsigned tries = 0; tries < CONFIG_TRIES; tries++) {
        before = readb(v->common + CONFIG_GENERATION);
        for (unsigned i = 0; i < size; i++) /* any width is allowed here (section 4.1.3.1) */
            *(uint8_t *)(to + i) = readb(v->config + offset + i);
        if (readb(v->common + CONFIG_GENERATION) == before)
            return;
    }
}

static void vpci_config_write(struct virtio_device *device, unsigned offset, uint32_t value)
{
    struct virtio_pci *v = pci_of(device);

    if (offset + sizeof(value) <= v->config_size)
        writel(value, v->config + offset);
}

static const struct virtio_transport_ops vpci_ops = {
    .features = vpci_features,
    .accept = vpci_accept,
    .queue_size = vpci_queue_size,
    .queue_start = vpci_queue_start,
    .notify = vpci_notify,
    .ready = vpci_ready,
    .reset = vpci_reset,
    .needs_reset = vpci_needs_reset,
    .config_read = vpci_config_read,
    .config_write = vpci_config_write,
    .queue_affinity = vpci_queue_affinity,
};

/* The line is shared; to read the status acknowledges it (section 4.1.4.5). */
static void vpci_interrupt(void *arg)
{
    struct virtio_pci *v = arg;

    virtio_interrupted(&v->virtio, readb(v->isr));
}

/* Maps the first structure of a type; NULL if there is none or it does not lie inside a BAR. */
static void *map_structure(const struct pci_device *pci, enum cap_type type, uint32_t *size,
                           unsigned *capability)
{
    unsigned at;

    for (unsigned i = 0; (at = pci_find_capability(pci, CAPABILITY_VENDOR, i)) != 0; i++) {
        if (at + CAP_MULTIPLIER + 4 > 0x100 || pci_read8(pci, at + CAP_TYPE) != type)
            continue;
        *size = pci_read32(pci, at + CAP_LENGTH);
        *capability = at;
        return *size != 0 ? pci_map(pci, pci_read8(pci, at + CAP_BAR),
                                    pci_read32(pci, at + CAP_OFFSET), *size)
                          : NULL;
    }
    return NULL;
}

static int map_structures(struct virtio_pci *v)
{
    unsigned at, notify_at = 0;

    v->common = map_structure(v->pci, CAP_COMMON, &v->common_size, &at);
    v->isr = map_structure(v->pci, CAP_ISR, &v->isr_size, &at);
    v->notify = map_structure(v->pci, CAP_NOTIFY, &v->notify_size, &notify_at);
    if (v->common == NULL || v->common_size < COMMON_SIZE || v->isr == NULL || v->notify == NULL) {
        log_error("%s: the registers of virtio 1.0 are not there, and legacy ones are not "
                  "supported; not used",
                  v->pci->name);
        return -ENODEV;
    }
    v->notify_multiplier = pci_read32(v->pci, notify_at + CAP_MULTIPLIER);
    v->config = map_structure(v->pci, CAP_CONFIG, &v->config_size, &at);
    if (v->config == NULL)
        v->config_size = 0;
    return 0;
}

static void unmap_structure(void *registers, uint32_t size)
{
    if (registers != NULL)
        device_unmap(registers, size);
}

static void unmap_structures(struct virtio_pci *v)
{
    unmap_structure(v->common, v->common_size);
    unmap_structure(v->isr, v->isr_size);
    unmap_structure(v->notify, v->notify_size);
    unmap_structure(v->config, v->config_size);
}

static int use_line(struct virtio_pci *v)
{
    v->virtio.irq = pci_irq(v->pci);
    if (v->virtio.irq < 0)
        return v->virtio.irq;
    return irq_request((unsigned)v->virtio.irq, vpci_interrupt, v, v->pci->name);
}

/* After a reset. A vector that the device refuses leaves it without interrupts. */
static int start_interrupts(struct virtio_pci *v)
{
    if (use_messages(v) != 0)
        return use_line(v);
    writew(0, v->common + CONFIG_VECTOR);
    if (readw(v->common + CONFIG_VECTOR) != NO_VECTOR)
        return 0;
    free_vectors(v);
    return use_line(v);
}

static void stop_interrupts(struct virtio_pci *v)
{
    if (v->vector_count != 0)
        free_vectors(v);
    else
        irq_free((unsigned)v->virtio.irq, v);
}

static int start(struct virtio_pci *v)
{
    int error = map_structures(v);

    if (error != 0)
        return error;
    vpci_reset(&v->virtio);
    error = start_interrupts(v);
    if (error != 0)
        return error;
    writeb(STATUS_ACKNOWLEDGE | STATUS_DRIVER, v->common + STATUS);
    error = virtio_add(&v->virtio);
    if (error == 0)
        return 0;
    vpci_reset(&v->virtio);
    if (error != -ENODEV)
        writeb(STATUS_FAILED, v->common + STATUS);
    stop_interrupts(v);
    return error;
}

static int vpci_probe(struct device *base)
{
    struct pci_device *pci = pci_device_of(base);
    struct virtio_pci *v = kzalloc(sizeof(*v));
    int error;

    if (v == NULL)
        return -ENOMEM;
    v->pci = pci;
    v->virtio.device.name = pci->name;
    v->virtio.ops = &vpci_ops;
    v->virtio.version = 2;
    v->virtio.type = pci->id >= ID_MODERN ? pci->id - ID_MODERN : pci_read16(pci, SUBSYSTEM_ID);
    base->data = v;
    error = start(v);
    if (error != 0) {
        unmap_structures(v);
        kfree(v->doorbell);
        kfree(v->vector);
        kfree(v);
    }
    return error;
}

static const struct match vpci_match[] = {
    {.id = PCI_ID(VENDOR_VIRTIO, ID_TRANSITIONAL + 0)}, /* net */
    {.id = PCI_ID(VENDOR_VIRTIO, ID_TRANSITIONAL + 1)}, /* block */
    {.id = PCI_ID(VENDOR_VIRTIO, ID_TRANSITIONAL + 2)}, /* balloon */
    {.id = PCI_ID(VENDOR_VIRTIO, ID_TRANSITIONAL + 3)}, /* console */
    {.id = PCI_ID(VENDOR_VIRTIO, ID_TRANSITIONAL + 5)}, /* entropy */
    {.id = PCI_ID(VENDOR_VIRTIO, ID_TRANSITIONAL + 9)}, /* 9p */
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 1)},
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 2)},
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 3)},
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 4)},
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 5)},
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 9)},
    {.id = PCI_ID(VENDOR_VIRTIO, ID_MODERN + 19)}, /* vsock */
    {0},
};

static const struct driver virtio_pci = {
    .name = "virtio_pci",
    .bus = &pci_bus,
    .stage = PROBE_DEVICE,
    .match = vpci_match,
    .probe = vpci_probe,
};
DRIVER(virtio_pci);
