/* SPDX-License-Identifier: MIT
 *
 * Which program a root runs, as whom and where, and whether it can run at all: a wrong answer here
 * costs a message now instead of a boot that ends in one.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "library.h"
#include "root.h"

/* --- Users. ------------------------------------------------------------------------------------
 */

/* Field `index` of the line whose field 0 (or, for digits, 2) is name; NULL: no such line. */
static char *find_field(const char *database, const char *name, int index)
{
    struct words lines = {0};
    char *result = NULL;

    words_split(&lines, database, "\n");
    for (size_t i = 0; i < lines.count && result == NULL; i++) {
        char *fields[8] = {0}, *rest = lines.item[i];

        for (int n = 0; n < 8 && rest; n++)
            fields[n] = strsep(&rest, ":");
        if (fields[0] && fields[2] &&
            (strcmp(fields[0], name) == 0 || strcmp(fields[2], name) == 0) && fields[index])
            result = text_copy(fields[index]);
    }
    words_clear(&lines);
    return result;
}

static char *read_text(const struct root *root, const char *path)
{
    struct node *node = tree_find(&root->tree, path, true);
    char *text = node && S_ISREG(node->mode) ? node_read(node, NULL) : NULL;

    return text ? text : text_copy("");
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == '\0';
}

/* -1 stands for "no change" in Linux's calls, so that it is no number of a user. */
static bool is_id(const char *text)
{
    return is_number(text) && strlen(text) <= 10 && strtoull(text, NULL, 10) < UINT32_MAX;
}

/* Groups that list the user as a member, as ",<gid>..." for the manifest. */
static void add_groups(struct buffer *user, const char *groups, const char *name)
{
    struct words lines = {0};
    bool first = true;

    words_split(&lines, groups, "\n");
    for (size_t i = 0; i < lines.count; i++) {
        char *rest = lines.item[i];
        char *fields[4] = {0};
        struct words members = {0};

        for (int n = 0; n < 4 && rest; n++)
            fields[n] = strsep(&rest, ":");
        if (fields[3])
            words_split(&members, fields[3], ",");
        if (words_hold(&members, name) && fields[2]) {
            buffer_format(user, "%c%s", first ? ':' : ',', fields[2]);
            first = false;
        }
        words_clear(&members);
    }
    words_clear(&lines);
}

int root_set_user(struct root *root, const char *wanted)
{
    char *passwd = read_text(root, "/etc/passwd");
    char *groups = read_text(root, "/etc/group");
    char *name = memory_copy(wanted, strcspn(wanted, ":"));
    const char *group = strchr(wanted, ':');
    char *uid = find_field(passwd, name, 2);
    char *gid = group ? find_field(groups, group + 1, 2) : find_field(passwd, name, 3);
    char *home = find_field(passwd, name, 5);
    struct buffer text = {0};
    int status = 0;

    if (uid == NULL && is_id(name))
        uid = text_copy(name);
    if (gid == NULL && group && is_id(group + 1))
        gid = text_copy(group + 1);
    if (gid == NULL && group == NULL && uid)
        gid = text_copy(is_number(name) ? "0" : uid);
    if (uid == NULL || gid == NULL) {
        status =
            message_error("user %s: the root's /etc/passwd and /etc/group do not know it; give "
                          "numbers, as in 1000:1000",
                          wanted);
    } else {
        buffer_format(&text, "%s:%s", uid, gid);
        if (group == NULL)
            add_groups(&text, groups, name);
        free(root->manifest.user);
        root->manifest.user = text.data;
        if (home && *home) {
            char *setting = text_format("HOME=%s", home);

            environment_set(&root->manifest.env, setting);
            free(setting);
        }
    }
    free(passwd);
    free(groups);
    free(name);
    free(uid);
    free(gid);
    free(home);
    return status;
}

/* --- The program. ------------------------------------------------------------------------------
 */

static bool is_executable(const struct node *node)
{
    return node && S_ISREG(node->mode) && (node->mode & 0111);
}

/* Path of a command in the root, owned by the caller; NULL: not found. *bad: found, no program. */
static char *find_command(const struct root *root, const char *name, char **bad)
{
    const char *path = environment_get(&root->manifest.env, "PATH");
    struct words folders = {0};
    char *found = NULL;

    *bad = NULL;
    if (strchr(name, '/')) {
        const char *cwd = root->manifest.cwd ? root->manifest.cwd : "";

        words_add(&folders, name[0] == '/' ? "" : *cwd ? cwd : "/");
    } else {
        words_split(&folders, path ? path : "/usr/bin:/bin", ":");
    }
    for (size_t i = 0; i < folders.count && found == NULL; i++) {
        char *file = name[0] == '/' ? text_copy(name) : text_format("%s/%s", folders.item[i], name);
        struct node *node = tree_find(&root->tree, file, true);

        if (is_executable(node)) {
            found = file;
        } else {
            if (node && *bad == NULL)
                *bad = text_copy(file);
            free(file);
        }
    }
    words_clear(&folders);
    return found;
}

/* --- A program that is not there: what the user may have meant. --------------------------------
 */

enum { NAMED_MAX = 12 };

struct search {
    const char *name; /* to be equal to or, in /usr/bin, to begin with; NULL: any */
    bool prefix;
    bool whole_path;
    struct words *found;
};

static int note_program(const char *path, struct node *node, void *context)
{
    const struct search *search = context;
    const char *name = strrchr(path, '/') + 1;

    if (is_executable(node) && *name &&
        (search->name == NULL ||
         (search->prefix ? text_starts(name, search->name) : strcmp(name, search->name) == 0)))
        words_add(search->found, search->whole_path ? path : name);
    return 0;
}

/* "a, b, c and 4 more"; empty if there are none. */
static void list_programs(const struct root *root, const char *folder, struct search search,
                          struct buffer *text)
{
    struct words programs = {0};

    search.found = &programs;
    tree_walk(&root->tree, folder, note_program, &search);
    words_sort(&programs);
    for (size_t i = 0; i < programs.count && i < NAMED_MAX; i++)
        buffer_format(text, "%s%s", i ? ", " : "", programs.item[i]);
    if (programs.count > NAMED_MAX)
        buffer_format(text, " and %zu more", programs.count - NAMED_MAX);
    words_clear(&programs);
}

/* By that name elsewhere, else by a longer name (a version is often part of it), else all. */
static int report_not_found(const struct root *root, const char *name)
{
    const char *base = strrchr(name, '/') ? strrchr(name, '/') + 1 : name;
    struct buffer text = {0};
    const char *where = "; the root has ";

    list_programs(root, "/", (struct search){.name = base, .whole_path = true}, &text);
    if (text.length == 0) {
        where = "; did you mean ";
        list_programs(root, "/usr/bin", (struct search){.name = base, .prefix = true}, &text);
    }
    if (text.length == 0) {
        where = "; its /usr/bin has ";
        list_programs(root, "/usr/bin", (struct search){0}, &text);
    }
    message_error("%s: not found in the root%s%s", name, text.length ? where : "",
                  text.length ? text.data : "");
    buffer_free(&text);
    return FRAME_STATUS_NOT_FOUND;
}

/* Packages that Debian takes for granted, so that no other depends on them; NULL: not of them. */
static const char *essential_package(const char *interpreter)
{
    static const char *const packages[][2] = {
        {"sh", "dash"}, {"dash", "dash"}, {"bash", "bash"}, {"perl", "perl-base"}};
    const char *name = strrchr(interpreter, '/') ? strrchr(interpreter, '/') + 1 : interpreter;

    for (size_t i = 0; i < sizeof(packages) / sizeof(packages[0]); i++)
        if (strcmp(name, packages[i][0]) == 0)
            return packages[i][1];
    return NULL;
}

/* #! line: the interpreter must be there too. */
static int check_script(const struct root *root, const char *path, const char *data, size_t size)
{
    size_t start = 2 + strspn(data + 2, " \t");
    size_t length = strcspn(data + start, " \t\r\n");
    char *interpreter = memory_copy(data + start, length);
    const char *package = essential_package(interpreter);
    int status = 0;

    (void)size;
    if (!is_executable(tree_find(&root->tree, interpreter, true)))
        status = message_fail(FRAME_STATUS_NOT_FOUND,
                              "%s: a script for %s, which the root does not have; add the package "
                              "that holds it%s%s",
                              path, *interpreter ? interpreter : "an interpreter",
                              package ? ", as in deb:PACKAGE," : "", package ? package : "");
    free(interpreter);
    return status;
}

static int check_program(struct root *root, const char *path)
{
    struct node *node = tree_find(&root->tree, path, true);
    size_t size;
    char *data = node_read(node, &size);
    int status;

    if (data == NULL)
        return message_error("%s: cannot be read: %s", path, strerror(errno));
    if (size > 2 && data[0] == '#' && data[1] == '!')
        status = check_script(root, path, data, size);
    else
        status = library_check(&root->tree, path, data, size, &root->manifest.env);
    free(data);
    return status;
}

static bool is_folder(const char *path)
{
    struct stat info;

    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

static int report_no_command(const struct root *root, const struct options *options)
{
    const struct words *choices = &root->manifest.choices;
    struct buffer text = {0};

    for (size_t i = 0; i < choices->count && i < 40; i++)
        buffer_format(&text, "%s%s", i ? ", " : "; there are ", choices->item[i]);
    if (choices->count > 40)
        buffer_format(&text, " and %zu more", choices->count - 40);
    else if (is_folder(options->source))
        buffer_add_text(&text, ", or as `command` under [program] of its remora.conf");
    message_error("%s: which program? Name it: remora run %s PROGRAM ...%s", options->source,
                  options->source, text.length ? text.data : "");
    buffer_free(&text);
    return STATUS_ERROR;
}

static int choose_command(struct root *root, const struct options *options)
{
    struct manifest *manifest = &root->manifest;
    char *path, *bad;
    int status;

    if (options->args.count) {
        if (root->fd >= 0 || manifest->exec == NULL) {
            words_clear(&manifest->args);
            free(manifest->exec);
            manifest->exec = NULL;
        }
        words_add_all(&manifest->args, &options->args);
    }
    if (manifest->args.count == 0)
        return report_no_command(root, options);
    path = find_command(root, manifest->exec ? manifest->exec : manifest->args.item[0], &bad);
    if (path)
        status = check_program(root, path);
    else if (bad)
        status = message_fail(FRAME_STATUS_CANNOT_EXEC,
                              "%s: in the root, but not an executable file", bad);
    else
        status = report_not_found(root, manifest->args.item[0]);
    free(path);
    free(bad);
    return status;
}

int root_choose_program(struct root *root, const struct options *options)
{
    struct manifest *manifest = &root->manifest;
    int status = 0;

    if (options->user)
        status = root_set_user(root, options->user);
    for (size_t i = 0; i < options->env.count; i++)
        environment_set(&manifest->env, options->env.item[i]);
    if (options->workdir) {
        struct node *node = tree_find(&root->tree, options->workdir, true);

        if (options->workdir[0] != '/')
            status = message_error("-w %s: give an absolute path of the guest", options->workdir);
        else if (status == 0 && (node == NULL || !S_ISDIR(node->mode)) && !options->volumes.count)
            status = message_error("-w %s: the root has no such folder", options->workdir);
        free(manifest->cwd);
        manifest->cwd = text_copy(options->workdir);
    }
    if (options->name) {
        free(manifest->name);
        free(manifest->hostname);
        manifest->name = text_copy(options->name);
        manifest->hostname = text_copy(options->name);
    }
    return status ? status : choose_command(root, options);
}
