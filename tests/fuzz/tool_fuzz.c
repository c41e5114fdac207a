/* SPDX-License-Identifier: MIT */
/*
 * The command's parsers. The first byte chooses: an EROFS root, a tar stream, an ELF file, a
 * manifest, console frames. What they accept is used once, as the command would.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <tool/elf.h>
#include <tool/erofs.h>
#include <tool/frame.h>
#include <tool/manifest.h>
#include <tool/tar.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int input_file(const uint8_t *data, size_t size)
{
    static int fd = -1;

    if (fd < 0)
        fd = memfd_create("input", 0);
    if (ftruncate(fd, 0) < 0 || pwrite(fd, data, size, 0) != (ssize_t)size)
        abort();
    return fd;
}

static int use_node(const char *path, struct node *node, void *context)
{
    (void)path, (void)context;
    if (S_ISREG(node->mode) && node->size < 65536)
        free(node_read(node, NULL));
    return 0;
}

static void use_tree(struct tree *tree)
{
    tree_count_links(tree);
    tree_walk(tree, "/", use_node, NULL);
    free(tree_resolve(tree, "/a/../b/./c"));
    tree_free(tree);
}

static void try_erofs(const uint8_t *data, size_t size)
{
    struct tree tree;
    const char *why;

    if (erofs_read(&tree, input_file(data, size), 0, size, &why) == 0)
        use_tree(&tree);
}

static void try_tar(const uint8_t *data, size_t size)
{
    struct tar_options options = {.whiteouts = size & 1};
    struct tree tree;
    const char *why;

    tree_init(&tree);
    tar_read(&tree, input_file(data, size), 0, &options, &why);
    use_tree(&tree);
}

static void ignore_text(const uint8_t *text, size_t size, void *context)
{
    uint8_t *sum = context;

    for (size_t i = 0; i < size; i++)
        *sum += text[i];
}

static void try_elf(const uint8_t *data, size_t size)
{
    struct elf elf;
    uint8_t sum = 0;

    if (elf_parse(&elf, data, size) == ELF_OK)
        elf_text(data, size, ignore_text, &sum);
    elf_free(&elf);
}

static void try_manifest(const uint8_t *data, size_t size)
{
    struct manifest manifest = {0};
    char *text = memory_copy(data, size);

    manifest_parse(&manifest, text);
    free(text);
    free(manifest.exec);
    free(manifest.cwd);
    free(manifest.user);
    free(manifest.hostname);
    free(manifest.name);
    words_clear(&manifest.args);
    words_clear(&manifest.env);
    words_clear(&manifest.packages);
    words_clear(&manifest.choices);
    words_clear(&manifest.notes);
}

static void count_bytes(void *context, const char *data, size_t size)
{
    (void)data;
    *(size_t *)context += size;
}

static void ignore_frame(void *context, char type, const char *payload, size_t size)
{
    (void)context, (void)type, (void)payload;
    if (size > FRAME_PAYLOAD_MAX)
        abort();
}

static void try_frames(const uint8_t *data, size_t size)
{
    size_t bytes = 0;
    const struct frame_sink sink = {count_bytes, ignore_frame, &bytes};
    struct frame_parser parser;

    frame_parser_init(&parser, "0123456789abcdef0123456789abcdef");
    for (size_t at = 0; at < size; at += 13)
        frame_parse(&parser, (const char *)data + at, size - at < 13 ? size - at : 13, &sink);
    frame_parse_end(&parser, &sink);
    if (bytes > size)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const tries[])(const uint8_t *, size_t) = {try_erofs, try_tar, try_elf,
                                                             try_manifest, try_frames};

    if (size)
        tries[data[0] % 5](data + 1, size - 1);
    return 0;
}
