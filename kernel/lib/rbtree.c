/* SPDX-License-Identifier: MIT */
/*
 * Red-black trees after Cormen, Leiserson, Rivest and Stein, 'Introduction to Algorithms', chapter
 * 13, with NULL for the leaves. The colour of a node is bit 0 of its parent pointer.
 */
#include <lib/rbtree.h>

enum colour { RED = 0, BLACK = 1 };

static enum colour colour_of(const struct rb_node *node)
{
    return node == NULL ? BLACK : (enum colour)(node->parent_colour & 1);
}

static void set_colour(struct rb_node *node, enum colour colour)
{
    node->parent_colour = (node->parent_colour & ~(vaddr_t)1) | colour;
}

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
    node->parent_colour = (vaddr_t)parent | (node->parent_colour & 1);
}

/* What pointed at `old` from above points at `new` afterwards. */
static void relink(struct rb_root *root, struct rb_node *parent, struct rb_node *old,
                   struct rb_node *new)
{
    if (parent == NULL)
        root->node = new;
    else if (parent->left == old)
        parent->left = new;
    else
        parent->right = new;
}

static void update(struct rb_root *root, struct rb_node *node)
{
    if (root->update != NULL)
        root->update(node);
}

void rb_update_path(struct rb_root *root, struct rb_node *node)
{
    if (root->update == NULL)
        return;
    for (; node != NULL; node = rb_parent(node))
        root->update(node);
}

/* The summary of the whole rotated subtree is unchanged, so only the two nodes are computed. */
static void rotate_left(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *up = node->right, *parent = rb_parent(node);

    node->right = up->left;
    if (up->left != NULL)
        set_parent(up->left, node);
    up->left = node;
    set_parent(up, parent);
    relink(root, parent, node, up);
    set_parent(node, up);
    update(root, node);
    update(root, up);
}

static void rotate_right(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *up = node->left, *parent = rb_parent(node);

    node->left = up->right;
    if (up->right != NULL)
        set_parent(up->right, node);
    up->right = node;
    set_parent(up, parent);
    relink(root, parent, node, up);
    set_parent(node, up);
    update(root, node);
    update(root, up);
}

/* `parent` is red, and so is its child `node`: recolours or rotates. Returns where to go on. */
static struct rb_node *fix_red_pair(struct rb_root *root, struct rb_node *node,
                                    struct rb_node *parent)
{
    struct rb_node *grandparent = rb_parent(parent);
    bool is_left = parent == grandparent->left;
    struct rb_node *uncle = is_left ? grandparent->right : grandparent->left;

    if (colour_of(uncle) == RED) {
        set_colour(parent, BLACK);
        set_colour(uncle, BLACK);
        set_colour(grandparent, RED);
        return grandparent;
    }
    if (is_left && node == parent->right) {
        rotate_left(root, parent);
        parent = node;
    } else if (!is_left && node == parent->left) {
        rotate_right(root, parent);
        parent = node;
    }
    set_colour(parent, BLACK);
    set_colour(grandparent, RED);
    if (is_left)
        rotate_right(root, grandparent);
    else
        rotate_left(root, grandparent);
    return root->node;
}

void rb_insert(struct rb_root *root, struct rb_node *node, struct rb_node *parent,
               struct rb_node **link)
{
    node->left = NULL;
    node->right = NULL;
    node->parent_colour = (vaddr_t)parent | RED;
    *link = node;
    rb_update_path(root, node);
    while ((parent = rb_parent(node)) != NULL && colour_of(parent) == RED)
        node = fix_red_pair(root, node, parent);
    set_colour(root->node, BLACK);
}

/* The subtree at parent's `left` side lacks one black node, and its sibling is not red. Returns
 * true when the lack is mended, false when it has moved up to `parent`. */
static bool fix_black_lack(struct rb_root *root, struct rb_node *parent, bool left)
{
    struct rb_node *sibling = left ? parent->right : parent->left;
    struct rb_node *near = left ? sibling->left : sibling->right;
    struct rb_node *far = left ? sibling->right : sibling->left;

    if (colour_of(near) == BLACK && colour_of(far) == BLACK) {
        set_colour(sibling, RED);
        return false;
    }
    if (colour_of(far) == BLACK) {
        set_colour(near, BLACK);
        set_colour(sibling, RED);
        if (left)
            rotate_right(root, sibling);
        else
            rotate_left(root, sibling);
        far = sibling;
        sibling = near;
    }
    set_colour(sibling, colour_of(parent));
    set_colour(parent, BLACK);
    set_colour(far, BLACK);
    if (left)
        rotate_left(root, parent);
    else
        rotate_right(root, parent);
    return true;
}

/* `node`, which may be NULL, is the child of `parent` whose side lacks one black node. */
static void erase_fix(struct rb_root *root, struct rb_node *node, struct rb_node *parent)
{
    while (parent != NULL && colour_of(node) == BLACK) {
        bool left = node == parent->left;
        struct rb_node *sibling = left ? parent->right : parent->left;

        if (colour_of(sibling) == RED) {
            set_colour(sibling, BLACK);
            set_colour(parent, RED);
            if (left)
                rotate_left(root, parent);
            else
                rotate_right(root, parent);
        }
        if (fix_black_lack(root, parent, left))
            return;
        node = parent;
        parent = rb_parent(node);
    }
    if (node != NULL)
        set_colour(node, BLACK);
}

/* Takes out a node with at most one child; returns that child and, by reference, its parent. */
static struct rb_node *splice_out(struct rb_root *root, struct rb_node *node,
                                  struct rb_node **parent)
{
    struct rb_node *child = node->left != NULL ? node->left : node->right;

    *parent = rb_parent(node);
    if (child != NULL)
        set_parent(child, *parent);
    relink(root, *parent, node, child);
    return child;
}

void rb_erase(struct rb_root *root, struct rb_node *node)
{
    struct rb_node *out = node, *parent, *child;
    enum colour removed;

    if (node->left != NULL && node->right != NULL) {
        out = node->right;
        while (out->left != NULL)
            out = out->left;
    }
    removed = colour_of(out);
    child = splice_out(root, out, &parent);
    if (out != node) { /* the successor takes the place and colour of the node */
        out->parent_colour = node->parent_colour;
        out->left = node->left;
        out->right = node->right;
        relink(root, rb_parent(node), node, out);
        if (out->left != NULL)
            set_parent(out->left, out);
        if (out->right != NULL)
            set_parent(out->right, out);
        if (parent == node)
            parent = out;
    }
    rb_node_clear(node);
    rb_update_path(root, parent);
    if (removed == BLACK)
        erase_fix(root, child, parent);
}

struct rb_node *rb_first(const struct rb_root *root)
{
    struct rb_node *node = root->node;

    while (node != NULL && node->left != NULL)
        node = node->left;
    return node;
}

struct rb_node *rb_last(const struct rb_root *root)
{
    struct rb_node *node = root->node;

    while (node != NULL && node->right != NULL)
        node = node->right;
    return node;
}

struct rb_node *rb_next(const struct rb_node *node)
{
    struct rb_node *next = node->right, *parent;

    if (next != NULL) {
        while (next->left != NULL)
            next = next->left;
        return next;
    }
    while ((parent = rb_parent(node)) != NULL && node == parent->right)
        node = parent;
    return parent;
}

struct rb_node *rb_prev(const struct rb_node *node)
{
    struct rb_node *prev = node->left, *parent;

    if (prev != NULL) {
        while (prev->right != NULL)
            prev = prev->right;
        return prev;
    }
    while ((parent = rb_parent(node)) != NULL && node == parent->left)
        node = parent;
    return parent;
}
