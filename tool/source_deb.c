/* SPDX-License-Identifier: MIT
 *
 * Debian packages as a SOURCE. Which packages a set of names needs is kept for a day (closures/ of
 * the cache) or pinned by a lock file; the root that they make is kept by the digest of the
 * packages (images/), so that a second run neither asks apt nor unpacks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "apt.h"
#include "cache.h"
#include "debian.h"
#include "erofs.h"
#include "process.h"
#include "root.h"
#include "sha256.h"
#include "tar.h"

#define CLOSURE_FRESH_SECONDS (24 * 3600)
#define ROOT_FORMAT           "remora root 3" /* to be raised when the same packages give another root */

/* --- Unpacking. --------------------------------------------------------------------------------
 */

static int open_spool(struct root *root)
{
    if (root->spool < 0)
        root->spool = cache_spool();
    return root->spool < 0 ? STATUS_ERROR : 0;
}

/* Appends a tar of the package to the spool and reads it into tree. */
static int unpack_part(struct root *root, const struct package *package, const char *part,
                       struct tree *tree)
{
    char *const command[] = {"dpkg-deb", (char *)part, package->file, NULL};
    off_t start = lseek(root->spool, 0, SEEK_END);
    struct tar_options options = {0};
    struct buffer errors = {0};
    const char *why = "";
    int error;
    int status = process_run_to(command, NULL, root->spool, &errors);

    if (status == 0) {
        error = tar_read(tree, root->spool, (uint64_t)start, &options, &why);
        if (error)
            status =
                message_error("%s: %s", package->file, error == -EBADMSG ? why : strerror(-error));
    } else if (status == 127) {
        status = message_error("deb: sources need dpkg-deb, which this host lacks");
    } else {
        char *room = cache_room();

        status =
            message_error("%s: dpkg-deb cannot unpack it: %.*s\n    %s; if that is too little, set "
                          "XDG_CACHE_HOME to a folder of a larger disk",
                          package->file, errors.data ? (int)strcspn(errors.data, "\n") : 0,
                          errors.data ? errors.data : "", room);
        free(room);
    }
    buffer_free(&errors);
    return status;
}

static int unpack_script(struct root *root, const struct package *package,
                         struct debian_setup *setup)
{
    struct node *node;
    struct tree control;
    char *script = NULL;
    int status;

    tree_init(&control);
    status = unpack_part(root, package, "--ctrl-tarfile", &control);
    node = status ? NULL : tree_find(&control, "/postinst", false);
    if (node)
        script = node_read(node, NULL);
    if (status == 0)
        debian_take_script(setup, package->name, script);
    free(script);
    tree_free(&control);
    return status;
}

static int unpack(struct root *root, const struct closure *closure)
{
    struct debian_setup setup = {0};
    int status = open_spool(root);

    root_add_skeleton(root);
    for (size_t i = 0; status == 0 && i < closure->count; i++) {
        const struct package *package = &closure->package[i];

        message_progress("unpacking %s (%zu of %zu)", package->name, i + 1, closure->count);
        status = unpack_part(root, package, "--fsys-tarfile", &root->tree);
        if (status == 0)
            status = unpack_script(root, package, &setup);
        words_take(&root->manifest.packages,
                   text_format("%s %s %s", package->name, package->version, package->architecture));
    }
    message_progress_end();
    debian_apply(&setup, root);
    return status;
}

/* --- The default program. ----------------------------------------------------------------------
 */

static const char *const program_folders[] = {"/usr/bin", "/bin", "/usr/sbin", "/sbin",
                                              "/usr/games"};

static bool is_program(const struct tree *tree, const char *path)
{
    const struct node *node = tree_find(tree, path, true);

    return node && S_ISREG(node->mode) && (node->mode & 0111);
}

static bool has_program(const struct tree *tree, const char *name)
{
    for (size_t i = 0; i < sizeof(program_folders) / sizeof(program_folders[0]); i++) {
        char *path = text_format("%s/%s", program_folders[i], name);
        bool found = is_program(tree, path);

        free(path);
        if (found)
            return true;
    }
    return false;
}

static void list_programs(const struct tree *package, struct words *programs)
{
    for (size_t i = 0; i < sizeof(program_folders) / sizeof(program_folders[0]); i++) {
        const struct node *folder = tree_find(package, program_folders[i], true);

        for (size_t n = 0; folder && n < folder->count; n++)
            if (!words_hold(programs, folder->entries[n].name))
                words_add(programs, folder->entries[n].name);
    }
}

static const struct package *find_package(const struct closure *closure, const char *name)
{
    for (size_t i = 0; i < closure->count; i++)
        if (strcmp(closure->package[i].name, name) == 0)
            return &closure->package[i];
    return NULL;
}

/* The program that bears the first package's name, else the only one that the packages have. */
static int choose_default(struct root *root, const struct closure *closure,
                          const struct words *names)
{
    struct words *choices = &root->manifest.choices;
    struct tree contents;
    int status = 0;

    for (size_t i = 0; i < names->count; i++) {
        char *name = memory_copy(names->item[i], strcspn(names->item[i], "="));
        const struct package *package = find_package(closure, name);

        if (has_program(&root->tree, name)) {
            words_add(&root->manifest.args, name);
        } else if (package && status == 0) {
            tree_init(&contents);
            status = unpack_part(root, package, "--fsys-tarfile", &contents);
            list_programs(&contents, choices);
            tree_free(&contents);
        }
        free(name);
        if (root->manifest.args.count)
            break;
    }
    words_sort(choices);
    if (root->manifest.args.count)
        words_clear(choices);
    else if (choices->count == 1)
        words_add(&root->manifest.args, choices->item[0]);
    return status;
}

/* --- Which packages. ---------------------------------------------------------------------------
 */

static int split_names(const char *text, struct words *names)
{
    words_split(names, text, ",");
    if (names->count == 0)
        return message_error("deb: names no package; give deb:NAME or deb:NAME,NAME");
    for (size_t i = 0; i < names->count; i++) {
        const char *name = names->item[i];

        if (name[strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789+-.=:~")] || name[0] == '-')
            return message_error("deb:%s: not the name of a Debian package", name);
    }
    return 0;
}

static bool is_fresh(const char *path, bool offline)
{
    struct stat info;

    return stat(path, &info) == 0 &&
           (offline || time(NULL) - info.st_mtime < CLOSURE_FRESH_SECONDS);
}

/* The closure with the digests of its packages; *fetched: the files are there too. */
static int find_closure(const char *text, const struct words *names, const struct options *options,
                        struct closure *closure, bool *fetched)
{
    char *folder = cache_folder("closures");
    char *remembered = folder ? text_format("%s/%s", folder, text) : NULL;
    int status = folder ? -ENOENT : STATUS_ERROR;

    *fetched = false;
    if (folder && options->lock)
        status = closure_read(closure, text, options->lock);
    else if (folder && is_fresh(remembered, options->offline))
        status = closure_read(closure, text, remembered);
    if (status == -ENOENT) {
        status = apt_fetch(names, options->offline, closure);
        *fetched = true;
        if (status == 0)
            status = closure_write(closure, text, options->lock ? options->lock : remembered);
    }
    free(folder);
    free(remembered);
    return status;
}

/* --- The root of a closure, kept in the cache. -------------------------------------------------
 */

/* A root file: the EROFS image, then its SHA-256. */
static char *root_path(const struct closure *closure, const char *names)
{
    uint8_t digest[SHA256_SIZE];
    char text[SHA256_TEXT], *folder, *path;
    struct sha256 hash;

    sha256_start(&hash);
    sha256_add(&hash, ROOT_FORMAT, sizeof(ROOT_FORMAT));
    sha256_add(&hash, names, strlen(names) + 1);
    for (size_t i = 0; i < closure->count; i++)
        sha256_add(&hash, closure->package[i].digest, sizeof(closure->package[i].digest));
    sha256_end(&hash, digest);
    sha256_text(digest, text);
    folder = cache_folder("images");
    path = folder ? text_format("%s/%s.root", folder, text) : NULL;
    free(folder);
    return path;
}

static int open_root(struct root *root, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    off_t size = fd < 0 ? 0 : lseek(fd, 0, SEEK_END) - SHA256_SIZE;

    if (fd < 0)
        return -ENOENT;
    if (size <= 0 || size % EROFS_BLOCK ||
        pread(fd, root->digest, SHA256_SIZE, size) != SHA256_SIZE) {
        close(fd);
        return -ENOENT;
    }
    return root_read(root, fd, 0, (uint64_t)size, path);
}

static int write_root(struct root *root, const char *path)
{
    uint8_t digest[SHA256_SIZE];
    char *temporary;
    uint64_t size;
    int fd = file_begin(path, &temporary);
    int status, error;

    if (fd < 0)
        return STATUS_ERROR;
    status = erofs_write(&root->tree, fd, 0, &size);
    if (status == 0) {
        error = sha256_file(fd, 0, size, digest);
        if (error == 0 && pwrite(fd, digest, sizeof(digest), (off_t)size) != sizeof(digest))
            error = -errno;
        if (error)
            status = message_error("%s: %s", path, strerror(-error));
    }
    return file_finish(fd, temporary, path, status);
}

static int make_root(struct root *root, const char *text, const struct words *names,
                     const struct options *options, struct closure *closure, bool fetched,
                     const char *path)
{
    struct root made;
    int status = fetched ? 0 : apt_fetch(names, options->offline, closure);

    root_init(&made);
    if (status == 0)
        status = unpack(&made, closure);
    if (status == 0)
        status = choose_default(&made, closure, names);
    if (status == 0) {
        made.manifest.name = memory_copy(text, strcspn(text, ",="));
        environment_set(&made.manifest.env, ROOT_DEFAULT_PATH);
        environment_set(&made.manifest.env, "HOME=/root");
        status = root_seal(&made);
    }
    if (status == 0)
        status = write_root(&made, path);
    root_free(&made);
    return status ? status : open_root(root, path);
}

int source_deb_load(struct root *root, const char *text, const struct options *options)
{
    struct closure closure = {0};
    struct words names = {0};
    char *path = NULL;
    bool fetched;
    int status = split_names(text, &names);

    if (status == 0)
        status = find_closure(text, &names, options, &closure, &fetched);
    if (status == 0) {
        path = root_path(&closure, text);
        status = path ? open_root(root, path) : STATUS_ERROR;
        if (status == -ENOENT)
            status = make_root(root, text, &names, options, &closure, fetched, path);
    }
    free(path);
    closure_free(&closure);
    words_clear(&names);
    return status;
}

int source_deb_add(struct root *root, const char *text, const struct options *options)
{
    struct closure closure = {0};
    struct words names = {0};
    bool fetched;
    int status = split_names(text, &names);

    if (status == 0)
        status = find_closure(text, &names, options, &closure, &fetched);
    if (status == 0 && !fetched)
        status = apt_fetch(&names, options->offline, &closure);
    if (status == 0)
        status = unpack(root, &closure);
    if (status == 0 && root->manifest.args.count == 0)
        status = choose_default(root, &closure, &names);
    closure_free(&closure);
    words_clear(&names);
    return status;
}
