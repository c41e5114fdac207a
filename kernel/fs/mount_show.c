/* SPDX-License-Identifier: MIT */
/* /proc/mounts, /proc/N/mountinfo, /proc/filesystems: proc(5). */
#include <file/pseudo.h>
#include <lib/errno.h>
#include <mm/slab.h>

#include "fs.h"

/* Blanks and such in names are octal, so that a line can be split. */
static void put_escaped(struct pseudo_text *text, const char *string)
{
    for (; *string != '\0'; string++) {
        if (*string == ' ' || *string == '\t' || *string == '\n' || *string == '\\')
            pseudo_printf(text, "\\%03o", (unsigned char)*string);
        else
            pseudo_write(text, string, 1);
    }
}

static void put_flags(struct pseudo_text *text, unsigned flags)
{
    static const struct {
        unsigned flag;
        const char *word;
    } words[] = {
        {MS_NOSUID, ",nosuid"},   {MS_NODEV, ",nodev"},           {MS_NOEXEC, ",noexec"},
        {MS_NOATIME, ",noatime"}, {MS_NODIRATIME, ",nodiratime"}, {MS_NOSYMFOLLOW, ",nosymfollow"},
    };

    pseudo_puts(text, (flags & MS_RDONLY) ? "ro" : "rw");
    for (unsigned i = 0; i < ARRAY_SIZE(words); i++) {
        if (flags & words[i].flag)
            pseudo_puts(text, words[i].word);
    }
    if (!(flags & MS_NOATIME))
        pseudo_puts(text, ",relatime");
}

static void put_options(struct pseudo_text *text, struct mount *mount)
{
    char options[128] = "";

    if (mount->sb->ops->show_options != NULL)
        mount->sb->ops->show_options(mount->sb, options, sizeof(options));
    pseudo_puts(text, options);
}

/* Where it is mounted, as the reader sees it; false if that is outside the reader's root. */
static bool mount_place(struct mount *mount, char *buffer)
{
    struct path path = {mount, mount->root};
    ssize_t len = path_name(&path, NULL, buffer, PATH_MAX);

    return len > 0 && buffer[0] == '/';
}

static void show_mount(struct pseudo_text *text, struct mount *mount, const char *place)
{
    put_escaped(text, mount->source);
    pseudo_puts(text, " ");
    put_escaped(text, place);
    pseudo_printf(text, " %s ", mount->sb->type);
    put_flags(text, mount->flags | ((mount->sb->flags & SB_RDONLY) ? MS_RDONLY : 0));
    put_options(text, mount);
    pseudo_puts(text, " 0 0\n");
}

static void show_mountinfo(struct pseudo_text *text, struct mount *mount, const char *place)
{
    struct mount *parent = READ_ONCE(mount->parent);

    pseudo_printf(text, "%d %d %u:%u / ", mount->id, parent != NULL ? parent->id : 0,
                  dev_major(mount->sb->dev), dev_minor(mount->sb->dev));
    put_escaped(text, place);
    pseudo_puts(text, " ");
    put_flags(text, mount->flags);
    pseudo_printf(text, " - %s ", mount->sb->type);
    put_escaped(text, mount->source);
    pseudo_printf(text, " %s", (mount->sb->flags & SB_RDONLY) ? "ro" : "rw");
    put_options(text, mount);
    pseudo_puts(text, "\n");
}

static int show_each(struct pseudo_text *text,
                     void (*show)(struct pseudo_text *, struct mount *, const char *))
{
    char *place = kmalloc(PATH_MAX);
    struct mount *mount;

    if (place == NULL)
        return -ENOMEM;
    for (unsigned i = 0; (mount = mount_at_index(i)) != NULL; i++) {
        if (mount_place(mount, place))
            show(text, mount, place);
        mount_unref(mount);
    }
    kfree(place);
    return 0;
}

int mounts_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    return show_each(text, show_mount);
}

int mountinfo_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    (void)entry;
    return show_each(text, show_mountinfo);
}

static int filesystems_show(struct pseudo_text *text, const struct pseudo_entry *entry)
{
    const struct fs_type *type;

    (void)entry;
    for (type = fs_type_first(); type != NULL; type = type->next)
        pseudo_printf(text, "%s\t%s\n", type->needs_device ? "" : "nodev", type->name);
    return 0;
}

static void fill_proc(void)
{
    pseudo_register_link(PSEUDO_PROC, "mounts", "self/mounts");
    proc_register("filesystems", filesystems_show, NULL);
}

void mount_register_proc(void)
{
    static struct pseudo_filler filler = {.fill = fill_proc};

    pseudo_fill_later(PSEUDO_PROC, &filler);
}
