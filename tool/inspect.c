/* SPDX-License-Identifier: MIT
 *
 * `remora inspect`: what an image holds.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <tool/kernel_licences.h>

#include "commands.h"
#include "percent.h"
#include "root.h"

static void print_words(const char *key, const struct words *words)
{
    if (words->count == 0)
        return;
    printf("%-10s", key);
    for (size_t i = 0; i < words->count; i++) {
        struct buffer text = {0};

        percent_add_manifest(&text, words->item[i]);
        printf("%s%s", i ? " " : "", text.data ? text.data : "''");
        buffer_free(&text);
    }
    putchar('\n');
}

static void print_text(const char *key, const char *value)
{
    if (value)
        printf("%-10s%s\n", key, value);
}

static void print_manifest(const struct manifest *manifest)
{
    print_text("name", manifest->name);
    print_text("exec", manifest->exec);
    print_words("command", &manifest->args);
    print_words("env", &manifest->env);
    print_text("cwd", manifest->cwd ? manifest->cwd : "/");
    print_text("user", manifest->user ? manifest->user : "0:0");
    print_text("hostname", manifest->hostname);
    if (manifest->memory_mib)
        printf("%-10s%u MiB\n", "memory", manifest->memory_mib);
    if (manifest->cpus)
        printf("%-10s%u\n", "cpus", manifest->cpus);
}

/* Free-form copyright files point to the texts in common-licenses. */
static void read_common_licences(const char *text, struct words *licences)
{
    static const char folder[] = "/usr/share/common-licenses/";

    for (const char *at = strstr(text, folder); at; at = strstr(at, folder)) {
        char *name;
        size_t length;

        at += strlen(folder);
        length = strspn(at, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-");
        while (length && at[length - 1] == '.')
            length--;
        name = memory_copy(at, length);
        if (length && !words_hold(licences, name))
            words_add(licences, name);
        free(name);
    }
}

/* The short names of the `License:` fields of a machine-readable copyright file (DEP-5), each once.
 */
static void read_licences(const struct tree *tree, const char *package, struct words *licences)
{
    char *path = text_format("/usr/share/doc/%s/copyright", package);
    struct node *node = tree_find(tree, path, true);
    char *text = node && S_ISREG(node->mode) ? node_read(node, NULL) : NULL;
    struct words lines = {0};

    words_split(&lines, text ? text : "", "\n");
    for (size_t i = 0; i < lines.count; i++) {
        char *name = lines.item[i] + strlen("License:");

        if (!text_starts(lines.item[i], "License:"))
            continue;
        name += strspn(name, " \t");
        if (*name && !words_hold(licences, name))
            words_add(licences, name);
    }
    if (text && licences->count == 0)
        read_common_licences(text, licences);
    if (text && licences->count == 0)
        words_add(licences, "see /usr/share/doc");
    words_clear(&lines);
    free(text);
    free(path);
}

static void print_packages(const struct root *root)
{
    const struct words *packages = &root->manifest.packages;

    if (packages->count)
        printf("\npackages:\n");
    for (size_t i = 0; i < packages->count; i++) {
        char *name = memory_copy(packages->item[i], strcspn(packages->item[i], " :"));
        struct words licences = {0};

        read_licences(&root->tree, name, &licences);
        printf("  %s", packages->item[i]);
        for (size_t n = 0; n < licences.count; n++)
            printf("%s%s", n ? ", " : "  [", licences.item[n]);
        puts(licences.count ? "]" : "  [no copyright file]");
        words_clear(&licences);
        free(name);
    }
    for (size_t i = 0; i < root->manifest.notes.count; i++)
        printf("%s  %s\n", i ? "" : "\nnot set up:\n", root->manifest.notes.item[i]);
}

static char type_letter(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFDIR:
        return 'd';
    case S_IFLNK:
        return 'l';
    case S_IFCHR:
        return 'c';
    case S_IFBLK:
        return 'b';
    case S_IFIFO:
        return 'p';
    case S_IFSOCK:
        return 's';
    default:
        return '-';
    }
}

static int print_file(const char *path, struct node *node, void *context)
{
    (void)context;
    printf("  %c%04o %u:%u %10llu  %s%s%s\n", type_letter(node->mode), node->mode & 07777u,
           node->uid, node->gid, (unsigned long long)node->size, path,
           S_ISLNK(node->mode) ? " -> " : "", S_ISLNK(node->mode) ? node->data : "");
    return 0;
}

/* lwIP's licence asks that its text comes with binaries. */
static void print_kernel(const struct image *image)
{
    printf("%-10s%llu bytes\n", "kernel", (unsigned long long)image->remora.kernel_size);
    if (image->remora.features & IMAGE_FEATURE_NETWORK)
        printf("%-10slwIP 2.2.1, under this licence:\n\n%s\n", "contains", kernel_licences);
}

static int inspect(const char *path)
{
    struct image image;
    struct root root;
    int status = image_open(&image, path);

    if (status)
        return status;
    root_init(&root);
    print_kernel(&image);
    if (image.remora.root_offset) {
        printf("%-10s%llu bytes at %llu\n", "root", (unsigned long long)image.remora.root_size,
               (unsigned long long)image.remora.root_offset);
        status = image_verify_root(&image);
        if (status == 0)
            status =
                root_read(&root, image.fd, image.remora.root_offset, image.remora.root_size, path);
        root.fd = -1; /* the image's */
        if (status == 0) {
            print_manifest(&root.manifest);
            print_packages(&root);
            puts("\nfiles:");
            tree_walk(&root.tree, "/", print_file, NULL);
        }
    }
    root_free(&root);
    image_close(&image);
    return status;
}

int command_inspect(char *const argv[])
{
    struct options options;
    bool help;
    int status = options_parse(&options, COMMAND_INSPECT, argv, &help);

    if (status == 0 && !help)
        status = inspect(options.source);
    options_free(&options);
    return status;
}
