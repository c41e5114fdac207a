/* SPDX-License-Identifier: MIT
 *
 * A container image as a SOURCE: a folder or an uncompressed tar file in OCI image layout (OCI
 * Image Format Specification 1.0: image-layout, index, manifest, config, layer), as `skopeo copy
 * ... oci:DIR` and newer `docker save` write it. Every blob is checked against its digest.
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cache.h"
#include "process.h"
#include "root.h"
#include "sha256.h"
#include "tar.h"

#define JSON_SIZE_MAX (16u << 20)
#define DEPTH_MAX     4 /* indexes in indexes */

struct layout {
    const char *path;
    struct tree files; /* of the layout itself */
    int fd;            /* of a tar file; -1 for a folder */
    struct root *root;
};

/* --- Blobs. ------------------------------------------------------------------------------------
 */

static struct node *layout_file(struct layout *layout, const char *name)
{
    char *host = text_format("%s/%s", layout->path, name);
    char *path = text_format("/%s", name);
    struct node *node;

    if (layout->fd < 0 && tree_find(&layout->files, path, true) == NULL && access(host, R_OK) == 0)
        tree_add_host_file(&layout->files, path, 0644, host);
    node = tree_find(&layout->files, path, true);
    free(host);
    free(path);
    return node && S_ISREG(node->mode) ? node : NULL;
}

static int open_node(const struct node *node)
{
    return node->host_path ? open(node->host_path, O_RDONLY | O_CLOEXEC) : dup(node->spool);
}

static int check_digest(const struct layout *layout, const struct node *node, const char *hex)
{
    uint8_t digest[SHA256_SIZE];
    char text[SHA256_TEXT];
    int fd = open_node(node);
    int error = fd < 0 ? -errno : sha256_file(fd, node->offset, node->size, digest);

    if (fd >= 0)
        close(fd);
    if (error)
        return message_error("oci:%s: blob %s: %s", layout->path, hex, strerror(-error));
    sha256_text(digest, text);
    if (strcmp(text, hex) != 0)
        return message_error("oci:%s: blob %s is damaged (its digest is %s); fetch the image again",
                             layout->path, hex, text);
    return 0;
}

/* The blob that a descriptor names, checked. NULL after a report. */
static struct node *find_blob(struct layout *layout, const json_t *descriptor)
{
    const char *digest = json_string_value(json_object_get(descriptor, "digest"));
    struct node *node;
    char *name;

    if (digest == NULL || !text_starts(digest, "sha256:") || strlen(digest) != 7 + 64 ||
        digest[7 + strspn(digest + 7, "0123456789abcdef")]) {
        message_error("oci:%s: a descriptor has no sha256 digest", layout->path);
        return NULL;
    }
    name = text_format("blobs/sha256/%s", digest + 7);
    node = layout_file(layout, name);
    if (node == NULL)
        message_error("oci:%s: %s is missing; fetch the image again", layout->path, name);
    else if (check_digest(layout, node, digest + 7))
        node = NULL;
    free(name);
    return node;
}

static json_t *read_json(const struct layout *layout, const struct node *node, const char *what)
{
    json_error_t error;
    json_t *json = NULL;
    char *text;

    if (node == NULL || node->size > JSON_SIZE_MAX || (text = node_read(node, NULL)) == NULL) {
        message_error("oci:%s: no readable %s; give a folder or tar file in OCI layout",
                      layout->path, what);
        return NULL;
    }
    json = json_loads(text, 0, &error);
    if (json == NULL)
        message_error("oci:%s: %s: line %d: %s", layout->path, what, error.line, error.text);
    free(text);
    return json;
}

static json_t *read_json_blob(struct layout *layout, const json_t *descriptor, const char *what)
{
    struct node *node = find_blob(layout, descriptor);

    return node ? read_json(layout, node, what) : NULL;
}

/* --- Layers. -----------------------------------------------------------------------------------
 */

static int copy_to(const struct node *node, int to)
{
    size_t size;
    char *data = node_read(node, &size);
    bool good = data && write(to, data, size) == (ssize_t)size;

    free(data);
    return good ? 0 : message_error("a layer cannot be copied: %s", strerror(errno));
}

/* Appends the layer, unpacked, to the spool. */
static int decompress(struct layout *layout, const struct node *node, const char *program)
{
    char *folder = cache_folder("run");
    char *path = folder ? text_format("%s/layer.XXXXXX", folder) : NULL;
    struct buffer errors = {0};
    int fd = path ? mkostemp(path, O_CLOEXEC) : -1;
    int status = fd < 0 ? STATUS_ERROR : copy_to(node, fd);

    if (status == 0) {
        char *const command[] = {(char *)program, "-dc", path, NULL};

        status = process_run_to(command, NULL, layout->root->spool, &errors);
        if (status)
            status = message_error("oci:%s: %s cannot unpack a layer: %s", layout->path, program,
                                   status == 127 ? "it is not installed" : errors.data);
    }
    if (fd >= 0) {
        close(fd);
        unlink(path);
    }
    buffer_free(&errors);
    free(folder);
    free(path);
    return status;
}

static int add_layer(struct layout *layout, const json_t *descriptor)
{
    const char *type = json_string_value(json_object_get(descriptor, "mediaType"));
    struct tar_options options = {.whiteouts = true};
    struct node *node = find_blob(layout, descriptor);
    off_t start = lseek(layout->root->spool, 0, SEEK_END);
    const char *why;
    int status, error;

    if (node == NULL)
        return STATUS_ERROR;
    if (type && strstr(type, "gzip"))
        status = decompress(layout, node, "gzip");
    else if (type && strstr(type, "zstd"))
        status = decompress(layout, node, "zstd");
    else
        status = copy_to(node, layout->root->spool);
    if (status)
        return status;
    error = tar_read(&layout->root->tree, layout->root->spool, (uint64_t)start, &options, &why);
    if (error)
        return message_error("oci:%s: a layer is damaged: %s", layout->path,
                             error == -EBADMSG ? why : strerror(-error));
    return 0;
}

/* --- Configuration. ----------------------------------------------------------------------------
 */

static void add_strings(struct words *words, const json_t *array)
{
    const json_t *item;
    size_t i;

    json_array_foreach(array, i, item)
    {
        if (json_string_value(item))
            words_add(words, json_string_value(item));
    }
}

static int take_config(struct layout *layout, const json_t *image)
{
    const json_t *config = json_object_get(image, "config");
    const char *architecture = json_string_value(json_object_get(image, "architecture"));
    const char *directory = json_string_value(json_object_get(config, "WorkingDir"));
    const char *user = json_string_value(json_object_get(config, "User"));
    struct manifest *manifest = &layout->root->manifest;
    struct words env = {0};

    if (architecture && strcmp(architecture, "arm64") != 0)
        return message_fail(
            FRAME_STATUS_CANNOT_EXEC,
            "oci:%s: an image for %s, and Remora runs arm64 programs; fetch the arm64 "
            "one",
            layout->path, architecture);
    add_strings(&manifest->args, json_object_get(config, "Entrypoint"));
    add_strings(&manifest->args, json_object_get(config, "Cmd"));
    add_strings(&env, json_object_get(config, "Env"));
    for (size_t i = 0; i < env.count; i++)
        environment_set(&manifest->env, env.item[i]);
    words_clear(&env);
    if (directory && *directory)
        manifest->cwd = text_copy(directory);
    return user && *user ? root_set_user(layout->root, user) : 0;
}

static int load_manifest(struct layout *layout, const json_t *manifest)
{
    const json_t *layers = json_object_get(manifest, "layers"), *layer;
    json_t *config = read_json_blob(layout, json_object_get(manifest, "config"), "configuration");
    int status = config ? 0 : STATUS_ERROR;
    size_t i;

    json_array_foreach(layers, i, layer)
    {
        message_progress("layer %zu of %zu", i + 1, json_array_size(layers));
        if (status == 0)
            status = add_layer(layout, layer);
    }
    if (status == 0)
        status = take_config(layout, config);
    json_decref(config);
    return status;
}

/* Of several images the one for arm64 Linux, else the first. */
static const json_t *choose_descriptor(const json_t *manifests)
{
    const json_t *descriptor;
    size_t i;

    json_array_foreach(manifests, i, descriptor)
    {
        const json_t *platform = json_object_get(descriptor, "platform");
        const char *machine = json_string_value(json_object_get(platform, "architecture"));
        const char *system = json_string_value(json_object_get(platform, "os"));

        if (machine && system && strcmp(machine, "arm64") == 0 && strcmp(system, "linux") == 0)
            return descriptor;
    }
    return json_array_get(manifests, 0);
}

static int load_index(struct layout *layout, const json_t *index, unsigned depth)
{
    const json_t *descriptor = choose_descriptor(json_object_get(index, "manifests"));
    json_t *json;
    int status;

    if (descriptor == NULL || depth > DEPTH_MAX)
        return message_error("oci:%s: its index names no image", layout->path);
    json = read_json_blob(layout, descriptor, "manifest");
    if (json == NULL)
        return STATUS_ERROR;
    status = json_object_get(json, "manifests") ? load_index(layout, json, depth + 1)
                                                : load_manifest(layout, json);
    json_decref(json);
    return status;
}

static int open_layout(struct layout *layout)
{
    struct tar_options options = {0};
    struct stat info;
    const char *why;
    int error;

    if (layout->path[0] == '\0')
        return message_error(
            "oci: names no image; give oci:PATH, a folder or tar file in OCI layout");
    if (stat(layout->path, &info) < 0)
        return message_fail(FRAME_STATUS_NOT_FOUND, "oci:%s: %s", layout->path, strerror(errno));
    if (layout->root->spool < 0)
        layout->root->spool = cache_spool();
    if (layout->root->spool < 0)
        return STATUS_ERROR;
    if (S_ISDIR(info.st_mode))
        return 0;
    layout->fd = open(layout->path, O_RDONLY | O_CLOEXEC);
    error = layout->fd < 0 ? -errno : tar_read(&layout->files, layout->fd, 0, &options, &why);
    if (error)
        return message_error("oci:%s: %s; give a folder or an uncompressed tar file in OCI layout",
                             layout->path, error == -EBADMSG ? why : strerror(-error));
    return 0;
}

int source_oci_load(struct root *root, const char *path, const struct options *options)
{
    struct layout layout = {.path = path, .fd = -1, .root = root};
    json_t *index = NULL;
    int status;

    (void)options;
    tree_init(&layout.files);
    status = open_layout(&layout);
    if (status == 0) {
        index = read_json(&layout, layout_file(&layout, "index.json"), "index.json");
        status = index ? load_index(&layout, index, 0) : STATUS_ERROR;
    }
    message_progress_end();
    if (status == 0)
        root_add_mount_points(root);
    json_decref(index);
    tree_free(&layout.files);
    if (layout.fd >= 0)
        close(layout.fd);
    return status;
}
