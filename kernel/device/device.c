/* SPDX-License-Identifier: MIT */
/*
 * Which driver takes which node. The strings of all built-in match tables go into a hash table
 * once; every node's `compatible` is looked up in it, the most specific string first. Probing then
 * runs in stages over the matched nodes only.
 */
#include <core/irqchip.h>
#include <core/log.h>
#include <device/device.h>
#include <device/firmware.h>
#include <lib/endian.h>
#include <lib/errno.h>
#include <lib/hash.h>
#include <lib/string.h>
#include <mm/kwindow.h>
#include <mm/slab.h>

/* The linker gathers what DRIVER() leaves (kernel.lds.S). */
extern const struct driver *const __drivers_start[], *const __drivers_end[];

const struct bus firmware_bus = {"firmware"};

struct list_node device_list = LIST_INIT(device_list);

#define MATCH_MAX   128 /* strings of all drivers */
#define MATCH_SLOTS 256 /* power of two, over MATCH_MAX */

static struct {
    const struct driver *driver;
    const struct match *match;
} matches[MATCH_MAX];
static unsigned match_count;
static uint8_t slot_of[MATCH_SLOTS]; /* index into matches plus 1; 0: free */
static uint16_t stage_first[PROBE_STAGES];

/* Length and both ends: cheap, and `compatible` strings differ there. */
static unsigned hash_compatible(const char *text)
{
    size_t length = strlen(text);
    uint64_t hash = length;

    if (length >= 4)
        hash = load_u32(text) + hash + ((uint64_t)load_u32(text + length - 4) << 32);
    else if (length > 0)
        hash += (uint64_t)(uint8_t)text[0] << 8;
    return (unsigned)hash_u64(hash, 8);
}

_Static_assert(MATCH_SLOTS == 1 << 8, "hash_compatible gives 8 bits");

static void add_match(const struct driver *driver, const struct match *match)
{
    unsigned slot = hash_compatible(match->compatible);

    if (match_count == MATCH_MAX) {
        log_error("More than %u match strings in drivers: '%s' is left out", MATCH_MAX,
                  match->compatible);
        return;
    }
    while (slot_of[slot] != 0)
        slot = (slot + 1) % MATCH_SLOTS;
    matches[match_count].driver = driver;
    matches[match_count].match = match;
    slot_of[slot] = (uint8_t)++match_count;
}

static void build_table(void)
{
    if (match_count != 0)
        return;
    for (const struct driver *const *entry = __drivers_start; entry < __drivers_end; entry++) {
        const struct driver *driver = *entry;

        if (driver->bus != &firmware_bus)
            continue;
        for (const struct match *match = driver->match; match->compatible != NULL; match++)
            add_match(driver, match);
    }
}

/* The index of the match for one string, or FW_NODE_NONE. */
static uint16_t find_string(const char *text)
{
    for (unsigned slot = hash_compatible(text); slot_of[slot] != 0;
         slot = (slot + 1) % MATCH_SLOTS) {
        unsigned index = slot_of[slot] - 1U;

        if (strcmp(matches[index].match->compatible, text) == 0)
            return (uint16_t)index;
    }
    return FW_NODE_NONE;
}

static uint16_t find_match(const struct fw_node *node)
{
    const char *text = fw_compatible(node, 0), *end;

    if (text == NULL) /* or a list without an end */
        return FW_NODE_NONE;
    for (end = text + node->compatible_size; text < end; text += strlen(text) + 1) {
        uint16_t index = find_string(text);

        if (index != FW_NODE_NONE)
            return index;
    }
    return FW_NODE_NONE;
}

const struct driver *device_find_driver(const struct fw_node *node, const struct match **match)
{
    uint16_t index;

    build_table();
    index = find_match(node);
    if (index == FW_NODE_NONE)
        return NULL;
    *match = matches[index].match;
    return matches[index].driver;
}

const struct driver *device_find_driver_by_id(const struct bus *bus, uint32_t id,
                                              const struct match **match)
{
    for (const struct driver *const *entry = __drivers_start; entry < __drivers_end; entry++) {
        if ((*entry)->bus != bus)
            continue;
        for (*match = (*entry)->match; (*match)->id != 0; (*match)++) {
            if ((*match)->id == id)
                return *entry;
        }
    }
    return NULL;
}

void device_match_all(void)
{
    uint16_t *link[PROBE_STAGES]; /* where the next node of each stage is noted */
    struct fw_node *node;

    build_table();
    for (unsigned stage = 0; stage < PROBE_STAGES; stage++) {
        stage_first[stage] = FW_NODE_NONE;
        link[stage] = &stage_first[stage];
    }
    for (unsigned i = 0; (node = fw_node_at(i)) != NULL; i++) {
        enum probe_stage stage;

        if (node->compatible == 0 || !fw_is_enabled(node))
            continue;
        node->match = find_match(node);
        if (node->match == FW_NODE_NONE) {
            if (node->flags & FW_INTERRUPTS)
                log_info("No driver for interrupt controller %s (%s)", fw_name(node),
                         fw_compatible(node, 0));
            continue;
        }
        stage = matches[node->match].driver->stage;
        *link[stage] = (uint16_t)i;
        link[stage] = &node->next_in_stage;
    }
}

int device_add(struct device *device)
{
    int error = device->driver->probe(device);

    if (error == 0)
        list_add_tail(&device_list, &device->list);
    else if (error != -EAGAIN && error != -ENODEV)
        log_error("%s: driver %s failed, error %d", device->name, device->driver->name, -error);
    return error;
}

static int probe_node(struct fw_node *node)
{
    static struct device *spare; /* of the last one that was not there: slots are mostly empty */
    struct device *device = spare != NULL ? spare : kmalloc(sizeof(*device));
    int error;

    if (device == NULL)
        return -ENOMEM;
    memset(device, 0, sizeof(*device));
    device->name = fw_name(node);
    device->bus = &firmware_bus;
    device->driver = matches[node->match].driver;
    device->match = matches[node->match].match;
    device->node = node;
    node->device = device;
    error = device_add(device);
    spare = error != 0 ? device : NULL;
    if (error != 0)
        node->device = NULL;
    return error;
}

/* Goes round again as long as that lets a device in that had to wait for another. */
void device_probe(enum probe_stage stage)
{
    unsigned waiting, done;
    struct fw_node *node;

    do {
        waiting = done = 0;
        for (uint16_t i = stage_first[stage]; i != FW_NODE_NONE; i = node->next_in_stage) {
            int error;

            node = fw_node_at(i);
            if (node->device != NULL || node->match == FW_NODE_NONE)
                continue;
            error = probe_node(node);
            if (error == -EAGAIN)
                waiting++;
            else if (error != 0)
                node->match = FW_NODE_NONE;
            else
                done++;
        }
    } while (waiting != 0 && done != 0);
    if (waiting != 0)
        log_warn("%u devices still wait for others that never came", waiting);
}

void device_log_all(void)
{
    struct fw_node *node;
    struct device *device;

    if (log_level() < LOG_DEBUG)
        return;
    for (const struct driver *const *entry = __drivers_start; entry < __drivers_end; entry++)
        log_debug("driver %s", (*entry)->name);
    device_for_each (device)
        log_debug("device %s: %s", device->name, device->driver->name);
    fw_for_each (node) {
        if (node->compatible != 0 && node->device == NULL && !(node->flags & FW_CPU) &&
            node->parent != FW_NODE_NONE)
            log_debug("unclaimed %s (%s)%s", fw_name(node),
                      fw_compatible(node, 0) != NULL ? fw_compatible(node, 0) : "bad compatible",
                      fw_is_enabled(node) ? "" : ", disabled");
    }
}

/* --- resources --- */

int device_registers(const struct device *device, unsigned index, paddr_t *base, uint64_t *size)
{
    int error = fw_reg(device->node, index, base, size);

    if (error == -ENOENT || error == -ENXIO)
        log_error("%s: no registers %u %s", device->name, index,
                  error == -ENOENT ? "in 'reg'" : "that the CPU can reach");
    return error;
}

void *device_map_registers(const struct device *device, unsigned index, size_t size)
{
    uint64_t found;
    paddr_t base;
    void *registers;

    if (device_registers(device, index, &base, &found) != 0)
        return NULL;
    if (found < size) {
        log_error("Bad 'reg' property of %s: registers %u have 0x%lx bytes, expected at least "
                  "0x%lx; not used",
                  device->name, index, (unsigned long)found, (unsigned long)size);
        return NULL;
    }
    registers = device_map(base, size);
    if (registers == NULL)
        log_error("%s: no room to map 0x%lx bytes of registers", device->name, (unsigned long)size);
    return registers;
}

int device_irq_of(const char *name, unsigned index, const struct fw_interrupt *interrupt)
{
    struct irqchip *chip = interrupt->controller->irqchip;
    enum irq_trigger trigger = IRQ_TRIGGER_NONE;
    unsigned hw;
    int error;

    if (chip == NULL)
        return -EAGAIN;
    error = chip->ops->translate(chip, interrupt->cell, interrupt->cell_count, &hw, &trigger);
    if (error != 0 || hw >= chip->line_count) {
        log_error("%s: interrupt %u <%u %u ...> is unknown to %s", name, index, interrupt->cell[0],
                  interrupt->cell[1], chip->name);
        return -EINVAL;
    }
    if (trigger != IRQ_TRIGGER_NONE)
        error = irq_set_trigger(chip->first_irq + hw, trigger);
    return error != 0 ? error : (int)(chip->first_irq + hw);
}

int device_irq(const struct device *device, unsigned index)
{
    struct fw_interrupt interrupt;
    int error = fw_interrupt(device->node, index, &interrupt);

    return error != 0 ? error : device_irq_of(device->name, index, &interrupt);
}

int device_irq_named(const struct device *device, const char *name)
{
    int index = fw_interrupt_index(device->node, name);

    return index < 0 ? index : device_irq(device, (unsigned)index);
}
