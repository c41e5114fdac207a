/* SPDX-License-Identifier: MIT */
/*
 * The walk of path_resolution(7), and openat2(2)'s restrictions on it. It is iterative: a symbolic
 * link in the middle puts what is left of the name aside in walk->links and goes on with its text.
 */
#include <core/defer.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/string.h>
#include <mm/slab.h>

#include "fs.h"

/* Texts of links being walked. text[i] is freed when the walk is past it; resume[i] is where the
 * name that the link stood in goes on. */
struct walk_links {
    unsigned depth;
    char *text[WALK_LINKS_MAX + 1]; /* the last: of a link with nothing to come back to */
    const char *resume[WALK_LINKS_MAX];
};

static void walk_set_path(struct walk *walk, const struct path *path)
{
    path_ref(path);
    if (walk->path_held)
        path_unref(&walk->path);
    walk->path = *path;
    walk->path_held = true;
}

/* Root or current directory: borrowed where nobody else can change them meanwhile. */
static bool take_place(struct fs_context *context, const struct path *place, struct path *out,
                       void (*take)(struct fs_context *, struct path *))
{
    if (likely(atomic_read(&context->refs) == 1)) {
        *out = *place;
        return false;
    }
    take(context, out);
    return true;
}

/* An absolute name, or link. */
static int walk_jump_to_root(struct walk *walk)
{
    if (walk->flags & LOOKUP_BENEATH)
        return -EXDEV;
    if ((walk->flags & LOOKUP_NO_XDEV) && walk->path.mount != walk->root.mount)
        return -EXDEV;
    walk_set_path(walk, &walk->root);
    return 0;
}

int walk_start(struct walk *walk, const struct path *at, const char *name, unsigned flags)
{
    struct fs_context *context = fs_current();

    walk->cred = cred_current();
    walk->rest = name;
    walk->links = NULL;
    walk->flags = flags;
    walk->link_count = 0;
    walk->trailing_slash = false;
    if (name[0] == '\0' && !(flags & LOOKUP_EMPTY))
        return -ENOENT;
    walk->path_held = walk->root_held = false;
    if (flags & (LOOKUP_BENEATH | LOOKUP_IN_ROOT)) {
        if (name[0] == '/' && (flags & LOOKUP_BENEATH))
            return -EXDEV;
        if (at != NULL)
            walk->root = *at;
        else
            walk->root_held = take_place(context, &context->cwd, &walk->root, fs_context_cwd);
        walk->path = walk->root;
        return 0;
    }
    walk->root_held = take_place(context, &context->root, &walk->root, fs_context_root);
    if (name[0] == '/')
        walk->path = walk->root;
    else if (at != NULL)
        walk->path = *at;
    else
        walk->path_held = take_place(context, &context->cwd, &walk->path, fs_context_cwd);
    return 0;
}

void walk_end(struct walk *walk)
{
    if (walk->links != NULL) {
        while (walk->links->depth > 0)
            kfree(walk->links->text[--walk->links->depth]);
        kfree(walk->links->text[WALK_LINKS_MAX]);
        kfree(walk->links);
    }
    if (walk->path_held)
        path_unref(&walk->path);
    if (walk->root_held)
        path_unref(&walk->root);
}

void walk_take(struct walk *walk, struct path *out)
{
    *out = walk->path;
    walk->path_held = false;
}

/* Cuts one component off walk->rest. 0, -ENAMETOOLONG. */
static int next_component(struct walk *walk, struct name *name)
{
    const char *text = walk->rest;
    uint32_t hash = 0, len = 0;

    while (text[len] != '\0' && text[len] != '/') {
        hash = (hash + (unsigned char)text[len]) * 0x9e3779b1u; /* name_hash */
        len++;
    }
    if (len > NAME_MAX)
        return -ENAMETOOLONG;
    *name = (struct name){text, len, hash};
    walk->rest = text + len;
    return 0;
}

/* Skips slashes and returns to the names that links stood in. False at the very end. */
static bool more_components(struct walk *walk)
{
    for (;;) {
        while (*walk->rest == '/')
            walk->rest++;
        if (*walk->rest != '\0')
            return true;
        if (walk->links == NULL || walk->links->depth == 0)
            return false;
        struct walk_links *links = walk->links;
        links->depth--;
        walk->rest = links->resume[links->depth];
        kfree(links->text[links->depth]);
        links->text[links->depth] = NULL;
    }
}

/* After a component: is it the last one? */
static bool at_last(struct walk *walk)
{
    const char *rest = walk->rest;

    if (*rest == '\0')
        return walk->links == NULL || walk->links->depth == 0;
    while (*rest == '/')
        rest++;
    if (*rest != '\0' || (walk->links != NULL && walk->links->depth != 0))
        return false;
    walk->rest = rest;
    walk->trailing_slash = true;
    return true;
}

static enum last_type component_type(const struct name *name)
{
    if (name->text[0] != '.' || name->len > 2)
        return LAST_NAME;
    if (name->len == 1)
        return LAST_DOT;
    return name->text[1] == '.' ? LAST_DOTDOT : LAST_NAME;
}

static bool path_equal(const struct path *a, const struct path *b)
{
    return a->dentry == b->dentry && a->mount == b->mount;
}

static int walk_dotdot(struct walk *walk)
{
    struct mount *mount = walk->path.mount;
    struct dentry *parent;

    for (;;) {
        if (path_equal(&walk->path, &walk->root))
            return (walk->flags & LOOKUP_BENEATH) ? -EXDEV : 0;
        if (walk->path.dentry != walk->path.mount->root)
            break;
        if (!path_leave_mount(&walk->path))
            return 0;
    }
    parent = dentry_parent(walk->path.dentry);
    dentry_unref(walk->path.dentry);
    walk->path.dentry = parent;
    path_follow_mounts(&walk->path);
    if ((walk->flags & LOOKUP_NO_XDEV) && walk->path.mount != mount)
        return -EXDEV;
    return 0;
}

void walk_enter(struct walk *walk, struct dentry *child)
{
    dentry_unref(walk->path.dentry);
    walk->path.dentry = child;
    if (unlikely(dentry_is_mounted(child)))
        path_follow_mounts(&walk->path);
}

static int check_crossing(const struct walk *walk, const struct mount *before)
{
    return (walk->flags & LOOKUP_NO_XDEV) && walk->path.mount != before ? -EXDEV : 0;
}

/* A link that leads to a place (/proc/N/fd/3). */
static int follow_magic(struct walk *walk)
{
    struct path target = {NULL, NULL};
    int error;

    if (walk->flags & (LOOKUP_NO_MAGICLINKS | LOOKUP_BENEATH | LOOKUP_IN_ROOT))
        return (walk->flags & LOOKUP_NO_MAGICLINKS) ? -ELOOP : -EXDEV;
    error = path_inode(&walk->path)->ops->follow(path_inode(&walk->path), &target);
    if (error != 0)
        return error;
    if ((walk->flags & LOOKUP_NO_XDEV) && target.mount != walk->path.mount) {
        path_unref(&target);
        return -EXDEV;
    }
    path_unref(&walk->path);
    walk->path = target;
    return 0;
}

/* Puts the rest of the name aside and goes on with a link's text. */
static void push_text(struct walk *walk, char *text)
{
    struct walk_links *links = walk->links;

    if (*walk->rest == '\0') { /* the link was last: nothing to come back to, its own text is */
        kfree(links->text[WALK_LINKS_MAX]);
        links->text[WALK_LINKS_MAX] = text;
    } else {
        links->text[links->depth] = text;
        links->resume[links->depth] = walk->rest;
        links->depth++;
    }
    walk->rest = text;
}

static int read_link_text(struct inode *inode, char **out)
{
    ssize_t len = -EINVAL;
    char *text = NULL;

    text = kmalloc(PATH_MAX);
    if (text == NULL)
        return -ENOMEM;
    if (inode->ops->readlink != NULL)
        len = inode->ops->readlink(inode, text, PATH_MAX - 1);
    if (len <= 0) {
        kfree(text);
        return len < 0 ? (int)len : -ENOENT;
    }
    text[len] = '\0';
    *out = text;
    return 0;
}

int walk_follow(struct walk *walk, const struct path *dir, bool *jumped)
{
    struct inode *inode = path_inode(&walk->path);
    char *text = NULL;
    int error;

    *jumped = false;
    if (++walk->link_count > WALK_LINKS_MAX || (walk->flags & LOOKUP_NO_SYMLINKS))
        return -ELOOP;
    if (walk->path.mount->flags & MS_NOSYMFOLLOW)
        return -ELOOP;
    if (inode->ops->follow != NULL) {
        *jumped = true;
        return follow_magic(walk);
    }
    if (walk->links == NULL) {
        walk->links = kzalloc(sizeof(*walk->links));
        if (walk->links == NULL)
            return -ENOMEM;
    }
    error = read_link_text(inode, &text);
    if (error != 0)
        return error;
    push_text(walk, text);
    if (text[0] == '/')
        return walk_jump_to_root(walk);
    walk_set_path(walk, dir);
    return 0;
}

/* Into a component that more follows upon, in walk->last. */
static int walk_through(struct walk *walk)
{
    struct path dir = walk->path;
    struct dentry *child;
    bool jumped;
    int error;

    error = dentry_lookup(dir.dentry, &walk->last, (walk->flags & LOOKUP_CACHED) != 0, &child);
    if (error != 0)
        return error;
    if (child->inode == NULL) {
        dentry_unref(child);
        return -ENOENT;
    }
    if (likely(!S_ISLNK(child->inode->mode))) {
        walk_enter(walk, child);
        return check_crossing(walk, dir.mount);
    }
    path_ref(&dir);
    walk_enter(walk, child);
    error = walk_follow(walk, &dir, &jumped);
    path_unref(&dir);
    return error;
}

static void walk_hold(struct walk *walk)
{
    if (!walk->path_held)
        path_ref(&walk->path);
    walk->path_held = true;
}

/* Names that dentry_peek may pass: not . and .. */
static bool plain_component(const char *text, struct name *name)
{
    uint32_t hash = 0, len = 0;
    unsigned char c;

    while ((c = (unsigned char)text[len]) != '/' && c != '\0') {
        hash = (hash + c) * 0x9e3779b1u; /* name_hash */
        len++;
    }
    *name = (struct name){text, len, hash};
    return len <= NAME_MAX && component_type(name) == LAST_NAME;
}

/* Nothing but slashes: the name before is the last one and must be a directory. */
static bool is_trailing(const char *rest)
{
    while (*rest == '/')
        rest++;
    return *rest == '\0';
}

/* Ends a quick walk and its reading section at `at`: takes the references that it went without.
 * False if the dentry went away meanwhile or a rename came between. */
static bool settle_at(struct walk *walk, struct dentry *at, uint32_t sequence)
{
    struct dentry *from = walk->path.dentry;
    bool alive = atomic_inc_not_zero(&at->refs);

    defer_read_end();
    if (!alive)
        return false;
    if (rename_read_retry(sequence)) {
        dentry_unref(at);
        return false;
    }
    walk->path.dentry = at;
    if (walk->path_held)
        dentry_unref(from);
    else
        mount_ref(walk->path.mount);
    walk->path_held = true;
    return true;
}

/* How far a quick walk came. */
enum quick { QUICK_LAST, QUICK_NAME, QUICK_NOT };

/*
 * Goes as far as cached directories lead, without taking references on the way: no links, mount
 * points, dots or odd permissions. QUICK_LAST: to the last component, which is in walk->last;
 * QUICK_NAME: to one that more follows upon and that is to be looked up, there too;
 * QUICK_NOT: the walk proper goes on from where this ends.
 */
static enum quick walk_quickly(struct walk *walk)
{
    struct name *name = &walk->last;
    struct dentry *at = walk->path.dentry, *child;
    const char *rest = walk->rest;
    enum quick result = QUICK_NOT;
    uint32_t sequence;

    defer_read_begin();
    sequence = rename_read_begin();
    for (;;) {
        const struct inode *dir = at->inode;

        while (*rest == '/')
            rest++;
        if (*rest == '\0' || !S_ISDIR(dir->mode) || (dir->mode & 0111) != 0111 ||
            dir->ops->permission != NULL || !plain_component(rest, name))
            break;
        if (name->text[name->len] == '\0') {
            result = QUICK_LAST;
            break;
        }
        if (is_trailing(name->text + name->len))
            break;
        child = dentry_peek(at, name);
        if (child == NULL || child->inode == NULL || !S_ISDIR(child->inode->mode) ||
            dentry_is_mounted(child)) {
            result = QUICK_NAME;
            break;
        }
        at = child;
        rest = name->text + name->len;
    }
    if (at == walk->path.dentry)
        defer_read_end();
    else if (!settle_at(walk, at, sequence))
        return QUICK_NOT;
    walk->rest = rest;
    if (result == QUICK_NOT)
        return result;
    walk->last_type = LAST_NAME;
    walk->rest = name->text + name->len;
    return result;
}

/* One component, looked at with care: 0, 1 when it is the last one (or there is none left), or an
 * error. */
static int next_slowly(struct walk *walk)
{
    struct inode *dir = path_inode(&walk->path);
    int error;

    if (!more_components(walk)) {
        walk->last_type = LAST_NONE;
        return 1;
    }
    if (!S_ISDIR(dir->mode))
        return -ENOTDIR;
    if ((dir->mode & 0111) != 0111 || dir->ops->permission != NULL) {
        error = inode_permission(dir, MAY_EXEC, walk->cred);
        if (error != 0)
            return error;
    }
    error = next_component(walk, &walk->last);
    if (error != 0)
        return error;
    walk->last_type = component_type(&walk->last);
    return at_last(walk);
}

int walk_to_last(struct walk *walk)
{
    for (;;) {
        enum quick quick = walk->links == NULL ? walk_quickly(walk) : QUICK_NOT;
        int result = 0;

        walk_hold(walk);
        if (quick == QUICK_NOT)
            result = next_slowly(walk);
        if (quick == QUICK_LAST || result > 0)
            return 0;
        if (result == 0 && likely(walk->last_type == LAST_NAME))
            result = walk_through(walk);
        else if (result == 0 && walk->last_type == LAST_DOTDOT)
            result = walk_dotdot(walk);
        if (result != 0)
            return result;
    }
}

/* The last component, when it has a name: `*again` when it was a link that leads to another. */
static int finish_name(struct walk *walk, bool follow, bool *again)
{
    struct path dir = walk->path;
    struct dentry *child;
    bool jumped = true;
    int error;

    error = dentry_lookup(dir.dentry, &walk->last, (walk->flags & LOOKUP_CACHED) != 0, &child);
    if (error != 0)
        return error;
    if (child->inode == NULL) {
        dentry_unref(child);
        return -ENOENT;
    }
    if (!S_ISLNK(child->inode->mode) || !(follow || walk->trailing_slash)) {
        walk_enter(walk, child);
        return check_crossing(walk, dir.mount);
    }
    path_ref(&dir);
    walk_enter(walk, child);
    error = walk_follow(walk, &dir, &jumped);
    path_unref(&dir);
    *again = !jumped;
    return error;
}

int walk_last_once(struct walk *walk, bool follow)
{
    bool again = false;
    int error = 0;

    if (walk->last_type == LAST_NAME)
        error = finish_name(walk, follow, &again);
    else if (walk->last_type == LAST_DOTDOT)
        error = walk_dotdot(walk);
    if (error == 0 && again)
        error = walk_to_last(walk);
    return error != 0 ? error : again;
}

int walk_finish(struct walk *walk, bool follow)
{
    int result;

    do {
        result = walk_last_once(walk, follow);
    } while (result == 1);
    return result;
}

int path_lookup(const struct path *at, const char *name, unsigned flags, struct path *out)
{
    struct walk walk;
    int error;

    error = walk_start(&walk, at, name, flags);
    if (error != 0)
        return error;
    error = walk_to_last(&walk);
    if (error == 0)
        error = walk_finish(&walk, (flags & LOOKUP_FOLLOW) != 0);
    if (error == 0 && ((flags & LOOKUP_DIRECTORY) || walk.trailing_slash) &&
        !S_ISDIR(path_inode(&walk.path)->mode))
        error = -ENOTDIR;
    if (error == 0)
        walk_take(&walk, out);
    walk_end(&walk);
    return error;
}
