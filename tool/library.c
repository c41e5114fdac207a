/* SPDX-License-Identifier: MIT
 *
 * Shared libraries.
 */
#include "library.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "manifest.h"
#include "message.h"

static const char *const standard_folders[] = {
    "/lib/aarch64-linux-gnu",
    "/usr/lib/aarch64-linux-gnu",
    "/lib",
    "/usr/lib",
    "/lib64",
    "/usr/lib64",
    "/usr/local/lib",
};

bool library_is_musl(const char *interpreter)
{
    return interpreter && strstr(interpreter, "/ld-musl-");
}

bool library_is_loader(const char *interpreter, const char *soname)
{
    return library_is_musl(interpreter) &&
           (strcmp(soname, "libc.so") == 0 || text_starts(soname, "libc.musl-"));
}

char *library_package(const char *name)
{
    static const char *const known[][2] = {
        {"ld-linux-aarch64.so.1", "libc6"},
        {"ld-musl-aarch64.so.1", "musl"},
        {"libc.musl-aarch64.so.1", "musl"},
        {"libc.so.6", "libc6"},
        {"libm.so.6", "libc6"},
        {"libpthread.so.0", "libc6"},
        {"libdl.so.2", "libc6"},
        {"librt.so.1", "libc6"},
        {"libstdc++.so.6", "libstdc++6"},
        {"libgcc_s.so.1", "libgcc-s1"},
        {"libz.so.1", "zlib1g"},
        {"libcrypto.so.3", "libssl3"},
        {"libssl.so.3", "libssl3"},
    };
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    const char *so = strstr(base, ".so.");
    struct buffer text = {0};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcmp(known[i][0], base) == 0)
            return text_copy(known[i][1]);
    /* Debian policy, section 8.1: libfoo.so.N is in libfooN, libfoo2.so.N in libfoo2-N. */
    for (const char *c = base; *c && c != so; c++)
        if (strncmp(c, ".so", 3) != 0)
            buffer_add_byte(&text, *c == '_' ? '-' : (char)tolower((unsigned char)*c));
        else
            break;
    if (so && text.length) {
        if (isdigit((unsigned char)text.data[text.length - 1]))
            buffer_add_byte(&text, '-');
        buffer_add(&text, so + 4, strcspn(so + 4, "."));
    }
    return text.data ? text.data : text_copy(base);
}

static char *try_folder(const struct tree *tree, const char *folder, const char *soname)
{
    char *path = text_format("%s/%s", folder, soname);
    struct node *node = tree_find(tree, path, true);

    if (node && S_ISREG(node->mode))
        return path;
    free(path);
    return NULL;
}

/* $ORIGIN and ${ORIGIN} of a run path. */
static char *expand_origin(const char *folder, const char *path)
{
    const char *slash = strrchr(path, '/');
    size_t skip = text_starts(folder, "$ORIGIN") ? 7 : text_starts(folder, "${ORIGIN}") ? 9 : 0;

    if (skip == 0)
        return text_copy(folder);
    return text_format("%.*s%s", (int)(slash ? slash - path : 0), path, folder + skip);
}

struct search {
    const char *soname;
    char *found;
};

static int match_name(const char *path, struct node *node, void *context)
{
    struct search *search = context;

    if (S_ISDIR(node->mode) || strcmp(strrchr(path, '/') + 1, search->soname) != 0)
        return 0;
    search->found = text_copy(path);
    return 1;
}

char *library_find(const struct tree *tree, const char *soname, const char *path,
                   const struct elf *elf, const struct words *env)
{
    const char *from_env = env ? environment_get(env, "LD_LIBRARY_PATH") : NULL;
    struct search search = {.soname = soname};
    struct words folders = {0};
    char *found = NULL;

    if (strchr(soname, '/'))
        return tree_find(tree, soname, true) ? text_copy(soname) : NULL;
    for (size_t i = 0; i < elf->search.count; i++)
        words_take(&folders, expand_origin(elf->search.item[i], path));
    if (from_env)
        words_split(&folders, from_env, ":;");
    for (size_t i = 0; i < sizeof(standard_folders) / sizeof(standard_folders[0]); i++)
        words_add(&folders, standard_folders[i]);
    for (size_t i = 0; i < folders.count && found == NULL; i++)
        found = try_folder(tree, folders.item[i], soname);
    words_clear(&folders);
    if (found)
        return found;
    /* The folders of ld.so.conf and of programs that load their own: anywhere below a lib folder.
     */
    tree_walk(tree, "/usr/lib", match_name, &search);
    if (search.found == NULL)
        tree_walk(tree, "/usr/local/lib", match_name, &search);
    return search.found;
}

/* Libraries still to be looked at, each once. */
struct closure {
    const struct tree *tree;
    const struct words *env;
    const char *interpreter;
    struct words seen;
    struct words *missing;
};

static void follow_needs(struct closure *closure, const char *path, const struct elf *elf);

static void follow_file(struct closure *closure, const char *path)
{
    struct node *node = tree_find(closure->tree, path, true);
    size_t size;
    char *data = node ? node_read(node, &size) : NULL;
    struct elf elf = {0};

    if (data && elf_parse(&elf, data, size) == ELF_OK)
        follow_needs(closure, path, &elf);
    elf_free(&elf);
    free(data);
}

static void follow_needs(struct closure *closure, const char *path, const struct elf *elf)
{
    for (size_t i = 0; i < elf->needed.count; i++) {
        char *found;

        if (words_hold(&closure->seen, elf->needed.item[i]) ||
            library_is_loader(closure->interpreter, elf->needed.item[i]))
            continue;
        words_add(&closure->seen, elf->needed.item[i]);
        found = library_find(closure->tree, elf->needed.item[i], path, elf, closure->env);
        if (found)
            follow_file(closure, found);
        else
            words_take(closure->missing, text_format("%s (for %s)", elf->needed.item[i], path));
        free(found);
    }
}

void library_missing(const struct tree *tree, const char *path, const void *data, size_t size,
                     const struct words *env, struct words *missing)
{
    struct closure closure = {.tree = tree, .env = env, .missing = missing};
    struct elf elf;

    if (elf_parse(&elf, data, size) == ELF_OK) {
        if (elf.interpreter && tree_find(tree, elf.interpreter, true) == NULL)
            words_take(missing, text_format("%s (for %s)", elf.interpreter, path));
        closure.interpreter = elf.interpreter;
        follow_needs(&closure, path, &elf);
    }
    words_clear(&closure.seen);
    elf_free(&elf);
}

static int report_missing(const char *path, const char *item, const char *kind)
{
    char *name = memory_copy(item, strcspn(item, " "));
    char *package = library_package(name);

    message_error("%s: the root lacks the %s %s, which package %s should hold; add it with --with "
                  "deb:%s, or give the folder that has it with --sysroot DIR",
                  path, kind, item, package, package);
    free(name);
    free(package);
    return FRAME_STATUS_NOT_FOUND;
}

int library_check(const struct tree *tree, const char *path, const void *data, size_t size,
                  const struct words *env)
{
    struct words missing = {0};
    int status = 0;
    struct elf elf;

    if (elf_parse(&elf, data, size) != ELF_OK)
        status = message_fail(FRAME_STATUS_CANNOT_EXEC, "%s: %s", path, elf.message);
    else
        library_missing(tree, path, data, size, env, &missing);
    for (size_t i = 0; i < missing.count; i++) {
        bool loader = elf.interpreter && text_starts(missing.item[i], elf.interpreter);

        status = report_missing(path, missing.item[i], loader ? "loader" : "library");
        if (loader)
            break;
    }
    words_clear(&missing);
    elf_free(&elf);
    return status;
}
