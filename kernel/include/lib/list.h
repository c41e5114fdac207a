/* SPDX-License-Identifier: MIT */
/* A circular doubly linked list; the head is a node too. Callers lock. */
#ifndef LIB_LIST_H
#define LIB_LIST_H

#include <lib/compiler.h>

struct list_node {
    struct list_node *next;
    struct list_node *prev;
};

#define LIST_INIT(name)  \
    {                    \
        &(name), &(name) \
    }

static inline void list_init(struct list_node *node)
{
    node->next = node;
    node->prev = node;
}

static inline bool list_empty(const struct list_node *head)
{
    return head->next == head;
}

static inline void list_insert_between(struct list_node *node, struct list_node *prev,
                                       struct list_node *next)
{
    node->next = next;
    node->prev = prev;
    next->prev = node;
    prev->next = node;
}

/* First in the list, or right after `head` if that is a member. */
static inline void list_add(struct list_node *head, struct list_node *node)
{
    list_insert_between(node, head, head->next);
}

/* Last in the list, or right before `head` if that is a member. */
static inline void list_add_tail(struct list_node *head, struct list_node *node)
{
    list_insert_between(node, head->prev, head);
}

/* Afterwards `node` is an empty list: deleting it again or testing it with list_empty is allowed.
 */
static inline void list_del(struct list_node *node)
{
    node->prev->next = node->next;
    node->next->prev = node->prev;
    list_init(node);
}

static inline void list_move_tail(struct list_node *head, struct list_node *node)
{
    list_del(node);
    list_add_tail(head, node);
}

/* All members of `from` go to the end of `to`; `from` is empty afterwards. */
static inline void list_splice_tail(struct list_node *to, struct list_node *from)
{
    if (list_empty(from))
        return;
    from->next->prev = to->prev;
    to->prev->next = from->next;
    from->prev->next = to;
    to->prev = from->prev;
    list_init(from);
}

#define list_entry(node, type, member)       container_of(node, type, member)
#define list_first_entry(head, type, member) list_entry((head)->next, type, member)
#define list_last_entry(head, type, member)  list_entry((head)->prev, type, member)
#define list_next_entry(entry, member) \
    list_entry((entry)->member.next, __typeof__(*(entry)), member)
#define list_prev_entry(entry, member) \
    list_entry((entry)->member.prev, __typeof__(*(entry)), member)
#define list_first_entry_or_null(head, type, member) \
    (list_empty(head) ? NULL : list_first_entry(head, type, member))

/* `entry` is the loop variable, a pointer to the structure that embeds `member`. */
#define list_for_each_entry(entry, head, member)                         \
    for ((entry) = list_first_entry(head, __typeof__(*(entry)), member); \
         &(entry)->member != (head); (entry) = list_next_entry(entry, member))

#define list_for_each_entry_reverse(entry, head, member)                \
    for ((entry) = list_last_entry(head, __typeof__(*(entry)), member); \
         &(entry)->member != (head); (entry) = list_prev_entry(entry, member))

/* The same where the body may delete `entry`; `following` is a second variable of its type. */
#define list_for_each_entry_safe(entry, following, head, member)         \
    for ((entry) = list_first_entry(head, __typeof__(*(entry)), member), \
        (following) = list_next_entry(entry, member);                    \
         &(entry)->member != (head);                                     \
         (entry) = (following), (following) = list_next_entry(following, member))

#endif
