/* SPDX-License-Identifier: MIT */
/*
 * Registered entries of /proc, /sys and /dev: three trees of nodes that only grow, so that readers
 * need no lock beyond the acquire that finds a node, and the table of character devices.
 */
#include <arch/barrier.h>
#include <core/lock.h>
#include <file/flags.h>
#include <file/pseudo.h>
#include <lib/errno.h>
#include <lib/list.h>
#include <lib/minmax.h>
#include <lib/printf.h>
#include <lib/string.h>
#include <mm/slab.h>

/* Text. */

static bool text_reserve(struct pseudo_text *text, size_t more)
{
    size_t capacity = max_t(size_t, text->capacity * 2, 512);
    char *data;

    if (text->error != 0)
        return false;
    if (text->length + more <= text->capacity)
        return true;
    while (capacity < text->length + more)
        capacity *= 2;
    data = krealloc(text->data, capacity);
    if (data == NULL) {
        text->error = -ENOMEM;
        return false;
    }
    text->data = data;
    text->capacity = capacity;
    return true;
}

void pseudo_write(struct pseudo_text *text, const void *data, size_t size)
{
    if (!text_reserve(text, size))
        return;
    memcpy(text->data + text->length, data, size);
    text->length += size;
}

void pseudo_puts(struct pseudo_text *text, const char *string)
{
    pseudo_write(text, string, strlen(string));
}

void pseudo_printf(struct pseudo_text *text, const char *format, ...)
{
    va_list args;
    int length;

    if (!text_reserve(text, 1))
        return;
    va_start(args, format);
    length = vsnprintf(text->data + text->length, text->capacity - text->length, format, args);
    va_end(args);
    if (length < 0)
        return;
    if ((size_t)length >= text->capacity - text->length) {
        if (!text_reserve(text, (size_t)length + 1))
            return;
        va_start(args, format);
        vsnprintf(text->data + text->length, (size_t)length + 1, format, args);
        va_end(args);
    }
    text->length += (size_t)length;
}

void pseudo_text_free(struct pseudo_text *text)
{
    kfree(text->data);
    *text = (struct pseudo_text){0};
}

/* Nodes. Changes are serialised by pseudo_lock; a node is complete before it is linked. */

struct pseudo_node {
    struct pseudo_node *next; /* sibling, in order of registration */
    struct pseudo_node *first, *last;
    struct pseudo_entry entry; /* replaced under pseudo_lock */
    struct pseudo_entry dynamic;
    struct pseudo_filler *fillers; /* of a tree's root, until they have run; fill_lock */
    uint64_t ino;
    unsigned subdirs;
    bool present; /* false: unregistered */
    char name[];
};

#define FIRST_INO 2u

static struct mutex fill_lock = MUTEX_INIT(RANK_PSEUDO_FILL);
static struct mutex pseudo_lock = MUTEX_INIT(RANK_PSEUDO);
static struct pseudo_node roots[PSEUDO_TREES] = {
    [PSEUDO_PROC] = {.entry = {.mode = S_IFDIR | 0555}, .ino = 1, .present = true},
    [PSEUDO_SYS] = {.entry = {.mode = S_IFDIR | 0555}, .ino = 1, .present = true},
    [PSEUDO_DEV] = {.entry = {.mode = S_IFDIR | 0755}, .ino = 1, .present = true},
};
static uint64_t next_ino = FIRST_INO;

struct pseudo_node *pseudo_root(enum pseudo_tree tree)
{
    return &roots[tree];
}

/* Every way into a tree leads over its root: what waits for the first use runs there. */

void pseudo_fill_later(enum pseudo_tree tree, struct pseudo_filler *filler)
{
    filler->next = roots[tree].fillers;
    roots[tree].fillers = filler;
}

static void run_fillers(struct pseudo_node *root)
{
    mutex_lock(&fill_lock);
    for (struct pseudo_filler *filler = root->fillers; filler != NULL; filler = filler->next)
        filler->fill();
    smp_store_release(&root->fillers, NULL); /* with the load in fill() */
    mutex_unlock(&fill_lock);
}

static inline void fill(const struct pseudo_node *dir)
{
    if (unlikely(smp_load_acquire(&dir->fillers) != NULL))
        run_fillers((struct pseudo_node *)dir);
}

static struct pseudo_node *child_find(struct pseudo_node *dir, const char *name, size_t len)
{
    struct pseudo_node *node;

    for (node = smp_load_acquire(&dir->first); node != NULL; node = smp_load_acquire(&node->next)) {
        if (str_equal_n(name, len, node->name))
            return node;
    }
    return NULL;
}

struct pseudo_node *pseudo_child(struct pseudo_node *dir, const char *name, size_t len)
{
    fill(dir);
    return child_find(dir, name, len);
}

struct pseudo_node *pseudo_child_at(struct pseudo_node *dir, uint64_t index)
{
    struct pseudo_node *node;

    fill(dir);
    node = smp_load_acquire(&dir->first);
    while (node != NULL && index-- > 0)
        node = smp_load_acquire(&node->next);
    return node;
}

const char *pseudo_node_name(const struct pseudo_node *node)
{
    return node->name;
}

uint64_t pseudo_node_ino(const struct pseudo_node *node)
{
    return node->ino;
}

unsigned pseudo_node_subdirs(const struct pseudo_node *node)
{
    fill(node);
    return node->subdirs;
}

bool pseudo_node_entry(const struct pseudo_node *node, struct pseudo_entry *out)
{
    bool present;

    mutex_lock(&pseudo_lock);
    *out = node->entry;
    present = node->present;
    mutex_unlock(&pseudo_lock);
    return present;
}

bool pseudo_node_dynamic(const struct pseudo_node *node, struct pseudo_entry *out)
{
    fill(node);
    if (smp_load_acquire(&node->dynamic.ops) == NULL)
        return false;
    *out = node->dynamic;
    return true;
}

static struct pseudo_node *node_add(enum pseudo_tree tree, struct pseudo_node *dir,
                                    const char *name, size_t len)
{
    struct pseudo_node *node = kzalloc(sizeof(*node) + len + 1);

    if (node == NULL)
        return NULL;
    memcpy(node->name, name, len);
    node->ino = next_ino++;
    node->entry.mode = S_IFDIR | (tree == PSEUDO_DEV ? 0755 : 0555);
    node->present = true;
    if (dir->last != NULL)
        smp_store_release(&dir->last->next, node); /* with the loads in pseudo_child */
    else
        smp_store_release(&dir->first, node);
    dir->last = node;
    return node;
}

/* The node at `path`, made with its parents if need be. */
static int node_make(enum pseudo_tree tree, const char *path, struct pseudo_node **out,
                     struct pseudo_node **parent)
{
    struct pseudo_node *node = &roots[tree];

    *parent = NULL;
    while (*path != '\0') {
        size_t len = strcspn(path, "/");
        struct pseudo_node *child;

        if (len == 0)
            return -EINVAL;
        child = child_find(node, path, len);
        if (child == NULL) {
            child = node_add(tree, node, path, len);
            if (child == NULL)
                return -ENOMEM;
            node->subdirs++; /* until an entry says otherwise */
        }
        *parent = node;
        node = child;
        path += len;
        if (*path == '/' && *++path == '\0')
            return -EINVAL;
    }
    *out = node;
    return 0;
}

int pseudo_register(enum pseudo_tree tree, const char *path, const struct pseudo_entry *entry)
{
    struct pseudo_node *node, *parent;
    int error;

    mutex_lock(&pseudo_lock);
    error = node_make(tree, path, &node, &parent);
    if (error == 0 && parent == NULL)
        error = -EINVAL;
    if (error == 0) {
        if (S_ISDIR(node->entry.mode) && !S_ISDIR(entry->mode))
            parent->subdirs--;
        node->entry = *entry;
        node->present = true;
    }
    mutex_unlock(&pseudo_lock);
    return error;
}

int pseudo_register_dynamic(enum pseudo_tree tree, const char *path, const struct pseudo_ops *ops,
                            void *data)
{
    struct pseudo_node *node, *parent;
    int error;

    mutex_lock(&pseudo_lock);
    error = node_make(tree, path, &node, &parent);
    if (error == 0) {
        node->dynamic = (struct pseudo_entry){.mode = S_IFDIR | 0555, .data = data};
        smp_store_release(&node->dynamic.ops, ops);
    }
    mutex_unlock(&pseudo_lock);
    return error;
}

/* Short forms. What they need beside `data` is kept in a small allocation that is never freed. */

struct shown {
    struct pseudo_ops ops;
};

static int register_shown(enum pseudo_tree tree, const char *path,
                          int (*show)(struct pseudo_text *, const struct pseudo_entry *),
                          void *data)
{
    struct shown *shown = kzalloc(sizeof(*shown));
    struct pseudo_entry entry = {.mode = S_IFREG | 0444, .data = data};

    if (shown == NULL)
        return -ENOMEM;
    shown->ops.show = show;
    entry.ops = &shown->ops;
    if (tree == PSEUDO_SYS)
        entry.size = 4096;
    return pseudo_register(tree, path, &entry);
}

int proc_register(const char *path, int (*show)(struct pseudo_text *, const struct pseudo_entry *),
                  void *data)
{
    return register_shown(PSEUDO_PROC, path, show, data);
}

int sys_register(const char *path, int (*show)(struct pseudo_text *, const struct pseudo_entry *),
                 void *data)
{
    return register_shown(PSEUDO_SYS, path, show, data);
}

static int text_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    pseudo_puts(text, entry->data);
    return 0;
}

static ssize_t link_read(const struct pseudo_entry *entry, char *buffer, size_t size)
{
    size_t length = min(strlen(entry->data), size);

    memcpy(buffer, entry->data, length);
    return (ssize_t)length;
}

static const struct pseudo_ops text_ops = {.show = text_show};
static const struct pseudo_ops link_ops = {.readlink = link_read};

static int register_string(enum pseudo_tree tree, const char *path, const char *string,
                           const struct pseudo_ops *ops, uint32_t mode)
{
    struct pseudo_entry entry = {.ops = ops, .mode = mode, .data = kstrdup(string)};

    return entry.data != NULL ? pseudo_register(tree, path, &entry) : -ENOMEM;
}

int pseudo_register_link(enum pseudo_tree tree, const char *path, const char *target)
{
    return register_string(tree, path, target, &link_ops, S_IFLNK | 0777);
}

int pseudo_register_text(enum pseudo_tree tree, const char *path, const char *text)
{
    return register_string(tree, path, text, &text_ops, S_IFREG | 0444);
}

int pseudo_register_dir(enum pseudo_tree tree, const char *path)
{
    struct pseudo_node *node, *parent;
    int error;

    mutex_lock(&pseudo_lock);
    error = node_make(tree, path, &node, &parent);
    mutex_unlock(&pseudo_lock);
    return error;
}

/* Devices. */

struct device_slot {
    struct list_node node;
    struct char_device device;
};

static struct list_node devices = LIST_INIT(devices); /* pseudo_lock */

static struct device_slot *slot_find(bool is_block, unsigned major, unsigned minor)
{
    struct device_slot *slot;

    list_for_each_entry (slot, &devices, node) {
        if (slot->device.is_block == is_block && slot->device.major == major &&
            slot->device.minor == minor)
            return slot;
    }
    return NULL;
}

int dev_register(const char *name, uint32_t mode, const struct char_device *device)
{
    struct pseudo_entry entry = {.mode = (device->is_block ? S_IFBLK : S_IFCHR) | mode,
                                 .key = ((uint64_t)device->major << 32) | device->minor};
    struct device_slot *slot = kmalloc(sizeof(*slot)), *old;

    if (slot == NULL)
        return -ENOMEM;
    slot->device = *device;
    mutex_lock(&pseudo_lock);
    old = slot_find(device->is_block, device->major, device->minor);
    if (old != NULL)
        list_del(&old->node);
    list_add(&devices, &slot->node);
    mutex_unlock(&pseudo_lock);
    kfree(old);
    return name != NULL ? pseudo_register(PSEUDO_DEV, name, &entry) : 0;
}

void dev_unregister(const char *name, unsigned major, unsigned minor)
{
    struct pseudo_node *node, *parent;
    struct device_slot *slot;

    mutex_lock(&pseudo_lock);
    slot = slot_find(false, major, minor);
    if (slot != NULL)
        list_del(&slot->node);
    if (name != NULL && node_make(PSEUDO_DEV, name, &node, &parent) == 0)
        node->present = false;
    mutex_unlock(&pseudo_lock);
    kfree(slot);
}

int char_device_find(bool is_block, unsigned major, unsigned minor, struct char_device *out)
{
    struct device_slot *slot;

    mutex_lock(&pseudo_lock);
    slot = slot_find(is_block, major, minor);
    if (slot != NULL)
        *out = slot->device;
    mutex_unlock(&pseudo_lock);
    return slot != NULL ? 0 : -ENXIO;
}
