/* SPDX-License-Identifier: MIT
 *
 * Making a root from a SOURCE.
 */
#include "root.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "erofs.h"
#include "message.h"

void root_init(struct root *root)
{
    *root = (struct root){.fd = -1, .spool = -1};
    tree_init(&root->tree);
}

void root_free(struct root *root)
{
    struct manifest *manifest = &root->manifest;

    tree_free(&root->tree);
    if (root->fd >= 0)
        close(root->fd);
    if (root->spool >= 0)
        close(root->spool);
    free(root->image);
    free(manifest->exec);
    free(manifest->cwd);
    free(manifest->user);
    free(manifest->hostname);
    free(manifest->name);
    words_clear(&manifest->args);
    words_clear(&manifest->env);
    words_clear(&manifest->packages);
    words_clear(&manifest->choices);
    words_clear(&manifest->notes);
}

static void add_missing_directory(struct tree *tree, const char *path, mode_t mode)
{
    if (tree_find(tree, path, false) == NULL)
        tree_add_directory(tree, path, mode);
}

static void add_missing_text(struct tree *tree, const char *path, const char *text)
{
    if (tree_find(tree, path, false) == NULL)
        tree_add_text(tree, path, 0644, text);
}

void root_add_mount_points(struct root *root)
{
    static const char *const plain[] = {"/proc", "/sys", "/dev", "/run", "/etc"};

    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        add_missing_directory(&root->tree, plain[i], 0755);
    add_missing_directory(&root->tree, "/tmp", 01777);
    add_missing_directory(&root->tree, "/root", 0700);
}

/* The merged /usr and the folders that Debian's base system has, before any package is put in. */
void root_add_skeleton(struct root *root)
{
    static const char *const merged[] = {"bin", "sbin", "lib"};
    static const char *const plain[] = {"/usr/local/bin", "/var/lib", "/var/cache", "/var/log",
                                        "/home"};

    for (size_t i = 0; i < sizeof(merged) / sizeof(merged[0]); i++) {
        char *link = text_format("/%s", merged[i]);
        char *target = text_format("usr/%s", merged[i]);
        char *directory = text_format("/%s", target);

        add_missing_directory(&root->tree, directory, 0755);
        if (tree_find(&root->tree, link, false) == NULL)
            tree_add_symlink(&root->tree, link, target);
        free(link);
        free(target);
        free(directory);
    }
    for (size_t i = 0; i < sizeof(plain) / sizeof(plain[0]); i++)
        add_missing_directory(&root->tree, plain[i], 0755);
    add_missing_directory(&root->tree, "/var/tmp", 01777);
    if (tree_find(&root->tree, "/var/run", false) == NULL)
        tree_add_symlink(&root->tree, "/var/run", "/run");
    root_add_mount_points(root);
    add_missing_text(&root->tree, "/etc/passwd",
                     "root:x:0:0:root:/root:/bin/sh\n"
                     "daemon:x:1:1:daemon:/usr/sbin:/usr/sbin/nologin\n"
                     "bin:x:2:2:bin:/bin:/usr/sbin/nologin\n"
                     "sys:x:3:3:sys:/dev:/usr/sbin/nologin\n"
                     "mail:x:8:8:mail:/var/mail:/usr/sbin/nologin\n"
                     "www-data:x:33:33:www-data:/var/www:/usr/sbin/nologin\n"
                     "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n");
    add_missing_text(
        &root->tree, "/etc/group",
        "root:x:0:\ndaemon:x:1:\nbin:x:2:\nsys:x:3:\nadm:x:4:\ntty:x:5:\ndisk:x:6:\n"
        "mail:x:8:\nwww-data:x:33:\nshadow:x:42:\nutmp:x:43:\nstaff:x:50:\nusers:x:100:\n"
        "nogroup:x:65534:\n");
    add_missing_text(&root->tree, "/etc/hosts", "127.0.0.1\tlocalhost remora\n::1\tlocalhost\n");
    add_missing_text(&root->tree, "/etc/nsswitch.conf",
                     "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"
                     "protocols: files\nservices: files\n");
}

static void set_default_environment(struct manifest *manifest)
{
    if (!environment_get(&manifest->env, "PATH"))
        environment_set(&manifest->env, ROOT_DEFAULT_PATH);
    if (!environment_get(&manifest->env, "HOME"))
        environment_set(&manifest->env, "HOME=/root");
}

int root_seal(struct root *root)
{
    struct buffer text = {0};
    int status = 0;

    manifest_write(&root->manifest, &text);
    if (text.length > MANIFEST_SIZE_MAX)
        status = message_error("arguments and environment take %zu bytes, at most %d fit; put them "
                               "into a file that the program reads",
                               text.length, MANIFEST_SIZE_MAX);
    tree_add_directory(&root->tree, MANIFEST_DIRECTORY, 0755);
    tree_add_text(&root->tree, MANIFEST_PATH, 0444, text.data);
    buffer_free(&text);
    return status;
}

int root_read(struct root *root, int fd, uint64_t offset, uint64_t size, const char *name)
{
    struct tree tree;
    struct node *node;
    const char *why;
    char *text;
    int error = erofs_read(&tree, fd, offset, size, &why);

    if (error)
        return message_error("%s: the root image is corrupt: %s; build it again", name,
                             error == -EBADMSG ? why : strerror(-error));
    tree_free(&root->tree);
    root->tree = tree;
    root->fd = fd;
    root->offset = offset;
    root->size = size;
    node = tree_find(&tree, MANIFEST_PATH, false);
    if (node == NULL || !S_ISREG(node->mode) || node->size > MANIFEST_SIZE_MAX)
        return message_error("%s: its root has no " MANIFEST_PATH "; make it with `remora build`",
                             name);
    text = node_read(node, NULL);
    error = text ? manifest_parse(&root->manifest, text) : -EIO;
    free(text);
    if (error)
        return message_error("%s: its manifest is damaged; build it again", name);
    return 0;
}

static int load_image(struct root *root, const char *path)
{
    struct image image;
    int status = image_open(&image, path);

    if (status)
        return status;
    if (image.remora.root_offset == 0) {
        status = message_error("%s: a kernel without a root; name the program to run, as in "
                               "`remora run --kernel %s PROGRAM`",
                               path, path);
    } else {
        status = image_verify_root(&image);
    }
    if (status == 0) {
        memcpy(root->digest, image.remora.root_digest, sizeof(root->digest));
        root->image = text_copy(path);
        status =
            root_read(root, dup(image.fd), image.remora.root_offset, image.remora.root_size, path);
    }
    image_close(&image);
    return status;
}

static bool is_directory(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

int root_add(struct root *root, const char *source, const struct options *options)
{
    if (text_starts(source, "deb:"))
        return source_deb_add(root, source + 4, options);
    if (text_starts(source, "oci:"))
        return source_oci_load(root, source + 4, options);
    if (is_directory(source))
        return source_directory_load(root, source, options);
    return source_elf_load(root, source, options);
}

static int load(struct root *root, const struct options *options)
{
    const char *source = options->source;

    if (text_starts(source, "deb:"))
        return source_deb_load(root, source + 4, options);
    if (text_starts(source, "oci:"))
        return source_oci_load(root, source + 4, options);
    if (access(source, F_OK) < 0 && text_starts(source, "docker:"))
        return message_error("%s: registries are not read; fetch the image with\n"
                             "    skopeo copy --override-arch arm64 docker://%s oci:image\n"
                             "and run oci:image",
                             source,
                             source + strlen("docker:") + 2 * text_starts(source, "docker://"));
    if (access(source, F_OK) < 0)
        return message_fail(FRAME_STATUS_NOT_FOUND,
                            "%s: %s; SOURCE is an ELF file, a folder with remora.conf, deb:NAME, "
                            "oci:PATH or an image",
                            source, strerror(errno));
    if (image_probe(source))
        return load_image(root, source);
    root_add_skeleton(root);
    if (is_directory(source))
        return source_directory_load(root, source, options);
    return source_elf_load(root, source, options);
}

int root_load(struct root *root, const struct options *options)
{
    int status = 0;

    root_init(root);
    if (options->with.count &&
        (text_starts(options->source, "deb:") || image_probe(options->source)))
        return message_error(
            "--with goes with an ELF file or a folder; for packages name them all: "
            "deb:NAME,NAME");
    for (size_t i = 0; status == 0 && i < options->with.count; i++) {
        if (i == 0)
            root_add_skeleton(root);
        status = root_add(root, options->with.item[i], options);
    }
    if (status == 0)
        status = load(root, options);
    if (status == 0)
        set_default_environment(&root->manifest);
    return status;
}
