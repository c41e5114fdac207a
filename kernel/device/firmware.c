/* SPDX-License-Identifier: MIT */
/*
 * Nodes, properties and resources of the firmware tree, by the Devicetree Specification 0.4. Every
 * value is checked where it is used, and every walk is bounded by the number of nodes or the size
 * of a property.
 */
#include "fw_tree.h"

#include <core/log.h>
#include <device/firmware.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/printf.h>
#include <lib/string.h>

unsigned fw_node_count(void)
{
    return (unsigned)(fw_nodes.end - fw_nodes.first);
}

const char *fw_name(const struct fw_node *node)
{
    return (const char *)fw_tree.blob + node->name;
}

char *fw_path(const struct fw_node *node, char *to, size_t size)
{
    size_t at = size - 1;

    to[at] = '\0';
    if (node->parent == FW_NODE_NONE)
        to[--at] = '/';
    for (; node->parent != FW_NODE_NONE; node = fw_parent(node)) {
        const char *name = fw_name(node);
        size_t length = strlen(name);

        if (length + 1 > at)
            break;
        at -= length + 1;
        to[at] = '/';
        memcpy(to + at + 1, name, length);
    }
    return memmove(to, to + at, size - at);
}

/* Says which property of which node is wrong and how; the caller goes on without it. */
static void complain(const struct fw_node *node, const char *property, const char *format, ...)
    __printf(3, 4);

static void complain(const struct fw_node *node, const char *property, const char *format, ...)
{
    char path[FW_PATH_MAX], text[128];
    va_list args;

    va_start(args, format);
    vscnprintf(text, sizeof(text), format, args);
    va_end(args);
    log_error("Bad '%s' property of %s: %s; ignored", property, fw_path(node, path, sizeof(path)),
              text);
}

/* --- properties --- */

/* The next property at or after `at`, and where to go on; NULL at the end of the node's. */
static const struct dt_property *next_property(uint32_t *at)
{
    while (*at < fw_tree.structure_end) {
        const struct dt_property *property = (const void *)(fw_tree.blob + *at);
        uint32_t token = be32_to_cpu(property->token);

        if (token == DT_PROPERTY) {
            *at += (uint32_t)sizeof(*property) + align_up(be32_to_cpu(property->size), 4U);
            return property;
        }
        if (token != DT_NOP)
            return NULL;
        *at += 4;
    }
    return NULL;
}

const void *fw_property(const struct fw_node *node, const char *name, uint32_t *size)
{
    const char *strings = (const char *)fw_tree.blob + fw_tree.strings;
    const struct dt_property *property;
    uint32_t at = node->properties;

    while ((property = next_property(&at)) != NULL) {
        const char *found = strings + be32_to_cpu(property->name);

        if (found[0] == name[0] && strcmp(found, name) == 0) {
            *size = be32_to_cpu(property->size);
            return property->value;
        }
    }
    return NULL;
}

bool fw_has_property(const struct fw_node *node, const char *name)
{
    uint32_t size;

    return fw_property(node, name, &size) != NULL;
}

int fw_property_u32(const struct fw_node *node, const char *name, uint32_t *value)
{
    uint32_t size;
    const void *data = fw_property(node, name, &size);

    if (data == NULL)
        return -ENOENT;
    if (size != 4) {
        complain(node, name, "%u bytes, expected 4", size);
        return -EINVAL;
    }
    *value = load_be32(data);
    return 0;
}

int fw_property_u64(const struct fw_node *node, const char *name, uint64_t *value)
{
    uint32_t size;
    const void *data = fw_property(node, name, &size);

    if (data == NULL)
        return -ENOENT;
    if (size != 4 && size != 8) {
        complain(node, name, "%u bytes, expected 4 or 8", size);
        return -EINVAL;
    }
    *value = size == 4 ? load_be32(data) : load_be64(data);
    return 0;
}

int fw_property_cell(const struct fw_node *node, const char *name, unsigned index, uint32_t *value)
{
    uint32_t size;
    const uint8_t *data = fw_property(node, name, &size);

    if (data == NULL)
        return -ENOENT;
    if (size % 4 != 0) {
        complain(node, name, "%u bytes, expected a multiple of 4", size);
        return -EINVAL;
    }
    if (index >= size / 4)
        return -ENOENT;
    *value = load_be32(data + 4 * index);
    return 0;
}

/* String `index` of a list of strings; NULL past the end or where the list does not end in NUL. */
static const char *string_of_list(const char *list, uint32_t size, unsigned index)
{
    if (size == 0 || list[size - 1] != '\0')
        return NULL;
    for (const char *end = list + size; list < end; list += strlen(list) + 1) {
        if (index-- == 0)
            return list;
    }
    return NULL;
}

const char *fw_property_string_at(const struct fw_node *node, const char *name, unsigned index)
{
    uint32_t size;
    const char *list = fw_property(node, name, &size);

    if (list == NULL)
        return NULL;
    if (size == 0 || list[size - 1] != '\0') {
        complain(node, name, "text without an end");
        return NULL;
    }
    return string_of_list(list, size, index);
}

const char *fw_property_string(const struct fw_node *node, const char *name)
{
    return fw_property_string_at(node, name, 0);
}

const char *fw_compatible(const struct fw_node *node, unsigned index)
{
    if (node->compatible == 0)
        return NULL;
    return string_of_list((const char *)fw_tree.blob + node->compatible, node->compatible_size,
                          index);
}

bool fw_is_compatible(const struct fw_node *node, const char *compatible)
{
    const char *text = (const char *)fw_tree.blob + node->compatible;
    const char *end = text + node->compatible_size;

    if (node->compatible == 0 || node->compatible_size == 0 || end[-1] != '\0')
        return false;
    for (; text < end; text += strlen(text) + 1) {
        if (text[0] == compatible[0] && strcmp(text, compatible) == 0)
            return true;
    }
    return false;
}

/* --- searches --- */

/* Of duplicates the first counts. Tables of interrupts ask for the same one again and again. */
struct fw_node *fw_find_phandle(uint32_t phandle)
{
    struct fw_node *node = READ_ONCE(fw_tree.by_phandle);

    if (node != NULL && node->phandle == phandle)
        return node;
    if (phandle == 0 || phandle == UINT32_MAX) /* no phandles (section 2.3.3) */
        return NULL;
    fw_for_each (node) {
        if (node->phandle == phandle) {
            WRITE_ONCE(fw_tree.by_phandle, node);
            return node;
        }
    }
    return NULL;
}

/* A name in full wins over one that leaves out its unit address. */
static struct fw_node *find_child(const struct fw_node *parent, const char *name, size_t length)
{
    struct fw_node *node, *in_short = NULL;

    fw_for_each_child (node, parent) {
        const char *full = fw_name(node);

        if (full[0] != name[0] || strncmp(full, name, length) != 0)
            continue;
        if (full[length] == '\0')
            return node;
        if (full[length] == '@' && in_short == NULL)
            in_short = node;
    }
    return in_short;
}

struct fw_node *fw_find_child(const struct fw_node *parent, const char *name)
{
    return find_child(parent, name, strlen(name));
}

/* Up to a slash, ':' or NUL. */
static size_t component_length(const char *path)
{
    size_t length = 0;

    while (path[length] != '/' && path[length] != ':' && path[length] != '\0')
        length++;
    return length;
}

/* Walks `path` (components between slashes) down from `node`, up to NUL or ':'. */
static struct fw_node *walk(struct fw_node *node, const char *path)
{
    while (node != NULL) {
        size_t length;

        while (*path == '/')
            path++;
        length = component_length(path);
        if (length == 0)
            break;
        node = find_child(node, path, length);
        path += length;
    }
    return node;
}

struct fw_node *fw_find_path(const char *path)
{
    struct fw_node *root = fw_root(), *aliases;
    const char *target;
    char alias[32];
    size_t length;

    if (root == NULL || *path == '/')
        return walk(root, path);
    length = component_length(path);
    aliases = fw_find_child(root, "aliases");
    if (aliases == NULL || length == 0 || length >= sizeof(alias))
        return NULL;
    memcpy(alias, path, length);
    alias[length] = '\0';
    target = fw_property_string(aliases, alias);
    if (target == NULL || *target != '/')
        return NULL;
    return walk(walk(root, target), path + length);
}

const char *fw_boot_arguments(void)
{
    const struct fw_node *chosen = fw_find_path("/chosen");
    const char *text = chosen != NULL ? fw_property_string(chosen, "bootargs") : NULL;

    return text != NULL ? text : "";
}

struct fw_node *fw_find_compatible(const struct fw_node *from, const char *compatible)
{
    struct fw_node *node =
        from == NULL ? fw_nodes.first : fw_nodes.first + (from - fw_nodes.first) + 1;

    for (; node < fw_nodes.end; node++) {
        if (node->compatible != 0 && fw_is_enabled(node) && fw_is_compatible(node, compatible))
            return node;
    }
    return NULL;
}

/* --- addresses --- */

/* A number of `cells` cells; -ERANGE if it has more than 64 significant bits. */
static int read_cells(const uint8_t *data, unsigned cells, uint64_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < cells; i++) {
        if (*value >> 32 != 0)
            return -ERANGE;
        *value = *value << 32 | load_be32(data + 4 * i);
    }
    return 0;
}

/* One step up: from `bus`'s address space to that of its parent by `ranges`. */
static int translate_up(const struct fw_node *bus, uint64_t *address, uint64_t size)
{
    const struct fw_node *parent = fw_parent(bus);
    unsigned child_cells = bus->address_cells, size_cells = bus->size_cells;
    unsigned parent_cells = parent->address_cells, entry;
    uint32_t length;
    const uint8_t *data = fw_property(bus, "ranges", &length);

    if (data == NULL)
        return -ENXIO;
    if (length == 0)
        return 0;
    entry = 4 * (child_cells + size_cells + parent_cells);
    if (child_cells > 4 || size_cells > 4 || parent_cells > 4 || entry == 0 ||
        length % entry != 0) {
        complain(bus, "ranges", "%u bytes, expected a multiple of %u", length, entry);
        return -EINVAL;
    }
    for (; length > 0; length -= entry, data += entry) {
        uint64_t from, to, span;

        if (read_cells(data, child_cells, &from) != 0 ||
            read_cells(data + 4 * child_cells, parent_cells, &to) != 0 ||
            read_cells(data + 4 * (child_cells + parent_cells), size_cells, &span) != 0)
            continue; /* a PCI window: not for this kind of address */
        if (*address >= from && *address - from < span && size <= span - (*address - from)) {
            *address = to + (*address - from);
            return *address < to ? -ERANGE : 0;
        }
    }
    return -ENXIO;
}

/* Entry `index` of `reg`, untranslated. */
static int read_reg(const struct fw_node *node, unsigned index, uint64_t *base, uint64_t *size)
{
    const struct fw_node *parent = fw_parent(node);
    uint32_t length;
    const uint8_t *data = fw_property(node, "reg", &length);
    unsigned entry;

    if (data == NULL || parent == NULL)
        return -ENOENT;
    entry = 4 * (parent->address_cells + parent->size_cells);
    if (entry - 1 >= 4 * 8) { /* a count beyond 4 is kept as 255 (dt.c) */
        complain(node, "reg", "its parent's #address-cells and #size-cells must be 0 to 4");
        return -EINVAL;
    }
    if (length == 0 || length % entry != 0) {
        complain(node, "reg",
                 "%u bytes, expected a multiple of %u (#address-cells %u, "
                 "#size-cells %u)",
                 length, entry, parent->address_cells, parent->size_cells);
        return -EINVAL;
    }
    if (index >= length / entry)
        return -ENOENT;
    data += index * entry;
    if (read_cells(data, parent->address_cells, base) != 0 ||
        read_cells(data + 4 * parent->address_cells, parent->size_cells, size) != 0) {
        complain(node, "reg", "entry %u has more than 64 bits", index);
        return -ERANGE;
    }
    return 0;
}

int fw_reg_raw(const struct fw_node *node, unsigned index, uint64_t *address)
{
    uint64_t size;

    return read_reg(node, index, address, &size);
}

int fw_reg(const struct fw_node *node, unsigned index, paddr_t *base, uint64_t *size)
{
    int error = read_reg(node, index, base, size);

    if (error != 0)
        return error;
    for (node = fw_parent(node); node->parent != FW_NODE_NONE; node = fw_parent(node)) {
        error = translate_up(node, base, *size);
        if (error != 0)
            return error;
    }
    if (*base + *size < *base) {
        complain(node, "reg", "entry %u wraps around", index);
        return -ERANGE;
    }
    return 0;
}

/* --- interrupts --- */

/* The #interrupt-cells of a controller, or 0. */
static unsigned interrupt_cells(const struct fw_node *controller)
{
    uint32_t cells;

    if (fw_property_u32(controller, "#interrupt-cells", &cells) != 0)
        return 0;
    if (cells == 0 || cells > FW_INTERRUPT_CELLS_MAX) {
        complain(controller, "#interrupt-cells", "%u, expected 1 to %u", cells,
                 FW_INTERRUPT_CELLS_MAX);
        return 0;
    }
    return cells;
}

/*
 * Who takes a node's interrupts: the node that interrupt-parent names here or further up, else the
 * nearest ancestor with #interrupt-cells (section 2.4). Bounded by the depth of the tree.
 */
static struct fw_node *interrupt_parent(const struct fw_node *node)
{
    struct fw_node *parent;
    uint32_t phandle;

    for (; node != NULL; node = parent) {
        parent = fw_parent(node);
        if (fw_property_u32(node, "interrupt-parent", &phandle) == 0) {
            parent = fw_find_phandle(phandle);
            if (parent == NULL)
                complain(node, "interrupt-parent", "no node has phandle 0x%x", phandle);
            return parent;
        }
        if (parent != NULL && fw_has_property(parent, "#interrupt-cells"))
            return parent;
    }
    return NULL;
}

static void copy_cells(struct fw_interrupt *interrupt, const uint8_t *data, unsigned count)
{
    interrupt->cell_count = count;
    for (unsigned i = 0; i < count; i++)
        interrupt->cell[i] = load_be32(data + 4 * i);
}

/* interrupts-extended: controllers and cells in turn. */
static int extended_interrupt(const struct fw_node *node, unsigned index, const uint8_t *data,
                              uint32_t size, struct fw_interrupt *interrupt)
{
    while (size >= 4) {
        uint32_t phandle = load_be32(data), cells;

        interrupt->controller = fw_find_phandle(phandle);
        cells = interrupt->controller != NULL ? interrupt_cells(interrupt->controller) : 0;
        if (cells == 0 || cells > (size - 4) / 4) {
            complain(node, "interrupts-extended",
                     cells == 0 ? "phandle 0x%x is no interrupt controller"
                                : "entry of phandle 0x%x is cut off",
                     phandle);
            return -EINVAL;
        }
        if (index-- == 0) {
            copy_cells(interrupt, data + 4, cells);
            return 0;
        }
        data += 4 + 4 * cells;
        size -= 4 + 4 * cells;
    }
    return -ENOENT;
}

int fw_interrupt(const struct fw_node *node, unsigned index, struct fw_interrupt *interrupt)
{
    uint32_t size;
    unsigned cells;
    const uint8_t *data = fw_property(node, "interrupts-extended", &size);

    if (data != NULL)
        return extended_interrupt(node, index, data, size, interrupt);
    data = fw_property(node, "interrupts", &size);
    if (data == NULL)
        return -ENOENT;
    interrupt->controller = interrupt_parent(node);
    if (interrupt->controller == NULL)
        return -ENODEV;
    cells = interrupt_cells(interrupt->controller);
    if (cells == 0)
        return -ENODEV;
    if (size % (4 * cells) != 0) {
        complain(node, "interrupts", "%u bytes, expected a multiple of %u (#interrupt-cells %u)",
                 size, 4 * cells, cells);
        return -EINVAL;
    }
    if (index >= size / (4 * cells))
        return -ENOENT;
    copy_cells(interrupt, data + 4 * cells * index, cells);
    return 0;
}

/* Whether an entry's unit (address and pin) is the one looked for, in the bits of the mask. */
static bool unit_matches(const uint8_t *entry, const uint8_t *mask, const uint32_t *unit,
                         unsigned cells)
{
    for (unsigned i = 0; i < cells; i++) {
        uint32_t bits = mask != NULL ? load_be32(mask + 4 * i) : ~0U;

        if ((load_be32(entry + 4 * i) & bits) != (unit[i] & bits))
            return false;
    }
    return true;
}

int fw_interrupt_map(const struct fw_node *node, const uint32_t *unit, unsigned unit_cells,
                     struct fw_interrupt *interrupt)
{
    uint32_t size, mask_size;
    const uint8_t *data = fw_property(node, "interrupt-map", &size);
    const uint8_t *mask = fw_property(node, "interrupt-map-mask", &mask_size);

    if (data == NULL)
        return -ENOENT;
    if (mask != NULL && mask_size != 4 * unit_cells) {
        complain(node, "interrupt-map-mask", "%u bytes, expected %u", mask_size, 4 * unit_cells);
        return -EINVAL;
    }
    while (size >= 4 * (unit_cells + 1)) {
        struct fw_node *controller = fw_find_phandle(load_be32(data + 4 * unit_cells));
        uint32_t cells = controller != NULL ? interrupt_cells(controller) : 0;
        uint32_t address_cells = 0, entry;

        if (cells != 0)
            fw_property_u32(controller, "#address-cells", &address_cells);
        entry = address_cells <= 4 ? 4 * (unit_cells + 1 + address_cells + cells) : UINT32_MAX;
        if (cells == 0 || entry > size) {
            complain(node, "interrupt-map", "an entry's controller is not one, or it is cut off");
            return -EINVAL;
        }
        if (unit_matches(data, mask, unit, unit_cells)) {
            interrupt->controller = controller;
            copy_cells(interrupt, data + entry - 4 * cells, cells);
            return 0;
        }
        data += entry;
        size -= entry;
    }
    return -ENOENT;
}

int fw_interrupt_index(const struct fw_node *node, const char *name)
{
    const char *text;

    for (int i = 0; (text = fw_property_string_at(node, "interrupt-names", (unsigned)i)) != NULL;
         i++) {
        if (strcmp(text, name) == 0)
            return i;
    }
    return -ENOENT;
}
