/* SPDX-License-Identifier: MIT
 *
 * Writing and reading the manifest.
 */
#include "manifest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "percent.h"

static void write_line(struct buffer *text, const char *key, const char *value)
{
    if (value == NULL)
        return;
    buffer_add_text(text, key);
    buffer_add_byte(text, '=');
    percent_add_manifest(text, value);
    buffer_add_byte(text, '\n');
}

static void write_lines(struct buffer *text, const char *key, const struct words *values)
{
    for (size_t i = 0; i < values->count; i++)
        write_line(text, key, values->item[i]);
}

void manifest_write(const struct manifest *manifest, struct buffer *text)
{
    buffer_add_text(text, MANIFEST_FIRST);
    write_line(text, MANIFEST_EXEC, manifest->exec);
    write_lines(text, MANIFEST_ARG, &manifest->args);
    write_lines(text, MANIFEST_ENV, &manifest->env);
    write_line(text, MANIFEST_CWD, manifest->cwd);
    write_line(text, MANIFEST_USER, manifest->user);
    write_line(text, MANIFEST_HOSTNAME, manifest->hostname);
    write_line(text, MANIFEST_NAME, manifest->name);
    if (manifest->memory_mib)
        buffer_format(text, MANIFEST_MEMORY "=%u\n", manifest->memory_mib);
    if (manifest->cpus)
        buffer_format(text, MANIFEST_CPUS "=%u\n", manifest->cpus);
    write_lines(text, MANIFEST_PACKAGE, &manifest->packages);
    write_lines(text, MANIFEST_CHOICE, &manifest->choices);
    write_lines(text, MANIFEST_NOTE, &manifest->notes);
}

static void replace(char **field, const char *value)
{
    free(*field);
    *field = text_copy(value);
}

static void set_key(struct manifest *manifest, const char *key, const char *value)
{
    struct {
        const char *key;
        char **text;
        struct words *list;
        unsigned *number;
    } const fields[] = {
        {.key = MANIFEST_EXEC, .text = &manifest->exec},
        {.key = MANIFEST_ARG, .list = &manifest->args},
        {.key = MANIFEST_ENV, .list = &manifest->env},
        {.key = MANIFEST_CWD, .text = &manifest->cwd},
        {.key = MANIFEST_USER, .text = &manifest->user},
        {.key = MANIFEST_HOSTNAME, .text = &manifest->hostname},
        {.key = MANIFEST_NAME, .text = &manifest->name},
        {.key = MANIFEST_MEMORY, .number = &manifest->memory_mib},
        {.key = MANIFEST_CPUS, .number = &manifest->cpus},
        {.key = MANIFEST_PACKAGE, .list = &manifest->packages},
        {.key = MANIFEST_CHOICE, .list = &manifest->choices},
        {.key = MANIFEST_NOTE, .list = &manifest->notes},
    };

    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        if (strcmp(fields[i].key, key) != 0)
            continue;
        if (fields[i].text)
            replace(fields[i].text, value);
        else if (fields[i].list)
            words_add(fields[i].list, value);
        else
            *fields[i].number = (unsigned)strtoul(value, NULL, 10);
    }
}

int manifest_parse(struct manifest *manifest, char *text)
{
    char *line, *rest;

    if (!text_starts(text, MANIFEST_FIRST))
        return -EINVAL;
    for (line = text + strlen(MANIFEST_FIRST); *line; line = rest) {
        char *end = strchr(line, '\n');
        char *value = strchr(line, '=');

        if (end == NULL || value == NULL || value > end)
            return -EINVAL;
        *end = *value++ = '\0';
        rest = end + 1;
        if (!percent_decode(value))
            return -EINVAL;
        set_key(manifest, line, value);
    }
    return 0;
}

static char **find_setting(const struct words *env, const char *name, size_t length)
{
    for (size_t i = 0; i < env->count; i++)
        if (strncmp(env->item[i], name, length) == 0 && env->item[i][length] == '=')
            return &env->item[i];
    return NULL;
}

void environment_set(struct words *env, const char *setting)
{
    char **old = find_setting(env, setting, strcspn(setting, "="));

    if (strchr(setting, '=')) {
        if (old)
            replace(old, setting);
        else
            words_add(env, setting);
    } else if (old) {
        free(*old);
        memmove(old, old + 1, (char *)(env->item + env->count) - (char *)old);
        env->count--;
    }
}

const char *environment_get(const struct words *env, const char *name)
{
    char **found = find_setting(env, name, strlen(name));

    return found ? *found + strlen(name) + 1 : NULL;
}
