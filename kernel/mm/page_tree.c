/* SPDX-License-Identifier: MIT */
/* The radix tree of an object's pages. Its root grows upwards with the largest index; empty nodes
 * are freed. */
#include "page_tree.h"

#include <lib/compiler.h>
#include <lib/errno.h>
#include <mm/slab.h>

#define NODE_BITS  6U
#define NODE_SLOTS (1U << NODE_BITS)
#define DEPTH_MAX  11U /* 64-bit indices */

struct tree_node {
    uint8_t shift; /* of an index, for this node's slot; 0: slots are pages */
    uint8_t used;  /* slots that are not NULL */
    void *slot[NODE_SLOTS];
};

SLAB_CACHE(node_cache, struct tree_node);

static inline unsigned slot_of(const struct tree_node *node, uint64_t index)
{
    return (index >> node->shift) & (NODE_SLOTS - 1);
}

/* Can the tree below `node` hold the index? */
static inline bool covers(const struct tree_node *node, uint64_t index)
{
    unsigned top = node->shift + NODE_BITS;

    return top >= 64 || index >> top == 0;
}

struct page *page_tree_find(const struct vm_object *object, uint64_t index)
{
    const struct tree_node *node = object->tree;

    if (node == NULL || !covers(node, index))
        return NULL;
    while (node->shift > 0) {
        node = node->slot[slot_of(node, index)];
        if (node == NULL)
            return NULL;
    }
    return node->slot[slot_of(node, index)];
}

static struct tree_node *node_make(unsigned shift)
{
    struct tree_node *node = slab_zalloc(&node_cache);

    if (node != NULL)
        node->shift = (uint8_t)shift;
    return node;
}

/* Adds levels on top until the index fits. */
static int grow(struct vm_object *object, uint64_t index)
{
    struct tree_node *root = object->tree;

    if (root == NULL) {
        root = node_make(0);
        if (root == NULL)
            return -ENOMEM;
        object->tree = root;
    }
    while (!covers(root, index)) {
        struct tree_node *top = node_make(root->shift + NODE_BITS);

        if (top == NULL)
            return -ENOMEM;
        top->slot[0] = root;
        top->used = 1;
        object->tree = root = top;
    }
    return 0;
}

int page_tree_insert(struct vm_object *object, uint64_t index, struct page *page)
{
    struct tree_node *node;
    int error = grow(object, index);

    if (error != 0)
        return error;
    node = object->tree;
    while (node->shift > 0) {
        void **slot = &node->slot[slot_of(node, index)];

        if (*slot == NULL) {
            *slot = node_make(node->shift - NODE_BITS);
            if (*slot == NULL)
                return -ENOMEM; /* empty nodes on the way are found again or freed with the object
                                 */
            node->used++;
        }
        node = *slot;
    }
    if (node->slot[slot_of(node, index)] != NULL)
        return -EEXIST;
    node->slot[slot_of(node, index)] = page;
    node->used++;
    return 0;
}

struct page *page_tree_remove(struct vm_object *object, uint64_t index)
{
    struct tree_node *path[DEPTH_MAX], *node = object->tree;
    unsigned depth = 0;
    struct page *page;

    if (node == NULL || !covers(node, index))
        return NULL;
    for (;;) {
        path[depth++] = node;
        if (node->shift == 0)
            break;
        node = node->slot[slot_of(node, index)];
        if (node == NULL)
            return NULL;
    }
    page = node->slot[slot_of(node, index)];
    if (page == NULL)
        return NULL;
    while (depth-- > 0) {
        node = path[depth];
        node->slot[slot_of(node, index)] = NULL;
        if (--node->used > 0)
            break;
        slab_free(&node_cache, node);
        if (depth == 0)
            object->tree = NULL;
    }
    return page;
}

/* Looks below `node` from *index on; past its end *index is the first place after it. */
static struct page *next_below(const struct tree_node *node, uint64_t *index, uint64_t end)
{
    uint64_t step = (uint64_t)1 << node->shift;

    for (unsigned slot = slot_of(node, *index); slot < NODE_SLOTS && *index < end; slot++) {
        void *entry = node->slot[slot];

        if (entry != NULL) {
            struct page *page = node->shift == 0 ? entry : next_below(entry, index, end);

            if (page != NULL || *index >= end)
                return page;
            if (node->shift > 0)
                continue; /* *index is already at the next slot's start */
        }
        *index = (*index & ~(step - 1)) + step;
        if (*index == 0) {
            *index = end;
            return NULL;
        }
    }
    return NULL;
}

struct page *page_tree_next(const struct vm_object *object, uint64_t *index, uint64_t end)
{
    const struct tree_node *root = object->tree;

    if (root == NULL || !covers(root, *index) || *index >= end)
        return NULL;
    return next_below(root, index, end);
}
