/* SPDX-License-Identifier: MIT */
/* kernel/lib/rbtree.c: order, the red-black rules and the summaries, after every step of a walk. */
#include <unit.h>

#include <stdlib.h>

#include <lib/rbtree.h>

enum { COUNT = 500, STEPS = 20000 };

struct item {
    struct rb_node node;
    unsigned key;
    unsigned sum; /* of all keys below and this one */
    bool present;
};

static struct item items[COUNT];

static unsigned sum_of(const struct rb_node *node)
{
    return node == NULL ? 0 : rb_entry(node, struct item, node)->sum;
}

static void update(struct rb_node *node)
{
    struct item *item = rb_entry(node, struct item, node);

    item->sum = item->key + sum_of(node->left) + sum_of(node->right);
}

static void insert(struct rb_root *root, struct item *item)
{
    struct rb_node **link = &root->node, *parent = NULL;

    while (*link != NULL) {
        parent = *link;
        link =
            item->key < rb_entry(parent, struct item, node)->key ? &parent->left : &parent->right;
    }
    rb_insert(root, &item->node, parent, link);
    item->present = true;
}

/* Returns the black height; checks colours, parents and summaries. */
static unsigned check(const struct rb_node *node, const struct rb_node *parent)
{
    if (node == NULL)
        return 1;
    bool black = node->parent_colour & 1;

    assert_ptr_equal(rb_parent(node), parent);
    if (!black)
        assert_true(parent != NULL && (parent->parent_colour & 1));
    unsigned left = check(node->left, node), right = check(node->right, node);

    assert_int_equal(left, right);
    const struct item *item = rb_entry(node, struct item, node);

    assert_int_equal(item->sum, item->key + sum_of(node->left) + sum_of(node->right));
    return left + black;
}

static void check_order(const struct rb_root *root)
{
    const struct item *item;
    unsigned count = 0, present = 0;
    long last = -1;

    rb_for_each_entry(item, root, node)
    {
        assert_true((long)item->key >= last);
        last = item->key;
        count++;
    }
    for (unsigned i = 0; i < COUNT; i++)
        present += items[i].present;
    assert_int_equal(count, present);
    unsigned back = 0;

    for (struct rb_node *node = rb_last(root); node != NULL; node = rb_prev(node))
        back++;
    assert_int_equal(back, count);
}

static void random_walk(void **state)
{
    struct rb_root root = RB_ROOT_AUGMENTED(update);

    srand(1);
    for (unsigned i = 0; i < COUNT; i++)
        items[i] = (struct item){.key = (unsigned)rand() % 300};
    for (unsigned step = 0; step < STEPS; step++) {
        struct item *item = &items[rand() % COUNT];

        if (item->present) {
            rb_erase(&root, &item->node);
            assert_false(rb_node_in_tree(&item->node));
            item->present = false;
        } else {
            insert(&root, item);
        }
        if (step % 64 == 0) {
            check(root.node, NULL);
            check_order(&root);
        }
    }
}

static void empty(void **state)
{
    struct rb_root root = RB_ROOT;

    assert_true(rb_empty(&root));
    assert_null(rb_first(&root));
    assert_null(rb_last(&root));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_walk),
        cmocka_unit_test(empty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
