/* SPDX-License-Identifier: MIT
 *
 * Reads the manifest (abi/manifest.h) and the words of bootargs that change it (abi/bootargs.h).
 * Values are decoded where they stand, so that a plan is two texts and a table of what is in them.
 */
#include "start_plan.h"

#include <abi/bootargs.h>
#include <abi/manifest.h>
#include <core/log.h>
#include <device/firmware.h>
#include <fs/open.h>
#include <lib/compiler.h>
#include <lib/errno.h>
#include <lib/minmax.h>
#include <lib/parse.h>
#include <lib/string.h>
#include <mm/slab.h>

static const struct {
    char manifest[12], bootargs[20];
} names[PLAN_KEYS] = {
    [PLAN_FILE] = {MANIFEST_EXEC, "init"},
    [PLAN_CWD] = {MANIFEST_CWD, BOOTARGS_CWD},
    [PLAN_HOSTNAME] = {MANIFEST_HOSTNAME, BOOTARGS_HOSTNAME},
    [PLAN_USER] = {MANIFEST_USER, BOOTARGS_USER},
    [PLAN_ARG] = {MANIFEST_ARG, BOOTARGS_ARGS},
    [PLAN_ENV] = {MANIFEST_ENV, BOOTARGS_ENV},
};

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

/* Decodes a value in its place and ends it; a malformed %XX stands for itself. */
static char *decode(char *from, size_t length)
{
    char *to = from;

    for (size_t i = 0; i < length; i++, to++) {
        *to = from[i];
        if (from[i] == '%' && i + 2 < length && hex_digit(from[i + 1]) >= 0 &&
            hex_digit(from[i + 2]) >= 0) {
            *to = (char)(hex_digit(from[i + 1]) * 16 + hex_digit(from[i + 2]));
            i += 2;
        }
    }
    *to = 0;
    return from;
}

static int add(struct start_plan *plan, enum plan_key key, char *value)
{
    if (plan->count == plan->capacity) {
        unsigned capacity = plan->capacity + 64;
        struct plan_entry *entry = krealloc(plan->entry, capacity * sizeof(*entry));

        if (!entry)
            return -ENOMEM;
        plan->entry = entry;
        plan->capacity = capacity;
    }
    plan->entry[plan->count++] = (struct plan_entry){key, value};
    plan->value[key] = value;
    return 0;
}

static size_t name_length(const char *variable)
{
    return strcspn(variable, "=");
}

/* The last entry of a variable, or NULL. */
static struct plan_entry *find_variable(const struct start_plan *plan, const char *name,
                                        size_t length)
{
    for (unsigned i = plan->count; i-- > 0;) {
        struct plan_entry *e = &plan->entry[i];

        if (e->key == PLAN_ENV && name_length(e->value) == length &&
            memcmp(e->value, name, length) == 0)
            return e;
    }
    return NULL;
}

const char *start_plan_file(const struct start_plan *plan)
{
    const char *file = start_plan_value(plan, PLAN_FILE);

    for (unsigned i = 0; !file && i < plan->count; i++) {
        if (plan->entry[i].key == PLAN_ARG)
            file = plan->entry[i].value;
    }
    return file;
}

const char *start_plan_env(const struct start_plan *plan, const char *name)
{
    size_t length = strlen(name);
    const struct plan_entry *e = find_variable(plan, name, length);

    return e && e->value[length] ? e->value + length + 1 : NULL;
}

/* Of bootargs: NAME=VALUE comes in the place of what was said of NAME, a NAME alone removes it. */
static int set_variable(struct start_plan *plan, char *variable)
{
    size_t length = name_length(variable);
    struct plan_entry *e;

    while ((e = find_variable(plan, variable, length)))
        e->key = PLAN_KEYS;
    return variable[length] ? add(plan, PLAN_ENV, variable) : 0;
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

static int take_line(struct start_plan *plan, const char *key, size_t key_length, char *value,
                     size_t length)
{
    for (unsigned i = 0; i < PLAN_KEYS; i++) {
        if (strncmp(names[i].manifest, key, key_length) == 0 && !names[i].manifest[key_length])
            return add(plan, i, decode(value, length));
    }
    return 0;
}

static int parse_manifest(struct start_plan *plan, char *text)
{
    int error = 0;

    if (strncmp(text, MANIFEST_FIRST, strlen(MANIFEST_FIRST)) != 0) {
        log_error(MANIFEST_PATH ": it does not begin with " MANIFEST_FIRST);
        return -EINVAL;
    }
    text += strlen(MANIFEST_FIRST);
    while (!error && *text) {
        char *end = text + strcspn(text, "\n"), *next = end + (*end == '\n');
        char *equals = memchr(text, '=', (size_t)(end - text));

        if (equals && equals - text < (ssize_t)sizeof(names[0].manifest))
            error = take_line(plan, text, (size_t)(equals - text), equals + 1,
                              (size_t)(end - equals - 1));
        text = next;
    }
    return error;
}

static void take_back(struct start_plan *plan, enum plan_key key)
{
    plan->value[key] = NULL;
    for (unsigned i = 0; i < plan->count; i++) {
        if (plan->entry[i].key == key)
            plan->entry[i].key = PLAN_KEYS;
    }
}

/* What a word of bootargs says: one value, or those of a list. */
static int take_word(struct start_plan *plan, enum plan_key key, char *value, size_t length)
{
    bool is_list = key == PLAN_ARG || key == PLAN_ENV;
    char *end = value + length;
    int error = 0;

    if (key == PLAN_ARG) {
        take_back(plan, PLAN_ARG);
        take_back(plan, PLAN_FILE);
    }
    while (!error && value <= end) {
        size_t left = (size_t)(end - value), item = is_list ? min(strcspn(value, ","), left) : left;

        decode(value, item);
        error = key == PLAN_ENV ? set_variable(plan, value) : add(plan, key, value);
        value += item + 1;
    }
    return error;
}

/* All words are found before the first is decoded, which ends the text there. */
static int parse_bootargs(struct start_plan *plan, char *text)
{
    size_t length[PLAN_KEYS];
    const char *value[PLAN_KEYS];
    int error = 0;

    for (unsigned i = 0; i < PLAN_KEYS; i++)
        value[i] = parse_option(text, names[i].bootargs, &length[i]);
    for (unsigned i = 0; !error && i < PLAN_KEYS; i++) {
        if (value[i])
            error = take_word(plan, i, text + (value[i] - text), length[i]);
    }
    return error;
}

int start_plan_parse(struct start_plan *plan, char *manifest, char *bootargs)
{
    const char *user;
    int error = 0;

    plan->manifest = manifest;
    plan->bootargs = bootargs;
    if (manifest)
        error = parse_manifest(plan, manifest);
    if (!error && bootargs)
        error = parse_bootargs(plan, bootargs);
    user = start_plan_value(plan, PLAN_USER);
    if (user)
        set_user(plan, user);
    return error;
}

int start_plan_read(struct start_plan *plan)
{
    const char *words = fw_boot_arguments();
    char *manifest = NULL, *bootargs = NULL;
    int error = fs_read_text(MANIFEST_PATH, MANIFEST_SIZE_MAX, &manifest);

    if (error && error != -ENOENT)
        return error;
    if (*words && !(bootargs = kstrdup(words))) {
        kfree(manifest);
        return -ENOMEM;
    }
    return start_plan_parse(plan, manifest, bootargs);
}

void start_plan_free(struct start_plan *plan)
{
    kfree(plan->manifest);
    kfree(plan->bootargs);
    kfree(plan->entry);
    kfree(plan);
}
