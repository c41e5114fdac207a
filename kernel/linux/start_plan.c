/* SPDX-License-Identifier: MIT
 *
 * Reads the manifest (abi/manifest.h) and the words of bootargs that change it (abi/bootargs.h).
 */
#include "start_plan.h"

#include <abi/bootargs.h>
#include <abi/manifest.h>
#include <core/log.h>
#include <device/firmware.h>
#include <file/file.h>
#include <fs/open.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return -1;
}

/* A copy of `length` encoded bytes, decoded; a malformed %XX stands for itself. */
static char *decode(const char *from, size_t length)
{
    char *copy = kmalloc(length + 1), *to = copy;

    for (size_t i = 0; copy && i < length; i++) {
        if (from[i] == '%' && i + 2 < length && hex_digit(from[i + 1]) >= 0 &&
            hex_digit(from[i + 2]) >= 0) {
            *to++ = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        } else {
            *to++ = from[i];
        }
    }
    if (copy)
        *to = 0;
    return copy;
}

static void strings_clear(struct string_list *list)
{
    for (unsigned i = 0; i < list->count; i++)
        kfree(list->item[i]);
    kfree(list->item);
    *list = (struct string_list){0};
}

/* Takes the string over. */
static int strings_add(struct string_list *list, char *string)
{
    if (!string)
        return -ENOMEM;
    if (list->count == list->capacity) {
        unsigned capacity = list->capacity ? list->capacity * 2 : 16;
        char **item = krealloc(list->item, capacity * sizeof(*item));

        if (!item) {
            kfree(string);
            return -ENOMEM;
        }
        list->item = item;
        list->capacity = capacity;
    }
    list->item[list->count++] = string;
    return 0;
}

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

/* Adds NAME=VALUE or replaces it; a NAME alone removes it. Takes the string over. */
static int env_set(struct string_list *env, char *variable)
{
    size_t length = variable ? name_length(variable) : 0;

    for (unsigned i = 0; variable && i < env->count; i++) {
        if (name_length(env->item[i]) != length || memcmp(env->item[i], variable, length) != 0)
            continue;
        kfree(env->item[i]);
        memmove(&env->item[i], &env->item[i + 1], (env->count - i - 1) * sizeof(char *));
        env->count--;
        break;
    }
    if (variable && variable[length] != '=') {
        kfree(variable);
        return 0;
    }
    return strings_add(env, variable);
}

const char *start_plan_env(const struct start_plan *plan, const char *name)
{
    size_t length = strlen(name);

    for (unsigned i = 0; i < plan->env.count; i++) {
        const char *variable = plan->env.item[i];

        if (strncmp(variable, name, length) == 0 && variable[length] == '=')
            return variable + length + 1;
    }
    return NULL;
}

static int replace(char **slot, char *value)
{
    if (!value)
        return -ENOMEM;
    kfree(*slot);
    *slot = value;
    return 0;
}

/* "uid:gid" or "uid:gid:group,group". What is malformed is said and left out. */
static void set_user(struct start_plan *plan, const char *text)
{
    const char *p = text;
    uint32_t uid, gid;

    if (parse_u32(p, 10, &uid, &p) || *p++ != ':' || parse_u32(p, 10, &gid, &p)) {
        log_warn("user=%s: expected <uid>:<gid>; the program runs as 0:0", text);
        return;
    }
    plan->uid = uid;
    plan->gid = gid;
    plan->group_count = 0;
    while ((*p == ':' || *p == ',') && plan->group_count < PLAN_GROUPS_MAX) {
        uint32_t group;

        p++;
        if (parse_u32(p, 10, &group, &p))
            break;
        plan->groups[plan->group_count++] = group;
    }
}

static int take_line(struct start_plan *plan, const char *key, const char *value, size_t length)
{
    char *text = decode(value, length);

    if (!text)
        return -ENOMEM;
    if (strcmp(key, MANIFEST_ARG) == 0)
        return strings_add(&plan->args, text);
    if (strcmp(key, MANIFEST_ENV) == 0)
        return strings_add(&plan->env, text);
    if (strcmp(key, MANIFEST_EXEC) == 0)
        return replace(&plan->file, text);
    if (strcmp(key, MANIFEST_CWD) == 0)
        return replace(&plan->cwd, text);
    if (strcmp(key, MANIFEST_HOSTNAME) == 0)
        return replace(&plan->hostname, text);
    if (strcmp(key, MANIFEST_USER) == 0)
        set_user(plan, text);
    kfree(text);
    return 0;
}

int start_plan_manifest(struct start_plan *plan, char *text)
{
    int error = 0;

    if (!str_starts_with(text, MANIFEST_FIRST)) {
        log_error(MANIFEST_PATH ": it does not begin with " MANIFEST_FIRST);
        return -EINVAL;
    }
    text = strchr(text, '\n') + 1;
    while (!error && *text) {
        size_t length = strcspn(text, "\n");
        char *next = text + length + (text[length] == '\n'), *equals;

        text[length] = 0;
        equals = strchr(text, '=');
        if (equals) {
            *equals = 0;
            error = take_line(plan, text, equals + 1, (size_t)(text + length - equals - 1));
        }
        text = next;
    }
    return error;
}

static int each_item(const char *list, size_t length, struct string_list *out,
                     int (*add)(struct string_list *, char *))
{
    size_t at = 0;

    for (;;) {
        size_t end = at;
        int error;

        while (end < length && list[end] != ',')
            end++;
        error = add(out, decode(list + at, end - at));
        if (error || end == length)
            return error;
        at = end + 1;
    }
}

static int take_word(const char *bootargs, const char *key, char **slot)
{
    size_t length;
    const char *value = parse_option(bootargs, key, &length);

    return value ? replace(slot, decode(value, length)) : 0;
}

int start_plan_bootargs(struct start_plan *plan, const char *bootargs)
{
    size_t length;
    const char *value = parse_option(bootargs, BOOTARGS_ARGS, &length);
    char *user = NULL;
    int error = 0;

    if (value) {
        strings_clear(&plan->args);
        kfree(plan->file);
        plan->file = NULL;
        error = each_item(value, length, &plan->args, strings_add);
    }
    value = parse_option(bootargs, BOOTARGS_ENV, &length);
    if (!error && value)
        error = each_item(value, length, &plan->env, env_set);
    if (!error)
        error = take_word(bootargs, BOOTARGS_CWD, &plan->cwd);
    if (!error)
        error = take_word(bootargs, BOOTARGS_HOSTNAME, &plan->hostname);
    if (!error)
        error = take_word(bootargs, BOOTARGS_USER, &user);
    if (user)
        set_user(plan, user);
    kfree(user);
    if (!error)
        error = take_word(bootargs, "init", &plan->file);
    return error;
}

static int read_manifest(char **out)
{
    const struct open_request request = {.flags = O_RDONLY, .lookup = LOOKUP_FOLLOW};
    struct inode_stat stat;
    struct file *file;
    ssize_t got = 0;
    int error = fs_open(NULL, MANIFEST_PATH, &request, &file);

    if (error)
        return error;
    error = fs_file_stat(file, &stat);
    if (!error && stat.size > MANIFEST_SIZE_MAX)
        error = -EFBIG;
    if (!error) {
        *out = kzalloc(stat.size + 1);
        got = *out ? file_read_kernel(file, *out, stat.size, 0) : -ENOMEM;
        error = got < 0 ? (int)got : 0;
    }
    file_unref(file);
    return error;
}

/* What nothing has said. */
static int fill_in(struct start_plan *plan)
{
    int error = 0;

    if (!plan->cwd)
        error = replace(&plan->cwd, kstrdup("/"));
    if (!error && !plan->hostname)
        error = replace(&plan->hostname, kstrdup("remora"));
    if (!error && !plan->file && plan->args.count)
        error = replace(&plan->file, kstrdup(plan->args.item[0]));
    if (!error && plan->file && !plan->args.count)
        error = strings_add(&plan->args, kstrdup(plan->file));
    return error;
}

const char *start_plan_boot_arguments(void)
{
    const struct fw_node *chosen = fw_find_path("/chosen");
    const char *text = chosen ? fw_property_string(chosen, "bootargs") : NULL;

    return text ? text : "";
}

int start_plan_read(struct start_plan *plan)
{
    char *text = NULL;
    int error = read_manifest(&text);

    if (!error)
        error = start_plan_manifest(plan, text);
    else if (error == -ENOENT)
        error = 0;
    kfree(text);
    if (!error)
        error = start_plan_bootargs(plan, start_plan_boot_arguments());
    return error ? error : fill_in(plan);
}

void start_plan_free(struct start_plan *plan)
{
    strings_clear(&plan->args);
    strings_clear(&plan->env);
    kfree(plan->file);
    kfree(plan->cwd);
    kfree(plan->hostname);
    kfree(plan);
}
