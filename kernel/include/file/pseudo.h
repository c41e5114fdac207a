/* SPDX-License-Identifier: MIT */
/*
 * Registration of entries of /proc, /sys and /dev by whoever owns the fact. kernel/fs shows them.
 * Registration may come at any time after kmalloc works, from thread context; it may sleep. Names
 * of missing parent directories are made. Registered entries are never removed, devices may be.
 */
#ifndef FILE_PSEUDO_H
#define FILE_PSEUDO_H

#include <lib/compiler.h>
#include <lib/types.h>

struct file;
struct file_ops;
struct path;
struct pseudo_entry;

/* Text in the making: grows as needed. After running out of memory further text is dropped and the
 * reader gets -ENOMEM. */
struct pseudo_text {
    char *data; /* length bytes, not terminated */
    size_t length, capacity;
    int error;
};
void pseudo_printf(struct pseudo_text *text, const char *format, ...) __printf(2, 3);
void pseudo_puts(struct pseudo_text *text, const char *string);
void pseudo_write(struct pseudo_text *text, const void *data, size_t size);
void pseudo_text_free(struct pseudo_text *text);

/* Where a directory's names go; false: enough for now. */
struct pseudo_sink {
    bool (*emit)(struct pseudo_sink *sink, const char *name, size_t len, uint64_t ino,
                 uint32_t mode, uint64_t next_pos);
};

/*
 * What an entry does; what is absent it cannot do. All may sleep and run as the reading thread.
 * `entry` is the entry itself, whose `data` and `key` are the owner's.
 */
struct pseudo_ops {
    /* A file's whole text, made when it is read from position 0. 0 or -errno. */
    int (*show)(struct pseudo_text *text, const struct pseudo_entry *entry);
    /* One write(2), at most a page, NUL-terminated behind. Bytes taken or -errno. */
    ssize_t (*store)(const struct pseudo_entry *entry, const char *text, size_t length);
    /* A symbolic link's text; length or -errno. */
    ssize_t (*readlink)(const struct pseudo_entry *entry, char *buffer, size_t size);
    /* Links that lead to a place, not a text: an opened file (new reference) or a path. */
    int (*follow_file)(const struct pseudo_entry *entry, struct file **out);
    int (*follow_path)(const struct pseudo_entry *entry, struct path *out);
    /* A directory whose names come and go: fills *out (all of it) or -ENOENT. */
    int (*lookup)(const struct pseudo_entry *entry, const char *name, size_t len,
                  struct pseudo_entry *out);
    /* Emits from *pos (starting at 0), moves it. */
    int (*list)(const struct pseudo_entry *entry, uint64_t *pos, struct pseudo_sink *sink);
    /* Current owner, when it is not root. */
    void (*owner)(const struct pseudo_entry *entry, uint32_t *uid, uint32_t *gid);
    /* Links of a directory, when more than 2. */
    unsigned (*links)(const struct pseudo_entry *entry);
    /* Another file altogether: may set file->ops and file->data. */
    int (*open)(const struct pseudo_entry *entry, struct file *file);
    /* Copies of an entry: take and drop a reference to what `data` points to. */
    void (*hold)(const struct pseudo_entry *entry);
    void (*drop)(const struct pseudo_entry *entry);
};

/* mode is S_IF* and permissions; a plain value: copied. ino 0: one is made up from data and key. */
struct pseudo_entry {
    const struct pseudo_ops *ops;
    uint32_t mode;
    uint64_t ino;
    void *data;
    uint64_t key;
    uint64_t size; /* what stat tells; most show 0 */
};

enum pseudo_tree { PSEUDO_PROC, PSEUDO_SYS, PSEUDO_DEV, PSEUDO_TREES };

/* path: "meminfo", "sys/kernel/hostname". A later entry with the same path replaces the former.
 * 0, -ENOMEM, or -EINVAL for a malformed path. */
int pseudo_register(enum pseudo_tree tree, const char *path, const struct pseudo_entry *entry);
/* Names that come and go (processes) beside the registered ones in the tree's directory `path`
 * (""= top). ops needs lookup and list. */
int pseudo_register_dynamic(enum pseudo_tree tree, const char *path, const struct pseudo_ops *ops,
                            void *data);

/*
 * For a tree that many programs never look at: fill() registers entries when something in the tree
 * is first looked up or listed, once, on the thread that looks (it may sleep). Registered at boot
 * only; the filler stays for ever.
 */
struct pseudo_filler {
    void (*fill)(void);
    struct pseudo_filler *next;
};
void pseudo_fill_later(enum pseudo_tree tree, struct pseudo_filler *filler);

/* Short forms for the usual: a read-only text, a text that can be written, a fixed link, a value.
 */
int proc_register(const char *path, int (*show)(struct pseudo_text *, const struct pseudo_entry *),
                  void *data);
int sys_register(const char *path, int (*show)(struct pseudo_text *, const struct pseudo_entry *),
                 void *data);
int pseudo_register_link(enum pseudo_tree tree, const char *path, const char *target);
int pseudo_register_text(enum pseudo_tree tree, const char *path, const char *text);
int pseudo_register_dir(enum pseudo_tree tree, const char *path);

/*
 * A character or block device. open may be NULL; it may set file->data and file->ops. mode is
 * permissions only. Devices are opened by number: any node with this number, wherever it lies,
 * leads here.
 */
struct char_device {
    const struct file_ops *ops;
    int (*open)(struct file *file, void *data);
    void *data;
    unsigned major, minor;
    bool is_block; /* numbers of the two kinds are apart */
};
/* Adds /dev/<name> too, unless name is NULL. */
int dev_register(const char *name, uint32_t mode, const struct char_device *device);
void dev_unregister(const char *name, unsigned major, unsigned minor);
/* For fs: copies the device out; -ENXIO if there is none. */
int char_device_find(bool is_block, unsigned major, unsigned minor, struct char_device *out);

/* The tree as fs reads it (kernel/fs/pseudofs.c only). A node stays for ever once registered. */
struct pseudo_node;
struct pseudo_node *pseudo_root(enum pseudo_tree tree);
struct pseudo_node *pseudo_child(struct pseudo_node *dir, const char *name, size_t len);
/* The index-th child in order of registration, or NULL. */
struct pseudo_node *pseudo_child_at(struct pseudo_node *dir, uint64_t index);
const char *pseudo_node_name(const struct pseudo_node *node);
uint64_t pseudo_node_ino(const struct pseudo_node *node);
unsigned pseudo_node_subdirs(const struct pseudo_node *node);
/* Copies the present entry (mode S_IFDIR for a directory); false if the node was unregistered. */
bool pseudo_node_entry(const struct pseudo_node *node, struct pseudo_entry *out);
/* The dynamic part of a directory; false if it has none. */
bool pseudo_node_dynamic(const struct pseudo_node *node, struct pseudo_entry *out);

#endif
