/* SPDX-License-Identifier: MIT */
/* Pages by index: a radix tree of 64-way nodes in object->tree. The caller holds object->lock. */
#ifndef MM_PAGE_TREE_H
#define MM_PAGE_TREE_H

#include <mm/object.h>

struct page *page_tree_find(const struct vm_object *object, uint64_t index);
int page_tree_insert(struct vm_object *object, uint64_t index,
                     struct page *page);                                 /* -ENOMEM, -EEXIST */
struct page *page_tree_remove(struct vm_object *object, uint64_t index); /* NULL: none */
/* First page at or after *index and below end; sets *index. */
struct page *page_tree_next(const struct vm_object *object, uint64_t *index, uint64_t end);

#endif
