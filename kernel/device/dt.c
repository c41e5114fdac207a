/* SPDX-License-Identifier: MIT */
/*
 * One pass over a flattened device tree (Devicetree Specification 0.4, chapter 5): checks that
 * every token, name and value lies inside the tree, and lists the nodes. Values are looked at
 * later, where they are needed (firmware.c). The pass reads each word once and never moves
 * backwards, so it ends whatever the tree holds.
 */
#include "fw_tree.h"

#include <device/dt.h>
#include <lib/align.h>
#include <lib/errno.h>
#include <lib/string.h>

#define DT_MAGIC       0xd00dfeedU
#define DT_VERSION     17U
#define DT_VERSION_MIN 16U

struct dt_header {
    be32_t magic, total_size, structure, strings, reservations, version, last_compatible, boot_cpu;
    be32_t strings_size, structure_size;
};

struct fw_tree fw_tree;
struct fw_nodes fw_nodes;

static const char *error_text = "no tree was read";
static uint32_t error_offset;

/* Properties that the pass itself notes, in the order of known_names. */
enum known_name {
    NAME_NOT_SEEN, /* in the cache only */
    NAME_OTHER,
    NAME_FIRST,
    NAME_PHANDLE = NAME_FIRST,
    NAME_LINUX_PHANDLE,
    NAME_COMPATIBLE,
    NAME_ADDRESS_CELLS,
    NAME_SIZE_CELLS,
    NAME_STATUS,
    NAME_DEVICE_TYPE,
    NAME_INTERRUPT_CONTROLLER,
};

static const char known_names[][24] = {
    "phandle",     "linux,phandle", "compatible",  "#address-cells",
    "#size-cells", "status",        "device_type", "interrupt-controller",
};

#define NAME_CACHE 1024 /* bytes of the strings block; beyond it names are compared each time */

struct scan {
    const uint8_t *blob;
    uint32_t at, end; /* in the structure block, from the start of the tree */
    uint32_t strings, strings_size;
    struct fw_node *node;
    unsigned capacity, count, needed;
    bool partial; /* keep only what is needed before drivers */
    unsigned depth;
    unsigned skip_depth;   /* 0, or the depth of a node that is left out with all below */
    uint32_t names;        /* strings_size, or 0 where no property may be: outside of the root,
                              after a child */
    struct fw_node *noted; /* the open node, or `left_out` for one that is */
    struct fw_node left_out;
    uint16_t root;
    uint16_t open[DT_DEPTH_MAX + 1];  /* the parent of nodes at each depth */
    uint16_t *link[DT_DEPTH_MAX + 1]; /* where the next node of each depth is noted */
    uint8_t cache[NAME_CACHE];        /* names repeat: enum known_name by their offset */
};

static int bad(uint32_t offset, const char *text)
{
    error_text = text;
    error_offset = offset;
    return -EINVAL;
}

const char *dt_error(uint32_t *offset)
{
    *offset = error_offset;
    return error_text;
}

static inline uint32_t word_at(const struct scan *s, uint32_t offset)
{
    return be32_to_cpu(*(const be32_t *)(s->blob + offset));
}

/* Once for each name in the tree; the first letter rules most of them out. */
static enum known_name compare_name(const char *text)
{
    for (unsigned i = 0; i < ARRAY_SIZE(known_names); i++) {
        if (text[0] == known_names[i][0] && strcmp(text, known_names[i]) == 0)
            return (enum known_name)(NAME_FIRST + i);
    }
    return NAME_OTHER;
}

static __noinline enum known_name first_look(struct scan *s, uint32_t offset)
{
    enum known_name known = compare_name((const char *)s->blob + s->strings + offset);

    if (offset < NAME_CACHE)
        s->cache[offset] = (uint8_t)known;
    return known;
}

static inline enum known_name look_up_name(struct scan *s, uint32_t offset)
{
    if (offset >= NAME_CACHE || s->cache[offset] == NAME_NOT_SEEN)
        return first_look(s, offset);
    return (enum known_name)s->cache[offset];
}

static __always_inline bool value_is(const uint8_t *value, uint32_t size, const char *text)
{
    return size == strlen(text) + 1 && memcmp(value, text, size) == 0;
}

/* A number of cells; more than 4 is kept as 0xff, which every user refuses with the node's path. */
static uint8_t cell_count(const uint8_t *value, uint32_t size)
{
    uint32_t count = size == 4 ? load_be32(value) : 0xff;

    return count <= 4 ? (uint8_t)count : 0xff;
}

static void note_property(struct fw_node *node, enum known_name name, const uint8_t *value,
                          uint32_t offset, uint32_t size)
{
    switch (name) {
    case NAME_PHANDLE:
        if (size == 4 && !(node->flags & FW_PHANDLE)) {
            node->phandle = load_be32(value);
            node->flags |= FW_PHANDLE;
        }
        break;
    case NAME_LINUX_PHANDLE:
        if (size == 4 && node->phandle == 0)
            node->phandle = load_be32(value);
        break;
    case NAME_COMPATIBLE:
        if (node->compatible == 0) { /* of a name that comes twice the first counts, everywhere */
            node->compatible = offset;
            node->compatible_size = size;
        }
        break;
    case NAME_ADDRESS_CELLS:
    case NAME_SIZE_CELLS:
        *(name == NAME_ADDRESS_CELLS ? &node->address_cells : &node->size_cells) =
            cell_count(value, size);
        break;
    case NAME_STATUS:
        if (!value_is(value, size, "okay") && !value_is(value, size, "ok"))
            node->flags |= FW_DISABLED;
        break;
    case NAME_DEVICE_TYPE:
        if (value_is(value, size, "memory"))
            node->flags |= FW_MEMORY;
        else if (value_is(value, size, "cpu"))
            node->flags |= FW_CPU;
        break;
    case NAME_INTERRUPT_CONTROLLER:
        node->flags |= FW_INTERRUPTS;
        break;
    case NAME_NOT_SEEN:
    case NAME_OTHER:
        break;
    }
}

/* Says what is wrong with the property at `at`, which the loop in scan_tokens() has refused. */
static __noinline int bad_property(const struct scan *s, uint32_t at)
{
    if (s->depth == 0)
        return bad(at, "property outside of a node");
    if (s->end - at < sizeof(struct dt_property))
        return bad(at, "property is cut off");
    if (word_at(s, at + 8) >= s->strings_size)
        return bad(at, "name of a property is outside of the strings");
    if (s->names == 0)
        return bad(at, "property after a child node");
    return bad(at, "value of a property is longer than the tree");
}

/* The offset behind the NUL of the name at `at`, padded; 0 if it does not end. Two words at a time.
 */
static uint32_t name_end(const struct scan *s, uint32_t at)
{
    uint32_t end = s->end;
    uint64_t words;

    for (; end - at >= 8; at += 8) {
        memcpy(&words, s->blob + at, sizeof(words));
        words = (words - 0x0101010101010101U) & ~words & 0x8080808080808080U;
        if (words != 0)
            return at + ((uint32_t)words != 0 ? 4 : 8);
    }
    return end - at >= 4 && memchr(s->blob + at, '\0', 4) != NULL ? at + 4 : 0;
}

static __always_inline bool name_starts(const char *name, const char *prefix)
{
    return strncmp(name, prefix, strlen(prefix)) == 0;
}

/*
 * The topology of CPUs is never used and can be most of the tree. In a partial list only the top
 * level stays, the lists of CPUs and reservations, and what may be the console.
 */
static bool is_wanted(const struct scan *s, const char *name)
{
    const char *parent;

    if (s->depth == 0)
        return true;
    if (s->depth == 2 && name_starts(name, "cpu-map"))
        return false;
    if (!s->partial || s->depth == 1)
        return true;
    parent = (const char *)s->blob + s->node[s->open[s->depth]].name;
    return strcmp(parent, "cpus") == 0 || strcmp(parent, "reserved-memory") == 0 ||
           name_starts(name, "serial") || name_starts(name, "uart") || name_starts(name, "pl011");
}

/* Appends a node under the open one. */
static void add_node(struct scan *s, uint32_t name, uint32_t properties)
{
    struct fw_node *node = &s->node[s->count];
    uint16_t index = (uint16_t)s->count++;

    /* Every field, one by one: the compiler would clear all by a call first. */
    node->name = name;
    node->properties = properties;
    node->phandle = node->compatible = node->compatible_size = 0;
    node->address_cells = 2;
    node->size_cells = 1;
    node->flags = 0;
    node->child = node->next = FW_NODE_NONE;
    node->match = node->next_in_stage = FW_NODE_NONE;
    node->device = NULL;
    node->irqchip = NULL;
    node->parent = s->open[s->depth];
    *s->link[s->depth] = index;
    s->link[s->depth] = &node->next;
    s->open[s->depth + 1] = index;
    s->link[s->depth + 1] = &node->child;
    s->noted = node;
}

static int scan_begin_node(struct scan *s)
{
    uint32_t name = s->at + 4, end = name_end(s, name);
    bool is_kept;

    if (end == 0)
        return bad(s->at, "name of a node does not end");
    if (s->depth == 0 && s->count > 0)
        return bad(s->at, "second root node");
    if (s->depth == DT_DEPTH_MAX)
        return bad(s->at, "nodes are nested too deeply");
    is_kept = s->skip_depth == 0 && is_wanted(s, (const char *)s->blob + name);
    s->needed += is_kept | s->partial; /* a partial list says the room for a whole one */
    if (is_kept && s->count < s->capacity) {
        add_node(s, name, end);
    } else {
        s->noted = &s->left_out;
        if (s->skip_depth == 0)
            s->skip_depth = s->depth + 1;
    }
    s->depth++;
    s->names = s->strings_size;
    s->at = end;
    return 0;
}

static int scan_end_node(struct scan *s)
{
    if (s->depth == 0)
        return bad(s->at, "end of a node that did not begin");
    if (s->skip_depth == s->depth)
        s->skip_depth = 0;
    s->depth--;
    s->names = 0;
    s->at += 4;
    return 0;
}

/*
 * Properties are most of a tree, and most of them are of no interest yet: this loop steps over
 * those with a few instructions. Returns at the first token that is no property; -EINVAL if one is
 * bad.
 */
static inline int scan_properties(struct scan *s)
{
    const uint8_t *blob = s->blob;
    uint32_t at = s->at, end = s->end;
    while (end - at >= sizeof(struct dt_property)) {
        const struct dt_property *property = (const void *)(blob + at);
        uint32_t size, name, value = at + (uint32_t)sizeof(*property);

        if (property->token != cpu_to_be32(DT_PROPERTY))
            break;
        size = be32_to_cpu(property->size);
        name = be32_to_cpu(property->name);
        /* The rest of the block is whole words (read_header): what fits does so padded, too. */
        if (name >= s->names || size > end - value)
            return bad_property(s, at);
        note_property(s->noted, look_up_name(s, name), property->value, value, size);
        at = value + align_up(size, 4U);
    }
    s->at = at;
    return 0;
}

/* One pass. The end token must be there: a tree cut off at a node's end is not taken for whole. */
static int scan_tokens(struct scan *s)
{
    while (s->end - s->at >= 4) {
        uint32_t token = word_at(s, s->at);
        int error = 0;

        if (token == DT_BEGIN_NODE || token == DT_NOP) {
            if (token == DT_NOP)
                s->at += 4;
            else
                error = scan_begin_node(s);
            if (error == 0)
                error = scan_properties(s);
        } else if (token == DT_END_NODE) {
            error = scan_end_node(s);
        } else if (token == DT_END) {
            if (s->depth != 0 || s->count == 0)
                return bad(s->at, "tree ends inside of a node");
            return 0;
        } else if (token == DT_PROPERTY) {
            return bad_property(s, s->at);
        } else {
            return bad(s->at, "unknown token");
        }
        if (error != 0)
            return error;
    }
    return bad(s->at, "tree has no end token");
}

uint32_t dt_total_size(const void *blob)
{
    const struct dt_header *header = blob;
    uint32_t size;

    if (blob == NULL || !is_aligned((vaddr_t)blob, 8) || be32_to_cpu(header->magic) != DT_MAGIC)
        return 0;
    size = be32_to_cpu(header->total_size);
    return size >= DT_HEADER_SIZE ? size : 0;
}

/* Is [offset, offset + size) inside of the tree, and aligned? */
static bool block_fits(uint32_t total, uint32_t offset, uint32_t size, uint32_t align)
{
    /* One comparison: where `offset` lies beyond the end the difference means nothing. */
    return is_aligned(offset, align) & (offset >= DT_HEADER_SIZE) & (offset <= total) &
           (size <= total - offset);
}

/* Checks the header and sets up the scan's blocks. */
static int read_header(struct scan *s, const void *blob, size_t mapped, uint32_t *total_size)
{
    const struct dt_header *header = blob;
    uint32_t total = mapped >= DT_HEADER_SIZE ? dt_total_size(blob) : 0;
    uint32_t structure, structure_size, version;

    if (total == 0)
        return bad(0, "no device tree: wrong magic, alignment or size");
    if (total > mapped)
        return bad(4, "tree is larger than the memory it was given in");
    version = be32_to_cpu(header->version);
    if (version < DT_VERSION_MIN || be32_to_cpu(header->last_compatible) > DT_VERSION)
        return bad(20, "unknown version");
    structure = be32_to_cpu(header->structure);
    structure_size = be32_to_cpu(header->structure_size);
    if (version < 17 && structure <= total)
        structure_size = align_down(total - structure, 4U);
    if (!block_fits(total, structure, structure_size, 4) || !is_aligned(structure_size, 4U))
        return bad(8, "structure block is outside of the tree");
    s->strings = be32_to_cpu(header->strings);
    s->strings_size = be32_to_cpu(header->strings_size);
    if (!block_fits(total, s->strings, s->strings_size, 1))
        return bad(12, "strings block is outside of the tree");
    if (!block_fits(total, be32_to_cpu(header->reservations), 16, 8))
        return bad(16, "memory reservations are outside of the tree");
    s->open[0] = FW_NODE_NONE;
    s->link[0] = &s->root;
    s->blob = blob;
    s->at = structure;
    s->end = structure + structure_size;
    /* Every name ends if the last byte is NUL: leave out what comes after the last one. */
    while (s->strings_size > 0 && s->blob[s->strings + s->strings_size - 1] != '\0')
        s->strings_size--;
    *total_size = total;
    return 0;
}

static int scan_tree(struct scan *s, const void *blob, size_t size, uint32_t *total)
{
    int error = read_header(s, blob, size, total);

    return error != 0 ? error : scan_tokens(s);
}

int dt_read(const void *blob, size_t size, struct fw_node *nodes, unsigned capacity)
{
    struct scan s = {.node = nodes, .capacity = capacity};
    unsigned needed;
    uint32_t total;
    int error;

    if (s.capacity >= FW_NODE_NONE)
        s.capacity = FW_NODE_NONE - 1;
    memset(&fw_tree, 0, sizeof(fw_tree));
    fw_nodes = (struct fw_nodes){0};
    if (capacity == 0)
        return bad(0, "no room for nodes");
    error = scan_tree(&s, blob, size, &total);
    needed = s.needed;
    if (error == 0 && needed > s.count) {
        s = (struct scan){.node = nodes, .capacity = s.capacity, .partial = true};
        error = scan_tree(&s, blob, size, &total);
        needed = s.needed;
    }
    if (error != 0)
        return error;
    fw_tree.blob = blob;
    fw_tree.size = total;
    fw_tree.structure_end = s.end;
    fw_tree.strings = s.strings;
    fw_tree.strings_size = s.strings_size;
    fw_nodes = (struct fw_nodes){nodes, nodes + s.count};
    fw_tree.needed = needed;
    return needed > s.count ? -ENOSPC : 0;
}

unsigned dt_node_count_needed(void)
{
    return fw_tree.needed;
}

void dt_rebase(const void *blob)
{
    fw_tree.blob = blob;
}
