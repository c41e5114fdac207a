/* SPDX-License-Identifier: MIT */
/*
 * A red-black tree, optionally augmented. The caller walks down to find the place of a new node and
 * hands in the parent and the link to fill:
 *
 *     struct rb_node **link = &root->node, *parent = NULL;
 *     while (*link != NULL) {
 *         parent = *link;
 *         link = key < entry(parent)->key ? &parent->left : &parent->right;
 *     }
 *     rb_insert(root, &new->node, parent, link);
 *
 * An augmented tree keeps in each node a summary of its subtree. `update` computes a node's summary
 * from the node and its two children; the tree calls it bottom-up wherever something changed.
 * Callers lock. rb_next and rb_prev take O(log n), O(1) on average over a whole walk.
 */
#ifndef LIB_RBTREE_H
#define LIB_RBTREE_H

#include <lib/compiler.h>

struct rb_node {
    vaddr_t parent_colour; /* bit 0: black */
    struct rb_node *left;
    struct rb_node *right;
};

struct rb_root {
    struct rb_node *node;
    void (*update)(struct rb_node *node); /* NULL: not augmented */
};

#define RB_ROOT                   ((struct rb_root){NULL, NULL})
#define RB_ROOT_AUGMENTED(update) ((struct rb_root){NULL, (update)})

#define rb_entry(node, type, member) container_of(node, type, member)

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
    return (struct rb_node *)(node->parent_colour & ~(vaddr_t)1);
}

static inline bool rb_empty(const struct rb_root *root)
{
    return root->node == NULL;
}

/* Marks a node as in no tree; rb_erase leaves its node in this state. */
static inline void rb_node_clear(struct rb_node *node)
{
    node->parent_colour = (vaddr_t)node;
}

static inline bool rb_node_in_tree(const struct rb_node *node)
{
    return node->parent_colour != (vaddr_t)node;
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
               struct rb_node **link);
void rb_erase(struct rb_root *root, struct rb_node *node);

/* After what `update` reads of `node` has changed: brings it and its ancestors up to date. */
void rb_update_path(struct rb_root *root, struct rb_node *node);

struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

#define rb_entry_or_null(rb_node_, type, member)                                \
    ({                                                                          \
        struct rb_node *rb_entry_node_ = (rb_node_);                            \
        rb_entry_node_ != NULL ? rb_entry(rb_entry_node_, type, member) : NULL; \
    })

/* In order. The body must not change the tree. */
#define rb_for_each_entry(entry, root, member)                                     \
    for ((entry) = rb_entry_or_null(rb_first(root), __typeof__(*(entry)), member); \
         (entry) != NULL;                                                          \
         (entry) = rb_entry_or_null(rb_next(&(entry)->member), __typeof__(*(entry)), member))

#endif
