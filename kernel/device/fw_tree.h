/* SPDX-License-Identifier: MIT */
/* The firmware tree as dt.c builds it and firmware.c reads it. */
#ifndef DEVICE_FW_TREE_H
#define DEVICE_FW_TREE_H

#include <device/firmware.h>
#include <lib/endian.h>

#define DT_BEGIN_NODE 1U
#define DT_END_NODE   2U
#define DT_PROPERTY   3U
#define DT_NOP        4U
#define DT_END        9U

/* The pass over the tree has checked that tokens, names and property sizes lie inside. */
struct fw_tree {
    const uint8_t *blob;
    uint32_t size;
    uint32_t structure_end;
    uint32_t strings, strings_size;
    unsigned needed;            /* more than there are nodes: some were left out */
    struct fw_node *by_phandle; /* the last that was looked for */
};

extern struct fw_tree fw_tree;

/* A property as it lies in the structure block. */
struct dt_property {
    be32_t token, size, name;
    uint8_t value[];
};

#endif
