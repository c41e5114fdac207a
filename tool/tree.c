/* SPDX-License-Identifier: MIT
 *
 * The root file system being put together.
 */
#include "tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINKS_MAX 40

struct node *node_create(mode_t mode, uint32_t uid, uint32_t gid, int64_t mtime)
{
    struct node *node = memory_alloc(sizeof(*node));

    *node = (struct node){
        .mode = mode, .uid = uid, .gid = gid, .mtime = mtime, .spool = -1, .references = 1};
    return node;
}

void node_unref(struct node *node)
{
    if (node == NULL || --node->references)
        return;
    for (size_t i = 0; i < node->count; i++) {
        free(node->entries[i].name);
        node_unref(node->entries[i].node);
    }
    free(node->entries);
    free(node->data);
    free(node->host_path);
    free(node);
}

void tree_init(struct tree *tree)
{
    tree->root = node_create(S_IFDIR | 0755, 0, 0, TREE_EPOCH);
}

void tree_free(struct tree *tree)
{
    node_unref(tree->root);
    tree->root = NULL;
}

/* Index of name in a directory, or of where it would stand. */
static size_t entry_index(const struct node *directory, const char *name, bool *found)
{
    size_t low = 0, high = directory->count;

    while (low < high) {
        size_t middle = (low + high) / 2;
        int order = strcmp(directory->entries[middle].name, name);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = false;
    return low;
}

struct node *node_entry(const struct node *directory, const char *name)
{
    bool found;
    size_t index = entry_index(directory, name, &found);

    return found ? directory->entries[index].node : NULL;
}

static void node_insert(struct node *directory, const char *name, struct node *node)
{
    bool found;
    size_t index = entry_index(directory, name, &found);

    if (found) {
        node_unref(directory->entries[index].node);
        directory->entries[index].node = node;
        return;
    }
    directory->entries =
        memory_resize(directory->entries, (directory->count + 1) * sizeof(struct entry));
    memmove(directory->entries + index + 1, directory->entries + index,
            (directory->count - index) * sizeof(struct entry));
    directory->entries[index] = (struct entry){.name = text_copy(name), .node = node};
    directory->count++;
}

/* A walk keeps the folders it came through, so that ".." and links need no parent pointers. */
struct walk {
    const struct tree *tree;
    struct node *stack[256];
    char *names[256];
    size_t depth;
    unsigned links;
    bool create; /* missing folders are made */
};

static struct node *walk_here(const struct walk *walk)
{
    return walk->depth ? walk->stack[walk->depth - 1] : walk->tree->root;
}

static void walk_end(struct walk *walk)
{
    while (walk->depth)
        free(walk->names[--walk->depth]);
}

static int walk_path(struct walk *walk, const char *path, bool follow_last);

static int walk_step(struct walk *walk, const char *name, bool follow)
{
    struct node *here = walk_here(walk), *next;

    if (strcmp(name, ".") == 0)
        return S_ISDIR(here->mode) ? 0 : -ENOTDIR;
    if (strcmp(name, "..") == 0) {
        if (walk->depth)
            free(walk->names[--walk->depth]);
        return 0;
    }
    if (!S_ISDIR(here->mode))
        return -ENOTDIR;
    next = node_entry(here, name);
    if (next == NULL && walk->create) {
        next = node_create(S_IFDIR | 0755, 0, 0, TREE_EPOCH);
        node_insert(here, name, next);
    }
    if (next == NULL)
        return -ENOENT;
    if (S_ISLNK(next->mode) && follow) {
        if (++walk->links > LINKS_MAX)
            return -ELOOP;
        return walk_path(walk, next->data, true);
    }
    if (walk->depth == sizeof(walk->stack) / sizeof(walk->stack[0]))
        return -ENAMETOOLONG;
    walk->names[walk->depth] = text_copy(name);
    walk->stack[walk->depth++] = next;
    return 0;
}

static int walk_path(struct walk *walk, const char *path, bool follow_last)
{
    int error = 0;

    if (*path == '/')
        walk_end(walk);
    while (error == 0) {
        size_t length;
        bool last;
        char *name;

        path += strspn(path, "/");
        if (*path == '\0')
            break;
        length = strcspn(path, "/");
        last = path[length + strspn(path + length, "/")] == '\0';
        name = memory_copy(path, length);
        error = walk_step(walk, name, !last || follow_last);
        free(name);
        path += length;
    }
    return error;
}

struct node *tree_find(const struct tree *tree, const char *path, bool follow)
{
    struct walk walk = {.tree = tree};
    struct node *node = walk_path(&walk, path, follow) == 0 ? walk_here(&walk) : NULL;

    walk_end(&walk);
    return node;
}

char *tree_resolve(const struct tree *tree, const char *path)
{
    struct walk walk = {.tree = tree};
    struct buffer text = {0};

    if (walk_path(&walk, path, true) == 0) {
        for (size_t i = 0; i < walk.depth; i++)
            buffer_format(&text, "/%s", walk.names[i]);
        if (walk.depth == 0)
            buffer_add_text(&text, "/");
    }
    walk_end(&walk);
    return text.data;
}

/* Finds (and makes) the folder of path; *name is the last part, owned by the caller. */
static int find_folder(struct tree *tree, const char *path, bool create, struct node **folder,
                       char **name)
{
    struct walk walk = {.tree = tree, .create = create};
    size_t length = strlen(path);
    size_t start;
    char *parent;
    int error;

    while (length && path[length - 1] == '/')
        length--;
    for (start = length; start && path[start - 1] != '/';)
        start--;
    *name = memory_copy(path + start, length - start);
    parent = memory_copy(path, start);
    error = walk_path(&walk, parent, true);
    *folder = walk_here(&walk);
    walk_end(&walk);
    free(parent);
    if (error == 0 && !S_ISDIR((*folder)->mode))
        error = -ENOTDIR;
    if (error == 0 && (**name == '\0' || strcmp(*name, ".") == 0 || strcmp(*name, "..") == 0))
        error = -EINVAL;
    if (error)
        free(*name);
    return error;
}

static void copy_attributes(struct node *to, const struct node *from)
{
    to->mode = from->mode;
    to->uid = from->uid;
    to->gid = from->gid;
    to->mtime = from->mtime;
}

static bool is_root_path(const char *path)
{
    return path[strspn(path, "/.")] == '\0';
}

int tree_put(struct tree *tree, const char *path, struct node *node)
{
    struct node *folder, *old;
    char *name;
    int error;

    if (is_root_path(path) && S_ISDIR(node->mode)) {
        copy_attributes(tree->root, node);
        node_unref(node);
        return 0;
    }
    error = find_folder(tree, path, true, &folder, &name);
    if (error) {
        node_unref(node);
        return error;
    }
    old = node_entry(folder, name);
    if (old && S_ISDIR(old->mode) && S_ISDIR(node->mode)) {
        copy_attributes(old, node);
        node_unref(node);
    } else if (old && S_ISDIR(old->mode)) {
        error = -EISDIR;
        node_unref(node);
    } else {
        struct node *target = S_ISDIR(node->mode) ? tree_find(tree, path, true) : NULL;

        if (target && S_ISDIR(target->mode))
            node_unref(node);
        else
            node_insert(folder, name, node);
    }
    free(name);
    return error;
}

int tree_put_link(struct tree *tree, const char *path, const char *target)
{
    struct node *node = tree_find(tree, target, false);

    if (node == NULL)
        return -ENOENT;
    if (S_ISDIR(node->mode))
        return -EISDIR;
    node->references++;
    return tree_put(tree, path, node);
}

int tree_remove(struct tree *tree, const char *path)
{
    struct node *folder;
    size_t index;
    bool found;
    char *name;

    if (find_folder(tree, path, false, &folder, &name))
        return -ENOENT;
    index = entry_index(folder, name, &found);
    free(name);
    if (!found)
        return -ENOENT;
    free(folder->entries[index].name);
    node_unref(folder->entries[index].node);
    folder->count--;
    memmove(folder->entries + index, folder->entries + index + 1,
            (folder->count - index) * sizeof(struct entry));
    return 0;
}

int tree_add_directory(struct tree *tree, const char *path, mode_t permissions)
{
    return tree_put(tree, path, node_create(S_IFDIR | permissions, 0, 0, TREE_EPOCH));
}

int tree_add_text(struct tree *tree, const char *path, mode_t permissions, const char *text)
{
    struct node *node = node_create(S_IFREG | permissions, 0, 0, TREE_EPOCH);

    node->data = text_copy(text);
    node->size = strlen(text);
    return tree_put(tree, path, node);
}

int tree_add_symlink(struct tree *tree, const char *path, const char *target)
{
    struct node *node = node_create(S_IFLNK | 0777, 0, 0, TREE_EPOCH);

    node->data = text_copy(target);
    node->size = strlen(target);
    return tree_put(tree, path, node);
}

int tree_add_host_file(struct tree *tree, const char *path, mode_t permissions,
                       const char *host_path)
{
    struct node *node;
    struct stat info;

    if (stat(host_path, &info) < 0)
        return -errno;
    node = node_create(S_IFREG | permissions, 0, 0, TREE_EPOCH);
    node->host_path = text_copy(host_path);
    node->size = (uint64_t)info.st_size;
    return tree_put(tree, path, node);
}

static int walk_node(const char *path, struct node *node, tree_visit_fn *visit, void *context)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < node->count; i++) {
        struct node *child = node->entries[i].node;
        char *child_path = text_format("%s/%s", path, node->entries[i].name);

        result = visit(child_path, child, context);
        if (result == 0)
            result = walk_node(child_path, child, visit, context);
        free(child_path);
    }
    return result;
}

int tree_walk(const struct tree *tree, const char *path, tree_visit_fn *visit, void *context)
{
    struct node *node = tree_find(tree, path, true);

    if (node == NULL)
        return 0;
    return walk_node(strcmp(path, "/") == 0 ? "" : path, node, visit, context);
}

static int clear_links(const char *path, struct node *node, void *context)
{
    (void)path;
    (void)context;
    node->links = S_ISDIR(node->mode) ? 2 : 0;
    for (size_t i = 0; i < node->count; i++)
        if (S_ISDIR(node->entries[i].node->mode))
            node->links++;
    return 0;
}

static int add_link(const char *path, struct node *node, void *context)
{
    (void)path;
    (void)context;
    if (!S_ISDIR(node->mode))
        node->links++;
    return 0;
}

void tree_count_links(struct tree *tree)
{
    clear_links("/", tree->root, NULL);
    tree_walk(tree, "/", clear_links, NULL);
    tree_walk(tree, "/", add_link, NULL);
}

char *node_read(const struct node *node, size_t *size)
{
    char *data = memory_alloc(node->size + 1);
    size_t done = 0;
    int fd = node->spool;

    if (node->data) {
        memcpy(data, node->data, node->size);
    } else if (node->size) {
        if (node->host_path)
            fd = open(node->host_path, O_RDONLY | O_CLOEXEC);
        while (fd >= 0 && done < node->size) {
            ssize_t got = pread(fd, data + done, node->size - done, (off_t)(node->offset + done));

            if (got <= 0)
                break;
            done += (size_t)got;
        }
        if (node->host_path && fd >= 0)
            close(fd);
        if (done < node->size) {
            free(data);
            return NULL;
        }
    }
    if (size)
        *size = node->size;
    return data;
}
