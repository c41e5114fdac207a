/* SPDX-License-Identifier: MIT
 *
 * A folder with a remora.conf as a SOURCE:
 *
 *     [program]
 *     command = /usr/bin/python3 /app/main.py "two words"
 *     cwd = /app
 *     user = www-data
 *     [root]
 *     base = deb:python3-minimal,ca-certificates      any SOURCE; may be repeated
 *     [files]
 *     /app = app                                      guest path = path in the folder
 *     [env]
 *     NAME = value
 *     [machine]
 *     name = web
 *     memory = 256
 *     cpus = 2
 *
 * Files get owner root; their modes become 0755 or 0644, so that the umask of whoever checked them
 * out does not show. Packages are pinned in remora.lock beside remora.conf.
 */
#include <dirent.h>
#include <errno.h>
#include <ini.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "root.h"

struct configuration {
    struct words command;
    char *cwd;
    char *user;
    char *name;
    unsigned memory_mib;
    unsigned cpus;
    struct words bases;
    struct words places; /* guest path, folder path, guest path, ... */
    struct words env;
    char *problem;
};

static int bad_line(struct configuration *configuration, char *problem)
{
    if (configuration->problem)
        free(problem);
    else
        configuration->problem = problem;
    return 0;
}

static int set_number(struct configuration *configuration, const char *name, const char *value,
                      unsigned *number, unsigned most)
{
    char *end;
    unsigned long parsed = strtoul(value, &end, 10);

    if (end == value || *end || parsed == 0 || parsed > most)
        return bad_line(configuration,
                        text_format("%s = %s: give a number from 1 to %u", name, value, most));
    *number = (unsigned)parsed;
    return 1;
}

static int set_text(char **field, const char *value)
{
    free(*field);
    *field = text_copy(value);
    return 1;
}

/* Called by libinih for each setting; 0 marks the line as bad. */
static int take_setting(void *context, const char *section, const char *name, const char *value)
{
    struct configuration *c = context;
    char *key = text_format("%s.%s", section, name);
    int good = 1;

    if (strcmp(section, "files") == 0) {
        words_add(&c->places, name);
        words_add(&c->places, value);
        if (name[0] != '/')
            good = bad_line(c, text_format("%s: the guest path must be absolute", name));
    } else if (strcmp(section, "env") == 0) {
        words_take(&c->env, text_format("%s=%s", name, value));
    } else if (strcmp(key, "program.command") == 0) {
        words_clear(&c->command);
        if (words_split_shell(&c->command, value) < 0)
            good = bad_line(c, text_copy("command: a quote is not closed"));
    } else if (strcmp(key, "program.cwd") == 0) {
        good = set_text(&c->cwd, value);
    } else if (strcmp(key, "program.user") == 0) {
        good = set_text(&c->user, value);
    } else if (strcmp(key, "machine.name") == 0) {
        good = set_text(&c->name, value);
    } else if (strcmp(key, "machine.memory") == 0) {
        good = set_number(c, name, value, &c->memory_mib, MEMORY_MIB_MAX);
    } else if (strcmp(key, "machine.cpus") == 0) {
        good = set_number(c, name, value, &c->cpus, CPUS_MAX);
    } else if (strcmp(key, "root.base") == 0) {
        words_add(&c->bases, value);
    } else {
        good = bad_line(c, text_format("[%s] %s is not known", section, name));
    }
    free(key);
    return good;
}

/* --- Files. ------------------------------------------------------------------------------------
 */

static int skip_dots(const struct dirent *entry)
{
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int add_path(struct root *root, const char *guest, const char *host);

static int add_folder(struct root *root, const char *guest, const char *host)
{
    struct dirent **entries;
    int count = scandir(host, &entries, skip_dots, alphasort);
    int status = 0;

    if (count < 0)
        return message_error("%s: %s", host, strerror(errno));
    tree_add_directory(&root->tree, guest, 0755);
    for (int i = 0; i < count; i++) {
        char *guest_path =
            text_format("%s/%s", strcmp(guest, "/") == 0 ? "" : guest, entries[i]->d_name);
        char *host_path = text_format("%s/%s", host, entries[i]->d_name);

        if (status == 0)
            status = add_path(root, guest_path, host_path);
        free(guest_path);
        free(host_path);
        free(entries[i]);
    }
    free(entries);
    return status;
}

static int add_path(struct root *root, const char *guest, const char *host)
{
    char target[PATH_MAX];
    struct stat info;
    ssize_t length;
    int error = 0;

    if (lstat(host, &info) < 0)
        return message_error("%s: %s", host, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return add_folder(root, guest, host);
    if (S_ISLNK(info.st_mode)) {
        length = readlink(host, target, sizeof(target) - 1);
        target[length > 0 ? length : 0] = '\0';
        error = tree_add_symlink(&root->tree, guest, target);
    } else if (S_ISREG(info.st_mode)) {
        error = tree_add_host_file(&root->tree, guest, info.st_mode & 0100 ? 0755 : 0644, host);
    } else {
        message_warn("%s: neither file, folder nor link; left out", host);
    }
    if (error)
        return message_error("%s: cannot be put into the root as %s: %s", host, guest,
                             strerror(-error));
    return 0;
}

/* --- All together. -----------------------------------------------------------------------------
 */

static int add_bases(struct root *root, const char *path, const struct configuration *configuration,
                     const struct options *options)
{
    char *lock = text_format("%s/remora.lock", path);
    struct options base_options = *options;
    int status = 0;

    if (options->lock == NULL)
        base_options.lock = lock;
    for (size_t i = 0; status == 0 && i < configuration->bases.count; i++) {
        const char *base = configuration->bases.item[i];
        bool is_relative =
            !text_starts(base, "deb:") && !text_starts(base, "oci:") && base[0] != '/';
        char *source = is_relative ? text_format("%s/%s", path, base) : text_copy(base);

        status = root_add(root, source, &base_options);
        free(source);
    }
    free(lock);
    return status;
}

static int add_files(struct root *root, const char *path, const struct configuration *configuration)
{
    int status = 0;

    for (size_t i = 0; status == 0 && i + 1 < configuration->places.count; i += 2) {
        const char *from = configuration->places.item[i + 1];
        char *host = from[0] == '/' ? text_copy(from) : text_format("%s/%s", path, from);

        status = add_path(root, configuration->places.item[i], host);
        free(host);
    }
    return status;
}

static void take_manifest(struct root *root, const struct configuration *configuration)
{
    struct manifest *manifest = &root->manifest;

    if (configuration->command.count) {
        words_clear(&manifest->args);
        words_add_all(&manifest->args, &configuration->command);
        free(manifest->exec);
        manifest->exec = NULL;
    }
    for (size_t i = 0; i < configuration->env.count; i++)
        environment_set(&manifest->env, configuration->env.item[i]);
    if (configuration->cwd)
        set_text(&manifest->cwd, configuration->cwd);
    if (configuration->name) {
        set_text(&manifest->name, configuration->name);
        set_text(&manifest->hostname, configuration->name);
    }
    if (configuration->memory_mib)
        manifest->memory_mib = configuration->memory_mib;
    if (configuration->cpus)
        manifest->cpus = configuration->cpus;
}

static void configuration_free(struct configuration *configuration)
{
    words_clear(&configuration->command);
    words_clear(&configuration->bases);
    words_clear(&configuration->places);
    words_clear(&configuration->env);
    free(configuration->cwd);
    free(configuration->user);
    free(configuration->name);
    free(configuration->problem);
}

int source_directory_load(struct root *root, const char *path, const struct options *options)
{
    char *file = text_format("%s/remora.conf", path);
    struct configuration configuration = {0};
    int line = ini_parse(file, take_setting, &configuration);
    int status = 0;

    if (line < 0)
        status =
            message_error("%s: %s; a folder needs it to say what to run", file, strerror(errno));
    else if (line > 0)
        status = message_error("%s:%d: %s", file, line,
                               configuration.problem ? configuration.problem
                                                     : "neither [SECTION] nor NAME = VALUE");
    if (status == 0)
        status = add_bases(root, path, &configuration, options);
    if (status == 0)
        status = add_files(root, path, &configuration);
    if (status == 0)
        take_manifest(root, &configuration);
    if (status == 0 && configuration.user && options->user == NULL)
        status = root_set_user(root, configuration.user);
    configuration_free(&configuration);
    free(file);
    return status;
}
